"""Memory for the units of a run: none starts that would not fit, beside those that are on their way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

from hierbench.benchmarks.units.unit import Result, Unit, UnitStatus

_GIB = 2.0**30
WORKER = 4e8
"""Bytes of a worker that has imported torch and jax and computes nothing."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_USED = (Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"))


def available() -> float:
    """Bytes that the machine has left, or the container, where one sets a limit."""
    left = float(psutil.virtual_memory().available)
    for limit, used in zip(_LIMITS, _USED, strict=True):
        try:
            left = min(left, float(limit.read_text()) - float(used.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return left


class Room:
    """What there is when a run begins, for its units to share.

    Parameters
    ----------
    total : float
        Bytes.
    """

    def __init__(self, total: float) -> None:
        self.total = total

    def next(self, waiting: Iterable[Unit], flying: Collection[Unit]) -> Unit | None:
        """Return the first unit that fits beside ``flying``; None if all have to wait for these.

        Where nothing is flying it is the first of all, fit or not.
        """
        left = self.total - sum(unit.memory for unit in flying)
        first = None
        for unit in waiting:
            if unit.memory <= left or unit.memory > self.total:
                return unit
            first = first or unit
        return None if flying else first

    def refused(self, unit: Unit) -> Result | None:
        """Return the result of a unit that never fits; None for one that may start."""
        if unit.memory <= self.total:
            return None
        reason = f"needs {_gib(unit.memory)} of memory by its memory law, {_gib(self.total)} are there"
        return unit.without_numbers(UnitStatus.SKIPPED, reason)


def _gib(number: float) -> str:
    return f"{number / _GIB:.3g} GiB"
