"""The slope's interval by integration: Student's t for exact data, calibrated for intervals."""

import math

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import ndtr

from hierbench.benchmarks.statistics import integrated_likelihood
from hierbench.benchmarks.statistics.integrated_likelihood import log_matching_prior, slope_interval
from hierbench.benchmarks.statistics.interval_regression import fit_interval_regression
from hierbench.benchmarks.studies.coverage import simulate, some_line_meets, study
from hierbench.benchmarks.studies.coverage_settings import Setting


@pytest.mark.parametrize("count", [4, 5, 8, 20])
def test_exact_observations_give_students_t(count):
    rng = np.random.default_rng(count)
    x = np.log(rng.choice([8, 12, 16, 24, 32], count))
    y = 1 + 2.2 * x + 0.3 * rng.standard_normal(count)
    line = stats.linregress(x, y)
    half = stats.t.ppf(0.975, count - 2) * line.stderr
    found = slope_interval(x, y - 1e-3, y + 1e-3)
    assert found.slope == pytest.approx(line.slope, abs=0.02 * half)
    assert found.low == pytest.approx(line.slope - half, abs=0.03 * half)
    assert found.high == pytest.approx(line.slope + half, abs=0.03 * half)
    residual = y - line.intercept - line.slope * x
    assert found.sigma == pytest.approx(math.sqrt(residual @ residual / (count - 2)), rel=0.05)


def test_moving_and_scaling_the_data_moves_and_scales_the_interval():
    rng = np.random.default_rng(0)
    x = np.repeat(np.log([8.0, 12.0, 16.0, 24.0]), 4)
    lower = 2 * x + 0.3 * rng.standard_normal(16)
    upper = np.where(x > 3, np.inf, lower + 0.4)
    plain = slope_interval(x, lower, upper)
    tilted = slope_interval(x, lower + 1.5 * x - 7, upper + 1.5 * x - 7)
    mirrored = slope_interval(x, -upper, -lower)
    assert (tilted.low, tilted.high) == pytest.approx((plain.low + 1.5, plain.high + 1.5), abs=0.02)
    assert (mirrored.high, mirrored.low) == pytest.approx((-plain.low, -plain.high), abs=0.02)


def test_many_observations_agree_with_the_profile_likelihood():
    stars = simulate(2.6, 20.0, Setting(2.6, 40, 0.4, 1.4), np.random.default_rng(3))
    x = np.log([s.d for s in stars])
    with np.errstate(divide="ignore"):
        lower, upper = np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
    found = slope_interval(x, lower, upper)
    twin = fit_interval_regression(x, lower, upper, drop=1.96**2 / 2)
    width = twin.slope_high - twin.slope_low
    assert found.low == pytest.approx(twin.slope_low, abs=0.05 * width)
    assert found.high == pytest.approx(twin.slope_high, abs=0.05 * width)


def test_what_sigma_cannot_be_told_from_does_not_matter(monkeypatch):
    """The prior's mass below the smallest sigma of the grid is counted: a smaller one changes nothing."""
    moved = []
    for seed in range(8):
        stars = simulate(1.37, 1.4, Setting(1.37, 4, 0.05, 2.0), np.random.default_rng(seed))
        x, lower, upper = (np.log([getattr(s, name) for s in stars]) for name in ("d", "lower", "upper"))
        monkeypatch.setattr(integrated_likelihood, "FLOOR", 0.05)
        plain = slope_interval(x, lower, upper)
        monkeypatch.setattr(integrated_likelihood, "FLOOR", 0.02)
        finer = slope_interval(x, lower, upper)
        width = plain.high - plain.low
        moved.append([(finer.low - plain.low) / width, (finer.high - plain.high) / width])
    assert np.abs(moved).max() < 0.04 and np.abs(np.mean(moved, axis=0)).max() < 0.015


def test_interval_agrees_with_brute_force_integration():
    """Plain sums over a box of a, b and sigma, with the likelihood of a textbook."""
    stars = simulate(2.0, 2.2, Setting(2.0, 3, 0.2, 2.0), np.random.default_rng(4))
    x, lower, upper = (np.log([getattr(s, name) for s in stars]) for name in ("d", "lower", "upper"))
    x = x - x.mean()
    bounded = np.isfinite(upper)
    middle = np.polyfit(x[bounded], (lower + upper)[bounded] / 2, 1)
    a = middle[1] + np.linspace(-4, 4, 161)
    b = middle[0] + np.linspace(-8, 8, 321)
    mass = np.zeros(len(b))
    for sigma in np.geomspace(0.03, 6, 60):
        log_likelihood = np.zeros((len(a), len(b)))
        for x_i, lower_i, upper_i in zip(x, lower, upper, strict=True):
            line = a[:, None] + b * x_i
            high, low = ndtr((upper_i - line) / sigma), ndtr((lower_i - line) / sigma)
            log_likelihood += np.log(np.maximum(high - low, 1e-300))
        prior = np.exp(log_matching_prior(np.log([sigma]), (upper - lower)[bounded]))
        mass += np.exp(log_likelihood).sum(0) * prior
    share = (np.cumsum(mass) - mass / 2) / mass.sum()
    low, slope, high = np.interp([0.025, 0.5, 0.975], share, b)
    found = slope_interval(x, lower, upper)
    assert (found.low, found.slope, found.high) == pytest.approx((low, slope, high), abs=0.03 * (high - low))


def test_intervals_cover_at_three_replicates(independent):
    found = study(Setting(2.6, 3, 0.2, 1.4), 120)
    assert 0.35 < found.censored < 0.45
    assert found.coverage > 0.89 and found.smallest_width > 0


def test_intervals_cover_where_the_fit_that_drops_censored_points_does_not(independent):
    found = study(Setting(1.0, 10, 0.5, 2.0), 120)
    assert found.coverage > 0.89 and found.smallest_width > 0
    assert found.naive < 0.8


def test_a_line_that_meets_all_intervals_is_found_as_linear_programming_finds_it():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(40):
        stars = simulate(1.37, 1.4, Setting(1.37, 3, 0.15, 2.0), rng)
        x, lower, upper = (np.log([getattr(s, name) for s in stars]) for name in ("d", "lower", "upper"))
        ends = np.isfinite(upper)
        rows = np.column_stack([np.ones(len(x)), x])
        a, b = np.vstack([-rows, rows[ends]]), np.concatenate([-lower, upper[ends]])
        feasible = optimize.linprog([0, 0], a, b, bounds=[(None, None)] * 2).status == 0
        assert some_line_meets(stars) == feasible
        seen.add(feasible)
    assert seen == {True, False}


def test_too_few_intervals_are_refused():
    with pytest.raises(ValueError, match="3 at 2 are needed"):
        slope_interval(np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([0.5, 1.5]))


def test_dimensions_of_a_setting_are_those_simulated_and_change_no_usual_setting() -> None:
    three = Setting(2.0, 4, 0.2, 1.4, 0.1, dimensions=(6, 8, 10))
    stars = simulate(2.0, 6.0, three, np.random.default_rng(0))
    assert sorted({s.d for s in stars}) == [6, 8, 10] and len(stars) == 12
    usual = Setting(2.0, 4, 0.2, 1.4, 0.1)
    assert "dimensions" not in usual.seed_parts() and three.seed_parts()["dimensions"] == (6, 8, 10)
