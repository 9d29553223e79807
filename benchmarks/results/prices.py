"""What units that are missing would take, as a dry run estimates it: cost laws, and how long others took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from hierbench.benchmarks.run.progress import Estimator
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CurveUnit

Cell = tuple[str, str, int | None]
"""Learner, target and d; None where it is not known at which d."""


def prices_of(units: Iterable[CurveUnit], took: Mapping[str, float]) -> dict[Cell, float]:
    """Core-seconds of the units that are not there, by cell.

    Parameters
    ----------
    took : mapping
        Core-seconds of those that are, by key.
    """
    units = list(units)
    estimator = Estimator([], 1)
    for unit in units:
        if unit.key in took:
            estimator.finished(unit, took[unit.key])
    prices: Counter[Cell] = Counter()
    for unit in units:
        if unit.key not in took:
            prices[unit.learner, unit.target, unit.d] += estimator.seconds_of(unit)  # type: ignore[assignment]
    return dict(prices)


def prices_by_cell(
    units: Iterable[CurveUnit], rows: Iterable[Row], missing: Mapping[Cell, int]
) -> dict[Cell, float]:
    """The same where it is known only how many units of a cell are missing.

    Units of a plan before later stages are known stand for those that a run would have.
    """
    cells: dict[Cell, list[CurveUnit]] = defaultdict(list)
    for unit in units:
        cells[unit.learner, unit.target, unit.d].append(unit)
    seconds: Counter[Cell] = Counter()
    for row in rows:
        took = (row.fit_seconds or 0.0) + (row.predict_seconds or 0.0)
        seconds[row.learner, row.target, row.d] += took  # type: ignore[assignment]
    estimator = Estimator([], 1)
    for cell, own in cells.items():
        if cell in seconds and cell not in missing and (*cell[:2], None) not in missing:
            for unit in own:
                estimator.finished(unit, seconds[cell] / len(own))
    prices = {}
    for (learner, target, d), count in missing.items():
        own = cells[learner, target, d] if d is not None else _absent(learner, target, cells, seconds)
        estimated = [estimator.seconds_of(unit) for unit in own]
        prices[learner, target, d] = sum(estimated) * min(1.0, count / len(own)) if own else 0.0
    return prices


def _absent(
    learner: str, target: str, cells: Mapping[Cell, Sequence[CurveUnit]], present: Mapping[Cell, float]
) -> list[CurveUnit]:
    """Units of the d of which there is no row, or all where there is some of each."""
    pair = {cell: own for cell, own in cells.items() if cell[:2] == (learner, target)}
    without = [unit for cell, own in pair.items() if cell not in present for unit in own]
    return without or [unit for own in pair.values() for unit in own]
