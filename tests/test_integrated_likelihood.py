"""The slope's interval by integration: Student's t for exact data, calibrated for intervals."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import Setting, simulate, study
from benchmarks.integrated_likelihood import slope_interval
from benchmarks.interval_regression import fit_interval_regression


@pytest.mark.parametrize("count", [5, 8, 20])
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


def test_intervals_cover_at_three_replicates():
    found = study(Setting(2.6, 3, 0.2, 1.4), 120)
    assert 0.35 < found.censored < 0.45
    assert found.coverage > 0.89 and found.smallest_width > 0


def test_intervals_cover_where_the_fit_that_drops_censored_points_does_not():
    found = study(Setting(1.0, 10, 0.5, 2.0), 120)
    assert found.coverage > 0.89 and found.smallest_width > 0
    assert found.naive < 0.8


def test_too_few_intervals_are_refused():
    with pytest.raises(ValueError, match="3 at 2 are needed"):
        slope_interval(np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([0.5, 1.5]))
