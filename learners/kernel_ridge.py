"""Kernel ridge regression with Gaussian, Laplace and polynomial kernels, tuned inside ``fit``."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer, one_of
from hierbench.learners import kernel_engine
from hierbench.learners.base import Curve, FittedCurve
from hierbench.learners.kernel_engine import Axis, Kernel
from hierbench.learners.kernel_tuning import Budget, Fit, fit_prefixes
from hierbench.learners.parameters import not_negative

KERNELS = ("rbf", "laplace", "polynomial")
RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-9, 1e1), every=4)
LENGTH_SCALES = {
    "rbf": Axis.geometric("length_scale", 0.1, 100.0, per_decade=8, scan=(0.42, 8.0), every=2),
    "laplace": Axis.geometric("length_scale", 0.1, 100.0, per_decade=4, scan=(0.5, 20.0), every=2),
}
OFFSETS = Axis.geometric("offset", 1e-3, 1e3, per_decade=4, scan=(0.03, 10.0), every=2)


def _squared_distances(A: torch.Tensor, B: torch.Tensor, scale: float, out: torch.Tensor) -> None:
    """Write -|a - b|^2 / scale as one matrix product of augmented points: the matrix is written once."""
    a, b = A * math.sqrt(2 / scale), B * math.sqrt(2 / scale)
    ones = torch.ones((1, 1), dtype=A.dtype)
    left = torch.cat([a, -0.5 * a.square().sum(1, keepdim=True), ones.expand(len(a), 1)], dim=1)
    right = torch.cat([b, ones.expand(len(b), 1), -0.5 * b.square().sum(1, keepdim=True)], dim=1)
    torch.matmul(left, right.T, out=out)
    out.clamp_(max=0.0)


@dataclasses.dataclass(frozen=True)
class RBFKernel:
    """exp(-|x - x'|^2 / (2 d l^2)) + c: length scales l in multiples of sqrt(d), d the number of features."""

    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        _squared_distances(A, A if B is None else B, 2 * A.shape[1] * shape[0] ** 2, out)
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
        _squared_distances(A, A if B is None else B, A.shape[1] * shape[0] ** 2, out)
        out.neg_().sqrt_().neg_().exp_().add_(self.intercept)
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
        torch.matmul(A / (A.shape[1] * (1 + offset)), (A if B is None else B).T, out=out)
        out.add_(offset / (1 + offset)).pow_(self.degree)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 1 + self.degree


class KernelEstimator(RegressorMixin, BaseEstimator, abc.ABC):
    """What every fitted kernel regression has, and how it predicts; a subclass says how it is fitted.

    Attributes
    ----------
    hyperparameters_ : dict, what was chosen.
    shape_ : the kernel's shape parameters, of all hyperparameters but the ridge.
    dual_coef_ : (n,) float64.
    X_fit_ : (n, d), the training inputs.
    fit_report_ : FitReport.
    """

    @abc.abstractmethod
    def fit(self, X: Any, y: Any) -> Self:
        """Fit and tune. X : (n, d), n >= 2; y : (n,), finite numbers."""

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return kernel_engine.predict(self._fitted_kernel, self.X_fit_, [(self.shape_, self.dual_coef_)], X)[0]

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        return validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)

    def _store(self, kernel: Kernel, X: np.ndarray, fit: Fit) -> Self:
        self.X_fit_ = X
        self.shape_ = fit.shape
        self.dual_coef_ = fit.alpha
        self.hyperparameters_ = dict(fit.report.hyperparameters)
        self.fit_report_ = fit.report
        self._fitted_kernel = kernel
        return self


class KernelRegressor(KernelEstimator):
    """Kernel ridge regression over the shared engine; subclasses say which kernel and which lattice."""

    @abc.abstractmethod
    def _kernel(self) -> Kernel:
        """Make the kernel; ValueError on bad parameters."""

    @abc.abstractmethod
    def _axes(self) -> tuple[Axis, ...]:
        """Return the lattice, the ridge last; called once the parameters are known to be good."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit and tune.

        Parameters
        ----------
        X : (n, d), n >= 2; y : (n,). Finite numbers.
        """
        X, y = self._validated(X, y)
        kernel = self._kernel()
        [fit] = fit_prefixes(kernel, self._axes(), X, y, [len(y)], self._budget())
        return self._store(kernel, X, fit)

    def fit_curves(self, curves: Sequence[Curve], callback: None = None) -> list[FittedCurve]:
        """Fit all prefixes of each curve from shared factorisations.

        The same fits as ``fit`` gives one by one: the same hyperparameters, and predictions equal to 1e-8
        or, where that is more, to rounding times the condition number of K + ridge I.
        """
        return [self._fit_curve(curve) for curve in curves]

    def _fit_curve(self, curve: Curve) -> FittedCurve:
        kernel, n = self._kernel(), max(curve.sizes)
        X, y = clone(self)._validated(curve.X[:n], curve.y[:n])
        fits = fit_prefixes(kernel, self._axes(), X, y, curve.sizes, self._budget())
        estimators = []
        for size, fit in zip(curve.sizes, fits, strict=True):
            estimator = clone(self)
            estimator._validated(X[:size], y[:size])
            estimators.append(estimator._store(kernel, X[:size], fit))
        return FittedKernelCurve(estimators)

    def _budget(self) -> Budget:
        return Budget()


class FittedKernelCurve(FittedCurve):
    """Predicts all sizes at once: those that chose the same kernel share its test matrix."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict all rows at every size, shape (len(sizes), len(X))."""
        largest = max(self.estimators, key=lambda e: len(e.X_fit_))
        X = validate_data(largest, X, dtype=np.float64, reset=False)
        fits = [(e.shape_, e.dual_coef_) for e in self.estimators]
        return kernel_engine.predict(largest._fitted_kernel, largest.X_fit_, fits, X)


class KernelRidge(KernelRegressor):
    """Kernel ridge regression, min_f sum_i (y_i - f(x_i))^2 + ridge |f|_K^2, tuned by leave-one-out.

    ``rbf``         exp(-|x - x'|^2 / (2 d l^2)) + intercept
    ``laplace``     exp(-|x - x'| / (sqrt(d) l)) + intercept
    ``polynomial``  ((x.x' / d + c) / (1 + c))^degree

    with d the number of features, so that features of unit variance make l = c = 1 a sensible scale at
    every d. C. Saunders, A. Gammerman, V. Vovk, *Ridge regression learning algorithm in dual variables*,
    ICML 1998; for the tuning see ``hierbench.learners.kernel_engine``.

    Parameters
    ----------
    kernel : ``"rbf"``, ``"laplace"`` or ``"polynomial"``.
    degree : of the polynomial kernel.
    length_scale : None (tuned), a number (fixed) or several (tried): l, for rbf and laplace.
    offset : the same for c, for the polynomial kernel.
    ridge : the same for the ridge. Absolute: not multiplied by n.
    intercept : variance of the constant that rbf and laplace add.
    """

    def __init__(
        self,
        kernel: str = "rbf",
        *,
        degree: int = 4,
        length_scale: float | Sequence[float] | None = None,
        offset: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.length_scale = length_scale
        self.offset = offset
        self.ridge = ridge
        self.intercept = intercept

    def _kernel(self) -> Kernel:
        one_of("kernel", self.kernel, KERNELS)
        intercept = not_negative("intercept", self.intercept)
        if self.kernel == "polynomial":
            return PolynomialKernel(integer("degree", self.degree, 1))
        return RBFKernel(intercept) if self.kernel == "rbf" else LaplaceKernel(intercept)

    def _axes(self) -> tuple[Axis, ...]:
        if self.kernel == "polynomial":
            shape = OFFSETS.narrowed(self.offset)
        else:
            shape = LENGTH_SCALES[self.kernel].narrowed(self.length_scale, zero=False)
        ridge = RIDGES.narrowed(self.ridge)
        return shape, ridge


class KernelRidgeRBF(KernelRidge):
    """``KernelRidge`` with the Gaussian kernel; parameters as there."""

    def __init__(
        self,
        *,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        super().__init__("rbf", length_scale=length_scale, ridge=ridge, intercept=intercept)


class KernelRidgeLaplace(KernelRidge):
    """``KernelRidge`` with the Laplace kernel; parameters as there."""

    def __init__(
        self,
        *,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        super().__init__("laplace", length_scale=length_scale, ridge=ridge, intercept=intercept)


class KernelRidgePolynomial(KernelRidge):
    """``KernelRidge`` with the polynomial kernel; parameters as there."""

    def __init__(
        self,
        *,
        degree: int = 4,
        offset: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__("polynomial", degree=degree, offset=offset, ridge=ridge)
