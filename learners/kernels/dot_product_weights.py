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
from collections.abc import Iterable

import numpy as np
import torch
from scipy.linalg import blas
from scipy.optimize import minimize

from hierbench.learners.engines.linear_algebra import cholesky, inverse_positive

FIRST = 1024
"""Longest prefix on which the descent starts afresh: what is best for short ones misleads it on longer."""
LONGEST = 4096
"""No descent on longer prefixes: beyond, only the ridge is chosen anew."""
LOG_RIDGE = (math.log(1e-10), math.log(1e4))
_LOG_WEIGHT = (-25.0, 5.0)
_EXACT = 1e-16
"""Leave-one-out error, as a share of the labels' mean square, below which there is nothing to improve."""
_SMALLEST = 1e-260
"""Mean square of labels that are zero for all that matters."""
_FIRST_RIDGES = (1e-9, 1e-4, 1e-1)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Where the descent stands: log weights (not normalised) and log ridge, error, evaluations, flops."""

    theta: np.ndarray
    loo_mse: float
    evaluations: int
    flops: float

    @property
    def weights(self) -> np.ndarray:
        """Return the weights of the degrees, (P + 1,), of sum 1."""
        w: np.ndarray = np.exp(self.theta[:-1] - self.theta[:-1].max())
        return w / w.sum()

    @property
    def ridge(self) -> float:
        """Return the ridge at a lattice point."""
        return float(np.exp(self.theta[-1]))


def stages(n: int) -> list[tuple[int, int]]:
    """Prefix lengths of the descent for a fit at n, and the evaluations allowed on each.

    Doubling lengths are the same for all n, so that the fits of a curve share them.
    """
    lengths = [min(n, FIRST)]
    while lengths[-1] < min(n, LONGEST):
        lengths.append(min(2 * lengths[-1], n, LONGEST))
    return [(m, 40 if i == 0 else 6 if m <= 2048 else 2) for i, m in enumerate(lengths)]


class WeightSearch:
    """Weights for any prefix of one training set; what two prefixes have in common is computed once."""

    def __init__(self, max_degree: int, X: np.ndarray, y: np.ndarray) -> None:
        self.max_degree = max_degree
        self.X, self.y = X, np.asarray(y, dtype=np.float64)
        self._found: dict[tuple[int, ...], Weights] = {}

    def at(self, n: int) -> Weights:
        """Weights for the prefix n: each stage starts where the one before it ended, or afresh if better."""
        start: Weights | None = None
        done: tuple[int, ...] = ()
        for length, evaluations in stages(n):
            done += (length,)
            if done not in self._found:
                self._found[done] = self._stage(start, length, evaluations)
            start = self._found[done]
        assert start is not None
        return start

    def _stage(self, before: Weights | None, length: int, evaluations: int) -> Weights:
        T = torch.from_numpy(self.X[:length] @ self.X[:length].T / self.X.shape[1])
        y = torch.from_numpy(self.y[:length].copy())
        scale = max(float(y.square().mean()), _SMALLEST)
        if before is None:
            afresh = [
                np.append(log_weights, math.log(ridge))
                for log_weights in self._truncations(range(1, self.max_degree + 1))
                for ridge in _FIRST_RIDGES
            ]
            starts, used, flops = afresh, 0, 0.0
        else:
            # The error has many minima where n passes the number of polynomials of some degree: a kernel
            # that stops there may then be exact, which no descent from a shorter prefix would find.
            afresh = [
                np.append(log_weights, math.log(_FIRST_RIDGES[0]))
                for log_weights in self._truncations(self._resolved(length))
            ]
            starts, used, flops = [before.theta, *afresh], before.evaluations, before.flops
        errors = [log_leave_one_out(theta, T, y, scale, slope=False)[0] for theta in starts]
        best = int(np.argmin(errors))
        theta, error, descents = starts[best], errors[best], 0
        if error > math.log(_EXACT):
            theta, error, descents = _descend(theta, T, y, scale, evaluations)
        flops += len(starts) * length**3 + descents * 2.0 * length**3
        flops += (len(starts) + descents) * 2.0 * (self.max_degree + 2) * length**2
        loo_mse = scale * math.exp(error) if error < 1e2 else math.inf
        return Weights(theta, loo_mse, used + len(starts) + descents, flops)

    def _resolved(self, length: int) -> list[int]:
        """Return the largest degrees of which all polynomials, or those of its parity, fit in ``length``."""
        d = self.X.shape[1]
        degrees = set()
        for step in (1, 2):
            counts = [
                sum(math.comb(d + q - 1, q) for q in range(p, -1, -step))
                for p in range(1, self.max_degree + 1)
            ]
            degrees |= {max((p for p, c in enumerate(counts, 1) if c <= length), default=1)}
        return sorted(degrees)

    def _truncations(self, degrees: Iterable[int]) -> list[np.ndarray]:
        """Log weights of kernels that stop at a degree: binomial, and the same with its parity only."""
        log_weights_of = {}
        for p in degrees:
            for step in (1, 2):
                log_weights = np.full(self.max_degree + 1, _LOG_WEIGHT[0])
                for q in range(p, -1, -step):
                    log_weights[q] = math.log(math.comb(p, q)) - math.log(math.comb(p, p // 2))
                log_weights[0] = max(log_weights[0], -3.0)
                log_weights_of[log_weights.tobytes()] = log_weights
        return list(log_weights_of.values())


def _descend(
    start: np.ndarray, T: torch.Tensor, y: torch.Tensor, scale: float, evaluations: int
) -> tuple[np.ndarray, float, int]:
    """Where L-BFGS gets to from ``start``: weights, logarithm of the error, evaluations made."""
    best, best_value, used = start, 1e2, 0

    def value(theta: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, best_value, used
        if used >= evaluations or best_value < math.log(_EXACT):
            raise StopIteration
        used += 1
        error, slope = log_leave_one_out(theta, T, y, scale)
        if error < best_value:
            best, best_value = theta.copy(), error
        return error, slope

    bounds = [_LOG_WEIGHT] * (len(start) - 1) + [LOG_RIDGE]
    try:
        minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds)
    except StopIteration:
        pass
    return best, best_value, used


def log_leave_one_out(
    theta: np.ndarray, T: torch.Tensor, y: torch.Tensor, scale: float, slope: bool = True
) -> tuple[float, np.ndarray]:
    """Logarithm of the mean squared leave-one-out residual over ``scale``, and its slope in ``theta``.

    The slope is left at zero if it is not asked for, and where the kernel matrix is not positive definite.

    theta : log weights of the degrees 0, 1, ..., and log ridge. T : (n, n), x.x' / d.
    """
    raw = np.exp(theta[:-1] - theta[:-1].max())
    w, ridge = raw / raw.sum(), float(np.exp(theta[-1]))
    K = torch.full_like(T, float(w[-1]))
    for weight in w[-2::-1]:
        K.mul_(T).add_(float(weight))
    K.diagonal().add_(ridge)
    L, info = cholesky(K, K)
    if info > 0:
        # A wall for the line search, which then takes a shorter step.
        return 1e3, np.zeros_like(theta)
    A = inverse_positive(L).mT
    alpha, c = A @ y, A.diagonal().clone()
    e = alpha / c
    total = float(e.square().sum()) + 1e-30 * scale * len(y)
    error = math.log(total / (len(y) * scale))
    if not slope:
        return error, np.zeros_like(theta)
    v = A @ (2 * e / (c * total))
    # -q >= 0, and of a symmetric matrix one triangle will do: the off-diagonal part doubled.
    root = A.mul_((2 * e.square() / (c * total)).sqrt()).numpy()
    half = blas.dsyrk(1.0, root.T, trans=1, lower=1)
    half = blas.dsyr2k(-0.5, v.numpy()[:, None], alpha.numpy()[:, None], 1.0, half, lower=1, overwrite_c=1)
    G = torch.from_numpy(half.T).mul_(2)
    G.diagonal().mul_(0.5)
    by_ridge = float(G.diagonal().sum())
    by_weight = np.empty(len(w))
    for p in range(len(w)):
        by_weight[p] = float(G.sum())
        G.mul_(T)
    return error, np.append(w * (by_weight - w @ by_weight), ridge * by_ridge)
