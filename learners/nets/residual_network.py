"""The residual network: one stream that every level reads and adds to, many nets as one model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from hierbench.learners.engines.network import Array, DenseNetwork, Passed


@dataclasses.dataclass(frozen=True)
class ResidualNetwork(DenseNetwork):
    r"""Levels with additive skips.

    .. math::
        s_0 = x P, \qquad h_l = \phi(b_l + s_{l-1} W_l), \qquad s_l = s_{l-1} + h_l V_l, \qquad
        f = c + s_L a

    Parameters
    ----------
    stream : int
        Coordinates of the residual stream s.

    The other parameters are those of DenseNetwork.
    """

    stream: int = 1

    def shapes(self) -> list[tuple[int, ...]]:
        """P; W_l, b_l, V_l for l = 1..L; a, c."""
        level = [(self.stream, self.width), (1, self.width), (self.width, self.stream)]
        return [(self.d, self.stream), *(level * self.depth), (self.stream, 1), (1, 1)]

    def reads_x(self) -> tuple[bool, ...]:
        """Which parts have rows for x: P alone."""
        return (True, *[False] * (3 * self.depth + 2))

    def floats_per_sample(self) -> int:
        """Numbers that the two passes keep for a sample, about."""
        return self.d + self.depth * (3 * self.width + self.stream) + 2 * self.stream

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Flat float64 parameters of one net.

        Weights N(0, 1/fan-in), of V half the standard deviation so that the stream keeps its
        scale over the levels; the read-out small.
        """
        parts = [rng.standard_normal(self.d * self.stream) / math.sqrt(self.d)]
        for _ in range(self.depth):
            parts.append(rng.standard_normal(self.stream * self.width) / math.sqrt(self.stream))
            bias = 0.1 if self.activation == "relu" else 0.0
            parts.append(bias * rng.standard_normal(self.width))
            parts.append(rng.standard_normal(self.width * self.stream) * (0.5 / math.sqrt(self.width)))
        parts.append(rng.standard_normal(self.stream) * (0.1 / math.sqrt(self.stream)))
        parts.append(np.zeros(1))
        return np.concatenate(parts)

    def forward(self, parts: Sequence[Array], X: Array) -> Passed:
        """Compute the outputs for X (n, d), or with the same leading axes for parts and X, for many nets."""
        features, pre_activations = [X], []
        stream = X @ parts[0]
        for level in range(self.depth):
            inward, bias, outward = parts[1 + 3 * level : 4 + 3 * level]
            pre_activations.append(bias + stream @ inward)
            features.append(self.activate(pre_activations[-1]))
            stream = stream + features[-1] @ outward
        return Passed(parts[-1] + stream @ parts[-2], features, pre_activations)
