"""How far the interval of a slope reaches where observations of one group scatter together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import scipy

from hierbench.benchmarks.statistics.integrated_likelihood import (
    FLOOR,
    SlopeInterval,
    log_matching_prior,
    log_probability_of,
)

NO_SHOCK, NO_SHARED_SLOPE = 0.4, 0.7
"""Prior probability that groups do not scatter, of shocks where four groups of four observations could show
them, of slopes where replicates have four x; it falls with more: settled by simulation, docs/coverage.md."""
_FALLS = 0.6, 0.1
"""Powers with which it falls in the x, and of shocks in the observations at each."""
_CUT = 30.0
_SMALLEST = 0.1
"""Scatter of groups in units of what a group's mean is off by itself: where the prior ends, and begins."""
_TINY = 1e-15
_REACH = 7.0
"""Standard deviations that a grid reaches to either side."""


_LARGEST_OF_LEVELS, _LARGEST_OF_SLOPES = 40.0, 8.0
_RATIOS, _FEW_RATIOS, _SIGMAS, _FIRST_SIGMAS = 14, 3, 7, 9
_FINER = 12
_LONGER = 1.2
"""Length of a transform over what its width asks for: the next widths use it as well."""
_COARSER = 2.0
"""Steps of the first grids, which tell the sigmas that matter, over those of the others."""
_FACTORS = 16
"""Likelihoods, none below ``_TINY``, whose product does not underflow."""
_BRACKETS = 4
"""Times that a quantile is narrowed to 1 / 64."""
_DROP = 6.0
"""Log-likelihood below the top beyond which a sigma is left out."""


@dataclasses.dataclass(frozen=True)
class Reach:
    """Quantiles of the slope with groups that may scatter."""

    low: float
    high: float

    def added(self, plain: SlopeInterval) -> np.ndarray:
        """Return what the scatter adds to the squared half-lengths of the plain interval."""
        with_ = np.array([plain.slope - self.low, self.high - plain.slope])
        without = np.array([plain.slope - plain.low, plain.high - plain.slope])
        return np.maximum(np.sign(with_) * with_**2 - without**2, 0.0)


@dataclasses.dataclass(frozen=True)
class Observations:
    """Intervals (lower, upper] at ``x``, each of a group; x is taken from a centre."""

    x: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    group: np.ndarray

    def of_groups(self) -> Iterator[Observations]:
        """Return the observations of each group."""
        for g in np.unique(self.group):
            here = self.group == g
            yield Observations(*(v[here] for v in (self.x, self.lower, self.upper, self.group)))

    @property
    def bounded(self) -> np.ndarray:
        """Which have two finite ends."""
        return np.isfinite(self.lower) & np.isfinite(self.upper)

    def deviation(self, fit: SlopeInterval, *, slope: bool = False) -> tuple[float, float, int]:
        """How far the group's level, or its slope, is off the line, and what it leaves.

        Middles of intervals stand for the observations: the first number, the sum of squares of what the
        group's own line leaves of them, and their count less one.
        """
        here = self.bounded
        x, widths = self.x[here], (self.upper - self.lower)[here]
        y = (self.lower + self.upper)[here] / 2 - fit.intercept - fit.slope * x
        along = x if slope else np.ones(len(x))
        information = float(along @ along)
        if information == 0.0:
            return 0.0, 0.0, 0
        off = float(along @ y) / information
        rest = y - off * along
        return off * math.sqrt(information), float(rest @ rest + (widths @ widths) / 12), len(x) - 1

    def log_likelihoods(self, centre: np.ndarray, slope: np.ndarray | float, sigma: float) -> np.ndarray:
        """Sum over the observations of each group at lines of this height at x = 0 and this slope.

        Equal observations, of whichever groups, are computed once: replicates share the sizes of a plan.
        """
        cells, which = np.unique([self.x, self.lower, self.upper], axis=1, return_inverse=True)
        names, group = np.unique(self.group, return_inverse=True)
        total = np.zeros((len(names), *np.broadcast_shapes(np.shape(centre), np.shape(slope))))
        for cell, (x, lower, upper) in enumerate(cells.T):
            one = log_probability_of(lower, upper, centre + slope * x, 1.0 / sigma)
            for g in group[which.ravel() == cell]:
                total[g] += one
        return total


def widened(
    x: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    replicates: np.ndarray,
    fit: SlopeInterval,
    confidence: float,
    levels: np.ndarray | None = None,
) -> tuple[float, float]:
    """Ends of the interval of ``fit`` where observations at one x, or of one replicate, may scatter together.

    Method: to the squared half-lengths of the interval is added what a model with scatter over x does, or one
    with scatter over replicates, whichever is more: each takes a part of the other's scatter for its own.
    Where no kind is present they are about what they were, since the prior puts a part of its mass on
    that; where one is, they tend to Student's t over as many means as there are x, or slopes as there are
    replicates. Models that hold one kind of scatter at a time factor over groups, and are integrated
    without sampling; one with both does not.

    Small samples: a scatter over x is looked for from three x on, where one degree of freedom is left to
    see it, and two observations at one of them; a slope that replicates have to themselves from three
    replicates on that have two x or more.

    Parameters
    ----------
    x, lower, upper : arrays, shape (N,)
        As for ``slope_interval``, of which ``fit`` is the result.
    replicates : array of int, shape (N,)
    levels : array of int, shape (N,), optional
        Which observations may share a level, all at one x; by default those at one x.
    """
    tail = (1 - confidence) / 2
    bounded = np.isfinite(lower) & np.isfinite(upper)
    groups = x if levels is None else levels
    centre = float(x[bounded].mean())
    at_centre = dataclasses.replace(fit, intercept=fit.intercept + fit.slope * centre)
    squares, added = np.array([fit.slope - fit.low, fit.high - fit.slope]) ** 2, np.zeros(2)
    _, counts = np.unique(groups[bounded], return_counts=True)
    if len(counts) >= 3 and counts.max() > 1:
        data = Observations(x - centre, lower, upper, groups)
        added = np.maximum(added, with_shared_levels(data, at_centre, tail).added(fit))
    own = [r for r in np.unique(replicates) if len(np.unique(x[bounded & (replicates == r)])) > 1]
    if len(own) >= 3:
        data = Observations(x - centre, lower, upper, replicates)
        added = np.maximum(added, with_shared_slopes(data, at_centre, tail).added(fit))
    low, high = np.sqrt(squares + added)
    return fit.slope - float(low), fit.slope + float(high)


def no_shock(groups: int, observations: float) -> float:
    """Prior probability that so many groups of so many observations have no shocks in common."""
    of_groups, of_observations = _FALLS
    return NO_SHOCK * min((4 / groups) ** of_groups * (4 / observations) ** of_observations, 1.0)


def no_shared_slope(places: float) -> float:
    """Prior probability that replicates with observations at so many x have no slopes of their own."""
    return NO_SHARED_SLOPE * min((4 / places) ** _FALLS[0], 1.0)


def with_shared_levels(data: Observations, fit: SlopeInterval, tail: float) -> Reach:
    """Quantiles of the slope where all observations of a group may be off by one number.

    The model is y = a + b x + u_g + sigma z with u_g normal of standard deviation tau; all observations of a
    group lie at one x. The likelihood is integrated over u_g, a, sigma and tau.
    """
    groups = list(data.of_groups())
    places = np.array([one.x[0] for one in groups])
    counts = np.array([one.bounded.sum() for one in groups])
    inside = counts > 0
    level = fit.intercept + fit.slope * places
    within, largest = _scales([one.deviation(fit) for one in groups], _LARGEST_OF_LEVELS)

    def parts(
        sigma: float, spread: float, ratios: Sequence[tuple[float, float]], coarser: float
    ) -> Iterator[_Part]:
        alone = spread / math.sqrt(counts[inside].mean())
        step = coarser * spread / math.sqrt(counts.max()) / 2.5
        far = (largest * 2 + _REACH) * alone
        grid = np.arange(level.min() - far, level.max() + far, step)
        tables = data.log_likelihoods(grid, 0.0, sigma)
        smoothed = _smoothed(tables, [ratio * alone / step for ratio, _ in ratios])
        for (ratio, weight), averaged in zip(ratios, smoothed, strict=True):
            tau = ratio * alone
            weights = 1.0 / (tau**2 + spread**2 / counts[inside])
            middle = float(np.average(places[inside], weights=weights))
            a = _levels(coarser) / math.sqrt(weights.sum())
            reach = _REACH / math.sqrt(float(weights @ (places[inside] - middle) ** 2))
            b = np.linspace(-reach, reach, 57)
            value = np.zeros((len(a), len(b)))
            for place, height, table in zip(places, level, averaged.of_each(), strict=True):
                value += np.interp(height + a + b * (place - middle), grid, table)
            yield _Part(fit.slope + b, value, weight * float(a[1, 0] - a[0, 0]) * float(b[1] - b[0]))

    nothing = no_shock(int(inside.sum()), float(counts[inside].mean()))
    return _reach(_all_parts(data, fit, parts, nothing, within, largest), tail)


def with_shared_slopes(data: Observations, fit: SlopeInterval, tail: float) -> Reach:
    """Quantiles of the slope where each group may have a slope of its own.

    The model is y = a + (b + u_g) x + sigma z with u_g normal, x counted from the centre of all.
    """
    groups = list(data.of_groups())
    moments = [float(one.x[one.bounded] @ one.x[one.bounded]) for one in groups]
    within, largest = _scales([one.deviation(fit, slope=True) for one in groups], _LARGEST_OF_SLOPES)

    def parts(
        sigma: float, spread: float, ratios: Sequence[tuple[float, float]], coarser: float
    ) -> Iterator[_Part]:
        alone = spread / math.sqrt(float(np.mean(moments)))
        step = coarser * spread / math.sqrt(sum(moments)) / 1.5
        half = math.ceil((largest * 2 + _REACH) * alone / step)
        b = step * np.arange(-half, half + 1)
        a = _levels(coarser) * spread / math.sqrt(data.bounded.sum())
        tables = data.log_likelihoods(fit.intercept + a, fit.slope + b, sigma)
        smoothed = _smoothed(tables, [ratio * alone / step for ratio, _ in ratios])
        for (_, weight), averaged in zip(ratios, smoothed, strict=True):
            yield _Part(fit.slope + b, averaged.of_all(), weight * float(a[1, 0] - a[0, 0]) * step)

    places = float(np.mean([len(np.unique(one.x[one.bounded])) for one in groups]))
    return _reach(_all_parts(data, fit, parts, no_shared_slope(places), within, largest), tail)


@dataclasses.dataclass(frozen=True)
class _Part:
    """Log-likelihood (a, b) at one sigma and one scatter of groups, and the prior's weight of a cell."""

    b: np.ndarray
    value: np.ndarray
    weight: float

    def log_mass(self) -> float:
        """Log of the integral over a and b."""
        top = float(self.value.max())
        return top + math.log(self.weight * float(np.exp(self.value - top).sum()))


_Parts = Callable[[float, float, Sequence[tuple[float, float]], float], Iterator[_Part]]


def _all_parts(
    data: Observations, fit: SlopeInterval, parts: _Parts, nothing: float, within: float, largest: float
) -> list[_Part]:
    """Parts at the sigmas that matter: few ratios on coarse grids say which."""
    widths = (data.upper - data.lower)[data.bounded]
    blur = 1.0 / float(np.mean(1.0 / widths**2)) / 12  # one wide interval among narrow ones changes little
    least = math.log(FLOOR * float(widths.min()))
    top = max(math.log(3 * fit.sigma), least + 1.0)

    def at(log_sigma: float, ratios: Sequence[tuple[float, float]], coarser: float = 1.0) -> list[_Part]:
        spread = math.sqrt(math.exp(2 * log_sigma) + blur)
        return list(parts(math.exp(log_sigma), spread, ratios, coarser))

    low = max(least, min(math.log(within / 8) if within else top - 4.0, top - 2.0))
    grid = np.linspace(low, top, max(_FIRST_SIGMAS, math.ceil(2 * (top - low)) + 1))
    few = _ratios(nothing, largest, _FEW_RATIOS)
    masses = np.array([max(part.log_mass() for part in at(log_sigma, few, _COARSER)) for log_sigma in grid])
    near = np.flatnonzero(masses > masses.max() - _DROP)
    low, high = grid[max(near[0] - 1, 0)], grid[min(near[-1] + 1, len(grid) - 1)]
    grid = np.linspace(low, high, _SIGMAS)
    every = _ratios(nothing, largest, _RATIOS)
    prior = np.exp(log_matching_prior(grid, widths))
    return [
        dataclasses.replace(part, weight=part.weight * float(weight))
        for log_sigma, weight in zip(grid, prior, strict=True)
        for part in at(log_sigma, every)
    ]


def _ratios(nothing: float, most: float, count: int) -> list[tuple[float, float]]:
    """Scatter of the groups and its prior weight; that of no scatter is ``nothing``.

    The rest falls like 1 / ratio, which gives Student's t of the groups where they scatter by much more
    than observations explain, and vanishes where they do not.
    """
    ratios = np.geomspace(_SMALLEST, most, round(count * max(1.0, math.log(most / _SMALLEST) / 6)))
    weights = ratios**2 / (1 + ratios**2) / (1 + (ratios / max(_CUT, 0.75 * most)) ** 4)
    weights *= (1 - nothing) / weights.sum()
    return [(0.0, nothing), *zip(ratios.tolist(), weights.tolist(), strict=True)]


def _scales(deviations: Sequence[tuple[float, float, int]], usual: float) -> tuple[float, float]:
    """Scatter within groups, 0 where unknown, and the largest ratio that is allowed for."""
    off, rest, freedom = (np.array(values) for values in zip(*deviations, strict=True))
    if freedom.sum() == 0:
        return 0.0, usual
    within = math.sqrt(rest.sum() / freedom.sum())
    seen = math.sqrt(float(np.mean(off**2))) / within
    return within, min(max(12.0 * seen, usual), 100 * usual)


def _levels(coarser: float) -> np.ndarray:
    """Heights of lines in standard deviations, one a deviation: enough for the trapezoidal rule.

    That errs by 5e-9 on a normal density, and by 0.4 % where sigma is a twentieth of the intervals' width.
    """
    return np.linspace(-_REACH, _REACH, round(2 * _REACH / coarser) + 1)[:, None]


@dataclasses.dataclass(frozen=True)
class _Averaged:
    """Likelihoods of groups (first axis) over ``exp(log_peak)``, averaged over what a group may be off."""

    likelihood: np.ndarray
    log_peak: np.ndarray

    def of_each(self) -> np.ndarray:
        """Log-likelihood of each group."""
        return np.asarray(np.log(self.likelihood) + self.log_peak)

    def of_all(self) -> np.ndarray:
        """Log-likelihood of all groups together."""
        starts = range(0, len(self.likelihood), _FACTORS)
        return np.asarray(
            sum(np.log(self.likelihood[i : i + _FACTORS].prod(axis=0)) for i in starts)
            + self.log_peak.sum(axis=0)
        )


def _smoothed(tables: np.ndarray, widths: Iterable[float]) -> Iterator[_Averaged]:
    """Likelihoods of log-likelihoods on a grid (last axis), averaged with normal weights of so many steps."""
    length = tables.shape[-1]
    peak = tables.max(axis=-1, keepdims=True)
    likelihood = np.maximum(np.exp(tables - peak), _TINY)
    size, transform = 0, np.empty(0)
    for width in widths:
        if width == 0.0:
            yield _Averaged(likelihood, peak)
            continue
        needed = length + math.ceil(12 * width)
        if not needed <= size <= _LONGER * needed:
            size = scipy.fft.next_fast_len(math.ceil(_LONGER * needed), real=True)
            half = length + (size - length + 1) // 2
            padded = np.empty((*tables.shape[:-1], size))
            padded[..., :length] = likelihood
            padded[..., length:half] = likelihood[..., -1:]
            padded[..., half:] = likelihood[..., :1]
            transform = scipy.fft.rfft(padded, axis=-1)
        weight = np.exp(-2 * (math.pi * width * np.fft.rfftfreq(size)) ** 2)
        smooth = scipy.fft.irfft(transform * weight, n=size, axis=-1)[..., :length]
        yield _Averaged(np.maximum(smooth, _TINY, out=smooth), peak)


_Mass = tuple[np.ndarray, np.ndarray]
"""Places, and the mass below each."""


def _reach(parts: Sequence[_Part], tail: float) -> Reach:
    """Quantiles of all parts together, each interpolated on a grid ``_FINER`` times as fine."""
    top = max(float(part.value.max()) for part in parts)
    masses: list[_Mass] = []
    for count in {len(part.b) for part in parts}:
        alike = [part for part in parts if len(part.b) == count]
        marginal = np.array([np.exp(part.value - top).sum(axis=0) for part in alike])
        spline = scipy.interpolate.CubicSpline(np.arange(count), np.log(np.maximum(marginal, 1e-200)), axis=1)
        fine = np.linspace(0, count - 1, _FINER * (count - 1) + 1)
        below = scipy.integrate.cumulative_trapezoid(np.exp(spline(fine)), axis=1, initial=0.0)
        for part, mass in zip(alike, below, strict=True):
            masses.append((np.linspace(part.b[0], part.b[-1], len(fine)), mass * part.weight))
    total = sum(float(mass[-1]) for _, mass in masses)
    ends = min(float(b[0]) for b, _ in masses), max(float(b[-1]) for b, _ in masses)
    return Reach(*(_quantile(masses, share * total, *ends) for share in (tail, 1 - tail)))


def _quantile(masses: Sequence[_Mass], wanted: float, low: float, high: float) -> float:
    """Where the masses below sum to what is wanted."""
    for _ in range(_BRACKETS):
        where = np.linspace(low, high, 65)
        below = sum(np.interp(where, b, mass) for b, mass in masses)
        above = int(np.clip(np.searchsorted(below, wanted), 1, len(where) - 1))
        low, high = float(where[above - 1]), float(where[above])
    return (low + high) / 2
