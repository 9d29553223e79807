"""What a worker of a dask cluster does for a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import distributed

from hierbench.benchmarks.provenance import loaded, machine

SHARE = 0.9
"""Of a worker's memory that a unit may need: dask restarts the worker when it is nearly full."""


class TooSmallError(MemoryError):
    """A worker has not the memory that a unit needs."""


class Start(distributed.WorkerPlugin):
    """The first thing of a run that a worker does, before it loads what makes numbers.

    Parameters
    ----------
    path : sequence of str
        Where the client looks for modules: what is not on the worker's own path comes behind it.
    """

    name = "hierbench"

    def __init__(self, path: Sequence[str]) -> None:
        self.path = list(path)

    def setup(self, worker: Any) -> None:
        """Keep to one thread, and record what is loaded from now on."""
        os.environ.update(machine.of_worker())
        sys.path += [place for place in self.path if place not in sys.path]
        loaded.record()


def keys_here(axes: Sequence[Any]) -> list[tuple[str, str, dict[str, str]] | str]:
    """Return key, fingerprint of the code and library versions of units, as this worker has them.

    A line of text instead where it cannot make the unit at all.
    """
    # after the recording
    from hierbench.benchmarks.provenance import fingerprint
    from hierbench.benchmarks.suites.plan import key_of
    from hierbench.benchmarks.units.plain import one_line_of

    fingerprint.forget()  # files may have changed since another run asked
    keys: list[tuple[str, str, dict[str, str]] | str] = []
    for one in axes:
        try:
            keys.append(key_of(one))
        except Exception as error:
            keys.append(one_line_of(error))
    return keys


def compute(unit: Any, limit: float, topic: str) -> Any:
    """Say that a unit starts here, and compute it: see ``hierbench.benchmarks.run.worker``."""
    # after the recording
    from hierbench.benchmarks.run import worker

    here = distributed.get_worker()
    if here.state.nthreads != 1:  # it has joined the cluster since the others were looked at
        raise RuntimeError(f"worker {here.address} has {here.state.nthreads} threads, allowed is 1")
    most = here.memory_manager.memory_limit
    if most and unit.memory > SHARE * most:  # it has come since the unit was submitted
        need, there = (f"{size / 2**30:.3g} GiB" for size in (unit.memory, SHARE * most))
        raise TooSmallError(f"needs {need} of memory, worker {here.address} has {there} for it")
    here.log_event(topic, {"unit": unit.key, "worker": here.address})
    return worker.compute(unit, limit)
