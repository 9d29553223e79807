"""``hierbench run --dry-run``: what a run would compute, how long it takes and how much memory it needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.results import stages
from hierbench.benchmarks.run import progress, room, runner
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.unit import Unit

_GIB = 2.0**30


def show(suite: Suite, results: Path, workers: int | None, fresh: Sequence[str] = ()) -> None:
    """Print the units that a run would compute, by learner, and the longest of them.

    Times are estimates: those of the learners' cost laws, times what the store's finished units of the
    same learner took over what their laws said. Of an adaptive suite only the units that are known by now
    are counted.
    """
    plan = make_plan(suite)
    workers = workers or machine.cores()
    done: set[str] = set()
    seconds: dict[str, float] = {}
    if (results / NAME).exists():
        with Store.readable(results) as store:
            plan, done = stages.resolved(plan, store), store.done()
            seconds = {unit.key: unit.seconds for unit in store.units() if unit.key in done}
    waiting = runner.missing(plan, done, fresh)
    estimator = progress.Estimator(waiting, workers)
    for unit in plan.units:
        if unit.key in seconds:
            estimator.finished(unit, seconds[unit.key])
    console = make_console()
    present = len({unit.key for unit in plan.units}) - len(waiting)
    if not waiting:
        console.print(f"nothing to compute: all {present} units are present", soft_wrap=True)
        return
    table = Table("learner", "units", "core-hours", "memory, GiB")
    groups: dict[str, list[Unit]] = defaultdict(list)
    for unit in waiting:
        groups[unit.pace()].append(unit)
    for name, units in groups.items():
        hours = sum(estimator.seconds_of(unit) for unit in units) / 3600
        table.add_row(name, str(len(units)), f"{hours:.3g}", f"{max(u.memory for u in units) / _GIB:.2g}")
    console.print(table)
    total = sum(estimator.seconds_of(unit) for unit in waiting)
    longest = max(waiting, key=estimator.seconds_of)
    wall = progress.duration(max(total / workers, estimator.seconds_of(longest)))
    largest = max(waiting, key=lambda unit: unit.memory)
    for line in (
        f"{len(waiting)} units to compute ({present} present): {total / 3600:.3g} core-hours, about {wall} "
        f"on {workers} workers",
        f"longest: {longest.title()}: about {progress.duration(estimator.seconds_of(longest))}",
        f"largest: {largest.title()}: {largest.memory / _GIB:.2g} of {room.available() / _GIB:.3g} GiB",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
