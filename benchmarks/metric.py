"""The error that is reported: relative test MSE with an honest standard error."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

RELATIVE_STANDARD_ERROR = 0.1
"""A row whose MSE is known no better than this is unreliable."""


@dataclasses.dataclass(frozen=True)
class MseEstimate:
    """Relative MSE, its standard error, the share of ten points, and the number of points."""

    mse: float
    standard_error: float
    top10_share: float
    n_test: int

    @property
    def unreliable(self) -> bool:
        """Whether the standard error passes 10 % of the MSE."""
        return self.standard_error > RELATIVE_STANDARD_ERROR * self.mse


def relative_mse(residual: np.ndarray, y: np.ndarray) -> MseEstimate:
    """Mean squared error over Var y = 1, with y^2 - 1 as control variate.

    Targets have mean 0 and variance 1 by certificate, so the MSE is relative as it stands and
    the control variate c = y^2 - 1 has the known mean 0. The estimate is
    mean(e^2) - b mean(c) with b the least-squares slope of e^2 on c: the points that carry
    most of e^2 are the large ones of y^2, and how many of them a test set happens to hold is
    what c knows (Lavenberg & Welch, Management Science 27, 1981; Owen, Monte Carlo theory,
    methods and examples, section 8.9). The standard error is that of the intercept, taken
    from the residuals of the regression with m - 2 degrees of freedom.

    Small samples: estimating b costs a bias of order 1/m, far below the standard error. With
    heavy tails the standard error is itself too small as long as the test set has missed the
    largest points, which is why the share of the ten largest is reported beside it. Where the
    correction would leave an estimate that is not positive (possible only when the standard error
    is of the size of the estimate), the plain mean and its standard error are returned.

    Parameters
    ----------
    residual, y : (m,) float64, m >= 3
        Prediction minus label, and label.
    """
    squared = residual * residual
    m = len(squared)
    plain = float(squared.mean())
    spread = squared - plain
    plain_error = math.sqrt(float(spread @ spread) / (m - 1) / m)
    total = float(squared.sum())
    top = float(np.partition(squared, m - 10)[m - 10 :].sum()) if m > 10 else total
    share = top / total if total > 0 else 0.0

    control = y * y - 1.0
    centred = control - control.mean()
    power = float(centred @ centred)
    if power > 0:
        slope = float(centred @ spread) / power
        adjusted = plain - slope * float(control.mean())
        rest = spread - slope * centred
        error = math.sqrt(float(rest @ rest) / (m - 2) / m)
        if adjusted > 0:
            return MseEstimate(adjusted, error, share, m)
    return MseEstimate(plain, plain_error, share, m)


def plain_mse(residual: np.ndarray) -> float:
    """Mean squared error, for training sets and traces."""
    return float(np.mean(residual * residual))
