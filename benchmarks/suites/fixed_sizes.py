"""Sizes that all replicates share, for errors against d at a fixed n and at a fixed n / d^2."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.suites.limits import LARGEST_SIZE, SCALES
from hierbench.benchmarks.suites.toml_lines import Table
from hierbench.checks import LARGEST_DIMENSION
from hierbench.errors import refusal

STAGE = -1
"""Stage of units and rows at these sizes: they belong to no grid.

n* is not taken from them. Its brackets would end at the same n in every replicate, and at n that follow a law
in d, which is what the stagger of a size plan is there to prevent.
"""

Cell = tuple[str, str, int]
"""Learner, target and d."""


@dataclasses.dataclass(frozen=True)
class FixedSizes:
    """Numbers of samples at which learners are run on top of their grids, the same in all replicates.

    Attributes
    ----------
    targets : tuple of str
    learners : tuple of str
        Empty: every learner with a run on the target.
    d : tuple of int
        Empty: every d that a learner has there.
    n : tuple of int
        The same at every d.
    n_over_d2 : tuple of float
        Numbers of samples over d^2; n is rounded.
    """

    targets: tuple[str, ...]
    learners: tuple[str, ...] = ()
    d: tuple[int, ...] = ()
    n: tuple[int, ...] = ()
    n_over_d2: tuple[float, ...] = ()

    def asks(self, learner: str, target: str, d: int) -> bool:
        """Whether this learner is to be run so."""
        return self.holds(target, d) and (not self.learners or learner in self.learners)

    def holds(self, target: str, d: int) -> bool:
        """Whether these are sizes of this target and d."""
        return target in self.targets and (not self.d or d in self.d)

    def at(self, d: int) -> dict[str, int]:
        """The sizes at one d, by what is fixed: ``n = 1000``, ``n = 16 d^2``."""
        sizes = {f"n = {n}": n for n in self.n}
        return sizes | {f"n = {ratio:.12g} d^2": round(ratio * d**2) for ratio in self.n_over_d2}


def sizes_of_cell(entries: Sequence[FixedSizes], cell: Cell, most: int) -> tuple[int, ...]:
    """The sizes asked for in one cell, increasing; those above ``most``, the cell's largest, are left out."""
    asked = {n for entry in entries if entry.asks(*cell) for n in entry.at(cell[2]).values()}
    return tuple(sorted(n for n in asked if n <= most))


def read(
    table: Table, targets: Sequence[str], learners: Sequence[str], largest: Mapping[Cell, int]
) -> FixedSizes:
    """Read one ``[[fixed_sizes]]`` of a suite file.

    Parameters
    ----------
    targets, learners : sequence of str
        All labels of the suite.
    largest : mapping of cells to int
        The largest size of each cell that a run has.

    Raises
    ------
    UserError
        With file and line: unknown labels, a d without a run, no size, one below 2, one above all runs.
    """
    entry = FixedSizes(
        targets=table.names("targets", "target", targets),
        learners=table.names("learners", "learner", learners) if "learners" in table.data else (),
        d=tuple(
            table.bounded_whole("d", d, LARGEST_DIMENSION) for d in table.items("d", int, "whole numbers")
        )
        if "d" in table.data
        else (),
        n=tuple(
            table.bounded_whole("n", n, LARGEST_SIZE, least=2) for n in table.items("n", int, "whole numbers")
        )
        if "n" in table.data
        else (),
        n_over_d2=tuple(
            table.bounded("n_over_d2", ratio, SCALES[1], least=SCALES[0])
            for ratio in table.items("n_over_d2", (int, float), "numbers")
        )
        if "n_over_d2" in table.data
        else (),
    )
    table.keys_read |= {"learners", "d", "n", "n_over_d2"}
    table.done()
    if not entry.n and not entry.n_over_d2:
        table.fail("", "n or n_over_d2 is needed: a list of numbers of samples, or of these over d^2")
    _check(entry, table, {cell: most for cell, most in largest.items() if entry.asks(*cell)})
    return entry


def _check(entry: FixedSizes, table: Table, cells: Mapping[Cell, int]) -> None:
    """Refuse what no run has: a target, a learner, a d; and a size that is none."""
    for position, key in enumerate(("learners", "targets", "d")):
        has = {cell[position] for cell in cells}
        for value in getattr(entry, key):
            if value not in has:
                allowed = "those of a [[run]] with the others of this table"
                table.refuse(key, value, allowed)
    for key in ("n", "n_over_d2"):
        for value in getattr(entry, key):
            one = dataclasses.replace(entry, **{"n": (), "n_over_d2": (), key: (value,)})
            sizes = {cell: n for cell in cells for n in one.at(cell[2]).values()}
            if min(sizes.values()) < 2:
                table.refuse(key, value, "numbers that make n 2 at least at every d")
            if all(n > cells[cell] for cell, n in sizes.items()):
                largest = max(cells.values())
                table.refuse(key, value, f"sizes up to max of a run, here {largest}", "or raise that max")


def check_total(table: Table, entries: Sequence[FixedSizes], blocks: Mapping[Cell, int], most: int) -> None:
    """Refuse more units of work than a suite may have; ``blocks`` of replicates by cell."""
    total = sum(count * len(sizes_of_cell(entries, cell, LARGEST_SIZE)) for cell, count in blocks.items())
    if total > most:
        table.fail("", refusal("units at fixed sizes up to here", total, f"integers up to {most}"))
