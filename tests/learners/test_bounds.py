"""Numbers among the parameters of every registered learner have bounds, in a suite and in fit."""

import inspect
import math

import numpy as np
import pytest

from hierbench.benchmarks.suites.suite_file import check_learner
from hierbench.learners.catalogue.bounds import LARGEST, check_bounds
from hierbench.learners.registry import LEARNERS, load, make_learner

TEXTS_AND_FLAGS = {
    "activation", "device", "dtype", "initial_function", "kernel", "loss", "optimizer", "refit_readouts",
    "splitting",
}  # fmt: skip
CLASSES = {d.path: name for name, d in LEARNERS.items()}


@pytest.mark.parametrize("name", CLASSES.values())
def test_every_number_has_a_bound(name):
    assert set(inspect.signature(load(name)).parameters) - TEXTS_AND_FLAGS <= set(LARGEST)


@pytest.mark.parametrize("name", CLASSES.values())
def test_the_defaults_are_within_the_bounds(name):
    check_bounds(make_learner(name).get_params(deep=False))


@pytest.mark.parametrize("name", CLASSES.values())
def test_fit_refuses_what_is_past_them(name):
    """Before it looks at the data, let alone makes room for what was asked."""
    X, y = np.eye(4), np.arange(4.0)
    for key in set(inspect.signature(load(name)).parameters) - TEXTS_AND_FLAGS:
        for value in (10**5000, math.inf, [2 * int(LARGEST[key])]):
            with pytest.raises(ValueError, match=f"^{key} = "):
                make_learner(name, **{key: value}).fit(X, y)


@pytest.mark.parametrize("name", CLASSES.values())
def test_fit_refuses_a_text_where_numbers_stand_and_names_the_parameter(name):
    X = np.random.default_rng(0).standard_normal((40, 4))
    unused = {"length_scale"} if name == "krr_polynomial_cg" else set()  # another kernel's
    for key in set(inspect.signature(load(name)).parameters) - TEXTS_AND_FLAGS - unused:
        says = "'fast' cannot be used to seed" if key == "random_state" else f"{key} = 'fast': allowed"
        with pytest.raises(ValueError, match=f"^{says}"):
            make_learner(name, **{key: "fast"}).fit(X, X[:, 0])


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"steps": 10**12}, "steps = 1000000000000: allowed are numbers of size up to 1e"),
        (
            {"learning_rate": [0.1, [1e31]]},
            r"learning_rate = \[0.1, \[1e\+31\]\]: allowed are numbers of",
        ),
        ({"width": 2**63}, "width = 9223372036854775808: allowed are integers of 64 bits"),
        ({"weight_decay": math.nan}, "weight_decay = nan: allowed are finite numbers"),
    ],
)
def test_a_suite_refuses_what_is_past_them(params, says):
    with pytest.raises(ValueError, match=says):
        check_learner("densenet", params)


def test_a_foreign_learner_keeps_its_own_bounds():
    check_learner("sklearn.linear_model:Ridge", {"alpha": 1e300})
    with pytest.raises(ValueError, match="alpha = inf: allowed are finite numbers"):
        check_learner("sklearn.linear_model:Ridge", {"alpha": math.inf})
