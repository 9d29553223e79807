"""What a new block of a ResNet does to those below it, on real data, for the claims; in percentage points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate, paired_estimate
from hierbench.benchmarks.units.measurement import Measurement

Key = tuple[object, str, int, int]
"""(seed, path, stage, block)."""


def _values(measurements: Sequence[Measurement], value: str) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for m in measurements:
        number = m.values[value]
        if isinstance(number, float):
            key = m.labels["seed"], str(m.labels["path"]), int(m.labels["stage"]), int(m.labels["block"])
            found[key] = 100 * number
    return found


def _lower(
    measurements: Sequence[Measurement],
    rival: Callable[[int, int], tuple[str, int, int]],
    confidence: float,
    above: int = 1,
) -> IntervalEstimate:
    """Gain of the probes of lower blocks over ``rival``, mean over additions and lower blocks, by seed.

    ``above`` : how many blocks there are at least above one that counts.
    """
    found = _values(measurements, "probe")
    by_seed: dict[object, list[float]] = {}
    for seed, way, stage, block in found:
        if way == "grown" and block <= stage - above and (other := (seed, *rival(stage, block))) in found:
            by_seed.setdefault(seed, []).append(found[seed, way, stage, block] - found[other])
    means = [float(np.mean(values)) for values in by_seed.values()]
    return mean_estimate("mean over lower blocks", means, confidence, len(means))


def real_feature_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Probe of a lower block once a block was added and all were trained, less that before."""
    return _lower(measurements, lambda stage, block: ("grown", stage - 1, block), confidence)


def real_feature_gain_over_waiting(
    measurements: Sequence[Measurement], confidence: float
) -> IntervalEstimate:
    """The same, less that after as long a training without the new block."""
    return _lower(measurements, _waiting, confidence)


def real_inner_feature_gain_over_waiting(
    measurements: Sequence[Measurement], confidence: float
) -> IntervalEstimate:
    """The same of blocks that have another above them in both nets.

    What waits has a head on its last block, and so trains that one to be read by a linear map.
    """
    return _lower(measurements, _waiting, confidence, above=2)


def _waiting(stage: int, block: int) -> tuple[str, int, int]:
    return f"waiting-{stage - 1}", stage, block


def _ends(measurements: Sequence[Measurement], path: str) -> dict[object, float]:
    return {
        m.labels["seed"]: 100 * float(str(m.values["accuracy"]))
        for m in measurements
        if m.labels["path"] == path and m.labels["last"]
    }


def _difference(
    measurements: Sequence[Measurement], path: str, rival: str, confidence: float
) -> IntervalEstimate:
    return paired_estimate("all blocks", _ends(measurements, path), _ends(measurements, rival), confidence)


def real_holistic_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Test accuracy with all blocks, each added with all trained, less that with those below frozen.

    Each frozen block had as many steps as the first of the others has in all.
    """
    return _difference(measurements, "grown", "frozen-long", confidence)


def real_holistic_gain_in_equal_steps(
    measurements: Sequence[Measurement], confidence: float
) -> IntervalEstimate:
    """The same where a stage has as many steps: lower blocks that are frozen have had fewer."""
    return _difference(measurements, "grown", "frozen", confidence)


def real_joint_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Test accuracy trained end to end, less that layer by layer with as many steps for each block."""
    return _difference(measurements, "end-to-end", "frozen-long", confidence)
