"""Information that grouping keeps, and the prior that it makes: held to quadrature, limits and simulation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from hierbench.benchmarks.statistics.integrated_likelihood import kept_information, log_matching_prior


def score_moments(sigma):
    """Of cells [k, k + 1): E[l_m^2], E[l_s^2] and E[l_mms] at mean m and scale s, averaged over m."""
    ends = np.arange(-40, 42)
    h = 1e-3 * sigma

    def p(m, s):
        return np.diff(stats.norm.cdf(ends, m, s))

    def log_p(m, s):
        return np.log(np.maximum(p(m, s), 1e-300))

    def at(m):
        weights = np.where(p(m, sigma) > 1e-9, p(m, sigma), 0.0)
        in_mean = (log_p(m + h, sigma) - log_p(m - h, sigma)) / (2 * h)
        in_scale = (log_p(m, sigma + h) - log_p(m, sigma - h)) / (2 * h)

        def bend(s):
            return (log_p(m + h, s) - 2 * log_p(m, s) + log_p(m - h, s)) / h**2

        third = (bend(sigma + h) - bend(sigma - h)) / (2 * h)
        return [float(weights @ v) for v in (in_mean**2, in_scale**2, third)]

    grid = (np.arange(200) + 0.5) / 200
    return np.mean([at(m) for m in grid], axis=0)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 2.0])
def test_kept_information_is_that_of_numerical_derivatives(sigma):
    assert kept_information(sigma) == pytest.approx(sigma**2 * score_moments(sigma)[0], rel=1e-3)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 2.0])
def test_the_matching_condition_holds(sigma):
    """g L / (I_b I_sigma) is constant for g = sigma I_b because L = I_sigma / sigma."""
    _, of_scale, third = score_moments(sigma)
    assert third == pytest.approx(of_scale / sigma, rel=5e-3)


def test_kept_information_at_its_ends():
    def integrand(z):
        return stats.norm.pdf(z) ** 2 / (stats.norm.cdf(z) * stats.norm.sf(z))

    slope = integrate.quad(integrand, -8, 8)[0]
    assert kept_information(0.02) == pytest.approx(0.02 * slope, rel=1e-6)
    for sigma in (1.0, 2.0, 5.0):
        assert kept_information(sigma) == pytest.approx(sigma**2 / (sigma**2 + 1 / 12), rel=3e-4)


def test_the_prior_is_flat_in_log_sigma_for_exact_data_and_flat_in_sigma_below_the_width():
    far = log_matching_prior(np.log([30.0, 300.0, 3e4]), np.array([0.5, 1.0]))
    np.testing.assert_allclose(far, 0.0, atol=1e-4)
    near = np.log([1e-3, 1e-2, 4e-2])
    np.testing.assert_allclose(
        np.diff(log_matching_prior(near, np.array([0.5, 1.0]))), np.diff(near), rtol=1e-6
    )


def test_the_prior_between_is_the_mean_over_widths_of_the_kept_share():
    log_sigma, widths = np.log([0.05, 0.11, 0.4, 1.3, 5.0]), np.array([0.3, 0.3, 0.7])
    wanted = [np.mean([kept_information(math.exp(v) / w) for w in widths]) for v in log_sigma]
    np.testing.assert_allclose(np.exp(log_matching_prior(log_sigma, widths)), wanted, rtol=1e-3)
