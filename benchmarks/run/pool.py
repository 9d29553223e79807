"""What a run asks of the place where its units are computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from hierbench.benchmarks.units.unit import Result, Unit


class Flight(Protocol):
    """A unit on its way."""

    @property
    def unit(self) -> Unit:
        """The unit."""

    def check(self) -> None:
        """End the unit if its time is over; called now and then."""

    def result(self) -> Result:
        """Return what came of it, once it has landed; an exception is turned into a result."""


class Room(Protocol):
    """Memory of the workers."""

    def next(self, waiting: Iterable[Unit], flying: Collection[Unit]) -> Unit | None:
        """Return the first unit that can start; None if none can now (with nothing flying: ever)."""

    def skipped(self, unit: Unit) -> Result:
        """Return the result of a unit that never can."""


class Pool(Protocol):
    """Workers, each of which computes one unit at a time."""

    @property
    def room(self) -> Room:
        """Their memory."""

    def size(self) -> int:
        """Return how many there are now."""

    def fly(self, unit: Unit, limit: float, land: Callable[[Any], None]) -> Flight:
        """Start a unit, and call ``land`` with it, from any thread, when it has a result."""
