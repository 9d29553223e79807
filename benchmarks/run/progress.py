"""How a run shows itself: a live bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from hierbench.benchmarks.units.plain import one_line
from hierbench.benchmarks.units.unit import Result, Unit, UnitStatus

SECONDS_BETWEEN_LINES = 5.0


class Estimator:
    """Time left: the estimated costs of the units that wait, corrected by how long others took.

    The correction is a ratio for each learner, since estimates are wrong by learner; a learner
    that has not been seen yet takes the ratio of all.
    """

    def __init__(self, waiting: Sequence[Unit], workers: int) -> None:
        self.left = {u.key: u for u in waiting}
        self.workers = workers
        self.spent: dict[str, tuple[float, float]] = {}
        self.total = sum(u.cost for u in waiting)

    def added(self, units: Sequence[Unit]) -> None:
        """Take more units into account."""
        self.left |= {u.key: u for u in units}
        self.total += sum(u.cost for u in units)

    def finished(self, unit: Unit, seconds: float) -> None:
        """Take note of what a unit took; of one that failed early that says nothing about the others."""
        self.left.pop(unit.key, None)
        if not seconds:
            return
        estimated, took = self.spent.get(unit.pace(), (0.0, 0.0))
        self.spent[unit.pace()] = (estimated + unit.cost, took + seconds)

    def seconds_left(self) -> float | None:
        """None before anything has finished."""
        if not self.left:
            return 0.0
        if not any(estimated > 0 for estimated, _ in self.spent.values()):
            return None
        seconds = [self.seconds_of(unit) for unit in self.left.values()]
        return max(sum(seconds) / self.workers, max(seconds))

    def seconds_of(self, unit: Unit) -> float:
        """Estimate a unit, by its cost law alone before anything has finished."""
        estimated, took = self.spent.get(unit.pace(), (0.0, 0.0))
        if estimated <= 0:
            estimated, took = (sum(both) for both in zip((0.0, 0.0), *self.spent.values(), strict=True))
        return unit.cost * (took / estimated if estimated > 0 else 1.0)

    def share(self) -> float:
        """Share of the estimated cost that is done."""
        return 1.0 - sum(u.cost for u in self.left.values()) / self.total if self.total else 1.0


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def complaint(unit: Unit, result: Result) -> str:
    """One line about a unit without numbers."""
    return f"{result.status}: {one_line(unit.title(), 200)}: {result.reason}"


class Lines:
    """Plain lines: one at the start, one every few seconds, every failure, one at the end."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file or sys.stderr

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.file, flush=True)

    def start(self, waiting: Sequence[Unit], present: int, workers: int) -> None:
        """Say what is to be done."""
        self.n = len(waiting)
        self.done = 0
        self.estimator = Estimator(waiting, workers)
        self.began = self.last = time.monotonic()
        if waiting:
            self.say(f"{self.n} units to compute ({present} present) on {workers} workers")
        else:
            self.say(f"nothing to compute: all {present} units are present")

    def added(self, units: Sequence[Unit]) -> None:
        """Take more units into account."""
        self.n += len(units)
        self.estimator.added(units)

    def finished(self, unit: Unit, result: Result) -> None:
        """Say that a unit is finished."""
        self.done += 1
        self.estimator.finished(unit, result.seconds)
        now = time.monotonic()
        if result.status != UnitStatus.DONE:
            self.say(complaint(unit, result))
        if self.done == self.n or now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            left = self.estimator.seconds_left()
            eta = f", about {duration(left)} left" if left else ""
            title = one_line(unit.title(), 200)
            self.say(f"{self.done}/{self.n} units, {duration(now - self.began)}{eta}: {title}")

    def close(self) -> None:
        """End the display."""
        pass


class Silent:
    """Nothing: nobody watches."""

    def start(self, waiting: Sequence[Unit], present: int, workers: int) -> None:
        """Say nothing."""

    def added(self, units: Sequence[Unit]) -> None:
        """Say nothing."""

    def finished(self, unit: Unit, result: Result) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Bar:
    """A live bar whose length is estimated cost, not the number of units."""

    def start(self, waiting: Sequence[Unit], present: int, workers: int) -> None:
        """Say what is to be done."""
        # rich starts slowly, and a plain log does without it
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        # a label may hold brackets, which are no markup of its
        console = Console(stderr=True, markup=False, highlight=False, emoji=False)

        self.n = len(waiting)
        self.done = 0
        self.estimator = Estimator(waiting, workers)
        self.bar = Progress(
            TextColumn("{task.percentage:3.0f} %"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}", markup=False),
            TextColumn("{task.description}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self.bar.start()
        text = f"{self.n} units ({present} present)" if waiting else f"all {present} units are present"
        self.bar.console.print(text)
        self.task = self.bar.add_task(f"on {workers} workers", total=1.0, count=f"0/{self.n}", eta="")

    def added(self, units: Sequence[Unit]) -> None:
        """Take more units into account."""
        self.n += len(units)
        self.estimator.added(units)

    def finished(self, unit: Unit, result: Result) -> None:
        """Say that a unit is finished."""
        self.done += 1
        self.estimator.finished(unit, result.seconds)
        if result.status != UnitStatus.DONE:
            self.bar.console.print(complaint(unit, result), style="red")
        left = self.estimator.seconds_left()
        self.bar.update(
            self.task,
            completed=self.estimator.share(),
            count=f"{self.done}/{self.n}",
            eta=f"about {duration(left)} left" if left is not None else "",
            description=one_line(unit.title(), 100),
        )

    def close(self) -> None:
        """End the display."""
        self.bar.stop()


def make() -> Lines | Bar:
    """A bar if somebody watches, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()
