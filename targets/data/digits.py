"""Handwritten digits of 8 x 8 pixels, which come with scikit-learn."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.targets.data.data_set import DataSet, Shape, standardised_by_channel
from hierbench.targets.data.data_target import DataTarget
from hierbench.targets.laws.sampling import generator

SHAPE: Shape = (1, 8, 8)
HELD_OUT_A_CLASS = 36
"""Of 174 to 183 points of a class: 360 of 1797 together."""

_SPLIT = 231  # stream that says which


@dataclasses.dataclass(frozen=True)
class Digits(DataTarget):
    """Handwritten digits of scikit-learn: 1797 images of 8 x 8 pixels, from 0 to 16.

    36 of each class are held out, drawn once and for all from a fixed seed: 360 for tests, 1437 to train on.
    Inputs are (pixel - mean) / sd with the one mean and the one standard deviation of all pixels that are
    there to train on. Images of one writer are on both sides.

    Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998, its test part, as ``sklearn.datasets.load_digits``.

    Raises
    ------
    ValueError
        On inconsistent parameters, and beyond 1437 training or 360 test points.
    """

    questions: ClassVar[Mapping[str, Sequence[int]]] = {"parity": (1, 3, 5, 7, 9)}

    labels: Any = "all"
    """all (0 to 9), parity (odd digits 1, even ones -1), or a pair as in [3, 8] (-1 and 1, no others)"""

    @property
    def data(self) -> DataSet:
        """All of it; read once."""
        return _digits()

    @property
    def image_shape(self) -> Shape:
        """One channel of 8 x 8."""
        return SHAPE

    @property
    def class_numbers(self) -> Sequence[int]:
        """0 to 9."""
        return range(10)


@functools.cache
def _digits() -> DataSet:
    # scikit-learn takes a second to import, which a target by another name does without
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    images = np.rint(images).astype(np.uint8)
    order = generator(_SPLIT).permutation(len(classes))
    held_out = np.zeros(len(classes), dtype=bool)
    for number in range(10):
        held_out[order[classes[order] == number][:HELD_OUT_A_CLASS]] = True
    return standardised_by_channel(
        images[~held_out], classes[~held_out], images[held_out], classes[held_out], SHAPE
    )
