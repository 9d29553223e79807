"""The network of Algorithm 1: a narrow and a wide half a level, many nets as one batched model."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.network import DenseNetwork

_OUTPUT = 0.3
"""Sum(F_l) of a fresh level, on average: small against the labels, which have variance 1."""
_LIFTED = 2.0
"""Norm of s(R_j S_j) where S_j has norm 1: levels on one scale, however many rows R_j has."""


@dataclasses.dataclass(frozen=True)
class Algorithm1Network(DenseNetwork):
    r"""Narrow features passed up, wide ones read out.

    With :math:`u_l = (x, 1, s(R_1 S_1), \dots, s(R_{l-1} S_{l-1}))`,

    .. math::
        S_l = K_l u_l \in R^{k_l}, \qquad F_l = (W_l u_l)^2 \in R^m, \qquad
        F = c + \sum_l a_l \mathrm{Sum}(F_l)

    where the square is taken coordinate by coordinate, ``s`` is the square centred for a standard
    Gaussian and scaled by ``lift_scale``, and both are continued linearly where
    \|z\| > ``truncation``. The rows of ``R_j`` are random and never trained. A level whose K and W
    are zero is off: it adds nothing to F and the gradient of the loss in it is zero.

    K and W of a level lie side by side, as ``P_l`` of shape (inputs, k_l + m).

    Parameters
    ----------
    width : int
        m, of every level.
    narrow : tuple of int
        k_1, ..., k_L.
    rows : tuple of int
        Rows of R_1, ..., R_{L-1}; 0 stands for the identity, s(S_j) itself.
    """

    narrow: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()

    def lifted(self) -> list[int]:
        """Count the coordinates of s(R_j S_j), j = 1..L-1."""
        return [r or k for r, k in zip(self.rows, self.narrow, strict=False)]

    def lift_scale(self, j: int) -> float:
        """Factor on the centred square in s(R_{j+1} S_{j+1}); its variance is 2 without one."""
        return _LIFTED / math.sqrt(2.0 * self.lifted()[j])

    def inputs(self) -> list[int]:
        """Count the coordinates of u_1, ..., u_L."""
        return [self.d + 1 + sum(self.lifted()[:j]) for j in range(self.depth)]

    def shapes(self) -> list[tuple[int, ...]]:
        """P_1..P_L, R_1..R_{L-1} (transposed), then a and c."""
        lifts = list(zip(self.narrow, self.lifted(), strict=False))
        return [*self.blocks(), *lifts, (self.depth, 1), (1, 1)]

    def blocks(self) -> list[tuple[int, ...]]:
        """Shapes of P_1..P_L."""
        return [(u, k + self.width) for u, k in zip(self.inputs(), self.narrow, strict=True)]

    def block_slices(self) -> list[slice]:
        """Where P_1..P_L lie in the flat parameters."""
        ends = np.cumsum([0, *(math.prod(s) for s in self.blocks())])
        return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]

    def floats_per_sample(self) -> int:
        """Numbers that the two passes keep for a sample, about."""
        return 2 * (self.d + 1) + sum(3 * r for r in self.lifted()) + 4 * sum(s[1] for s in self.blocks())

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Flat float64 parameters of one net with every level's fresh K and W.

        Scaled so that ``|S_l|^2`` is of the order of the labels and ``Sum(F_l)`` below it,
        whatever k, m and the number of inputs.
        """
        parts = []
        for (n_inputs, _), k in zip(self.blocks(), self.narrow, strict=True):
            scale = np.repeat([1.0 / math.sqrt(k), math.sqrt(_OUTPUT / self.width)], [k, self.width])
            parts.append((rng.standard_normal((n_inputs, len(scale))) * scale).ravel() / math.sqrt(n_inputs))
        for rows, k, lifted in zip(self.rows, self.narrow, self.lifted(), strict=False):
            parts.append((rng.standard_normal((k, lifted)) if rows else np.eye(k)).ravel())
        return np.concatenate([*parts, np.ones(self.depth), np.zeros(1)])

    # passes ------------------------------------------------------------------------------

    def _square(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the truncated square and its slope."""
        inner = z.clamp(-self.truncation, self.truncation)
        return torch.sub(z, inner, alpha=0.5).mul_(inner).mul_(2.0), inner.mul_(2.0)

    def forward(self, views: Sequence[Tensor], X: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Compute the outputs (n_nets, n, 1); x and S_1..S_L; and what the backward pass needs."""
        ends = [*self.inputs(), self.d + 1 + sum(self.lifted())]
        U = X.new_empty((*X.shape[:2], ends[-1]))
        U[..., : self.d] = X
        U[..., self.d] = 1.0
        readout, intercept = views[-2], views[-1]
        features, slopes, sums, lift_slopes = [X], [], [], []
        out = intercept.expand(-1, X.shape[1], 1).clone()
        for i, k in enumerate(self.narrow):
            z = torch.bmm(U[..., : ends[i]], views[i])
            features.append(z[..., :k])
            wide, slope = self._square(z[..., k:])
            sums.append(wide.sum(2, keepdim=True))
            slopes.append(slope)
            out.addcmul_(sums[-1], readout[:, i : i + 1])
            if i < self.depth - 1:
                h, slope = self._square(torch.bmm(z[..., :k], views[self.depth + i]))
                torch.sub(h, 1.0, out=U[..., ends[i] : ends[i + 1]]).mul_(self.lift_scale(i))
                lift_slopes.append(slope)
        return out, features, [U, *slopes, *sums, *lift_slopes]

    def backward(
        self,
        views: Sequence[Tensor],
        gradients: Sequence[Tensor],
        error: Tensor,
        features: Sequence[Tensor],
        slopes: Sequence[Tensor],
        lowest: int = 1,
    ) -> None:
        """Write d(sum of outputs * error)/d(parameters) into ``gradients``; R has none."""
        L, first = self.depth, self.d + 1
        U, wide, sums, lifts = slopes[0], slopes[1 : L + 1], slopes[L + 1 : 2 * L + 1], slopes[2 * L + 1 :]
        ends = self.inputs()
        torch.sum(error, dim=1, keepdim=True, out=gradients[-1])
        dU = torch.zeros_like(U[..., first:])
        for i in reversed(range(L)):
            k = self.narrow[i]
            gradients[-2][:, i] = (error * sums[i]).sum(1)
            dz = U.new_zeros((*U.shape[:2], k + self.width))
            torch.mul(wide[i], error * views[-2][:, i : i + 1], out=dz[..., k:])
            if i < L - 1:
                above = dU[..., ends[i] - first : ends[i + 1] - first].mul(lifts[i]).mul_(self.lift_scale(i))
                torch.bmm(above, views[L + i].mT, out=dz[..., :k])
            torch.bmm(U[..., : ends[i]].mT, dz, out=gradients[i])
            if i:
                dU[..., : ends[i] - first].baddbmm_(dz, views[i][:, first:].mT)
