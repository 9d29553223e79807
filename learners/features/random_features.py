"""Ridge regression on random features, tuned inside ``fit``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from hierbench.checks import integer, one_of
from hierbench.learners.base import Curve, FitReport, FittedCurve
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import feature_ridge, kernel_engine, kernel_tuning
from hierbench.learners.engines.kernel_engine import Axis, float64_tensor
from hierbench.learners.engines.linear_algebra import product
from hierbench.learners.parameters import not_negative
from hierbench.learners.seeds import seed_of
from hierbench.learners.training_set import training_set

RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-9, 1e3), every=4)
SCALES = {
    "relu": Axis("scale", (0.0, 0.3, 1.0, 3.0), (0, 2)),
    "quadratic": Axis("scale", (0.1, 0.3, 1.0, 3.0), (1, 2)),
    "fourier": Axis.geometric("scale", 0.25, 32.0, per_decade=4, scan=(0.4, 15.0), every=2),
}


@dataclasses.dataclass(frozen=True)
class FeatureKernel:
    """The inner product of random features, the constant included; shape = (scale,).

    weights : (d, D) standard normal; offsets : (D,), standard normal or, for fourier, uniform on the circle.
    """

    activation: str
    weights: np.ndarray
    offsets: np.ndarray
    intercept: float

    def features(self, X: Tensor, scale: float) -> Tensor:
        """(len(X), D + 1); the last one is the constant."""
        d, D = self.weights.shape
        out = torch.empty((len(X), D + 1), dtype=torch.float64)
        phi = out[:, :D]
        if self.activation == "fourier":
            product(X, float64_tensor(self.weights / (scale * math.sqrt(d))), phi)
            phi.add_(float64_tensor(self.offsets)).cos_().mul_(math.sqrt(2 / D))
        else:
            unit = math.sqrt(1 + scale**2)  # variance of what the activation sees, where |x|^2 = d
            product(X, float64_tensor(self.weights / (unit * math.sqrt(d))), phi)
            phi.add_(float64_tensor(self.offsets * (scale / unit)))
            if self.activation == "relu":
                phi.clamp_(min=0.0).mul_(math.sqrt(2 / D))
            else:
                phi.square_().mul_(math.sqrt(1 / (3 * D)))
        out[:, D] = math.sqrt(self.intercept)
        return out

    def gram(self, A: Tensor, B: Tensor | None, shape: tuple[float, ...], out: Tensor) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        scale = shape[0]
        columns = self.features(A if B is None else B, scale)
        if B is None:
            product(columns, columns.T, out)
        else:
            product(self.features(A, scale), columns.T, out)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * self.weights.shape[1]


@dataclasses.dataclass(frozen=True)
class _Fit:
    scale: float
    coef: np.ndarray
    report: FitReport


class RandomFeaturesRegressor(RegressorMixin, BaseEstimator):
    r"""Ridge regression on D random features and a constant; features are drawn once, never trained.

    ``relu``       sqrt(2 / D) max(v, 0),      v = (w.x / sqrt(d) + s b) / sqrt(1 + s^2)
    ``quadratic``  sqrt(1 / (3 D)) v^2
    ``fourier``    sqrt(2 / D) cos(w.x / (s sqrt(d)) + u)

    w and b standard normal, u uniform on [0, 2 pi). The inner products tend to a kernel as D grows, of mean
    1 where |x|^2 = d: for fourier exp(-|x - x'|^2 / (2 d s^2)), for relu the arc-cosine kernel of
    order one, for quadratic (1 + 2 c^2) / 3 with c the inner product of (x / sqrt(d), s), normalised.
    A. Rahimi, B. Recht, *Random features for large-scale kernel machines*, NIPS 2007; how many are enough:
    A. Rudi, L. Rosasco, arXiv 1602.04474.

    Scale s and ridge are tuned by leave-one-out: with up to D samples from the kernel matrix of the features
    (``hierbench.learners.engines.kernel_tuning``); with more, the scale from that of the first D samples, the
    ridge from all of them through the D x D equations (``hierbench.learners.engines.feature_ridge``).

    Parameters
    ----------
    activation : ``"relu"``, ``"quadratic"`` or ``"fourier"``.
    n_features : D. All sizes of a curve have the same features.
    scale : None (tuned), a number (fixed) or several (tried): s, the standard deviation of the biases of relu
        and quadratic, the length scale of fourier.
    ridge : None (tuned), a number or several. Absolute: not multiplied by n.
    intercept : square of the constant feature.
    random_state : int, RandomState or None.

    Attributes
    ----------
    weights_, offsets_ : (d, D) and (D,), the draws.
    scale_ : the chosen s.
    coef_ : (D + 1,), the last one of the constant.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        activation: str = "relu",
        *,
        n_features: int = 4096,
        scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.activation = activation
        self.n_features = n_features
        self.scale = scale
        self.ridge = ridge
        self.intercept = intercept
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> RandomFeaturesRegressor:
        """Fit and tune.

        Parameters
        ----------
        X : (n, d), n >= 2; y : (n,). Finite numbers.
        """
        axes = self._axes()
        X, y = self._validated(X, y)
        kernel = self._draw(X.shape[1], seed_of(self.random_state))
        return self._store(kernel, self._fits(kernel, X, y, [len(y)], axes)[len(y)])

    def fit_curves(self, curves: Sequence[Curve], callback: None = None) -> list[FittedCurve]:
        """All prefixes of each curve, from one draw of the features and shared equations."""
        return [self._fit_curve(curve) for curve in curves]

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        kernel = FeatureKernel(self.activation, self.weights_, self.offsets_, float(self.intercept))
        rows = max(1, kernel_engine.CHUNK // len(self.coef_))
        parts = [
            kernel.features(float64_tensor(X[a : a + rows]), self.scale_).numpy() @ self.coef_
            for a in range(0, len(X), rows)
        ]
        return np.concatenate(parts)

    def _fit_curve(self, curve: Curve) -> FittedCurve:
        axes, n = self._axes(), max(curve.sizes)
        X, y = clone(self)._validated(curve.X[:n], curve.y[:n])
        kernel = self._draw(X.shape[1], curve.random_state)
        fits = self._fits(kernel, X, y, curve.sizes, axes)
        estimators = []
        for size in curve.sizes:
            estimator = clone(self)
            estimator._validated(X[:size], y[:size])
            estimators.append(estimator._store(kernel, fits[size]))
        return FittedCurve(estimators)

    def _draw(self, d: int, seed: int) -> FeatureKernel:
        rng = np.random.default_rng(seed)
        weights = rng.standard_normal((d, int(self.n_features)))
        offsets = rng.standard_normal(int(self.n_features))
        if self.activation == "fourier":
            offsets = rng.uniform(0, 2 * math.pi, int(self.n_features))
        return FeatureKernel(self.activation, weights, offsets, float(self.intercept))

    def _fits(
        self,
        kernel: FeatureKernel,
        X: np.ndarray,
        y: np.ndarray,
        sizes: Sequence[int],
        axes: tuple[Axis, Axis],
    ) -> dict[int, _Fit]:
        """Tuned fits of the prefixes by their size."""
        D = len(kernel.offsets)
        fits: dict[int, _Fit] = {}
        # The first D samples, on which the scale of larger sizes is chosen, are a prefix as any other.
        pilot = max(D, 2)
        lengths = sorted({min(n, pilot) for n in sizes})
        m = max(lengths)
        tuned = kernel_tuning.fit_prefixes(kernel, axes, X[:m], y[:m], lengths, kernel_tuning.Budget())
        by_length = dict(zip(lengths, tuned, strict=True))
        for n in (n for n in sizes if n <= pilot):
            fit = by_length[n]
            coef = np.zeros(D + 1)
            for a in range(0, n, rows := max(1, kernel_engine.CHUNK // D)):
                phi = kernel.features(float64_tensor(X[a : min(n, a + rows)]), fit.shape[0]).numpy()
                coef += phi.T @ fit.alpha[a : a + len(phi)]
            fits[n] = _Fit(fit.shape[0], coef, fit.report)
        many = [n for n in sizes if n > pilot]
        if many:
            first = by_length[pilot]
            scale = first.shape[0]
            solved = feature_ridge.fit_prefixes(
                lambda rows, _: kernel.features(float64_tensor(rows), scale),
                {n: [D + 1] for n in many}, X, y, axes[1], [torch.ones(D + 1, dtype=torch.float64)],
            )  # fmt: skip
            for n, own in solved.items():
                if own is None:
                    raise ValueError(
                        f"no ridge up to {axes[1].values[-1]:g} makes the equations of {D} features sound: "
                        "scale the inputs to unit variance, or allow a larger ridge"
                    )
                report = FitReport(
                    steps=(first.report.steps or 0) + own.factorisations,
                    flops=(first.report.flops or 0.0) + own.flops,
                    hyperparameters={"scale": scale, "ridge": own.ridge},
                    health=own.health,
                )
                fits[n] = _Fit(scale, own.coef, report)
        return fits

    def _axes(self) -> tuple[Axis, Axis]:
        """Scales and ridges."""
        check_bounds(self.get_params(deep=False))
        one_of("activation", self.activation, tuple(SCALES))
        integer("n_features", self.n_features, 1)
        not_negative("intercept", self.intercept)
        scales = SCALES[self.activation].narrowed(self.scale, zero=self.activation != "fourier")
        return scales, RIDGES.narrowed(self.ridge)

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        return training_set(self, X, y)

    def _store(self, kernel: FeatureKernel, fit: _Fit) -> RandomFeaturesRegressor:
        self.weights_, self.offsets_ = kernel.weights, kernel.offsets
        self.scale_, self.coef_ = fit.scale, fit.coef
        self.hyperparameters_ = dict(fit.report.hyperparameters)
        self.fit_report_ = fit.report
        return self
