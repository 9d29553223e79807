"""Errors at numbers of samples that are the same for all: those that a suite declares, or else others."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hierbench.plots.bands import at_budget, fixed_budgets, replicates, spread
from hierbench.plots.data import CurvePoint, FigureData

Spread = tuple[float, float, float]
"""Lower end, median and upper end over replicates."""

_EXACT_FIT = 1e-300  # an error of 0 has no logarithm
_LOST = 1e300  # a replicate without a usable error is worse than any that has one


@dataclasses.dataclass(frozen=True)
class SizePanel:
    """Errors of each (learner, d) at one size, or at one law of the size in d.

    Attributes
    ----------
    title : str
        With mathematics.
    measured, between : mapping of (learner, d) to Spread
        At exactly that size; and interpolated between the sizes of a grid, where nothing was measured at it.
    """

    title: str
    measured: Mapping[tuple[str, int], Spread]
    between: Mapping[tuple[str, int], Spread]

    @property
    def values(self) -> dict[tuple[str, int], Spread]:
        """All of them."""
        return {**self.between, **self.measured}


def size_panels(data: FigureData, target: str) -> list[SizePanel]:
    """One panel for each size that the suite declares for a target and that something was measured at.

    Without any: at most two sizes that the most curves cover, interpolated.
    """
    points = [p for p in data.curves if p.target == target]
    curves = {
        (learner, d): replicates(p for p in points if p.learner == learner and p.d == d)
        for learner in dict.fromkeys(p.learner for p in points)
        for d in sorted({p.d for p in points})
    }
    declared: dict[str, dict[tuple[str, int], list[CurvePoint]]] = defaultdict(lambda: defaultdict(list))
    for one in data.fixed:
        if one.point.target == target:
            declared[one.size][one.point.learner, one.point.d].append(one.point)
    if not declared:
        return [
            SizePanel(f"n = {math.exp(budget):,.0f}", {}, _between(curves, dict.fromkeys(curves, budget)))
            for budget in fixed_budgets(curves)
        ]
    panels = []
    for size, cells in declared.items():
        of_d = {d: math.log(some[0].n) for (_, d), some in cells.items()}
        others = {cell: of_d[cell[1]] for cell in curves if cell[1] in of_d and cell not in cells}
        measured = {cell: spread_of(some) for cell, some in cells.items()}
        panels.append(SizePanel(size_title(size), measured, _between(curves, others)))
    return panels


def spread_of(points: Iterable[CurvePoint]) -> Spread:
    """Of the replicates of one learner, d and size; one without a usable error is worse than all others."""
    return spread([_error(point) for point in points])


def size_title(size: str) -> str:
    """``n = 16 d^2`` in mathematics; thousands of ``n = 10000`` apart."""
    value, law, power = size.removeprefix("n = ").partition(" d^")
    return f"n = {value} $d^{power}$" if law else f"n = {int(value):,}"


def _between(
    curves: Mapping[tuple[str, int], list], sizes: Mapping[tuple[str, int], float]
) -> dict[tuple[str, int], Spread]:
    found = ((cell, at_budget(curves[cell], size)) for cell, size in sizes.items())
    return {cell: one for cell, one in found if one is not None}


def _error(point: CurvePoint) -> float:
    usable = point.status in ("ok", "unreliable") and point.error is not None and math.isfinite(point.error)
    return max(point.error or 0.0, _EXACT_FIT) if usable else _LOST


def drawn_sizes(panels: Iterable[SizePanel]) -> str:
    """What a caption says of how the errors of these panels came about."""
    panels = list(panels)
    if not any(panel.measured for panel in panels):
        return "interpolated in log-log between the sizes that were run"
    if any(panel.between for panel in panels):
        return "measured there; open marks are interpolated in log-log between the sizes that were run"
    return "measured there"
