"""Baselines of the gate as text: one line a row in a fixed order, so that a diff shows what moved."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CurveUnit
from hierbench.benchmarks.units.vocabulary import Parameters, TargetSpec
from hierbench.errors import UserError
from hierbench.files import replace_file

FOLDER = Path(__file__).parent / "baselines"
DIGITS = 8
Curve = tuple[str, str]
"""Learner and target, by label."""
Cells = Mapping[str, Mapping[str, Any]]
"""Recorded values of the exact tier, by cell and name."""


class Header(TypedDict):
    """When, why, by which version and on what a baseline was recorded."""

    recorded: str
    reason: str
    version: str
    machine: dict[str, str]


class LearnerDefinition(TypedDict):
    """What a suite file says of a learner."""

    learner: str
    params: Parameters


class CurveDefinition(TypedDict):
    """What a suite file says of a curve."""

    learner: LearnerDefinition
    target: TargetSpec
    test: dict[str, int]


class RowsHeader(Header):
    """First line of the rows of a baseline."""

    suite: str
    curves: dict[str, CurveDefinition]


class RecordedRow(TypedDict):
    """A row of a baseline."""

    target: str
    learner: str
    d: int
    replicate: list[int]
    n: int
    status: str
    error: float | None
    error_se: float | None


def header(reason: str) -> Header:
    """When, why, by which version and on what a baseline was recorded."""
    return {
        "recorded": datetime.date.today().isoformat(),
        "reason": " ".join(reason.split()),
        "version": importlib.metadata.version("hierbench"),
        "machine": machine.identity(),
    }


def write_rows(path: Path, plan: Plan, rows: Iterable[Row], reason: str) -> None:
    """A header line, then a line for each row, by target, learner, d, replicate and n."""
    head: RowsHeader = {**header(reason), "suite": plan.suite.name, "curves": definitions(plan)}
    records: list[RecordedRow] = [
        {
            "target": row.target,
            "learner": row.learner,
            "d": row.d,
            "replicate": [row.target_index, row.sample_index, row.init_index],
            "n": row.n,
            "status": row.status,
            "error": _rounded(row.error),
            "error_se": _rounded(row.error_se),
        }
        for row in sorted(rows, key=_order)
    ]
    _write(path, "".join(json.dumps(line) + "\n" for line in (head, *records)))


def read_rows(path: Path) -> tuple[RowsHeader, list[RecordedRow]]:
    """Header and rows.

    Raises
    ------
    UserError
        There is no baseline, or the file is none.
    """
    first, *rest = _read(path).splitlines() or [""]
    try:
        head, rows = json.loads(first), [json.loads(line) for line in rest]
        _ = head["curves"], head["recorded"], head["reason"], [cell_of(r) for r in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise _no_baseline(path, f"is damaged ({error})") from error
    return head, rows


def write_exact(path: Path, records: Cells, reason: str) -> None:
    """Recorded values of the exact tier, sorted by cell."""
    content = {**header(reason), "cells": dict(sorted(records.items()))}
    _write(path, json.dumps(content, indent=1) + "\n")


def read_exact(path: Path) -> Cells:
    """The recorded values by cell; UserError as for ``read_rows``."""
    try:
        cells: Cells = json.loads(_read(path))["cells"]
        return cells
    except (ValueError, TypeError, KeyError) as error:
        raise _no_baseline(path, f"is damaged ({error})") from error


def definitions(plan: Plan) -> dict[str, CurveDefinition]:
    """What the suite file says of every curve: another definition is another curve."""
    suite = plan.suite
    curves: dict[str, CurveDefinition] = {}
    for unit in plan.curves:
        entry = suite.learner(unit.learner)
        learner: LearnerDefinition = {"learner": entry.learner, "params": entry.params}
        curves[_name((unit.learner, unit.target))] = {
            "learner": learner,
            "target": suite.target(unit.target).spec(),
            "test": {"min": unit.test_min, "max": unit.test_max},
        }
    return curves


def without_baseline(plan: Plan, head: RowsHeader, records: Sequence[RecordedRow], path: Path) -> list[Curve]:
    """Curves of the plan of which the baseline has no row; all others are the baseline's.

    Raises
    ------
    UserError
        A curve of the baseline is another one in the suite (learner's or target's parameters, test
        sets, dimensions, replicates, sizes), or the suite has it no more.
    """
    planned_cells: dict[Curve, set[Any]] = {}
    for unit in plan.curves:
        planned_cells.setdefault((unit.learner, unit.target), set()).update(_cells(unit))
    held: dict[Curve, set[Any]] = {}
    for record in records:
        held.setdefault((record["learner"], record["target"]), set()).add(cell_of(record))
    now = json.loads(json.dumps(definitions(plan)))
    changed = [
        _name(curve)
        for curve in held
        if planned_cells.get(curve) != held[curve]
        or now.get(_name(curve)) != head["curves"].get(_name(curve))
    ]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UserError(
            f"suite {plan.suite.name} no longer asks for what {path} holds ({changed[0]}{more}: other "
            'parameters, sizes or replicates): record anew with hierbench regress --update --reason "..."'
        )
    return [curve for curve in planned_cells if curve not in held]


def cell_of(record: RecordedRow) -> tuple[int, int, int, int, int]:
    """d, replicate and n of a row."""
    target, sample, init = record["replicate"]
    return record["d"], target, sample, init, record["n"]


def _cells(unit: CurveUnit) -> set[tuple[int, int, int, int, int]]:
    return {
        (unit.d, r.target, r.sample, r.init, n)
        for r, sizes in zip(unit.replicates, unit.sizes, strict=True)
        for n in sizes
    }


def _name(curve: Curve) -> str:
    return f"{curve[0]} on {curve[1]}"


def _order(row: Row) -> tuple[Any, ...]:
    return row.target, row.learner, row.d, row.target_index, row.sample_index, row.init_index, row.n


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise UserError(f"baseline {path} cannot be written: {error}") from error


def _read(path: Path) -> str:
    if not path.is_file():
        raise _no_baseline(path, "is missing")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_baseline(path, f"cannot be read ({error})") from error


def _no_baseline(path: Path, what: str) -> UserError:
    return UserError(f'baseline {path} {what}: hierbench regress --update --reason "..." records one')
