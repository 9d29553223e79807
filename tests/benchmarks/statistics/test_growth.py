"""Growth laws are told apart by the held-out dimension, and only where they can be."""

import math

import numpy as np
import pytest

from hierbench.benchmarks.statistics.growth import LAWS, growth
from hierbench.benchmarks.statistics.sample_complexity import NStar
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import Replicate


def stars(law, slope, dims, rng, sd=0.1, ratio=1.5, replicates=4, largest=math.inf):
    """n* by ``law`` with log-normal replicates, as intervals of a staggered grid."""
    g = LAWS[law]
    found = []
    for d in dims:
        for r in range(replicates):
            log_n = 4.0 + slope * float(g(np.array([float(d)]))[0] - g(np.array([float(dims[0])]))[0])
            log_n += sd * rng.standard_normal()
            step, shift = math.log(ratio), math.modf(0.618 * r)[0]
            i = math.ceil(log_n / step - shift)
            low, high, kind = math.exp((i - 1 + shift) * step), math.exp((i + shift) * step), "bracketed"
            if high > largest:
                low, high, kind = largest, math.inf, "right"
            found.append(NStar("l", "t", d, Replicate(r, r, r), Epsilon(0.1), low, high, kind, 0.1, None))
    return found


@pytest.mark.parametrize(
    ("law", "slope"),
    [
        pytest.param("power", 3.0, marks=pytest.mark.slow),
        pytest.param("quasi-polynomial", 0.6, marks=pytest.mark.slow),
        pytest.param("exponential", 0.25, marks=pytest.mark.slow),
    ],
)
def test_a_law_that_shows_is_found_and_the_wrong_one_almost_never(law, slope):
    rng = np.random.default_rng(0)
    found = [growth(stars(law, slope, (6, 8, 12, 16, 24, 32), rng)).law for _ in range(40)]
    wrong = sum(f not in (law, None) for f in found)
    assert wrong <= 2, found
    assert sum(f == law for f in found) >= (10 if law == "quasi-polynomial" else 30), found


def test_laws_that_cannot_be_told_apart_are_undecided():
    rng = np.random.default_rng(1)
    found = [growth(stars("power", 2.0, (8, 9, 10, 11), rng, sd=0.3)) for _ in range(10)]
    assert all(f.law is None and "about as well" in f.reason for f in found)


def test_a_censored_largest_dimension_still_speaks():
    """Beyond the largest size at d = 32: exponential growth says so, a power law does not."""
    rng = np.random.default_rng(2)
    data = stars("exponential", 0.25, (6, 8, 12, 16, 24, 32), rng, largest=math.exp(9.6))
    assert all(s.censoring == "right" for s in data if s.d == 32)
    found = growth(data)
    assert found.held_out == 32
    assert found.scores["exponential"] > found.scores["power"] + 3


def test_too_few_dimensions_are_said():
    rng = np.random.default_rng(3)
    assert "4 are needed" in growth(stars("power", 2.0, (8, 12), rng)).reason
    assert "3 are needed" in growth(stars("power", 2.0, (8, 12, 16), rng)).reason
    assert growth([]).law is None
