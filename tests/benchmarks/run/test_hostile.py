"""Whatever a foreign learner does is its unit's failure, or does no harm; the others finish."""

from __future__ import annotations

import psutil
import pytest

from hierbench.benchmarks.studies.faults.hostile import rows_of, wrong_with
from hierbench.benchmarks.studies.faults.hostile_learners import OUTCOMES

WORKERS = True


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
