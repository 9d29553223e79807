"""The best dot-product kernel: a free weight for each degree, chosen inside ``fit``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from hierbench.learners.base import Curve, FitReport, FittedCurve
from hierbench.learners.engines.kernel_engine import Axis, PrefixSolver, Solution
from hierbench.learners.engines.kernel_tuning import Fit, not_positive_definite
from hierbench.learners.engines.linear_algebra import product
from hierbench.learners.kernels.dot_product_weights import LOG_RIDGE, Weights, WeightSearch
from hierbench.learners.kernels.kernel_estimator import FittedKernelCurve, KernelEstimator
from hierbench.learners.parameters import integer_between

_STEPS = 3
"""Most decades that the ridge moves, at n, from where the descent has left it."""


@dataclasses.dataclass(frozen=True)
class DotProductKernel:
    """sum_p w_p (x.x' / d)^p; shape = (w_0, w_1, ...)."""

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        T = product(A / A.shape[1], (A if B is None else B).T)
        out.fill_(shape[-1])
        for weight in shape[-2::-1]:
            out.mul_(T).add_(weight)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 2 * len(shape)


class DotProductRegressor(KernelEstimator):
    r"""Kernel ridge regression with the best dot-product kernel.

    The kernel has the form

    .. math:: k(x, x') = \sum_{p \le P} w_p (x \cdot x' / d)^p, \qquad w_p \ge 0, \quad \sum_p w_p = 1.

    On the sphere every rotation-invariant kernel that is a polynomial of degree P has this form
    (I. J. Schoenberg, *Positive definite functions on spheres*, Duke Math. J. 1942): whatever this learner
    cannot do, none of them can. All P + 1 weights and the ridge are chosen by closed-form leave-one-out,
    by descent along its gradient (``hierbench.learners.kernels.dot_product_weights``) on prefixes of doubling
    length, from min(n, 1024) to min(n, 4096); then the ridge by leave-one-out at n. On the first prefix all
    kernels that stop at some degree, with all degrees or those of its parity, compete for where the descent
    starts, and it takes at most 40 steps; on longer ones few of them, and at most 6 steps, or 2 beyond 2048.

    Parameters
    ----------
    max_degree : int, default 8
        P, the largest degree with a weight.

    Attributes
    ----------
    shape_ : (w_0, ..., w_P).
    """

    def __init__(self, *, max_degree: int = 8) -> None:
        self.max_degree = max_degree

    def _kernel(self) -> DotProductKernel:
        integer_between("max_degree", self.max_degree, 1, 32)
        return DotProductKernel()

    def fit(self, X: Any, y: Any) -> DotProductRegressor:
        """Fit and tune. X : (n, d), n >= 2; y : (n,), finite numbers."""
        kernel = self._kernel()
        X, y = self._validated(X, y)
        self._store(kernel, X, _fit_at(kernel, WeightSearch(int(self.max_degree), X, y), len(y)))
        return self

    def fit_curves(self, curves: Sequence[Curve], callback: None = None) -> list[FittedCurve]:
        """Fit all prefixes of each curve, from one search of the weights."""
        return [self._fit_curve(curve) for curve in curves]

    def _fit_curve(self, curve: Curve) -> FittedCurve:
        kernel, n = self._kernel(), max(curve.sizes)
        X, y = clone(self)._validated(curve.X[:n], curve.y[:n])
        search = WeightSearch(int(self.max_degree), X, y)
        estimators = []
        for size in curve.sizes:
            estimator = clone(self)
            estimator._validated(X[:size], y[:size])
            estimators.append(estimator._store(kernel, X[:size], _fit_at(kernel, search, size)))
        return FittedKernelCurve(estimators)


def _fit_at(kernel: DotProductKernel, search: WeightSearch, n: int) -> Fit:
    """Weights from the search, the ridge by exact leave-one-out at n among its neighbours."""
    weights = search.at(n)
    decades = np.arange(-_STEPS, _STEPS + 1)
    ridges = np.clip(weights.ridge * 10.0**decades, *np.exp(LOG_RIDGE))
    shape = tuple(float(w) for w in weights.weights)
    # Where features are far from unit variance, none of these may be enough for rounding.
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(search.X[:n]).sum(1) / search.X.shape[1]
        largest = float(sum(w * squares**p for p, w in enumerate(shape)).max())
    largest = largest if math.isfinite(largest) else 0.0
    rescue = [r for r in largest * 10.0 ** np.arange(-12, 1, 2) if r > ridges.max()]
    axis = Axis.listed("ridge", [math.exp(LOG_RIDGE[0]), *ridges, *rescue])
    fixed = [Axis(f"w{p}", (w,), (0,)) for p, w in enumerate(shape)]
    solver = PrefixSolver(kernel, [*fixed, axis], search.X[:n], search.y[:n], [n])
    start = int(np.argmin(np.abs(np.log(axis.values) - weights.theta[-1])))
    solutions: dict[int, Solution] = {}

    def solve(indices: Sequence[int]) -> None:
        for i in indices:
            if 0 <= i < len(axis.values) and i not in solutions:
                point = (0,) * len(shape) + (i,)
                solutions.update({p[-1]: s for p, s in solver.solve([point], n).items()})

    solve([0, start - 1, start, start + 1])
    for _ in range(_STEPS):
        best = _best(solutions)
        solve([best - 1, best + 1] if solutions else range(start, len(axis.values)))
        if solutions and _best(solutions) == best:
            break
    if not solutions:
        raise ValueError(not_positive_definite(n, "scale the features to unit variance"))
    chosen = _best(solutions)
    return Fit(
        shape, axis.values[chosen], solutions[chosen].alpha, _report(weights, solver, solutions, chosen, n)
    )


def _best(solutions: dict[int, Solution]) -> int:
    """Smallest leave-one-out error; the largest ridge among those that differ by rounding only."""
    if not solutions:
        return 0
    least = min(solutions.values(), key=lambda s: s.loo_mse)
    tied = [i for i, s in solutions.items() if s.loo_mse <= least.loo_mse * (1 + max(s.tie, least.tie))]
    return max(tied)


def _report(
    search: Weights, solver: PrefixSolver, solutions: dict[int, Solution], chosen: int, n: int
) -> FitReport:
    solution, weights = solutions[chosen], search.weights
    return FitReport(
        steps=search.evaluations + len(solutions),
        flops=search.flops + len(solutions) * (n**3 / 2 + 30.0 * n**2),
        hyperparameters={
            **{f"w{p}": float(w) for p, w in enumerate(weights)},
            "ridge": solver.axes[-1].values[chosen],
        },
        health={
            "loo_mse": solution.loo_mse,
            "train_mse": solution.train_mse,
            "log10_condition": math.log10(solution.condition),
        },
    )
