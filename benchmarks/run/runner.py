"""Run the units of a plan that the store lacks, on a pool of spawned workers."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import multiprocessing
import multiprocessing.resource_tracker
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pebble

from hierbench.benchmarks.isolation.host import death
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.run import start, worker
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.limits import workers_allowed
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.tasks import Task
from hierbench.benchmarks.units.unit import CurveUnit, Result, UnitStatus
from hierbench.errors import UserError, refusal


class Progress(Protocol):
    """Hears of the run as it goes (see hierbench.benchmarks.run.progress)."""

    def start(self, waiting: Sequence[Task], present: int, workers: int) -> None:
        """Say what is to be done."""

    def added(self, units: Sequence[Task]) -> None:
        """Take more units into account."""

    def finished(self, unit: Task, result: Result) -> None:
        """Say that a unit is finished."""

    def close(self) -> None:
        """End the display."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    failed : units with status failed or timeout, and why.
    stopped_by : number of the signal that ended the run early; 0 for none.
    """

    computed: int
    present: int
    waiting: int
    failed: tuple[tuple[Task, Result], ...]
    stopped_by: int = 0


def missing(plan: Plan, store: Store, fresh: Collection[str] = ()) -> tuple[Task, ...]:
    """Units that have no finished result; failed ones are tried again, and those of ``fresh`` learners.

    Those that others wait for come first, the most waited for before the others, then the longest.
    """
    done = store.done()
    units = {u.key: u for u in plan.units if u.key not in done or _is_of(u, fresh)}
    return tuple(sorted(units.values(), key=lambda u: (-plan.urgent.get(u.key, 0.0), -u.cost)))


def _is_of(unit: Task, learners: Collection[str]) -> bool:
    return isinstance(unit, CurveUnit) and unit.learner in learners


def run(
    plan: Plan,
    store: Store,
    progress: Progress,
    workers: int | None = None,
    timeout: float | None = None,
    follow: Callable[[], Plan] | None = None,
    logs: Path | None = None,
    fresh: Collection[str] = (),
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
    """
    todo = missing(plan, store, fresh)
    # more may be asked for than is waiting now
    workers = workers or machine.cores()
    if workers > (most := workers_allowed(machine.cores())):
        raise UserError(refusal("--workers", workers, f"integers from 1 to {most} on this machine"))
    workers = workers if follow and todo else min(workers, max(len(todo), 1))
    limit = timeout or plan.suite.timeout_seconds
    present = len({u.key for u in plan.units}) - len(todo)
    waiting = {u.key: u for u in todo}
    seen = set(waiting)
    failed: list[tuple[Task, Result]] = []
    computed = 0
    stopped_by = 0
    progress.start(todo, present, workers)
    try:
        if todo:
            with (
                _pool(workers) as pool,
                contextlib.closing(_results(pool, waiting, workers, limit)) as results,
            ):
                for unit, result in results:
                    store.commit(unit, result)
                    _keep_log(logs, unit, result)
                    computed += 1
                    if result.status != UnitStatus.DONE:
                        failed.append((unit, result))
                    progress.finished(unit, result)
                    if follow:
                        asked = missing(follow(), store, fresh)
                        added = [u for u in asked if u.key not in seen]
                        seen.update(u.key for u in added)
                        ready = waiting.keys() | {u.key for u in added}
                        waiting.clear()
                        waiting.update({u.key: u for u in asked if u.key in ready})
                        progress.added(added)
    except StoppedError as stop:
        stopped_by = stop.number
    except KeyboardInterrupt:  # a second one, or one outside the main thread's care
        stopped_by = signal.SIGINT
    finally:
        progress.close()
    return Outcome(computed, present, len(seen) - computed, tuple(failed), int(stopped_by))


def _keep_log(logs: Path | None, unit: Task, result: Result) -> None:
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
    pool: pebble.ProcessPool, waiting: dict[str, Task], workers: int, limit: float
) -> Generator[tuple[Task, Result], None, None]:
    """Units with their results, as they come; an exception is turned into a result.

    They are taken out of ``waiting`` from its front, one for each free worker, so that what is put
    there between two results is computed next.

    Raises
    ------
    KeyboardInterrupt
        Between two units, never inside a commit; what had arrived before it is yielded first.
    UserError
        No worker can be started.
    """
    arrived: queue.SimpleQueue[_Flight | int] = queue.SimpleQueue()
    flying: set[_Flight] = set()
    with _signals_to(arrived):
        while waiting or flying:
            while waiting and len(flying) < workers:
                unit = waiting.pop(next(iter(waiting)))
                flight = _Flight(unit, _schedule(pool, unit, limit), limit)
                flight.future.add_done_callback(lambda _, f=flight: arrived.put(f))
                flying.add(flight)
            landed = _next(arrived, flying)
            if isinstance(landed, int):
                raise StoppedError(landed)
            flying.remove(landed)
            yield landed.unit, landed.result()


def _schedule(pool: pebble.ProcessPool, unit: Task, limit: float) -> pebble.ProcessFuture[Result]:
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

    unit: Task
    future: pebble.ProcessFuture[Result]
    limit: float
    started: float | None = None
    late: bool = False

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


class StoppedError(KeyboardInterrupt):
    """A signal asked the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def _signals_to(arrived: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Let the first signal stand in the queue as its number; a second one does what it did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    # one that is ignored (nohup) stays so
    heard = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def restore() -> None:
        for number in heard:
            signal.signal(number, before[number])

    def stop(number: int, frame: Any) -> None:
        restore()
        arrived.put(number)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


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
    try:
        with _interrupts_blocked():
            # Starts the threads that start the workers: all of them inherit the signal mask, so
            # that Ctrl-C at a terminal, which goes to every process, reaches this one only.
            pool.schedule(time.time)
        yield pool
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
