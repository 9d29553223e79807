"""Which sizes a learner is run at next: where an epsilon has been passed, and nowhere else.

All sizes lie on one fine grid, low ratio^j up to high, of which an adaptive run takes a part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hierbench.benchmarks.statistics.sample_complexity import NStar, crossing

SLACK = 1.02
"""Sizes are whole numbers: a bracket this much wider than asked for is not split."""

STEEPEST = 8.0
"""No n* is taken to grow faster than this power of d from one dimension to the next."""


def on_grid(n: float, low: int, high: int, ratio: float, steps: int = 0) -> int:
    """The size of the fine grid nearest to ``n``, ``steps`` further on, within ``low`` and ``high``.

    One that is nearly ``high`` is ``high``, which need not be on the grid.
    """
    j = round(math.log(n / low) / math.log(ratio)) + steps
    size = max(round(low * ratio**j), low)
    return size if size * SLACK < high else high


def fine_grid(low: int, high: int, ratio: float) -> tuple[int, ...]:
    """All sizes of it, ``high`` included."""
    steps = math.ceil(math.log(high / low) / math.log(ratio) - 0.01)
    return tuple(sorted({on_grid(low, low, high, ratio, j) for j in range(steps)} | {high}))


def starting_sizes(expected: Iterable[float], low: int, high: int, ratio: float) -> tuple[int, ...]:
    """Of the fine grid the sizes nearest to what is expected, two at least."""
    sizes = {high if n >= high else on_grid(max(n, low), low, high, ratio) for n in expected}
    if len(sizes) == 1:
        sizes |= {on_grid(n, low, high, ratio, 1 if n < high else -1) for n in sizes}
    return tuple(sorted(sizes))


def expected(stars: Sequence[NStar], d: int, power: float) -> list[float]:
    """The n* to be expected at dimension ``d`` at every epsilon, from those at smaller d; increasing.

    The geometric mean over replicates at the largest d of ``stars`` is carried on by d^b: b is what
    the last two dimensions say, and ``power`` where there is one only. A replicate that is censored
    counts with its finite end; where all lie above their largest size, n* is expected beyond any. Empty where
    nothing is known.
    """
    dimensions = sorted({s.d for s in stars})
    logs = []
    for epsilon in {s.epsilon for s in stars}:
        means = []
        for at in dimensions[-2:]:
            here = [s for s in stars if s.d == at and s.epsilon == epsilon]
            middles = [e for s in here if (e := _middle(s)) is not None]
            if middles:
                beyond = all(s.censoring == "right" for s in here)
                means.append((at, math.inf if beyond else sum(middles) / len(middles)))
        if not means or means[-1][0] != dimensions[-1]:
            continue
        slope = power
        if len(means) == 2 and max(means[0][1], means[1][1]) < math.inf:
            slope = (means[1][1] - means[0][1]) / math.log(means[1][0] / means[0][0])
        slope = min(max(slope, 0.0), STEEPEST)
        logs.append(means[-1][1] + slope * math.log(d / dimensions[-1]))
    return sorted(math.exp(x) if x < math.inf else x for x in logs)


def _middle(star: NStar) -> float | None:
    ends = [math.log(end) for end in (star.lower, star.upper) if 0 < end < math.inf]
    return sum(ends) / len(ends) if ends else None


def next_sizes(
    measured: Sequence[tuple[int, float]],
    taken: Sequence[int],
    thresholds: Sequence[float],
    ratio: float,
    within: tuple[int, int],
    step: int = 1,
) -> tuple[int, ...]:
    """Sizes that narrow the brackets of n* of one replicate.

    Method: the bracket of n* at every threshold is that of ``sample_complexity.crossing``, so that
    the sizes are put where the statistic will look. One that is wider than ``ratio`` is split at
    the middle size of the fine grid in it; one that is open above (below) where larger (smaller)
    sizes are allowed is followed there, ``step`` sizes of the fine grid on. Brackets that several
    thresholds share are split once, and no size is asked for that nearly was taken. What is beyond
    ``within`` stays there: a learner that fails at the largest size is not run at others.

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
    within : (int, int)
        Smallest and largest size allowed.
    step : int
        1 where n* was expected; more the longer it has not been found there.

    Returns
    -------
    tuple of int
        Increasing; empty where every bracket is narrow enough, or open at an end of ``within``.
    """
    sizes, errors = [n for n, _ in measured], [error for _, error in measured]
    low, high = within
    new_sizes = set()
    for threshold in thresholds:
        lower, upper, kind = crossing(sizes, errors, threshold)
        if kind == "bracketed" and upper > SLACK * ratio * lower:
            new_sizes.add(_between(lower, upper, low, ratio))
        elif kind == "right" and max(taken) < high:
            new_sizes.add(on_grid(max(taken), low, high, ratio, step))
        elif kind == "left" and min(taken) > low:
            new_sizes.add(on_grid(min(taken), low, high, ratio, -step))
    return tuple(sorted(n for n in new_sizes if all(max(n, t) > SLACK * min(n, t) for t in taken)))


def _between(lower: float, upper: float, low: int, ratio: float) -> int:
    """The middle one of the sizes of the fine grid between two others."""
    last = math.ceil(math.log(upper / low) / math.log(ratio))
    inside = [n for j in range(last + 1) if lower * SLACK < (n := round(low * ratio**j)) * SLACK < upper]
    return inside[(len(inside) - 1) // 2] if inside else round(math.sqrt(lower * upper))
