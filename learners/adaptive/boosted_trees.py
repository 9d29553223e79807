"""Gradient-boosted regression trees, tuned inside ``fit``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.parameters import integer_between
from hierbench.learners.training_set import training_set

AXES: dict[str, tuple[float, ...]] = {
    "max_leaf_nodes": (2, 3, 4, 6, 8, 12, 16, 24, 31, 48),
    "learning_rate": (0.02, 0.03, 0.06, 0.1, 0.2, 0.4),
    "min_samples_leaf": (1, 2, 5, 10, 20, 40),
    "l2_regularization": (0.0, 0.1, 1.0, 10.0, 100.0),
}
START = {"max_leaf_nodes": 8, "learning_rate": 0.1, "min_samples_leaf": 5, "l2_regularization": 1.0}
FOLDS = 5
"""Each inner split holds out one of so many interleaved parts."""
PATIENCE = 40
"""Trees without a better held-out error after which boosting stops."""
FEWEST = 10
"""Fewer samples than this are not split: START with as many trees as samples."""
MOST_BINS = 255
LARGEST_LABEL = 1e30
"""The trees keep residuals in single precision."""

_Point = tuple[int, ...]


class BoostedTreesRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    """Gradient boosting of regression trees on binned features (scikit-learn's).

    Trees are added one after the other, each fitted to the residual of those before and shrunk:

        f_t = f_{t-1} + learning_rate * tree_t,   tree_t of at most max_leaf_nodes leaves, of which each
                                                  predicts sum of residuals / (rows + l2)

    J. H. Friedman, *Greedy function approximation: a gradient boosting machine*, Annals of Statistics 2001;
    the histograms are those of Ke et al., *LightGBM*, NIPS 2017. Leaves, shrinkage, rows a leaf and l2 are
    found by a walk over a lattice from its middle, one step on one axis at a time, to the least squared
    error on held-out rows; the number of trees is the best one on the way (early stopping). The whole sample
    is then fitted with what was found. Nothing is random.

    Parameters
    ----------
    n_candidates : lattice points that are tried at most.
    n_splits : inner splits (1..5) over which the held-out errors are summed; each holds out a fifth.
    max_iter : most trees.

    Attributes
    ----------
    model_ : the fitted scikit-learn estimator.
    n_iter_ : its trees.
    hyperparameters_ : dict, what was chosen.
    fit_report_ : FitReport; its steps are all trees grown, tuning included.
    """

    def __init__(self, *, n_candidates: int = 24, n_splits: int = 2, max_iter: int = 2000) -> None:
        self.n_candidates = n_candidates
        self.n_splits = n_splits
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> BoostedTreesRegressor:
        """Tune on inner splits, then fit everything. X : (n, d), n >= 2; y : (n,)."""
        self._check()
        X, y = training_set(self, X, y, largest_label=LARGEST_LABEL)
        search = _Search(X, y, self.n_splits, self.max_iter)
        point = tuple(AXES[name].index(START[name]) for name in AXES)
        trees, error = min(len(y), self.max_iter), math.nan
        if len(y) >= FEWEST:
            point = search.walk(point, self.n_candidates)
            trees, error = search.tried[point]
        self.hyperparameters_ = {**_values(point), "max_iter": trees}
        self.n_iter_ = trees
        self.model_ = _model(point, trees, early_stopping=False).fit(X, y)
        health = {"train_mse": float(np.mean(np.square(self.model_.predict(X) - y)))}
        if not math.isnan(error):
            health |= {"held_out_mse": error, "candidates": float(len(search.tried))}
        self.fit_report_ = FitReport(search.trees + trees, None, self.hyperparameters_, health=health)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, dtype=np.float64, reset=False))

    def _check(self) -> None:
        check_bounds(self.get_params(deep=False))
        integer("n_candidates", self.n_candidates, 1)
        integer_between("n_splits", self.n_splits, 1, FOLDS)
        integer("max_iter", self.max_iter, 1)


class _Search:
    """Held-out errors of lattice points, each computed once.

    tried : of each point its best number of trees and the mean squared held-out error there.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, splits: int, max_iter: int) -> None:
        fold = np.arange(len(y)) % FOLDS
        self.parts = [
            (X[fold != k], y[fold != k], X[fold == k], y[fold == k]) for k in range(FOLDS - splits, FOLDS)
        ]
        self.max_iter = max_iter
        self.tried: dict[_Point, tuple[int, float]] = {}
        self.trees = 0

    def walk(self, point: _Point, budget: int) -> _Point:
        """Go on along an axis while that helps, then try the next, until none does or the budget is spent."""
        self._try(point)
        moved = True
        while moved:
            moved = False
            for axis, values in enumerate(AXES.values()):
                for step in (1, -1):
                    while True:
                        onward = (*point[:axis], point[axis] + step, *point[axis + 1 :])
                        if not 0 <= onward[axis] < len(values):
                            break
                        if onward not in self.tried:
                            if len(self.tried) >= budget:
                                return point
                            self._try(onward)
                        if not self.tried[onward][1] < self.tried[point][1]:
                            break
                        point, moved = onward, True
        return point

    def _try(self, point: _Point) -> None:
        curves = []
        for X, y, X_held, y_held in self.parts:
            model = _model(point, self.max_iter, early_stopping=True)
            model.fit(X, y, X_val=X_held, y_val=y_held)
            self.trees += model.n_iter_
            curves.append(-2 * model.validation_score_)  # its loss is half the squared error
        length = min(len(curve) for curve in curves)
        curve = np.mean([c[:length] for c in curves], axis=0)
        trees = max(1, int(np.argmin(curve)))  # the first entry is that of no tree
        self.tried[point] = trees, float(curve[trees])


def _values(point: _Point) -> dict[str, Any]:
    return {name: values[i] for (name, values), i in zip(AXES.items(), point, strict=True)}


def _model(point: _Point, trees: int, early_stopping: bool) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        **_values(point),
        max_iter=trees,
        max_bins=MOST_BINS,
        early_stopping=early_stopping,
        n_iter_no_change=PATIENCE,
        tol=0.0,
        categorical_features=None,
        random_state=0,  # only for the bins of more than 200 000 rows
    )
