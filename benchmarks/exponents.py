"""The exponent of n* in d, with its interval, a bound on it, or the reason why there is neither."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from benchmarks.interval_regression import fit_interval_regression
from benchmarks.sample_complexity import Epsilon, NStar


@dataclasses.dataclass(frozen=True)
class Exponent:
    """Exponent of n* in d, a bound on it, or why there is neither.

    Attributes
    ----------
    kind : str
        "estimate": ``value`` with the interval [low, high]; "lower bound": ``low`` only;
        "unidentified": see ``reason``.
    low, high : float
        Profile-likelihood interval; infinite where the likelihood does not end on that side.
    sigma : float or None
        Standard deviation of log n* over replicates, pooled over d.
    intercept : float or None
        log n* of the fitted line at d = 1.
    dimensions : tuple of int
        Dimensions with at least one bracketed replicate.
    """

    kind: Literal["estimate", "lower bound", "unidentified"]
    value: float | None = None
    low: float = -math.inf
    high: float = math.inf
    sigma: float | None = None
    intercept: float | None = None
    dimensions: tuple[int, ...] = ()
    n_replicates: int = 0
    reason: str = ""


def exponent(stars: Sequence[NStar], confidence: float = 0.95) -> Exponent:
    """Exponent b of n* in d for one learner, target and epsilon, the replicate being the unit.

    Method: log n* = a + b log d + sigma z, z standard normal, each replicate entering as the
    interval it is known to lie in; sigma is shared by all d (interval-censored log-normal
    regression: Nelson 1982; Lawless 2003, section 6). The interval for b collects all values
    whose profile log-likelihood is within ``N log(1 + F / (N - 2)) / 2`` of the maximum, F
    the quantile of the F distribution with 1 and N - 2 degrees of freedom, N the number
    of *bracketed* replicates. For exact observations the likelihood ratio of b is that very
    function of Student's t, so the interval is then the usual t interval at every N; with
    large N the threshold tends to that of Wilks (1938).

    Where fewer than three dimensions have a bracketed replicate, there is no estimate:
    all-censored data fit any slope, and two dimensions do not show a law. If some dimension
    d1 is then out of reach for all its replicates while all those of a smaller d0 get there,
    the exponent is at least log(A(d1) / U(d0)) / log(d1 / d0), with U(d0) the largest upper
    end and A(d1) the smallest censoring point; the best pair is printed.

    Small samples: at N = 4 the threshold is 4.7 (asymptotically 1.9), intervals are wide and
    may be unbounded. Where one line meets every interval the likelihood is flat at its
    top: b is then the middle of the best-fitting lines and the interval stays as wide as
    the grid leaves it. Replicates must be independent: rows of a crossed cell, which
    share targets or samples, make the interval too narrow. The lower bound takes extreme
    ends over replicates and carries no confidence level.

    Parameters
    ----------
    stars : sequence of NStar
        Of one learner, one target and one epsilon; all d.
    """
    known = [s for s in stars if s.censoring in ("bracketed", "left", "right")]
    bracketed = [s for s in known if s.censoring == "bracketed"]
    dimensions = tuple(sorted({s.d for s in bracketed}))
    if len(dimensions) < 3:
        return _bound_or_reason(known, dimensions)

    return _estimate(known, np.log([s.d for s in known]), confidence)


def _estimate(known: Sequence[NStar], x: np.ndarray, confidence: float) -> Exponent:
    """Slope of log n* in ``x``, as ``exponent`` says."""
    bracketed = [s for s in known if s.censoring == "bracketed"]
    with np.errstate(divide="ignore"):
        lower, upper = np.log([s.lower for s in known]), np.log([s.upper for s in known])
    freedom = len(bracketed) - 2
    quantile = float(stats.f.ppf(confidence, 1, freedom))
    drop = 0.5 * len(bracketed) * math.log1p(quantile / freedom)
    fit = fit_interval_regression(x, lower, upper, drop)
    return Exponent(
        kind="estimate",
        value=fit.slope,
        low=fit.slope_low,
        high=fit.slope_high,
        # as in least squares: the maximum-likelihood sigma divides by N, not N - 2
        sigma=fit.sigma * math.sqrt(len(bracketed) / freedom),
        intercept=fit.intercept,
        dimensions=tuple(sorted({s.d for s in bracketed})),
        n_replicates=len(known),
    )


def dimension_slope(stars: Sequence[NStar], confidence: float = 0.95) -> Exponent:
    """Slope of log n* against log C(d + p, p), p the degree that epsilon asks for.

    C(d + p, p) is the dimension of the polynomials of degree p in d variables. Theory says 1 for
    rotation-invariant kernels (Ghorbani, Mei, Misiakiewicz & Montanari, Ann. Statist. 49, 2021), where the
    exponent in d only tends to p: it is 3.2 for p = 4 at d = 10.

    Method: that of ``exponent``, with each replicate at the dimension that its own target asks for.
    Where the degree is unknown, or fewer than three d have a bracketed replicate, there is no slope.
    """
    known = [s for s in stars if s.censoring in ("bracketed", "left", "right")]
    bracketed = [s for s in known if s.censoring == "bracketed"]
    dimensions = tuple(sorted({s.d for s in bracketed}))
    if any(not s.degree_needed for s in known):
        return Exponent("unidentified", reason="the degree that epsilon asks for is unknown, or 0")
    if len(dimensions) < 3:
        reason = f"bracketed at {len(dimensions)} of the 3 dimensions that an estimate needs"
        return Exponent("unidentified", dimensions=dimensions, n_replicates=len(known), reason=reason)
    sizes = np.array([math.log(math.comb(s.d + (s.degree_needed or 0), s.degree_needed or 0)) for s in known])
    return _estimate(known, sizes, confidence)


def exponents(
    stars: Iterable[NStar],
    confidence: float = 0.95,
    slope: Callable[[Sequence[NStar], float], Exponent] = exponent,
) -> dict[tuple[str, str, Epsilon], Exponent]:
    """``exponent`` (or another ``slope``) of every (target, learner, epsilon) in ``stars``."""
    groups: dict[tuple[str, str, Epsilon], list[NStar]] = defaultdict(list)
    for star in stars:
        groups[star.target, star.learner, star.epsilon].append(star)
    return {key: slope(group, confidence) for key, group in groups.items()}


def _bound_or_reason(known: Sequence[NStar], dimensions: tuple[int, ...]) -> Exponent:
    by_d: dict[int, list[NStar]] = defaultdict(list)
    for star in known:
        by_d[star.d].append(star)
    reached = {d: max(s.upper for s in cell) for d, cell in by_d.items()}
    out_of_reach = {
        d: min(s.lower for s in cell) for d, cell in by_d.items() if all(s.censoring == "right" for s in cell)
    }
    slopes = [
        math.log(out_of_reach[d1] / reached[d0]) / math.log(d1 / d0)
        for d0 in reached
        for d1 in out_of_reach
        if d0 < d1 and math.isfinite(reached[d0])
    ]
    count = len(known)
    if slopes and max(slopes) > 0:
        reason = "out of reach at larger d"
        return Exponent(
            "lower bound", low=max(slopes), dimensions=dimensions, n_replicates=count, reason=reason
        )
    if not known:
        reason = "no data"
    elif len(out_of_reach) == len(by_d):
        reason = "n* > n_max, exponent unidentified"
    elif all(s.censoring == "left" for s in known):
        reason = "n* < n_min, exponent unidentified"
    else:
        reason = f"bracketed at {len(dimensions)} of the 3 dimensions that an estimate needs"
    return Exponent("unidentified", dimensions=dimensions, n_replicates=count, reason=reason)
