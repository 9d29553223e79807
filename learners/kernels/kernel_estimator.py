"""What every kernel ridge estimator shares: fit, prefixes of a curve, predict."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.learners.base import Curve, FittedCurve
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.engines.kernel_tuning import Budget, Fit, fit_prefixes
from hierbench.learners.torch_device import torch_device
from hierbench.learners.training_set import training_set


class KernelEstimator(RegressorMixin, BaseEstimator, abc.ABC):
    """What every fitted kernel regression has, and how it predicts; a subclass says how it is fitted.

    Attributes
    ----------
    hyperparameters_ : dict, what was chosen.
    shape_ : the kernel's shape parameters, of all hyperparameters but the ridge.
    dual_coef_ : (n,) float64, or (n, outputs).
    X_fit_ : (n, d), the training inputs.
    fit_report_ : FitReport.
    """

    device: str = "cpu"
    """Where matrices are made and factored; learners that have it as a parameter also compute on a GPU."""

    @abc.abstractmethod
    def fit(self, X: Any, y: Any) -> Self:
        """Fit and tune. X : (n, d), n >= 2; y : (n,), finite numbers."""

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),), or (len(X), outputs) after a fit to several."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        torch_device("device", self.device)
        fits = [(self.shape_, self.dual_coef_)]
        return kernel_engine.predict(self._fitted_kernel, self.X_fit_, fits, X, self.device)[0]

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        check_bounds(self.get_params(deep=False))
        torch_device("device", self.device)
        return training_set(self, X, y, outputs=get_tags(self).target_tags.multi_output)

    def _store(self, kernel: Kernel, X: np.ndarray, fit: Fit) -> Self:
        self.X_fit_ = X
        self.shape_ = fit.shape
        self.dual_coef_ = fit.alpha
        self.hyperparameters_ = dict(fit.report.hyperparameters)
        self.fit_report_ = fit.report
        self._fitted_kernel = kernel
        return self


class KernelRegressor(KernelEstimator):
    """Kernel ridge regression over the shared engine; subclasses say which kernel and which lattice.

    Several outputs share the kernel, the ridge and the factorisation.
    """

    def __sklearn_tags__(self) -> Tags:
        """Say that several outputs are fitted together."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

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
        X : (n, d), n >= 2; y : (n,), or (n, outputs). Finite numbers.
        """
        X, y = self._validated(X, y)
        kernel = self._kernel()
        [fit] = self._fits(kernel, X, y, [len(y)])
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
        fits = self._fits(kernel, X, y, curve.sizes)
        estimators = []
        for size, fit in zip(curve.sizes, fits, strict=True):
            estimator = clone(self)
            estimator._validated(X[:size], y[:size])
            estimators.append(estimator._store(kernel, X[:size], fit))
        return FittedKernelCurve(estimators)

    def _fits(self, kernel: Kernel, X: np.ndarray, y: np.ndarray, sizes: Sequence[int]) -> list[Fit]:
        """Tuned fits of the prefixes ``sizes``, in their order."""
        return fit_prefixes(kernel, self._axes(), X, y, sizes, self._budget(), device=self.device)

    def _budget(self) -> Budget:
        return Budget()


class FittedKernelCurve(FittedCurve):
    """Predicts all sizes at once: those that chose the same kernel share its test matrix."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict all rows at every size, shape (len(sizes), len(X)), or with outputs as a third axis."""
        largest = max(self.estimators, key=lambda e: len(e.X_fit_))
        X = validate_data(largest, X, dtype=np.float64, reset=False)
        fits = [(e.shape_, e.dual_coef_) for e in self.estimators]
        return kernel_engine.predict(largest._fitted_kernel, largest.X_fit_, fits, X, largest.device)
