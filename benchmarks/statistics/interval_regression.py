"""Regression on observations that are only known to lie in an interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import scipy

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SIGMA_MAX = 50.0
NARROWEST_SIGMA = 0.1  # of the narrowest interval: below that no likelihood can tell


@dataclasses.dataclass(frozen=True)
class IntervalFit:
    """Maximum-likelihood line through intervals, and the profile interval of its slope."""

    intercept: float
    slope: float
    slope_low: float
    slope_high: float
    sigma: float
    log_likelihood: float


def log_probability(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log(Phi(high) - Phi(low)) without cancellation, and phi(low), phi(high) over it.

    Both ends in the upper tail are mirrored into the lower one, where log Phi is exact to
    rounding.
    """
    mirror = low > 0
    a, b = np.where(mirror, -high, low), np.where(mirror, -low, high)
    log_b = scipy.special.log_ndtr(b)
    log_p = log_b + np.log(-np.expm1(np.minimum(scipy.special.log_ndtr(a) - log_b, -1e-15)))

    def ratio(x: np.ndarray) -> np.ndarray:
        finite = np.isfinite(x)
        z = np.where(finite, x, 0.0)
        return np.where(finite, np.exp(np.minimum(-0.5 * z * z - _LOG_SQRT_2PI - log_p, 690.0)), 0.0)

    return log_p, ratio(low), ratio(high)


def profile(
    slopes: np.ndarray, x: np.ndarray, lower: np.ndarray, upper: np.ndarray, sigma_min: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximum over intercept and sigma of the log-likelihood, at each of many slopes at once.

    In (intercept / sigma, 1 / sigma) it is concave (Burridge 1981), so that a damped Newton
    iteration finds its only maximum; 1 / sigma is kept in [1 / 50, 1 / sigma_min].

    Parameters
    ----------
    slopes : array, shape (m,)
    x, lower, upper : arrays, shape (N,)
        ``lower`` may be -inf and ``upper`` inf.

    Returns
    -------
    log_likelihood, intercept, sigma : arrays, shape (m,)
    """
    low, high = lower - slopes[:, None] * x, upper - slopes[:, None] * x
    low_0, high_0 = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    middle = np.where(np.isfinite(low) & np.isfinite(high), (low_0 + high_0) / 2, low_0 + high_0)
    tau_min, tau_max = 1 / _SIGMA_MAX, 1 / sigma_min
    tau = np.clip(1 / (middle.std(axis=1) + sigma_min), tau_min, tau_max)
    c = middle.mean(axis=1) * tau

    def derivatives(c: np.ndarray, tau: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Log-likelihood, gradient and Hessian for the slopes of these indices."""
        ends = low_0[of], high_0[of]
        a, b = tau[:, None] * low[of] - c[:, None], tau[:, None] * high[of] - c[:, None]
        log_p, ra, rb = log_probability(a, b)
        a, b = np.where(np.isfinite(a), a, 0.0), np.where(np.isfinite(b), b, 0.0)
        # second derivatives of log p in its two ends
        aa, bb, ab = a * ra - ra * ra, -b * rb - rb * rb, ra * rb
        return np.array(
            [
                log_p.sum(1),
                (ra - rb).sum(1),
                (rb * ends[1] - ra * ends[0]).sum(1),
                (aa + bb + 2 * ab).sum(1),
                -(aa * ends[0] + bb * ends[1] + ab * (ends[0] + ends[1])).sum(1),
                (aa * ends[0] ** 2 + bb * ends[1] ** 2 + 2 * ab * ends[0] * ends[1]).sum(1),
            ]
        )

    every = np.arange(len(c))
    state = derivatives(c, tau, every)
    for _ in range(60):
        value, g_c, g_t, h_cc, h_ct, h_tt = state
        # A sigma at an end of its range, pushed further out, stays; only c moves then.
        held = ((tau >= tau_max) & (g_t > 0)) | ((tau <= tau_min) & (g_t < 0))
        h_cc = np.minimum(h_cc, -1e-12)
        determinant = h_cc * h_tt - h_ct * h_ct
        held |= determinant <= 1e-14 * h_cc * h_cc
        safe = np.where(held, 1.0, determinant)
        step_c = np.where(held, -g_c / h_cc, -(h_tt * g_c - h_ct * g_t) / safe)
        step_t = np.where(held, 0.0, -(h_cc * g_t - h_ct * g_c) / safe)
        new_c, new_tau, new = c.copy(), tau.copy(), state.copy()
        length, trying = 1.0, every
        for _ in range(30):
            far = tau[trying] + length * step_t[trying]
            near = np.clip(far, tau_min, tau_max)
            # with tau clipped, c follows so that the line stays where the step put it
            place = c[trying] + length * step_c[trying]
            place = np.where((far != near) & (far > 0), place * near / far, place)
            tried = derivatives(place, near, trying)
            better = tried[0] >= value[trying] - 1e-12
            moved = trying[better]
            new_c[moved], new_tau[moved], new[:, moved] = place[better], near[better], tried[:, better]
            trying = trying[~better]
            if not len(trying):
                break
            length /= 2
        gain = float(np.max(new[0] - value, initial=0.0))
        c, tau, state = new_c, new_tau, new
        if gain < 1e-10:
            break
    return state[0], c / tau, 1 / tau


def fit_interval_regression(
    x: np.ndarray, lower: np.ndarray, upper: np.ndarray, drop: float | None = None
) -> IntervalFit:
    """Fit y = intercept + slope x + sigma z, with y known to lie in (lower, upper].

    Method: interval-censored normal maximum likelihood; the interval of the slope holds all
    values whose profile log-likelihood is within ``drop`` of the maximum. They are one
    interval: the likelihood is concave in (intercept, slope, 1) / sigma, of which the slope is a
    ratio. Sigma is kept above a tenth
    of the narrowest interval: where a line meets every interval the likelihood would
    increase for ever as sigma goes to 0.

    Small samples: an end is infinite where the profile does not fall that far, as when
    everything on one side is censored.

    Parameters
    ----------
    x, lower, upper : arrays, shape (N,)
        Of the observations; ends in the scale of y, -inf and inf where censored.
    drop : float, optional
        How far the log-likelihood may fall below its maximum; by default no interval is asked for, and its
        ends are not numbers.
    """
    centre = float(x.mean())
    shifted = x - centre
    widths = (upper - lower)[np.isfinite(upper - lower)]
    sigma_min = NARROWEST_SIGMA * float(widths.min())

    def at(slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return profile(slopes, shifted, lower, upper, sigma_min)

    slope = _maximise(lambda s: at(s)[0])
    value, intercept, sigma = (float(v[0]) for v in at(np.array([slope])))

    def end(side: float) -> float:
        if drop is None:
            return math.nan
        return _crossing(lambda s: at(s)[0], slope, side, value - drop)

    return IntervalFit(intercept - slope * centre, slope, end(-1.0), end(1.0), sigma, value)


def _maximise(f: Callable[[np.ndarray], np.ndarray], low: float = -64.0, high: float = 64.0) -> float:
    """Argument of the maximum of a unimodal function, by repeated grids."""
    for _ in range(6):
        grid = np.linspace(low, high, 129)
        best = int(np.argmax(f(grid)))
        low, high = grid[max(best - 2, 0)], grid[min(best + 2, 128)]
    return float((low + high) / 2)


def _crossing(f: Callable[[np.ndarray], np.ndarray], start: float, side: float, level: float) -> float:
    """Where f falls below ``level`` going from ``start`` towards ``side``; infinite if never."""
    reach = start + side * np.concatenate([[0.0], 2.0 ** np.arange(-10, 8)])
    for _ in range(3):
        below = f(reach) < level
        if not below.any():
            return side * math.inf
        first = max(int(np.argmax(below)), 1)
        inside, outside = reach[first - 1], reach[first]
        reach = np.linspace(inside, outside, 65)
    return float(outside)  # the outer end: never a narrower interval than found
