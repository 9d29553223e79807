"""What the store makes of rows, certificates and measurements: tuples of plain values, mappings as JSON."""

from __future__ import annotations

import functools
import json
import math
import numbers
from collections.abc import Sequence
from typing import Any

from hierbench.benchmarks.store.schema import COLUMNS, is_mapping, misfits
from hierbench.benchmarks.units.experiment_unit import ExperimentResult, ExperimentUnit
from hierbench.benchmarks.units.rows import FITTED, STATUSES, Metric, Row
from hierbench.benchmarks.units.unit import CertificateUnit, Result, Unit

ROW_FIELDS = tuple(COLUMNS["rows"])
MAPPINGS = frozenset(name for name, annotation in COLUMNS["rows"].items() if is_mapping(annotation))
"""Fields of a row that are mappings."""
_ERRORS = ("error", "error_se", "train_error")
_COUNTS = ("n_test", "steps", "flops", "fit_seconds", "predict_seconds")


@functools.singledispatch
def beside_rows(unit: Unit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    """Records of a unit besides its rows and traces, by table: by the kind of the unit."""
    return {}


@beside_rows.register
def _(unit: CertificateUnit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    if result.certificate is None:
        return {}
    where = (unit.key, unit.target, as_json(unit.target_spec), unit.d, unit.target_index)
    return {"certificates": [(*where, as_json(result.certificate), unit.code, as_json(unit.versions))]}


@beside_rows.register
def _(unit: ExperimentUnit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    if not isinstance(result, ExperimentResult):  # one that failed
        return {}
    experiment = (unit.key, unit.axes["experiment"], as_json(unit.axes["parameters"]))
    by = (as_json(result.machine), unit.code, as_json(unit.versions))
    measurements = [
        (unit.key, number, as_json(dict(m.labels)), as_json(dict(m.values)))
        for number, m in enumerate(result.measurements)
    ]
    return {"experiments": [(*experiment, *by)], "measurements": measurements}


def as_json(value: Any) -> str:
    """JSON whose keys are in order."""
    return json.dumps(value, sort_keys=True)


def encoded(row: Row) -> tuple[Any, ...]:
    """The columns of a row."""
    return tuple(_plain(getattr(row, name)) for name in ROW_FIELDS)


def _plain(value: Any) -> Any:
    # A learner may report numpy's numbers, which SQLite would take for a string of bytes.
    if isinstance(value, dict):
        return as_json(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def ill_formed(row: Row) -> str:
    """Name of the first column that does not hold what it should; empty where all do."""
    wrong = misfits("rows", encoded(row))
    if not wrong:
        numbers_of = {name: getattr(row, name) for name in (*_ERRORS, *_COUNTS)}
        wrong = [name for name, x in numbers_of.items() if x is not None and not 0.0 <= x < math.inf]
        wrong += ["n"] * (row.n < 1) + ["d"] * (row.d < 1)
        wrong += ["status"] * (row.status not in STATUSES) + ["metric"] * (row.metric not in tuple(Metric))
        wrong += ["error"] * ((row.status in FITTED) != (row.error is not None))
    return wrong[0] if wrong else ""


def decoded(values: Sequence[Any]) -> Row:
    """The row of these columns."""
    named = dict(zip(ROW_FIELDS, values, strict=True))
    return Row(**{name: json.loads(v) if name in MAPPINGS else v for name, v in named.items()})
