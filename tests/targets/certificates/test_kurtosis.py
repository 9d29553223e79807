"""Sampled kurtosis against closed forms: an interval that covers, or unknown."""

import math

import numpy as np
import pytest
from scipy.special import eval_hermitenorm

from hierbench.targets.base import Estimate
from hierbench.targets.certificates.kurtosis import TAIL, _both_ends, label_moments


def hermite_kurtosis(k):
    """E He_k^4 / k!^2: exact by Gauss-Hermite."""
    z, weights = np.polynomial.hermite_e.hermegauss(2 * k + 1)
    return weights @ eval_hermitenorm(k, z) ** 4 / weights.sum() / math.factorial(k) ** 2


LAWS = {
    "a Gaussian": (1, lambda g: g[..., 0], 3.0),
    "He_2": (1, lambda g: eval_hermitenorm(2, g[..., 0]), 15.0),
    "product of 3": (3, lambda g: g.prod(-1), 3.0**3),
    "product of 4": (4, lambda g: g.prod(-1), 3.0**4),
    "He_4": (1, lambda g: eval_hermitenorm(4, g[..., 0]), hermite_kurtosis(4)),
    "8 He_4": (8, lambda g: eval_hermitenorm(4, g).sum(-1), 3 + (hermite_kurtosis(4) - 3) / 8),
    "He_8": (1, lambda g: eval_hermitenorm(8, g[..., 0]), hermite_kurtosis(8)),
}


def repeated(name, repeats=40, n=2**14):
    """Estimates from fresh samples, each of 32 batches, and the truth."""
    m, label, truth = LAWS[name]
    rng = np.random.default_rng(5)
    samples = (label(rng.standard_normal((32, n // 32, m))) for _ in range(repeats))
    return [label_moments(y)[2] for y in samples], truth


@pytest.mark.parametrize("name", LAWS)
def test_what_is_stated_of_a_kurtosis_covers_it(name):
    """At most one in ten is off by two standard errors, where one in twenty is expected."""
    estimates, truth = repeated(name)
    wrong = [abs(e.value - truth) > 2 * e.stderr for e in estimates]
    assert np.mean(wrong) <= 0.1


@pytest.mark.parametrize(("name", "known"), [("a Gaussian", 1.0), ("He_4", 0.0), ("He_8", 0.0)])
def test_light_tails_are_known_and_heavy_ones_are_not(name, known):
    share = np.mean([e.known for e in repeated(name)[0]])
    assert share >= known if known else share == 0.0


def test_a_million_samples_know_the_kurtosis_of_a_chaos_of_degree_two():
    y = eval_hermitenorm(2, np.random.default_rng(0).standard_normal((64, 2**14)))
    mean, variance, kurtosis = label_moments(y)
    assert (mean.value, variance.value) == (pytest.approx(y.mean()), pytest.approx(y.var()))
    centred = y - y.mean()
    assert kurtosis.value == pytest.approx((centred**4).mean() / y.var() ** 2)
    assert kurtosis.known and kurtosis.stderr < 0.1 * 15


def test_two_values_have_no_tail():
    y = np.where(np.arange(64 * 100) % 3 == 0, 2.0, -1.0).reshape(64, 100)
    kurtosis = label_moments(y)[2]
    assert kurtosis.value == pytest.approx(1.5, rel=1e-3)
    assert kurtosis.stderr < 0.01


def test_the_ends_hold_the_largest_fourth_powers_whatever_the_centre():
    y = np.random.default_rng(0).standard_normal(10_000)
    for centre in (-3.0, 0.0, 5.0):
        largest = np.sort((y - centre) ** 4)[-TAIL - 1 :]
        np.testing.assert_array_equal(np.sort((_both_ends(y) - centre) ** 4)[-TAIL - 1 :], largest)


def test_an_infinite_standard_error_means_unknown():
    assert not Estimate(80.0, math.inf).known
    assert Estimate(80.0, 1.0).known and Estimate(80.0).known
