"""Run the units of a plan that the store lacks, on a pool of spawned workers."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import math
import multiprocessing
import multiprocessing.resource_tracker
import os
import queue
import signal
import sys
import time
import types
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pebble

from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.isolation.host import death
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.run import room, start, worker
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.limits import workers_allowed
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.unit import CurveUnit, Result, Unit, UnitStatus
from hierbench.errors import UserError, refusal


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
    failed : units without numbers, and why: failed, timeout, and skipped for want of memory (not stored).
    stopped_by : number of the signal that ended the run early; 0 for none.
    """

    computed: int
    present: int
    waiting: int
    failed: tuple[tuple[Unit, Result], ...]
    stopped_by: int = 0


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
        Labels of learners whose units are computed again; what they had is kept until then.
    minutes : float
        After which no unit is started any more.
    """
    workers = workers_of(workers)
    todo = missing(plan, store.done(), fresh)
    # more may be asked for than is waiting now
    workers = workers if follow and todo else min(workers, max(len(todo), 1))
    limit = timeout or plan.suite.timeout_seconds
    present = len({u.key for u in plan.units}) - len(todo)
    waiting = {u.key: u for u in todo}
    seen = set(waiting)
    failed: list[tuple[Unit, Result]] = []
    end = time.monotonic() + 60.0 * minutes
    computed = 0
    stopped_by = 0
    arrived: queue.SimpleQueue[_Flight | int] = queue.SimpleQueue()
    progress.start(todo, present, workers)
    try:
        if todo:
            # never raised inside a commit or the start of a worker
            with signals.heard(arrived.put):
                with (
                    _pool(workers) as pool,
                    contextlib.closing(_results(pool, waiting, workers, limit, arrived, end)) as results,
                ):
                    for unit, result in results:
                        if result.status != UnitStatus.SKIPPED:
                            store.commit(unit, result)
                            _keep_log(logs, unit, result)
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
    skipped = sum(result.status == UnitStatus.SKIPPED for _, result in failed)
    left = len(seen) - computed - skipped
    return Outcome(computed, present, left, tuple(failed), int(stopped_by))


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
    pool: pebble.ProcessPool,
    waiting: dict[str, Unit],
    workers: int,
    limit: float,
    arrived: queue.SimpleQueue[_Flight | int],
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
    flying: set[_Flight] = set()
    space = room.Room(room.free)
    while flying or (waiting and time.monotonic() < end):
        while len(flying) < workers and time.monotonic() < end:
            unit = space.next(waiting.values(), [flight.unit for flight in flying])
            if unit is None:
                break
            del waiting[unit.key]
            flight = _Flight(unit, _schedule(pool, unit, limit), limit)
            flight.land_in(arrived)
            flying.add(flight)
        if not flying:
            for unit in list(waiting.values()) if time.monotonic() < end else ():
                del waiting[unit.key]
                yield unit, space.skipped(unit)
            continue
        landed = _next(arrived, flying)
        if isinstance(landed, int):
            raise signals.StoppedError(landed)
        flying.remove(landed)
        result = landed.result()
        # a signal to the whole process group takes workers down as well
        if result.status == UnitStatus.DONE or not signals.received():
            yield landed.unit, result


def _schedule(pool: pebble.ProcessPool, unit: Unit, limit: float) -> pebble.ProcessFuture[Result]:
    try:
        return pool.schedule(worker.compute, args=[unit, limit])
    except RuntimeError as error:  # the pool is broken
        raise UserError(_NO_WORKER) from error


_NO_WORKER = (
    "no worker process can be started (too little memory, or too many processes or open files?): "
    "what is finished is kept, and the next run computes the rest"
)


@dataclasses.dataclass(eq=False)
class _Flight:
    """A unit on its way. Time is that of a clock which nobody can set, and which sleeps with the machine."""

    unit: Unit
    future: pebble.ProcessFuture[Result]
    limit: float
    started: float | None = None
    late: bool = False

    def land_in(self, arrived: queue.SimpleQueue[Any]) -> None:
        """Put the unit there when it has a result."""
        self.future.add_done_callback(lambda _: arrived.put(self))

    def check(self) -> None:
        """Stop the worker if the time is over."""
        now = time.monotonic()
        if self.started is None and self.future.running():
            self.started = now
        # a process of its own is stopped by the worker, which then says so itself
        grace = 10.0 if isinstance(self.unit, CurveUnit) and self.unit.is_foreign else 0.0
        if self.started is not None and now - self.started > self.limit + grace and not self.late:
            self.late = True
            self.future.cancel()

    def result(self) -> Result:
        """What came of it."""
        try:
            return self.future.result()
        except concurrent.futures.CancelledError:
            reason = f"not finished within {self.limit:g} s"
            return self.unit.without_numbers(UnitStatus.TIMEOUT, reason, self.limit)
        except concurrent.futures.process.BrokenProcessPool as error:
            raise UserError(_NO_WORKER) from error
        except pebble.ProcessExpired as error:
            return self.unit.without_numbers(UnitStatus.FAILED, death(error.exitcode or 0))
        except Exception as error:
            return self.unit.without_numbers(UnitStatus.FAILED, one_line_of(error))


def _next(arrived: queue.SimpleQueue[Any], flying: Iterable[_Flight]) -> Any:
    while True:
        # With a time limit, so that signals are noticed wherever they do not wake a lock.
        with contextlib.suppress(queue.Empty):
            return arrived.get(timeout=0.1)
        for flight in flying:
            flight.check()


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[pebble.ProcessPool]:
    """Spawned workers of one thread each, deaf to interrupts; stopped at once on any error."""
    context = multiprocessing.get_context("spawn")
    # The tracker would unblock SIGINT in this thread when it is started along with a worker.
    with signals.blocked():
        multiprocessing.resource_tracker.ensure_running()
    saved = {name: os.environ.get(name) for name in machine.ONE_THREAD}
    os.environ.update(machine.ONE_THREAD)
    if os.environ.get("XLA_FLAGS") and saved["XLA_FLAGS"]:
        os.environ["XLA_FLAGS"] = f"{saved['XLA_FLAGS']} {machine.ONE_THREAD['XLA_FLAGS']}"
    pool = pebble.ProcessPool(
        max_workers=workers,
        initializer=start.start,
        initargs=(os.getpid(), list(sys.path)),
        context=context,
    )
    # Spawned processes import the main program: one without a guard would call itself in each of them.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        with signals.blocked():
            # Starts the threads that start the workers: all of them inherit the signal mask, so
            # that Ctrl-C at a terminal, or its end, which go to every process, reach this one only.
            pool.schedule(time.time)
        yield pool
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
        sys.modules["__main__"] = main
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
