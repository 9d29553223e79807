"""The exponent of n* in 1/eps: intervals that hold the truth where all eps come from one curve."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from hierbench.benchmarks.statistics.epsilon_exponent import (
    EpsilonExponent,
    epsilon_exponent,
    epsilon_exponents,
)
from hierbench.benchmarks.statistics.sample_complexity import Censoring, NStar
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.units.rows import Replicate

VALUES = (0.3, 0.1, 0.03, 0.01)


def star(epsilon: float, r: int, lower: float, upper: float, scale: Scale = Scale.VARIANCE) -> NStar:
    kind: Censoring = "right" if math.isinf(upper) else "left" if lower == 0 else "bracketed"
    return NStar("l", "t", 8, Replicate(r, r, r), Epsilon(epsilon, scale), lower, upper, kind, epsilon, 2)


def simulated(
    rng: np.random.Generator,
    exponent: float,
    replicates: int = 4,
    tau: float = 0.0,
    ratio: float = 2.0,
    bend: float = 0.0,
    n_max: float = math.inf,
) -> list[NStar]:
    """Curves with exponents of their own, seen through grids ``ratio^(k + frac(0.618 r))``."""
    x = -np.log(VALUES) + np.log(VALUES).mean()
    stars = []
    for r in range(replicates):
        slope, shift = exponent + tau * rng.normal(), 0.618 * r % 1
        logs = 6 + 0.3 * rng.normal() + slope * x + bend * (x**2 - x.var()) + 0.2 * tau * rng.normal(size=4)
        grid = np.exp(math.log(ratio) * (shift + np.arange(0.0, 16 / math.log(ratio))))
        grid = np.append(grid[grid <= n_max], math.inf)
        for epsilon, n in zip(VALUES, np.exp(np.maximum.accumulate(logs)), strict=True):
            k = int(np.searchsorted(grid, n))
            stars.append(star(epsilon, r, float(grid[k - 1]), float(grid[k])))
    return stars


SETTINGS = [  # exponent, replicates, scatter of exponents, ratio of sizes, bend, largest size
    (0.5, 3, 0.2, 1.4, 0.0, math.inf),
    (0.0, 4, 0.0, 2.0, 0.0, math.inf),
    (0.5, 4, 0.1, 1.4, -0.05, math.inf),
    (0.5, 4, 0.1, 1.4, 0.0, 1000.0),
]
MORE_SETTINGS = [
    (0.5, 4, 0.2, 1.4, 0.0, math.inf),
    (1.0, 4, 0.2, 2.0, 0.0, math.inf),
    (1.0, 10, 0.2, 1.4, 0.0, math.inf),
    (0.5, 10, 0.05, 2.0, 0.0, math.inf),
    (0.25, 4, 0.0, 1.4, 0.0, math.inf),
]


@pytest.mark.parametrize(
    "setting", [*SETTINGS, *(pytest.param(s, marks=pytest.mark.slow) for s in MORE_SETTINGS)]
)
def test_interval_covers_the_truth_and_is_never_empty(setting: tuple[float, ...]) -> None:
    exponent, replicates, tau, ratio, bend, n_max = setting
    rng = np.random.default_rng(7)
    draws = (simulated(rng, exponent, int(replicates), tau, ratio, bend, n_max) for _ in range(400))
    found = [e for e in map(epsilon_exponent, draws) if e.kind == "estimate"]
    assert len(found) >= 150
    covered = np.mean([e.low <= exponent <= e.high for e in found])
    assert covered >= 0.92
    assert min(e.high - e.low for e in found) > 0.02


def test_treating_every_eps_as_an_observation_of_its_own_would_not_cover() -> None:
    rng = np.random.default_rng(7)
    naive, ours = [], []
    for _ in range(300):
        stars = simulated(rng, 0.75, 4, 0.2, 1.4)
        line = stats.linregress(
            [-math.log(s.epsilon.value) for s in stars], [math.log(s.lower * s.upper) / 2 for s in stars]
        )
        naive.append(abs(line.slope - 0.75) <= stats.t.ppf(0.975, len(stars) - 2) * line.stderr)
        found = epsilon_exponent(stars)
        ours.append(found.low <= 0.75 <= found.high)
    assert np.mean(ours) >= 0.92
    assert np.mean(naive) < 0.85


def test_on_a_fine_grid_it_is_students_t_interval_of_the_replicates_slopes() -> None:
    rng = np.random.default_rng(3)
    stars = simulated(rng, 2.0, 5, 0.3, ratio=1.0001)
    x = -np.log(VALUES)
    slopes = [
        np.polyfit(x, [math.log(s.upper) for s in stars if s.replicate.target == r], 1)[0] for r in range(5)
    ]
    twin = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    found = epsilon_exponent(stars)
    assert (found.low, found.high) == pytest.approx((twin.low, twin.high), abs=1e-3)
    assert found.value == pytest.approx(np.mean(slopes), abs=1e-3)
    assert found.sigma == pytest.approx(np.std(slopes, ddof=1), abs=1e-3)


def test_width_left_by_the_grid_is_that_of_uniform_rounding() -> None:
    """Replicates that agree: the standard error is the one a Monte Carlo over the intervals finds."""
    stars = [star(e, r, 2.0 ** (6 + k), 2.0 ** (7 + k)) for k, e in enumerate(VALUES) for r in range(4)]
    found = epsilon_exponent(stars)
    rng = np.random.default_rng(0)
    y = math.log(2) * (6 + np.arange(4) + rng.random((200_000, 4)))
    spread = np.polyfit(-np.log(VALUES), y.T, 1)[0].std()
    assert found.sigma == pytest.approx(spread, rel=0.01)


def test_exact_recovery_has_the_exponent_0() -> None:
    stars = [star(e, r, 100.0 * 1.1**r, 140.0 * 1.1**r) for e in VALUES for r in range(4)]
    found = epsilon_exponent(stars)
    assert found.kind == "estimate"
    assert (found.value, found.low) == (pytest.approx(0, abs=1e-12), 0.0)
    assert 0 < found.high < 0.1


def test_replicates_that_share_a_target_are_one_unit() -> None:
    plain = simulated(np.random.default_rng(1), 0.5, 4, 0.2)
    twice = plain + [
        dataclasses.replace(s, replicate=Replicate(s.replicate.target, s.replicate.sample, 9)) for s in plain
    ]
    once, doubled = epsilon_exponent(plain), epsilon_exponent(twice)
    assert doubled.n_units == 4
    assert (doubled.value, doubled.low, doubled.high) == pytest.approx((once.value, once.low, once.high))


def test_only_eps_that_every_replicate_brackets_enter() -> None:
    stars = simulated(np.random.default_rng(2), 0.5, 4, 0.1)
    cut = [star(s.epsilon.value, 0, s.lower, math.inf) if s is stars[3] else s for s in stars]
    found = epsilon_exponent(cut)
    assert found.epsilons == VALUES[:3]
    assert found == epsilon_exponent([s for s in stars if s.epsilon.value != VALUES[3]])


def test_out_of_reach_gives_a_bound_that_is_the_best_pair_by_hand() -> None:
    stars = [star(0.3, r, 50, 100 + r) for r in range(2)]
    stars += [star(0.1, 0, 200, 400), star(0.1, 1, 500, math.inf)]
    stars += [star(e, r, 500 + r, math.inf) for e in (0.03, 0.01) for r in range(2)]
    found = epsilon_exponent(stars)
    assert found.kind == "lower bound"
    assert found.low == pytest.approx(math.log(500 / 101) / math.log(0.3 / 0.03))
    assert found.epsilons == (0.3, 0.03)
    assert math.isinf(found.high)


def reason(stars: list[NStar]) -> str:
    found = epsilon_exponent(stars)
    assert found.kind == "unidentified"
    assert (found.low, found.high, found.value) == (-math.inf, math.inf, None)
    return found.reason


def test_without_an_exponent_the_reason_is_said() -> None:
    assert reason([star(e, r, 10, math.inf) for e in VALUES for r in range(3)]) == "n* > n_max at every eps"
    assert reason([star(e, r, 0, 10) for e in VALUES for r in range(3)]) == "n* < n_min at every eps"
    assert reason([star(e, 0, 10, 20) for e in VALUES]) == "one target: its spread is unknown"
    two = [star(e, r, 10, 20) for e in VALUES[:2] for r in range(3)]
    assert reason(two) == "all replicates bracketed at 2 eps, 3 are needed"
    undefined = dataclasses.replace(two[0], censoring="undefined", lower=0.0, upper=math.inf)
    assert reason([undefined]) == f"{undefined.epsilon.scale} is undefined"
    assert reason([dataclasses.replace(undefined, censoring="missing")]) == "no data"
    assert epsilon_exponent([]) == EpsilonExponent("unidentified", reason="no data")


def test_eps_and_eps_rel_are_apart() -> None:
    absolute = simulated(np.random.default_rng(4), 0.5)
    relative = [star(e, r, 10, math.inf, Scale.UPPER_HALF) for e in VALUES for r in range(4)]
    found = epsilon_exponents(absolute + relative)
    assert list(found) == [("t", "l", 8, Scale.VARIANCE), ("t", "l", 8, Scale.UPPER_HALF)]
    assert found["t", "l", 8, Scale.VARIANCE] == epsilon_exponent(absolute)
    assert found["t", "l", 8, Scale.UPPER_HALF].kind == "unidentified"
