"""The two tiers of the gate: what each measures, and how it is judged and recorded."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hierbench.benchmarks.gate import baseline_files, exact_tier, shifts
from hierbench.benchmarks.results import readings
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites import epsilon
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CertificateUnit
from hierbench.benchmarks.units.vocabulary import CertificateFields

MOST_LINES = 20


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Whether nothing got worse, and how much of what is recorded had a number on both sides."""

    tier: str
    what: str
    fine: bool
    compared: int
    recorded: int


class Tier(abc.ABC):
    """What both tiers do: read a baseline, find the measured, judge or write it."""

    name: str
    plan: Plan
    path: Path

    @abc.abstractmethod
    def read(self) -> None:
        """Read the baseline."""

    @abc.abstractmethod
    def measured(self, store: Store) -> Any:
        """Take what was measured from the store."""

    @abc.abstractmethod
    def judge(self, measured: Any, console: Console) -> Judgement:
        """Print the comparison, and judge it."""

    @abc.abstractmethod
    def has_numbers(self, measured: Any) -> bool:
        """Whether anything was measured that a later run can be compared with."""

    @abc.abstractmethod
    def write(self, measured: Any, reason: str) -> str:
        """Record what was measured as the baseline; one line that says so."""


class Exact(Tier):
    """Tiny fits, data and certificates that come out the same to the last digits."""

    name = "exact"

    def __init__(self, gated: Plan, path: Path) -> None:
        tiny = exact_tier.exact_plan()
        self.gated, self.path = gated, path
        self.plan = dataclasses.replace(tiny, certificates=exact_tier.certificate_units(gated))

    def read(self) -> None:
        """Read the baseline."""
        self.before = baseline_files.read_exact(self.path)

    def measured(self, store: Store) -> baseline_files.Cells:
        """Take what was measured from the store."""
        rows = readings.suite_rows(self.plan, store)
        certificates = _certificates(self.plan.certificates, store)
        return {
            **exact_tier.learner_records(rows),
            **exact_tier.data_records(self.gated),
            **exact_tier.certificate_records(certificates),
        }

    def judge(self, measured: baseline_files.Cells, console: Console) -> Judgement:
        """Print the comparison, and judge it."""
        changed, new, missing = exact_tier.differences(self.before, measured)
        console.print(f"exact tier: {len(measured)} cells, {len(changed)} recorded values changed")
        _listed([str(c) for c in sorted(changed, key=lambda c: -c.size)], console, "red")
        _listed([f"new cell, no baseline: {cell}" for cell in new], console)
        _listed([f"gone: {cell}" for cell in missing], console, "red")
        fine = not changed and not missing
        compared = exact_tier.comparable(self.before, measured)
        return Judgement(self.name, "recorded cells", fine, compared, len(self.before))

    def has_numbers(self, measured: baseline_files.Cells) -> bool:
        """Whether anything was measured that a later run can be compared with."""
        return exact_tier.comparable(measured, measured) > 0

    def write(self, measured: baseline_files.Cells, reason: str) -> str:
        """Record what was measured as the baseline; one line that says so."""
        baseline_files.write_exact(self.path, measured, reason)
        return f"recorded {self.path}: {len(measured)} cells"


class Statistical(Tier):
    """Curves of the suite, whose errors and n* have not grown."""

    name = "statistical"

    def __init__(self, gated: Plan, path: Path) -> None:
        self.plan, self.path = gated, path

    def read(self) -> None:
        """Read the baseline."""
        head, records = baseline_files.read_rows(self.path)
        self.records = records
        self.new = baseline_files.without_baseline(self.plan, head, records, self.path)
        self.origin = f"{head['recorded']} ({head['reason']})"

    def measured(self, store: Store) -> tuple[list[Row], Any]:
        """Take what was measured from the store."""
        return readings.suite_rows(self.plan, store), readings.suite_certificates(self.plan, store)

    def judge(self, measured: tuple[list[Row], Any], console: Console) -> Judgement:
        """Print the comparison, and judge it."""
        rows, certificates = measured
        before = baseline_rows(self.records, rows)
        compared = shifts.compare(before, rows, certificates, epsilon.epsilons_of(self.plan.suite))
        print_comparison(compared, self.plan.suite, self.origin, console)
        for learner, target in self.new:
            console.print(f"new curve, no baseline: {learner} on {target} (--update records it)")
        absent = absent_cells(self.records, rows)
        _listed([f"lost: {cell}: recorded, and not measured now" for cell in absent], console, "red")
        fine = not compared.alarm and not absent
        return Judgement(self.name, "recorded rows", fine, compared.pairs, len(self.records))

    def has_numbers(self, measured: tuple[list[Row], Any]) -> bool:
        """Whether anything was measured that a later run can be compared with."""
        return any(shifts.has_number(row) for row in measured[0])

    def write(self, measured: tuple[list[Row], Any], reason: str) -> str:
        """Record what was measured as the baseline; one line that says so."""
        rows, _ = measured
        baseline_files.write_rows(self.path, self.plan, rows, reason)
        return f"recorded {self.path}: {len(rows)} rows"


def baseline_rows(records: Sequence[baseline_files.RecordedRow], rows: Sequence[Row]) -> list[Row]:
    """Recorded errors in the place of those of the same cells measured now."""
    recorded = {(r["learner"], r["target"], *baseline_files.cell_of(r)): r for r in records}
    baseline = []
    for row in rows:
        cell = (row.d, row.target_index, row.sample_index, row.init_index, row.n)
        record = recorded.get((row.learner, row.target, *cell))
        if record:
            baseline.append(
                dataclasses.replace(
                    row,
                    reason="",
                    status=record["status"],
                    error=record["error"],
                    error_se=record["error_se"],
                )
            )
    return baseline


def absent_cells(records: Sequence[baseline_files.RecordedRow], rows: Sequence[Row]) -> list[str]:
    """Recorded cells that have no row at all now, in words."""
    measured = {(r.learner, r.target, r.d, r.target_index, r.sample_index, r.init_index, r.n) for r in rows}
    return [
        f"{r['learner']} on {r['target']}, d = {r['d']}, replicate {tuple(r['replicate'])}, n = {r['n']}"
        for r in records
        if (r["learner"], r["target"], *baseline_files.cell_of(r)) not in measured
    ]


def print_comparison(compared: shifts.Comparison, suite: Suite, origin: str, console: Console) -> None:
    """The shift of every curve, then the verdict."""
    rule = shifts.Rule()
    console.print(f"statistical tier: suite {suite.name} against the baseline of {origin}")
    table = [("learner", "target", "of", "shift", "95 % interval", "visible", "units", "verdict")]
    for s in compared.shifts:
        shift, interval = f"x {s.factor:.3g}", f"[{s.low:.3g}, {s.high:.3g}]"
        visible = f"x {s.visible:.3g}"
        table.append((s.learner, s.target, s.quantity, shift, interval, visible, str(s.units), s.verdict))
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    colours = {"worse": "red", "better": "green"}
    for line in table:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        console.print(f"  {text.rstrip()}", style=colours.get(line[-1], ""))
    counts = {v: sum(s.verdict == v for s in compared.shifts) for v in ("worse", "better", "same", "open")}
    console.print(
        f"  {counts['worse']} worse, {counts['better']} better (beyond x {rule.matters:g}, false discovery "
        f"rate {rule.rate:.0%}), {counts['same']} same (within x {rule.margin:g}), {counts['open']} open"
    )
    console.print(
        "  shift = after / before, below 1 is better; visible = smallest shift that this run would have "
        f"called worse with {rule.power:.0%} power"
    )
    _listed([f"lost: {_where(b)}: {b.before} before, now {b.after}: {b.reason}" for b in compared.broken],
            console, "red")  # fmt: skip
    _listed([f"found: {_where(b)}: {b.before} before, now {b.after}" for b in compared.mended], console)


def _where(cell: shifts.Broken) -> str:
    return f"{cell.learner} on {cell.target}, d = {cell.d}, replicate {cell.replicate}, n = {cell.n}"


def _certificates(units: Sequence[CertificateUnit], store: Store) -> dict[str, CertificateFields]:
    """Certificates by cell."""
    held = {c["key"]: c["certificate"] for c in store.certificates(u.key for u in units)}
    return {u.title(): held[u.key] for u in units if u.key in held}


def _listed(lines: Sequence[str], console: Console, style: str = "") -> None:
    for line in lines[:MOST_LINES]:
        console.print(f"  {line}", style=style)
    if len(lines) > MOST_LINES:
        console.print(f"  and {len(lines) - MOST_LINES} more")
