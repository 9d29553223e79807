"""A suite's own rows with reference results beside them, of the learners that were not run."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from hierbench.benchmarks.results.reference import NAME, Reference
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.store.encoding import as_json
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row


def beside(shown: SuiteResults, suite: Suite, reference: Reference) -> SuiteResults:
    """The results with those reference rows that are of the same targets and d, behind the own ones.

    A target is the same if its family and all its parameters are, whatever it is called. Of a learner that
    has rows of its own on a target nothing is added there.
    """
    own = {(row.learner, row.target) for row in shown.rows}
    dims: dict[str, set[int]] = defaultdict(set)
    for run in suite.runs:
        for target in run.targets:
            dims[target] |= set(run.d)
    labels = {as_json(entry.spec()): entry.label for entry in suite.targets}
    added: list[Row] = []
    renamed: dict[str, str] = {}
    for row in reference.rows:
        label = labels.get(as_json(row.target_spec))
        if label is not None and row.d in dims[label] and (row.learner, label) not in own:
            renamed[row.target] = label
            added.append(dataclasses.replace(row, suite=NAME, target=label))
    certificates = {
        (renamed[target], d, index): certificate
        for (target, d, index), certificate in reference.certificates.items()
        if target in renamed and d in dims[renamed[target]]
    }
    behind = frozenset(row.learner for row in added) - {row.learner for row in shown.rows}
    return dataclasses.replace(
        shown,
        rows=[*shown.rows, *added],
        certificates={**certificates, **shown.certificates},
        reference=behind,
        reference_source=reference.sentence() if behind else "",
    )
