"""Orders of the epochs: permutations, each of them about as often as the others, and those of the twin."""

import itertools
from collections import Counter

import numpy as np
import pytest
import reference_network as reference
from scipy import stats

from hierbench.learners.engines.minibatches import FreshSamples, ShuffledEpochs, orders


def rows(keys, n, start, count):
    sizes = np.full(len(keys), n, dtype=np.uint32)
    return np.asarray(
        orders()(keys, sizes, np.zeros(len(sizes), np.int32), np.uint32(start), np.empty(count, np.int8))
    )


def keys(count, seed=0):
    return np.random.default_rng(seed).integers(1 << 32, size=(count, 2), dtype=np.uint32)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 257, 4096, 30000])
def test_every_epoch_has_every_row_once_in_an_order_of_its_own(n):
    epochs = rows(keys(3), n, 0, 2 * n).reshape(3, 2, n)
    assert (np.sort(epochs, axis=2) == np.arange(n)).all()
    if n > 9:
        assert len({tuple(order) for order in epochs.reshape(-1, n)}) == 6


def test_positions_are_those_of_the_twin_wherever_one_begins():
    key = keys(2, seed=3)
    for n in (7, 1000):
        some = rows(key, n, 500, 40)
        twin = [reference.rows_at(k, n, 500 + np.arange(40)) for k in key]
        np.testing.assert_array_equal(some, twin)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_all_orders_are_as_frequent(n):
    """Over keys, and over the epochs of one key."""
    count = 12000
    over_keys = rows(keys(count), n, 0, n)
    over_epochs = rows(keys(1), n, 0, n * count).reshape(count, n)
    for found in (over_keys, over_epochs):
        counts = Counter(map(tuple, found.tolist()))
        observed = [counts[order] for order in itertools.permutations(range(n))]
        assert stats.chisquare(observed).pvalue > 1e-4


def test_which_rows_share_a_minibatch_is_new_in_every_epoch():
    """Of two rows that share one of 16 minibatches, 15 / 255 share one again: as in independent shuffles."""
    n, batch, epochs = 256, 16, 200
    order = rows(keys(1), n, 0, n * epochs).reshape(epochs, n)
    minibatch = np.empty((epochs, n), dtype=int)
    np.put_along_axis(minibatch, order, np.arange(n) // batch, axis=1)
    together = minibatch[:, :, None] == minibatch[:, None, :]
    pairs = np.triu_indices(n, 1)
    again = (together[:-1] & together[1:])[:, pairs[0], pairs[1]].sum()
    expected = (epochs - 1) * len(pairs[0]) * (15 / 255) ** 2
    assert abs(again - expected) < 5 * np.sqrt(expected)
    times = together[:, pairs[0], pairs[1]].sum(0)
    spread = times.var() / (epochs * (15 / 255) * (1 - 15 / 255))
    assert abs(spread - 1) < 0.05


def test_rows_without_a_known_part():
    X, y = np.arange(6.0).reshape(3, 2), np.ones(3)

    def known(X):
        return X[:, 1]

    np.testing.assert_array_equal(ShuffledEpochs(X, y).minus(known).y, 1 - X[:, 1])
    fresh = FreshSamples(lambda n, rng: (np.full((n, 2), 2.0), np.ones(n)), lambda X, y: (X / 2, y)).minus(
        known
    )
    np.testing.assert_array_equal(fresh.take(2, np.random.default_rng(0))[1], [0, 0])
