"""The error that is reported, relative test MSE or misclassification, with an honest standard error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

RELATIVE_STANDARD_ERROR = 0.1
"""A row whose error is known no better than this is unreliable."""


@dataclasses.dataclass(frozen=True)
class ErrorEstimate:
    """An error, its standard error, the share of ten points (of an MSE), and the number of points."""

    error: float
    standard_error: float
    top10_share: float | None
    n_test: int

    @property
    def unreliable(self) -> bool:
        """Whether the standard error passes 10 % of the error."""
        return self.standard_error > RELATIVE_STANDARD_ERROR * self.error


def error_of(
    predicted: np.ndarray, y: np.ndarray, classes: Sequence[float], weights: np.ndarray | None = None
) -> ErrorEstimate:
    """The error of a row: misclassification where the target has ``classes``, else relative MSE.

    Parameters
    ----------
    predicted, y : (m,) float64
        Predictions, and noise-free labels.
    classes : sequence of float
        Values of the label, increasing; empty for regression.
    weights : (m,) float64, optional
        Of the points of a regression target (``Target.importance_sample``), 1 by default.
    """
    if len(classes):
        return misclassification(predicted, y, classes)
    return relative_mse(predicted - y, y, weights)


def misclassification(predicted: np.ndarray, y: np.ndarray, classes: Sequence[float]) -> ErrorEstimate:
    """Share of points whose label is not the class nearest to the prediction, with its standard error.

    A prediction halfway between two classes counts as the upper one. Regressors trained on the
    values of the labels and classifiers are judged alike; predictions that are not finite make
    an error that is not.

    The standard error is the binomial one, sqrt(p (1 - p) / m). Where no point is wrong it would
    be zero, whatever m: there p (Jeffreys) = 1 / (2 (m + 1)) stands in for it, so that
    such an error counts as unreliable, and as what it is (below a few times 1 / m) where it is
    compared with epsilon.
    """
    m = len(y)
    if not np.isfinite(predicted).all():
        return ErrorEstimate(math.nan, math.nan, None, m)
    values = np.asarray(classes)
    wrong = int((values[_nearest(predicted, values)] != y).sum())
    p = wrong / m if wrong else 0.5 / (m + 1)
    return ErrorEstimate(wrong / m, math.sqrt(p * (1.0 - p) / m), None, m)


def _nearest(predicted: np.ndarray, values: np.ndarray) -> np.ndarray:
    middles = (values[1:] + values[:-1]) / 2.0
    return np.asarray(np.searchsorted(middles, predicted, side="right"))


def relative_mse(residual: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> ErrorEstimate:
    """Mean squared error over Var y = 1, with y^2 - 1 as control variate.

    With ``weights`` w of points that are not drawn from the law but spread for its sake
    (``Target.importance_sample``), e^2 and y^2 - 1 stand for w e^2 and w (y^2 - 1), whose means have the same
    expectations, and w - 1 is a second control variate.

    Targets have mean 0 and variance 1 by certificate, so the MSE is relative as it stands and
    the control variate c = y^2 - 1 has the known mean 0. The estimate is
    mean(e^2) - b mean(c) with b the least-squares slope of e^2 on c: the points that carry
    most of e^2 are the large ones of y^2, and how many of them a test set happens to hold is
    what c knows (Lavenberg & Welch, Management Science 27, 1981; Owen, Monte Carlo theory,
    methods and examples, section 8.9). The estimate is a weighted sum of the e^2, and its
    standard error is the HC3 one, sum w_i^2 r_i^2 / (1 - h_i)^2 with r the residuals of the
    regression and h their leverages (MacKinnon & White, J. Econometrics 29, 1985): the residuals
    grow with y^2, and one point of high leverage pulls the line through itself, which the
    textbook formula would take for certainty.

    Small samples: estimating b costs a bias of order 1/m, far below the standard error, and HC3
    errs on the large side. With heavy tails any standard error is too small as long as the test
    set has missed the largest points, which is why the share of the ten largest is reported
    beside it. Where the
    correction would leave an estimate that is not positive (possible only when the standard error
    is of the size of the estimate), the plain mean and its standard error are returned.

    Parameters
    ----------
    residual, y : (m,) float64, m >= 3
        Prediction minus label, and label.
    weights : (m,) float64, optional
        1 by default.
    """
    weights = np.ones(len(y)) if weights is None else weights
    squared = weights * residual * residual
    m = len(squared)
    plain = float(squared.mean())
    spread = squared - plain
    plain_error = math.sqrt(float(spread @ spread) / (m - 1) / m)
    total = float(squared.sum())
    top = float(np.partition(squared, m - 10)[m - 10 :].sum()) if m > 10 else total
    share = top / total if total > 0 else 0.0

    controls = np.stack([weights * (y * y - 1.0), weights - 1.0], axis=1)
    means = controls.mean(axis=0)
    basis, upper = np.linalg.qr(controls - means)
    size = np.abs(np.diag(upper))
    kept = size > 1e-10 * max(float(size.max()), 1.0)  # y^2 or the weights may be constant
    if kept.any():
        basis, upper, means = basis[:, kept], upper[np.ix_(kept, kept)], means[kept]
        along = basis.T @ spread
        off = np.linalg.solve(upper.T, means)
        adjusted = plain - float(off @ along)
        influence = (1.0 / m - basis @ off) * (spread - basis @ along)
        influence /= np.maximum(1.0 - 1.0 / m - np.square(basis).sum(axis=1), 1e-12)
        error = math.sqrt(float(influence @ influence))
        if adjusted > 0:
            return ErrorEstimate(adjusted, error, share, m)
    return ErrorEstimate(plain, plain_error, share, m)


def plain_error(
    predicted: np.ndarray, y: np.ndarray, classes: Sequence[float], weights: np.ndarray | None = None
) -> float:
    """Mean squared error, weighted as in ``error_of``, or misclassification: training sets and traces."""
    if len(classes):
        return misclassification(predicted, y, classes).error
    residual = predicted - y
    squared = residual * residual
    return float(np.mean(squared if weights is None else weights * squared))
