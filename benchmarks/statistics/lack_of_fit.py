"""Whether a line fits intervals at several x as well as a level of its own for each x does."""

from __future__ import annotations

import math

import numpy as np
import scipy

from hierbench.benchmarks.statistics.integrated_likelihood import log_probability_of
from hierbench.benchmarks.statistics.interval_regression import NARROWEST_SIGMA, fit_interval_regression

_SIGMAS, _LEVELS = 41, 81


def lack_of_fit(x: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float | None:
    """P-value of a line y = a + b x + sigma z against y = a(x) + sigma z, y known to lie in (lower, upper].

    Method: likelihood ratio, turned into the F statistic that it is for exact observations: with N
    observations at D places F = (exp(2 R / N) - 1) (N - D) / (D - 2). A small p says that the line bends,
    or that observations at one x scatter together: it cannot tell which.

    Small samples: only x with an interval of two finite ends count in D and N. Its size and power are in
    docs/coverage.md.

    Returns
    -------
    float or None
        None where there are fewer than three such x, or one interval at each.
    """
    bounded = np.isfinite(lower) & np.isfinite(upper)
    places = np.unique(x[bounded])
    count, more = int(bounded.sum()), len(places) - 2
    if more < 1 or count <= len(places):
        return None
    used = np.isin(x, places)
    x, lower, upper = x[used], lower[used], upper[used]
    line = fit_interval_regression(x, lower, upper)
    widths = (upper - lower)[np.isfinite(upper - lower)]
    least = math.log(NARROWEST_SIGMA * float(widths.min()))
    logs = np.linspace(max(least, math.log(line.sigma) - 3), math.log(line.sigma) + 0.5, _SIGMAS)
    total = np.zeros(len(logs))
    for place in places:
        here = x == place
        ends = np.concatenate([lower[here], upper[here]])
        ends = ends[np.isfinite(ends)]
        levels = np.linspace(ends.min() - 2 * line.sigma, ends.max() + 2 * line.sigma, _LEVELS)[:, None]
        value = np.zeros((_LEVELS, len(logs)))
        for low, high in zip(lower[here], upper[here], strict=True):
            value += log_probability_of(low, high, levels, np.exp(-logs))
        total += value.max(axis=0)
    ratio = max(float(total.max()) - line.log_likelihood, 0.0)
    statistic = math.expm1(2 * ratio / count) * (count - len(places)) / more
    return float(scipy.stats.f.sf(statistic, more, count - len(places)))
