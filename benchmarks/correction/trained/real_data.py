"""Samples of data that nobody built, for the experiments with convolutional nets."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierbench.checks import one_of
from hierbench.targets.registry import make_target

SHAPES = {"mnist1d": (1, 40), "digits": (1, 8, 8)}
"""Images of each data set, as the nets take them."""

Data = tuple[np.ndarray, np.ndarray]
"""Inputs (n, d) and numbers of classes (n,)."""


def samples(data: str, n: int, points: int, seed: int, stream: int) -> tuple[Data, Data]:
    """Draw n training points, and ``points`` test points or as many as are held out.

    Parameters
    ----------
    data : {"mnist1d", "digits"}
    seed, stream : int
        Of the training points; the next stream is that of the test points.

    Raises
    ------
    ValueError
        Unknown data.
    """
    one_of("data", data, tuple(SHAPES))
    target: Any = make_target(data, int(np.prod(SHAPES[data])), 0)
    train = target.sample(n, np.random.default_rng([seed, stream]))
    most = points if target.n_test is None else min(points, target.n_test)
    return train, target.sample_test(most, np.random.default_rng([seed, stream + 1]))
