"""Foreign learners that do what no learner should, in one run with one that behaves."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.run import progress, runner
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.studies.faults.hostile_learners import OUTCOMES
from hierbench.benchmarks.studies.faults.tally import Tally
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row

HEAD = """
name = "hostile"
summary = "learners that do what no learner should"
replicates = 4
test = {min = 64, max = 256}
timeout_seconds = 20
epsilons = [0.3]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}
"""
LEARNER = """
[[learner]]
label = "%s"
learner = "hierbench.benchmarks.studies.faults.hostile_learners:%s"
"""
RUN = """
[[run]]
targets = ["sq"]
learners = [%s]
d = [4]
sizes = {scale = 8, power = 1, ratio = 2, count = 2, max = 400}
"""


def rows_of(names: Sequence[str], folder: Path) -> list[Row]:
    """Rows of a run of these learners, in an empty folder, where some of them write."""
    suite = folder / "hostile.toml"
    quoted = ", ".join(f'"{name}"' for name in names)
    suite.write_text(HEAD + "".join(LEARNER % (name, name) for name in names) + RUN % quoted)
    with contextlib.chdir(folder), Store.writable(folder / "results") as store:
        runner.run(make_plan(load_suite(str(suite))), store, progress.Silent(), workers=2)
        return store.rows()


def wrong_with(name: str, rows: Sequence[Row]) -> list[str]:
    """What in the rows of a run is not as ``OUTCOMES`` has it; errors are those of ``Mean``."""
    statuses, reason = OUTCOMES[name]
    errors = {(r.target_index, r.n): r.error for r in rows if r.learner == "Mean"}
    of_learner = [r for r in rows if r.learner == name]
    wrong = [] if len(of_learner) == len(errors) == 8 else [f"{name}: {len(of_learner)} rows"]
    for row in of_learner:
        where = f"{name}, n = {row.n}: {row.status}: {row.reason}"
        if row.status not in statuses or (row.status != "unreliable" and reason not in row.reason):
            wrong.append(where)
        if len(row.reason) > 600 or not row.reason.isprintable():
            wrong.append(f"{where[:100]}: no line for a terminal")
        if row.error is not None and row.error != errors[row.target_index, row.n]:
            wrong.append(f"{where}: error {row.error}")
    return wrong


def campaign(folder: Path, names: Sequence[str] = tuple(OUTCOMES)) -> Tally:
    """One run of all of them, counted by the status of their rows."""
    rows = rows_of(names, folder)
    tally = Tally("hostile learner")
    for name in names:
        statuses = sorted({r.status for r in rows if r.learner == name})
        tally.add(" and ".join(statuses), wrong_with(name, rows))
    return tally
