"""Acceptance bars: what was asked for beside what was measured."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

from rich.console import Console

from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.suites.suite import Bar, Suite
from hierbench.benchmarks.units.rows import FITTED, Row, RowStatus


@dataclasses.dataclass(frozen=True)
class BarResult:
    """A bar with the figure measured at its cell (None: nothing measured) and the others' figures.

    eps_rel : the median of MSE over the share of variance above half the top degree, where defined.
    """

    bar: Bar
    figure: float | None
    eps_rel: float | None
    replicates: int
    not_ok: int
    others: tuple[tuple[str, float], ...]

    @property
    def met(self) -> bool:
        """Whether the measured value reaches the bar."""
        return self.figure is not None and self.figure <= self.bar.max


def median_error(rows: Sequence[Row]) -> float:
    """Median over replicates; a run that failed counts as infinite, never as missing.

    An unreliable row counts with its error: the median over replicates does not hang on one of
    them, and its number is printed beside.
    """
    return statistics.median(_error(row) for row in rows)


def _error(row: Row) -> float:
    has_error = row.status in FITTED and row.error is not None
    return row.error if has_error and row.error is not None else math.inf


def median_eps_rel(rows: Sequence[Row], certificates: Certificates) -> float | None:
    """Median of MSE / (share of variance above half the top degree); None where undefined.

    As it is in classification.
    """
    relative = []
    for row in rows:
        certificate = certificates.get((row.target, row.d, row.target_index))
        share = None if certificate is None or certificate.classes else certificate.top_half_share()
        if share is None:
            return None
        relative.append(_error(row) / share)
    return statistics.median(relative) if relative else None


def judge(suite: Suite, rows: Sequence[Row], certificates: Certificates) -> list[BarResult]:
    """Every bar of the suite against its rows."""
    verdicts = []
    for bar in suite.bars:
        cell = [r for r in rows if (r.target, r.d, r.n) == (bar.target, bar.d, bar.n)]
        learner_rows = [r for r in cell if r.learner == bar.learner]
        others = tuple(
            (e.label, median_error(theirs))
            for e in suite.learners
            if e.label != bar.learner and (theirs := [r for r in cell if r.learner == e.label])
        )
        verdicts.append(
            BarResult(
                bar,
                median_error(learner_rows) if learner_rows else None,
                median_eps_rel(learner_rows, certificates),
                len(learner_rows),
                sum(r.status != RowStatus.OK for r in learner_rows),
                others,
            )
        )
    return verdicts


def _number(value: float | None) -> str:
    return "nothing" if value is None else "not ok" if math.isinf(value) else f"{value:.2g}"


def print_bars(verdicts: Sequence[BarResult], console: Console) -> None:
    """One line a bar: verdict, bar, figure, and the other learners at the same cell."""
    for v in verdicts:
        bar = v.bar
        word = "met" if v.met else "MISSED"
        lost = f", {v.not_ok} not ok" if v.not_ok else ""
        line = (
            f"bar {word}: {bar.label}: {bar.learner} on {bar.target}, d = {bar.d}, n = {bar.n}: "
            f"{bar.statistic} {_number(v.figure)} (at most {bar.max:g}; {v.replicates} replicates{lost})"
        )
        if v.eps_rel is not None:
            line += f"; eps_rel {_number(v.eps_rel)}"
        if v.others:
            line += "; others: " + ", ".join(f"{label} {_number(x)}" for label, x in v.others)
        console.print(line, style="" if v.met else "red", markup=False, highlight=False, soft_wrap=True)
