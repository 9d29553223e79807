"""MNIST-1D: digits as signals of 40 numbers, as many as wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.checks import one_of
from hierbench.targets.data.data_set import DataSet, Shape
from hierbench.targets.data.data_target import DataTarget
from hierbench.targets.data.mnist1d_recipe import (
    N_CLASSES,
    N_INPUTS,
    PUBLISHED_DEVIATION,
    PUBLISHED_MEAN,
    draw_chances,
    published,
    raw_signals,
)

DRAWS = ("fresh", "published")
_CHUNK = 2**10


@dataclasses.dataclass(frozen=True)
class Mnist1d(DataTarget):
    """MNIST-1D: ten one-dimensional digits, padded, stretched, moved, in noise.

    ::

        drawing of 12 points -> 36 to 60 zeros behind it -> 72 points by linear interpolation
        -> times 0.8 to 1.2 -> moved round by 0 to 47 points
        -> where it is zero: Gaussian noise of sd 0.25, smoothed over 2 points -> noise of sd 0.02 everywhere
        -> minus a line of slope -0.375 to 0.375 -> 40 points by linear interpolation -> (x - mean) / sd

    Mean and standard deviation are single numbers: those of all inputs of the published data set, so that
    fresh and published signals are of one law. It has 4000 signals for training and 1000 for tests, 500 of
    each class together, and is made here from the authors' seed; fresh ones have no end, and their classes
    are independent and equally frequent.

    On the published set the authors report accuracies of 32 % for logistic regression, 68 % for a multilayer
    perceptron and 94 % for a convolutional net.

    Source: Greydanus & Kobak, "Scaling down deep learning with MNIST-1D", arXiv 2011.14439.

    Raises
    ------
    ValueError
        On inconsistent parameters; beyond 4000 training or 1000 test points of the published set.
    """

    questions: ClassVar[Mapping[str, Sequence[int]]] = {"parity": (1, 3, 5, 7, 9)}

    labels: Any = "all"
    """all (0 to 9), parity (odd digits 1, even ones -1), or a pair as in [3, 8] (-1 and 1, no others)"""
    draws: str = "fresh"
    """fresh (as many as wanted) or published (the authors' 4000 without replacement, tests on their 1000)"""

    def __post_init__(self) -> None:
        one_of("draws", self.draws, DRAWS)
        super().__post_init__()

    @property
    def data(self) -> DataSet | None:
        """The published set; None for fresh signals."""
        return published() if self.draws == "published" else None

    @property
    def image_shape(self) -> Shape:
        """One channel of 40 numbers in a row."""
        return 1, 1, N_INPUTS

    @property
    def class_numbers(self) -> Sequence[int]:
        """0 to 9."""
        return range(N_CLASSES)

    def generate(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n signals of the kept classes, (n, 40), and their digits (n,)."""
        first, second, third = rng.spawn(3)
        kept = np.array(sorted(self.label_of))
        X, classes = np.empty((n, N_INPUTS)), np.empty(n, dtype=int)
        for start in range(0, n, _CHUNK):
            rows = slice(start, min(start + _CHUNK, n))
            chances = draw_chances(rows.stop - start, kept, (first, second, third))
            X[rows] = (raw_signals(chances) - PUBLISHED_MEAN) / PUBLISHED_DEVIATION
            classes[rows] = chances.classes
        return X, classes
