"""What pictures of a net's logits show on real data, for the claims: means over classes, by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate
from hierbench.benchmarks.units.measurement import Measurement

PERCENT = 100.0


def _logits(
    measurements: Sequence[Measurement], value: str, net: str, regularisation: str
) -> dict[object, float]:
    """Mean over classes, by seed."""
    values: dict[object, list[float]] = defaultdict(list)
    for m in measurements:
        where = tuple(m.labels.get(name) for name in ("kind", "layer", "net", "regularisation"))
        number = m.values.get(value)
        if where == ("unit", 0, net, regularisation) and isinstance(number, float):
            values[m.labels["seed"]].append(number)
    return {seed: float(np.mean(of_seed)) for seed, of_seed in values.items()}


def _estimate(values: Sequence[float], net: str, confidence: float) -> IntervalEstimate:
    return mean_estimate(f"logits, {net} training", values, confidence, len(values))


def _gain(
    ours: dict[object, float], theirs: dict[object, float], net: str, confidence: float, scale: float = 1.0
) -> IntervalEstimate:
    """Paired by seed."""
    gains = [scale * (ours[seed] - theirs[seed]) for seed in ours if seed in theirs]
    return _estimate(gains, net, confidence)


def real_picture_probe(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Percentage of strongly regularised pictures of the plain net that the probe puts into their class."""
    values = _logits(measurements, "probe", "plain", "strong").values()
    return _estimate([PERCENT * v for v in values], "plain", confidence)


def real_picture_probe_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """That less the same without regularisation, in points."""
    strong, none = (_logits(measurements, "probe", "plain", how) for how in ("strong", "none"))
    return _gain(strong, none, "plain", confidence, PERCENT)


def real_picture_similarity(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Cosine of strongly regularised pictures of the plain net to the mean of their class."""
    return _estimate(list(_logits(measurements, "own", "plain", "strong").values()), "plain", confidence)


def real_picture_similarity_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """That less the same without regularisation."""
    strong, none = (_logits(measurements, "own", "plain", how) for how in ("strong", "none"))
    return _gain(strong, none, "plain", confidence)


def real_picture_gain_adversarial(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Cosine without regularisation of the adversarially trained net, less that of the plain one."""
    ours, theirs = (_logits(measurements, "own", net, "none") for net in ("adversarial", "plain"))
    return _gain(ours, theirs, "adversarial", confidence)


def real_picture_similarity_gain_adversarial(
    measurements: Sequence[Measurement], confidence: float
) -> IntervalEstimate:
    """Gain of strong regularisation in cosine, of the adversarially trained net."""
    strong, none = (_logits(measurements, "own", "adversarial", how) for how in ("strong", "none"))
    return _gain(strong, none, "adversarial", confidence)
