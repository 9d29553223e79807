"""Ratios of two n* as texts."""

from __future__ import annotations

import math
from collections.abc import Callable

from hierbench.benchmarks.statistics.ranks import Comparison


def ratio_cells(comparison: Comparison) -> tuple[str, str]:
    """n* of the second over that of the first, or a bound on it, and the dimensions that it rests on."""
    low, high = -comparison.high, -comparison.low
    dims = ", ".join(str(d) for d in comparison.dimensions)
    if math.isfinite(low):
        return f"{math.exp(low):.2g}" if low == high else f"> {_two_digits(math.exp(low), math.floor)}", dims
    return (f"< {_two_digits(math.exp(high), math.ceil)}" if math.isfinite(high) else "-"), dims


def _two_digits(x: float, rounding: Callable[[float], int]) -> str:
    """Rounded to the side on which a bound still holds."""
    unit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return f"{rounding(x / unit) * unit:.2g}"
