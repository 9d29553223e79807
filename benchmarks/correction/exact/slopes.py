"""Powers of alpha: slopes of log error in log alpha, with intervals over replicated targets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy

from hierbench.errors import UserError, unknown

if TYPE_CHECKING:
    from hierbench.benchmarks.correction.exact.rounds import TraceRecord

ROUNDING = 1e-13
"""An amplitude below this is rounding, and says nothing about a power of alpha."""


@dataclasses.dataclass(frozen=True)
class Slope:
    """Slope of log error in log alpha.

    Attributes
    ----------
    round, level : int
    value : float
        Mean over the targets; NaN where fewer than two alphas are above rounding on any of them.
    low, high : float
        95 % interval of the mean over targets (Student's t); NaN for a single target.
    n_targets, n_alphas : int
        Targets, and the alphas used of the one that has fewest.
    """

    round: int
    level: int
    value: float
    low: float
    high: float
    n_targets: int
    n_alphas: int


def loglog_slope(
    alphas: Sequence[float], errors: Sequence[float], floor: float = ROUNDING
) -> tuple[float, int]:
    """Least-squares slope over the points above ``floor``, and their number."""
    used = [(math.log(a), math.log(e)) for a, e in zip(alphas, errors, strict=True) if e > floor]
    if len(used) < 2:
        return math.nan, len(used)
    x, y = np.array(used).T
    return float(scipy.stats.linregress(x, y).slope), len(used)


def slopes(
    traces: Sequence[Sequence[TraceRecord]], level: int, stage: str = "lower", quantity: str = "angle"
) -> list[Slope]:
    """Slopes of one quantity of one level in alpha, round by round.

    Parameters
    ----------
    traces : sequence of sequences of TraceRecord
        One for each target (replicate), all of one variant.
    level : int
    stage : {"lower", "upper"}
    quantity : {"angle", "feature_error", "relative_mse"}
        The last is a square: its slope is twice that of an amplitude.

    Raises
    ------
    UserError
        An unknown quantity, or no record of that level and stage.
    """
    quantities = ("angle", "feature_error", "relative_mse")
    if quantity not in quantities:
        raise UserError(unknown("quantity of the slopes", quantity, quantities))
    floor = ROUNDING**2 if quantity == "relative_mse" else ROUNDING
    chosen = [[r for r in records if r.level == level and r.stage == stage] for records in traces]
    rounds = sorted({r.round for records in chosen for r in records})
    if not rounds:
        raise UserError(f"no record of level {level} in stage {stage!r}")
    per_round = []
    for number in rounds:
        values, counts = [], []
        for records in chosen:
            here = [r for r in records if r.round == number]
            value, n = loglog_slope([r.alpha for r in here], [getattr(r, quantity) for r in here], floor)
            values.append(value)
            counts.append(n)
        per_round.append(Slope(number, level, *_interval(values), len(values), min(counts)))
    return per_round


def contractions(records: Sequence[TraceRecord], level: int, stage: str = "lower") -> dict[float, float]:
    """Factor by which the last round before rounding shrank the angle of a level, for each alpha.

    Below 1 the rounds converge; alphas with fewer than two angles above rounding are left out.
    """
    factors = {}
    for alpha in dict.fromkeys(r.alpha for r in records):
        here = [r for r in records if (r.alpha, r.level, r.stage) == (alpha, level, stage)]
        angles = [r.angle for r in sorted(here, key=lambda r: r.round) if r.angle > ROUNDING]
        if len(angles) > 1:
            factors[alpha] = angles[-1] / angles[-2]
    return factors


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) < 2 or math.isnan(mean):
        return mean, math.nan, math.nan
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half
