"""Sequential kernel regression, spectral reading: each level hands on products of its leading directions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.parameters import integer_or_none, integers
from hierbench.learners.sequential.lifted_kernel import LiftedKernel, column_spread, standardised
from hierbench.learners.sequential.sequential_chain import Chain, Regression, Work, leading, tuned
from hierbench.learners.training_set import training_set

SCOUT = (1 / 3, 512)
"""Share of the rows, and at least how many, on which the kernel is tuned for every r in the running.

From the largest r down, each search starts at the kernel of the one before. That takes three quarters of the
time of a scan for each; over 49 cells of rotated squares the errors' mean ratio was 1.003 (+- 0.042).
"""
RIDGE_FACTORS = (1.0, 10.0, 100.0)
"""Leave-one-out under-regularises features that have seen the labels: cross-fitting may ask for more."""
HOPELESS = 2.0
"""Numbers of directions that are this many times worse than the best on a fold do not see the next."""
MOST_DIRECTIONS = 64
MOST_DIRECTIONS_BELOW = 32
"""Where another form follows: it has r (r + 1) / 2 + d rows."""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level: its kernel on [x, p] of the level below, and the directions that it found.

    points : (n, d + r_below), what the kernel was fitted to; shape, alpha : the fit.
    directions : (d + r_below (r_below + 1) / 2, r), orthonormal, of the standardised [x, products].
    """

    kernel: LiftedKernel
    points: np.ndarray
    shape: tuple[float, ...]
    alpha: np.ndarray
    directions: np.ndarray


class SequentialKernelsRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    """Kernel regression applied level by level, each level fixed before the next one starts.

    Level l is kernel ridge regression of y with the polynomial kernel on z_{l-1}, where z_0 = x and

        z_l = [x, p_i p_j for i <= j],      p = projections of z_{l-1} on the r leading eigenvectors,
                                            by absolute value, of the quadratic form of level l's regression

    and the last level predicts: one kernel method a level, as Allen-Zhu & Li (arXiv 2001.04413) have in mind
    when they say that kernels applied sequentially do not learn hierarchically, in the reading in which
    a level truly hands on features. The eigenvectors of a regularised quadratic regression are the spectral
    step of Nichani, Damian & Lee (arXiv 2305.06986).

    Offset, ridge and the weight of the products in the kernel are tuned by closed-form leave-one-out. The
    directions have seen all labels, which leave-one-out does not undo: r (and a larger ridge, where that
    helps) is chosen by cross-fitting, the whole chain of levels refitted without the held-out fold, among
    the r whose leave-one-out error, flattered as it is, is below that of r = all, which no choice flatters.
    No level is ever re-estimated from what the levels above it found.

    Parameters
    ----------
    depth : number of levels L, the depth of the target.
    degree : of the polynomial kernel of every level, or several to choose from by leave-one-out.
    n_directions : None (chosen), or r for every level, capped at the number there is.
    folds : of the cross-fitting; interleaved, so that nothing is random.
    splitting : each level on its own part of the sample, so that leave-one-out is exact and replaces
        cross-fitting.

    Attributes
    ----------
    levels_ : list of Level, the last with the directions that carry 99 % of the squared spectrum.
    centre_, spread_ : (d,), of the inputs.
    hyperparameters_ : dict, per level.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        depth: int = 2,
        *,
        degree: int | Sequence[int] = 2,
        n_directions: int | None = None,
        folds: int = 3,
        splitting: bool = False,
    ) -> None:
        self.depth = depth
        self.degree = degree
        self.n_directions = n_directions
        self.folds = folds
        self.splitting = splitting

    def fit(self, X: Any, y: Any) -> SequentialKernelsRegressor:
        """Fit all levels in turn. X : (n, d), n >= 2; y : (n,)."""
        X, y = training_set(self, X, y)
        degrees = self._check()
        self.centre_, self.spread_ = X.mean(0), column_spread(X)
        x = (X - self.centre_) / self.spread_
        n = len(y)
        parts = np.arange(n) % self.depth if self.splitting and n >= 2 * self.depth else np.zeros(n, int)
        split = parts.max() > 0
        whole = Chain(np.arange(n), x, y, x)
        folds = (
            [] if split or n < 2 * self.folds else [np.arange(n) % self.folds == k for k in range(self.folds)]
        )
        chains = [Chain(np.flatnonzero(~held), x, y, x) for held in folds]
        self.levels_: list[Level] = []
        self.hyperparameters_: dict[str, Any] = {}
        work, score = Work(), math.nan
        if split:
            whole = dataclasses.replace(whole, rows=np.flatnonzero(parts == 0))
        regression = tuned(whole, degrees, x.shape[1], work)
        for level in range(1, self.depth + 1):
            spectrum, vectors = leading(whole, regression)
            name = f"level{level}_"
            self.hyperparameters_ |= {
                name + "degree": regression.kernel.degree,
                **{name + key: value for key, value in regression.fit.report.hyperparameters.items()},
            }
            level_rows = whole.rows
            if level == self.depth:
                mass = np.cumsum(np.square(spectrum))
                r = int(np.searchsorted(mass, 0.99 * mass[-1])) + 1
                self._append(regression, whole.points[level_rows], vectors[:, :r])
                break
            forms = [leading(c, regression, c.refit(regression, work))[1] for c in chains]
            next_rows = np.flatnonzero(parts == level) if split else whole.rows
            numbers = self._candidates(len(spectrum), last=level == self.depth - 1)
            options = [(r, whole.lifted(regression.kernel, vectors[:, :r], next_rows)) for r in numbers]
            r, chain, chosen, score = self._choose(options, degrees, chains, folds, regression, forms, work)
            self._append(regression, whole.points[level_rows], vectors[:, :r])
            chains = [
                c.lifted(regression.kernel, V[:, :r], c.rows) for c, V in zip(chains, forms, strict=True)
            ]
            self.hyperparameters_[name + "directions"] = r
            whole, regression = chain, chosen
        health = dict(regression.fit.report.health)
        if not math.isnan(score):
            health["crossfit_mse"] = score
        self.fit_report_ = FitReport(work.steps, work.flops, self.hyperparameters_, health=health)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        points, _ = self._points(validate_data(self, X, dtype=np.float64, reset=False))
        last = self.levels_[-1]
        return kernel_engine.predict(last.kernel, last.points, [(last.shape, last.alpha)], points)[0]

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Projections p of every level, each of shape (n, r_l)."""
        check_is_fitted(self)
        points, features = self._points(validate_data(self, X, dtype=np.float64, reset=False))
        last = self.levels_[-1]
        return [*features, standardised(last.kernel, points) @ last.directions]

    def _points(self, X: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        x = points = (X - self.centre_) / self.spread_
        features = []
        for level in self.levels_[:-1]:
            features.append(standardised(level.kernel, points) @ level.directions)
            points = np.hstack([x, features[-1]])
        return points, features

    def _append(self, regression: Regression, points: np.ndarray, directions: np.ndarray) -> None:
        self.levels_.append(
            Level(regression.kernel, points, regression.fit.shape, regression.fit.alpha, directions)
        )

    def _candidates(self, most: int, last: bool) -> list[int]:
        most = min(most, MOST_DIRECTIONS if last else MOST_DIRECTIONS_BELOW)
        if self.n_directions is not None:
            return [min(int(self.n_directions), most)]
        steps = [1, 2, 3, 4, 5, 6, 8, 11, 16, 23, 32, 45]
        return [r for r in steps if r < most] + [most]

    def _choose(
        self,
        options: list[tuple[int, Chain]],
        degrees: tuple[int, ...],
        chains: list[Chain],
        folds: list[np.ndarray],
        below: Regression,
        forms: list[np.ndarray],
        work: Work,
    ) -> tuple[int, Chain, Regression, float]:
        """Return the number of directions, its chain and fit, and the cross-fitted error (nan: none)."""
        d = options[0][1].x.shape[1]
        scouts: list[Regression] = []
        if len(options) > 1:
            near = None
            for _, chain in reversed(options):
                near = tuned(chain.first(SCOUT), degrees, d, work, near)
                scouts.insert(0, near)
        running = list(range(len(options)))
        lifted = {
            i: [
                c.lifted(below.kernel, V[:, : options[i][0]], c.rows)
                for c, V in zip(chains, forms, strict=True)
            ]
            for i in running
        }
        if scouts and not chains:
            running = [min(running, key=lambda i: scouts[i].loo)]
        elif scouts:
            running = [i for i in running if scouts[i].loo <= scouts[-1].loo]
            errors = dict.fromkeys(running, np.zeros(2))
            for k, held in enumerate(folds):
                for i in running:
                    factors = RIDGE_FACTORS[:2]
                    errors[i] = errors[i] + lifted[i][k].held_out(scouts[i], held, factors, work)
                best = min(errors[i].min() for i in running)
                running = [i for i in running if errors[i].min() <= HOPELESS * best]
            running = [min(running, key=lambda i: errors[i].min())]
        [i] = running
        r, chain = options[i]
        regression = tuned(chain, degrees, d, work)
        if not chains:
            return r, chain, regression, math.nan
        total = np.zeros(len(RIDGE_FACTORS))
        for own, held in zip(lifted[i], folds, strict=True):
            total += own.held_out(regression, held, RIDGE_FACTORS, work)
        factor = RIDGE_FACTORS[int(np.argmin(total))]
        if factor > 1:
            regression = chain.with_ridge(regression, factor * regression.fit.ridge, work)
        return r, chain, regression, float(total.min()) / len(chain.y)

    def _check(self) -> tuple[int, ...]:
        check_bounds(self.get_params(deep=False))
        integer("depth", self.depth, 1)
        integer("folds", self.folds, 2)
        integer_or_none("n_directions", self.n_directions, 1)
        return integers("degree", self.degree, 2)
