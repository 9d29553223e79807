"""Intervals where replicates of one d, or slopes of one replicate, scatter together."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import optimize, stats

from hierbench.benchmarks.statistics import shared_scatter
from hierbench.benchmarks.statistics.integrated_likelihood import slope_interval
from hierbench.benchmarks.statistics.lack_of_fit import lack_of_fit
from hierbench.benchmarks.statistics.shared_scatter import (
    Observations,
    no_shared_slope,
    no_shock,
    widened,
    with_shared_levels,
    with_shared_slopes,
)

X = np.log([8, 12, 16, 24, 32])


def drawn(seed, *, replicates=4, sigma=0.2, shock=0.0, own=0.0, bend=0.0, width=1e-3, x=X):
    """Intervals of so much width at x, for each replicate, and which replicate they are of."""
    rng = np.random.default_rng(seed)
    xs, which = np.repeat(x, replicates), np.tile(np.arange(replicates), len(x))
    y = 2 * xs + np.repeat(shock * rng.standard_normal(len(x)), replicates) + bend * xs**2
    y += (own * rng.standard_normal(replicates))[which] * (xs - x.mean()) + sigma * rng.standard_normal(
        len(xs)
    )
    lower = width * np.floor(y / width)
    return xs, lower, lower + width, which


def observations(xs, lower, upper, group):
    """The data about the centre of x, and the plain fit there."""
    fit, centre = slope_interval(xs, lower, upper), xs.mean()
    at_centre = dataclasses.replace(fit, intercept=fit.intercept + fit.slope * centre)
    return Observations(xs - centre, lower, upper, group), at_centre


def posterior_quantile(within, freedom, between, between_freedom, counts, information, nothing, most):
    """The 97.5 % quantile of a slope about its estimate, for exact observations, by a grid in two scales.

    ``within`` and ``between`` are sums of squares. Observations scatter by s, groups by r s / sqrt(counts),
    so that a slope is off by s sqrt((1 + r^2) / counts / information).
    """
    log_s = np.linspace(-4, 1, 300)[:, None]
    r = np.concatenate([[0.0], np.geomspace(0.1, most, 400)])
    weight = r[1:] ** 2 / (1 + r[1:] ** 2) / (1 + (r[1:] / 30) ** 4)
    weight = np.concatenate([[nothing], (1 - nothing) * weight / weight.sum()])
    variance = np.exp(2 * log_s) / counts * (1 + r**2)
    log_p = -freedom * log_s - within / (2 * np.exp(2 * log_s))
    log_p = log_p - between_freedom / 2 * np.log(variance) - between / (2 * variance) + np.log(weight)
    p = np.exp(log_p - log_p.max())
    p, deviation = p / p.sum(), np.sqrt(variance / information)
    return float(optimize.brentq(lambda q: (p * stats.norm.sf(q / deviation)).sum() - 0.025, 0, 2, xtol=1e-5))


SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])


@SEEDS
@pytest.mark.parametrize("shock", [0.0, 0.3])
def test_shared_levels_are_integrated_as_a_grid_in_sums_of_squares_does(seed, shock):
    xs, lower, upper, _ = drawn(seed, shock=shock)
    data, fit = observations(xs, lower, upper, xs)
    reach = with_shared_levels(data, fit, 0.025)
    y = ((lower + upper) / 2).reshape(len(X), -1)
    means = y.mean(axis=1)
    line = np.polyval(np.polyfit(X, means, 1), X)
    within, between = float(((y - means[:, None]) ** 2).sum()), float(((means - line) ** 2).sum())
    twin = posterior_quantile(within, 15, between, 3, 4, 5 * X.var(), no_shock(5, 4), 40)
    assert reach.high - fit.slope == pytest.approx(twin, rel=0.04)
    assert fit.slope - reach.low == pytest.approx(twin, rel=0.04)


@SEEDS
@pytest.mark.parametrize("own", [0.0, 0.6])
def test_shared_slopes_are_integrated_as_a_grid_in_sums_of_squares_does(seed, own):
    xs, lower, upper, which = drawn(seed, own=own, replicates=6)
    data, fit = observations(xs, lower, upper, which)
    reach = with_shared_slopes(data, fit, 0.025)
    y = ((lower + upper) / 2).reshape(len(X), -1)
    moved, information = X - X.mean(), 5 * X.var()
    slopes = moved @ y / information
    fitted = y.mean() + moved[:, None] * slopes
    within, between = float(((y - fitted) ** 2).sum()), float(((slopes - slopes.mean()) ** 2).sum())
    off = (slopes - fit.slope) * math.sqrt(information)
    leaves = y - fit.intercept - fit.slope * moved[:, None] - moved[:, None] * (slopes - fit.slope)
    most = max(8.0, 12.0 * math.sqrt(np.mean(off**2) / ((leaves**2).sum() / 24)))
    # one level and six slopes are fitted to 30 numbers; that of one replicate is off by s / sqrt(information)
    twin = posterior_quantile(within, 23, between, 5, information, 6, no_shared_slope(5), most)
    assert (reach.high - reach.low) / 2 == pytest.approx(twin, rel=0.05)


def test_scatter_of_a_d_widens_the_interval_and_without_any_it_hardly_does():
    """Medians over some draws; docs/coverage.md has the coverage."""
    ratios = {}
    for shock in (0.0, 0.3):
        of_draws = []
        for seed in range(12):
            xs, lower, upper, which = drawn(seed, shock=shock, width=0.34)
            fit = slope_interval(xs, lower, upper)
            low, high = widened(xs, lower, upper, which, fit, 0.95)
            assert low <= fit.low and fit.high <= high
            of_draws.append((high - low) / (fit.high - fit.low))
        ratios[shock] = float(np.median(of_draws))
    assert ratios[0.0] < 1.5 < 2 < ratios[0.3]


def test_the_ends_do_not_depend_on_the_grids(monkeypatch):
    """To 0.2 % of the width: each part of the posterior has a grid of its own."""
    kinds = {"shock": 0.15, "replicates": 6}, {"own": 0.3, "replicates": 6}, {"sigma": 0.02}
    cases = [drawn(0, width=0.34, **kind) for kind in kinds]
    ends, usual_levels = [], shared_scatter._levels
    finer = {"_SIGMAS": 25, "_COARSER": 1.0, "_FINER": 36, "_levels": lambda c: usual_levels(c / 3)}
    for grids in ({}, finer):
        for name, value in grids.items():
            monkeypatch.setattr(shared_scatter, name, value)
        ends.append([widened(*case, slope_interval(*case[:3]), 0.95) for case in cases])
    usual, fine = np.array(ends)
    assert np.abs(usual - fine).max(axis=1) == pytest.approx(0, abs=0.002 * np.diff(fine).min())


def test_many_groups_are_multiplied_in_parts(monkeypatch):
    case = drawn(0, replicates=18, own=0.3, width=0.34, x=X[:3])
    fit = slope_interval(*case[:3])
    ends = widened(*case, fit, 0.95)
    monkeypatch.setattr(shared_scatter, "_FACTORS", 1)
    assert widened(*case, fit, 0.95) == pytest.approx(ends, abs=1e-9)


def test_censored_and_unequal_cells_have_finite_ends():
    xs, lower, upper, which = drawn(1, width=0.34)
    high = lower > np.median(lower)
    upper = np.where(high & (which < 2), math.inf, upper)
    keep = ~((xs == X[1]) & (which > 0))
    fit = slope_interval(xs[keep], lower[keep], upper[keep])
    ends = widened(*(v[keep] for v in (xs, lower, upper, which)), fit, 0.95)
    assert np.isfinite(ends).all() and ends[0] < fit.slope < ends[1]


def test_too_few_places_and_replicates_leave_the_interval_as_it_is():
    xs, lower, upper, _ = drawn(0, x=X[:2], replicates=2)
    fit = slope_interval(xs, lower, upper)
    ends = widened(xs, lower, upper, np.arange(len(xs)), fit, 0.95)
    assert ends == (pytest.approx(fit.low), pytest.approx(fit.high))


def test_lack_of_fit_is_the_f_test_of_exact_observations():
    xs, lower, upper, _ = drawn(3, bend=0.3)
    y = (lower + upper) / 2
    means = y.reshape(len(X), -1).mean(axis=1)
    pure = float(((y.reshape(len(X), -1) - means[:, None]) ** 2).sum())
    rest = float(((y - np.polyval(np.polyfit(xs, y, 1), xs)) ** 2).sum()) - pure
    twin = float(stats.f.sf(rest / 3 / (pure / 15), 3, 15))
    assert lack_of_fit(xs, lower, upper) == pytest.approx(twin, abs=2e-3)


def test_lack_of_fit_needs_three_places_and_more_than_one_interval_at_some():
    xs, lower, upper, _ = drawn(0, x=X[:2])
    assert lack_of_fit(xs, lower, upper) is None
    xs, lower, upper, _ = drawn(0, replicates=1)
    assert lack_of_fit(xs, lower, upper) is None


def test_a_bend_that_is_large_is_seen_and_a_line_seldom_flagged():
    p = {bend: [lack_of_fit(*drawn(s, bend=bend, width=0.34)[:3]) for s in range(30)] for bend in (0.0, 1.0)}
    assert sum(v < 0.05 for v in p[0.0]) <= 5
    assert sum(v < 0.05 for v in p[1.0]) >= 25


@pytest.mark.parametrize("seed", range(2))
def test_a_scatter_that_dwarfs_the_observations_gives_students_t_of_the_means(seed):
    xs, lower, upper, which = drawn(seed, sigma=0.01, shock=2.0)
    fit = slope_interval(xs, lower, upper)
    low, high = widened(xs, lower, upper, which, fit, 0.95)
    means = ((lower + upper) / 2).reshape(len(X), -1).mean(axis=1)
    line = stats.linregress(X, means)
    half = stats.t.ppf(0.975, 3) * line.stderr
    assert (low, high) == (
        pytest.approx(line.slope - half, abs=0.1 * half),
        pytest.approx(line.slope + half, abs=0.1 * half),
    )
