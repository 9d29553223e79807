"""Quantities of learning curves: from the rows of a suite to one figure for every cell of a criterion."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy

from hierbench.benchmarks.claims.criteria import Criterion
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.exponents import Exponent, dimension_slope, exponent
from hierbench.benchmarks.statistics.interval_estimate import (
    IntervalEstimate,
    difference,
    mean_estimate,
    share_estimate,
)
from hierbench.benchmarks.statistics.interval_regression import fit_interval_regression
from hierbench.benchmarks.statistics.sample_complexity import NStar, n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import FITTED, Replicate, Row
from hierbench.targets.base import polynomial_dimension

LAST = 10.0
"""The end of a learning curve: its sizes above n_max / LAST."""
LEAST_DIMENSIONS = 3
"""Two d show no law."""


def _rows(evidence: SuiteResults, learner: str, target: str) -> list[Row]:
    return [r for r in evidence.rows if (r.learner, r.target) == (learner, target)]


def _stars(evidence: SuiteResults, learner: str, target: str, epsilon: Epsilon) -> tuple[list[NStar], int]:
    rows = _rows(evidence, learner, target)
    return n_stars(rows, evidence.certificates, [epsilon]), len(rows)


def stars_of(evidence: SuiteResults, learner: str, target: str, epsilon: Epsilon) -> list[NStar]:
    """N* of one learner on one target at one error, at every d and replicate."""
    return _stars(evidence, learner, target, epsilon)[0]


def _label(learner: str, target: str, epsilon: Epsilon | None = None, d: int | None = None) -> str:
    parts = [f"{learner} on {target}", f"d = {d}" if d else "", epsilon.label if epsilon else ""]
    return ", ".join(part for part in parts if part)


def _slope(
    evidence: SuiteResults, name: _Name, law: _Law, confidence: float, dims: Sequence[int] | None = None
) -> IntervalEstimate:
    """Slope over the dimensions ``dims``, by default over all."""
    if dims is not None:
        evidence = dataclasses.replace(evidence, rows=[r for r in evidence.rows if r.d in dims])
    stars, count = _stars(evidence, *name)
    fit = law(stars, confidence)
    note = "" if fit.kind == "estimate" else fit.reason
    if fit.kind == "lower bound":
        note += " (a bound without a confidence level)"
    return IntervalEstimate(
        _label(*name), fit.value, fit.low, fit.high, count, note, (name[:2],), tuple(dims or ()), name[2:]
    )


def _slope_difference(
    evidence: SuiteResults, label: str, above: _Name, below: _Name, confidence: float
) -> IntervalEstimate:
    """Exponent of one less that of the other, both over the d at which n* of both is known or bounded.

    A line that bends has another slope at larger d: each over its own d they would not be of one law.
    """
    known = [{s.d for s in _stars(evidence, *name)[0] if s.informative} for name in (above, below)]
    dims = sorted(set.intersection(*known))
    if len(dims) < LEAST_DIMENSIONS:
        note = f"{len(dims)} of the {LEAST_DIMENSIONS} d in common that a comparison of exponents needs"
        cells, epsilons = (above[:2], below[:2]), (above[2], below[2])
        return IntervalEstimate(label, note=note, cells=cells, epsilons=epsilons)
    slopes = [_slope(evidence, name, exponent, confidence, dims) for name in (above, below)]
    return difference(f"{label}, d = {', '.join(map(str, dims))}", *slopes)


_Name = tuple[str, str, Epsilon]
_Law = Callable[[Sequence[NStar], float], Exponent]


def _names(criterion: Criterion) -> Iterator[tuple[str, str, Epsilon]]:
    return itertools.product(criterion.learners, criterion.targets, criterion.epsilons)


def exponent_in_d(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
    """Exponent of n* in d."""
    return [_slope(evidence, name, exponent, confidence) for name in _names(criterion)]


def slope_in_dimension(
    evidence: SuiteResults, criterion: Criterion, confidence: float
) -> list[IntervalEstimate]:
    """Slope of log n* in the logarithm of the dimension of the polynomials that epsilon asks for."""
    return [_slope(evidence, name, dimension_slope, confidence) for name in _names(criterion)]


def exponent_excess(
    evidence: SuiteResults, criterion: Criterion, confidence: float
) -> list[IntervalEstimate]:
    """Exponent of n* in d minus that of the reference learner, over the d that both have."""
    excesses = []
    for learner, target, epsilon in _names(criterion):
        assert criterion.reference is not None
        label = f"{_label(learner, target, epsilon)} less {criterion.reference}"
        names = (learner, target, epsilon), (criterion.reference, target, epsilon)
        excesses.append(_slope_difference(evidence, label, *names, confidence))
    return excesses


def exponent_growth(
    evidence: SuiteResults, criterion: Criterion, confidence: float
) -> list[IntervalEstimate]:
    """Exponent of n* in d minus that at the first of two (target, epsilon), over the d that both have."""
    first, last = itertools.product(criterion.targets, criterion.epsilons)
    label = _short(criterion)
    return [
        _slope_difference(evidence, f"{one}: {label}", (one, *last), (one, *first), confidence)
        for one in criterion.learners
    ]


def _short(criterion: Criterion) -> str:
    """What the two cells of a pair differ in, the first one last."""
    first, last = itertools.product(criterion.targets, criterion.epsilons)
    texts = [f"{target}, {epsilon.label}" for target, epsilon in (last, first)]
    return " against ".join(texts)


def n_star_ratios(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
    """n* over that of the reference, or at the second of two (target, epsilon) over the first, at each d.

    A learner and its reference are compared on the replicates that both have: n* differs by more between
    targets than between most learners.
    """
    ratios = []
    for learner in criterion.learners:
        pairs: list[tuple[str, tuple[str, str, Epsilon], tuple[str, str, Epsilon]]] = []
        if criterion.reference is None:
            first, last = itertools.product(criterion.targets, criterion.epsilons)
            pairs.append((f"{learner}: {_short(criterion)}", (learner, *last), (learner, *first)))
        else:
            for cell in itertools.product(criterion.targets, criterion.epsilons):
                label = f"{_label(learner, *cell)} over {criterion.reference}"
                pairs.append((label, (learner, *cell), (criterion.reference, *cell)))
        for label, upper, lower in pairs:
            cells, epsilons = (upper[:2], lower[:2]), tuple(dict.fromkeys((upper[2], lower[2])))
            (above, m), (below, n) = _stars(evidence, *upper), _stars(evidence, *lower)
            for d in sorted({s.d for s in above} & {s.d for s in below}):
                above_at_d, below_at_d = [s for s in above if s.d == d], [s for s in below if s.d == d]
                if criterion.reference is not None:
                    above_at_d, below_at_d = _in_common(above_at_d, below_at_d)
                ratio = n_star_ratio(f"{label}, d = {d}", above_at_d, below_at_d, confidence, m + n)
                ratios.append(dataclasses.replace(ratio, cells=cells, dims=(d,), epsilons=epsilons))
            if not any(estimate.label.startswith(label) for estimate in ratios):
                ratios.append(IntervalEstimate(label, note="no d in common", cells=cells))
    return ratios


def _in_common(*sides: Sequence[NStar]) -> Iterator[list[NStar]]:
    """Of each side, those whose replicate every side knows n* of, or a bound."""
    common = set.intersection(*({s.replicate for s in side if s.informative} for side in sides))
    return ([s for s in side if s.replicate in common] for side in sides)


def n_star_ratio(
    label: str, above: Sequence[NStar], below: Sequence[NStar], confidence: float, n_rows: int = 0
) -> IntervalEstimate:
    """Ratio of two n*, geometric means over replicates, at one d.

    Method: log n* = a + b x, x = 1 for ``above`` and 0 for ``below``, by interval-censored log-normal
    regression with its profile likelihood (``interval_regression``); the ratio is exp(b). Each side needs
    two bracketed replicates.
    Where one side has none and is out of reach for all its replicates, and the other side gets there with
    all of its own, there is a bound, from the extreme ends and without a confidence level.
    """
    sides = [[s for s in side if s.informative] for side in (above, below)]
    bracketed = [sum(s.censoring == "bracketed" for s in side) for side in sides]
    if min(bracketed) >= 2:
        usable_stars = sides[0] + sides[1]
        x = np.array([1.0] * len(sides[0]) + [0.0] * len(sides[1]))
        with np.errstate(divide="ignore"):
            lower, upper = np.log([s.lower for s in usable_stars]), np.log([s.upper for s in usable_stars])
        count = sum(bracketed)
        quantile = float(scipy.stats.f.ppf(confidence, 1, count - 2))
        fit = fit_interval_regression(x, lower, upper, 0.5 * count * math.log1p(quantile / (count - 2)))
        return IntervalEstimate(
            label, math.exp(fit.slope), math.exp(fit.slope_low), math.exp(fit.slope_high), n_rows
        )
    if not all(sides):
        return IntervalEstimate(label, n_rows=n_rows, note="no n* known on one side")
    ends = [(min(s.lower for s in side), max(s.upper for s in side)) for side in sides]
    low = ends[0][0] / ends[1][1]
    high = ends[0][1] / ends[1][0] if ends[1][0] > 0 else math.inf
    note = "censored: a bound from extreme ends, without a confidence level"
    return IntervalEstimate(label, None, low if low > 0 else -math.inf, high, n_rows, note)


def share_reached(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
    """Share of curves that reach epsilon, with its exact interval."""
    shares = []
    for learner, target, epsilon in _names(criterion):
        stars, count = _stars(evidence, learner, target, epsilon)
        usable_stars = [s for s in stars if s.informative]
        label = _label(learner, target, epsilon)
        if not usable_stars:
            shares.append(IntervalEstimate(label, n_rows=count, note="undefined, or no usable row"))
            continue
        share = share_estimate(label, [s.censoring != "right" for s in usable_stars], confidence)
        note = "" if share.value == 1.0 else "the others may reach it with more samples"
        of: dict[str, Any] = {"cells": ((learner, target),), "epsilons": (epsilon,)}
        shares.append(dataclasses.replace(share, high=1.0, n_rows=count, note=note, **of))
    return shares


def share_beyond_dimension(
    evidence: SuiteResults, criterion: Criterion, confidence: float
) -> list[IntervalEstimate]:
    """Share of replicates whose n* is beyond N_p, p the degree that epsilon asks for, at each d.

    N_p is the number of polynomials of degree at most p under the law of the inputs.

    Bounds of n* count: one that lies above that number is beyond it, whatever n* is. A replicate of which
    neither is known counts as not beyond for the lower end and as beyond for the upper end of the interval
    (Clopper & Pearson).
    """
    shares = []
    for learner, target, epsilon in _names(criterion):
        stars, _ = _stars(evidence, learner, target, epsilon)
        usable = [s for s in stars if s.informative and s.degree_needed]
        for d in sorted({s.d for s in usable}):
            cell = [s for s in usable if s.d == d]
            counts = [polynomial_dimension(d, s.degree_needed or 0, s.inputs) for s in cell]
            beyond = [s.lower >= count for s, count in zip(cell, counts, strict=True)]
            within = [s.upper <= count for s, count in zip(cell, counts, strict=True)]
            label = _label(learner, target, epsilon, d)
            least = share_estimate(label, beyond, confidence)
            most = share_estimate(label, [not w for w in within], confidence)
            of: dict[str, Any] = {"cells": ((learner, target),), "dims": (d,), "epsilons": (epsilon,)}
            shares.append(dataclasses.replace(least, high=most.high, **of))
        if not usable:
            note = "undefined, or no usable row"
            shares.append(IntervalEstimate(_label(learner, target, epsilon), note=note))
    return shares


STEP = 3.5
"""A step of a learning curve: sizes at least so many times apart."""
FALL = 0.6
"""What is left of an error that falls at such a step: one that goes like 1 / sqrt(n) leaves 0.5."""


def share_falling(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
    """Share of curves whose error falls to ``FALL`` of itself at every step to a size four times as large.

    A curve is the unit: its steps have sizes in common. One with a row that failed does not fall; unreliable
    rows count, as in ``final_slopes``.
    """
    shares = []
    for learner, target in itertools.product(criterion.learners, criterion.targets):
        rows = _rows(evidence, learner, target)
        for d in sorted({r.d for r in rows}):
            here = [r for r in rows if r.d == d]
            failed = {r.replicate for r in here if r.status not in FITTED}
            falls = [False] * len(failed)
            for name, curve in _points(here).items():
                pairs = [
                    (e, f)
                    for (n, e), (m, f) in itertools.combinations(curve, 2)
                    if STEP <= math.exp(m - n) < STEP**2
                ]
                if name not in failed and pairs:
                    falls.append(all(f <= e + math.log(FALL) for e, f in pairs))
            label = _label(learner, target, d=d)
            if falls:
                share = share_estimate(label, falls, confidence)
                shares.append(dataclasses.replace(share, cells=((learner, target),), dims=(d,)))
            else:
                shares.append(IntervalEstimate(label, note="no two sizes four times apart"))
    return shares


def _points(rows: Sequence[Row]) -> dict[Replicate, list[tuple[float, float]]]:
    """Log n and log error of every replicate, from the smallest size up."""
    curves: dict[Replicate, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.status in FITTED and row.error is not None and 0 < row.error < math.inf:
            curves[row.replicate].append((math.log(row.n), math.log(row.error)))
    return {name: sorted(points) for name, points in curves.items()}


def final_slopes(rows: Sequence[Row]) -> dict[Replicate, float]:
    """Slope of log error in log n of every replicate over the end of its curve (sizes above n_max / 10).

    Least squares, three sizes at least that span a factor of four; rows that are unreliable count,
    since a slope over a decade hardly hangs on a tenth of an error. Others have no error to count.
    """
    slopes = {}
    for name, points in _points(rows).items():
        end = [p for p in points if p[0] > points[-1][0] - math.log(LAST)]
        if len(end) >= 3 and end[-1][0] - end[0][0] >= math.log(4):
            slopes[name] = float(scipy.stats.linregress([x for x, _ in end], [y for _, y in end]).slope)
    return slopes


def final_slope(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
    """Mean over replicates of the slope of log error in log n at the end of the curves, at each d."""
    estimates = []
    for learner, target in itertools.product(criterion.learners, criterion.targets):
        rows = _rows(evidence, learner, target)
        for d in sorted({r.d for r in rows}):
            rows_at_d = [r for r in rows if r.d == d]
            slopes, label = final_slopes(rows_at_d), _label(learner, target, d=d)
            values, count = list(slopes.values()), len(rows_at_d)
            if criterion.reference is not None:
                beside = [r for r in _rows(evidence, criterion.reference, target) if r.d == d]
                others = final_slopes(beside)
                values = [slope - others[name] for name, slope in slopes.items() if name in others]
                label, count = f"{label} less {criterion.reference}", count + len(beside)
            mean = mean_estimate(label, values, confidence, count)
            estimates.append(dataclasses.replace(mean, cells=((learner, target),), dims=(d,)))
    return estimates
