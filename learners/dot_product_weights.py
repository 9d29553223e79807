"""Weights of a dot-product kernel by descent on the closed-form leave-one-out error.

The kernel is K = sum_p w_p T^p (entrywise powers of T = X X^T / d), w >= 0 and sum w = 1, with a ridge r.
With A = (K + r I)^-1, alpha = A y and c = diag A, the leave-one-out residuals are e = alpha / c, and

    d log mean e^2 = <G, dK + dr I>,    G = -v alpha^T - A diag(q) A,
    v = A (2 e / (c S)),    q = -2 e^2 / (c S),    S = sum e^2,

so that one Cholesky factor gives the error and its slope in all weights at once, where a search on a
lattice of nine weights would need thousands. The descent is in log w and log r, which keeps w
non-negative and lets a weight vanish for all that matters.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from scipy.optimize import minimize

FIRST = 1024
"""Longest prefix on which the descent starts afresh: what is best for short ones misleads it on longer."""
LONGEST = 4096
"""No descent on longer prefixes: beyond, only the ridge is chosen anew."""
LOG_RIDGE = (math.log(1e-10), math.log(1e4))
_LOG_WEIGHT = (-25.0, 5.0)
_EXACT = 1e-22
"""Leave-one-out error, as a share of the labels' mean square, below which there is nothing to improve."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Where the descent stands: log weights (not normalised) and log ridge, error, evaluations, flops."""

    theta: np.ndarray
    loo_mse: float
    evaluations: int
    flops: float

    @property
    def weights(self) -> np.ndarray:
        w: np.ndarray = np.exp(self.theta[:-1] - self.theta[:-1].max())
        return w / w.sum()

    @property
    def ridge(self) -> float:
        return float(np.exp(self.theta[-1]))


def stages(n: int) -> list[tuple[int, int]]:
    """Prefix lengths of the descent for a fit at n, and the evaluations allowed on each.

    Doubling lengths are the same for all n, so that the fits of a curve share them.
    """
    lengths = [min(n, FIRST)]
    while lengths[-1] < min(n, LONGEST):
        lengths.append(min(2 * lengths[-1], n, LONGEST))
    return [(m, 50 if i == 0 else 8) for i, m in enumerate(lengths)]


class WeightSearch:
    """Weights for any prefix of one training set; what two prefixes have in common is computed once."""

    def __init__(self, max_degree: int, X: np.ndarray, y: np.ndarray) -> None:
        self.max_degree = max_degree
        self.X, self.y = X, y
        self._found: dict[tuple[int, ...], Weights] = {}

    def at(self, n: int) -> Weights:
        """Weights for the prefix n: each stage starts where the one before it ended."""
        start = Weights(np.array([0.0] * (self.max_degree + 1) + [math.log(1e-2)]), np.inf, 0, 0.0)
        done: tuple[int, ...] = ()
        for length, evaluations in stages(n):
            done += (length,)
            if done not in self._found:
                self._found[done] = self._descend(start, length, evaluations)
            start = self._found[done]
        return start

    def _descend(self, start: Weights, length: int, evaluations: int) -> Weights:
        T = torch.from_numpy(self.X[:length] @ self.X[:length].T / self.X.shape[1])
        y = torch.from_numpy(self.y[:length].copy())
        scale = float(y.square().mean()) + 1e-300
        best, best_value, used = start.theta, np.inf, 0

        def value(theta: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal best, best_value, used
            if used >= evaluations or best_value < math.log(_EXACT):
                raise StopIteration
            used += 1
            found, slope = log_leave_one_out(theta, T, y, scale)
            if found < best_value:
                best, best_value = theta.copy(), found
            return found, slope

        bounds = [_LOG_WEIGHT] * (self.max_degree + 1) + [LOG_RIDGE]
        try:
            minimize(value, start.theta, jac=True, method="L-BFGS-B", bounds=bounds)
        except StopIteration:
            pass
        flops = used * (3.0 * length**3 + 4.0 * (self.max_degree + 2) * length**2)
        error = scale * math.exp(best_value) if np.isfinite(best_value) else np.inf
        return Weights(best, error, start.evaluations + used, start.flops + flops)


def log_leave_one_out(
    theta: np.ndarray, T: torch.Tensor, y: torch.Tensor, scale: float
) -> tuple[float, np.ndarray]:
    """Logarithm of the mean squared leave-one-out residual over ``scale``, and its slope in ``theta``.

    theta : log weights of the degrees 0, 1, ..., and log ridge. T : (n, n), x.x' / d.
    """
    raw = np.exp(theta[:-1] - theta[:-1].max())
    w, ridge = raw / raw.sum(), float(np.exp(theta[-1]))
    K = torch.full_like(T, float(w[-1]))
    for weight in w[-2::-1]:
        K.mul_(T).add_(float(weight))
    K.diagonal().add_(ridge)
    L, info = torch.linalg.cholesky_ex(K)
    if info > 0 or not torch.isfinite(L.diagonal()).all():
        # A wall for the line search, which then takes a shorter step.
        return 1e3, np.zeros_like(theta)
    A = torch.cholesky_inverse(L)
    alpha, c = A @ y, A.diagonal().clone()
    e = alpha / c
    total = float(e.square().sum()) + 1e-30 * scale * len(y)
    v = A @ (2 * e / (c * total))
    G = ((A * (2 * e.square() / (c * total))) @ A).sub_(torch.outer(v, alpha))
    by_ridge = float(G.diagonal().sum())
    by_weight = np.empty(len(w))
    for p in range(len(w)):
        by_weight[p] = float(G.sum())
        G.mul_(T)
    slope = w * (by_weight - w @ by_weight)
    return math.log(total / (len(y) * scale)), np.append(slope, ridge * by_ridge)
