"""The residual network: one stream that every level reads and adds to, many nets as one model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.network import DenseNetwork


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

    def forward(self, views: Sequence[Tensor], X: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Compute the outputs (n_nets, n, 1); x, h_1..h_L; and slopes, then streams."""
        features, slopes = [X], []
        streams = [torch.bmm(X, views[0])]
        for level in range(self.depth):
            inward, bias, outward = views[1 + 3 * level : 4 + 3 * level]
            h, slope = self._activate(torch.baddbmm(bias, streams[-1], inward))
            features.append(h)
            slopes.append(slope)
            streams.append(torch.baddbmm(streams[-1], h, outward))
        row = torch.baddbmm(views[-1], views[-2].mT, streams[-1].mT)
        return row.mT.contiguous(), features, slopes + streams

    def backward(
        self,
        views: Sequence[Tensor],
        gradients: Sequence[Tensor],
        error: Tensor,
        features: Sequence[Tensor],
        slopes: Sequence[Tensor],
        lowest: int = 1,
    ) -> None:
        """Write d(sum of outputs * error)/d(parameters) into ``gradients``; nothing is frozen."""
        streams = slopes[self.depth :]
        torch.sum(error, dim=1, keepdim=True, out=gradients[-1])
        gradients[-2].mT.copy_(torch.bmm(error.mT, streams[-1]))
        down = error * views[-2].mT
        for level in reversed(range(self.depth)):
            at = 1 + 3 * level
            torch.bmm(features[level + 1].mT, down, out=gradients[at + 2])
            dz = torch.bmm(down, views[at + 2].mT).mul_(slopes[level])
            torch.bmm(streams[level].mT, dz, out=gradients[at])
            torch.sum(dz, dim=1, keepdim=True, out=gradients[at + 1])
            down.baddbmm_(dz, views[at].mT)
        torch.bmm(features[0].mT, down, out=gradients[0])
