"""Contracts held to in another process, whatever a learner or a target does there."""

import dataclasses

import own_targets
import pytest
import stub_learners

from hierbench.benchmarks.commands.contract import show_contract
from hierbench.benchmarks.isolation.contract import (
    TWIN_CHECK,
    learner_checks,
    outcome,
    target_checks,
)
from hierbench.benchmarks.isolation.outcomes import checks_of, outcomes
from hierbench.learners.testing import LearnerContract

REPEATS = "test_two_fits_with_one_random_state_are_equal"


def test_the_checks_are_those_of_the_contract_and_of_a_twin():
    assert set(learner_checks()) == {c.__name__ for c in LearnerContract.checks()} | {TWIN_CHECK}
    assert "check_moments" in target_checks()
    assert checks_of(False, 60.0) == learner_checks() and checks_of(True, 60.0) == target_checks()


@pytest.mark.parametrize(
    ("learner", "check", "found", "says"),
    [
        ("stub_learners:Mean", REPEATS, "holds", ""),
        ("stub_learners:Mean", TWIN_CHECK, "skipped", "no twin"),
        ("stub_learners:Mean", "test_the_order_of_the_curves_does_not_matter", "skipped", "no fit_curves"),
        ("stub_learners:Noisy", REPEATS, "fails", "not equal"),
        ("stub_learners:HasTwin", TWIN_CHECK, "holds", ""),
        ("stub_learners:HasWrongTwin", TWIN_CHECK, "fails", "the twin is stub_learners:Mean"),
    ],
)
def test_outcomes(learner, check, found, says):
    answer = outcome(learner, {}, check, None)
    assert answer["outcome"] == found and says in answer["reason"] and "\n" not in answer["reason"]


def test_a_target_is_held_to_its_contract():
    assert outcome("squares", {"depth": 2}, "check_moments", 6)["outcome"] == "holds"
    assert outcome("stub_targets:Biased", {}, "check_moments", 6)["outcome"] == "fails"


@pytest.mark.parametrize("name", ["Dies", "Sleeps"])
def test_one_that_dies_or_never_ends_fails(name, monkeypatch):
    monkeypatch.setattr("hierbench.benchmarks.isolation.outcomes.checks_of", lambda *_: [REPEATS])
    ((_, found, reason, _),) = outcomes(f"stub_learners:{name}", {}, seconds=5.0)
    assert found == "fails" and ("SIGKILL" in reason or "not finished within 5 s" in reason)
    assert hasattr(stub_learners, name)


def test_what_is_printed_of_a_contract(capsys):
    kept = [
        ("test_a_b", "holds", "", 1.0),
        ("test_c", "skipped", "no d", 0.0),
        ("test_e", "skipped", "no d", 0.0),
    ]
    assert show_contract(kept)
    assert capsys.readouterr().out == "contract: 1 checks hold, 0 fail (1 s)\n  2 not asked: no d\n"
    assert not show_contract([*kept, ("check_f_g", "fails", "because", 2.0)])
    assert "fails: f g: because\n" in capsys.readouterr().out


def test_an_assertion_without_words_is_said_by_its_line(monkeypatch):
    nameless = dataclasses.replace(own_targets.Own(4, 0).certificate(), n_parameters=0)
    monkeypatch.setattr(own_targets.Own, "certificate", lambda self: nameless)
    found = outcome("own_targets:Own", {}, "check_certificate", 4)
    assert found["outcome"] == "fails" and "certificate.n_parameters > 0" in found["reason"]
