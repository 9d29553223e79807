"""Fixed-seed batches and the jackknife over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hierbench.targets.laws.measures import Measure

BATCH = 2**14
"""Rows in a batch; batches are also the groups of the jackknife."""

_SEED = 20010441300


def generator(stream: int) -> np.random.Generator:
    """Return the generator behind ``batches`` of the same stream."""
    return np.random.Generator(np.random.PCG64([_SEED, stream]))


def batches(samples: int, measure: Measure, stream: int) -> Iterator[np.ndarray]:
    """Batches of the law, shape (BATCH, m), the same at every call.

    ``stream`` tells apart uses that must be independent of one another.
    """
    rng = generator(stream)
    for _ in range(max(samples // BATCH, 2)):
        yield measure.sample(BATCH, rng)


def jackknife(
    moments: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Apply ``function`` to the mean of batch moments, and its standard error.

    Parameters
    ----------
    moments : array of shape (batches, ...)
        Means over independent batches of equal size.
    function : callable
        From moments, shape (...), to an array of shape (q,).

    Returns
    -------
    value, stderr : arrays of shape (q,)
        Delete-one-batch jackknife (Efron & Stein 1981); no bias correction.
    """
    n = len(moments)
    total = moments.sum(axis=0)
    value = np.asarray(function(total / n))
    left_out = np.stack([function((total - batch) / (n - 1)) for batch in moments])
    return value, np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
