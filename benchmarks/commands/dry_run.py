"""``hierbench run --dry-run``: what a run would compute, how long it takes and how much memory it needs."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from hierbench.benchmarks.commands.run import check_fresh
from hierbench.benchmarks.results import stages
from hierbench.benchmarks.run import progress, room, runner
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.unit import Unit


def show(suite: Suite, results: Path, workers: int | None, fresh: Sequence[str] = ()) -> None:
    """Print the units that a run would compute, by learner, and the longest of them.

    Times are estimates: those of the learners' cost laws, times what the store's finished units of the
    same learner took over what their laws said. Of an adaptive suite only the units that are known by now
    are counted.
    """
    plan = make_plan(suite)
    check_fresh(plan, fresh)
    workers = runner.workers_of(workers)
    with _store(results) as store:
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
        most = max(unit.memory for unit in units)
        table.add_row(name, str(len(units)), f"{hours:.3g}", f"{most / room.GIB:.2g}" if most else "?")
    console.print(table)
    total = sum(estimator.seconds_of(unit) for unit in waiting)
    longest = max(waiting, key=estimator.seconds_of)
    wall = progress.duration(max(total / workers, estimator.seconds_of(longest)))
    largest = max(waiting, key=lambda unit: unit.memory)
    free = room.free()
    for line in (
        f"{len(waiting)} units to compute ({present} present): {total / 3600:.3g} core-hours, about {wall} "
        f"on {workers} workers",
        f"longest: {longest.title()}: about {progress.duration(estimator.seconds_of(longest))}",
        f"largest: {largest.title()}: {largest.memory / room.GIB:.2g} GiB; {free / room.GIB:.3g} are free",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


@contextlib.contextmanager
def _store(results: Path) -> Iterator[Store]:
    """The store of a folder; an empty one where there is none."""
    if (results / NAME).exists():
        with Store.readable(results) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder, Store.writable(Path(folder)) as store:
        yield store
