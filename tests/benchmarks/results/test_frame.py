"""Rows as a frame, as Parquet and as CSV."""

import dataclasses
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from synthetic_rows import suite

from hierbench.benchmarks.results.frame import COLUMNS, as_csv, as_parquet, frame_of
from hierbench.benchmarks.store.encoding import MAPPINGS
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError


def rows():
    made, _ = suite()
    first = dataclasses.replace(
        made[0], error=None, steps=None, health={"a": 1 / 3}, learner='x, "y"', peak_memory_bytes=2**53 + 1
    )
    return [first, *made[1:50]]


def back(frame):
    """Rows as dictionaries, as they were before they became a frame."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{k: json.loads(v) if k in MAPPINGS else v for k, v in record.items()} for record in records]


def test_every_column_of_a_row_is_described():
    assert list(COLUMNS) == [f.name for f in dataclasses.fields(Row)]
    assert all(COLUMNS.values())


@pytest.mark.parametrize(
    "through",
    [lambda r: frame_of(r), lambda r: pd.read_parquet(io.BytesIO(as_parquet(r)))],
    ids=["frame", "parquet"],
)
def test_a_frame_is_what_the_rows_are(through):
    frame = through(rows())
    assert list(frame.columns) == list(COLUMNS)
    assert back(frame) == [dataclasses.asdict(r) for r in rows()]
    assert frame["n"].dtype == np.int64 and frame["error"].dtype == np.float64
    assert str(frame["peak_memory_bytes"].dtype) == "Int64" and frame["peak_memory_bytes"][0] == 2**53 + 1


def test_csv_has_all_digits():
    frame = pd.read_csv(io.BytesIO(as_csv(rows())))
    assert list(frame["error"])[1:] == [r.error for r in rows()][1:] and np.isnan(frame["error"][0])
    assert frame["learner"][0] == 'x, "y"' and json.loads(frame["health"][0]) == {"a": 1 / 3}


def test_no_rows_make_an_empty_frame():
    assert list(frame_of([]).columns) == list(COLUMNS) and len(frame_of([])) == 0


def test_without_pandas_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"pip install 'hierbench\[frames\]'"):
        frame_of(rows())


def test_without_pyarrow_parquet_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'hierbench\[frames\]'"):
        as_parquet(rows())
