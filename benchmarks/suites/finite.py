"""Targets of finite data: a suite may ask for no more points than there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hierbench.benchmarks.suites.suite import TestPlan
from hierbench.errors import refusal
from hierbench.targets.registry import make_target


@dataclasses.dataclass(frozen=True)
class Points:
    """Points that a target has to train on and for tests; None where there is no end."""

    train: int | None
    test: int | None


def points_of(family: str, d: int, params: Mapping[str, Any]) -> Points | None:
    """Points of a target made of data; None for any other.

    Raises
    ------
    ValueError
        As of ``hierbench.targets.registry.make_target``.
    """
    target = make_target(family, d, 0, **params)
    if not hasattr(target, "n_train"):
        return None
    return Points(target.n_train, getattr(target, "n_test", None))


def check_points(family: str, d: int, params: Mapping[str, Any], test: TestPlan, largest: int) -> None:
    """Refuse sizes beyond the training pool, and test sets that are not a part of the held-out one.

    Parameters
    ----------
    largest : int
        ``max`` of the sizes of a run.

    Raises
    ------
    ValueError
        A held-out test set is fixed, and what is asked for after its first part would be that part again.
    """
    points = points_of(family, d, params)
    if points is None:
        return
    if points.train is not None and largest > points.train:
        remedy = "the training pool has no more points"
        raise ValueError(refusal("max of the sizes", largest, f"integers up to {points.train}", remedy))
    if points.test is not None and not test.min == test.max <= points.test:
        given = f"{{min = {test.min}, max = {test.max}}}"
        remedy = f"its held-out test set is fixed: {{min = {points.test}, max = {points.test}}} is all of it"
        raise ValueError(f"test = {given}: allowed is min = max, up to {points.test}; {remedy}")
