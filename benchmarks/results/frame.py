"""Rows as a table of pandas, one row a measurement, and as files that others read."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hierbench.benchmarks.store.encoding import MAPPINGS, ROW_FIELDS, as_json
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Mapping[str, str] = {
    "key": "hash of everything that the numbers depend on",
    "unit": "hash of the unit of work that the row was computed in",
    "suite": "name of the suite; reference for results that ship",
    "learner": "label of the learner in the suite",
    "learner_spec": "JSON: its registered name or import path, and its parameters",
    "target": "label of the target in the suite",
    "target_spec": "JSON: family of the target and its parameters",
    "d": "dimension of the inputs",
    "block": "which four replicates were computed together",
    "stage": "0, or in which turn an adaptive grid asked for this size; -1 for a fixed size",
    "target_index": "which of the targets that the family draws",
    "sample_index": "which training sample; a smaller n is its beginning",
    "init_index": "which initialisation of the learner",
    "n": "training samples",
    "status": "ok, unreliable, diverged, timeout, skipped or failed",
    "reason": "of a status that is not ok",
    "metric": "what the errors are: relative MSE or misclassification",
    "error": "test error against labels without noise",
    "error_se": "its standard error",
    "top10_share": "share that the ten largest test points have of a relative MSE",
    "n_test": "test points",
    "train_error": "error on the training sample, label noise included",
    "steps": "steps of the final training, of learners that have such",
    "flops": "floating-point operations of a fit, tuning included",
    "hyperparameters": "JSON: what was settled inside fit",
    "health": "JSON: what the learner reports of its fit",
    "fit_seconds": "wall time of fit, tuning included",
    "predict_seconds": "wall time of predicting the test points",
    "timing": "standalone, or amortised: the unit's time split over its rows",
    "peak_memory_bytes": "most memory of the process while it computed the unit",
    "code": "fingerprint of the code of learner, target, engines and metric",
    "versions": "JSON: versions of the libraries that the numbers depend on",
    "machine": "JSON: CPU, system and BLAS; the GPU of what was computed on one",
}
"""What the columns of a frame hold, in their order: those of a stored row."""

_WHOLE = ("n_test", "steps", "peak_memory_bytes")
_COUNTS = ("d", "block", "stage", "target_index", "sample_index", "init_index", "n")
_REAL = ("error", "error_se", "top10_share", "train_error", "flops", "fit_seconds", "predict_seconds")


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Make a frame of rows: the columns of ``COLUMNS``, mappings as JSON, what is unknown as NA.

    Raises
    ------
    UserError
        pandas is not installed.
    """
    pandas = _pandas()
    columns: dict[str, Any] = {}
    for name in ROW_FIELDS:
        values = [getattr(row, name) for row in rows]
        if name in MAPPINGS:
            columns[name] = pandas.Series([as_json(v) for v in values], dtype="str")
        elif name in _WHOLE:
            columns[name] = pandas.Series(values, dtype="Int64")
        elif name in _REAL:
            columns[name] = pandas.Series(values, dtype="float64")
        else:
            columns[name] = pandas.Series(values, dtype="int64" if name in _COUNTS else "str")
    return pandas.DataFrame(columns)


def _pandas() -> Any:
    try:
        # an extra, and slow to start
        import pandas
    except ImportError as error:
        raise UserError(f"frames need pandas ({error}): pip install 'hierbench[frames]'") from error
    return pandas


def as_csv(rows: Sequence[Row]) -> bytes:
    """Comma-separated values with a header; numbers have all their digits."""
    return str(frame_of(rows).to_csv(index=False, lineterminator="\n")).encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    """Apache Parquet, which pandas and polars read with their types.

    Raises
    ------
    UserError
        pandas or pyarrow is not installed.
    """
    frame = frame_of(rows)
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=False, engine="pyarrow", compression="zstd")
    except ImportError as error:
        raise UserError(f"Parquet needs pyarrow ({error}): pip install 'hierbench[frames]'") from error
    return buffer.getvalue()
