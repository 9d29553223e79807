"""Pruning says what would go and why, asks, and takes all only when told so."""

import io

import pytest
from machinery import plan_of, suite_file

from hierbench.benchmarks.commands import pruning
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites import plan as plans
from hierbench.errors import UserError


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A store with four certificates and a learner's unit, all of them current."""
    plan = plan_of(suite_file(tmp_path, {"Mean": ""}))
    with Store.writable(tmp_path) as store:
        for unit in plan.units:
            store.commit(unit, unit.without_numbers("done", ""))
    assert not any(map(pruning.is_stale, units(tmp_path)))
    return tmp_path


@pytest.fixture
def change(monkeypatch):
    """Let other code, or other library versions, be those of now; of learners only."""

    def change(code=None, versions=None):
        def fingerprint(*roots):
            code_now, versions_now = before(*roots)
            if plans.CURVE_CODE not in roots:
                return code_now, versions_now
            return code or code_now, {**versions_now, **(versions or {})}

        monkeypatch.setattr(plans, "fingerprint", fingerprint)

    before = plans.fingerprint
    return change


def units(folder):
    with Store.readable(folder) as store:
        return store.units()


def test_the_reason_is_named_and_nobody_to_ask_is_a_refusal(results, change, capsys):
    change(code="other")
    with pytest.raises(UserError, match="nobody is here to answer: --yes deletes unasked"):
        pruning.prune(results, wait=False, yes=False, everything=False)
    assert "1 of 5 units" in (said := capsys.readouterr().out) and "code changed: 1 of stub" in said
    change(versions={"numpy": "99.0"})
    with pytest.raises(UserError, match="--yes"):
        pruning.prune(results, wait=False, yes=False, everything=False)
    assert "library versions changed (numpy " in (said := capsys.readouterr().out) and "-> 99.0)" in said
    assert len(units(results)) == 5
    pruning.prune(results, wait=False, yes=True, everything=False)
    assert "1 stale units deleted" in capsys.readouterr().out and len(units(results)) == 4


@pytest.mark.parametrize(("answer", "left"), [("y\n", 4), ("n\n", 5), ("\n", 5), ("", 5)])
def test_the_answer_counts(results, change, monkeypatch, capsys, answer, left):
    stdin = io.StringIO(answer)
    stdin.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", stdin)
    change(code="other")
    pruning.prune(results, wait=False, yes=False, everything=False)
    assert len(units(results)) == left and "delete these 1 units?" in capsys.readouterr().err


def test_where_all_would_go_it_is_refused_unless_told(results, monkeypatch, capsys):
    def gone(axes):
        raise ValueError("no target family 'squares'")

    monkeypatch.setattr(pruning, "key_of", gone)
    with pytest.raises(UserError, match=r"every unit in .* would be deleted.*--prune --all"):
        pruning.prune(results, wait=False, yes=True, everything=False)
    assert "is gone (no target family 'squares'): 5 of stub" in capsys.readouterr().out
    assert len(units(results)) == 5
    pruning.prune(results, wait=False, yes=True, everything=True)
    assert units(results) == []


def test_of_current_units_nothing_is_asked(results, capsys):
    pruning.prune(results, wait=False, yes=False, everything=False)
    assert capsys.readouterr().out == "0 stale units deleted\n"
