"""Which law n* follows as d grows: power, quasi-polynomial or exponential.

The laws are compared by what they say of the largest dimension from the smaller ones: inside
the range that was fitted all three look alike, and what is asked is how they go on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from hierbench.benchmarks.statistics.interval_regression import fit_interval_regression, log_probability
from hierbench.benchmarks.statistics.sample_complexity import NStar

Law = Literal["power", "quasi-polynomial", "exponential"]

LAWS: dict[Law, Callable[[np.ndarray], np.ndarray]] = {
    "power": lambda d: np.log(d),
    "quasi-polynomial": lambda d: np.log(d) ** 2,
    "exponential": lambda d: d,
}
"""log n* = a + b g(d): g of each law."""

DECISIVE = math.log(20.0)
"""By how much the log score of one law must exceed all others: twenty to one."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


@dataclasses.dataclass(frozen=True)
class Growth:
    """What the held-out dimension says.

    Attributes
    ----------
    law : str or None
        The law that predicted best, where it did so decisively; None is "undecided".
    scores : mapping of str to float
        Log probability that each law gave to the n* of the largest dimension; empty where there
        was nothing to fit.
    held_out : int or None
        That dimension.
    reason : str
        Why there is no law.
    """

    law: Law | None
    scores: dict[Law, float]
    held_out: int | None
    reason: str = ""


def growth(stars: Sequence[NStar]) -> Growth:
    """Compare the laws for one learner, target and epsilon.

    Method: each law is fitted to all dimensions but the largest at which n* is known
    (interval-censored log-normal regression) and scored by the probability
    it gives to what was measured there, replicate by replicate: an interval, or a bound. The error
    of the fitted line at the held-out dimension, the same for all its replicates, is integrated
    over (normal, with the standard error of least squares). A law is decided on where its score
    exceeds those of the others by log 20 at least.

    Small samples: it needs three dimensions with a bracketed replicate besides the one held
    out; the fewer, the wider the prediction and the more often nothing is decided. Where d
    spans less than a factor of about three the laws hardly differ.
    """
    informative = [s for s in stars if s.informative]
    bounded = sorted({s.d for s in informative if s.censoring == "bracketed"})
    if not informative or len(bounded) < 3:
        return Growth(None, {}, None, f"n* is bracketed at {len(bounded)} dimensions, 4 are needed")
    held = max(s.d for s in informative)
    fitted, left_out = [s for s in informative if s.d < held], [s for s in informative if s.d == held]
    inside = [d for d in bounded if d < held]
    if len(inside) < 3:
        return Growth(
            None, {}, held, f"n* is bracketed at {len(inside)} dimensions below d = {held}, 3 are needed"
        )
    scores = {law: _score(g, fitted, left_out) for law, g in LAWS.items()}
    first, second = sorted(scores, key=lambda law: -scores[law])[:2]
    if scores[first] - scores[second] < DECISIVE:
        return Growth(None, scores, held, f"{first} and {second} predict d = {held} about as well")
    return Growth(first, scores, held)


def _score(g: Callable[[np.ndarray], np.ndarray], fitted: Sequence[NStar], held: Sequence[NStar]) -> float:
    """Log predictive probability of the held-out intervals."""
    x, lower, upper = _intervals(g, fitted)
    fit = fit_interval_regression(x, lower, upper)
    bracketed = np.isfinite(lower) & np.isfinite(upper)
    count = int(bracketed.sum())
    sigma = fit.sigma * math.sqrt(count / max(count - 2, 1))
    spread = x[bracketed] - x[bracketed].mean()
    x0, low, high = _intervals(g, held)
    error = sigma * math.sqrt(1 / count + (x0[0] - x[bracketed].mean()) ** 2 / float(spread @ spread))
    centres = fit.intercept + fit.slope * x0[0] + error * _NODES
    log_p = np.array(
        [log_probability((low - c) / sigma, (high - c) / sigma)[0].sum() for c in centres]
    ) + np.log(_WEIGHTS / _WEIGHTS.sum())
    top = float(log_p.max())
    return top + math.log(float(np.exp(log_p - top).sum()))


def _intervals(
    g: Callable[[np.ndarray], np.ndarray], stars: Sequence[NStar]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = g(np.array([float(s.d) for s in stars]))
    with np.errstate(divide="ignore"):
        return x, np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
