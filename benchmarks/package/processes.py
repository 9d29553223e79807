"""Work that is spread over processes of this machine."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")


def spread(function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], processes: int) -> list[T]:
    """Return ``function(*task)`` of each task, in order.

    Where other processes cannot be had (no memory, a main program that cannot be imported) this one does all.

    Parameters
    ----------
    function : callable
        Of a module, as others import it.
    processes : int
        At most; 1 is this one.
    """
    processes = min(processes, len(tasks))
    if processes <= 1:
        return [function(*task) for task in tasks]
    # Spawned: a fork of a process that runs jax's threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, _deaf)
    try:
        try:
            futures = [pool.submit(function, *task) for task in tasks]
        except (OSError, BrokenProcessPool):
            return spread(function, tasks, 1)
        return [future.result() for future in futures]
    except BrokenProcessPool:
        return spread(function, tasks, 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _deaf() -> None:
    """Leave it to the parent what an interrupt means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
