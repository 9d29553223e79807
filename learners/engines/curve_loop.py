"""Learning curves for learners whose prefixes have nothing to share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone

from hierbench.learners.base import Curve, FittedCurve


class FitsCurvesOneByOne:
    """``fit_curves`` as a loop: each prefix is tuned, and adapts its features, on its own."""

    def fit_curves(self, curves: Sequence[Curve], callback: None = None) -> list[FittedCurve]:
        """Return the fits that ``fit`` gives size by size, exactly."""
        return [FittedCurve([self._prefix(curve, n) for n in curve.sizes]) for curve in curves]

    def _prefix(self, curve: Curve, n: int) -> Any:
        estimator: Any = clone(self)
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=curve.random_state)
        return estimator.fit(curve.X[:n], curve.y[:n])
