"""What the levels of sequential kernel regression share: a chain of levels on some of the rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.kernel_tuning import Budget, Fit, coefficients, fit_prefixes
from hierbench.learners.sequential.lifted_kernel import (
    MIXES,
    NO_MIX,
    OFFSETS,
    RIDGES,
    LiftedKernel,
    quadratic_form,
    standardised,
)

BUDGET = Budget(scan=(1 / 8, 256), walk=(1 / 3, 512), starts=1, walk_points=12, finalists=1, drift=1)
"""Tuning of one level's kernel for one number of directions."""


@dataclasses.dataclass
class Work:
    """What a fit has cost so far: factorisations and operations."""

    steps: int = 0
    flops: float = 0.0

    def add(self, n: int, factorisations: int = 1) -> None:
        """Count a factorisation of n points."""
        self.steps += factorisations
        self.flops += factorisations * n**3 / 3


@dataclasses.dataclass(frozen=True)
class Regression:
    """The regression of one level: its kernel and its fit."""

    kernel: LiftedKernel
    fit: Fit

    @property
    def loo(self) -> float:
        """Return the leave-one-out error."""
        return self.fit.report.health["loo_mse"]


@dataclasses.dataclass(frozen=True)
class Chain:
    """The levels so far, as fitted to some rows: [x, p] of all rows."""

    rows: np.ndarray
    points: np.ndarray
    y: np.ndarray
    x: np.ndarray

    def lifted(self, kernel: LiftedKernel, directions: np.ndarray, rows: np.ndarray) -> Chain:
        """Add the projections of all rows on directions of the level just fitted."""
        p = standardised(self.kernel(kernel), self.points) @ directions
        return Chain(rows, np.hstack([self.x, p]), self.y, self.x)

    def first(self, share: tuple[float, int]) -> Chain:
        """Return the same levels, with as many of the rows as the budget allows."""
        count = max(share[1], math.ceil(share[0] * len(self.rows)))
        return dataclasses.replace(self, rows=self.rows[:count])

    def kernel(self, like: LiftedKernel) -> LiftedKernel:
        """Return the same kernel, its products centred on this chain's own."""
        return LiftedKernel.of(like.degree, like.n_inputs, self.points)

    def refit(self, regression: Regression, work: Work) -> np.ndarray:
        """Dual coefficients on these rows at the hyperparameters of ``regression``."""
        [alpha] = self._solve(
            self.kernel(regression.kernel), regression.fit.shape, [regression.fit.ridge], work
        )
        return alpha

    def with_ridge(self, regression: Regression, ridge: float, work: Work) -> Regression:
        """Refit with another ridge."""
        [alpha] = self._solve(regression.kernel, regression.fit.shape, [ridge], work)
        report = dataclasses.replace(
            regression.fit.report, hyperparameters={**regression.fit.report.hyperparameters, "ridge": ridge}
        )
        return Regression(regression.kernel, Fit(regression.fit.shape, ridge, alpha, report))

    def held_out(
        self, regression: Regression, held: np.ndarray, factors: Sequence[float], work: Work
    ) -> np.ndarray:
        """Compute the summed squared errors on the held-out rows, one a ridge factor."""
        kernel, shape = self.kernel(regression.kernel), regression.fit.shape
        alphas = self._solve(kernel, shape, [f * regression.fit.ridge for f in factors], work)
        fits = [(shape, alpha) for alpha in alphas]
        predicted = kernel_engine.predict(kernel, self.points[self.rows], fits, self.points[held])
        return np.square(predicted - self.y[held]).sum(1)

    def _solve(
        self, kernel: LiftedKernel, shape: tuple[float, ...], ridges: Sequence[float], work: Work
    ) -> list[np.ndarray]:
        A = torch.from_numpy(self.points[self.rows])
        K = torch.empty((len(A), len(A)), dtype=torch.float64)
        kernel.gram(A, None, shape, K)
        y = torch.from_numpy(self.y[self.rows])
        return [coefficients(K, y, ridge, lambda: work.add(len(A))) for ridge in ridges]


def tuned(
    chain: Chain,
    degrees: Sequence[int],
    d: int,
    work: Work,
    near: Regression | None = None,
) -> Regression:
    """Return the level's regression on the chain's rows, by leave-one-out among the degrees.

    near : the regression of a similar chain, from which the search then starts.
    """
    points, y = chain.points[chain.rows], chain.y[chain.rows]
    mixes = NO_MIX if points.shape[1] == d else MIXES
    axes = (OFFSETS, mixes, RIDGES)
    start = None
    if near is not None:
        chosen = (*near.fit.shape, near.fit.ridge)
        start = tuple(axis.values.index(value) for axis, value in zip(axes, chosen, strict=True))
    tried = []
    for degree in degrees:
        kernel = LiftedKernel.of(degree, d, chain.points)
        [fit] = fit_prefixes(kernel, axes, points, y, [len(y)], BUDGET, start)
        work.steps += fit.report.steps or 0
        work.flops += fit.report.flops or 0.0
        tried.append(Regression(kernel, fit))
    return min(tried, key=lambda f: f.loo)


def leading(
    chain: Chain, regression: Regression, alpha: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum and eigenvectors of the level's quadratic form, largest absolute values first."""
    kernel = regression.kernel if alpha is None else chain.kernel(regression.kernel)
    alpha = regression.fit.alpha if alpha is None else alpha
    form = quadratic_form(kernel, chain.points[chain.rows], alpha, regression.fit.shape)
    values, vectors = np.linalg.eigh(form)
    order = np.argsort(-np.abs(values), kind="stable")
    vectors = vectors[:, order]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return values[order], vectors * np.where(signs == 0, 1.0, signs)
