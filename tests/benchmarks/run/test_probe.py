"""What can be known of a foreign learner before the first unit is said before it."""

from __future__ import annotations

import sys

import pytest
from machinery import plan_of, suite_file

from hierbench.benchmarks.commands import dry_run
from hierbench.benchmarks.isolation.ask import parameters_of
from hierbench.benchmarks.run.probe import refuse_unfit
from hierbench.benchmarks.suites.suite_file import load_suite
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


def test_a_parameter_that_a_constructor_only_swallows_is_refused(tmp_path):
    plan = plan_of(suite_file(tmp_path, {"Swallows": "level = 1, levle = 2"}))
    with pytest.raises(UserError, match="unknown parameter of Swallows 'levle': did you mean 'level'"):
        refuse_unfit(plan.curves, 1)


def test_a_seed_is_no_suite_s(tmp_path):
    path = suite_file(tmp_path, {"Mean": "random_state = 3"})
    with pytest.raises(UserError, match="random_state is no parameter of a suite: each replicate"):
        plan_of(path)


def test_a_dry_run_refuses_what_a_run_refuses(tmp_path):
    path = suite_file(tmp_path, {"KMeans": ""}, module="sklearn.cluster")
    with pytest.raises(UserError, match="'clusterer'"):
        dry_run.show(load_suite(path), tmp_path / "r", 1)


def test_a_learner_is_let_through(tmp_path):
    refuse_unfit(plan_of(suite_file(tmp_path, {"Mean": ""})).curves, 1)
