"""Spectral layer-wise learning: second moments find a level's directions, ridge reads out the last."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.features.hermite import count
from hierbench.learners.features.polynomial_regression import PolynomialRegressor
from hierbench.learners.parameters import integer_or_none
from hierbench.learners.sequential.lifted_kernel import products
from hierbench.learners.sequential.second_moments import SpectralLevel, spectral_level
from hierbench.learners.training_set import training_set

HELD = 4
"""Every so manieth row is held out while ranks are chosen."""
FEWEST = 16
"""Fewer rows are not split: every level keeps one direction."""
RANKS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45)
SCOUT = {"ridge": (1e-7, 1e-3, 1.0, 30.0, 1000.0), "decay": 0.7}
"""The read-out's ridges and decay while ranks are chosen."""


@dataclasses.dataclass
class Work:
    """What a fit has cost so far: factorisations and operations."""

    steps: int = 0
    flops: float = 0.0

    def moment(self, n: int, width: int) -> None:
        """Count the second moment of ``width`` columns and its spectrum."""
        self.flops += 4.0 * n * width**2 + 20.0 * width**3

    def readout(self, report: FitReport) -> None:
        """Count a read-out's work."""
        self.steps += report.steps or 0
        self.flops += report.flops or 0.0


class SpectralLayerwiseRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    r"""Directions from second moments of the labels, lifted to products, level by level; then ridge.

    With z_0 = x, w the whitened z_{l-1} and e its leave-one-out residual of linear regression of y on w,

    .. math:: M_l = \frac1n \sum_i e_i (w_i w_i^T - I), \qquad z_l = [x, p_l, p_{l,i} p_{l,j}]

    with p_l the projections of w on the r_l leading eigenvectors of M_l by absolute value; the last
    level is read out by ridge regression over all polynomials of p_L up to a degree. The second moment is
    what the first large gradient step of a layer sees: E. Nichani, A. Damian, J. D. Lee,
    *Provable guarantees for nonlinear feature learning in three-layer neural networks* (arXiv 2305.06986);
    for several features Z. Wang, E. Nichani, J. D. Lee (arXiv 2311.13774), H. Fu et al. (arXiv 2411.17201).
    From the second level on p_l also holds the direction of the linear part, which by then is quadratic in x.

    ``sequential_kernels`` takes the quadratic form of a least-squares fit instead, which without noise is
    exact once n passes D (D + 1) / 2, D the width of z. A moment never is: its eigenvectors are off by
    about sqrt(D / n), noise or not, but are there from n of the order of D on, at the cost of one matrix
    product; nor does it solve equations in D^2 unknowns. Rank ``all`` leaves regression on every product.

    The ranks r_1, r_2, .. are chosen one after the other on a held-out quarter of the rows, which neither
    moments nor read-out see, a level below the last being judged by a quadratic read-out of its z. All
    rows are then used at these ranks. The read-out's degree, ridge and decay are tuned by closed-form
    leave-one-out, which is honest with ``splitting`` only: else the directions have seen the label that
    is left out, and the ridge comes out somewhat small.

    Parameters
    ----------
    depth : number of levels L, the depth of the target.
    degree : largest degree of the read-out; beyond 2 only with at most 1500 monomials (or n, if less).
    n_directions : None (chosen), or r for every level, capped at the number there is.
    max_features : bounds ranks and degree: the equations of a read-out, of which there are as many as
        features or rows, whichever is less, are no more.
    splitting : each level, and the read-out, on its own part of the sample, as the proofs ask for.

    Attributes
    ----------
    levels_ : list of SpectralLevel.
    readout_ : PolynomialRegressor of p_L.
    hyperparameters_ : dict, ranks and what the read-out chose.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        depth: int = 2,
        *,
        degree: int = 4,
        n_directions: int | None = None,
        max_features: int = 5000,
        splitting: bool = False,
    ) -> None:
        self.depth = depth
        self.degree = degree
        self.n_directions = n_directions
        self.max_features = max_features
        self.splitting = splitting

    def fit(self, X: Any, y: Any) -> SpectralLayerwiseRegressor:
        """Choose the ranks, then fit all levels in turn. X : (n, d), n >= 2; y : (n,)."""
        self._check()
        X, y = training_set(self, X, y)
        work, held, error = Work(), np.arange(len(y)) % HELD == HELD - 1, math.nan
        if self.n_directions is not None:
            ranks = [int(self.n_directions)] * self.depth
        elif len(y) < FEWEST:
            ranks = [1] * self.depth
        else:
            ranks, error = self._choose(X[~held], y[~held], X[held], y[held], work)
        self.levels_: list[SpectralLevel] = []
        z = X
        for level, r in enumerate(ranks, start=1):
            self.levels_.append(_truncated(self._level(z, y, level, work), r))
            p = self.levels_[-1].project(z)
            z = _lifted(X, p, level) if level < self.depth else z
        self.readout_ = self._readout(p, y, self.degree, work)
        self.hyperparameters_ = {
            **{f"level{i}_directions": lv.directions.shape[1] for i, lv in enumerate(self.levels_, start=1)},
            **self.readout_.hyperparameters_,
        }
        health = dict(self.readout_.fit_report_.health)
        if not math.isnan(error):
            health["held_out_mse"] = error
        self.fit_report_ = FitReport(work.steps, work.flops, self.hyperparameters_, health=health)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        return self.readout_.predict(self.level_features(X)[-1])

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Projections p of every level, each of shape (n, r_l)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        features = [self.levels_[0].project(X)]
        for number, level in enumerate(self.levels_[1:], start=1):
            features.append(level.project(_lifted(X, features[-1], number)))
        return features

    def _choose(
        self, X: np.ndarray, y: np.ndarray, X_held: np.ndarray, y_held: np.ndarray, work: Work
    ) -> tuple[list[int], float]:
        """Ranks level by level, and the held-out error of the last choice."""
        ranks: list[int] = []
        z, z_held, best = X, X_held, math.inf
        for number in range(1, self.depth + 1):
            level = self._level(z, y, number, work)
            best, last = math.inf, number == self.depth
            chosen = 0  # of none yet: the first stands where no error is a number
            for r in self._candidates(number, X.shape, level.directions.shape[1]):
                own = _truncated(level, r)
                given = [own.project(z), own.project(z_held)]
                if not last:
                    given = [_lifted(X, given[0], number), _lifted(X_held, given[1], number)]
                readout = self._readout(given[0], y, self.degree if last else 2, work, scout=True)
                error = float(np.mean(np.square(readout.predict(given[1]) - y_held)))
                if not chosen or error < best:
                    best = error if math.isfinite(error) else math.inf
                    chosen, following = own.directions.shape[1], given
            ranks.append(chosen)
            z, z_held = following
        return ranks, best

    def _candidates(self, level: int, shape: tuple[int, ...], most: int) -> list[int]:
        n, d = shape

        def width(r: int) -> int:
            return r if level == self.depth else d + r * (r + 1) // 2 + (r if level > 1 else 0)

        fitting = [r for r in range(1, most + 1) if min(n, count(width(r), 2)) <= self.max_features] or [1]
        return [r for r in RANKS if r < fitting[-1]] + [fitting[-1]]

    def _level(self, z: np.ndarray, y: np.ndarray, level: int, work: Work) -> SpectralLevel:
        rows = self._part(len(y), level - 1)
        work.moment(len(rows), z.shape[1])
        return spectral_level(z[rows], y[rows], linear=level > 1 or self.depth == 1)

    def _readout(
        self, p: np.ndarray, y: np.ndarray, degree: int, work: Work, scout: bool = False
    ) -> PolynomialRegressor:
        rows, d = self._part(len(y), self.depth), p.shape[1]
        # A second degree is the level itself; more is for functions of few directions.
        allowed = [k for k in range(1, degree + 1) if k <= 2 or count(d, k) <= min(len(rows), 1500)]
        tuning: dict[str, Any] = SCOUT if scout else {}
        readout = PolynomialRegressor(
            degree=allowed[-1], max_features=max(self.max_features, d + 1), **tuning
        )
        readout.fit(p[rows], y[rows])
        work.readout(readout.fit_report_)
        return readout

    def _part(self, n: int, number: int) -> np.ndarray:
        """Rows of a level, the read-out's being the last part."""
        parts = self.depth + 1
        split = self.splitting and n >= FEWEST * parts
        return np.arange(number, n, parts) if split else np.arange(n)

    def _check(self) -> None:
        check_bounds(self.get_params(deep=False))
        integer("depth", self.depth, 1)
        integer("degree", self.degree, 1)
        integer_or_none("n_directions", self.n_directions, 1)
        integer("max_features", self.max_features, 2)


def _truncated(level: SpectralLevel, r: int) -> SpectralLevel:
    return SpectralLevel(level.centre, level.directions[:, :r], level.spectrum[:r])


def _lifted(X: np.ndarray, p: np.ndarray, level: int) -> np.ndarray:
    """[x, p, products of p], without p at the first level, where it is linear in x."""
    return np.hstack([X, p, products(p)] if level > 1 else [X, products(p)])
