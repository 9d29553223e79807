"""What experiments on backward correction measured along rounds or steps, as lines to draw."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.report.columns import Data, rounded
from hierbench.benchmarks.units.measurement import Measurement

_Name = tuple[str, int]
"""What is drawn in one colour, and the level."""
_Series = dict[_Name, dict[float, dict[int, list[float]]]]
"""By name: x, then the values of each seed."""


def traces(measured: Mapping[str, Sequence[Measurement]]) -> list[Data]:
    """One entry an experiment that has a trace: lines with the range over seeds, and what their axes are.

    A value is the root mean square over the nets of a seed, a line the geometric mean over the seeds, where
    more than half of them have a value.
    """
    found = []
    for label, records in measured.items():
        rounds = [m for m in records if {"round", "stage", "level"} <= m.labels.keys()]
        steps = [m for m in records if m.labels.get("kind") == "trace" and "step" in m.labels]
        if rounds:
            found.append({"label": label, **_along_rounds(rounds)})
        elif steps:
            found.append({"label": label, **_along_steps(steps)})
    return found


def _along_rounds(records: Sequence[Measurement]) -> Data:
    stages = list(dict.fromkeys((m.labels["round"], m.labels["stage"]) for m in records))
    stages.sort(key=lambda stage: int(stage[0]))
    series: _Series = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    variants = {m.labels.get("variant") for m in records}
    for m in records:
        variant = f"{m.labels['variant']}, " if len(variants) > 1 else ""
        name = f"{variant}alpha = {m.labels.get('alpha', 1.0):g}"
        _put(
            series,
            (name, int(m.labels["level"])),
            stages.index((m.labels["round"], m.labels["stage"])),
            m,
            "feature_error",
        )
    return {
        "x": "round of backward correction, and the level that is fitted in it",
        "ticks": [f"{number} {stage}" for number, stage in stages],
        "y": "feature error (amplitude)",
        "lines": _lines(series),
    }


def _along_steps(records: Sequence[Measurement]) -> Data:
    series: _Series = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for m in records:
        learner = {"level1": "without a level above"}.get(str(m.labels["learner"]), str(m.labels["learner"]))
        level = int(m.labels["level"])
        _put(series, (learner, level), float(m.labels["step"]), m, "angle" if level == 1 else "feature_error")
    return {
        "x": "step of SGD",
        "ticks": [],
        "y": "error of the features: level 1 the sine of the angle, above the amplitude",
        "lines": _lines(series),
    }


def _put(series: _Series, name: _Name, x: float, m: Measurement, value: str) -> None:
    number = m.values.get(value)
    if isinstance(number, float) and number > 0.0:
        series[name][x][int(m.labels.get("seed", 0))].append(number)


def _lines(series: _Series) -> list[Data]:
    lines = []
    for (group, level), by_x in series.items():
        seeds = {seed for by_seed in by_x.values() for seed in by_seed}
        points = []
        for x, by_seed in sorted(by_x.items()):
            logs = [math.log(sum(v * v for v in values) / len(values)) / 2 for values in by_seed.values()]
            if 2 * len(logs) > len(seeds):
                points.append((x, *(math.exp(y) for y in (sum(logs) / len(logs), min(logs), max(logs)))))
        columns = zip(*points, strict=True) if points else ((), (), (), ())
        places, mean, low, high = ([rounded(v) for v in values] for values in columns)
        name = f"{group}, level {level}"
        lines.append(
            {
                "name": name,
                "group": group,
                "level": level,
                "x": places,
                "mean": mean,
                "low": low,
                "high": high,
            }
        )
    return lines
