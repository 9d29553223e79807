"""Exponents at many errors: each different one is fitted once, by all cores where there are many."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.statistics.exponents import Exponent, exponent
from hierbench.benchmarks.statistics.sample_complexity import NStar

ALONE = 40
"""Fits that take this process no longer than it takes others to start."""


def exponents_of(groups: Sequence[Sequence[NStar]], workers: int | None = None) -> list[Exponent]:
    """``exponent`` of each group.

    Errors between which no row of a curve lies leave n* in the same brackets, and so the same exponent.

    Parameters
    ----------
    groups : sequence of sequences of NStar
        Each of one learner, target and epsilon.
    workers : int, optional
        Processes; by default one a core where there are more than ``ALONE`` fits.
    """
    different: dict[tuple[object, ...], Sequence[NStar]] = {}
    keys = []
    for group in groups:
        keys.append(tuple((s.d, s.replicate, s.lower, s.upper, s.censoring) for s in group))
        different.setdefault(keys[-1], group)
    if workers is None:
        workers = machine.cores() if len(different) > ALONE else 1
    fitted = dict(zip(different, _fit(list(different.values()), workers), strict=True))
    return [fitted[key] for key in keys]


def _fit(groups: Sequence[Sequence[NStar]], workers: int) -> list[Exponent]:
    if workers == 1:
        return [exponent(group) for group in groups]
    # Spawned: a fork of a process that runs jax's threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, _deaf)
    try:
        return list(pool.map(exponent, groups, chunksize=4))
    except BrokenProcessPool:  # no memory for more, or a main program that cannot be imported
        return _fit(groups, 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _deaf() -> None:
    """Leave it to the parent what an interrupt means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
