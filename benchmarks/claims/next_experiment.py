"""What would decide a criterion that is open, in the terms of its own rows, and what that takes."""

from __future__ import annotations

import dataclasses
import itertools
import math
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.benchmarks.claims.criteria import Bounds, Criterion
from hierbench.benchmarks.claims.curve_quantities import stars_of
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate
from hierbench.benchmarks.units.rows import REPLICATES_PER_BLOCK, Replicate, Row

MOST_TIMES = 100
"""Times as many replicates that nobody will run."""
NO_INTERVAL = "no interval: larger samples, or more d, would have to be run"
STEEPEST = 3.0
"""Exponent of the seconds of a fit in n, at most: that of a factorisation."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What to run next.

    Attributes
    ----------
    text : str
        What it is, why, and its price.
    hours : float
        Core-hours; infinite where they are not known.
    decides : bool
        Whether it would settle the criterion whatever its other figures are.
    """

    text: str
    hours: float = math.inf
    decides: bool = False


def next_experiment(
    criterion: Criterion, estimates: Sequence[IntervalEstimate], evidence: SuiteResults
) -> Experiment | None:
    """The one that decides most about these open figures.

    A figure that may contradict decides alone, and the cheapest such comes first. Else all of them have to
    come out, and the one that takes the most says what that takes.
    """
    options = [_of_figure(criterion, estimate, evidence) for estimate in estimates]
    if not options:
        return None
    alone = [option for option in options if option.decides]
    if alone or len(options) == 1:
        return min(alone or options, key=lambda option: option.hours)
    dearest = max(options, key=lambda option: option.hours)
    return dataclasses.replace(dearest, text=f"{dearest.text} ({len(options) - 1} more figures are open)")


def of_missing_units(
    criterion: Criterion, missing: Mapping[tuple[str, str, int | None], int], evidence: SuiteResults
) -> Experiment:
    """To run the units that are not there: which they are, and what they take by their cost laws."""
    dims: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for learner, target, d in sorted(missing, key=lambda cell: (*cell[:2], cell[2] or 0)):
        dims[learner, target].append(d)
    cells = [f"{learner} on {target}{_at(found)}" for (learner, target), found in dims.items()]
    hours = sum(evidence.prices.get(cell, 0.0) for cell in missing) / 3600
    chosen = [f"--learner={learner}" for learner in dict.fromkeys(learner for learner, _ in dims)]
    chosen += [f"--target={target}" for target in dict.fromkeys(target for _, target in dims)]
    at = sorted({d for d in (d for _, _, d in missing) if d is not None})
    if all(d is not None for _, _, d in missing):
        chosen += [f"--d={d}" for d in at]
    command = shlex.join(["hierbench", "run", criterion.suite, *chosen])
    return _run(cells, sum(missing.values()), hours, command)


def of_missing_experiments(criterion: Criterion, evidence: SuiteResults) -> Experiment:
    """The same of what is not a learning curve."""
    labels = [label for label in criterion.experiments if evidence.missing_experiments.get(label)]
    hours = sum(evidence.experiment_prices.get(label, 0.0) for label in labels) / 3600
    chosen = [f"--experiment={label}" for label in labels]
    command = shlex.join(["hierbench", "run", criterion.suite, *chosen])
    count = sum(evidence.missing_experiments[label] for label in labels)
    return _run(labels, count, hours, command)


def _run(cells: Sequence[str], count: int, hours: float, command: str) -> Experiment:
    price = f", about {hours:.2g} core-hours" if hours > 0 else ""
    units = "unit is" if count == 1 else "units are"
    return Experiment(f"{count} {units} missing: {'; '.join(cells)}{price}: {command}", hours or math.inf)


def _at(dims: Sequence[int | None]) -> str:
    known = [str(d) for d in dims if d is not None]
    return f", d = {', '.join(known)}" if known else ""


def _of_figure(criterion: Criterion, estimate: IntervalEstimate, evidence: SuiteResults) -> Experiment:
    rows = [
        row
        for row in evidence.rows
        if (row.learner, row.target) in estimate.cells and (not estimate.dims or row.d in estimate.dims)
    ]
    censored = estimate.value is None or bool(estimate.note)
    if censored and (wider := _wider(estimate, rows, evidence)):
        found = wider
    else:
        found = narrower(estimate, criterion.bounds, rows)
    return dataclasses.replace(found, text=f"{estimate.label}: {found.text}")


def _wider(estimate: IntervalEstimate, rows: Sequence[Row], evidence: SuiteResults) -> Experiment | None:
    """Larger samples, where n* is beyond the largest of a side; None where that is not what is in the way."""
    of_suite = dataclasses.replace(evidence, rows=rows)
    sides, hours = [], 0.0
    for (learner, target), epsilon in itertools.product(dict.fromkeys(estimate.cells), estimate.epsilons):
        out = [s for s in stars_of(of_suite, learner, target, epsilon) if s.censoring == "right"]
        for d in sorted({s.d for s in out}):
            cell = [r for r in rows if (r.learner, r.target, r.d) == (learner, target, d)]
            missed = {s.replicate for s in out if s.d == d}
            hours += _doubled([r for r in cell if r.replicate in missed]) / 3600
        if out:
            largest = f"{max(s.lower for s in out):.0f}"
            at = _at(sorted({s.d for s in out}))
            sides.append(f"{learner} does not reach {epsilon.label} on {target}{at} with n up to {largest}")
    if not sides:
        return None
    price = f" take about {hours:.2g} core-hours and" if hours > 0 else ""
    said = f"{'; '.join(sides)}: sizes twice as large{price} may show where n* is"
    return Experiment(said, hours or math.inf)


def _doubled(rows: Sequence[Row]) -> float:
    """Seconds of one more size of each replicate, twice its largest, at the growth of the cell's seconds."""
    timed = [(r.n, (r.fit_seconds or 0.0) + (r.predict_seconds or 0.0)) for r in rows]
    known = [(n, seconds) for n, seconds in timed if seconds > 0]
    largest: dict[Replicate, tuple[int, float]] = {}
    for row, (n, seconds) in zip(rows, timed, strict=True):
        largest[row.replicate] = max(largest.get(row.replicate, (0, 0.0)), (n, seconds))
    power = 1.0
    if len({n for n, _ in known}) > 1:
        x, y = np.log(np.array(known)).T
        power = float(np.clip(np.polyfit(x, y, 1)[0], 0.0, STEEPEST))
    return sum(seconds for _, seconds in largest.values()) * 2**power


def narrower(estimate: IntervalEstimate, bounds: Bounds, rows: Sequence[Row] = ()) -> Experiment:
    """More replicates: how far the interval reaches, how near the bound is, and how many tell them apart.

    An interval's half-length falls like one over the root of the number of independent replicates. Where
    those of one d, or runs of one seed, scatter together it takes as many more of these instead.
    """
    value = estimate.value
    if value is None:
        return Experiment(NO_INTERVAL)
    below, above = value - estimate.low, estimate.high - value
    if value > bounds.high:
        pairs, word = [(value - bounds.high, below)], "contradicted"
    elif value < bounds.low:
        pairs, word = [(bounds.low - value, above)], "contradicted"
    else:
        pairs, word = [(value - bounds.low, below), (bounds.high - value, above)], "supported"
    pairs = [pair for pair in pairs if math.isfinite(pair[0])]
    if not all(math.isfinite(half) for _, half in pairs):
        return Experiment(NO_INTERVAL)
    if all(half < distance for distance, half in pairs):
        return Experiment(f"{word} alone, but not at the level that one of several figures is asked at")
    times = max((half / distance) ** 2 if distance else math.inf for distance, half in pairs)
    if times > MOST_TIMES:
        return Experiment(
            f"the figure is at its bound: {MOST_TIMES} times as many replicates would not tell them apart"
        )
    distance, half = max(pairs, key=lambda pair: pair[1] / pair[0])
    times = math.ceil(10 * times - 1e-9) / 10
    counted, whole = _counted(rows, times)
    hours = sum((r.fit_seconds or 0.0) + (r.predict_seconds or 0.0) for r in rows) / 3600 * (whole - 1)
    price = f", about {hours:.2g} core-hours more," if hours > 0 else ""
    return Experiment(
        f"the interval reaches {half:.2g} from the figure, and the bound is {distance:.2g} away: were the "
        f"figure to stay, {times:.1f} times as many replicates{counted}{price} would make it {word}",
        hours or math.inf,
        decides=word == "contradicted",
    )


def _counted(rows: Sequence[Row], times: float) -> tuple[str, float]:
    """How many replicates that would be, in whole blocks, how many d instead, and by what factor.

    More d, where the replicates of one d are off together.
    """
    replicates: dict[tuple[str, str, int], set[Replicate]] = defaultdict(set)
    for row in rows:
        replicates[row.learner, row.target, row.d].add(row.replicate)
    if not replicates:
        return "", times
    fewest = min(map(len, replicates.values()))
    dims = len({d for _, _, d in replicates})
    wanted = math.ceil(times * fewest / REPLICATES_PER_BLOCK) * REPLICATES_PER_BLOCK
    said = f"{wanted} a d where there are {fewest}"
    if dims >= 3:
        said += f"; where those of one d are off together, {math.ceil(times * dims)} d instead of {dims}"
    return f" ({said})", max(times, wanted / fewest)
