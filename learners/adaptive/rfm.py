"""Recursive Feature Machine: kernel regression in a metric that it learns from its own gradients."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import reals
from hierbench.errors import refusal
from hierbench.learners.adaptive.metric_kernel import (
    LENGTH_SCALES,
    RIDGES,
    ExponentKernel,
    metric_of,
    metric_root,
)
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.kernel_tuning import Budget, Fit, coefficients, fit_prefixes
from hierbench.learners.parameters import integer_between, is_integer, not_negative
from hierbench.learners.training_set import training_set

FIRST = Budget()
"""Tuning of the plain kernel, as of any other kernel regression."""
BUDGET = Budget(scan=(1 / 8, 256), walk=(1 / 3, 512), starts=1, walk_points=12, finalists=2, drift=1)
"""Tuning in a metric that was learned."""
SCOUT = (1 / 3, 512)
"""Share of the rows, and at least how many, on which exponents and powers compete."""
RIDGE_FACTORS = (1.0, 10.0)
"""Leave-one-out under-regularises a metric that has seen the labels: cross-fitting may ask for more."""
WORTH = 0.01
PATIENCE = 2
"""Iterations in a row that gain less than WORTH, relatively, after which a chain ends."""


@dataclasses.dataclass
class Work:
    """What a fit has cost so far: factorisations and operations."""

    steps: int = 0
    flops: float = 0.0

    def add(self, n: int, d: int) -> None:
        """Count a factorisation of n points."""
        self.steps += 1
        self.flops += n**3 / 3 + (2 * d + 30) * n**2


@dataclasses.dataclass(frozen=True)
class State:
    """One iteration: the metric, the fit in it, the held-out error of chains like it (nan: no folds)."""

    iteration: int
    metric: np.ndarray
    fit: Fit
    ridge_factor: float
    held_out_mse: float

    @property
    def error(self) -> float:
        """Return the error by which states are compared."""
        return self.fit.report.health["loo_mse"] if math.isnan(self.held_out_mse) else self.held_out_mse


class RFMRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    r"""Kernel ridge regression in a Mahalanobis metric, re-estimated from the fit's own gradients.

    .. math:: f_t(x) = \sum_i \alpha_i \exp(-(|x - x_i|_{M_t} / \sqrt d\, l)^p) + c, \qquad
              M_{t+1} \propto \Big(\frac1n \sum_i \nabla f_t(x_i) \nabla f_t(x_i)^T\Big)^{s}, \quad M_0 = I

    with the average gradient outer product (AGOP) in the brackets, which the first weights of trained nets
    also come to resemble:
    A. Radhakrishnan, D. Beaglehole, P. Pandit, M. Belkin, *Mechanism for feature learning in neural networks
    and backpropagation-free machine learning models*, Science 2024 (arXiv 2212.13881), with p = 1 and
    s = 1; the power s = 1/2 and other p are of xRFM (arXiv 2508.10053). M is scaled so that
    the mean squared distance of inputs stays what it was.

    Length scale and ridge are tuned by closed-form leave-one-out in every M. A metric that has seen all
    labels flatters leave-one-out, so how many iterations to do (none: plain kernel regression), and whether
    to raise the ridge, is decided by chains of the same hyperparameters refitted, metric included,
    without the fold that judges them. By the same error (p, s) compete, on a third of a large sample.

    Parameters
    ----------
    exponent : p in (0, 2], or several to choose from; 1 is the Laplace kernel, 2 the Gaussian.
    power : s, or several to choose from.
    iterations : most updates of the metric.
    folds : of the cross-fitting; interleaved, so that nothing is random. 0: leave-one-out decides all.
    length_scale, ridge : None (tuned), a number (fixed) or several (tried). The ridge is absolute.
    intercept : variance of the constant c.

    Attributes
    ----------
    agop_ : (d, d), average gradient outer product of the fitted function over its sample.
    metric_ : (d, d), the M of the fitted function; root_ : its square root.
    dual_coef_ : (n,); shape_ : (l,); X_fit_ : (n, d), the training inputs times ``root_``.
    exponent_, power_, n_iter_ : what was chosen.
    hyperparameters_ : dict, the same with l and ridge.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        *,
        exponent: float | Sequence[float] = (1.0, 2.0),
        power: float | Sequence[float] = (0.5, 1.0),
        iterations: int = 10,
        folds: int = 3,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        self.exponent = exponent
        self.power = power
        self.iterations = iterations
        self.folds = folds
        self.length_scale = length_scale
        self.ridge = ridge
        self.intercept = intercept

    def fit(self, X: Any, y: Any) -> RFMRegressor:
        """Iterate, tune and choose. X : (n, d), n >= 2; y : (n,)."""
        exponents, powers, axes = self._check()
        X, y = training_set(self, X, y)
        work, n = Work(), len(y)
        pairs = [(p, s) for p in exponents for s in powers]
        if len(pairs) == 1:
            return self._store(X, y, pairs[0], self._chain(*pairs[0], axes, X, y, work), work)
        scouts = min(n, max(SCOUT[1], math.ceil(SCOUT[0] * n)))
        chains = {pair: self._chain(*pair, axes, X[:scouts], y[:scouts], work) for pair in pairs}
        if scouts == n:
            best = min(pairs, key=lambda pair: chains[pair].error)
            return self._store(X, y, best, chains[best], work)
        # The error may have fallen between the scouts and the whole sample: plain fits of all of it tell.
        plain = {p: self._chain(p, powers[0], axes, X, y, work, most=0) for p in exponents}
        # Where the plain fit is the better one, its powers tie: the scouts decide between them.
        best = min(
            pairs, key=lambda pair: (min(chains[pair].error, plain[pair[0]].error), chains[pair].error)
        )
        state = self._chain(*best, axes, X, y, work, plain=plain[best[0]].fit)
        for p, other in plain.items():
            if other.error < state.error:
                state, best = other, (p, best[1])
        return self._store(X, y, best, state, work)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        kernel = ExponentKernel(self.exponent_, float(self.intercept))
        fits = [(self.shape_, self.dual_coef_)]
        return kernel_engine.predict(kernel, self.X_fit_, fits, X @ self.root_)[0]

    def _chain(
        self,
        p: float,
        s: float,
        axes: tuple[Axis, Axis],
        X: np.ndarray,
        y: np.ndarray,
        work: Work,
        *,
        most: int | None = None,
        plain: Fit | None = None,
    ) -> State:
        """Return the best of at most ``most`` iterations at (p, s); ``plain``: the first fit, where known."""
        n, d = X.shape
        kernel, covariance = ExponentKernel(p, float(self.intercept)), np.atleast_2d(np.cov(X.T, bias=True))
        fold = np.arange(n) % max(1, self.folds)
        kept = [np.flatnonzero(fold != k) for k in range(self.folds)] if n >= 2 * self.folds else []
        metric = np.eye(d)
        metrics = [metric] * len(kept)
        states: list[State] = []
        best, idle = math.inf, 0
        for t in range((self.iterations if most is None else most) + 1):
            Z = X @ metric_root(metric)
            if t or plain is None:
                [fit] = fit_prefixes(kernel, axes, Z, y, [n], BUDGET if t else FIRST)
                work.steps += fit.report.steps or 0
                work.flops += fit.report.flops or 0.0
            else:
                fit = plain
            errors = np.zeros(len(RIDGE_FACTORS))
            for k, rows in enumerate(kept):
                held = np.flatnonzero(fold == k)
                turned = X @ metric_root(metrics[k])
                alphas = _solve(kernel, fit, turned[rows], y[rows], work)
                fits = [(fit.shape, alpha) for alpha in alphas]
                predicted = kernel_engine.predict(kernel, turned[rows], fits, turned[held])
                errors += np.square(predicted - y[held]).sum(1) / n
                agop = _agop(kernel, fit.shape, turned[rows], alphas[0], metrics[k])
                metrics[k] = self._metric(agop, covariance, s)
            factor = RIDGE_FACTORS[int(np.argmin(errors))] if kept and t and self.ridge is None else 1.0
            error = float(errors.min() if factor > 1 else errors[0]) if kept else math.nan
            states.append(State(t, metric, fit, factor, error))
            idle = 0 if states[-1].error < (1 - WORTH) * best else idle + 1
            best = min(best, states[-1].error)
            if idle >= PATIENCE:
                break
            metric = self._metric(_agop(kernel, fit.shape, Z, fit.alpha, metric), covariance, s)
        return min(states, key=lambda state: (state.error, state.iteration))

    def _metric(self, agop: np.ndarray, covariance: np.ndarray, power: float) -> np.ndarray:
        """Return the metric of the next iteration."""
        return metric_of(agop, covariance, power)

    def _store(
        self, X: np.ndarray, y: np.ndarray, pair: tuple[float, float], state: State, work: Work
    ) -> RFMRegressor:
        fit, ridge = state.fit, state.fit.ridge * state.ridge_factor
        self.exponent_, self.power_ = pair
        self.n_iter_, self.metric_, self.root_ = state.iteration, state.metric, metric_root(state.metric)
        self.shape_, self.X_fit_ = fit.shape, X @ self.root_
        kernel = ExponentKernel(self.exponent_, float(self.intercept))
        alphas = _solve(kernel, fit, self.X_fit_, y, work) if state.ridge_factor > 1 else [fit.alpha]
        self.dual_coef_ = alphas[-1]
        self.agop_ = _agop(kernel, fit.shape, self.X_fit_, self.dual_coef_, state.metric)
        self.hyperparameters_ = {
            "exponent": self.exponent_,
            "power": self.power_,
            "iterations": self.n_iter_,
            "length_scale": fit.shape[0],
            "ridge": ridge,
        }
        health = dict(fit.report.health)
        if not math.isnan(state.held_out_mse):
            health["crossfit_mse"] = state.held_out_mse
        self.fit_report_ = FitReport(work.steps, work.flops, self.hyperparameters_, health=health)
        return self

    def _check(self) -> tuple[list[float], list[float], tuple[Axis, Axis]]:
        check_bounds(self.get_params(deep=False))
        exponents = reals(
            "exponent", self.exponent, "numbers in (0, 2], one or several", lambda v: 0 < v <= 2
        )
        powers = reals("power", self.power, "numbers > 0, one or several", lambda v: v > 0)
        integer_between("iterations", self.iterations, 0, 999)
        if not is_integer(self.folds) or self.folds not in (0, *range(2, 1000)):
            raise ValueError(refusal("folds", self.folds, "0 and integers from 2 to 999"))
        not_negative("intercept", self.intercept)
        scale = LENGTH_SCALES.narrowed(self.length_scale, zero=False)
        return exponents, powers, (scale, RIDGES.narrowed(self.ridge))


def _solve(kernel: ExponentKernel, like: Fit, Z: np.ndarray, y: np.ndarray, work: Work) -> list[np.ndarray]:
    """Dual coefficients with the length scale of ``like`` and each of its raised ridges."""
    A = torch.from_numpy(Z)
    K = torch.empty((len(Z), len(Z)), dtype=torch.float64)
    kernel.gram(A, None, like.shape, K)
    labels = torch.from_numpy(y)
    return [
        coefficients(K, labels, like.ridge * factor, lambda: work.add(*Z.shape)) for factor in RIDGE_FACTORS
    ]


def _agop(
    kernel: ExponentKernel, shape: tuple[float, ...], Z: np.ndarray, alpha: np.ndarray, metric: np.ndarray
) -> np.ndarray:
    """Mean of grad f grad f^T over the sample, in the coordinates x = M^(-1/2) z."""
    gradients = kernel.gradients(Z, alpha, shape, Z) @ metric_root(metric)
    return gradients.T @ gradients / len(gradients)
