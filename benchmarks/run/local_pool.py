"""Worker processes of this machine."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import multiprocessing
import multiprocessing.resource_tracker
import os
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pebble

from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.isolation.host import death
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.run import room, start, worker
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.unit import CurveUnit, Result, Unit, UnitStatus
from hierbench.errors import UserError

_NO_WORKER = (
    "no worker process can be started (too little memory, or too many processes or open files?): "
    "what is finished is kept, and the next run computes the rest"
)


@dataclasses.dataclass(eq=False)
class LocalFlight:
    """A unit on its way. Time is that of a clock which nobody can set, and which sleeps with the machine."""

    unit: Unit
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


class LocalPool:
    """A pool of processes, and their memory."""

    def __init__(self, pool: pebble.ProcessPool, workers: int) -> None:
        self._pool, self._workers = pool, workers
        self.room = room.Room(room.free)

    def size(self) -> int:
        """Return how many units are computed at a time."""
        return self._workers

    def fly(self, unit: Unit, limit: float, land: Callable[[LocalFlight], None]) -> LocalFlight:
        """Start a unit, and call ``land`` with it when it has a result.

        Raises
        ------
        UserError
            No worker can be started.
        """
        try:
            future = self._pool.schedule(worker.compute, args=[unit, limit])
        except RuntimeError as error:  # the pool is broken
            raise UserError(_NO_WORKER) from error
        flight = LocalFlight(unit, future, limit)
        future.add_done_callback(lambda _: land(flight))
        return flight


@contextlib.contextmanager
def opened(workers: int, compiled: Path | None = None) -> Iterator[LocalPool]:
    """Spawned workers of one thread each, deaf to interrupts; stopped at once on any error.

    Parameters
    ----------
    compiled : Path, optional
        Folder in which they keep what they compile; by default nowhere.
    """
    context = multiprocessing.get_context("spawn")
    # The tracker would unblock SIGINT in this thread when it is started along with a worker.
    with signals.blocked():
        multiprocessing.resource_tracker.ensure_running()
    environment = machine.of_worker() | machine.compilation_cache(compiled)
    saved = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
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
        yield LocalPool(pool, workers)
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
