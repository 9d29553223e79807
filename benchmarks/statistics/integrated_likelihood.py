"""Slope of a line through observations that are only known to lie in intervals, by integration."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import scipy

FLOOR = 0.05  # of the narrowest interval: what sigma is below does not show
_DROP = 14.0  # log-likelihood below its top at which the grid ends
_SEARCH, _FINAL, _FEW = (9, 11, 9), (17, 25, 17), (17, 33, 41)  # few observations: heavy tails
_FINE = 201


@dataclasses.dataclass(frozen=True)
class SlopeInterval:
    """Median and equal-tailed interval of the slope; intercept and sigma of the line."""

    slope: float
    low: float
    high: float
    intercept: float
    sigma: float


def slope_interval(
    x: np.ndarray, lower: np.ndarray, upper: np.ndarray, confidence: float = 0.95
) -> SlopeInterval:
    """Slope b of y = a + b x + sigma z, z standard normal, y known to lie in (lower, upper].

    Method: the likelihood is integrated over a and sigma (Berger, Liseo & Wolpert, Statist. Sci. 14, 1999),
    and the interval cuts the same share off either end of what is left as a function of b. The prior is
    flat in a and b, and that of sigma makes coverage right to second order:
    ``grouped_information.log_matching_prior``. For exact observations it is dsigma / sigma, and the interval
    Student's t with N - 2 degrees of freedom; below the width of the intervals it is flat in sigma,
    where dsigma / sigma would put all its mass on a scatter of nothing as soon as some line meets
    every interval. Where the intervals are wide against sigma a whole set of lines meets them all; a
    maximised likelihood is flat over it and its interval is the whole set or more, which covers
    the truth nearly always; the integral weighs a slope by how many lines of it meet the intervals.

    Small samples: both ends are finite from three intervals at two different x on. Coverage is measured in
    docs/coverage.md. A handful of intervals that some line meets cannot tell a scatter of a tenth of their
    width from one of a half: where it is the smaller, the interval holds the truth more often than it says.

    Numerically: on a grid in a, b and log sigma, the first two in units of sigma and the intervals' width
    together, narrowed to where the likelihood is within ``_DROP`` of its top. Sigma below a twentieth of
    the narrowest interval counts as that, with all the prior's mass below. The sigma that is returned is
    its median, times what makes that sqrt(RSS / (N - 2)) for exact observations.

    Parameters
    ----------
    x, lower, upper : arrays, shape (N,)
        ``lower`` may be -inf and ``upper`` inf.
    confidence : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        Fewer than three intervals with two finite ends, or all of them at one x.
    """
    bounded = np.isfinite(lower) & np.isfinite(upper)
    inside = x[bounded]
    if len(inside) < 3 or np.ptp(inside) == 0:
        raise ValueError(f"{len(inside)} bounded intervals at {len(set(inside))} x: 3 at 2 are needed")
    centre = float(inside.mean())
    shifted, moved = x - centre, inside - centre
    widths, middle = (upper - lower)[bounded], (upper + lower)[bounded] / 2
    spread = float(moved @ moved)
    start = np.array([middle.mean(), moved @ middle / spread])
    rest = middle - start[0] - start[1] * moved
    blur = float(widths.mean()) / math.sqrt(12)  # what sigma cannot do, intervals can
    least = math.log(FLOOR * float(widths.min()))
    top = max(0.5 * math.log(float(rest @ rest) / (len(inside) - 2) + blur**2), least + 1)
    reach = max(4.0, (_DROP + 4) / (len(inside) - 2))  # the tail in log sigma falls like (2 - N) log sigma
    unit = np.array([1 / math.sqrt(len(inside)), 1 / math.sqrt(spread)])
    low, high = np.array([-40.0, -40.0, least]), np.array([40.0, 40.0, top + reach])
    shear = 0.0

    final = _FINAL if len(inside) >= 8 else _FEW
    for shape in (*[_SEARCH] * 5, final):
        axes = [np.linspace(first, last, count) for first, last, count in zip(low, high, shape, strict=True)]
        alpha, beta, log_sigma = np.meshgrid(*axes, indexing="ij")
        scale = np.hypot(np.exp(log_sigma), blur)
        a = start[0] + (alpha + shear * beta) * scale * unit[0]
        b = start[1] + beta * scale * unit[1]
        value = _log_likelihood(a, b, log_sigma, shifted, lower, upper) + 2 * np.log(scale)
        value += log_matching_prior(axes[2], widths)
        if shape == final:
            break
        keep = value > value.max() - _DROP
        weight = np.exp(np.maximum(value - value.max(), -60.0) / 3)  # of a wider density: it leans alike
        mean = [float(np.average(v, weights=weight)) for v in (alpha, beta)]
        lean = float(
            (weight * (alpha - mean[0]) * (beta - mean[1])).sum()
            / max((weight * (beta - mean[1]) ** 2).sum(), 1e-12)
        )
        if keep.sum() < 30:
            lean = 0.0
        cell = np.array([axis[1] - axis[0] for axis in axes])
        coordinates = [v[keep] for v in (alpha - lean * beta, beta, log_sigma)]
        low = np.array([v.min() for v in coordinates]) - cell
        high = np.array([v.max() for v in coordinates]) + cell
        low[2] = max(low[2], least)
        shear += lean

    mass = np.exp(value - value.max())
    below = mass[:, :, 0] / (axes[2][1] - axes[2][0]) if low[2] == least else 0.0  # density flat in sigma
    mass[:, :, [0, -1]] /= 2
    mass[:, :, 0] += below
    freedom = len(inside) - 2
    cumulative = np.cumsum(mass.sum((0, 1)))
    cumulative -= mass.sum((0, 1)) / 2
    median = float(np.interp(cumulative[-1] / 2, cumulative, axes[2]))
    sigma = math.exp(median) * math.sqrt(float(scipy.stats.chi2.median(freedom)) / freedom)
    precise = mass * np.exp(-2 * log_sigma)  # a mean of the level that exists from N = 3 on
    level = float((precise * a).sum() / precise.sum())
    tail = (1 - confidence) / 2
    first, slope, last = _quantiles(mass.sum(0), axes[1], b[0], np.array([tail, 0.5, 1 - tail]))
    return SlopeInterval(slope, first, last, level - slope * centre, sigma)


def _log_likelihood(
    a: np.ndarray, b: np.ndarray, log_sigma: np.ndarray, x: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """At each line."""
    total = np.zeros(a.shape)
    per_sigma = np.exp(-log_sigma)
    for x_i, lower_i, upper_i in zip(x, lower, upper, strict=True):
        total += log_probability_of(lower_i, upper_i, a + b * x_i, per_sigma)
    return total


def log_probability_of(
    lower: float, upper: float, mean: np.ndarray, per_sigma: np.ndarray | float
) -> np.ndarray:
    """Log of the normal probability of (lower, upper] for every mean, ``per_sigma`` being 1 / sigma."""
    ndtr = scipy.special.ndtr
    low, high = (lower - mean) * per_sigma, (upper - mean) * per_sigma
    if math.isinf(upper):
        p = ndtr(-low)
    elif math.isinf(lower):
        p = ndtr(high)
    else:
        np.negative(high, out=high, where=low > 0)  # from the upper tail, where Phi loses its digits
        p = np.abs(ndtr(high) - ndtr(-np.abs(low)))
    probability: np.ndarray = np.log(np.maximum(p, 1e-290))
    return probability


def _quantiles(mass: np.ndarray, beta: np.ndarray, b: np.ndarray, shares: np.ndarray) -> list[float]:
    """Of the slope; ``mass`` and ``b`` are (beta, log sigma) arrays, b linear in beta for each sigma."""
    fine = np.linspace(beta[0], beta[-1], _FINE)
    density = np.maximum(scipy.interpolate.CubicSpline(beta, mass)(fine), 0.0)
    part = (fine - beta[0]) / (beta[-1] - beta[0])
    where = b[0] + part[:, None] * (b[-1] - b[0])
    order = np.argsort(where, axis=None)
    cumulative = np.cumsum(density.ravel()[order])
    cumulative = (cumulative - density.ravel()[order] / 2) / cumulative[-1]
    return [float(v) for v in np.interp(shares, cumulative, where.ravel()[order])]


_OFFSETS = 200
_TABLE = np.geomspace(0.1, 4.0, 160)
_VANISHING = 1e-14  # probability of a cell below which it adds nothing that float64 can hold


def kept_information(sigma: float) -> float:
    """Share of the Fisher information about the mean of a normal variable that cells of width 1 keep.

    The variable has standard deviation ``sigma`` and is seen as the cell it falls into; where the cells
    begin is uniform. With p(cell) = Phi(z_2) - Phi(z_1) the share is the mean over that beginning of
    sum over cells of (phi(z_2) - phi(z_1))^2 / p. It is 1.806 sigma where sigma is small (only what is
    within sigma of an end says more than the cell), and sigma^2 / (sigma^2 + 1/12) where it is not
    (Sheppard's correction).

    Parameters
    ----------
    sigma : float
        Above 0, in widths of a cell. The sum is taken as far as nine of it.
    """
    ndtr = scipy.special.ndtr
    begin = (np.arange(_OFFSETS) + 0.5) / _OFFSETS
    far = math.ceil(9 * sigma) + 2
    z = (np.arange(-far, far + 2)[:, None] - begin) / sigma
    p = np.where(
        z[:-1] > 0,
        ndtr(-z[:-1]) - ndtr(-z[1:]),
        ndtr(z[1:]) - ndtr(z[:-1]),
    )
    rise = np.diff(np.exp(-(z**2) / 2), axis=0) / math.sqrt(2 * math.pi)
    counts = p > _VANISHING
    return float(np.where(counts, rise**2 / np.where(counts, p, 1.0), 0.0).sum(0).mean())


def log_matching_prior(log_sigma: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Log of the prior density of log sigma under which intervals of a line's slope hold the truth.

    Method: the observations are y = a + b x + sigma z, each seen as a cell of its ``widths``, where cells
    begin being uniform. Nothing then depends on a or b: they are orthogonal to sigma, and any
    prior da db g(sigma) matches posterior and coverage of b to first order (Tibshirani, Biometrika 76,
    1989). To second order g must make g L / (I_b I_sigma) constant, I the information and
    L the mean of d^3 log p / db^2 dsigma (Mukerjee & Dey, Biometrika 80, 1993, for I_b^(1/2) times our g
    over it). As p solves the heat equation and integrates over the beginning of the cells, L is
    I_sigma / sigma at every width, so that g = sigma I_b: dsigma / sigma times the share of the
    information that grouping keeps, averaged over the observations.

    Exact observations keep all: dsigma / sigma, whose interval is Student's t. Scatter well below the width
    gets a constant density in sigma, so that the prior holds a finite mass at 0 and no smallest
    sigma is needed.

    Parameters
    ----------
    log_sigma : array
    widths : array, shape (N,)
        Of the intervals with two finite ends.

    Returns
    -------
    array, shape of ``log_sigma``
        Not normalised; 0 where sigma is far above all widths.
    """
    s = np.exp(np.asarray(log_sigma)[..., None]) / np.asarray(widths)
    share = np.interp(s, _TABLE, _table())
    share = np.where(s < _TABLE[0], s * (_table()[0] / _TABLE[0]), share)
    share = np.where(s > _TABLE[-1], s**2 / (s**2 + 1 / 12), share)
    return np.log(share.mean(-1))


@functools.cache
def _table() -> np.ndarray:
    return np.array([kept_information(float(s)) for s in _TABLE])
