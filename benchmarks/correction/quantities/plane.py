"""Contractions, floors and shares of success, for the claims."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from hierbench.benchmarks.correction.exact.slopes import ROUNDING
from hierbench.benchmarks.correction.quantities.exact_trace import power_of_alpha
from hierbench.benchmarks.statistics.interval_estimate import (
    IntervalEstimate,
    difference,
    mean_estimate,
    share_estimate,
)
from hierbench.benchmarks.units.measurement import Measurement

SUCCESS = 1e-3
"""Relative MSE that a run has to get under."""
LARGEST_GAP = 0.5
"""alpha up to which the factor of a round is about proportional to it."""


def number(m: Measurement, name: str) -> float:
    """A value that may be undefined: infinite then, as after a divergence."""
    value = m.values[name]
    assert not isinstance(value, list)
    return math.inf if value is None else value


# --- contraction (C11) --------------------------------------------------------------------------------


def _log_factors(measurements: Sequence[Measurement], alpha: float) -> dict[object, float]:
    """Log of the factor by which a round changed level 1's angle, by target.

    Over the last two rounds above rounding, since factors alternate from round to round; over the last one
    where there are no three.
    """
    angles: dict[object, dict[int, float]] = defaultdict(dict)
    for m in measurements:
        where = m.labels["level"], m.labels["stage"], m.labels["alpha"]
        if where == (1, "lower", alpha) and number(m, "angle") > ROUNDING:
            angles[m.labels["seed"]][int(m.labels["round"])] = number(m, "angle")
    logs = {}
    for seed, by_round in angles.items():
        rounds = sorted(by_round)
        if len(rounds) > 1:
            first = rounds[-3:][0]
            logs[seed] = math.log(by_round[rounds[-1]] / by_round[first]) / (rounds[-1] - first)
    return logs


def contraction(measurements: Sequence[Measurement], alpha: float, confidence: float) -> IntervalEstimate:
    """Factor by which a round changed level 1's angle: geometric mean over targets."""
    logs = list(_log_factors(measurements, alpha).values())
    estimate = mean_estimate(f"alpha = {alpha:g}", logs, confidence, len(logs))
    if estimate.value is None:
        return estimate
    return IntervalEstimate(
        estimate.label,
        math.exp(estimate.value),
        math.exp(estimate.low),
        math.exp(estimate.high),
        estimate.n_rows,
    )


def contraction_slope(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Slope of the log of that factor in log alpha, up to alpha = 0.5: mean over targets of each one's slope.

    A target counts at the alphas where two rounds are above rounding; three of them make a slope.
    """
    alphas = sorted(
        {float(m.labels["alpha"]) for m in measurements if float(m.labels["alpha"]) <= LARGEST_GAP}
    )
    points: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for alpha in alphas:
        for seed, log in _log_factors(measurements, alpha).items():
            points[seed].append((math.log(alpha), log))
    curves = [np.array(p) for p in points.values() if len(p) >= 3]
    slopes = [float(np.polyfit(curve[:, 0], curve[:, 1], 1)[0]) for curve in curves]
    named = f"alpha = {alphas[0]:g} to {alphas[-1]:g}" if alphas else "no alpha"
    return mean_estimate(named, slopes, confidence, len(slopes))


def contraction_with_gap(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """At alpha = 0.1."""
    return contraction(measurements, 0.1, confidence)


def contraction_without_gap(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """At alpha = 1.5."""
    return contraction(measurements, 1.5, confidence)


# --- floors at exact population (C03, C04) ------------------------------------------------------------


def _least(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Of several starts on one target at one alpha the one with the least error, of those that converged."""
    best: dict[tuple[object, object], Measurement] = {}
    for m in measurements:
        if number(m, "converged") != 1.0:
            continue
        key = m.labels["seed"], m.labels["alpha"]
        if key not in best or number(m, "relative_mse") < number(best[key], "relative_mse"):
            best[key] = m
    return list(best.values())


def layerwise_floor(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Slope of the relative MSE in alpha at the smallest width, read-outs refitted, best of the starts."""
    width = min(int(m.labels["width"]) for m in measurements)
    chosen = [m for m in measurements if (m.labels["width"], m.labels["method"]) == (width, "refitted")]
    return power_of_alpha(_least(chosen), lambda m: number(m, "relative_mse"), confidence, f"width {width}")


def directions_floor(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Slope of the relative MSE in alpha, kernels on products of k directions: the fewest that were run."""
    return _of_directions(measurements, min, confidence)


def all_directions_floor(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same with the most directions that were run: where they span the target, no floor is left."""
    return _of_directions(measurements, max, confidence)


def _of_directions(
    measurements: Sequence[Measurement], choice: Callable[[Sequence[int]], int], confidence: float
) -> IntervalEstimate:
    r = choice([int(m.labels["directions"]) for m in measurements if m.labels["reading"] == "directions"])
    chosen = [m for m in measurements if m.labels["directions"] == r]
    return power_of_alpha(chosen, lambda m: number(m, "relative_mse"), confidence, f"{r} directions")


def fits_floor(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Slope of the relative MSE in alpha, kernels on x and the first fit."""
    chosen = [m for m in measurements if m.labels["reading"] == "fits"]
    return power_of_alpha(chosen, lambda m: number(m, "relative_mse"), confidence, "fits")


# --- over-parameterisation (C10) ----------------------------------------------------------------------


def success_gain_width(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Share of runs that succeed at width 8k less that at width k.

    Their intervals are put together as if the runs were independent, which is too wide here: each pair is
    on one target and sample.
    """

    def at(ratio: float) -> IntervalEstimate:
        successes = [number(m, "relative_mse") < SUCCESS for m in measurements if m.labels["ratio"] == ratio]
        return share_estimate(f"width {ratio:g} k", successes, confidence)

    return difference("8 k less k", at(8.0), at(1.0))


def success_gain_rows(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Share of runs that succeed with 4 times the minimal rows less that with the minimum.

    Over all widths; the unit is the seed, whose runs at all widths share target and sample.
    """

    def gains(rows: float) -> dict[object, float]:
        successes: dict[object, list[bool]] = defaultdict(list)
        for m in measurements:
            if m.labels["rows"] == rows:
                successes[m.labels["seed"]].append(number(m, "relative_mse") < SUCCESS)
        return {seed: float(np.mean(values)) for seed, values in successes.items()}

    many, few = gains(4.0), gains(1.0)
    values = [many[seed] - few[seed] for seed in sorted(many.keys() & few.keys(), key=repr)]
    return mean_estimate("4 times the minimum less the minimum", values, confidence, len(values))
