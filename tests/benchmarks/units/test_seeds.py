"""A number depends on the names of its axes, never on a position or on its neighbours."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hierbench.benchmarks.suites.suite import SizePlan, crossed_replicates, plain_replicates
from hierbench.benchmarks.units import draw, seeds

SPEC = {"family": "squares", "parameters": {"depth": 2, "width": 2}}


def test_seeds_are_what_they_were():
    # A changed derivation would silently change every number of every store.
    assert seeds.derive("target", family="squares", d=4, index=0) == 3720120406614270219
    assert seeds.derive("sample", a=1, b=2) == seeds.derive("sample", b=2, a=1)


def test_seeds_differ_along_every_axis():
    base = {"family": "squares", "d": 4, "index": 0}
    others = [{**base, "d": 6}, {**base, "index": 1}, {**base, "family": "projected"}]
    found = {seeds.derive("target", **axes) for axes in [base, *others]}
    found |= {seeds.derive(purpose, **base) for purpose in ("sample", "test", "init")}
    assert len(found) == 7


def test_training_sets_are_nested_in_n():
    target = draw.draw_target(SPEC, 4, 0)
    X, y = draw.draw_sample(target, SPEC, 0, 50)
    X_small, y_small = draw.draw_sample(target, SPEC, 0, 20)
    np.testing.assert_array_equal(X[:20], X_small)
    np.testing.assert_array_equal(y[:20], y_small)


def test_sample_does_not_depend_on_the_target_drawn():
    # Else a crossed cell could not tell the two variances apart.
    X = [draw.draw_sample(draw.draw_target(SPEC, 4, i), SPEC, 0, 10)[0] for i in (0, 1)]
    np.testing.assert_array_equal(*X)


def test_test_sets_are_nested_and_double():
    target = draw.draw_target(SPEC, 4, 0)
    tests = draw.TestSet(target, 16, seeds.generator("test", d=4))
    assert [tests.start(i) for i in range(5)] == [0, 16, 32, 64, 128]
    assert [len(tests.piece(i)[1]) for i in range(4)] == [16, 16, 32, 64]
    again = draw.TestSet(target, 16, seeds.generator("test", d=4))
    np.testing.assert_array_equal(again.piece(0)[0], tests.piece(0)[0])


def test_random_state_fits_scikit_learn():
    states = [draw.random_state(SPEC, 4, i) for i in range(50)]
    assert all(0 <= s < 2**32 for s in states) and len(set(states)) == 50


def stagger_by_hand(d, sample):
    """Of scale 2, power 2, ratio 2."""
    text = f'["sizes",{{"d":{d},"power":2.0,"scale":2.0,"step":2.0}}]'
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") // 2) / 2**63 + 0.618 * sample) % 1


def test_sizes_are_staggered_increasing_and_cut():
    plan = SizePlan(scale=2, power=2, ratio=2, count=5, max=600)
    for d, sample in itertools.product((3, 4), range(8)):
        sizes = plan.sizes(d, sample)
        assert list(sizes) == sorted(set(sizes)) and sizes[-1] <= 600
        shift = stagger_by_hand(d, sample)
        wanted = [2 * d * d * 2 ** (i + shift) for i in range(5)]
        assert sizes == tuple(round(n) for n in wanted if n < 600.5)
    assert plan.sizes(4, 0) != plan.sizes(4, 1)


def test_more_sizes_change_no_existing_one():
    few = SizePlan(scale=2.5, power=1, ratio=1.6, count=3, max=300)
    more = dataclasses.replace(few, count=9, max=10**6)
    for d, sample in itertools.product((4, 8, 16), range(6)):
        kept = few.sizes(d, sample)
        assert more.sizes(d, sample)[: len(kept)] == kept
    assert few.stagger(8, 2) == SizePlan(5 / 2, 1.0, 1.6, 3, 300).stagger(8, 2)
    assert dataclasses.replace(few, ratio=8.0, refine=1.6).stagger(8, 2) == few.stagger(8, 2)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.6])
def test_where_a_curve_lies_between_sizes_does_not_follow_from_its_exponent(exponent):
    """Uniform at every d, and independent of where it lies at another d."""
    cells = np.zeros((4, 4))
    for k in range(800):
        plan = SizePlan(scale=2.0 + k, power=0, ratio=2, count=1, max=10)
        where = [(exponent * math.log2(d) - plan.stagger(d, 0)) % 1 for d in (8, 24)]
        cells[int(4 * where[0]), int(4 * where[1])] += 1
    assert stats.chisquare(cells.ravel()).pvalue > 0.01


def test_replicates_of_a_dimension_stay_apart():
    plan = SizePlan(scale=7, power=2, ratio=2, count=1, max=10)
    for count, d in itertools.product((3, 5, 8), (8, 12, 32)):
        at = np.sort([plan.stagger(d, r) for r in range(count)])
        assert np.diff(at, append=at[0] + 1).min() > 0.7 * 0.382 ** math.ceil(math.log(count, 1.618) / 2)


def test_rounded_sizes_are_not_repeated():
    plan = SizePlan(scale=1, power=0, ratio=1.1, count=10, max=100)
    assert {plan.sizes(d, 0) for d in range(1, 40)} == {(1, 2), (1, 2, 3)}  # 1.1^9.. 1.1^10 is 2.36 to 2.59


def test_crossed_replicates_are_all_triples():
    found = crossed_replicates(4, 2, 2)
    assert len(set(found)) == 16
    assert found[:4] == tuple(type(found[0])(0, s, i) for s in range(2) for i in range(2))


@pytest.mark.parametrize("r", range(4))
def test_plain_replicates_are_diagonal(r):
    one = plain_replicates(4)[r]
    assert (one.target, one.sample, one.init) == (r, r, r)
