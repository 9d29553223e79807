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
        mean = float(control.mean())
        slope = float(centred @ spread) / power
        adjusted = plain - slope * mean
        rest = spread - slope * centred
        weight = 1.0 / m - centred * (mean / power)
        leverage = 1.0 / m + centred * centred / power
        influence = weight * rest / np.maximum(1.0 - leverage, 1e-12)
        error = math.sqrt(float(influence @ influence))
        if adjusted > 0:
            return MseEstimate(adjusted, error, share, m)
    return MseEstimate(plain, plain_error, share, m)


def plain_mse(residual: np.ndarray) -> float:
    """Mean squared error, for training sets and traces."""
    return float(np.mean(residual * residual))
