"""A suite's own rows with reference results beside them, of the learners that were not run."""

from __future__ import annotations

import dataclasses
import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.results.prices import prices_by_cell
from hierbench.benchmarks.results.readings import apart
from hierbench.benchmarks.results.reference import NAME, Reference, read
from hierbench.benchmarks.results.suite_results import SuiteResults, optimizers_of
from hierbench.benchmarks.store.encoding import as_json
from hierbench.benchmarks.store.store import NAME as NAME_OF_STORE
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError


def evidence_of(suite: Suite, results: Path, against: str | None = None) -> SuiteResults:
    """What a folder of results has of a suite, and behind it the reference results of the suite ``against``.

    Without ``against`` there must be a store; with it a folder without one has nothing of its own. The folder
    "reference", where there is none, is the suite's own results that ship.

    Raises
    ------
    UserError
        From the store; no reference results of this suite ship; there is nothing at all.
    """
    if are_shipped(results):
        own = shipped(suite)
    elif against and not (results / NAME_OF_STORE).exists():
        own = SuiteResults(rows=[], certificates={}, plan=make_plan(suite))
    else:
        with Store.readable(results) as store:
            own = SuiteResults.read(suite, store)
    shown = beside(own, suite, read(against)) if against else own
    if not shown:
        raise UserError(f"no rows of suite {suite.name} in {results}: hierbench run {suite.name} makes them")
    return shown


def are_shipped(results: Path) -> bool:
    """Whether "reference" stands where a folder of results may stand."""
    return results == Path(NAME) and not (results / NAME_OF_STORE).exists()


def folder_of(results: Path) -> Path:
    """Where figures and kept fits of results go: below ``results`` where the results are those that ship."""
    return Path("results") / NAME if are_shipped(results) else results


def option_of(results: Path) -> str:
    """Return what makes a command compute into a folder; nothing for the usual one, nor for what ships."""
    usual = results == Path("results") or are_shipped(results)
    return "" if usual else f" --results {shlex.quote(str(results))}"


def shipped(suite: Suite) -> SuiteResults:
    """The results of a suite that ship with hierbench, as those of a store.

    Raises
    ------
    UserError
        None of this suite do.
    """
    reference, plan = read(suite.name), make_plan(suite)
    rows, fixed = apart(reference.rows)
    experiments: dict[str, list[float]] = defaultdict(list)
    for one in plan.experiments:
        experiments[one.experiment].append(one.cost)
    return SuiteResults(
        rows=rows,
        fixed=fixed,
        certificates=reference.certificates,
        missing=reference.missing,
        prices=prices_by_cell(plan.curves, reference.rows, reference.missing),
        experiment_prices={
            label: count * sum(experiments[label]) / max(1, len(experiments[label]))
            for label, count in reference.missing_experiments.items()
        },
        measurements=reference.measurements,
        missing_experiments=reference.missing_experiments,
        optimizers=optimizers_of(plan),
        shipped=f"results that ship, {reference.sentence()}",
        plan=plan,
    )


def beside(shown: SuiteResults, suite: Suite, reference: Reference) -> SuiteResults:
    """The results with those reference rows that are of the same targets and d, behind the own ones.

    A target is the same if its family and all its parameters are, whatever it is called. Of a learner that
    has rows of its own nothing is added; where only the label is the same, the reference's says so. What the
    reference has is not missing.
    """
    dims: dict[str, set[int]] = defaultdict(set)
    for run in suite.runs:
        for target in run.targets:
            dims[target] |= set(run.d)
    labels: dict[str, str] = {}
    for entry in suite.targets:  # of two labels of one target the first
        labels.setdefault(as_json(entry.spec()), entry.label)
    specs = {row.target: as_json(row.target_spec) for row in reference.rows}
    renamed = {target: labels[spec] for target, spec in specs.items() if spec in labels}
    own = {row.learner for row in shown.rows}
    fitting = [
        dataclasses.replace(row, suite=NAME, target=renamed[row.target])
        for row in reference.rows
        if row.target in renamed and row.d in dims[renamed[row.target]]
    ]
    others = _others(shown.rows, fitting)
    added, fixed = apart(
        dataclasses.replace(row, learner=f"{row.learner} ({NAME})") if row.learner in own else row
        for row in fitting
        if row.learner not in own or row.learner in others
    )
    certificates = {
        (renamed[target], d, index): certificate
        for (target, d, index), certificate in reference.certificates.items()
        if target in renamed and d in dims[renamed[target]]
    }
    behind = frozenset(row.learner for row in added)
    covered = {(row.learner, row.target, row.d) for row in added}
    return dataclasses.replace(
        shown,
        missing={cell: count for cell, count in shown.missing.items() if cell not in covered},
        rows=[*shown.rows, *added],
        fixed=[*shown.fixed, *fixed],
        certificates={**certificates, **shown.certificates},
        reference=behind,
        reference_source=reference.sentence() if behind else "",
    )


def _others(own: Sequence[Row], reference: Sequence[Row]) -> set[str]:
    """Labels that mean another learner in the reference, or the same with other parameters."""
    specs = {(row.learner, row.target, row.d): as_json(row.learner_spec) for row in own}
    names = {row.learner: row.learner_spec["name"] for row in own}
    return {
        row.learner
        for row in reference
        if row.learner in names
        and (
            row.learner_spec["name"] != names[row.learner]
            or specs.get((row.learner, row.target, row.d)) not in (None, as_json(row.learner_spec))
        )
    }
