"""Whatever a foreign learner does is its unit's failure, or does no harm; the others finish."""

from __future__ import annotations

import psutil
import pytest

from hierbench.benchmarks.studies.faults.hostile import rows_of, wrong_with
from hierbench.benchmarks.studies.faults.hostile_learners import OUTCOMES

QUICK = ("Mean", "ExitsWell", "LeavesWell", "Forks", "PatchesOurs", "WorksInPlace", "PredictsMasked")


def test_some_in_one_run(tmp_path):
    rows = rows_of(QUICK, tmp_path)
    assert [line for name in QUICK for line in wrong_with(name, rows)] == []


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    return rows_of(tuple(OUTCOMES), tmp_path_factory.mktemp("hostile"))


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTCOMES)
def test_each(campaign, name):
    assert wrong_with(name, campaign) == []


@pytest.mark.slow
def test_nobody_is_left_behind(campaign):
    assert len(OUTCOMES) >= 40
    assert [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "3600"]] == []
