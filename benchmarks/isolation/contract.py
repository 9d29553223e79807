"""Contracts of learners and targets, check by check, in the process that has them."""

from __future__ import annotations

import traceback
import unittest
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from hierbench.benchmarks.units.plain import one_line, one_line_of
from hierbench.learners.registry import load, make_learner
from hierbench.learners.testing import LearnerContract
from hierbench.targets import testing as targets_testing
from hierbench.targets.registry import make_target

TWIN = "hierbench_twin"
"""Attribute of a learner's class: the import path of a class that computes the same in another way."""
TWIN_CHECK = "test_its_twin_predicts_the_same"
CLOSE = 1e-6
"""How far predictions of twins may be apart, as a share of the largest."""


class _Checked(LearnerContract):
    """The contract of a learner with these parameters."""

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        self.name = name
        self.parameters = parameters

    def create(self) -> Any:
        """Make it, with a fixed ``random_state`` if it has that parameter."""
        return _seeded(self.name, self.parameters)

    def test_its_twin_predicts_the_same(self) -> None:
        """Hold it to the twin that its class declares."""
        twin = getattr(load(self.name), TWIN, None)
        if twin is None:
            raise unittest.SkipTest("no twin is declared")
        X, y = self.data(80)
        X_test, _ = self.data(60, seed=5)
        here, there = (_seeded(name, self.parameters).fit(X, y).predict(X_test) for name in (self.name, twin))
        atol = CLOSE * max(float(np.abs(there).max()), 1.0)
        np.testing.assert_allclose(here, there, rtol=0, atol=atol, err_msg=f"the twin is {twin}")


def _seeded(name: str, parameters: Mapping[str, Any]) -> Any:
    learner = make_learner(name, **parameters)
    if "random_state" in learner.get_params() and "random_state" not in parameters:
        learner.set_params(random_state=0)
    return learner


def _line_of(error: AssertionError) -> str:
    """What was asserted, of an assertion without words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.line or frame.name


def learner_checks() -> list[str]:
    """Names of the checks of a learner."""
    return [check.__name__ for check in _Checked.checks()]


def target_checks() -> list[str]:
    """Names of the checks of a target."""
    return [check.__name__ for check in targets_testing.CHECKS]


def outcome(name: str, parameters: Mapping[str, Any], check: str, d: int | None) -> dict[str, str]:
    """Run one check here: ``outcome`` is "holds", "skipped" or "fails", with the reason of the last two.

    Parameters
    ----------
    d : int or None
        Dimension of a target; None for a learner.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if d is None:
                getattr(_Checked(name, parameters), check)()
            else:
                getattr(targets_testing, check)(lambda seed: make_target(name, d, seed, **parameters))
    except unittest.SkipTest as reason:
        return {"outcome": "skipped", "reason": str(reason)}
    except AssertionError as error:
        return {"outcome": "fails", "reason": one_line(" ".join(str(error).split()) or _line_of(error))}
    except Exception as error:  # whatever a learner raises is an outcome
        return {"outcome": "fails", "reason": one_line_of(error)}
    return {"outcome": "holds", "reason": ""}
