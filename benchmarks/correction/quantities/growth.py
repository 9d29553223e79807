"""What growing a net gains, and how well its neurons can be looked at, for the claims."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate
from hierbench.benchmarks.units.measurement import Measurement

_ALONE = {2: "no-growth", 3: "no-third-level"}


def _ends(measurements: Sequence[Measurement], value: str) -> dict[tuple[object, str, int, int], float]:
    """Mean log10 of a value over the nets of a seed, by (seed, path, phase, level), where phases end."""
    logs: dict[tuple[object, str, int, int], list[float]] = defaultdict(list)
    for m in measurements:
        number = m.values[value]
        if m.labels["last"] and isinstance(number, float):
            key = m.labels["seed"], str(m.labels["path"]), int(m.labels["phase"]), int(m.labels["level"])
            logs[key].append(math.log10(max(number, 1e-300)))
    return {key: float(np.mean(values)) for key, values in logs.items()}


def _seeds(measurements: Sequence[Measurement]) -> list[object]:
    return list(dict.fromkeys(m.labels["seed"] for m in measurements))


def holistic_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """log10 of the error with the third level above frozen ones, less that with all trained.

    Both from the same net, of two levels that had been trained together; then nothing of the target is
    missing, as it is while there are two.
    """
    return _holistic(measurements, confidence, 3, "last-frozen")


def holistic_gain_second(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same at the second level: what is left is the third, which neither has."""
    return _holistic(measurements, confidence, 2, "frozen")


def _holistic(
    measurements: Sequence[Measurement], confidence: float, phase: int, rival: str
) -> IntervalEstimate:
    ends = _ends(measurements, "relative_mse")
    values = [
        ends[seed, rival, phase, 1] - ends[seed, "all", phase, 1]
        for seed in _seeds(measurements)
        if (seed, rival, phase, 1) in ends and (seed, "all", phase, 1) in ends
    ]
    return mean_estimate(f"level {phase} added", values, confidence, len(values))


def _before(phase: int) -> str:
    return "common" if phase == 2 else "all"


def feature_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """log10 of a lower level's feature error when a level is added, less that after training all.

    Mean over all lower levels of both additions, as far as they can be judged; the unit is the seed.
    """
    return _feature(measurements, confidence, lambda phase, level: (_before(phase), phase - 1, level))


def feature_gain_over_waiting(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same against as long a training without the added level."""
    return _feature(measurements, confidence, lambda phase, level: (_ALONE[phase], phase, level))


def _feature(
    measurements: Sequence[Measurement], confidence: float, rival: Callable[[int, int], tuple[str, int, int]]
) -> IntervalEstimate:
    ends = _ends(measurements, "feature_error")
    values = []
    for seed in _seeds(measurements):
        gains = [
            ends[seed, *rival(phase, level)] - ends[seed, "all", phase, level]
            for phase in (2, 3)
            for level in range(1, phase)
            if (seed, *rival(phase, level)) in ends and (seed, "all", phase, level) in ends
        ]
        if gains:
            values.append(float(np.mean(gains)))
    return mean_estimate("mean over lower levels", values, confidence, len(values))


# --- looking at features (C17) ------------------------------------------------------------------------


def _alignments(
    measurements: Sequence[Measurement], regularisation: str, level: int = 0
) -> dict[object, float]:
    """Median |cosine| over the neurons of a trained net, by seed."""
    alignments: dict[object, list[float]] = defaultdict(list)
    for m in measurements:
        if m.labels["kind"] != "neuron" or m.labels["when"] != "after":
            continue
        alignment = m.values["alignment"]
        if m.labels["regularisation"] == regularisation and level in (0, m.labels["level"]):
            assert isinstance(alignment, float)
            alignments[m.labels["seed"]].append(alignment)
    return {seed: float(np.median(values)) for seed, values in alignments.items()}


def alignment_regularised(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Norm of the input fixed: median over the neurons looked at, of both levels; mean over nets."""
    values = list(_alignments(measurements, "sphere").values())
    return mean_estimate("levels 1 and 2", values, confidence, len(values))


def alignment_regularised_second(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same of level 2 alone.

    A neuron of level 1 is (w x + b)^2, whose gradient is w or -w everywhere: ascent finds w whatever the
    regularisation. What looking at neurons is worth shows at level 2.
    """
    values = list(_alignments(measurements, "sphere", 2).values())
    return mean_estimate("level 2", values, confidence, len(values))


def alignment_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """That less the same of as many steps without regularisation, paired by net."""
    return _gain(measurements, confidence, 0)


def alignment_gain_second(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The gain of level 2 alone."""
    return _gain(measurements, confidence, 2)


def _gain(measurements: Sequence[Measurement], confidence: float, level: int) -> IntervalEstimate:
    strong, none = (_alignments(measurements, how, level) for how in ("sphere", "none"))
    values = [strong[seed] - none[seed] for seed in strong.keys() & none.keys()]
    label = f"level {level}" if level else "levels 1 and 2"
    return mean_estimate(label, sorted(values), confidence, len(values))
