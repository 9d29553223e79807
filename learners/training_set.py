"""What every learner of the package asks of its training set."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from hierbench.errors import refusal

LARGEST = 1e150
"""Largest absolute value of an input or a label: sums of squares of more are beyond float64."""


def training_set(
    estimator: Any, X: Any, y: Any, *, largest_label: float = LARGEST, outputs: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Check a training set and write down its number of features in the estimator.

    Parameters
    ----------
    estimator : estimator
        The one to be fitted.
    X : array-like of shape (n, d)
        Inputs, n >= 2.
    y : array-like of shape (n,), or (n, outputs)
        Labels.
    largest_label : float
        Largest absolute value of a label that the learner can take.
    outputs : bool
        Whether the learner takes several outputs.

    Returns
    -------
    X, y : float64 arrays of shapes (n, d) and (n,) or (n, outputs)

    Raises
    ------
    ValueError
        On other shapes, fewer than two rows, and values that are not finite or too large.
    """
    checks = {"dtype": np.float64, "y_numeric": True, "ensure_min_samples": 2, "multi_output": outputs}
    X, y = validate_data(estimator, X, y, **checks)
    y = y.astype(np.float64, copy=False)
    for name, values, most in (("X", X, LARGEST), ("y", y, largest_label)):
        largest = float(np.abs(values).max())
        if largest > most:
            allowed = f"numbers up to {most:g} in absolute value"
            raise ValueError(refusal(f"largest |{name}|", largest, allowed, "change the unit"))
    return X, y
