"""Powers of alpha in what the exact trace measured, for the claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from hierbench.benchmarks.correction.exact.slopes import ROUNDING, loglog_slope
from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate
from hierbench.benchmarks.units.measurement import Measurement


def power_of_alpha(
    measurements: Sequence[Measurement],
    amplitude: Callable[[Measurement], float],
    confidence: float,
    label: str = "",
    **wanted: int | str,
) -> IntervalEstimate:
    """Slope of log amplitude in log alpha by least squares, its mean over the targets drawn.

    Records that carry the labels ``wanted`` count, and amplitudes above rounding. The interval is
    Student's t over the targets; three of them at least.
    """
    by_seed: dict[object, list[Measurement]] = defaultdict(list)
    for m in measurements:
        if all(m.labels[name] == value for name, value in wanted.items()):
            by_seed[m.labels["seed"]].append(m)
    values, used = [], 0
    for records in by_seed.values():
        alphas = [float(m.labels["alpha"]) for m in records]
        slope, count = loglog_slope(alphas, [amplitude(m) for m in records], ROUNDING)
        if count >= 3:
            values.append(slope)
            used += count
    if not values:
        return IntervalEstimate(
            label, n_rows=0, note="no amplitude above rounding at three alphas: nothing to fit"
        )
    return mean_estimate(label, values, confidence, used)


def _angle(m: Measurement) -> float:
    return _number(m, "angle")


def _in_output(m: Measurement) -> float:
    """Error of level 2 as it is seen in the output, where level 2 has amplitude alpha."""
    return float(m.labels["alpha"]) * _number(m, "feature_error")


def _number(m: Measurement, name: str) -> float:
    value = m.values[name]
    assert isinstance(value, float)
    return value


def first_level_before(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Angle of level 1 as found by itself."""
    return power_of_alpha(measurements, _angle, confidence, round=1, stage="lower", level=1)


def first_level_after(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Angle of level 1 once corrected."""
    return power_of_alpha(measurements, _angle, confidence, round=2, stage="lower", level=1)


def second_level_before(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Level 2 above the uncorrected first: its feature error times its amplitude in the output, alpha."""
    return power_of_alpha(measurements, _in_output, confidence, round=1, stage="upper", level=2)


def second_level_after(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Level 2 above the corrected first: its feature error times its amplitude in the output, alpha."""
    return power_of_alpha(measurements, _in_output, confidence, round=2, stage="upper", level=2)


def second_level_own_before(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Level 2 above the uncorrected first: its feature error relative to its own size."""
    return power_of_alpha(
        measurements, lambda m: _number(m, "feature_error"), confidence, round=1, stage="upper", level=2
    )


def second_level_own_after(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Level 2 above the corrected first: its feature error relative to its own size."""
    return power_of_alpha(
        measurements, lambda m: _number(m, "feature_error"), confidence, round=2, stage="upper", level=2
    )
