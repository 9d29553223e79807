"""Rows in blocks of one size, in which BLAS treats a row alike: nested samples agree to the bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 2048
"""Rows evaluated at a time."""


def padded(X: np.ndarray) -> np.ndarray:
    """Up to ``CHUNK`` rows, filled up with zeros to so many."""
    if len(X) == CHUNK:
        return X
    block = np.zeros((CHUNK, X.shape[1]))
    block[: len(X)] = X
    return block


def padded_chunks(X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of the rows, and the rows of each, ``padded``; at least one."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    for start in range(0, max(len(X), 1), CHUNK):
        chunk = X[start : start + CHUNK]
        yield slice(start, start + len(chunk)), padded(chunk)
