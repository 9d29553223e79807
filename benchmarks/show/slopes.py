"""Exponents at many errors: each different one is fitted once, by all cores where there are many."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.statistics.exponents import Exponent, exponent
from hierbench.benchmarks.statistics.sample_complexity import NStar
from hierbench.processes import spread

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
    fits = spread(exponent, [(group,) for group in different.values()], workers)
    fitted = dict(zip(different, fits, strict=True))
    return [fitted[key] for key in keys]
