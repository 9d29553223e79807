"""Baselines of the gate as text: one line a row in a fixed order, so that a diff shows what moved."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CurveUnit
from hierbench.errors import UserError

FOLDER = Path(__file__).parent / "baselines"
DIGITS = 8
Curve = tuple[str, str]
"""Learner and target, by label."""


def header(reason: str) -> dict[str, Any]:
    """When, why, by which version and on what a baseline was recorded."""
    return {
        "recorded": datetime.date.today().isoformat(),
        "reason": " ".join(reason.split()),
        "version": importlib.metadata.version("hierbench"),
        "machine": machine.identity(),
    }


def write_rows(path: Path, plan: Plan, rows: Iterable[Row], reason: str) -> None:
    """A header line, then a line for each row, by target, learner, d, replicate and n."""
    lines = [{**header(reason), "suite": plan.suite.name, "curves": definitions(plan)}]
    for row in sorted(rows, key=_order):
        lines.append(
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
        )
    _write(path, "".join(json.dumps(line) + "\n" for line in lines))


def read_rows(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
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


def write_exact(path: Path, records: dict[str, Any], reason: str) -> None:
    """Recorded values of the exact tier, sorted by cell."""
    content = {**header(reason), "cells": dict(sorted(records.items()))}
    _write(path, json.dumps(content, indent=1) + "\n")


def read_exact(path: Path) -> dict[str, Any]:
    """The recorded values by cell; UserError as for ``read_rows``."""
    try:
        cells: dict[str, Any] = json.loads(_read(path))["cells"]
        return cells
    except (ValueError, TypeError, KeyError) as error:
        raise _no_baseline(path, f"is damaged ({error})") from error


def definitions(plan: Plan) -> dict[str, Any]:
    """What the suite file says of every curve: another definition is another curve."""
    suite = plan.suite
    test = {"min": suite.test.min, "max": suite.test.max}
    curves: dict[str, Any] = {}
    for unit in plan.curves:
        entry = suite.learner(unit.learner)
        learner = {"learner": entry.learner, "params": entry.params}
        curves[_name((unit.learner, unit.target))] = {
            "learner": learner,
            "target": suite.target(unit.target).spec(),
            "test": test,
        }
    return curves


def match(
    plan: Plan, head: dict[str, Any], records: Sequence[dict[str, Any]], path: Path
) -> tuple[list[dict[str, Any]], list[Curve]]:
    """The baseline's rows that the plan asks for, and the curves that have none.

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
    planned_rows = [r for r in records if (r["learner"], r["target"]) in planned_cells]
    return planned_rows, [curve for curve in planned_cells if curve not in held]


def cell_of(record: dict[str, Any]) -> tuple[int, int, int, int, int]:
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
        path.write_text(text, encoding="utf-8")
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
