"""Ridge regression on all polynomials of bounded degree, tuned inside ``fit``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.learners.base import Curve, FitReport, FittedCurve
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import feature_ridge, kernel_engine, kernel_tuning
from hierbench.learners.engines.kernel_engine import TIE, Axis
from hierbench.learners.features.hermite import HermiteFeatures, HermiteKernel, count
from hierbench.learners.training_set import training_set

RIDGES = Axis.geometric("ridge", 1e-8, 1e10, per_decade=2, scan=(1e-8, 1e6), every=4)
DECAYS = Axis("decay", (0.18, 0.25, 0.35, 0.5, 0.7, 1.0), (1, 3, 5))
CONSTANT = 10.0
"""Value of the constant feature: a ridge that matters to the others hardly shrinks the intercept."""
SCALE_ROWS = 64
"""Rows that set the scale of the inputs: the first ones, so that all prefixes of a curve agree."""


@dataclasses.dataclass(frozen=True)
class _Fit:
    """One prefix: ``coef`` of the features, or dual coefficients where ``dual``."""

    degree: int
    decay: float
    coef: np.ndarray
    dual: bool
    report: FitReport


class PolynomialRegressor(RegressorMixin, BaseEstimator):
    r"""Least squares over all polynomials of degree <= k, with a ridge.

    .. math:: f(x) = \sum_{|a| \le k} c_a \prod_i h_{a_i}(x_i), \qquad
              \min_c \sum_i (y_i - f(x_i))^2 + \text{ridge} \sum_a \text{decay}^{2 (k - |a|)} c_a^2

    with h_m the Hermite polynomials of unit variance, orthonormal for Gaussian inputs: the same polynomials
    as the monomials span, in a basis that is well conditioned and gives the ridge its meaning. k = 1..degree,
    ridge and decay are chosen by exact leave-one-out. With more samples than features the equations are those
    of the features, and one Cholesky factor serves every k (``hierbench.learners.engines.feature_ridge``);
    with fewer they are those of the kernel matrix, whose entries Mehler's formula gives without any feature
    (``hierbench.learners.features.hermite``). A. E. Hoerl, R. W. Kennard, *Ridge regression*, Technometrics
    1970; leave-one-out: D. M. Allen, Technometrics 1974.

    Inputs are shifted and scaled to order one, by whole powers of two, from the first 64 rows: those
    that have mean zero and unit variance stay what they are.

    Parameters
    ----------
    degree : largest k tried.
    ridge : None (tuned), a number (fixed) or several (tried). Absolute: not multiplied by n. Where
        there are fewer features than samples it is that of the largest degree tried, and less by the decay
        for every degree below.
    decay : the same for the factor by which coefficients are expected to fall with each degree.
    max_features : bound on the order of the equations, the smaller of n and the number of features: memory
        is 16 max_features^2 bytes. Degrees beyond it are left out, and ``fit_report_.health`` says which was
        the largest tried.

    Attributes
    ----------
    degree_ : the chosen k.
    coef_ : (n_features,) where there were fewer features than samples, else empty.
    decay_ : the chosen decay.
    X_fit_, dual_coef_ : (n, d) and (n,), scaled inputs and coefficients, where there were more, else empty.
    location_, scale_ : (d,), of the inputs.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        *,
        degree: int = 4,
        ridge: float | Sequence[float] | None = None,
        decay: float | Sequence[float] | None = None,
        max_features: int = 8192,
    ) -> None:
        self.degree = degree
        self.ridge = ridge
        self.decay = decay
        self.max_features = max_features

    def fit(self, X: Any, y: Any) -> PolynomialRegressor:
        """Fit and tune.

        Parameters
        ----------
        X : (n, d), n >= 2; y : (n,). Finite numbers.
        """
        axes = self._axes()
        X, y = self._validated(X, y)
        location, scale = _order_one(X)
        [fit] = self._fits((X - location) / scale, y, [len(y)], *axes)
        return self._store(fit, location, scale, X)

    def fit_curves(self, curves: Sequence[Curve], callback: None = None) -> list[FittedCurve]:
        """All prefixes of each curve, from sums of Phi^T Phi along the curve and shared factorisations."""
        return [self._fit_curve(curve) for curve in curves]

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        X = (X - self.location_) / self.scale_
        if len(self.dual_coef_):
            shape, kernel = (float(self.degree_), self.decay_), HermiteKernel(CONSTANT)
            return kernel_engine.predict(kernel, self.X_fit_, [(shape, self.dual_coef_)], X)[0]
        features = HermiteFeatures(X.shape[1], self.degree_, CONSTANT)
        rows = max(1, kernel_engine.CHUNK // len(self.coef_))
        parts = [
            features(X[a : a + rows], len(self.coef_)).numpy() @ self.coef_ for a in range(0, len(X), rows)
        ]
        return np.concatenate(parts)

    def _fit_curve(self, curve: Curve) -> FittedCurve:
        axes, n = self._axes(), max(curve.sizes)
        X, y = clone(self)._validated(curve.X[:n], curve.y[:n])
        # Prefixes with the same scale share their equations: all but those of fewer than 64 rows.
        alike: dict[bytes, list[int]] = {}
        for size in curve.sizes:
            alike.setdefault(np.stack(_order_one(X[:size])).tobytes(), []).append(size)
        estimators: dict[int, PolynomialRegressor] = {}
        for sizes in alike.values():
            location, scale = _order_one(X[: sizes[0]])
            m = max(sizes)
            for size, fit in zip(
                sizes, self._fits((X[:m] - location) / scale, y[:m], sizes, *axes), strict=True
            ):
                estimator = clone(self)
                estimator._validated(X[:size], y[:size])
                estimators[size] = estimator._store(fit, location, scale, X[:size])
        return FittedCurve([estimators[size] for size in curve.sizes])

    def _fits(
        self, X: np.ndarray, y: np.ndarray, sizes: Sequence[int], decays: Axis, ridges: Axis
    ) -> list[_Fit]:
        """Tuned fits of the prefixes of scaled inputs, in the order of ``sizes``."""
        d = X.shape[1]
        counts = {k: count(d, k) for k in range(1, self.degree + 1)}
        few = {
            n: [k for k, c in counts.items() if c <= min(n, self.max_features)] for n in dict.fromkeys(sizes)
        }
        many = {
            n: tuple(k for k, c in counts.items() if c > n) if n <= self.max_features else () for n in few
        }
        largest = max([1, *(k for ks in few.values() for k in ks)])
        primal = feature_ridge.fit_prefixes(
            HermiteFeatures(d, largest, CONSTANT),
            {n: [counts[k] for k in ks] for n, ks in few.items()},
            X,
            y,
            ridges,
            [_penalties(d, largest, decay) for decay in reversed(decays.values)],
        )
        dual: dict[int, kernel_tuning.Fit] = {}
        for degrees in set(many.values()) - {()}:
            alike = [n for n in many if many[n] == degrees]
            axes = (Axis.listed("degree", degrees), decays, ridges)
            m, kernel = max(alike), HermiteKernel(CONSTANT)
            fits = kernel_tuning.fit_prefixes(kernel, axes, X[:m], y[:m], alike, kernel_tuning.Budget())
            dual.update(zip(alike, fits, strict=True))
        return [
            _better(primal.get(n), dual.get(n), decays, n, d, max((*few[n], *many[n]), default=0))
            for n in sizes
        ]

    def _axes(self) -> tuple[Axis, Axis]:
        """Decays and ridges."""
        check_bounds(self.get_params(deep=False))
        integer("degree", self.degree, 1)
        integer("max_features", self.max_features, 2)
        return DECAYS.narrowed(self.decay, zero=False), RIDGES.narrowed(self.ridge)

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        return training_set(self, X, y)

    def _store(
        self, fit: _Fit, location: np.ndarray, scale: np.ndarray, X: np.ndarray
    ) -> PolynomialRegressor:
        self.location_, self.scale_ = location, scale
        self.degree_, self.decay_ = fit.degree, fit.decay
        self.coef_ = np.empty(0) if fit.dual else fit.coef
        self.dual_coef_ = fit.coef if fit.dual else np.empty(0)
        self.X_fit_ = (X - location) / scale if fit.dual else np.empty((0, X.shape[1]))
        self.hyperparameters_ = dict(fit.report.hyperparameters)
        self.fit_report_ = fit.report
        return self


def _order_one(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Powers of two near the spread of each input, and a whole number of them near its mean."""
    first = X[:SCALE_ROWS]
    mean, spread = first.mean(0), first.std(0)
    spread = np.where(spread > 1e-12 * (1 + np.abs(mean)), spread, 1.0)
    scale = np.exp2(np.round(np.log2(spread)))
    return scale * np.round(mean / scale), scale


def _penalties(d: int, degree: int, decay: float) -> torch.Tensor:
    """decay^(-2 |a|) of every feature."""
    degrees = np.arange(degree + 1)
    sizes = [count(d, int(k)) for k in degrees]
    return torch.from_numpy(np.repeat(float(decay) ** (-2.0 * degrees), np.diff(sizes, prepend=0)))


def _better(
    primal: feature_ridge.FeatureFit | None,
    dual: kernel_tuning.Fit | None,
    decays: Axis,
    n: int,
    d: int,
    largest: int,
) -> _Fit:
    """Return the one with the smaller leave-one-out error; its report counts the work on both."""
    steps = (primal.factorisations if primal else 0) + ((dual.report.steps or 0) if dual else 0)
    flops = (primal.flops if primal else 0.0) + ((dual.report.flops or 0.0) if dual else 0.0)
    if primal and (not dual or primal.loo_mse <= dual.report.health["loo_mse"] * (1 + TIE)):
        degree = next(k for k in range(1, largest + 1) if count(d, k) == len(primal.coef))
        coef, ridge, health = primal.coef, primal.ridge, primal.health
        decay = decays.values[::-1][primal.penalty]
    elif dual:
        coef, ridge, health = dual.alpha, dual.ridge, dict(dual.report.health)
        degree, decay = int(dual.shape[0]), dual.shape[1]
        del health["edges_of_grid"]
    else:
        raise ValueError(
            f"no polynomial regression of {n} samples in {d} dimensions within max_features: allow "
            f"{min(n, d + 1)} or more, or a larger ridge"
        )
    report = FitReport(
        steps=steps,
        flops=flops,
        hyperparameters={"degree": degree, "decay": decay, "ridge": ridge, "n_features": count(d, degree)},
        health={**health, "largest_degree_tried": float(largest)},
    )
    return _Fit(degree, decay, coef, count(d, degree) > n, report)
