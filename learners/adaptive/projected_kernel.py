"""Kernels of a learned projection k(Bx, Bx'), and what the best ridge fit costs as a function of B alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import numpy as np
import torch

from hierbench.learners.engines.kernel_engine import Kernel, float64_tensor
from hierbench.learners.engines.linear_algebra import cholesky, product, solve_positive
from hierbench.learners.kernels.classical import PolynomialKernel, RBFKernel

SMALLEST = 1e-12
"""Mean squared projection below which the inputs are taken to be constant."""


class ProjectedKernel(Protocol):
    """A kernel of z = B x."""

    @property
    def engine(self) -> Kernel:
        """The kernel as the engine has it, of z times the factor of ``place``."""

    def place(self, Z: torch.Tensor) -> tuple[float, tuple[float, ...]]:
        """Return the factor and the shape parameters under which ``engine`` is this kernel, Z (n, r)."""

    def pull(self, Z: torch.Tensor, K: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        """Return the gradient of a^T K a in Z, shape (n, r); K = k(Z, Z), which is spoilt."""


@dataclasses.dataclass(frozen=True)
class GaussianOfProjection:
    """exp(-|Bx - Bx'|^2 / 2) + 1."""

    @property
    def engine(self) -> Kernel:
        """Return it with length scales."""
        return RBFKernel(1.0)

    def place(self, Z: torch.Tensor) -> tuple[float, tuple[float, ...]]:
        """Undo the engine's sqrt(r)."""
        return 1.0, (1 / math.sqrt(Z.shape[1]),)

    def pull(self, Z: torch.Tensor, K: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        """2 a_i sum_j a_j (k_ij - 1) (z_j - z_i)."""
        both = product(K.sub_(1.0), a[:, None] * torch.cat([Z, torch.ones_like(a)[:, None]], dim=1))
        return 2 * a[:, None] * (both[:, :-1] - both[:, -1:] * Z)


@dataclasses.dataclass(frozen=True)
class PolynomialOfProjection:
    """((Bx.Bx' / m + c) / (1 + c))^p with m the mean of |Bx|^2 over the sample: the scale of B is no matter.

    A free scale in place of c goes to infinity, where only the monomials of degree p are left.
    """

    degree: int
    offset: float

    @property
    def engine(self) -> Kernel:
        """Return it with offsets."""
        return PolynomialKernel(self.degree)

    def place(self, Z: torch.Tensor) -> tuple[float, tuple[float, ...]]:
        """Bring |z|^2 to r on average."""
        mean = max(float(Z.square().sum()) / len(Z), SMALLEST)
        return math.sqrt(Z.shape[1] / mean), (self.offset,)

    def pull(self, Z: torch.Tensor, K: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        """2 (V Z - tr(V Z Z^T) / (n m) Z) / m, with V_ij = p a_i a_j k_ij^(1 - 1/p) / (1 + c)."""
        factor, shape = self.place(Z)
        if self.degree == 1:
            K.fill_(1.0)
        else:
            PolynomialKernel(self.degree - 1).gram(Z * factor, None, shape, K)
        slope = a[:, None] * product(K, a[:, None] * Z)
        mean = Z.shape[1] / factor**2
        slope -= float((slope * Z).sum()) / (len(Z) * mean) * Z
        return 2 * self.degree / ((1 + self.offset) * mean) * slope


class ProfiledRisk:
    """The penalised risk of the best ridge fit in k(Bx, Bx'), and its gradient in B (variable projection).

    The dual coefficients a = (K + ridge I)^-1 y are eliminated: the least of |f - y|^2 + ridge |f|^2 is
    ridge y^T a. As a is a minimiser, what it moves by drops out of the gradient, which is -ridge times that
    of a^T K a at fixed a. Labels are divided by their root mean square and the risk by n: that of f = 0 is 1.

    Parameters
    ----------
    X : (n, d), y : (n,).
    """

    def __init__(self, kernel: ProjectedKernel, X: np.ndarray, y: np.ndarray) -> None:
        self.kernel, self.X = kernel, float64_tensor(X)
        self.y = float64_tensor(y / (math.sqrt(np.mean(np.square(y))) or 1.0))
        self.evaluations = 0
        self._gram, self._factor = (torch.empty((len(y), len(y)), dtype=torch.float64) for _ in range(2))

    def __call__(self, B: np.ndarray, ridge: float) -> tuple[float, np.ndarray]:
        """Risk and gradient at B (r, d), the gradient of the same shape.

        Where rounding leaves no factor the risk is 2, more than anywhere else, and its gradient 0.
        """
        self.evaluations += 1
        n = len(self.y)
        Z = product(self.X, float64_tensor(B).T)
        a = self._dual(Z, ridge)
        if a is None:
            return 2.0, np.zeros_like(B)
        pulled = self.kernel.pull(Z, self._gram, a)
        gradient = product(pulled.T.contiguous(), self.X) * (-ridge / n)
        return ridge * float(self.y @ a) / n, gradient.numpy()

    def _dual(self, Z: torch.Tensor, ridge: float) -> torch.Tensor | None:
        factor, shape = self.kernel.place(Z)
        self.kernel.engine.gram(Z * factor, None, shape, self._gram)
        diagonal = self._gram.diagonal()
        plain = diagonal.clone()
        diagonal.add_(ridge)
        L, info = cholesky(self._gram, self._factor)
        diagonal.copy_(plain)
        return None if info else solve_positive(L, self.y)
