"""Iteratively reweighted kernel machine: kernel regression with weights of coordinates that it learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.learners.adaptive.metric_kernel import metric_of
from hierbench.learners.adaptive.rfm import RFMRegressor

SAFEGUARD = 1e-4
"""Epsilon, in units of the largest mean squared derivative."""


class IRKMRegressor(RFMRegressor):
    r"""Kernel ridge regression with a weight for each coordinate, re-estimated from its own derivatives.

    .. math:: f_t(x) = \sum_i \alpha_i\, k(\sqrt{w_t} \odot x, \sqrt{w_t} \odot x_i), \qquad
              w_{t+1, j} \propto \frac1n \sum_i (\partial_j f_t(x_i))^2 + \epsilon, \quad w_0 = 1

    L. Zhu, D. Davis, D. Drusvyatskiy, M. Fazel, *Iteratively reweighted kernel machines efficiently learn
    sparse functions*, arXiv 2505.08277. It is the Recursive Feature Machine with the diagonal of the average
    gradient outer product alone, at power 1, plus the safeguard epsilon, from which a coordinate that one
    round misses can come back in a later one. Two things differ from the authors' algorithm: each of their
    rounds draws fresh samples, where here all see the one sample there is, so that folds judge how many
    to do, as they do for the RFM; and epsilon is 1e-4 of the largest squared derivative, so that the unit of
    y does not count. The weights are scaled so that the mean squared distance of inputs stays what it was.

    Weights know the coordinate axes. The method is made for targets of few coordinates (parity, staircase),
    where it estimates d numbers and the RFM d (d + 1) / 2. On a rotated target, as most here are, every
    coordinate counts about as much as any other, and it has no advantage over a plain kernel but that.

    Parameters
    ----------
    exponent : p in (0, 2] of exp(-(|z - z'| / sqrt(d) l)^p), or several to choose from; the authors have 1.
    power : of the squared derivatives, or several to choose from.
    iterations, folds, length_scale, ridge, intercept : those of ``RFMRegressor``.

    Attributes
    ----------
    weights_ : (d,), of the fitted function; their mean over coordinates of equal variance is 1.
    metric_ : (d, d), the same as a diagonal; the rest is that of ``RFMRegressor``.
    """

    def __init__(
        self,
        *,
        exponent: float | Sequence[float] = (1.0, 2.0),
        power: float | Sequence[float] = 1.0,
        iterations: int = 10,
        folds: int = 3,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        super().__init__(
            exponent=exponent,
            power=power,
            iterations=iterations,
            folds=folds,
            length_scale=length_scale,
            ridge=ridge,
            intercept=intercept,
        )

    @property
    def weights_(self) -> np.ndarray:
        """Weights of the coordinates."""
        return np.diag(self.metric_).copy()

    def _metric(self, agop: np.ndarray, covariance: np.ndarray, power: float) -> np.ndarray:
        squares = np.diag(agop)
        return metric_of(np.diag(squares + SAFEGUARD * squares.max()), covariance, power)
