"""Kernels of infinitely wide nets on the shared engine: NNGP and NTK of dense nets, block by block."""

from __future__ import annotations

import abc
import dataclasses

import torch
from torch import Tensor

from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.linear_algebra import product, rows_at_once
from hierbench.learners.net_kernels.dual_activations import DUALS

RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-8, 1e2), every=4)
DEPTHS = Axis("depth", (1.0, 2.0, 3.0, 4.0, 5.0), (0, 2, 4))
BIASES = Axis("bias", (0.0, 0.1, 0.3, 1.0, 3.0, 10.0), (1, 3, 4))


class InfiniteWidthKernel(abc.ABC):
    """Base: ``block`` says what the kernel of a block is, from the inner products and the mean squares.

    Every kernel is divided by its value where |x|^2 = d, and ``intercept`` is added.
    """

    intercept: float

    @abc.abstractmethod
    def block(self, s: Tensor, a: Tensor, b: Tensor, shape: tuple[float, ...]) -> Tensor:
        """Give the kernel from s = x.x' / d, a = |x|^2 / d, b = |x'|^2 / d: a (rows, 1), b (1, columns)."""

    def gram(self, A: Tensor, B: Tensor | None, shape: tuple[float, ...], out: Tensor) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        d = A.shape[1]
        other = A if B is None else B
        product(A / d, other.T, out)
        a = A.square().sum(1, keepdim=True) / d
        b = other.square().sum(1)[None, :] / d
        one = torch.ones((1, 1), dtype=A.dtype, device=A.device)
        scale = 1 / float(self.block(one, one, one, shape))
        rows = rows_at_once(out)
        for start in range(0, len(A), rows):
            part = slice(start, start + rows)
            out[part] = self.block(out[part], a[part], b, shape) * scale + self.intercept
        if B is None:
            # Where the cosine is 1 rounding may leave it below, and the arc cosine magnifies that.
            out.diagonal().copy_(self.block(a, a, a, shape)[:, 0] * scale + self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 60 * shape[0]


@dataclasses.dataclass(frozen=True)
class DenseKernel(InfiniteWidthKernel):
    """NNGP or NTK of a dense net; shape = (depth, bias) or, where ``activations`` are several, one more.

    z_1 has kernel (x.x' / d + bias^2) / (1 + bias^2), z_{l+1} has (dual + bias^2) / (1 + bias^2): unit
    variance at every layer where |x|^2 = d. shape[2] picks the activation. All weights and biases are
    trained in the NTK, with a tangent kernel in the same normalisation.
    """

    activations: tuple[str, ...]
    tangent: bool
    intercept: float

    def block(self, s: Tensor, a: Tensor, b: Tensor, shape: tuple[float, ...]) -> Tensor:
        """Compute the kernel of a block (see the base)."""
        depth, shift = int(shape[0]), shape[1] ** 2
        dual = DUALS[self.activations[int(shape[2]) if len(shape) > 2 else 0]]
        norm = 1 / (1 + shift)
        s, a, b = (s + shift) * norm, (a + shift) * norm, (b + shift) * norm
        t = s
        for _ in range(depth):
            value, slope = dual(s, a, b)
            if self.tangent:
                t = (value + shift + slope * t) * norm
            s = (value + shift) * norm
            a, b = ((dual(q, q, q)[0] + shift) * norm for q in (a, b))
        return t if self.tangent else s


@dataclasses.dataclass(frozen=True)
class DenseNetKernel(InfiniteWidthKernel):
    """NTK of the quadratic DenseNet of infinite width; shape = (depth, bias, share).

    z_l = bias b + sqrt(share) x W_{l,0} / sqrt(d) + sum_{1 <= j < l} sqrt((1 - share) / (l - 1))
    h_j W_{l,j} / sqrt(m), with h_l the centred square of z_l, and y = c + x a_0 / sqrt(d) + sum_l h_l a_l
    / sqrt(m), all entries standard normal. Weights of different branches are independent, so that the
    tangents of different levels do not mix:

        S_l = bias^2 + share x.x' / d + (1 - share) mean_j H_j        H_l = dual(S_l)
        T_l = S_l + (1 - share) mean_j dual'(S_j) T_j
        T   = 1 + x.x' / d + sum_l (H_l + dual'(S_l) T_l)

    S_1 has share 1; every S_l is divided by 1 + bias^2.
    """

    intercept: float

    def block(self, s: Tensor, a: Tensor, b: Tensor, shape: tuple[float, ...]) -> Tensor:
        """Compute the kernel of a block (see the base)."""
        depth, shift, share = int(shape[0]), shape[1] ** 2, shape[2]
        dual = DUALS["centred_square"]
        # Of the levels so far only the sums of H and of dual' T matter.
        features, tangents = [torch.zeros_like(q) for q in (s, a, b)], torch.zeros_like(s)
        norm = 1 / (1 + shift)
        for level in range(1, depth + 1):
            first = 1.0 if level == 1 else share
            weight = 0.0 if level == 1 else (1 - share) / (level - 1)
            S, p, q = (
                (shift + first * x + weight * h) * norm for x, h in zip((s, a, b), features, strict=True)
            )
            value, slope = dual(S, p, q)
            tangents = tangents + slope * (S + weight * norm * tangents)
            squares = (dual(p, p, p)[0], dual(q, q, q)[0])
            features = [h + new for h, new in zip(features, (value, *squares), strict=True)]
        return 1 + s + features[0] + tangents
