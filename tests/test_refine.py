"""Refinement ends at the brackets of the full grid, with fewer sizes."""

import math

import numpy as np
import pytest

from benchmarks.refine import SLACK, next_sizes
from benchmarks.sample_complexity import crossing


def curve(n, scale):
    return 1.0 / (1.0 + (n / scale) ** 2)


def refined(coarse, error, thresholds, ratio):
    """Sizes taken until nothing is wider than ``ratio``, and the stages that took."""
    taken, stages = list(coarse), 0
    while new := next_sizes([(n, error(n)) for n in taken], taken, thresholds, ratio):
        taken, stages = sorted([*taken, *new]), stages + 1
        assert stages < 20
    return taken, stages


@pytest.mark.parametrize("scale", [60.0, 700.0, 9000.0])
def test_brackets_end_as_narrow_as_asked_for_around_the_true_crossing(scale):
    coarse = [round(20 * 6.0**i) for i in range(6)]
    thresholds = [0.3, 0.1, 0.03]
    taken, stages = refined(coarse, lambda n: curve(n, scale), thresholds, 1.6)
    assert stages <= 3
    for threshold in thresholds:
        true = scale * math.sqrt(1 / threshold - 1)
        low, high, kind = crossing(taken, [curve(n, scale) for n in taken], threshold)
        assert kind == ("bracketed" if true <= max(coarse) else "right")
        assert low < true <= high
        if kind == "bracketed":
            assert high <= SLACK * 1.6 * low * 1.001
    full = len(range(math.ceil(math.log(6.0**5) / math.log(1.6)) + 1))
    assert len(taken) <= 0.8 * full


def test_nothing_is_asked_for_beyond_the_ends_or_twice():
    measured = [(10, 1.0), (40, 0.9), (160, 0.8)]
    assert next_sizes(measured, [10, 40, 160], [0.5], 1.5) == ()
    assert next_sizes([(10, 0.1), (40, 0.05)], [10, 40], [0.5], 1.5) == ()
    assert next_sizes([], [10, 40], [0.5], 1.5) == ()
    # 20 diverged: its bracket stays as wide as it is
    assert next_sizes([(10, 1.0), (40, 0.1)], [10, 20, 40], [0.5], 2.0) == ()


def test_thresholds_in_one_bracket_share_its_middle():
    assert next_sizes([(100, 0.9), (400, 0.01)], [100, 400], [0.5, 0.1, 0.03], 1.5) == (200,)


def test_a_noisy_curve_is_refined_where_the_statistic_puts_its_crossing():
    rng = np.random.default_rng(0)
    for _ in range(50):
        noise = {}
        scale = float(np.exp(rng.uniform(4, 8)))

        def error(n, noise=noise, scale=scale):
            return curve(n, scale) * noise.setdefault(n, float(np.exp(0.3 * rng.standard_normal())))

        taken, _ = refined([round(20 * 6.0**i) for i in range(6)], error, [0.1], 1.6)
        low, high, kind = crossing(taken, [error(n) for n in taken], 0.1)
        assert kind == "bracketed" and high <= SLACK * 1.6 * low * 1.01
