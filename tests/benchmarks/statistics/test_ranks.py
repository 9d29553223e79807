"""Groups of learners: equal ones are rarely told apart, different ones are."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hierbench.benchmarks.statistics.ranks import Ranked, compare, compare_all, groups, holm, rank
from hierbench.benchmarks.statistics.sample_complexity import Censoring, NStar
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import Replicate


def star(learner: str, lower: float, upper: float, d: int = 8, r: int = 0) -> NStar:
    kind: Censoring = "right" if math.isinf(upper) else "left" if lower == 0 else "bracketed"
    return NStar(learner, "t", d, Replicate(r, r, r), Epsilon(0.1), lower, upper, kind, 0.1, 2)


def simulated(
    rng: np.random.Generator,
    offsets: Sequence[float],
    dims: Sequence[int] = (8, 12, 16),
    sigma: float = 0.3,
    ratios: Sequence[float] = (2.0,),
    n_max: float = math.inf,
    replicates: int = 4,
) -> list[NStar]:
    """log n* = 3 + 2 log d + what is common to a replicate + offset + sigma z, on staggered grids."""
    stars = []
    for d, r in itertools.product(dims, range(replicates)):
        common = 3 + 2 * math.log(d) + 0.5 * rng.normal()
        for i, offset in enumerate(offsets):
            ratio = ratios[i % len(ratios)]
            grid = np.exp(math.log(ratio) * (0.618 * r % 1 + np.arange(0.0, 30 / math.log(ratio))))
            grid = np.concatenate([[0.0], grid[grid <= n_max], [math.inf]])
            k = int(np.searchsorted(grid, math.exp(common + offset + sigma * rng.normal())))
            stars.append(star(f"l{i}", float(grid[k - 1]), float(grid[k]), d, r))
    return stars


NULLS = [  # learners, dimensions, scatter, ratios of sizes, largest size
    (2, (8, 12, 16), 0.5, (1.4,), math.inf),
    (4, (8,), 1.0, (2.0,), 1300.0),
]
MORE_NULLS = [
    (5, (8, 12, 16), 0.3, (2.0,), math.inf),
    (5, (8, 12, 16), 0.3, (2.0, 1.4, 8.0), math.inf),
    (5, (8,), 0.5, (1.4,), math.inf),
    (5, (8, 12, 16), 0.5, (2.0, 1.4), 3000.0),
]


@pytest.mark.parametrize("setting", [*NULLS, *(pytest.param(s, marks=pytest.mark.slow) for s in MORE_NULLS)])
def test_equal_learners_are_told_apart_in_five_per_cent_at_most(setting: tuple) -> None:
    count, dims, sigma, ratios, n_max = setting
    rng = np.random.default_rng(11)
    repeats = 600
    false = sum(
        any(r.apart_from for r in rank(simulated(rng, [0.0] * count, dims, sigma, ratios, n_max)))
        for _ in range(repeats)
    )
    assert false <= stats.binom.ppf(0.99, repeats, 0.05)


def test_without_the_adjustment_equal_learners_would_be_told_apart_too_often() -> None:
    rng = np.random.default_rng(11)
    false = 0
    for _ in range(150):
        stars = simulated(rng, [0.0] * 6, sigma=0.5, ratios=(1.4,))
        cells = [[s for s in stars if s.learner == f"l{i}"] for i in range(6)]
        false += any(compare(a, b).p <= 0.05 for a, b in itertools.combinations(cells, 2))
    assert false / 150 > 0.15


@pytest.mark.parametrize(("dims", "n_max"), [((8, 12, 16), math.inf), ((8,), math.inf), ((8, 12), 12000.0)])
def test_clearly_different_learners_are_told_apart(dims: tuple[int, ...], n_max: float) -> None:
    """Factor 16 between the second and the third, which may never get there."""
    rng = np.random.default_rng(5)
    right = 0
    for _ in range(50):
        stars = simulated(rng, [0.0, 0.0, math.log(16)], dims, 0.2, n_max=n_max)
        found = {r.learner: r for r in rank(stars)}
        right += found["l2"].apart_from == ("l0", "l1") and (found["l2"].best, found["l2"].worst) == (3, 3)
    assert right >= 45


def test_on_fine_grids_it_is_the_textbooks_stratified_t_test() -> None:
    """One dimension: scipy's paired test. Several: a linear model with an intercept for each."""
    rng = np.random.default_rng(2)
    for dims in ((8,), (8, 12, 16)):
        stars = simulated(rng, [0.0, 0.2], dims, 0.3, (1.0005,))
        first, second = ([s for s in stars if s.learner == name] for name in ("l0", "l1"))
        found = compare(first, second)
        D = np.array([math.log(a.upper / b.upper) for a, b in zip(first, second, strict=True)])
        X = np.array([[float(s.d == d) for d in dims] for s in first])
        beta, rss, *_ = np.linalg.lstsq(X, D)
        c = np.full(len(dims), 1 / len(dims))
        error = math.sqrt(rss[0] / (len(D) - len(dims)) * (c @ np.linalg.inv(X.T @ X) @ c))
        p = 2 * stats.t.sf(abs(c @ beta) / error, len(D) - len(dims))
        assert found.p == pytest.approx(p, rel=2e-2)
        assert found.low == found.high == pytest.approx(c @ beta, abs=1e-3)
        if len(dims) == 1:
            assert found.p == pytest.approx(stats.ttest_1samp(D, 0).pvalue, rel=2e-2)


def test_swapping_the_learners_swaps_the_sign() -> None:
    rng = np.random.default_rng(3)
    stars = simulated(rng, [0.0, 1.0], n_max=4000.0, sigma=0.5)
    first, second = ([s for s in stars if s.learner == name] for name in ("l0", "l1"))
    there, back = compare(first, second), compare(second, first)
    assert (there.sign, there.p) == (-back.sign, pytest.approx(back.p))


def test_a_censored_learner_is_behind_but_never_ahead() -> None:
    reached = [star("a", 100 * 1.2**r, 140 * 1.2**r, r=r) for r in range(4)]
    never = [star("b", 5000.0, math.inf, r=r) for r in range(4)]
    assert compare(reached, never).sign == -1
    assert compare(reached, never).p < 0.01
    middle = np.mean([math.log(s.lower * s.upper) / 2 for s in reached])
    bounds = compare(never, reached)
    assert (bounds.low, bounds.high) == (pytest.approx(math.log(5000) - middle), math.inf)
    early = [star("b", 10.0, math.inf, r=r) for r in range(4)]  # stopped long before the other got there
    assert compare(reached, early).p == 1.0
    assert compare(never, [dataclasses.replace(s, learner="c") for s in never]).dimensions == ()


def test_one_replicate_that_is_censored_forbids_the_other_direction() -> None:
    a = [star("a", 10, 14, r=r) for r in range(3)] + [star("a", 10, math.inf, r=3)]
    b = [star("b", 1000, 1400, r=r) for r in range(4)]
    assert compare(a, b).p == 1.0


def test_pairs_that_agree_to_the_last_bit_are_not_certain() -> None:
    """Differences of exactly one step of the grid: the scatter that rounding hides counts."""
    a = [star("a", 100, 200, r=r) for r in range(4)]
    b = [star("b", 200, 400, r=r) for r in range(4)]
    error = math.sqrt(2 * math.log(2) ** 2 / 12 / 4)
    assert compare(a, b).p == pytest.approx(2 * stats.t.sf(math.log(2) / error, 3))


def test_replicates_that_share_a_target_are_one_unit() -> None:
    stars = simulated(np.random.default_rng(8), [0.0, 0.3])
    twice = stars + [
        dataclasses.replace(s, replicate=dataclasses.replace(s.replicate, init=9)) for s in stars
    ]
    assert compare_all(twice)[0].p == pytest.approx(compare_all(stars)[0].p)


def test_learners_without_a_common_dimension_are_not_compared() -> None:
    stars = [star("a", 100, 200, d=8, r=r) for r in range(4)]
    stars += [star("b", 10**6, 2 * 10**6, d=12, r=r) for r in range(4)]
    assert rank(stars) == [Ranked("a", "a", 1, 2, (), ("b",)), Ranked("b", "a", 1, 2, (), ("a",))]


def test_holm_by_hand_and_by_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    rng = np.random.default_rng(0)
    for p in rng.random((20, 6)) ** 3:
        rejected = set()
        for step, i in enumerate(np.argsort(p)):
            if p[i] > 0.05 / (6 - step):
                break
            rejected.add(int(i))
        assert {i for i, q in enumerate(holm(list(p))) if q <= 0.05} == rejected


PAIRS = list(itertools.combinations("abcdef", 2))


@given(st.sets(st.sampled_from(PAIRS)))
def test_groups_are_the_largest_sets_without_a_pair_that_is_apart(apart: set[tuple[str, str]]) -> None:
    """By brute force over all subsets."""
    free = [
        set(s)
        for k in range(1, 7)
        for s in itertools.combinations("abcdef", k)
        if not apart & set(itertools.combinations(s, 2))
    ]
    largest = {tuple(sorted(s)) for s in free if not any(s < other for other in free)}
    found = groups("abcdef", sorted(apart))
    assert set(found) == largest
    assert found == sorted(found)


def test_letters_and_ranks_of_a_chain() -> None:
    """a and c are apart, b is with both: groups overlap, and b may have any rank."""
    stars = []
    for r, (name, level) in itertools.product(range(4), {"a": 0.0, "b": 0.55, "c": 1.1}.items()):
        n = 100 * math.exp(level + 0.3 * math.sin(5 * r + 40 * level))
        stars.append(star(name, n, 1.2 * n, r=r))
    assert rank(stars) == [
        Ranked("a", "a", 1, 2, ("c",), ()),
        Ranked("b", "ab", 1, 3, (), ()),
        Ranked("c", "b", 2, 3, ("a",), ()),
    ]
