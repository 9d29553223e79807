"""Exponents at many errors: what is not remembered is fitted once, by all cores where there is much."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.statistics.exponents import Exponent, exponent, intervals_of
from hierbench.benchmarks.statistics.line_fits import MEMORY, fit
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
        Processes; by default one a core where more than ``ALONE`` fits are not remembered.
    """
    different = {data.key(): data for group in groups if (data := intervals_of(group)) is not None}
    new = {key: data for key, data in different.items() if MEMORY.get(key) is None}
    if workers is None:
        workers = machine.cores() if len(new) > ALONE else 1
    for key, made in zip(new, spread(fit, [(data,) for data in new.values()], workers), strict=True):
        MEMORY.put(key, made)
    return [exponent(group) for group in groups]
