"""Errors against d at the sizes that a suite declares: the same n at every d, or the same n / d^2."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.report.columns import Data, rounded
from hierbench.benchmarks.report.stored_rows import RowTables, row_blocks
from hierbench.benchmarks.show.figure_data import curve_points
from hierbench.benchmarks.units.rows import Row
from hierbench.plots.data import CurvePoint
from hierbench.plots.error_curves import size_limits
from hierbench.plots.fixed_sizes import Spread, spread_of


def fixed_sizes(
    at_size: Sequence[tuple[str, Row]], learners: Mapping[str, int], tables: RowTables
) -> Data | None:
    """What was measured of one target, each row with what is fixed in its size; None without any.

    ``panels`` has one entry a size, with the columns of each learner that was run there: d, n, median and
    ends over replicates, None for an error that is off the scale of ``limits``. ``rows`` are those behind
    them.
    """
    cells: dict[str, dict[tuple[str, int], list[CurvePoint]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[int, Row] = {}  # one row may be at two sizes, as 4096 and 16 d^2 are at d = 16
    for size, row in at_size:
        for point in curve_points([row]):
            cells[size][row.learner, row.d].append(point)
            rows[id(row)] = row
    if not cells:
        return None
    spreads = {size: {c: spread_of(some) for c, some in of.items()} for size, of in cells.items()}
    low, high = size_limits([spread for of_size in spreads.values() for spread in of_size.values()])
    return {
        "limits": [rounded(low), rounded(high)],
        "panels": [
            {
                "size": size,
                "learners": [
                    {"learner": number, **_columns(name, of_size, cells[size], high)}
                    for name, number in learners.items()
                    if any(name == learner for learner, _ in of_size)
                ],
            }
            for size, of_size in spreads.items()
        ],
        "rows": row_blocks(list(rows.values()), learners, tables),
    }


def _columns(
    name: str,
    spreads: Mapping[tuple[str, int], Spread],
    points: Mapping[tuple[str, int], Sequence[CurvePoint]],
    highest: float,
) -> Data:
    dims = sorted(d for learner, d in spreads if learner == name)
    low, median, high = zip(*(spreads[name, d] for d in dims), strict=True)

    def on_scale(errors: Sequence[float]) -> list[float | int | None]:
        return [rounded(error) if error <= highest else None for error in errors]

    return {
        "d": dims,
        "n": [points[name, d][0].n for d in dims],
        "median": on_scale(median),
        "low": on_scale(low),
        "high": on_scale(high),
    }
