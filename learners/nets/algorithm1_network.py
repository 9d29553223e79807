"""The network of Algorithm 1: a narrow and a wide half a level, many nets as one batched model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from hierbench.learners.engines.network import Array, DenseNetwork, Passed

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

    def trained(self) -> tuple[bool, ...]:
        """Return True for all but R."""
        return (*[True] * self.depth, *[False] * (self.depth - 1), True, True)

    def reads_x(self) -> tuple[bool, ...]:
        """Which parts have rows for x: P_1..P_L."""
        return (*[True] * self.depth, *[False] * (self.depth + 1))

    def decayed(self) -> tuple[bool, ...]:
        """Return True for K and W: neither R, which is not trained, nor the read-outs decay."""
        return (*[True] * self.depth, *[False] * (self.depth + 1))

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

    def forward(self, parts: Sequence[Array], X: Array) -> Passed:
        """Compute the outputs for X (n, d), or with the same leading axes for parts and X, for many nets.

        The features are the narrow S_l, the pre-activations the wide W_l u_l.
        """
        read, ends = [X], [0, self.d]  # u without its constant, and where its blocks end
        features, pre_activations = [X], []
        readout, output = parts[-2], parts[-1]
        for i, k in enumerate(self.narrow):
            P = parts[i]
            z = P[..., self.d : self.d + 1, :]
            for j, h in enumerate(read):
                first = ends[j] + (j > 0)  # the constant stands behind x
                z = z + h @ P[..., first : ends[j + 1] + (j > 0), :]
            features.append(z[..., :k])
            pre_activations.append(z[..., k:])
            output = output + readout[..., i : i + 1, :] * self._square(z[..., k:]).sum(-1)[..., None]
            if i < self.depth - 1:
                lifted = self._square(z[..., :k] @ parts[self.depth + i]) - 1.0
                read.append(lifted * self.lift_scale(i))
                ends.append(ends[-1] + self.lifted()[i])
        return Passed(output, features, pre_activations)

    def _square(self, z: Array) -> Array:
        """z^2, continued by its tangent."""
        inner = z.clip(-self.truncation, self.truncation)
        return (2.0 * z - inner) * inner

    def penalty(self, parts: Sequence[Array], weights: Array) -> Array:
        """Compute the distillation of every level times its weight, (L,), summed."""
        return sum(weights[i] * distillation(parts[i], k) for i, k in enumerate(self.narrow))


def distillation(block: Array, k: int) -> Array:
    r"""Compute the regulariser of one level, for P (inputs, k + m) = [K, W].

    .. math:: \sum_{i,j} \|K_i^T K_j - W_i^T W_j\|_F^2

    over all pairs of blocks is the squared norm of P J P^T = K K^T - W W^T, J = diag(1, -1), which needs
    no more than the small Gram matrices of K and W.
    """
    K, W = block[:, :k], block[:, k:]
    return ((K.T @ K) ** 2).sum() + ((W.T @ W) ** 2).sum() - 2.0 * ((K.T @ W) ** 2).sum()
