"""What can be known of a foreign learner before the first unit is said before it."""

from __future__ import annotations

import sys

import pytest
from machinery import plan_of, suite_file

from hierbench.benchmarks.isolation.ask import parameters_of
from hierbench.benchmarks.run.probe import refuse_unfit
from hierbench.errors import UserError


@pytest.mark.parametrize(
    ("module", "learner", "message"),
    [
        (
            "sklearn.multioutput",
            "MultiOutputRegressor",
            "missing 1 required positional argument",
        ),
        ("sklearn.cluster", "KMeans", "'clusterer': allowed is a regressor or a classifier"),
        ("sklearn.naive_bayes", "GaussianNB", "nothing to measure: GaussianNB would classify"),
    ],
)
def test_what_is_no_learner_is_refused_before_the_run(tmp_path, module, learner, message):
    plan = plan_of(suite_file(tmp_path, {learner: ""}, module=module))
    with pytest.raises(UserError) as refused:
        refuse_unfit(plan.curves, 1)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stub_learners:NOT_A_LEARNER", "allowed is a class with fit and predict"),
        ("nowhere_at_all:Mean", "cannot import learner 'nowhere_at_all:Mean'"),
    ],
)
def test_a_foreign_module_is_asked_elsewhere(name, message):
    with pytest.raises(ValueError, match=message):
        parameters_of(name)
    assert "nowhere_at_all" not in sys.modules


def test_a_learner_is_let_through(tmp_path):
    refuse_unfit(plan_of(suite_file(tmp_path, {"Mean": ""})).curves, 1)
