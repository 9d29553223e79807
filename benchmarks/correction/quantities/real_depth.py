"""What depth is worth to a ResNet on real data, by the way of training; in percentage points."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, paired_estimate
from hierbench.benchmarks.units.measurement import Measurement

Cell = tuple[str, int]
"""(path, depth)."""


def _accuracies(measurements: Sequence[Measurement]) -> dict[Cell, dict[object, float]]:
    """Test accuracy of each way and depth by seed."""
    found: dict[Cell, dict[object, float]] = {}
    for m in measurements:
        accuracy = m.values["accuracy"]
        if isinstance(accuracy, float):
            cell = str(m.labels["path"]), int(m.labels["depth"])
            found.setdefault(cell, {})[m.labels["seed"]] = 100 * accuracy
    return found


def _depths(measurements: Sequence[Measurement]) -> tuple[int, int]:
    """Smallest and largest depth."""
    depths = [int(m.labels["depth"]) for m in measurements]
    return min(depths), max(depths)


def _difference(
    measurements: Sequence[Measurement], ours: Cell, theirs: Cell, name: str, confidence: float
) -> IntervalEstimate:
    """Mean over the seeds that both cells have."""
    found = _accuracies(measurements)
    return paired_estimate(name, found.get(ours, {}), found.get(theirs, {}), confidence)


def _over_layerwise(measurements: Sequence[Measurement], rival: str, confidence: float) -> IntervalEstimate:
    _, deepest = _depths(measurements)
    cells = ("end-to-end", deepest), (rival, deepest)
    return _difference(measurements, *cells, f"depth {deepest}", confidence)


def _over_shallow(measurements: Sequence[Measurement], path: str, confidence: float) -> IntervalEstimate:
    least, deepest = _depths(measurements)
    cells = (path, deepest), (path, least)
    return _difference(measurements, *cells, f"depth {deepest} less {least}", confidence)


def deepest_joint_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Test accuracy end to end, less layer by layer with as many steps for each block; largest depth."""
    return _over_layerwise(measurements, "layerwise-long", confidence)


def deepest_joint_gain_in_equal_steps(
    measurements: Sequence[Measurement], confidence: float
) -> IntervalEstimate:
    """The same, less layer by layer with as many steps in all."""
    return _over_layerwise(measurements, "layerwise", confidence)


def depth_gain(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Test accuracy at the largest depth, less that at the smallest, end to end."""
    return _over_shallow(measurements, "end-to-end", confidence)


def depth_gain_layerwise(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same layer by layer, with as many steps for each block."""
    return _over_shallow(measurements, "layerwise-long", confidence)
