"""Run the units of a plan that the store lacks, on a pool of spawned workers."""

from __future__ import annotations

import concurrent.futures
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
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol

import pebble

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.run import worker
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.unit import Result, Unit, UnitStatus, one_line_of


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
    """How a run ended. ``failed``: units with status failed or timeout, and why."""

    computed: int
    present: int
    waiting: int
    failed: tuple[tuple[Unit, Result], ...]
    interrupted: bool


def missing(plan: Plan, store: Store) -> tuple[Unit, ...]:
    """Units that have no finished result; failed ones are tried again.

    Those that others wait for come first, the most waited for before the others, then the longest.
    """
    done = store.done()
    units = {u.key: u for u in plan.units if u.key not in done}
    return tuple(sorted(units.values(), key=lambda u: (-plan.urgent.get(u.key, 0.0), -u.cost)))


def run(
    plan: Plan,
    store: Store,
    progress: Progress,
    workers: int | None = None,
    timeout: float | None = None,
    follow: Callable[[], Plan] | None = None,
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
    """
    todo = missing(plan, store)
    # more may be asked for than is waiting now
    workers = workers or machine.cores()
    workers = workers if follow and todo else min(workers, max(len(todo), 1))
    limit = timeout or plan.suite.timeout_seconds
    present = len({u.key for u in plan.units}) - len(todo)
    waiting = {u.key: u for u in todo}
    seen = set(waiting)
    failed: list[tuple[Unit, Result]] = []
    computed = 0
    interrupted = False
    progress.start(todo, present, workers)
    try:
        if todo:
            with (
                _pool(workers) as pool,
                contextlib.closing(_results(pool, waiting, workers, limit)) as results,
            ):
                for unit, result in results:
                    store.commit(unit, result)
                    computed += 1
                    if result.status != UnitStatus.DONE:
                        failed.append((unit, result))
                    progress.finished(unit, result)
                    if follow:
                        asked = missing(follow(), store)
                        added = [u for u in asked if u.key not in seen]
                        seen.update(u.key for u in added)
                        ready = waiting.keys() | {u.key for u in added}
                        waiting.clear()
                        waiting.update({u.key: u for u in asked if u.key in ready})
                        progress.added(added)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.close()
    return Outcome(computed, present, len(seen) - computed, tuple(failed), interrupted)


def _results(
    pool: pebble.ProcessPool, waiting: dict[str, Unit], workers: int, limit: float
) -> Generator[tuple[Unit, Result], None, None]:
    """Units with their results, as they come; an exception is turned into a result.

    They are taken out of ``waiting`` from its front, one for each free worker, so that what is put
    there between two results is computed next.

    Raises
    ------
    KeyboardInterrupt
        Between two units, never inside a commit; what had arrived before it is yielded first.
    """
    arrived: queue.SimpleQueue[tuple[Unit, Any] | None] = queue.SimpleQueue()
    flying = 0
    with _interrupts_to(arrived):
        while waiting or flying:
            while waiting and flying < workers:
                unit = waiting.pop(next(iter(waiting)))
                future = pool.schedule(worker.compute, args=[unit], timeout=limit)
                future.add_done_callback(lambda f, u=unit: arrived.put((u, f)))  # type: ignore[misc]
                flying += 1
            found = _get(arrived)
            if found is None:
                raise KeyboardInterrupt
            flying -= 1
            unit, future = found
            yield unit, _result(unit, future, limit)


def _result(unit: Unit, future: Any, limit: float) -> Result:
    try:
        result: Result = future.result()
        return result
    except concurrent.futures.TimeoutError:
        return unit.without_numbers(UnitStatus.TIMEOUT, f"not finished within {limit:g} s", limit)
    except pebble.ProcessExpired as error:
        return unit.without_numbers(UnitStatus.FAILED, _death(error))
    except Exception as error:
        return unit.without_numbers(UnitStatus.FAILED, one_line_of(error))


@contextlib.contextmanager
def _interrupts_to(arrived: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Let the first SIGINT stand in the queue as None; a second one interrupts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        arrived.put(None)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _get(arrived: queue.SimpleQueue[Any]) -> Any:
    while True:
        # With a time limit, so that an interrupt is noticed wherever signals do not wake a lock.
        with contextlib.suppress(queue.Empty):
            return arrived.get(timeout=0.5)


def _death(error: pebble.ProcessExpired) -> str:
    code = error.exitcode
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"worker process killed by {name}{hint}"
    return f"worker process ended with exit status {code}"


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
        initializer=worker.start,
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
