"""Memory for the units of a run, of the machine and of a GPU: one starts when it fits beside the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import psutil

from hierbench.benchmarks.run import cards
from hierbench.benchmarks.units.unit import Result, Unit, UnitStatus

GIB = 2.0**30
_SHARE = 0.9
"""Of what is free; the rest is for what workers import."""


class Room:
    """What is free, for the units of a run to share.

    It is looked at when no unit is on its way: what the others need by then is not seen later. A GPU is
    looked at once, since workers keep what they had of it.
    """

    def __init__(self, free: Callable[[], float], free_on: Callable[[str], float] = cards.free) -> None:
        self._free = free
        self._free_on = free_on
        self._cards: dict[str, float] = {}
        self.total = 0.0

    def next(self, waiting: Iterable[Unit], flying: Collection[Unit]) -> Unit | None:
        """Return the first unit that fits when it is alone, if it fits now; None if it has to wait.

        No other passes it meanwhile, so that the most urgent is not put off. None with nothing flying says
        that none fits.
        """
        if not flying:
            self.total = max(0.0, _SHARE * self._free())
        first = next((unit for unit in waiting if self._fits(unit, [])), None)
        return first if first is not None and self._fits(first, flying) else None

    def _fits(self, unit: Unit, others: Collection[Unit]) -> bool:
        """Whether there is memory for a unit beside others."""
        beside = [other for other in others if _card_of(other) == _card_of(unit)]
        return unit.memory <= self.total - sum(other.memory for other in others) and (
            unit.card <= self.card(_card_of(unit)) - sum(other.card for other in beside)
        )

    def card(self, device: str) -> float:
        """Return the bytes that units may take of a GPU; no limit for the CPU's."""
        if device not in self._cards:
            self._cards[device] = _SHARE * self._free_on(device) if device != "cpu" else math.inf
        return self._cards[device]

    def skipped(self, unit: Unit) -> Result:
        """Return the result of a unit that does not fit."""
        return unit.without_numbers(UnitStatus.SKIPPED, self.lacks(unit))

    def lacks(self, unit: Unit) -> str:
        """Say what a unit needs and what is there, in a line; empty where it fits when it is alone."""
        if unit.memory > self.total:
            return f"needs {unit.memory / GIB:.3g} GiB of memory, {self.total / GIB:.3g} are there"
        there = self.card(_card_of(unit))
        if unit.card > there:
            return f"needs {unit.card / GIB:.3g} GiB on {unit.device}, {there / GIB:.3g} are there"
        return ""


def _card_of(unit: Unit) -> str:
    """Return the device, the first GPU by its number."""
    return "cuda:0" if unit.device == "cuda" else unit.device


def free() -> float:
    """Bytes that are free on the machine, and below every limit that is set to this process."""
    return min([float(psutil.virtual_memory().available), *_free_in_groups()])


def _free_in_groups() -> Iterator[float]:
    """What is free in the control groups of Linux that this process is in, of either version."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, names = Path("/sys/fs/cgroup"), ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            root = Path("/sys/fs/cgroup/memory")
        else:
            continue
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder != root and root not in folder.parents:
                break
            try:
                limit, used = (float((folder / name).read_text()) for name in names[:2])
                stat = dict(entry.split() for entry in (folder / "memory.stat").read_text().splitlines())
                yield limit - used + float(stat.get(names[2], 0))  # files that are only remembered give way
            except (OSError, ValueError):  # not set ("max"), or not seen from in here
                continue
