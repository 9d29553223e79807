"""What a replicate draws: its target, its training sample, its initialisation, its test points."""

from __future__ import annotations

import numpy as np

from hierbench.benchmarks.units import seeds
from hierbench.benchmarks.units.vocabulary import TargetSpec
from hierbench.targets.base import Target
from hierbench.targets.registry import make_target


def draw_target(spec: TargetSpec, d: int, index: int) -> Target:
    """Target number ``index`` of a family at ``d``."""
    seed = seeds.derive("target", **spec, d=d, index=index)
    return make_target(spec["family"], d, seed, **spec["parameters"])


def draw_sample(target: Target, spec: TargetSpec, index: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """First n points of training sample ``index``: the same inputs whatever the target's index."""
    return target.sample(n, seeds.generator("sample", **spec, d=target.d, index=index))


def random_state(spec: TargetSpec, d: int, index: int) -> int:
    """Initialisation seed, of 32 bits because scikit-learn takes no more."""
    return seeds.derive("init", **spec, d=d, index=index) >> 31


class TestSet:
    """Test points of one drawn target, made as they are asked for: a larger set starts with the smaller.

    Pieces of sizes min, min, 2 min, 4 min, ... come one after the other from one generator,
    whose seed depends on the target's index and not on the sample's: all learners, replicates and
    sizes on this target share their test points.
    """

    __test__ = False

    def __init__(self, target: Target, minimum: int, rng: np.random.Generator) -> None:
        self.target = target
        self.minimum = minimum
        self.rng = rng
        self.pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def piece(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, noise-free labels and weights number ``start(i)`` to ``start(i + 1)``."""
        while len(self.pieces) <= i:
            n = self.minimum << max(len(self.pieces) - 1, 0)
            self.pieces.append(self.target.importance_sample(n, self.rng))
        return self.pieces[i]

    def start(self, i: int) -> int:
        """Number of points before piece ``i``: 0, min, 2 min, 4 min, ..."""
        return 0 if i == 0 else self.minimum << (i - 1)
