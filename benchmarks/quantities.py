"""The figures that claims are decided on: from rows to numbers with their intervals.

Every quantity takes the evidence of one suite, a criterion and a confidence level, and gives one
figure for every cell that the criterion names: what rows do not identify is a figure without ends.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from hierbench.benchmarks.claims import Criterion
from hierbench.benchmarks.evidence import Evidence
from hierbench.benchmarks.exponents import Exponent, dimension_slope, exponent
from hierbench.benchmarks.interval_regression import fit_interval_regression
from hierbench.benchmarks.rows import Replicate, Row
from hierbench.benchmarks.sample_complexity import Epsilon, NStar, n_stars

LAST = 10.0
"""The end of a learning curve: its sizes above n_max / LAST."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number with its interval; an infinite end is one that the rows leave open.

    Attributes
    ----------
    label : str
        Learner, target, epsilon.
    value : float or None
        None where there is a bound only, or nothing.
    n_rows : int
        Rows that it stands on.
    note : str
        Why there is no value.
    """

    label: str
    value: float | None = None
    low: float = -math.inf
    high: float = math.inf
    n_rows: int = 0
    note: str = ""

    def text(self) -> str:
        """The number with its interval, or the bound, or the reason why there is neither."""
        if self.value is None:
            bounded = [f">= {self.low:.3g}"] * math.isfinite(self.low)
            bounded += [f"<= {self.high:.3g}"] * math.isfinite(self.high)
            return " and ".join(bounded) or self.note or "unidentified"
        low = f"{self.low:.3g}" if math.isfinite(self.low) else "-inf"
        high = f"{self.high:.3g}" if math.isfinite(self.high) else "inf"
        return f"{self.value:.3g} [{low}, {high}]"


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A quantity, and what a criterion has to give it.

    Attributes
    ----------
    meaning : str
        In words, for tables.
    epsilons : bool
        Whether it is about n*.
    compares : str
        "nothing"; "reference": with another learner; "pair": the last of two (target, epsilon) with the
        first; "either": one of the two.
    measured : str
        For what is about experiments, and not about learning curves: its ``module:function`` in
        hierbench.benchmarks.correction.
    """

    meaning: str
    figures: Callable[[Evidence, Criterion, float], list[Figure]]
    epsilons: bool = True
    compares: Literal["nothing", "reference", "pair", "either"] = "nothing"
    measured: str = ""

    def check(self, criterion: Criterion) -> None:
        """ValueError where the criterion does not give what is needed."""
        if bool(criterion.experiments) != bool(self.measured):
            need = "needs experiments" if self.measured else "takes no experiments"
            raise ValueError(f"{criterion.quantity} {need}")
        if bool(criterion.epsilons) != self.epsilons:
            need = "needs epsilons or relative_epsilons" if self.epsilons else "takes no epsilons"
            raise ValueError(f"{criterion.quantity} {need}")
        pair = len(criterion.targets) * len(criterion.epsilons) == 2
        given = "reference" if criterion.reference else "pair" if pair else "nothing"
        if self.compares == "nothing" and criterion.reference:
            raise ValueError(f"{criterion.quantity} takes no reference")
        if self.compares == "reference" and given != "reference":
            raise ValueError(f"{criterion.quantity} needs a reference")
        lacks_pair = self.compares == "pair" and given != "pair"
        if lacks_pair or (self.compares == "either" and given == "nothing"):
            also = "a reference, or " if self.compares == "either" else "no reference and "
            raise ValueError(f"{criterion.quantity} needs {also}two pairs of target and epsilon")


def difference(label: str, a: Figure, b: Figure) -> Figure:
    """a - b with its interval, from those of a and b.

    Method: each half-length is the root of the sum of squares of the two half-lengths that push the
    difference that way (method of variance estimates recovery: Zou & Donner, Statist. Med. 27, 2008),
    which keeps asymmetric intervals. It takes a and b as independent; data in common, which correlates
    them positively, makes it too wide. Where one of them has no value the ends are subtracted.
    """
    low, high = a.low - b.high, a.high - b.low
    value = None
    if a.value is not None and b.value is not None:
        value = a.value - b.value
        low = value - math.hypot(a.value - a.low, b.high - b.value)
        high = value + math.hypot(a.high - a.value, b.value - b.low)
    note = "; ".join(f"{f.label}: {f.note}" for f in (a, b) if f.note)
    return Figure(label, value, low, high, a.n_rows + b.n_rows, note)


def mean_figure(label: str, values: Sequence[float], confidence: float, n_rows: int) -> Figure:
    """Mean over independent replicates with Student's interval; three of them at least."""
    if len(values) < 3:
        note = f"{len(values)} of the 3 replicates that an interval needs"
        return Figure(label, n_rows=n_rows, note=note)
    centre = float(np.mean(values))
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values))
    return Figure(label, centre, centre - half, centre + half, n_rows)


def share_figure(label: str, outcomes: Sequence[bool], confidence: float) -> Figure:
    """A share of independent runs with its exact interval (Clopper & Pearson, Biometrika 26, 1934)."""
    found = stats.binomtest(sum(outcomes), len(outcomes)).proportion_ci(confidence, method="exact")
    return Figure(label, sum(outcomes) / len(outcomes), float(found.low), float(found.high), len(outcomes))


def _rows(evidence: Evidence, learner: str, target: str) -> list[Row]:
    return [r for r in evidence.rows if (r.learner, r.target) == (learner, target)]


def _stars(evidence: Evidence, learner: str, target: str, epsilon: Epsilon) -> tuple[list[NStar], int]:
    rows = _rows(evidence, learner, target)
    return n_stars(rows, evidence.certificates, [epsilon]), len(rows)


def _label(learner: str, target: str, epsilon: Epsilon | None = None, d: int | None = None) -> str:
    parts = [f"{learner} on {target}", f"d = {d}" if d else "", epsilon.label if epsilon else ""]
    return ", ".join(part for part in parts if part)


def _slope(evidence: Evidence, name: tuple[str, str, Epsilon], law: _Law, confidence: float) -> Figure:
    stars, count = _stars(evidence, *name)
    found = law(stars, confidence)
    note = "" if found.kind == "estimate" else found.reason
    if found.kind == "lower bound":
        note += " (a bound without a confidence level)"
    return Figure(_label(*name), found.value, found.low, found.high, count, note)


_Law = Callable[[Sequence[NStar], float], Exponent]


def _names(criterion: Criterion) -> Iterator[tuple[str, str, Epsilon]]:
    return itertools.product(criterion.learners, criterion.targets, criterion.epsilons)


def _exponent(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    return [_slope(evidence, name, exponent, confidence) for name in _names(criterion)]


def _dimension_slope(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    return [_slope(evidence, name, dimension_slope, confidence) for name in _names(criterion)]


def _exponent_excess(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    found = []
    for learner, target, epsilon in _names(criterion):
        assert criterion.reference is not None
        own = _slope(evidence, (learner, target, epsilon), exponent, confidence)
        other = _slope(evidence, (criterion.reference, target, epsilon), exponent, confidence)
        found.append(difference(f"{_label(learner, target, epsilon)} less {criterion.reference}", own, other))
    return found


def _exponent_growth(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    found = []
    for learner in criterion.learners:
        cells = [
            _slope(evidence, (learner, *cell), exponent, confidence)
            for cell in itertools.product(criterion.targets, criterion.epsilons)
        ]
        found.append(difference(f"{learner}: {_short(criterion)}", cells[1], cells[0]))
    return found


def _short(criterion: Criterion) -> str:
    """What the two cells of a pair differ in, the first one last."""
    first, last = itertools.product(criterion.targets, criterion.epsilons)
    texts = [f"{target}, {epsilon.label}" for target, epsilon in (last, first)]
    return " against ".join(texts)


def _n_star_ratio(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    found = []
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
            (above, m), (below, n) = _stars(evidence, *upper), _stars(evidence, *lower)
            for d in sorted({s.d for s in above} & {s.d for s in below}):
                own, other = [s for s in above if s.d == d], [s for s in below if s.d == d]
                found.append(n_star_ratio(f"{label}, d = {d}", own, other, confidence, m + n))
            if not any(figure.label.startswith(label) for figure in found):
                found.append(Figure(label, note="no d in common"))
    return found


def n_star_ratio(
    label: str, above: Sequence[NStar], below: Sequence[NStar], confidence: float, n_rows: int = 0
) -> Figure:
    """Ratio of two n*, geometric means over replicates, at one d.

    Method: log n* = a + b x, x = 1 for ``above`` and 0 for ``below``, by interval-censored log-normal
    regression with its profile likelihood (``interval_regression``); the ratio is exp(b). Each side needs
    two bracketed replicates.
    Where one side has none and is out of reach for all its replicates, and the other side gets there with
    all of its own, there is a bound, from the extreme ends and without a confidence level.
    """
    sides = [[s for s in side if s.censoring in ("bracketed", "left", "right")] for side in (above, below)]
    bracketed = [sum(s.censoring == "bracketed" for s in side) for side in sides]
    if min(bracketed) >= 2:
        known = sides[0] + sides[1]
        x = np.array([1.0] * len(sides[0]) + [0.0] * len(sides[1]))
        with np.errstate(divide="ignore"):
            lower, upper = np.log([s.lower for s in known]), np.log([s.upper for s in known])
        count = sum(bracketed)
        quantile = float(stats.f.ppf(confidence, 1, count - 2))
        fit = fit_interval_regression(x, lower, upper, 0.5 * count * math.log1p(quantile / (count - 2)))
        return Figure(label, math.exp(fit.slope), math.exp(fit.slope_low), math.exp(fit.slope_high), n_rows)
    if not all(sides):
        return Figure(label, n_rows=n_rows, note="no n* known on one side")
    ends = [(min(s.lower for s in side), max(s.upper for s in side)) for side in sides]
    low = ends[0][0] / ends[1][1]
    high = ends[0][1] / ends[1][0] if ends[1][0] > 0 else math.inf
    note = "censored: a bound from extreme ends, without a confidence level"
    return Figure(label, None, low if low > 0 else -math.inf, high, n_rows, note)


def _reached(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    found = []
    for learner, target, epsilon in _names(criterion):
        stars, count = _stars(evidence, learner, target, epsilon)
        known = [s for s in stars if s.censoring in ("bracketed", "left", "right")]
        label = _label(learner, target, epsilon)
        if not known:
            found.append(Figure(label, n_rows=count, note="undefined, or no usable row"))
            continue
        share = share_figure(label, [s.censoring != "right" for s in known], confidence)
        note = "" if share.value == 1.0 else "the others may get there with more samples"
        found.append(dataclasses.replace(share, high=1.0, n_rows=count, note=note))
    return found


def final_slopes(rows: Sequence[Row]) -> dict[Replicate, float]:
    """Slope of log error in log n of every replicate over the end of its curve (sizes above n_max / 10).

    Least squares, three sizes at least that span a factor of four; rows that are unreliable count,
    since a slope over a decade hardly hangs on a tenth of an error. Others have no error to count.
    """
    curves: dict[Replicate, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.status in ("ok", "unreliable") and row.error is not None and 0 < row.error < math.inf:
            curves[row.replicate].append((math.log(row.n), math.log(row.error)))
    found = {}
    for name, points in curves.items():
        last = max(x for x, _ in points)
        end = sorted(p for p in points if p[0] > last - math.log(LAST))
        if len(end) >= 3 and end[-1][0] - end[0][0] >= math.log(4):
            found[name] = float(stats.linregress([x for x, _ in end], [y for _, y in end]).slope)
    return found


def _final_slope(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
    found = []
    for learner, target in itertools.product(criterion.learners, criterion.targets):
        rows = _rows(evidence, learner, target)
        for d in sorted({r.d for r in rows}):
            own = [r for r in rows if r.d == d]
            slopes, label = final_slopes(own), _label(learner, target, d=d)
            values, count = list(slopes.values()), len(own)
            if criterion.reference is not None:
                beside = [r for r in _rows(evidence, criterion.reference, target) if r.d == d]
                others = final_slopes(beside)
                values = [slope - others[name] for name, slope in slopes.items() if name in others]
                label, count = f"{label} less {criterion.reference}", count + len(beside)
            found.append(mean_figure(label, values, confidence, count))
    return found


def _measured(meaning: str, path: str) -> Quantity:
    """A quantity of each experiment by itself: ``module:function`` in hierbench.benchmarks.correction."""

    def figures(evidence: Evidence, criterion: Criterion, confidence: float) -> list[Figure]:
        module, _, name = path.partition(":")
        function = getattr(importlib.import_module(f"hierbench.benchmarks.correction.{module}"), name)
        found = []
        for label in criterion.experiments:
            figure: Figure = function(evidence.measurements[label], confidence)
            named = f"{label}: {figure.label}" if figure.label else label
            found.append(dataclasses.replace(figure, label=named))
        return found

    return Quantity(meaning, figures, epsilons=False, measured=path)


QUANTITIES = {
    "exponent": Quantity("exponent of n* in d", _exponent),
    "exponent_excess": Quantity(
        "exponent of n* in d, less that of the reference", _exponent_excess, compares="reference"
    ),
    "exponent_growth": Quantity(
        "exponent of n* in d, less that at the first of two cells", _exponent_growth, compares="pair"
    ),
    "dimension_slope": Quantity("slope of log n* in log C(d+p, p)", _dimension_slope),
    "n_star_ratio": Quantity(
        "n* over that of the reference, or over that at the first of two cells",
        _n_star_ratio,
        compares="either",
    ),
    "reached": Quantity("share of curves that reach epsilon", _reached),
    "final_slope": Quantity(
        "slope of log error in log n over the last decade of n", _final_slope, epsilons=False
    ),
    "final_slope_excess": Quantity(
        "slope over the last decade less that of the reference, paired by replicate",
        _final_slope,
        epsilons=False,
        compares="reference",
    ),
    "first_level_slope_before": _measured(
        "power of alpha in level 1's angle, first round", "exact_trace_quantities:first_level_before"
    ),
    "first_level_slope_after": _measured(
        "power of alpha in level 1's angle, corrected once", "exact_trace_quantities:first_level_after"
    ),
    "second_level_slope_before": _measured(
        "power of alpha in the error of level 2, first round", "exact_trace_quantities:second_level_before"
    ),
    "second_level_slope_after": _measured(
        "power of alpha in the error of level 2, corrected once", "exact_trace_quantities:second_level_after"
    ),
    "second_level_own_slope_before": _measured(
        "power of alpha in level 2's error relative to itself, first round",
        "exact_trace_quantities:second_level_own_before",
    ),
    "second_level_own_slope_after": _measured(
        "power of alpha in level 2's error relative to itself, corrected once",
        "exact_trace_quantities:second_level_own_after",
    ),
    "contraction_with_gap": _measured(
        "factor of a round in level 1's angle, alpha = 0.1", "plane_quantities:contraction_with_gap"
    ),
    "contraction_without_gap": _measured(
        "factor of a round in level 1's angle, alpha = 1.5", "plane_quantities:contraction_without_gap"
    ),
    "layerwise_floor_slope_in_alpha": _measured(
        "power of alpha in the floor of nets, read-outs refitted", "plane_quantities:layerwise_floor"
    ),
    "sequential_directions_floor_slope": _measured(
        "power of alpha in the floor of kernels on products of k directions",
        "plane_quantities:directions_floor",
    ),
    "sequential_all_directions_floor_slope": _measured(
        "the same on products of as many directions as the target has",
        "plane_quantities:all_directions_floor",
    ),
    "sequential_fits_floor_slope": _measured(
        "power of alpha in the floor of kernels on the first fit", "plane_quantities:fits_floor"
    ),
    "corrected_share": _measured(
        "share of runs of Algorithm 1 that correct level 1", "sgd_trace_quantities:corrected_share"
    ),
    "corrected_share_control": _measured("the same share at rho = 0", "sgd_trace_quantities:corrected_share"),
    "fallen_share": _measured(
        "share of runs whose angle of level 1 falls threefold", "sgd_trace_quantities:fallen_share"
    ),
    "gain_over_alone": _measured(
        "log10 of level 1's angle alone over that with level 2", "sgd_trace_quantities:gain_over_alone"
    ),
    "fall_after_next_level": _measured(
        "share of the fall of the lowest level's log error after the next one's halved",
        "sgd_trace_quantities:fall_after_next_level",
    ),
    "fall_after_next_level_learned": _measured(
        "the same by the next level's own directions", "sgd_trace_quantities:fall_after_next_level_learned"
    ),
    "holistic_gain": _measured(
        "log10 of the error with the third level above frozen ones, less that with all trained",
        "growth_quantities:holistic_gain",
    ),
    "holistic_gain_second": _measured(
        "the same at the second level", "growth_quantities:holistic_gain_second"
    ),
    "feature_gain": _measured(
        "log10 of lower levels' feature error before a level is added, less that after training all",
        "growth_quantities:feature_gain",
    ),
    "feature_gain_over_waiting": _measured(
        "the same against as long a training without the added level",
        "growth_quantities:feature_gain_over_waiting",
    ),
    "alignment_regularised": _measured(
        "|cosine| of what neurons show to what they should, norm fixed",
        "growth_quantities:alignment_regularised",
    ),
    "alignment_regularised_second": _measured(
        "the same of level 2 alone", "growth_quantities:alignment_regularised_second"
    ),
    "alignment_gain": _measured(
        "that less the same without regularisation", "growth_quantities:alignment_gain"
    ),
    "alignment_gain_second": _measured(
        "the same of level 2 alone", "growth_quantities:alignment_gain_second"
    ),
    "success_gain_width": _measured(
        "share of successes at width 8 k less that at k", "plane_quantities:success_gain_width"
    ),
    "success_gain_rows": _measured(
        "share of successes with 4 times the minimal rows of R less that with the minimum",
        "plane_quantities:success_gain_rows",
    ),
}
"""By the names that ``claims.toml`` calls them."""
