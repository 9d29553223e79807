"""Sequential kernel regression, plain reading: each level hands on its out-of-fold fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.kernel_tuning import Budget, Fit, fit_prefixes
from hierbench.learners.kernels.classical import PolynomialKernel, RBFKernel
from hierbench.learners.parameters import integers
from hierbench.learners.sequential.lifted_kernel import OFFSETS, RIDGES, column_spread
from hierbench.learners.training_set import training_set

BUDGET = Budget(scan=(1 / 8, 256), walk=(1 / 3, 512), starts=1, walk_points=10, finalists=1, drift=1)
LENGTH_SCALES = Axis.geometric("length_scale", 0.1, 100.0, per_decade=4, scan=(0.5, 10.0), every=3)
LIGHT_FITS = Axis("fit_weight", (0.0, 0.003, 0.01, 0.03), (0, 2))
HEAVY_FITS = Axis("fit_weight", (0.03, 0.1, 0.3, 1.0, 3.0, 10.0), (1, 3))
"""Tuned one apart from the other: a short prefix hides what a nearly unused fit is worth at n."""
NO_FITS = Axis("fit_weight", (1.0,), (0,))


@dataclasses.dataclass(frozen=True)
class WeightedKernel:
    """A kernel of [x, sqrt(w d) fits], d the number of inputs: w = 1 lets each fit weigh as much as all of x.

    shape = (the kernel's own parameter, w).
    """

    inner: PolynomialKernel | RBFKernel
    n_inputs: int

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write the kernel matrix (hierbench.learners.engines.kernel_engine.Kernel)."""
        scales = torch.ones(A.shape[1], dtype=A.dtype)
        scales[self.n_inputs :] = (shape[1] * self.n_inputs) ** 0.5
        self.inner.gram(A * scales, None if B is None else B * scales, shape[:1], out)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Operations of one entry."""
        return self.inner.flops(n_features, shape)


@dataclasses.dataclass(frozen=True)
class FoldFit:
    """One regression of one level: its kernel and fit, on the training rows ``rows`` (increasing)."""

    kernel: WeightedKernel
    rows: np.ndarray
    shape: tuple[float, ...]
    alpha: np.ndarray


class SequentialFitsRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    """Kernel regression applied level by level, the next level seeing the fits of the levels so far.

    Level l is kernel ridge regression of y on z_{l-1} = [x, f_1(x), ..., f_{l-1}(x)]. At a training point
    f_l is the fit of the folds that do not contain it (stacking: Wolpert, *Neural Networks* 5, 1992), since
    in-sample fits would hand on the label itself; elsewhere it is the mean of the fits of all folds. The
    last level is fitted to all points. The plain reading of what Allen-Zhu & Li (arXiv 2001.04413) call
    kernel regression applied sequentially: a level hands on one function, not features.

    A label is in the fits at other points all the same, so that the leave-one-out error of the last level is
    flattered, the test error not. Each regression tunes itself on its own rows, by closed-form leave-one-out:
    which kernel (polynomial or Gaussian), its parameter, the weight of the fits against x, the ridge.

    Parameters
    ----------
    depth : number of levels L, the depth of the target.
    degree : of the polynomial kernel, or several to choose from.
    folds : interleaved, so that nothing is random.
    splitting : each level on its own part of the sample, in place of folds.

    Attributes
    ----------
    levels_ : list of lists of FoldFit, one a fold; the last level has one.
    X_fit_ : (n, d + L - 1), standardised inputs and out-of-fold fits of all training points.
    centre_, spread_ : (d,), of the inputs; fit_spread_ : list of the scales of the fits.
    hyperparameters_ : dict, of the last level.
    fit_report_ : FitReport.
    """

    def __init__(
        self, depth: int = 2, *, degree: int | Sequence[int] = (2, 4), folds: int = 5, splitting: bool = False
    ) -> None:
        self.depth = depth
        self.degree = degree
        self.folds = folds
        self.splitting = splitting

    def fit(self, X: Any, y: Any) -> SequentialFitsRegressor:
        """Fit all levels in turn. X : (n, d), n >= 2; y : (n,)."""
        check_bounds(self.get_params(deep=False))
        X, y = training_set(self, X, y)
        integer("depth", self.depth, 1)
        integer("folds", self.folds, 2)
        degrees = integers("degree", self.degree, 1)
        n, d = X.shape
        self.centre_, self.spread_ = X.mean(0), column_spread(X)
        self.X_fit_ = (X - self.centre_) / self.spread_
        self.fit_spread_: list[tuple[float, float]] = []
        self.levels_: list[list[FoldFit]] = []
        steps, flops = 0, 0.0
        split = self.splitting and n >= 2 * self.depth
        for level in range(self.depth):
            last = level == self.depth - 1
            if split:
                trained_on = [np.arange(level, n, self.depth)]
            elif last:
                trained_on = [np.arange(n)]
            else:
                folds = min(self.folds, n)
                trained_on = [np.flatnonzero(np.arange(n) % folds != k) for k in range(folds)]
            fits = [_tuned(self.X_fit_, y, rows, d, degrees) for rows in trained_on]
            steps += sum(f.report.steps or 0 for _, f in fits)
            flops += sum(f.report.flops or 0.0 for _, f in fits)
            self.levels_.append([fold for fold, _ in fits])
            report = fits[-1][1].report
            if not last:
                self._hand_on(split)
        kernel = self.levels_[-1][0].kernel.inner
        self.hyperparameters_ = {"kernel": type(kernel).__name__, **report.hyperparameters}
        self.fit_report_ = FitReport(steps, flops, self.hyperparameters_, health=report.health)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        return self._fits(X)[-1]

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Return the fit of every level, each of shape (n, 1)."""
        return [f[:, None] for f in self._fits(X)]

    def _fits(self, X: Any) -> list[np.ndarray]:
        check_is_fitted(self)
        Z = (validate_data(self, X, dtype=np.float64, reset=False) - self.centre_) / self.spread_
        fits = []
        for level, folds in enumerate(self.levels_):
            fits.append(np.mean([self._predict(fold, Z) for fold in folds], axis=0))
            if level < len(self.fit_spread_):
                centre, spread = self.fit_spread_[level]
                Z = np.hstack([Z, ((fits[-1] - centre) / spread)[:, None]])
        return fits

    def _predict(self, fold: FoldFit, Z: np.ndarray) -> np.ndarray:
        train = self.X_fit_[fold.rows, : Z.shape[1]]
        return kernel_engine.predict(fold.kernel, train, [(fold.shape, fold.alpha)], Z)[0]

    def _hand_on(self, split: bool) -> None:
        """Append the out-of-fold fits of the level just fitted to the inputs of the next."""
        value = np.empty(len(self.X_fit_))
        for fold in self.levels_[-1]:
            held = np.ones(len(value), dtype=bool)
            if not split:
                held[fold.rows] = False
            value[held] = self._predict(fold, self.X_fit_[held])
        # Scaled by what the level predicts for all points alike: the scale is no label of any one of them.
        spread = float(value.std())
        self.fit_spread_.append((float(value.mean()), spread if spread > 0 else 1.0))
        centre, spread = self.fit_spread_[-1]
        self.X_fit_ = np.hstack([self.X_fit_, ((value - centre) / spread)[:, None]])


def _tuned(
    Z: np.ndarray, y: np.ndarray, rows: np.ndarray, d: int, degrees: Sequence[int]
) -> tuple[FoldFit, Fit]:
    """Return the best of the kernels on these rows, by leave-one-out."""
    weights = (LIGHT_FITS, HEAVY_FITS) if Z.shape[1] > d else (NO_FITS,)
    tried: list[tuple[WeightedKernel, Fit]] = []
    kernels: list[tuple[PolynomialKernel | RBFKernel, Axis]] = [(RBFKernel(1.0), LENGTH_SCALES)]
    kernels += [(PolynomialKernel(p), OFFSETS) for p in degrees]
    for inner, shape in kernels:
        kernel = WeightedKernel(inner, d)
        for weight in weights:
            [fit] = fit_prefixes(kernel, (shape, weight, RIDGES), Z[rows], y[rows], [len(rows)], BUDGET)
            tried.append((kernel, fit))
    kernel, fit = min(tried, key=lambda t: t[1].report.health["loo_mse"])
    report = fit.report
    total = dataclasses.replace(
        report,
        steps=sum(f.report.steps or 0 for _, f in tried),
        flops=sum(f.report.flops or 0.0 for _, f in tried),
    )
    return FoldFit(kernel, rows, fit.shape, fit.alpha), dataclasses.replace(fit, report=total)
