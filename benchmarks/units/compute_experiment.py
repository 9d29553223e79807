"""Compute one unit of an experiment."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from hierbench.benchmarks.units import experiments
from hierbench.benchmarks.units.experiment_unit import ExperimentResult, ExperimentUnit
from hierbench.benchmarks.units.measurement import Label, Measurement, Value
from hierbench.benchmarks.units.unit import UnitStatus


def run_experiment(unit: ExperimentUnit) -> ExperimentResult:
    """The unit's records as plain numbers; what is not finite is None.

    Raises
    ------
    ValueError
        An experiment that returns nothing, or what is no number.
    """
    started = time.perf_counter()
    measured = experiments.compute(unit.axes["experiment"], unit.axes["parameters"])
    if not measured:
        raise ValueError(f"experiment {unit.axes['experiment']} returned no measurement")
    records = tuple(Measurement(_labels(m.labels), _values(m.values)) for m in measured)
    return ExperimentResult(UnitStatus.DONE, measurements=records, seconds=time.perf_counter() - started)


def _labels(labels: Mapping[str, Label]) -> dict[str, Label]:
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in labels.items()}


def _values(values: Mapping[str, Value]) -> dict[str, Value]:
    numbers: dict[str, Value] = {}
    for name, value in values.items():
        if value is None:
            numbers[name] = None
            continue
        array = np.asarray(value, dtype=np.float64)
        if array.ndim == 0:
            numbers[name] = float(array) if math.isfinite(float(array)) else None
        elif not np.isfinite(array).all():
            numbers[name] = None
        else:
            numbers[name] = [float(v) for v in array.ravel()]
    return numbers
