"""The kernel of one level of sequential kernel regression: of [x, products of learned projections].

A point is held as the row [x, p] with p the r projections; the r (r + 1) / 2 products q are never written
down, since with weight sqrt(2) on the mixed ones q.q' = (p.p')^2, whatever the rotation of p. Centred,

    (q - m).(q' - m) = (p.p')^2 - p^T M p - p'^T M p' + |M|_F^2,      M = mean of p p^T over a sample.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch

from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.linear_algebra import integer_power_, product

RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-7, 1e1), every=4)
OFFSETS = Axis.geometric("offset", 1e-3, 1e3, per_decade=4, scan=(0.3, 6.0), every=4)
MIXES = Axis("mix", (0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99), (1, 3, 5))
NO_MIX = Axis("mix", (0.0,), (0,))


@dataclasses.dataclass(frozen=True)
class LiftedKernel:
    """(((1 - w) x.x' / d + w (q - m).(q' - m) / s + c) / (1 + c))^degree; shape = (c, w).

    n_inputs : d, the columns of x; those after are p (none at the first level).
    moment : (r, r), the M above; scale : the s, mean of |q - m|^2 over the same sample.
    """

    degree: int
    n_inputs: int
    moment: np.ndarray
    scale: float

    @classmethod
    def of(cls, degree: int, n_inputs: int, points: np.ndarray) -> LiftedKernel:
        """Return the kernel whose products are centred and scaled on these points [x, p]."""
        p = points[:, n_inputs:]
        moment = p.T @ p / len(p)
        scale = float(np.mean(np.square(np.square(p).sum(1))) - np.square(moment).sum())
        return cls(degree, n_inputs, moment, scale if scale > 0 else 1.0)

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write the kernel matrix (hierbench.learners.engines.kernel_engine.Kernel)."""
        offset, mix = shape
        d = self.n_inputs
        B = A if B is None else B
        a, b = A[:, d:], B[:, d:]
        constant, factor = offset / (1 + offset), mix / (self.scale * (1 + offset))
        M = torch.from_numpy(self.moment)
        # one product of augmented points adds what depends on a row or a column alone
        ones = torch.ones((1, 1), dtype=A.dtype)
        left = [
            A[:, :d] * ((1 - mix) / (d * (1 + offset))),
            constant + factor * (M.square().sum() - ((a @ M) * a).sum(1, keepdim=True)),
            ones.expand(len(A), 1),
        ]
        right = [B[:, :d], ones.expand(len(B), 1), -factor * ((b @ M) * b).sum(1, keepdim=True)]
        product(torch.cat(left, dim=1), torch.cat(right, dim=1).T, out)
        if mix > 0:
            pp = product(a, b.T)
            out.addcmul_(pp, pp, value=factor)
        integer_power_(out, self.degree)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Operations of one entry."""
        return 2 * n_features + 8 + self.degree


def column_spread(X: np.ndarray) -> np.ndarray:
    """Return the standard deviations of the columns, 1 where a column is constant."""
    spread = X.std(0)
    return np.where(spread > 1e-12 * np.abs(X).max(0, initial=1e-300), spread, 1.0)


def products(p: np.ndarray) -> np.ndarray:
    """All p_i p_j, i <= j, the mixed ones times sqrt(2); shape (n, r (r + 1) / 2)."""
    i, j = np.triu_indices(p.shape[1])
    return p[:, i] * p[:, j] * np.where(i == j, 1.0, math.sqrt(2.0))


def standardised(kernel: LiftedKernel, points: np.ndarray) -> np.ndarray:
    """Write out z = [x, (q - m) sqrt(width / s)], whose products have mean square 1 on average."""
    d = kernel.n_inputs
    q = products(points[:, d:])
    i, j = np.triu_indices(len(kernel.moment))
    centre = kernel.moment[i, j] * np.where(i == j, 1.0, math.sqrt(2.0))
    return np.hstack([points[:, :d], (q - centre) * math.sqrt(max(1, q.shape[1]) / kernel.scale)])


def coordinate_scales(kernel: LiftedKernel, width: int, mix: float, offset: float) -> np.ndarray:
    """Return what turns the standardised z into the coordinates u of the kernel."""
    d = kernel.n_inputs
    blocks = np.full(width, math.sqrt((1 - mix) / d))
    blocks[d:] = math.sqrt(mix / max(1, width - d))
    return blocks / math.sqrt(1 + offset)


def quadratic_form(
    kernel: LiftedKernel, points: np.ndarray, alpha: np.ndarray, shape: tuple[float, ...]
) -> np.ndarray:
    """Mean Hessian of f = sum_i alpha_i k(., points_i) over these points, halved, in coordinates z.

    With k = (u.u' + c')^p it is p (p - 1) / 2 sum_i alpha_i mean_j (u_j.u_i + c')^(p - 2) u_i u_i^T: for the
    quadratic kernel the quadratic part of f itself.
    """
    offset, mix = shape
    z = standardised(kernel, points)
    scales = coordinate_scales(kernel, z.shape[1], mix, offset)
    u = z * scales
    p = kernel.degree
    weights = alpha * (p * (p - 1) / 2)
    if p > 2:
        weights = weights * ((u @ u.T + offset / (1 + offset)) ** (p - 2)).mean(0)
    return scales[:, None] * ((u.T * weights) @ u) * scales
