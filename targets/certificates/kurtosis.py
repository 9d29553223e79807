"""Kurtosis from samples, with an interval for heavy tails, or unknown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hierbench.targets.base import Estimate
from hierbench.targets.laws.sampling import jackknife

TAIL = 64
"""Largest fourth powers to which a tail is fitted."""
UNKNOWN = 0.25
"""Relative standard error above which a kurtosis is unknown."""


def label_moments(batches: Iterable[np.ndarray]) -> list[Estimate]:
    r"""Estimate mean, variance and kurtosis of a label from independent batches of equal size.

    The fourth power of a polynomial of Gaussians has a variance, but one made by values that no sample
    holds: it is the jackknife's standard error that heavy tails make too small, and the mean with it.
    So the largest ``TAIL`` of the centred fourth powers z are compared with a Pareto tail,

    .. math:: \xi = \text{mean} \log (z / u), \qquad E[z \mid z > u] = u / (1 - \xi)

    with u the next largest (B. M. Hill, *A simple general approach to inference about the tail of a
    distribution*, Annals of Statistics 1975). What this tail adds to the mean beyond the sampled one goes
    into the standard error, in quadrature: polynomials of Gaussians have lighter tails than a Pareto law
    of the same index, so that it bounds what the sample has missed. With xi >= 1 the tail has no mean.

    Returns
    -------
    mean, variance, kurtosis : Estimate
        The kurtosis is unknown, its standard error infinite, where that is above ``UNKNOWN`` of it.
    """
    powers, ends, n = [], np.empty(0), 0
    for y in batches:
        square = y * y
        powers.append([y.mean(), square.mean(), (square * y).mean(), (square * square).mean()])
        ends = _both_ends(np.concatenate([ends, y]))
        n += len(y)
    value, stderr = jackknife(np.array(powers), _mean_variance_kurtosis)
    mean, variance, kurtosis = map(float, value)
    missed = _missed(np.sort((ends - mean) ** 4)[-TAIL - 1 :]) * TAIL / n / variance**2
    error = float(np.hypot(stderr[2], missed))
    if not error <= UNKNOWN * kurtosis:
        error = np.inf
    return [Estimate(mean, float(stderr[0])), Estimate(variance, float(stderr[1])), Estimate(kurtosis, error)]


def _both_ends(y: np.ndarray) -> np.ndarray:
    """The smallest and the largest values, enough of each to be the largest once they are centred."""
    if len(y) <= 2 * (TAIL + 1):
        return y
    ordered = np.partition(y, (TAIL, len(y) - TAIL - 1))
    return np.concatenate([ordered[: TAIL + 1], ordered[-TAIL - 1 :]])


def _missed(largest: np.ndarray) -> float:
    """Mean of a Pareto tail beyond that of these values, increasing, the first being its threshold."""
    threshold, tail = largest[0], largest[1:]
    if threshold <= 0:
        return float(tail.mean())
    index = float(np.log(tail / threshold).mean())
    return abs(float(threshold) / (1 - index) - float(tail.mean())) if index < 1 else np.inf


def _mean_variance_kurtosis(moment: np.ndarray) -> np.ndarray:
    """Of E y, ..., E y^4. The quotient by the sampled variance steadies it against heavy tails."""
    m1, m2, m3, m4 = moment
    variance = m2 - m1**2
    return np.array([m1, variance, (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2])
