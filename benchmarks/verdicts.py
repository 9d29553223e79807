"""From figures and bounds, fixed beforehand, to verdicts: supported, refuted, undecided.

A figure supports its criterion where its whole interval lies within the bounds, and refutes it where
the whole interval lies on one side of them. So a lower bound on an exponent may support "at least" and
refute "at most", and never the other way round.

A criterion of m figures is supported where each of them is, at 95 % (an intersection of tests needs no
correction: Berger, Technometrics 24, 1982), and refuted where one of them is at 1 - 0.05 / m (Bonferroni),
because with many figures one would be outside by chance. A claim is supported where all its criteria
are, and refuted where one is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from benchmarks.claims import Bounds, Claim, Criterion
from benchmarks.evidence import Evidence
from benchmarks.quantities import QUANTITIES, Figure

Word = Literal["supported", "refuted", "undecided"]
State = Literal["supported", "refuted", "undecided", "unmeasured"]
"""Of the two kinds of "undecided", "unmeasured" is the one that a run may end."""

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Finding:
    """A criterion with its figures.

    figure : the one that decides: the first that refutes, else the first that is undecided, else the one
        nearest to its bounds; None where nothing was measured.
    optimisers : of the learners that are trained by gradient descent
    """

    criterion: Criterion
    state: State
    figures: tuple[Figure, ...]
    figure: Figure | None
    reason: str
    optimisers: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        return sum(f.n_rows for f in self.figures)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim, its verdict, and the findings that it follows from, those beside it last."""

    claim: Claim
    word: Word
    reason: str
    findings: tuple[Finding, ...]

    @property
    def deciding(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if not f.criterion.beside)

    @property
    def n_rows(self) -> int:
        return sum(f.n_rows for f in self.deciding)

    @property
    def optimisers(self) -> tuple[str, ...]:
        return tuple(sorted({name for f in self.deciding for name in f.optimisers}))

    @property
    def missing(self) -> tuple[str, ...]:
        """Suites whose rows are missing."""
        return tuple(dict.fromkeys(f.criterion.suite for f in self.findings if f.state == "unmeasured"))


def decide(figure: Figure, bounds: Bounds) -> Word:
    """What one figure says."""
    if figure.low > bounds.high or figure.high < bounds.low:
        return "refuted"
    return "supported" if bounds.low <= figure.low and figure.high <= bounds.high else "undecided"


def judge_criterion(criterion: Criterion, evidence: Evidence | None) -> Finding:
    """The criterion against the rows of its suite; ``evidence`` is None where the suite does not exist."""
    command = f"hierbench run {criterion.suite}"
    if evidence is None:
        return Finding(criterion, "unmeasured", (), None, f"not measured yet: {command}")
    missing = sum(evidence.missing.get(cell, 0) for cell in criterion.cells())
    optimisers = {o for learner, _ in criterion.cells() if (o := evidence.optimisers.get(learner))}
    names = tuple(sorted(optimisers))
    if missing:
        measured = any((r.learner, r.target) in criterion.cells() for r in evidence.rows)
        how = f"{missing} units are missing" if measured else "not measured yet"
        return Finding(criterion, "unmeasured", (), None, f"{how}: {command}", names)
    quantity = QUANTITIES[criterion.quantity]
    figures = tuple(quantity.figures(evidence, criterion, LEVEL))
    strict = quantity.figures(evidence, criterion, 1 - (1 - LEVEL) / max(len(figures), 1))
    words = [decide(f, criterion.bounds) for f in figures]
    for figure in strict:
        if decide(figure, criterion.bounds) == "refuted":
            among = f" even at {1 - (1 - LEVEL) / len(figures):.2%}" if len(figures) > 1 else ""
            reason = f"{_said(figure)} is not {criterion.bounds.text()}{among}"
            return Finding(criterion, "refuted", figures, figure, reason, names)
    for figure, word in zip(figures, words, strict=True):
        if word != "supported":
            reason = f"{_said(figure)} does not tell whether it is {criterion.bounds.text()}"
            return Finding(criterion, "undecided", figures, figure, reason, names)
    nearest = min(figures, key=lambda f: _slack(f, criterion.bounds))
    every = (
        f"all {len(figures)} are {criterion.bounds.text()}, the nearest being " if len(figures) > 1 else ""
    )
    reason = f"{every}{_said(nearest)}" + ("" if every else f" is {criterion.bounds.text()}")
    return Finding(criterion, "supported", figures, nearest, reason, names)


def _said(figure: Figure) -> str:
    note = f" ({figure.note})" if figure.note and figure.note not in figure.text() else ""
    return f"{figure.label}: {figure.text()}{note}"


def _slack(figure: Figure, bounds: Bounds) -> float:
    return min(
        figure.low - bounds.low if math.isfinite(bounds.low) else math.inf,
        bounds.high - figure.high if math.isfinite(bounds.high) else math.inf,
    )


def judge(claim: Claim, evidence: Mapping[str, Evidence]) -> Verdict:
    """The verdict on a claim; ``evidence`` by suite, without those that do not exist yet."""
    findings = [judge_criterion(c, evidence.get(c.suite)) for c in claim.criteria]
    deciding = [f for f in findings if not f.criterion.beside]
    ordered = (*deciding, *(f for f in findings if f.criterion.beside))
    for state in ("refuted", "undecided", "unmeasured"):
        found = [f for f in deciding if f.state == state]
        if found:
            word: Word = "refuted" if state == "refuted" else "undecided"
            if state == "undecided" and any(f.state == "unmeasured" for f in deciding):
                found += [f for f in deciding if f.state == "unmeasured"]
            return Verdict(claim, word, "; ".join(_reasons(found)), ordered)
    return Verdict(claim, "supported", "; ".join(_reasons(deciding)), ordered)


def _reasons(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(f.reason for f in findings))
