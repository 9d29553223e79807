"""Whatever a foreign learner does is its unit's failure, or does no harm; the others finish."""

from __future__ import annotations

import hostile_learners
import psutil
import pytest
from hostile_learners import OUTCOMES
from machinery import run, stored, suite_file

QUICK = ("ExitsWell", "RaisesWhatCannotBeMadeAgain", "LeavesWell", "Forks", "PatchesOurs", "WorksInPlace")


def rows_of_run(names, folder, monkeypatch):
    monkeypatch.chdir(folder)  # some write where they stand
    path = suite_file(folder, dict.fromkeys([*names, "Mean"], ""), timeout=20, module="hostile_learners")
    outcome = run(path, folder / "results", workers=2)
    rows = stored(folder / "results")
    failing = {n for n in names if not OUTCOMES[n][0] <= hostile_learners.FINE | {"diverged"}}
    assert {unit.learner for unit, _ in outcome.failed} == failing
    assert outcome.waiting == 0
    return rows


def check(rows, name):
    statuses, reason = OUTCOMES[name]
    errors = {(r.target_index, r.n): r.error for r in rows if r.learner == "Mean"}
    of_learner = [r for r in rows if r.learner == name]
    assert len(of_learner) == len(errors) == 8
    for row in of_learner:
        assert row.status in statuses, row.reason
        assert len(row.reason) < 600 and row.reason.isprintable()
        if row.status != "unreliable":
            assert reason in row.reason
        if row.error is not None:  # that of the mean, whatever else it does
            assert row.error == errors[row.target_index, row.n]


def test_some_in_one_run(tmp_path, monkeypatch):
    rows = rows_of_run(QUICK, tmp_path, monkeypatch)
    for name in QUICK:
        check(rows, name)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield rows_of_run(list(OUTCOMES), tmp_path_factory.mktemp("hostile"), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTCOMES)
def test_each(campaign, name):
    check(campaign, name)


@pytest.mark.slow
def test_nobody_is_left_behind(campaign):
    assert len(OUTCOMES) >= 40
    sleeping = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "3600"]]
    assert not sleeping
