"""Standardised inputs and labels, as nets are trained on them."""

from __future__ import annotations

import numpy as np

from hierbench.errors import refusal


class Scaling:
    """Affine map of one training set to zero mean and unit variance, coordinate by coordinate.

    A constant coordinate keeps its scale. The nets can represent any affine map of their
    inputs, so this changes where training starts and not what can be learned.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self.x_mean, self.x_scale = X.mean(axis=0), X.std(axis=0)
        self.y_mean, self.y_scale = float(y.mean()), float(y.std())
        self.x_scale = np.where(self.x_scale > 1e-12 * (1 + np.abs(self.x_mean)), self.x_scale, 1.0)
        if not self.y_scale > 1e-12 * (1 + abs(self.y_mean)):
            self.y_scale = 1.0

    def inputs(self, X: np.ndarray) -> np.ndarray:
        """Scale inputs (n, d)."""
        return (X - self.x_mean) / self.x_scale

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Scale labels (n,)."""
        return (y - self.y_mean) / self.y_scale

    def both(self, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale inputs and labels."""
        return self.inputs(X), self.labels(y)


class ClassScaling(Scaling):
    """The same for two classes, which become -1 and 1.

    Predictions come back with their sign as the side of the middle between the two labels;
    where the training set has one class only, they are that class.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        super().__init__(X, y)
        values = np.unique(y)
        if len(values) > 2:
            raise ValueError(refusal("number of label values", len(values), "1 and 2 for loss = 'logistic'"))
        self.y_mean = float(values[0] + values[-1]) / 2.0
        self.y_scale = float(values[-1] - values[0]) / 2.0

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Scale labels (n,)."""
        return np.where(y > self.y_mean, 1.0, -1.0)
