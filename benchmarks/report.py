"""From the store to what is shown: rows under a suite's labels, the table, the figures."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench.benchmarks.measurement import Measurement
from hierbench.benchmarks.plan import Plan
from hierbench.benchmarks.rows import Row
from hierbench.benchmarks.store import NAME, Store
from hierbench.benchmarks.suite import Suite
from hierbench.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from hierbench.benchmarks.claims import Criterion
    from hierbench.benchmarks.sample_complexity import Certificates, Epsilon


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
    from hierbench.targets.base import Certificate

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
    found = store.measurements({u.key for u in plan.experiments})
    measured: dict[str, list[Measurement]] = {}
    for unit in plan.experiments:
        if unit.key in found:
            measured.setdefault(unit.experiment, []).extend(found[unit.key])
    return measured


def epsilons_of(suite: Suite) -> list[Epsilon]:
    """The suite's epsilons, those relative to the share of the top degrees last."""
    from hierbench.benchmarks.sample_complexity import Epsilon

    relative = [Epsilon(e, relative=True) for e in suite.relative_epsilons]
    return [Epsilon(e) for e in suite.epsilons] + relative


def show_table(suite: Suite, rows: Sequence[Row], certificates: Certificates, console: Console) -> None:
    """Print n* and exponents."""
    from hierbench.benchmarks.table import print_table

    print_table(list(rows), certificates, epsilons_of(suite), console)


def show_findings(suite: Suite, results: Path, console: Console) -> None:
    """Print the figures that claims are decided on, of the experiments of this suite."""
    from rich.table import Table

    from hierbench.benchmarks.claims import CLAIMS, load_claims
    from hierbench.benchmarks.claims_report import verdicts_of

    table = Table(title=f"What the experiments of {suite.name} say to the claims", title_justify="left")
    for column in ("claim", "figure", "bounds", "finding", "measured"):
        table.add_column(column)
    claims = [c for c in load_claims(CLAIMS) if any(_own(k, suite) for k in c.criteria)]
    for verdict in verdicts_of(claims, results):
        for finding in verdict.findings:
            criterion = finding.criterion
            if _own(criterion, suite):
                state = "beside" if criterion.beside else finding.state
                said = "\n".join(f"{f.label}: {f.text()}" for f in finding.figures) or finding.reason
                table.add_row(criterion.claim, criterion.what, criterion.bounds.text(), state, said)
    if table.row_count:
        console.print(table)


def _own(criterion: Criterion, suite: Suite) -> bool:
    return criterion.suite == suite.name and bool(criterion.experiments)


def draw_figures(
    plan: Plan,
    rows: Sequence[Row],
    certificates: Certificates,
    measured: Mapping[str, Sequence[Measurement]],
    results: Path,
) -> list[Path]:
    """Write the figures of these rows and measurements to ``figures/SUITE`` in the results folder.

    Raises
    ------
    UserError
        The folder cannot be written.
    """
    suite = plan.suite
    folder = results / "figures" / suite.name
    version = importlib.metadata.version("hierbench")
    drawn: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if rows:
            from hierbench.benchmarks import figures

            provenance = figures.provenance_of(rows, NAME, version)
            drawn += figures.write(rows, certificates, epsilons_of(suite), folder, provenance)
        if measured:
            from hierbench.benchmarks.correction.figures import write
            from hierbench.plots.data import Provenance

            codes = sorted({u.code for u in plan.experiments})
            drawn += write(measured, folder, Provenance(suite.name, NAME, 0, tuple(codes), version))
        return drawn
    except OSError as error:
        raise UserError(f"figures cannot be written to {folder}: {error}") from error
