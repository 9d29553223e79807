"""A number depends on the names of its axes, never on a position or on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import draw, seeds
from benchmarks.suite import SizePlan, crossed_replicates, plain_replicates

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


def test_sizes_are_staggered_increasing_and_cut():
    plan = SizePlan(scale=2, power=2, ratio=2, count=5, max=600)
    for sample in range(8):
        sizes = plan.sizes(4, sample)
        assert list(sizes) == sorted(set(sizes)) and sizes[-1] <= 600
        shift = (0.618 * sample) % 1
        assert sizes == tuple(round(32 * 2 ** (i + shift)) for i in range(5) if 32 * 2 ** (i + shift) < 600.5)
    assert plan.sizes(4, 0) != plan.sizes(4, 1)


def test_rounded_sizes_are_not_repeated():
    assert SizePlan(scale=1, power=0, ratio=1.1, count=10, max=100).sizes(4, 0) == (1, 2)


def test_crossed_replicates_are_all_triples():
    found = crossed_replicates(4, 2, 2)
    assert len(set(found)) == 16
    assert found[:4] == tuple(type(found[0])(0, s, i) for s in range(2) for i in range(2))


@pytest.mark.parametrize("r", range(4))
def test_plain_replicates_are_diagonal(r):
    one = plain_replicates(4)[r]
    assert (one.target, one.sample, one.init) == (r, r, r)
