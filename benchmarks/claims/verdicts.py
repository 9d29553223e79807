"""From figures and bounds, fixed beforehand, to verdicts: supported, contradicted, undecided.

A figure supports its criterion where its whole interval lies within the bounds, and contradicts it where
the whole interval lies on one side of them. So a lower bound on an exponent may support "at least" and
contradict "at most", and never the other way round.

A criterion of m figures is supported where each of them is, at 95 % (an intersection of tests needs no
correction: Berger, Technometrics 24, 1982), and contradicted where one of them is at 1 - 0.05 / m
(Bonferroni), because with many figures one would be outside by chance. A claim is supported where all its
criteria are, and contradicted where one is. Where cells were extended because they had decided nothing, the
0.05 is divided by the number of looks (Bonferroni again).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hierbench.benchmarks.claims.criteria import Bounds, Claim, Criterion
from hierbench.benchmarks.claims.missing import missing_units
from hierbench.benchmarks.claims.next_experiment import (
    Experiment,
    next_experiment,
    of_missing_experiments,
    of_missing_units,
)
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.results import reference
from hierbench.benchmarks.results.beside import are_shipped, shipped
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite

Word = Literal["supported", "contradicted", "undecided"]
State = Literal["supported", "contradicted", "undecided", "unmeasured"]
"""Of the two kinds of "undecided", "unmeasured" is the one that a run may end."""

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Finding:
    """A criterion with its figures.

    estimate : the one that decides: the first that contradicts, else the first that is undecided, else the
        one nearest to its bounds; None where nothing was measured.
    rows : names of the rows that the figures stand on
    ahead : where it is open, what would decide it, and its price
    optimizers : of the learners that are trained by gradient descent
    """

    criterion: Criterion
    state: State
    estimates: tuple[IntervalEstimate, ...]
    estimate: IntervalEstimate | None
    reason: str
    rows: frozenset[tuple[object, ...]] = frozenset()
    optimizers: tuple[str, ...] = ()
    ahead: Experiment | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows that the estimates stand on."""
        return len(self.rows)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim, its verdict, and the findings that it follows from, those beside it last."""

    claim: Claim
    word: Word
    reason: str
    findings: tuple[Finding, ...]

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that decide, without those beside."""
        return tuple(f for f in self.findings if not f.criterion.beside)

    @property
    def n_rows(self) -> int:
        """Number of rows that the verdict stands on, each counted once."""
        return len(frozenset().union(*(f.rows for f in self.deciding)))

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Optimizers of the learners that the verdict is about."""
        return tuple(sorted({name for f in self.deciding for name in f.optimizers}))

    @property
    def estimates(self) -> tuple[Finding, ...]:
        """The findings that decide the verdict: all, or those that keep it from being supported."""
        states = {
            "supported": ("supported",),
            "contradicted": ("contradicted",),
            "undecided": ("undecided", "unmeasured"),
        }
        return tuple(f for f in self.deciding if f.state in states[self.word])

    @property
    def ahead(self) -> Experiment | None:
        """Of a claim that is open the experiment to run next; None where none is known.

        The cheapest that may contradict a criterion, and so the claim; else the cheapest that decides one.
        """
        if self.word != "undecided":
            return None
        known = [f.ahead for f in self.deciding if f.ahead is not None]
        alone = [one for one in known if one.decides]
        return min(alone or known, key=lambda one: one.hours, default=None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Suites whose rows are missing."""
        return tuple(dict.fromkeys(f.criterion.suite for f in self.findings if f.state == "unmeasured"))


def decide(estimate: IntervalEstimate, bounds: Bounds) -> Word:
    """What one figure says."""
    if estimate.low > bounds.high or estimate.high < bounds.low:
        return "contradicted"
    return "supported" if bounds.low <= estimate.low and estimate.high <= bounds.high else "undecided"


def level_of(criterion: Criterion) -> float:
    """Confidence level of the intervals that decide it."""
    return 1 - (1 - CONFIDENCE) / criterion.looks


def judge_criterion(criterion: Criterion, evidence: SuiteResults | None) -> Finding:
    """The criterion against the rows of its suite; ``evidence`` is None where its suite was never run."""
    command = f"hierbench run {criterion.suite}"
    if evidence is None:
        return Finding(criterion, "unmeasured", (), None, f"not measured yet: {command}")
    if criterion.experiments:
        return _judge_experiments(criterion, evidence, command)
    if criterion.d:
        evidence = dataclasses.replace(evidence, rows=[r for r in evidence.rows if r.d in criterion.d])
    cells = criterion.cells()
    rows = frozenset(
        (r.suite, r.learner, r.target, r.d, r.target_index, r.sample_index, r.init_index, r.n)
        for r in evidence.rows
        if (r.learner, r.target) in cells
    )
    optimizers = tuple(sorted({o for learner, _ in cells if (o := evidence.optimizers.get(learner))}))
    if missing := missing_units(criterion, evidence):
        how = f"{sum(missing.values())} of its units are missing" if rows else "not measured yet"
        ahead = of_missing_units(criterion, missing, evidence)
        return Finding(criterion, "unmeasured", (), None, f"{how}: {command}", rows, optimizers, ahead)
    quantity = QUANTITIES[criterion.quantity]
    estimates = tuple(quantity.estimates(evidence, criterion, level_of(criterion)))
    if not estimates:
        return Finding(criterion, "unmeasured", (), None, f"not measured yet: {command}", rows, optimizers)
    return _finding(criterion, estimates, evidence, rows, optimizers)


def _judge_experiments(criterion: Criterion, evidence: SuiteResults, command: str) -> Finding:
    """A criterion on what experiments measured. An experiment is complete or not measured yet."""
    rows: frozenset[tuple[object, ...]] = frozenset(
        (criterion.suite, label, number)
        for label in criterion.experiments
        for number in range(len(evidence.measurements.get(label, ())))
    )
    measurements = [m for label in criterion.experiments for m in evidence.measurements.get(label, ())]
    optimizers = tuple(sorted({str(m.labels["optimiser"]) for m in measurements if "optimiser" in m.labels}))
    if missing := sum(evidence.missing_experiments.get(label, 0) for label in criterion.experiments):
        how = f"{missing} of its units are missing" if rows else "not measured yet"
        ahead = of_missing_experiments(criterion, evidence)
        return Finding(criterion, "unmeasured", (), None, f"{how}: {command}", rows, optimizers, ahead)
    estimates = tuple(QUANTITIES[criterion.quantity].estimates(evidence, criterion, level_of(criterion)))
    return _finding(criterion, estimates, evidence, rows, optimizers)


def _finding(
    criterion: Criterion,
    estimates: tuple[IntervalEstimate, ...],
    evidence: SuiteResults,
    rows: frozenset[tuple[object, ...]],
    optimizers: tuple[str, ...],
) -> Finding:
    state, estimate, reason = _decided(criterion, estimates, evidence)
    if criterion.looks > 1:
        reason += f" (look {criterion.looks}: intervals at {level_of(criterion):.1%})"
    ahead = None
    if state == "undecided":
        open_ones = [e for e in estimates if decide(e, criterion.bounds) != "supported"]
        ahead = next_experiment(criterion, open_ones, evidence)
    return Finding(criterion, state, estimates, estimate, reason, rows, optimizers, ahead)


def _decided(
    criterion: Criterion, estimates: Sequence[IntervalEstimate], evidence: SuiteResults
) -> tuple[Word, IntervalEstimate, str]:
    """What all figures say together, the one that decides, and why in one sentence."""
    bounds, count = criterion.bounds, len(estimates)
    level = 1 - (1 - level_of(criterion)) / count
    for estimate in QUANTITIES[criterion.quantity].estimates(evidence, criterion, level):
        if decide(estimate, bounds) == "contradicted":
            among = f" at {level:.1%}, the level required of one of {count}" if count > 1 else ""
            return "contradicted", estimate, f"{_said(estimate)} is not {bounds.text()}{among}"
    open_ones = [estimate for estimate in estimates if decide(estimate, bounds) != "supported"]
    if open_ones:
        some = f" (open for {len(open_ones)} of {count})" if count > 1 else ""
        reason = f"{_said(open_ones[0])}: this leaves open whether it is {bounds.text()}{some}"
        return "undecided", open_ones[0], reason
    nearest = min(estimates, key=lambda f: _slack(f, bounds))
    if count == 1:
        return "supported", nearest, f"{_said(nearest)} is {bounds.text()}"
    return "supported", nearest, f"all {count} are {bounds.text()}; the nearest is {_said(nearest)}"


def _said(estimate: IntervalEstimate) -> str:
    note = f" ({estimate.note})" if estimate.note and estimate.note not in estimate.text() else ""
    return f"{estimate.label}: {estimate.text()}{note}"


def _slack(estimate: IntervalEstimate, bounds: Bounds) -> float:
    return min(
        estimate.low - bounds.low if math.isfinite(bounds.low) else math.inf,
        bounds.high - estimate.high if math.isfinite(bounds.high) else math.inf,
    )


def judge(claim: Claim, evidence: Mapping[str, SuiteResults]) -> Verdict:
    """The verdict on a claim; ``evidence`` by suite, without those never run."""
    findings = [judge_criterion(c, evidence.get(c.suite)) for c in claim.criteria]
    deciding = [f for f in findings if not f.criterion.beside]
    ordered = (*deciding, *(f for f in findings if f.criterion.beside))
    for state in ("contradicted", "undecided", "unmeasured"):
        decisive_findings = [f for f in deciding if f.state == state]
        if decisive_findings:
            word: Word = "contradicted" if state == "contradicted" else "undecided"
            if state == "undecided" and any(f.state == "unmeasured" for f in deciding):
                decisive_findings += [f for f in deciding if f.state == "unmeasured"]
            return Verdict(claim, word, "; ".join(_reasons(decisive_findings)), ordered)
    return Verdict(claim, "supported", "; ".join(_reasons(deciding)), ordered)


def _reasons(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(f.reason for f in findings))


def verdicts_of(claims: Sequence[Claim], results: Path) -> list[Verdict]:
    """Return the verdicts on ``claims`` from a folder of results; "reference": from those that ship."""
    names = {c.suite for claim in claims for c in claim.criteria} & set(known_suites())
    if are_shipped(results):
        evidence = {name: shipped(load_suite(name)) for name in sorted(names & set(reference.shipped()))}
        return [judge(claim, evidence) for claim in claims]
    with Store.readable(results) as store:
        evidence = {name: SuiteResults.read(name, store) for name in sorted(names)}
    return [judge(claim, evidence) for claim in claims]
