"""From the store to what is shown: rows under a suite's labels, the table, the figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import UserError
from benchmarks.plan import Plan
from benchmarks.rows import Row
from benchmarks.store import Store

if TYPE_CHECKING:
    from rich.console import Console


def suite_rows(plan: Plan, store: Store) -> list[Row]:
    """The plan's rows that the store has, in the order of the plan and under its labels.

    A unit that another suite computed is the same unit: its numbers are shared, and only its
    labels are this suite's.
    """
    units = {u.key: u for u in plan.curves}
    by_unit: dict[str, list[Row]] = {}
    for row in store.rows(units):
        unit = units[row.unit]
        labelled = dataclasses.replace(
            row,
            suite=unit.suite,
            learner=unit.learner,
            target=unit.target,
            block=unit.block,
            stage=unit.stage,
        )
        by_unit.setdefault(row.unit, []).append(labelled)
    return [row for key in units for row in by_unit.get(key, [])]


def suite_certificates(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """The plan's certificates that the store has, under its labels."""
    labels = {u.key: u.target for u in plan.certificates}
    return [{**c, "target": labels[c["key"]]} for c in store.certificates(labels)]


def show_table(
    plan: Plan, rows: Sequence[Row], certificates: Sequence[dict[str, Any]], console: Console
) -> None:
    """Print n* and exponents."""
    from benchmarks.sample_complexity import Epsilon
    from benchmarks.table import print_table
    from targets.base import Certificate

    known = {
        (c["target"], c["d"], c["target_index"]): Certificate.from_json(c["certificate"])
        for c in certificates
    }
    epsilons = [Epsilon(e) for e in plan.suite.epsilons] + [Epsilon(0.1, relative=True)]
    print_table(list(rows), known, epsilons, console)


def draw_figures(rows: Sequence[Row], certificates: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write the figures of these rows.

    Raises
    ------
    UserError
        The plots package is not there, or the folder cannot be written.
    """
    try:
        from plots import write_figures
    except ImportError as error:
        raise UserError(f"figures cannot be drawn: {error}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return list(write_figures([dataclasses.asdict(r) for r in rows], list(certificates), folder))
    except OSError as error:
        raise UserError(f"figures cannot be written to {folder}: {error}") from error
