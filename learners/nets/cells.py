"""One size of one curve while a block is trained, and what ``fit`` has settled for it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

import numpy as np

from hierbench.learners.engines.network import DenseNetwork


class Scale(Protocol):
    """What puts a training set on the scale of the nets."""

    def both(self, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale inputs and labels."""


@dataclasses.dataclass
class Cell:
    """Its data, its seed, its scale, the steps that it begins with, and what is fitted so far."""

    curve: int
    X: np.ndarray
    y: np.ndarray
    seed: tuple[int, int]
    scaling: Scale
    steps: int
    fitted: Any = None


class Choice(NamedTuple):
    """What the final training of a cell takes.

    spent, work : steps that it took to find it, and those steps times the operations of a forward pass.
    edges, candidates : whether the last step beyond the grid lowered the held-out error by 5 %, and how many
        candidates were tried.
    """

    network: DenseNetwork
    learning_rate: float
    weight_decay: float
    steps: int
    spent: int
    work: float
    edges: int
    candidates: int
