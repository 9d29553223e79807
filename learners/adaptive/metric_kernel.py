"""Kernels exp(-(|x - x'|_M / l)^p) for the Recursive Feature Machine, and the gradients of what they fit."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch

from hierbench.learners.engines.kernel_engine import CHUNK, Axis, float64_tensor
from hierbench.learners.kernels.distances import distances, squared_distances

LENGTH_SCALES = Axis.geometric("length_scale", 0.1, 100.0, per_decade=4, scan=(0.5, 20.0), every=2)
RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-9, 1e1), every=4)


@dataclasses.dataclass(frozen=True)
class ExponentKernel:
    """exp(-(|z - z'| / (sqrt(d) l))^p) + c, 0 < p <= 2: Laplace at 1, Gaussian at 2; shape = (l,)."""

    exponent: float
    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write the kernel matrix (hierbench.learners.engines.kernel_engine.Kernel)."""
        scale = A.shape[1] * shape[0] ** 2
        if self.exponent == 2:
            squared_distances(A, A if B is None else B, scale, out)
        else:
            distances(A, A if B is None else B, scale, out)
            if self.exponent != 1:
                out.pow_(self.exponent)
            out.neg_()
        out.exp_().add_(self.intercept)
        if B is None:
            out.diagonal().fill_(1.0 + self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Operations of one entry."""
        return 2 * n_features + 30

    def gradients(
        self, centres: np.ndarray, alpha: np.ndarray, shape: tuple[float, ...], points: np.ndarray
    ) -> np.ndarray:
        """Gradients of f = sum_j alpha_j k(., z_j) at ``points``; (len(points), d).

        grad k = -p |z - z_j|^(p - 2) / s^p k (z - z_j), s = sqrt(d) l. Where p < 2 it has no limit
        as z tends to z_j: a point's own kernel is left out there, as by symmetry its mean gradient is zero.
        """
        Z, a, d = float64_tensor(centres), float64_tensor(alpha), points.shape[1]
        gradients = torch.empty((len(points), d), dtype=torch.float64)
        rows = max(1, CHUNK // len(Z))
        for start in range(0, len(points), rows):
            z = float64_tensor(points[start : start + rows])
            q = torch.empty((len(z), len(Z)), dtype=torch.float64)
            squared_distances(z, Z, 1.0, q)
            q.neg_().div_(d * shape[0] ** 2)
            w = torch.exp(-q.pow(self.exponent / 2)) * a
            if self.exponent != 2:
                near = q <= 1e-12
                w *= q.clamp_(min=1e-12).pow_(self.exponent / 2 - 1)
                w[near] = 0.0
            w *= -self.exponent / (d * shape[0] ** 2)
            gradients[start : start + rows] = w.sum(1, keepdim=True) * z - w @ Z
        return gradients.numpy()


def metric_root(M: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(M)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def metric_of(agop: np.ndarray, covariance: np.ndarray, power: float) -> np.ndarray:
    """agop^power, scaled so that it leaves the mean squared distance of the inputs as it was."""
    values, vectors = np.linalg.eigh(agop)
    top = values.max(initial=0.0)
    if not (math.isfinite(top) and top > 0):
        return np.eye(len(agop))
    M = (vectors * np.maximum(values / top, 0.0) ** power) @ vectors.T
    share = float(np.sum(M * covariance))
    return M * (np.trace(covariance) / share) if share > 0 else np.eye(len(agop))
