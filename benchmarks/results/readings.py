"""From the store to rows, certificates and measurements under a suite's labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.fixed_sizes import STAGE
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Row
from hierbench.targets.base import Certificate

if TYPE_CHECKING:
    from hierbench.benchmarks.statistics.sample_complexity import Certificates


def of_one_machine(rows: Iterable[Row]) -> list[Row]:
    """Rows without those that further machines have of the same unit.

    A merged store may hold a unit of several machines, whose numbers differ by rounding. For statistics they
    are one measurement: those of the machine that comes first in alphabetical order count, wherever it is
    read.
    """
    rows = list(rows)
    first: dict[str, str] = {}
    for row in rows:
        first[row.unit] = min(first.get(row.unit, _name(row)), _name(row))
    return [row for row in rows if first[row.unit] == _name(row)]


def _name(row: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(row.machine.items()))


def suite_rows(plan: Plan, store: Store) -> list[Row]:
    """The plan's rows that the store has, in the order of the plan and under its labels.

    A unit that another suite computed, or this one under two labels, is the same unit: its
    numbers are shared, and only its labels are those of the plan. One that depends on what has changed since
    is left out.
    """
    by_unit: dict[str, list[Row]] = {}
    for row in of_one_machine(store.rows({u.key for u in plan.curves} - store.changed().keys())):
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


def apart(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Rows of grids of sizes, and those at fixed sizes."""
    rows = list(rows)
    return [r for r in rows if r.stage != STAGE], [r for r in rows if r.stage == STAGE]


def suite_certificates(plan: Plan, store: Store) -> Certificates:
    """The plan's certificates that the store has, under its labels."""
    labels: dict[str, list[str]] = {}
    for unit in plan.certificates:
        labels.setdefault(unit.key, []).append(unit.target)  # two labels may mean one target
    return {
        (label, c["d"], c["target_index"]): Certificate.from_json(c["certificate"])
        for c in store.certificates(labels)
        for label in labels[c["key"]]
    }


def suite_measurements(plan: Plan, store: Store) -> dict[str, list[Measurement]]:
    """What the plan's experiments measured, as far as the store has it, by their labels."""
    by_unit = store.measurements({u.key for u in plan.experiments})
    measured: dict[str, list[Measurement]] = {}
    for unit in plan.experiments:
        if unit.key in by_unit:
            measured.setdefault(unit.experiment, []).extend(by_unit[unit.key])
    return measured
