"""Refinement ends at the brackets of the full grid, with fewer sizes."""

import itertools
import math

import numpy as np
import pytest

from hierbench.benchmarks.results.refine import SLACK, expected, fine_grid, next_sizes, starting_sizes
from hierbench.benchmarks.results.stages import MOST_STAGES
from hierbench.benchmarks.statistics.sample_complexity import NStar, crossing
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import Replicate


def curve(n, scale):
    return 1.0 / (1.0 + (n / scale) ** 2)


def refined(coarse, error, thresholds, ratio, within=None):
    """Sizes taken until nothing is wider than ``ratio``, and the stages that took."""
    taken, stages = list(coarse), 0
    within = within or (min(coarse), max(coarse))
    while new := next_sizes([(n, error(n)) for n in taken], taken, thresholds, ratio, within, 2**stages):
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
    assert next_sizes(measured, [10, 40, 160], [0.5], 1.5, (10, 160)) == ()
    assert next_sizes([(10, 0.1), (40, 0.05)], [10, 40], [0.5], 1.5, (10, 40)) == ()
    assert next_sizes([], [10, 40], [0.5], 1.5, (10, 40)) == ()
    # 20 diverged: its bracket stays as wide as it is
    assert next_sizes([(10, 1.0), (40, 0.1)], [10, 20, 40], [0.5], 2.0, (10, 40)) == ()


def test_thresholds_in_one_bracket_share_its_middle():
    assert next_sizes([(100, 0.9), (400, 0.01)], [100, 400], [0.5, 0.1, 0.03], 1.5, (100, 400)) == (225,)


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


def grid(low, ratio, count):
    return [round(low * ratio**j) for j in range(count)]


def test_a_start_in_the_wrong_place_finds_the_bracket_of_the_full_grid():
    full = grid(20, 1.5, 20)
    thresholds = [0.3, 0.1]
    for scale in (60.0, 900.0, 15000.0, 1e6):
        for guess in (50.0, 1000.0, 30000.0):
            start = starting_sizes((guess, 2 * guess), full[0], full[-1], 1.5)
            taken, stages = refined(
                start, lambda n, s=scale: curve(n, s), thresholds, 1.5, (full[0], full[-1])
            )
            assert set(taken) <= set(full) and stages < MOST_STAGES
            for threshold in thresholds:
                found = crossing(taken, [curve(n, scale) for n in taken], threshold)
                assert found == crossing(full, [curve(n, scale) for n in full], threshold)


def test_a_start_is_at_what_is_expected_and_stays_on_the_grid():
    full = grid(20, 1.5, 12)
    assert starting_sizes((100.0, 150.0), full[0], full[-1], 1.5) == tuple(full[4:6])
    assert starting_sizes((100.0, 105.0, 400.0), full[0], full[-1], 1.5) == (full[4], full[7])
    assert starting_sizes((5.0, 6.0), full[0], full[-1], 1.5) == tuple(full[:2])
    assert starting_sizes((1e6, math.inf), full[0], full[-1], 1.5) == tuple(full[-2:])
    assert starting_sizes((50.0, 1e7), 20, 100, 1.5) == (45, 100), "the end, though it is off the grid"


def test_fine_grid_ends_at_both_ends():
    assert fine_grid(20, grid(20, 1.5, 12)[-1], 1.5) == tuple(grid(20, 1.5, 12))
    assert fine_grid(20, 100, 1.5) == (20, 30, 45, 68, 100)
    assert fine_grid(20, 20, 1.5) == (20,)


def test_no_two_sizes_are_nearly_the_same():
    # the fine grid of 1.4 from 101 misses the coarse one of 7.53, and the end
    ends = (101, round(101 * 7.53**3 * 1.01))
    coarse = [101, round(101 * 7.53), round(101 * 7.53**2), ends[1]]
    for scale in np.geomspace(30, 60000, 40):
        start = starting_sizes((scale, 1.3 * scale), *ends, 1.4)
        for first in (coarse, start):
            taken, _ = refined(first, lambda n, s=scale: curve(n, s), [0.3, 0.1, 0.03], 1.4, ends)
            assert all(b > SLACK * a for a, b in itertools.pairwise(taken))


def star(d, replicate, lower, upper, epsilon=0.1):
    kind = "right" if upper == math.inf else "left" if lower == 0 else "bracketed"
    index = Replicate(replicate, replicate, replicate)
    return NStar("l", "t", d, index, Epsilon(epsilon), lower, upper, kind, epsilon, None)


def test_what_is_expected_follows_the_last_two_dimensions():
    stars = [star(8, 0, 50, 200), star(8, 1, 100, 400), star(8, 0, 500, 2000, 0.01)]
    assert expected(stars, 16, power=3.0) == pytest.approx([8 * 100 * math.sqrt(2), 8 * 1000])
    stars += [star(16, 0, 200, 800), star(16, 0, 4000, math.inf, 0.01)]
    # out of reach at the last d: out of reach at the next
    assert expected(stars, 32, power=3.0) == [pytest.approx(400 * 400 / (100 * math.sqrt(2))), math.inf]
    stars += [star(16, 1, 2000, 8000, 0.01)]
    assert expected(stars, 32, power=3.0)[1] == pytest.approx(16000), "one replicate got there"
    back = [star(8, 0, 500, math.inf), star(16, 0, 500, 2000)]
    assert expected(back, 32, power=3.0) == pytest.approx([8 * 1000]), "no slope from what is beyond reach"
    assert expected([star(8, 0, 0, math.inf)], 16, power=3.0) == []
