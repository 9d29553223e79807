"""The number of samples that a learner needs, n*(eps, d), and its exponent in d.

Rows go in, intervals come out: n* is never a single number, it lies between two sizes of a
grid or beyond one of its ends. Every function is self-contained and says in its docstring which
method it uses, where that is from, and how it behaves on small samples.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from benchmarks.interval_regression import fit_interval_regression
from benchmarks.rows import Replicate, Row
from targets.base import Certificate

Censoring = Literal["bracketed", "right", "left", "missing", "undefined"]
"""bracketed: between two sizes; right: above the largest; left: below the smallest; missing: no
ok row; undefined: eps_rel of a target with no variance above half its top degree. The last
two carry the interval (0, inf), which is what they say about n*."""

Certificates = Mapping[tuple[str, int, int], Certificate]
"""By target label, d and target index."""

DOUBT = 3.0
"""Standard errors that an unreliable row must be away from epsilon to count for it."""

_SMALLEST_ERROR = 1e-300  # an exact fit may print an error of 0, which has no logarithm


@dataclasses.dataclass(frozen=True, order=True)
class Epsilon:
    """An error to be reached: a relative MSE (a rate of misclassification, where that is the
    metric), or the MSE over the share of variance above half the top degree (``relative``), which
    no low-degree approximation can reach."""

    value: float
    relative: bool = False

    @property
    def label(self) -> str:
        return f"{'eps_rel' if self.relative else 'eps'} = {self.value:g}"

    def threshold(self, certificate: Certificate | None) -> float | None:
        """Error asked for; None where it is undefined (classification too) or its certificate missing."""
        if not self.relative:
            return self.value
        share = None if certificate is None or certificate.classes else certificate.top_half_share()
        return None if share is None else self.value * share


EPSILONS = (
    *(Epsilon(value) for value in (0.3, 0.1, 0.03, 0.01)),
    *(Epsilon(value, relative=True) for value in (0.5, 0.1, 0.01)),
)


@dataclasses.dataclass(frozen=True)
class NStar:
    """n*(eps) of one replicate: ``lower < n* <= upper``.

    Attributes
    ----------
    threshold : float or None
        Error that epsilon asks for on this replicate's target.
    degree_needed : int or None
        Smallest degree whose best approximation reaches it; None without a certificate, and in
        classification, where shares of variance do not say.
    """

    learner: str
    target: str
    d: int
    replicate: Replicate
    epsilon: Epsilon
    lower: float
    upper: float
    censoring: Censoring
    threshold: float | None
    degree_needed: int | None


@dataclasses.dataclass(frozen=True)
class Summary:
    """n* over the replicates of one learner, target, d and epsilon.

    ``value`` is the geometric mean, and a bound on it where ``censoring`` is "right" (it is at
    least that) or "left" (at most). None where replicates are censored on both sides, or
    nothing is known. ``low`` and ``high`` are the smallest lower and the largest upper end.
    """

    learner: str
    target: str
    d: int
    epsilon: Epsilon
    value: float | None
    low: float
    high: float
    censoring: Censoring
    n_replicates: int
    n_censored: int


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


def crossing(
    sizes: Sequence[float], errors: Sequence[float], threshold: float
) -> tuple[float, float, Censoring]:
    """Interval of the size at which a learning curve falls to ``threshold``.

    Method: least-squares non-increasing regression of log error on size (pool adjacent
    violators; Barlow, Bartholomew, Bremner & Brunk 1972), then the last size above the
    threshold and the first at or below it. Between two such sizes nothing was measured and
    nothing is interpolated, so that the width is that of the grid, never zero.

    Small samples: with one size every curve is censored. A single bad run among good ones is
    pooled with its neighbours, in the geometric mean; one at the end of the grid pulls down
    the sizes before it and can leave the curve right-censored.

    Parameters
    ----------
    sizes, errors : sequences of float, shape (m,)
        In any order; equal sizes are averaged in the logarithm.

    Returns
    -------
    lower, upper : float
        ``lower < n* <= upper``; 0 or infinity at the ends of the grid.
    censoring : str
    """
    if not len(sizes):
        return 0.0, math.inf, "missing"
    log_errors = np.log(np.maximum(np.asarray(errors, dtype=float), _SMALLEST_ERROR))
    grid = np.unique(np.asarray(sizes, dtype=float))
    monotone = IsotonicRegression(increasing=False).fit(sizes, log_errors).predict(grid)
    # Pooling rounds: a curve that sits exactly on the threshold has reached it.
    above = monotone > math.log(threshold) + 1e-9
    if above.all():
        return float(grid[-1]), math.inf, "right"
    if not above.any():
        return 0.0, float(grid[0]), "left"
    first_below = int(np.argmin(above))
    return float(grid[first_below - 1]), float(grid[first_below]), "bracketed"


def decides(row: Row, threshold: float) -> bool:
    """Whether a row's test error says on which side of ``threshold`` it lies."""
    if row.error is None or not math.isfinite(row.error):
        return False
    if row.status == "unreliable":
        return row.error_se is not None and abs(row.error - threshold) > DOUBT * row.error_se
    return row.status == "ok"


def n_stars(
    rows: Iterable[Row], certificates: Certificates, epsilons: Sequence[Epsilon] = EPSILONS
) -> list[NStar]:
    """n* of every curve in ``rows`` at every epsilon; one curve is one replicate.

    ``ok`` rows enter (see ``crossing``), and those ``unreliable`` rows of which it is beyond
    doubt on which side of epsilon they lie: leaving them out as well would censor the curve of
    a good learner just where it has become good, since the smaller the error, the larger the
    share that a few points carry. Sizes left out widen the interval, or censor it
    earlier; a curve without any such row is "missing". Leaving out diverged rows
    is *not* harmless censoring: a learner that often diverges looks better here than it
    is, so whoever prints n* prints the counts beside it.

    Returns
    -------
    list of NStar
        Sorted by target, learner, d, replicate, then in the order of ``epsilons``.
    """
    curves: dict[tuple[str, str, int, Replicate], list[Row]] = defaultdict(list)
    for row in rows:
        replicate = Replicate(row.target_index, row.sample_index, row.init_index)
        curves[row.target, row.learner, row.d, replicate].append(row)

    found = []
    for target, learner, d, replicate in sorted(curves):
        curve = curves[target, learner, d, replicate]
        certificate = certificates.get((target, d, replicate.target))
        for epsilon in epsilons:
            threshold = epsilon.threshold(certificate)
            interval: tuple[float, float, Censoring] = (0.0, math.inf, "undefined")
            if threshold is not None:
                points = [(row.n, row.error) for row in curve if decides(row, threshold)]
                interval = crossing([n for n, _ in points], [error or 0.0 for _, error in points], threshold)
            degree = None
            if certificate is not None and threshold is not None and not certificate.classes:
                degree = certificate.degree_needed(threshold)
            found.append(NStar(learner, target, d, replicate, epsilon, *interval, threshold, degree))
    return found


def summarise(stars: Iterable[NStar]) -> list[Summary]:
    """Geometric mean of n* over replicates, with the bracket [min lower, max upper].

    Method: bracketed replicates enter at the geometric middle of their interval,
    right-censored ones at their lower end (the result is then a lower bound: "right"),
    left-censored ones at their upper end (an upper bound: "left"). Replicates that are
    missing or undefined do not enter.

    Small samples: the bracket is a range, not a confidence interval: it grows with the
    number of replicates and does not shrink below the spacing of the grid.
    """
    cells: dict[tuple[str, str, int, Epsilon], list[NStar]] = defaultdict(list)
    for star in stars:
        cells[star.target, star.learner, star.d, star.epsilon].append(star)

    summaries = []
    for (target, learner, d, epsilon), cell in cells.items():
        known = [s for s in cell if s.censoring in ("bracketed", "left", "right")]
        kinds = {s.censoring for s in known}
        value: float | None = None
        low, high = 0.0, math.inf
        censoring: Censoring = "undefined" if cell[0].censoring == "undefined" else "missing"
        if known:
            low, high = min(s.lower for s in known), max(s.upper for s in known)
            censoring = "right" if "right" in kinds else "left" if "left" in kinds else "bracketed"
            if not {"left", "right"} <= kinds:
                value = math.exp(sum(_log_position(s) for s in known) / len(known))
        n_censored = sum(s.censoring != "bracketed" for s in known)
        summaries.append(
            Summary(learner, target, d, epsilon, value, low, high, censoring, len(known), n_censored)
        )
    return summaries


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


def _log_position(star: NStar) -> float:
    """log of the middle of an interval, or of its finite end."""
    ends = [math.log(end) for end in (star.lower, star.upper) if 0 < end < math.inf]
    return sum(ends) / len(ends)


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
