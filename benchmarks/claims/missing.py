"""What a criterion asks of its suite that is not there yet, unit by unit."""

from __future__ import annotations

import itertools
from collections import defaultdict

from hierbench.benchmarks.claims.criteria import Criterion
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.results.suite_results import Missing, SuiteResults

Cell = tuple[str, str]
"""Learner and target."""


def missing_units(criterion: Criterion, evidence: SuiteResults) -> Missing:
    """Those that the figure would change with, by learner, target and d.

    Of a figure that compares two cells only the d count that both are planned at, done or not.
    """
    planned: dict[Cell, set[int]] = defaultdict(set)
    for row in evidence.rows:
        planned[row.learner, row.target].add(row.d)
    for learner, target, d in evidence.missing:
        if d is not None:
            planned[learner, target].add(d)
    used: dict[Cell, set[int]] = defaultdict(set)
    for side in compared(criterion):
        common = set.intersection(*(planned[cell] for cell in side))
        for cell in side:
            used[cell] |= common & set(criterion.d) if criterion.d else common
    return {
        (learner, target, d): count
        for (learner, target, d), count in evidence.missing.items()
        if (learner, target) in used and (d is None or d in used[learner, target])
    }


def compared(criterion: Criterion) -> list[tuple[Cell, ...]]:
    """The cells that each figure is made of: one, or two of which it takes the d that both have."""
    quantity = QUANTITIES[criterion.quantity]
    if quantity.compares == "nothing" or not quantity.epsilons:
        return [(cell,) for cell in sorted(criterion.cells())]
    if criterion.reference is not None:
        pairs = itertools.product(criterion.learners, criterion.targets)
        return [((learner, target), (criterion.reference, target)) for learner, target in pairs]
    first, last = (target for target, _ in itertools.product(criterion.targets, criterion.epsilons))
    return [((learner, last), (learner, first)) for learner in criterion.learners]
