"""Run the units of a plan that the store lacks, on a pool of workers."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import queue
import signal
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.run import local_pool
from hierbench.benchmarks.run.pool import Flight, Pool
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.limits import workers_allowed
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.unit import CurveUnit, Result, Unit, UnitStatus
from hierbench.errors import UserError, refusal

KEPT = "what it had before is kept"
"""Of a unit that was to be computed again, and was not."""


class Progress(Protocol):
    """Hears of the run as it goes (see hierbench.benchmarks.run.progress)."""

    def start(self, waiting: Sequence[Unit], present: int, workers: int) -> None:
        """Say what is to be done."""

    def added(self, units: Sequence[Unit]) -> None:
        """Take more units into account."""

    def finished(self, unit: Unit, result: Result) -> None:
        """Say that a unit is finished."""

    def close(self) -> None:
        """End the display."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    computed : units that were stored.
    failed : units without numbers, and why: failed, timeout, and skipped for want of memory. Not stored are
        those that were skipped, and those that had numbers before.
    stopped_by : number of the signal that ended the run early; 0 for none.
    compiling : core-seconds that went into compilation by jax.
    """

    computed: int
    present: int
    waiting: int
    failed: tuple[tuple[Unit, Result], ...]
    stopped_by: int = 0
    compiling: float = 0.0


def missing(plan: Plan, done: Collection[str], fresh: Collection[str] = ()) -> tuple[Unit, ...]:
    """Units that are not ``done`` (keys), so that failed ones are tried again; those of ``fresh`` learners.

    Those that others wait for come first, the most waited for before the others, then the longest.
    """
    units = {u.key: u for u in plan.units if u.key not in done or _is_of(u, fresh)}
    return tuple(sorted(units.values(), key=lambda u: (-plan.urgent.get(u.key, 0.0), -u.cost)))


def _is_of(unit: Unit, learners: Collection[str]) -> bool:
    return isinstance(unit, CurveUnit) and unit.learner in learners


def workers_of(asked: int | None) -> int:
    """Return the worker processes of a run: what is asked for, or the cores; UserError for too many."""
    most = workers_allowed(machine.cores())
    if asked and asked > most:
        raise UserError(refusal("--workers", asked, f"integers from 1 to {most} on this machine"))
    return asked or machine.cores()


def run(
    plan: Plan,
    store: Store,
    progress: Progress,
    workers: int | None = None,
    timeout: float | None = None,
    follow: Callable[[], Plan] | None = None,
    logs: Path | None = None,
    fresh: Collection[str] = (),
    minutes: float = math.inf,
    compiled: Path | None = None,
    elsewhere: Callable[[], contextlib.AbstractContextManager[Pool]] | None = None,
) -> Outcome:
    """Compute and store what is missing of ``plan``.

    Every finished unit is committed at once, by this process alone. A unit that raises, runs past
    the suite's time limit or takes its worker down is stored as failed or timeout, with the
    reason, and does not stop the others.

    Parameters
    ----------
    workers : int, optional
        Worker processes, one thread each; by default the cores available.
    timeout : float, optional
        Seconds a unit may take; by default the suite's.
    follow : callable, optional
        The plan as the store now has it, with the units that finished ones ask for; asked after every unit.
    logs : Path, optional
        Folder of what the units print, a file each; by default it is dropped.
    fresh : collection of str
        Labels of learners whose units are computed again; what they had is kept where that fails.
    minutes : float
        After which no unit is started any more.
    compiled : Path, optional
        Folder in which workers keep what they compile, so that it is compiled once; by default nowhere.
    elsewhere : callable, optional
        Opens the pool of workers, which are then not processes of this machine.
    """
    workers = workers_of(workers)
    before = store.done()
    todo = missing(plan, before, fresh)
    # more may be asked for than is waiting now
    workers = workers if follow and todo else min(workers, max(len(todo), 1))
    limit = timeout or plan.suite.timeout_seconds
    present = len({u.key for u in plan.units}) - len(todo)
    waiting = {u.key: u for u in todo}
    seen = set(waiting)
    failed: list[tuple[Unit, Result]] = []
    end = time.monotonic() + 60.0 * minutes
    computed = untouched = 0
    compiling = 0.0
    stopped_by = 0
    arrived: queue.SimpleQueue[Flight | int] = queue.SimpleQueue()
    try:
        if not todo:
            progress.start(todo, present, workers)
        else:
            # never raised inside a commit or the start of a worker
            with signals.heard(arrived.put):
                with (
                    elsewhere() if elsewhere else local_pool.opened(workers, compiled) as pool,
                    contextlib.closing(_results(pool, waiting, limit, arrived, end)) as results,
                ):
                    progress.start(todo, present, pool.size())
                    for unit, result in results:
                        compiling += result.compiling
                        kept = result.status != UnitStatus.DONE and unit.key in before
                        if kept:
                            result = dataclasses.replace(result, reason=f"{result.reason}; {KEPT}")
                        if result.status != UnitStatus.SKIPPED:
                            _keep_log(logs, unit, result)
                        if kept or result.status == UnitStatus.SKIPPED:
                            untouched += 1
                        else:
                            store.commit(unit, result)
                            computed += 1
                        if result.status != UnitStatus.DONE:
                            failed.append((unit, result))
                        progress.finished(unit, result)
                        if follow:
                            asked = missing(follow(), store.done(), fresh)
                            added = [u for u in asked if u.key not in seen]
                            seen.update(u.key for u in added)
                            ready = waiting.keys() | {u.key for u in added}
                            waiting.clear()
                            waiting.update({u.key: u for u in asked if u.key in ready})
                            progress.added(added)
                stopped_by = signals.received()  # while the pool was closing
    except signals.StoppedError as stop:
        stopped_by = stop.number
    except KeyboardInterrupt:  # one outside the main thread's care
        stopped_by = signal.SIGINT
    finally:
        progress.close()
    left = len(seen) - computed - untouched
    return Outcome(computed, present, left, tuple(failed), int(stopped_by), compiling)


def _keep_log(logs: Path | None, unit: Unit, result: Result) -> None:
    if logs is None:
        return
    path = logs / f"{unit.key}.log"
    # of an earlier attempt, or of a full disk: no number depends on it
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if result.log:
            logs.mkdir(exist_ok=True)
            path.write_text(f"{unit.title()}\n\n{result.log}", errors="replace")


def _results(
    pool: Pool,
    waiting: dict[str, Unit],
    limit: float,
    arrived: queue.SimpleQueue[Flight | int],
    end: float,
) -> Generator[tuple[Unit, Result], None, None]:
    """Units with their results, as they come; an exception is turned into a result.

    They are taken out of ``waiting`` from its front, one for each free worker, so that what is put
    there between two results is computed next. Those that do not fit into memory are skipped at the end;
    after ``end``, a time of the monotonic clock, nothing is started.

    Raises
    ------
    StoppedError
        A signal's number has arrived. Between two units, never inside a commit; what had arrived before
        it is yielded first.
    UserError
        No worker can be started.
    """
    flying: set[Flight] = set()
    while flying or (waiting and time.monotonic() < end):
        while len(flying) < pool.size() and time.monotonic() < end:
            unit = pool.room.next(waiting.values(), [flight.unit for flight in flying])
            if unit is None:
                break
            del waiting[unit.key]
            flying.add(pool.fly(unit, limit, arrived.put))
        if not flying:
            for unit in list(waiting.values()) if time.monotonic() < end else ():
                del waiting[unit.key]
                yield unit, pool.room.skipped(unit)
            continue
        landed = _next(arrived, flying)
        if landed is None:
            continue
        if isinstance(landed, int):
            raise signals.StoppedError(landed)
        flying.remove(landed)
        result = landed.result()
        # a signal to the whole process group takes workers down as well
        if result.status == UnitStatus.DONE or not signals.received():
            yield landed.unit, result


def _next(arrived: queue.SimpleQueue[Flight | int], flying: Iterable[Flight]) -> Flight | int | None:
    """What arrives next; None after some seconds, for there may be more workers by then."""
    for _ in range(20):
        # before one that has arrived is taken: where many short units do, a late one is late all the same
        for flight in flying:
            flight.check()
        # With a time limit, so that signals are noticed wherever they do not wake a lock.
        with contextlib.suppress(queue.Empty):
            return arrived.get(timeout=0.1)
    return None
