"""From the store to what is shown: rows under a suite's labels, the table, the figures."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError
from benchmarks.plan import Plan
from benchmarks.rows import Row
from benchmarks.store import NAME, Store
from benchmarks.suite import Suite

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.sample_complexity import Certificates, Epsilon


def suite_rows(plan: Plan, store: Store) -> list[Row]:
    """The plan's rows that the store has, in the order of the plan and under its labels.

    A unit that another suite computed, or this one under two labels, is the same unit: its
    numbers are shared, and only its labels are those of the plan.
    """
    by_unit: dict[str, list[Row]] = {}
    for row in store.rows({u.key for u in plan.curves}):
        by_unit.setdefault(row.unit, []).append(row)
    return [
        dataclasses.replace(
            row,
            suite=unit.suite,
            learner=unit.learner,
            target=unit.target,
            block=unit.block,
            stage=unit.stage,
        )
        for unit in plan.curves
        for row in by_unit.get(unit.key, [])
    ]


def suite_certificates(plan: Plan, store: Store) -> Certificates:
    """The plan's certificates that the store has, under its labels."""
    from targets.base import Certificate

    labels: dict[str, list[str]] = {}
    for unit in plan.certificates:
        labels.setdefault(unit.key, []).append(unit.target)  # two labels may mean one target
    return {
        (label, c["d"], c["target_index"]): Certificate.from_json(c["certificate"])
        for c in store.certificates(labels)
        for label in labels[c["key"]]
    }


def epsilons_of(suite: Suite) -> list[Epsilon]:
    """The suite's epsilons, those relative to the share of the top degrees last."""
    from benchmarks.sample_complexity import Epsilon

    relative = [Epsilon(e, relative=True) for e in suite.relative_epsilons]
    return [Epsilon(e) for e in suite.epsilons] + relative


def show_table(suite: Suite, rows: Sequence[Row], certificates: Certificates, console: Console) -> None:
    """Print n* and exponents."""
    from benchmarks.table import print_table

    print_table(list(rows), certificates, epsilons_of(suite), console)


def draw_figures(suite: Suite, rows: Sequence[Row], certificates: Certificates, results: Path) -> list[Path]:
    """Write the figures of these rows to ``figures/SUITE`` in the results folder.

    Raises
    ------
    UserError
        The folder cannot be written.
    """
    from benchmarks import figures

    folder = results / "figures" / suite.name
    provenance = figures.provenance_of(rows, NAME, importlib.metadata.version("hierbench"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return figures.write(rows, certificates, epsilons_of(suite), folder, provenance)
    except OSError as error:
        raise UserError(f"figures cannot be written to {folder}: {error}") from error
