"""The statistics of the regression gate: what moved between two measurements of the same curves.

Rows of a baseline and of a candidate are paired cell by cell on common random numbers (the seeds
of a cell derive from the names of its axes), so that what targets and samples differ by cancels.
What is left between two sound versions of a net is the luck of its initialisation and of
rounding, and nothing at all for a kernel.

One unit is one drawn target at one d: the mean over its sizes (and over its replicates) of the log
ratio of the errors, or over the epsilons of the shift of log n*. Units are independent; under
the null that baseline and candidate are exchangeable their shifts are symmetric about 0, whatever the tails.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from scipy import optimize, stats

from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import FITTED, Replicate, Row

ShiftOf = Literal["error", "n*"]
ShiftVerdict = Literal["worse", "better", "same", "open"]
"""worse, better: shifted by more than what matters, among all curves at the stated false discovery rate;
same: equivalent within the margin; open: the data allow neither conclusion."""

SMALLEST_ERROR = 1e-10
"""Errors below count as this: an exact fit prints rounding, whose ratio means nothing."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What the gate promises, declared before any run.

    Parameters
    ----------
    rate : float
        False discovery rate over all curves and both quantities, for each direction by itself.
    matters : float
        Smallest factor that counts as a shift. Differences within it are never one, however sure: those
        of a deterministic learner on another machine, 1e-12 and all of one sign, included.
    margin : float
        Factor within which a curve is the same (two one-sided tests, each at 5 %).
    power : float
        At which the smallest visible shift is stated.
    trim : float
        Share of the units left out at each end: one run that went wrong decides nothing by itself.
    """

    rate: float = 0.05
    matters: float = 1.05
    margin: float = 1.25
    power: float = 0.8
    trim: float = 0.1


@dataclasses.dataclass(frozen=True)
class Broken:
    """A cell with an error on one side only."""

    learner: str
    target: str
    d: int
    replicate: tuple[int, int, int]
    n: int
    before: str
    after: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A trimmed mean of log shifts with its standard error, on ``freedom`` degrees of freedom."""

    mean: float
    se: float
    freedom: int
    units: int

    def p_above(self, bound: float) -> float:
        """One-sided p-value of "the shift is at most ``bound``"."""
        return self._tail(self.mean - bound)

    def p_below(self, bound: float) -> float:
        """One-sided p-value of "the shift is at least ``bound``"."""
        return self._tail(bound - self.mean)

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided confidence interval; infinite for one unit."""
        if self.freedom < 1:
            return -math.inf, math.inf
        half = float(stats.t.isf((1 - level) / 2, self.freedom)) * self.se
        return self.mean - half, self.mean + half

    def _tail(self, distance: float) -> float:
        if self.freedom < 1:
            return 1.0
        if self.se == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / self.se, self.freedom))


@dataclasses.dataclass(frozen=True)
class Shift:
    """What one curve (learner and target, over d and replicates) did. Factors are after / before.

    Attributes
    ----------
    low, high : float
        95 % confidence interval of ``factor``.
    q_worse, q_better : float
        p-values of "not worse (better) by more than what matters", adjusted over all curves.
    visible : float
        Smallest factor that would have been called worse with the rule's power, were it the only one
        among all curves; infinite for one unit.
    """

    learner: str
    target: str
    quantity: ShiftOf
    factor: float
    low: float
    high: float
    units: int
    q_worse: float
    q_better: float
    visible: float
    verdict: ShiftVerdict


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Shifts of all curves that have a pair of errors, cells that lost their error, cells that found one.

    ``pairs``: cells with an error on both sides.
    """

    shifts: tuple[Shift, ...]
    broken: tuple[Broken, ...]
    mended: tuple[Broken, ...]
    pairs: int

    @property
    def alarm(self) -> bool:
        """Whether the gate fails."""
        return bool(self.broken) or any(s.verdict == "worse" for s in self.shifts)


def trimmed_mean(values: Sequence[float], trim: float) -> Estimate:
    """Trimmed mean of a sample with its standard error.

    Method: the floor(trim m) smallest and largest of m values are left out; the standard error comes
    from the winsorised sum of squares over h (h - 1), h the number of values kept, on h - 1 degrees of
    freedom (Tukey & McLaughlin, Sankhya A 25, 1963; Yuen, Biometrika 61, 1974).

    Small samples: below 1 / trim values nothing is trimmed and this is Student's t. For symmetric
    distributions t is conservative the heavier the tails (Benjamini, JASA 78, 1983), and
    differences of exchangeable measurements are symmetric.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    m = len(ordered)
    cut = int(trim * m)
    middle = ordered[cut : m - cut]
    h = len(middle)
    winsorised = np.clip(ordered, middle[0], middle[-1])
    squares = float(np.square(winsorised - winsorised.mean()).sum())
    se = math.sqrt(squares / (h * (h - 1))) if h > 1 else math.inf
    return Estimate(float(middle.mean()), se, h - 1, m)


def visible_shift(estimate: Estimate, tests: int, rule: Rule) -> float:
    """Smallest log shift that is called with the rule's power, if no other of ``tests`` curves has moved.

    Method: the power of the one-sided t test of "at most what matters" at level rate / tests, which is where
    the step-up procedure puts a lone discovery, from the noncentral t distribution.

    Small samples: takes the standard error as known; with the few units of a gate it is itself uncertain by
    about 1 / sqrt(2 x degrees of freedom), 20 to 30 %.
    """
    if estimate.freedom < 1:
        return math.inf
    if estimate.se == 0:
        return math.log(rule.matters)
    critical = float(stats.t.isf(rule.rate / tests, estimate.freedom))

    def lacking(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, estimate.freedom, noncentrality)) - rule.power

    top = critical
    while lacking(top) < 0:
        top *= 1.5
    return math.log(rule.matters) + float(optimize.brentq(lacking, 0.0, top, xtol=1e-3)) * estimate.se


def compare(
    baseline: Iterable[Row],
    candidate: Iterable[Row],
    certificates: Certificates,
    epsilons: Sequence[Epsilon],
    rule: Rule | None = None,
) -> Comparison:
    """Every curve of ``candidate`` against the same curve of ``baseline``.

    Method: per curve and quantity a trimmed t test on the shifts of independent units, of "not worse
    by more than what matters" (a minimum-effect test: Murphy & Myors, J. Applied Psychology 84, 1999); the
    step-up procedure of Benjamini & Hochberg (JRSS B 57, 1995) over all of them, which holds its rate for
    tests that are independent or positively dependent (Benjamini & Yekutieli, Ann. Statist. 29, 2001), as the
    two quantities of one curve are; the same in the other direction; and two one-sided tests of
    equivalence (Schuirmann, J. Pharmacokin. Biopharm. 15, 1987).

    Cells that only one side has are left out. A cell that had an error and has none
    now (diverged, failed, timeout, skipped) is listed and fails the gate by itself.
    """
    rule = rule or Rule()
    before = {_cell(row): row for row in baseline}
    after = {_cell(row): row for row in candidate}
    common = sorted(before.keys() & after.keys())
    broken: list[Broken] = []
    mended: list[Broken] = []
    pairs: list[tuple[Row, Row]] = []
    for key in common:
        old, new = before[key], after[key]
        had, has = _number(old) is not None, _number(new) is not None
        if had and has:
            pairs.append((old, new))
        elif had or has:
            lost = Broken(*key[:3], key[3:6], key[6], old.status, new.status, new.reason)
            (broken if had else mended).append(lost)
    shifts: dict[tuple[str, str, ShiftOf], dict[tuple[int, int], list[float]]] = {}
    for learner, target in dict.fromkeys((row.learner, row.target) for row, _ in pairs):
        curve_pairs = [p for p in pairs if (p[0].learner, p[0].target) == (learner, target)]
        shifts[learner, target, "error"] = _error_shifts(curve_pairs)
        shifts[learner, target, "n*"] = _n_star_shifts(curve_pairs, certificates, epsilons)
    estimates = {
        curve: trimmed_mean([float(np.mean(v)) for v in units.values()], rule.trim)
        for curve, units in shifts.items()
        if units
    }
    return Comparison(tuple(_judge(estimates, rule)), tuple(broken), tuple(mended), len(pairs))


def _judge(estimates: dict[tuple[str, str, ShiftOf], Estimate], rule: Rule) -> list[Shift]:
    if not estimates:
        return []
    matters, margin = math.log(rule.matters), math.log(rule.margin)
    worse = stats.false_discovery_control([e.p_above(matters) for e in estimates.values()])
    better = stats.false_discovery_control([e.p_below(-matters) for e in estimates.values()])
    shifts = []
    for (curve, e), q_worse, q_better in zip(estimates.items(), worse, better, strict=True):
        equivalent = max(e.p_above(-margin), e.p_below(margin)) <= 0.05
        verdict: ShiftVerdict = "same" if equivalent else "open"
        if q_worse <= rule.rate:
            verdict = "worse"
        elif q_better <= rule.rate:
            verdict = "better"
        low, high = (_exp(x) for x in e.interval(0.95))
        visible = _exp(visible_shift(e, len(estimates), rule))
        q = float(q_worse), float(q_better)
        shifts.append(Shift(*curve, _exp(e.mean), low, high, e.units, *q, visible, verdict))
    return shifts


def _error_shifts(pairs: Sequence[tuple[Row, Row]]) -> dict[tuple[int, int], list[float]]:
    """Log ratios of errors by unit (d, target index)."""
    units: dict[tuple[int, int], list[float]] = defaultdict(list)
    for old, new in pairs:
        ratio = math.log(_number(new) or 1.0) - math.log(_number(old) or 1.0)
        units[old.d, old.target_index].append(ratio)
    return units


def _n_star_shifts(
    pairs: Sequence[tuple[Row, Row]], certificates: Certificates, epsilons: Sequence[Epsilon]
) -> dict[tuple[int, int], list[float]]:
    """Shifts of log n*, by unit, where both sides have an interval with two finite ends.

    Interpolated inside it: the interval alone would move by whole steps of the grid, two units that
    move by one step are equal to the last digit, and a t test takes that for certainty.
    """
    units: dict[tuple[int, int], list[float]] = defaultdict(list)
    before, after = zip(*pairs, strict=True)
    sides = [(n_stars(rows, certificates, epsilons), _errors(rows)) for rows in (before, after)]
    (old_stars, old_errors), (new_stars, new_errors) = sides
    for old, new in zip(old_stars, new_stars, strict=True):
        assert (old.d, old.replicate, old.epsilon) == (new.d, new.replicate, new.epsilon)
        if old.censoring == new.censoring == "bracketed":
            shift = _log_crossing(new, new_errors) - _log_crossing(old, old_errors)
            units[old.d, old.replicate.target].append(shift)
    return units


def _errors(rows: Iterable[Row]) -> dict[tuple[int, Replicate, int], float]:
    return {(r.d, r.replicate, r.n): _number(r) or 1.0 for r in rows}


def _log_crossing(star: NStar, errors: dict[tuple[int, Replicate, int], float]) -> float:
    """Log n at which a line through the ends of a bracket, log error over log n, meets the threshold."""
    above = math.log(errors[star.d, star.replicate, int(star.lower)])
    below = math.log(errors[star.d, star.replicate, int(star.upper)])
    share = 0.5
    if star.threshold and above > below:
        share = min(max((above - math.log(star.threshold)) / (above - below), 0.0), 1.0)
    return math.log(star.lower) + share * math.log(star.upper / star.lower)


def _cell(row: Row) -> tuple[str, str, int, int, int, int, int]:
    return row.learner, row.target, row.d, row.target_index, row.sample_index, row.init_index, row.n


def has_number(row: Row) -> bool:
    """Whether a row has an error that can be compared."""
    return _number(row) is not None


def _number(row: Row) -> float | None:
    """Error to be compared; no smaller than its standard error, which is all that an error of 0 says."""
    if row.status not in FITTED or row.error is None or not math.isfinite(row.error):
        return None
    return max(row.error, row.error_se or 0.0, SMALLEST_ERROR)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
