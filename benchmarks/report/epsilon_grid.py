"""The errors between which the slider of the page moves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.units.rows import FITTED, Row

STOPS = 12
"""Errors of a scale, log-spaced, besides those that the suite asks for."""
SMALLEST = 1e-4
"""Errors below are recovery: n* hardly moves any more."""
LARGEST = 0.8
"""Predicting the mean gives 1 on the scales of a variance."""
_Key = tuple[str, int, int]
_ALWAYS = (Scale.VARIANCE, Scale.UPPER_HALF, Scale.TOP)


def epsilon_grid(
    rows: Sequence[Row], certificates: Certificates, asked: Sequence[Epsilon], stops: int = STOPS
) -> list[Epsilon]:
    """Errors at which n* of one target is shown, scale by scale, the largest first.

    From the largest error that says anything down to what one row in twenty stays below, and those that the
    suite asks for. A scale that is undefined for the target has none.

    Parameters
    ----------
    rows : sequence of Row
        Of one target.
    asked : sequence of Epsilon
        Those of the suite.
    """
    found: list[Epsilon] = []
    for scale in Scale:
        own = {e.value for e in asked if e.scale == scale}
        units = _units(rows, certificates, scale)
        if not units or not (own or scale in _ALWAYS):
            continue
        relative = [error / units[key] for key, error in _errors(rows) if key in units]
        high = min(LARGEST, max(relative, default=0.0))
        low = max(float(np.quantile(relative, 0.05)), SMALLEST) if relative else high
        between = np.geomspace(high, low, stops).tolist() if low < high else []
        grid = own | {float(f"{value:.2g}") for value in between}
        found += [Epsilon(value, scale) for value in sorted(grid, reverse=True)]
    return found


def _units(rows: Sequence[Row], certificates: Certificates, scale: Scale) -> dict[_Key, float]:
    """What the scale compares errors with, for the targets for which it is defined."""
    one = Epsilon(1.0, scale)
    keys = {(row.target, row.d, row.target_index) for row in rows}
    return {key: unit for key in keys if (unit := one.threshold(certificates.get(key)))}


def _errors(rows: Sequence[Row]) -> list[tuple[_Key, float]]:
    return [
        ((row.target, row.d, row.target_index), row.error)
        for row in rows
        if row.status in FITTED and row.error is not None and 0 < row.error and math.isfinite(row.error)
    ]
