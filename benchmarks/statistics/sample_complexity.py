"""The number of samples that a learner needs, n*(eps, d).

Rows go in, intervals come out: n* is never a single number, it lies between two sizes of a
grid or beyond one of its ends. Every function is self-contained and says in its docstring which
method it uses, where that is from, and how it behaves on small samples.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import scipy

from hierbench.benchmarks.suites.epsilon import EPSILONS, Epsilon
from hierbench.benchmarks.units.rows import Replicate, Row, RowStatus
from hierbench.targets.base import Certificate

Censoring = Literal["bracketed", "right", "left", "missing", "undefined"]
"""bracketed: between two sizes; right: above the largest; left: below the smallest; missing: no
ok row; undefined: an error relative to a share of variance that hardly is there. The last
two carry the interval (0, inf), which is what they say about n*."""

Certificates = Mapping[tuple[str, int, int], Certificate]
"""By target label, d and target index."""

DOUBT = 3.0
"""Standard errors that an unreliable row must be away from epsilon to count for it."""

_SMALLEST_ERROR = 1e-300  # an exact fit may print an error of 0, which has no logarithm


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
    inputs : str
        Law of the target's inputs.
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
    inputs: str = "gaussian"

    @property
    def informative(self) -> bool:
        """Whether anything is known of it: where it lies, or a bound."""
        return self.censoring in ("bracketed", "left", "right")


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
    grid, monotone = _falling(tuple(map(float, sizes)), tuple(map(float, errors)))
    # Pooling rounds: a curve that sits exactly on the threshold has reached it.
    above = monotone > math.log(threshold) + 1e-9
    if above.all():
        return float(grid[-1]), math.inf, "right"
    if not above.any():
        return 0.0, float(grid[0]), "left"
    first_below = int(np.argmin(above))
    return float(grid[first_below - 1]), float(grid[first_below]), "bracketed"


@functools.lru_cache(maxsize=4096)
def _falling(sizes: tuple[float, ...], errors: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Sizes, increasing, and the non-increasing log errors there; kept, as many thresholds ask."""
    log_errors = np.log(np.maximum(np.asarray(errors, dtype=float), _SMALLEST_ERROR))
    grid, where, counts = np.unique(np.asarray(sizes, dtype=float), return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=log_errors) / counts
    return grid, scipy.optimize.isotonic_regression(means, weights=counts, increasing=False).x


def decides(row: Row, threshold: float) -> bool:
    """Whether a row's test error says on which side of ``threshold`` it lies."""
    if row.error is None or not math.isfinite(row.error):
        return False
    if row.status == RowStatus.UNRELIABLE:
        return row.error_se is not None and abs(row.error - threshold) > DOUBT * row.error_se
    return row.status == RowStatus.OK


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
        replicate = row.replicate
        curves[row.target, row.learner, row.d, replicate].append(row)

    stars = []
    for target, learner, d, replicate in sorted(curves):
        curve = curves[target, learner, d, replicate]
        certificate = certificates.get((target, d, replicate.target))
        inputs = certificate.inputs if certificate is not None else "gaussian"
        for epsilon in epsilons:
            threshold = epsilon.threshold(certificate)
            interval: tuple[float, float, Censoring] = (0.0, math.inf, "undefined")
            if threshold is not None:
                points = [(row.n, row.error) for row in curve if decides(row, threshold)]
                interval = crossing([n for n, _ in points], [error or 0.0 for _, error in points], threshold)
            degree = None
            if certificate is not None and threshold is not None and not certificate.classes:
                degree = certificate.degree_needed(threshold)
            stars.append(NStar(learner, target, d, replicate, epsilon, *interval, threshold, degree, inputs))
    return stars


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
        informative = [s for s in cell if s.informative]
        kinds = {s.censoring for s in informative}
        value: float | None = None
        low, high = 0.0, math.inf
        censoring: Censoring = "undefined" if cell[0].censoring == "undefined" else "missing"
        if informative:
            low, high = min(s.lower for s in informative), max(s.upper for s in informative)
            censoring = "right" if "right" in kinds else "left" if "left" in kinds else "bracketed"
            if not {"left", "right"} <= kinds:
                value = math.exp(sum(_log_position(s) for s in informative) / len(informative))
        n_censored = sum(s.censoring != "bracketed" for s in informative)
        summaries.append(
            Summary(learner, target, d, epsilon, value, low, high, censoring, len(informative), n_censored)
        )
    return summaries


def _log_position(star: NStar) -> float:
    """Log of the middle of an interval, or of its finite end."""
    ends = [math.log(end) for end in (star.lower, star.upper) if 0 < end < math.inf]
    return sum(ends) / len(ends)
