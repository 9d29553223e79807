"""Targets made of data: a suite may ask for no more points than there are, and for one target."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hierbench.benchmarks.suites.suite import TestPlan
from hierbench.benchmarks.units.rows import Replicate
from hierbench.errors import refusal

if TYPE_CHECKING:
    from hierbench.targets.base import Target


@dataclasses.dataclass(frozen=True)
class Points:
    """Points that a target has to train on and for tests; None where there is no end."""

    train: int | None
    test: int | None


def points_of(target: Target) -> Points | None:
    """Points of a target made of data; None for any other."""
    # reading the name of a suite imports no targets
    from hierbench.targets.data.data_target import DataTarget

    return Points(target.n_train, target.n_test) if isinstance(target, DataTarget) else None


def check_points(target: Target, test: TestPlan, largest: int, replicates: Sequence[Replicate]) -> None:
    """Refuse what a target made of data does not have; any other has everything.

    Parameters
    ----------
    largest : int
        ``max`` of the sizes of a run.
    replicates : sequence of Replicate
        Of the run.

    Raises
    ------
    ValueError
        Sizes beyond the training pool. Test sets that are not a part of the held-out one: it is fixed, and
        what is asked for after its first part would be that part again. Replicates that differ in their
        target alone: there is one, whatever its seed, and they would be the same replicate again.
    """
    points = points_of(target)
    if points is None:
        return
    if points.train is not None and largest > points.train:
        remedy = "the training pool has no more points"
        raise ValueError(refusal("max of the sizes", largest, f"integers up to {points.train}", remedy))
    if points.test is not None and not test.min == test.max <= points.test:
        given = f"{{min = {test.min}, max = {test.max}}}"
        remedy = f"its held-out test set is fixed: {{min = {points.test}, max = {points.test}}} is all of it"
        raise ValueError(f"test = {given}: allowed is min = max, up to {points.test}; {remedy}")
    if len({(r.sample, r.init) for r in replicates}) < len(replicates):
        remedy = "data are one target, whatever its seed: cross samples and inits, or give replicates"
        targets = len({r.target for r in replicates})
        raise ValueError(refusal("targets in crossed", targets, "one value, 1", remedy))
