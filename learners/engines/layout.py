"""How the parameters of nets lie on the device: what is trained in one row, inputs filled up with zeros.

Compiling a program takes longer than many a training, and takes place for each shape. So x gets columns of
zeros up to a multiple of eight, and what multiplies them rows of zeros: these have no gradient and stay.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from hierbench.learners.engines.network import DenseNetwork, split

_MULTIPLE = 8
_T = TypeVar("_T")


class Layout:
    """Of nets of one network of which some parts are trained.

    Attributes
    ----------
    filled : DenseNetwork
        The network that is compiled: ``network`` with more inputs.
    trainable : for each part, whether it is trained.
    """

    def __init__(self, network: DenseNetwork, trainable: Sequence[bool]) -> None:
        self.network, self.trainable = network, tuple(trainable)
        self.filled = dataclasses.replace(network, d=-(-network.d // _MULTIPLE) * _MULTIPLE)
        self._more = self.filled.d - network.d

    def inputs(self, X: np.ndarray) -> np.ndarray:
        """Fill up X (..., d)."""
        return np.concatenate([X, np.zeros((*X.shape[:-1], self._more), dtype=X.dtype)], axis=-1)

    def apart(self, flat: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Of parameters (n_nets, n_parameters): those that are trained, in one row a net; the other parts."""
        parts = [self.part(i, part) for i, part in enumerate(self.network.parts(flat))]
        return _in_rows(self._those(parts, True)), self._those(parts, False)

    def together(self, trained: np.ndarray, fixed: Sequence[np.ndarray]) -> np.ndarray:
        """Return the parameters (n_nets, n_parameters)."""
        moving, still = iter(split(trained, self._those(self.filled.shapes(), True))), iter(fixed)
        parts = [next(moving if moves else still) for moves in self.trainable]
        d = self.network.d
        return _in_rows(
            [
                np.delete(part, slice(d, d + self._more), axis=1) if reads else part
                for part, reads in zip(parts, self.network.reads_x(), strict=True)
            ]
        )

    def part(self, index: int, part: np.ndarray) -> np.ndarray:
        """Fill up the part of that index, (n_nets, rows, columns)."""
        if not self.network.reads_x()[index]:
            return part
        return np.insert(part, [self.network.d] * self._more, 0.0, axis=1)

    def position(self, index: int) -> int:
        """Where the part of that index begins in the row of those that are trained."""
        shapes = self.filled.shapes()
        return sum(math.prod(shapes[i]) for i in range(index) if self.trainable[i])

    def decays(self) -> np.ndarray:
        """Say of every trained parameter whether it decays, (n_trained,) of 0 and 1."""
        decayed = zip(self.filled.shapes(), self.network.decayed(), strict=True)
        return np.concatenate(self._those([np.full(math.prod(s), float(d)) for s, d in decayed], True))

    def _those(self, parts: Sequence[_T], trained: bool) -> list[_T]:
        return [part for part, moves in zip(parts, self.trainable, strict=True) if moves is trained]


def _in_rows(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
