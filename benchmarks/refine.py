"""Which sizes a learner is run at next: where an epsilon has been passed, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.sample_complexity import crossing

SLACK = 1.02
"""Sizes are whole numbers: a bracket this much wider than asked for is not split."""


def next_sizes(
    measured: Sequence[tuple[int, float]], taken: Sequence[int], thresholds: Sequence[float], ratio: float
) -> tuple[int, ...]:
    """Sizes that halve (in the logarithm) the widest brackets of n* of one replicate.

    Method: the bracket of n* at every threshold is that of ``sample_complexity.crossing``, so that
    the sizes are put where the statistic will look. One that is wider than ``ratio`` is split at
    its geometric middle; brackets that several thresholds share are split once. What is beyond an
    end of the grid stays there: a learner that fails at the largest size is not run at others.

    Parameters
    ----------
    measured : sequence of (n, error)
        Rows that count; sizes without one are in ``taken`` only, and are not asked for again.
    taken : sequence of int
        All sizes of the stages so far.
    thresholds : sequence of float
        Errors that the suite's epsilons ask for on this replicate's target.
    ratio : float
        Above 1: the width at which a bracket is narrow enough.

    Returns
    -------
    tuple of int
        Increasing; empty where every bracket is narrow enough.
    """
    sizes, errors = [n for n, _ in measured], [error for _, error in measured]
    found = set()
    for threshold in thresholds:
        lower, upper, kind = crossing(sizes, errors, threshold)
        if kind == "bracketed" and upper > SLACK * ratio * lower:
            # a step at a time of the grid asked for, so that no bracket ends narrower than need be
            steps = math.ceil(math.log(upper / (SLACK * lower)) / math.log(ratio))
            found.add(round(lower * (upper / lower) ** ((steps // 2) / steps)))
    return tuple(sorted(found - set(taken)))
