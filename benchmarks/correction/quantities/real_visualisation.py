"""What pictures of a net's logits show on real data, for the claims: means over classes, by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate, paired_estimate
from hierbench.benchmarks.units.measurement import Measurement

PERCENT = 100.0


def _logits(
    measurements: Sequence[Measurement], value: str, net: str, regularisation: str, scale: float = 1.0
) -> dict[object, float]:
    """Mean over classes, by seed, times a scale."""
    values: dict[object, list[float]] = defaultdict(list)
    for m in measurements:
        where = tuple(m.labels.get(name) for name in ("kind", "layer", "net", "regularisation"))
        number = m.values.get(value)
        if where == ("unit", 0, net, regularisation) and isinstance(number, float):
            values[m.labels["seed"]].append(number)
    return {seed: scale * float(np.mean(of_seed)) for seed, of_seed in values.items()}


def _gain(
    ours: Mapping[object, float], theirs: Mapping[object, float], net: str, confidence: float
) -> IntervalEstimate:
    return paired_estimate(f"logits, {net} training", ours, theirs, confidence)


def _level(values: Mapping[object, float], confidence: float) -> IntervalEstimate:
    """Of the net trained as usual."""
    return mean_estimate("logits, plain training", list(values.values()), confidence, len(values))


def real_picture_probe(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Percentage of strongly regularised pictures of the plain net that the probe puts into their class."""
    return _level(_logits(measurements, "probe", "plain", "strong", PERCENT), confidence)


def real_picture_probe_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """That less the same without regularisation, in points."""
    strong, none = (_logits(measurements, "probe", "plain", how, PERCENT) for how in ("strong", "none"))
    return _gain(strong, none, "plain", confidence)


def real_picture_similarity(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Cosine of strongly regularised pictures of the plain net to the mean of their class."""
    return _level(_logits(measurements, "own", "plain", "strong"), confidence)


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
