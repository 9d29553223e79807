"""A data set in memory: a pool to draw training samples from, and a held-out test set."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math

import numpy as np

from hierbench.targets.laws.sampling import generator

Shape = tuple[int, int, int]
"""Channels, height and width of an image; a signal has height 1."""

_ORDER = 230  # stream of the order of held-out points
CHUNK = 2**10
"""Rows that are standardised at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class DataSet:
    """Inputs as they are stored, with the constants that standardise them.

    Attributes
    ----------
    pool, held_out : (n, d)
        Inputs, of any numeric type; pixels channel by channel, row by row.
    pool_classes, held_out_classes : (n,) int
        Class numbers.
    shape : tuple of int
    center, scale : (d,) float64
        Inputs are given out as (stored - center) / scale.
    """

    pool: np.ndarray
    pool_classes: np.ndarray
    held_out: np.ndarray
    held_out_classes: np.ndarray
    shape: Shape
    center: np.ndarray
    scale: np.ndarray

    @property
    def d(self) -> int:
        """Number of inputs."""
        return math.prod(self.shape)

    @functools.cached_property
    def classes(self) -> tuple[int, ...]:
        """Class numbers of the pool, increasing."""
        return tuple(map(int, np.unique(self.pool_classes)))

    @property
    def stored_numbers(self) -> float:
        """What is held in memory, in float64."""
        return (self.pool.nbytes + self.held_out.nbytes) / 8 + 2.0 * (
            len(self.pool_classes) + len(self.held_out_classes) + self.d
        )

    def standardised(self, stored: np.ndarray) -> np.ndarray:
        """Inputs as learners see them, (n, d) float64."""
        return (stored.astype(np.float64) - self.center) / self.scale

    def class_of(self, X: np.ndarray) -> list[int | None]:
        """Class of each row that is an input of the data to the bit; None for any other row."""
        return [self._class_by_row.get(_digest(row)) for row in np.ascontiguousarray(X)]

    @functools.cached_property
    def _class_by_row(self) -> dict[bytes, int]:
        """By digest of the standardised row; of equal inputs in two classes the first in the pool counts."""
        known: dict[bytes, int] = {}
        for stored, classes in ((self.pool, self.pool_classes), (self.held_out, self.held_out_classes)):
            for start in range(0, len(stored), CHUNK):
                rows = slice(start, start + CHUNK)
                for row, number in zip(self.standardised(stored[rows]), classes[rows], strict=True):
                    known.setdefault(_digest(row), int(number))
        return known


def _digest(row: np.ndarray) -> bytes:
    # adding zero makes one of the two zeros of IEEE 754
    return hashlib.blake2b((row + 0.0).tobytes(), digest_size=16).digest()


def constants_by_channel(pool: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all pixels of a channel in a pool of whole numbers; each (d,)."""
    channels, pixels = shape[0], shape[1] * shape[2]
    total, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(pool), CHUNK):
        part = pool[start : start + CHUNK].astype(np.float64).reshape(-1, channels, pixels)
        total += part.sum(axis=(0, 2))
        squares += np.square(part).sum(axis=(0, 2))
    n = len(pool) * pixels
    mean = total / n
    deviation = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
    return np.repeat(mean, pixels), np.repeat(np.where(deviation > 0, deviation, 1.0), pixels)


def held_out_order(n: int) -> np.ndarray:
    """Order in which held-out points are given out, (n,): files may begin with the easier ones."""
    return generator(_ORDER).permutation(n)


def standardised_by_channel(
    pool: np.ndarray,
    pool_classes: np.ndarray,
    held_out: np.ndarray,
    held_out_classes: np.ndarray,
    shape: Shape,
) -> DataSet:
    """Images of whole numbers, standardised channel by channel by constants of the pool."""
    center, scale = constants_by_channel(pool, shape)
    order = held_out_order(len(held_out))
    return DataSet(pool, pool_classes, held_out[order], held_out_classes[order], shape, center, scale)
