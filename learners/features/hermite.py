"""Products of Hermite polynomials of total degree <= p: as features, and as the kernel that they make."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.kernel_engine import float64_tensor
from hierbench.learners.engines.linear_algebra import product

_BLOCK = 1 << 15
"""Entries of a block of the kernel matrix: a recursion over six of these stays in the cache."""


def count(d: int, degree: int) -> int:
    """Count the monomials of degree <= ``degree`` in ``d`` variables."""
    return math.comb(d + degree, degree)


@functools.lru_cache(maxsize=8)
def _tables(d: int, degree: int) -> list[tuple[Tensor, Tensor]]:
    """Of every degree >= 1 the features as products: of a lower feature, and of h_m(x_j) at m d + j."""
    tables: list[tuple[Tensor, Tensor]] = []
    positions: dict[tuple[int, ...], int] = {(): 0}
    for k in range(1, degree + 1):
        rows = list(itertools.combinations_with_replacement(range(d), k))
        powers = [row.count(row[-1]) for row in rows]
        parents = [positions[row[: k - m]] for row, m in zip(rows, powers, strict=True)]
        factors = [m * d + row[-1] for row, m in zip(rows, powers, strict=True)]
        tables.append((torch.tensor(parents), torch.tensor(factors)))
        start = len(positions)
        positions.update({row: start + i for i, row in enumerate(rows)})
    return tables


@dataclasses.dataclass(frozen=True)
class HermiteFeatures:
    """prod_i h_{a_i}(x_i) for |a| <= degree, in the order of |a|; h_m = He_m / sqrt(m!).

    Orthonormal where x is standard normal, which is what keeps the equations well conditioned. The feature
    of degree 0 is ``constant`` in the place of 1: a ridge shrinks it the less.
    """

    d: int
    degree: int
    constant: float = 1.0

    def __call__(self, X: np.ndarray, n_features: int) -> Tensor:
        """Return the features of the lowest degrees, ``n_features`` of them: (len(X), n_features)."""
        x = float64_tensor(X)
        powers = [torch.ones_like(x), x]
        for m in range(1, self.degree):
            powers.append((x * powers[m] - math.sqrt(m) * powers[m - 1]) / math.sqrt(m + 1))
        factors = torch.cat(powers, dim=1)
        out = torch.empty((len(x), n_features), dtype=torch.float64)
        out[:, 0] = 1.0
        start = 1
        for parents, factor in _tables(self.d, self.degree):
            if start >= n_features:
                break
            stop = start + len(parents)
            torch.mul(out[:, parents], factors[:, factor], out=out[:, start:stop])
            start = stop
        out[:, 0] = self.constant
        return out


@dataclasses.dataclass(frozen=True)
class HermiteKernel:
    """sum_k decay^(2k - 2p) F_k, F_k the inner product of the features of degree k <= p; shape = (p, decay).

    The F_k are the coefficients of Mehler's formula (1866)

        sum_k t^k F_k = (1 - t^2)^(-d/2) exp((t u - t^2 v) / (1 - t^2)),   u = x.x', v = (|x|^2 + |x'|^2) / 2

    whose logarithmic derivative gives (k+1) F_{k+1} = u F_k + (d - 2v + 2k - 2) F_{k-1} + u F_{k-2}
    - (d + k - 3) F_{k-3}: the features need not be formed.
    """

    constant: float = 1.0

    def gram(self, A: Tensor, B: Tensor | None, shape: tuple[float, ...], out: Tensor) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        d, degree, decay = A.shape[1], int(shape[0]), shape[1]
        other = A if B is None else B
        product(A, other.T, out)
        squares_a = A.square().sum(1, keepdim=True)
        squares_b = other.square().sum(1)
        rows = max(1, _BLOCK // max(1, len(other)))
        for start in range(0, len(A), rows):
            u = out[start : start + rows]
            slope = d - squares_a[start : start + rows] - squares_b  # d - 2v
            zero = torch.zeros_like(u)
            parts = [zero, zero, zero, torch.ones_like(u)]  # F_{k-3}, ..., F_k
            total = torch.full_like(u, self.constant**2 * decay ** (-2 * degree))
            for k in range(degree):
                following = parts[3] * u
                following.addcmul_(slope + (2 * k - 2), parts[2]).addcmul_(u, parts[1])
                following.sub_(parts[0], alpha=d + k - 3).div_(k + 1)
                parts = [*parts[1:], following]
                total.add_(following, alpha=decay ** (2 * (k + 1 - degree)))
            u.copy_(total)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 10 * shape[0]
