"""The campaign of mutated suite files and random parameters: a slice of it, and that it sees a fault."""

import collections
import math

import pytest

from hierbench.benchmarks.studies import bad_input
from hierbench.benchmarks.suites import toml_lines
from hierbench.learners.registry import LEARNERS

SUITES = ("layerwise", "smoke", "steps")
"""What is planned in milliseconds."""
LIGHT = [name for name, d in LEARNERS.items() if ".kernels." in d.path or ".adaptive." in d.path]
"""Learners whose modules start neither torch nor jax."""


def outcomes(what, n, folder):
    return [bad_input.trial((what, 0, k), SUITES, folder) for k in range(n)]


def bad(outcome):
    return not outcome.startswith((bad_input.GOOD, bad_input.REFUSED))


def test_no_mutated_suite_file_ends_in_a_traceback(tmp_path):
    done = outcomes("suites", 250, tmp_path)
    assert [o for _, o in done if bad(o)] == []
    kinds = collections.Counter(kind for kind, _ in done)
    assert set(kinds) == set(bad_input.KINDS) and min(kinds.values()) >= 10
    assert sum(o == bad_input.GOOD for _, o in done) >= 20


def test_no_drawn_parameter_of_a_target_ends_in_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(bad_input, "DIMENSIONS", (2, 3, 4))
    monkeypatch.setitem(bad_input.PLAUSIBLE, int, (1, 2))
    done = outcomes("targets", 100, tmp_path)
    assert [o for _, o in done if bad(o)] == []
    assert sum(o == bad_input.GOOD for _, o in done) >= 10


def test_no_drawn_parameter_of_a_learner_ends_in_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(bad_input, "LEARNERS", LIGHT)
    done = outcomes("learners", 60, tmp_path)
    assert [o for _, o in done if bad(o)] == []
    assert {o for _, o in done} == {bad_input.GOOD, bad_input.REFUSED}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(
            "is_real",
            lambda value: isinstance(value, (int, float)) and math.isfinite(value),
            marks=pytest.mark.slow,
        ),
        ("plain", lambda name, value: None),
    ],
)
def test_the_campaign_sees_a_mend_that_is_taken_out(tmp_path, monkeypatch, name, fault):
    monkeypatch.setattr(toml_lines, name, fault)
    jobs = (("suites", 0, k) for k in range(1000))
    assert any(bad(bad_input.trial(job, SUITES, tmp_path)[1]) for job in jobs)


def test_a_trial_is_had_again_by_its_number(tmp_path):
    assert outcomes("suites", 5, tmp_path) == outcomes("suites", 5, tmp_path)
