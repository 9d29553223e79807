"""Replicates of a learning curve as a median with its spread."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hierbench.plots.data import CurvePoint

QUARTILES_FROM = 8  # replicates; with fewer, quartiles are hardly more than the range


@dataclasses.dataclass(frozen=True)
class Band:
    """Median and spread over replicates on sizes that all of them cover."""

    n: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def drawable(point: CurvePoint) -> bool:
    """Whether a point has an error that a logarithmic axis can show."""
    return point.error is not None and math.isfinite(point.error) and point.error > 0


def replicates(points: Iterable[CurvePoint]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(log n, log error) of each replicate's points, sorted; for one learner and d.

    Unreliable points belong to the curve, hollow as they are: a median without them would end
    where the learner becomes good.
    """
    curves: dict[tuple[int, int, int], dict[int, float]] = defaultdict(dict)
    for p in points:
        if p.status in ("ok", "unreliable") and drawable(p):
            curves[p.replicate][p.n] = math.log(p.error or 1.0)
    return [
        (np.log(sorted(curve)), np.array([curve[n] for n in sorted(curve)]))
        for _, curve in sorted(curves.items())
    ]


def _ends(n_replicates: int) -> tuple[int, int]:
    """Percentiles that a band goes between."""
    return (25, 75) if n_replicates >= QUARTILES_FROM else (0, 100)


def band(curves: Sequence[tuple[np.ndarray, np.ndarray]], n_grid: int = 25) -> Band | None:
    """Interpolate staggered curves linearly in log-log, inside their overlap only.

    None where no size is covered by all. Extremes up to seven replicates, quartiles from eight.
    """
    curves = [c for c in curves if len(c[0]) > 1]
    if not curves:
        return None
    start, stop = max(c[0][0] for c in curves), min(c[0][-1] for c in curves)
    if start >= stop:
        return None
    grid = np.linspace(start, stop, n_grid)
    values = np.array([np.interp(grid, *c) for c in curves])
    low, high, median = np.percentile(values, [*_ends(len(curves)), 50], axis=0)
    return Band(*(np.exp(v) for v in (grid, median, low, high)))


def fixed_budgets(curves: Mapping[tuple[str, int], Sequence[tuple[np.ndarray, np.ndarray]]]) -> list[float]:
    """Sizes for the figure of error against d, in log n.

    The size that the most (learner, d) cells cover with all their replicates, the larger of
    equals; and, at least three times off, the next best, if it covers more than half as many.
    """
    spans = [
        (max(c[0][0] for c in usable), min(c[0][-1] for c in usable))
        for replicated in curves.values()
        if (usable := [c for c in replicated if len(c[0]) > 1])
    ]

    def covered(budget: float) -> int:
        return sum(start <= budget <= stop for start, stop in spans)

    ends = sorted({stop for start, stop in spans if start <= stop})
    if not ends:
        return []
    best = max(ends, key=lambda n: (covered(n), n))
    apart = [n for n in ends if abs(n - best) >= math.log(3) and covered(n) > covered(best) / 2]
    second = [max(apart, key=lambda n: (covered(n), n))] if apart else []
    return sorted([best, *second])


def at_budget(
    curves: Sequence[tuple[np.ndarray, np.ndarray]], budget: float
) -> tuple[float, float, float] | None:
    """Lower end, median and upper end of the error at log n = ``budget``.

    None unless all replicates cover it: a median over those that got there would flatter.
    """
    curves = [c for c in curves if len(c[0]) > 1]
    if not curves or not all(c[0][0] - 1e-9 <= budget <= c[0][-1] + 1e-9 for c in curves):
        return None
    return spread([math.exp(np.interp(budget, *c)) for c in curves])


def spread(errors: Sequence[float]) -> tuple[float, float, float]:
    """Lower end, median and upper end over replicates: extremes up to seven, quartiles from eight."""
    low, high, median = np.percentile(errors, [*_ends(len(errors)), 50])
    return float(low), float(median), float(high)
