"""``hierbench run --dry-run``: what a run would compute, how long it takes and how much memory it needs."""

from __future__ import annotations

import contextlib
import heapq
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from hierbench.benchmarks.commands.run import check_fresh
from hierbench.benchmarks.results import stages
from hierbench.benchmarks.run import probe, progress, room, runner
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.unit import CurveUnit, Unit


def show(
    suite: Suite,
    results: Path,
    workers: int | None,
    fresh: Sequence[str] = (),
    minutes: float = math.inf,
    here: bool = True,
) -> None:
    """Print the units that a run would compute, by learner, the longest of them, and what would not fit.

    What a run would refuse before its first unit is refused.

    Times are estimates: those of the learners' cost laws, times what the store's finished units of the
    same learner took over what their laws said. Of an adaptive suite only the units that are known by now
    are counted. Of units that are computed elsewhere than ``here`` none is said to be skipped.
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
    if here:
        probe.refuse_unfit((unit for unit in waiting if isinstance(unit, CurveUnit)), workers)
    if not waiting:
        console.print(f"nothing to compute: all {present} units are present", soft_wrap=True)
        return
    memory = room.Room(room.free)
    memory.next([], ())  # looks at what is free
    most = memory.total
    lacks = {unit.key: memory.lacks(unit) if here else "" for unit in waiting}
    fitting = [unit for unit in waiting if not lacks[unit.key]]
    table = Table("learner", "units", "core-hours", "memory, GiB")
    groups: dict[str, list[Unit]] = defaultdict(list)
    for unit in fitting:
        groups[unit.pace()].append(unit)
    for name, units in groups.items():
        hours = sum(estimator.seconds_of(unit) for unit in units) / 3600
        largest = max(unit.memory for unit in units)
        table.add_row(name, str(len(units)), f"{hours:.3g}", f"{largest / room.GIB:.2g}" if largest else "?")
    console.print(table)
    lines = [f"{len(fitting)} units to compute ({present} present): {_extent(fitting, estimator, workers)}"]
    if fitting:
        longest = max(fitting, key=estimator.seconds_of)
        lines.append(f"longest: {longest.title()}: about {progress.duration(estimator.seconds_of(longest))}")
        large = max(fitting, key=lambda unit: unit.memory)
        free = f"; a unit may need {most / room.GIB:.3g} here" if here else ""
        lines.append(f"largest: {large.title()}: {large.memory / room.GIB:.2g} GiB{free}")
    lines += [f"skipped: {unit.title()}: {lacks[unit.key]}" for unit in waiting if lacks[unit.key]]
    if minutes < math.inf:
        count = _started(fitting, estimator, workers, 60 * minutes)
        lines.append(f"in {minutes:g} minutes about {count} of them start")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _extent(units: Sequence[Unit], estimator: progress.Estimator, workers: int) -> str:
    """How much time units take."""
    seconds = [estimator.seconds_of(unit) for unit in units]
    wall = progress.duration(max(sum(seconds) / workers, max(seconds, default=0.0)))
    return f"{sum(seconds) / 3600:.3g} core-hours, about {wall} on {workers} workers"


def _started(units: Sequence[Unit], estimator: progress.Estimator, workers: int, seconds: float) -> int:
    """How many units start within a time, each on the worker that is free first."""
    free = [0.0] * workers
    for count, unit in enumerate(units):
        if free[0] >= seconds:
            return count
        heapq.heapreplace(free, free[0] + estimator.seconds_of(unit))
    return len(units)


@contextlib.contextmanager
def _store(results: Path) -> Iterator[Store]:
    """The store of a folder; an empty one where there is none."""
    if (results / NAME).exists():
        with Store.readable(results) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder, Store.writable(Path(folder)) as store:
        yield store
