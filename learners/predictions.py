"""What counts as a prediction: a real number for every row, in the order of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierbench.errors import refusal


def real_predictions(
    predicted: Any, rows: int, sizes: int | None = None, outputs: int | None = None
) -> np.ndarray:
    """Predictions as float64, or the reason why they are none.

    Parameters
    ----------
    predicted : array_like
        What ``predict`` returned.
    rows : int
        Number of inputs.
    sizes : int, optional
        Number of fits that predict at once; by default one, whose predictions have no axis for it.
    outputs : int, optional
        Number of outputs; by default one, whose predictions have no axis for it.

    Returns
    -------
    ndarray of float64
        Shape (rows,), (sizes, rows), (rows, outputs) or (sizes, rows, outputs). Numbers that are not finite
        stay as they are: a fit that diverges has been measured.

    Raises
    ------
    ValueError
        Another shape (nothing is broadcast, transposed or flattened, but for a single column), masked
        values, numbers that are not real, anything that is no number, or labelled rows in another order.
    """
    wanted = tuple(n for n in (sizes, rows, outputs) if n is not None)
    allowed = f"real numbers of shape {wanted}, in the order of the rows"
    if predicted is None:
        raise ValueError(refusal("predictions", None, allowed))
    if np.ma.isMaskedArray(predicted) and np.ma.getmaskarray(predicted).any():
        hidden = int(np.ma.getmaskarray(predicted).sum())
        raise ValueError(f"predictions with {hidden} masked values: allowed are {allowed}")
    labels = getattr(predicted, "index", None)  # of a table of pandas; a list has a method of that name
    if labels is not None and not callable(labels) and not np.array_equal(labels, np.arange(rows)):
        raise ValueError(f"predictions with row labels other than 0, 1, 2, ...: allowed are {allowed}")
    values = np.asarray(predicted)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"predictions of type {values.dtype}: allowed are {allowed}")
    shape = values.shape
    if wanted == (rows,) and shape == (rows, 1):
        shape = (rows,)
    if shape != wanted:
        raise ValueError(f"predictions of shape {values.shape}: allowed are {allowed}")
    return values.astype(float).reshape(shape)
