"""Gaussian, Laplace and polynomial kernels."""

from __future__ import annotations

import dataclasses

import torch

from hierbench.learners.engines.linear_algebra import integer_power_, product
from hierbench.learners.kernels.distances import distances, squared_distances


@dataclasses.dataclass(frozen=True)
class RBFKernel:
    """exp(-|x - x'|^2 / (2 d l^2)) + c: length scales l in multiples of sqrt(d), d the number of features."""

    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        squared_distances(A, A if B is None else B, 2 * A.shape[1] * shape[0] ** 2, out)
        out.exp_().add_(self.intercept)
        if B is None:
            out.diagonal().fill_(1.0 + self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 20


@dataclasses.dataclass(frozen=True)
class LaplaceKernel:
    """exp(-|x - x'| / (sqrt(d) l)) + c, with the Euclidean norm."""

    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        distances(A, A if B is None else B, A.shape[1] * shape[0] ** 2, out)
        out.neg_().exp_().add_(self.intercept)
        if B is None:
            out.diagonal().fill_(1.0 + self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 30


@dataclasses.dataclass(frozen=True)
class PolynomialKernel:
    """((x.x' / d + c) / (1 + c))^p: 1 where |x|^2 = d. The offset c contains the intercept."""

    degree: int

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        offset = shape[0]
        product(A / (A.shape[1] * (1 + offset)), (A if B is None else B).T, out)
        integer_power_(out.add_(offset / (1 + offset)), self.degree)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 1 + self.degree
