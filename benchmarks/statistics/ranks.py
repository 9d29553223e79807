"""Which learners need fewer samples than which others: groups that the data can tell apart."""

from __future__ import annotations

import dataclasses
import itertools
import math
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy

from hierbench.benchmarks.statistics.sample_complexity import NStar
from hierbench.benchmarks.suites.epsilon import Epsilon

CENSORED_SCATTER = 0.5
"""Standard deviation that a censored log n* is taken to have at least: censoring hides it. Of the 359
bracketed cells of the default suite 95 % have less than 0.37 over replicates, and half less than 0.18."""

ALARM_RATE = 0.05
"""Probability of any false separation among the learners of one target and epsilon."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """log n* of ``first`` minus that of ``second``, over the replicates that both ran.

    Attributes
    ----------
    low, high : float
        Mean over dimensions, which is between these: equal where every pair is bracketed on both
        sides, infinite where nothing is known.
    p : float
        Two-sided; 1 where the intervals do not say which is smaller.
    sign : int
        -1 where ``first`` needs fewer samples, 1 where it needs more, 0 where nothing points either way.
    dimensions : tuple of int
        With a pair of which something is known.
    """

    first: str
    second: str
    low: float
    high: float
    p: float
    sign: int
    dimensions: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A learner among the others on one target and epsilon.

    Attributes
    ----------
    letters : str
        One for each group that it is in: learners that share one are not told apart.
    best, worst : int
        Ranks that it may have: 1 + the learners that need fewer samples; all less those that need more.
    apart_from : tuple of str
        Learners that it was told apart from.
    uncompared : tuple of str
        Learners that it could not be compared with: no two targets in common at any d, or none that shows
        a difference (both above their largest sizes, or both below their smallest).
    """

    learner: str
    letters: str
    best: int
    worst: int
    apart_from: tuple[str, ...]
    uncompared: tuple[str, ...]


def compare(first: Sequence[NStar], second: Sequence[NStar]) -> Comparison:
    """Compare n* of two learners on one target and epsilon, paired by (d, replicate).

    Method: learners see the same data, so that each replicate gives one difference of log n*;
    replicates at different d are independent targets, and those that share a target are averaged first.
    The mean over dimensions (each counts the same) is held to 0 by Student's t with the
    variance pooled within dimensions: resampling the replicates stratified by d, in closed form.
    The variance is never taken to be less than rounding to the grid makes it, (w1^2 + w2^2) / 12 for
    intervals of widths w1 and w2 in the logarithm; a censored n* counts ``CENSORED_SCATTER`` squared.

    Intervals: bracketed n* enter at their middle. A censored one enters at its known end, which is
    the end that speaks against a separation in the direction it allows ("first needs
    more" is tested with a first that needs no more than the largest size at which it had not got there),
    and forbids one in the other direction. Pairs of which nothing is known (both right-censored)
    do not enter. Each direction is tested so, and p is twice the smaller one-sided p.

    Small samples: with four replicates at one d there are three degrees of freedom, and a factor of
    two in n* is seen where its log differs by less than about 0.2 between replicates. Dimensions with one
    target enter the mean and say nothing about the variance; without a second anywhere p = 1. Equal
    learners (2 and 5, four replicates, one and three d, scatter of log n* 0.3, 1 and 3, grids cut on
    neither, one or both sides) are told apart in 0 to 5.5 % of 200 to 500 simulations a setting.
    Curves that cross as d grows have a mean difference that hides it.

    A sign test was not chosen: at one d with four replicates its p cannot be below 1/8.
    """
    cells: dict[tuple[int, int], list[tuple[float, float, float]]] = defaultdict(list)
    second_by_cell = {(s.d, s.replicate): s for s in second}
    for star in first:
        other = second_by_cell.get((star.d, star.replicate))
        if other is not None:
            low, high = _difference(star, other)
            if math.isfinite(low) or math.isfinite(high):
                cells[star.d, star.replicate.target].append(
                    (low, high, _least_variance(star) + _least_variance(other))
                )
    by_d: dict[int, list[np.ndarray]] = defaultdict(list)
    for (d, _), pairs in cells.items():
        by_d[d].append(np.mean(pairs, axis=0))
    names = first[0].learner, second[0].learner
    dims = tuple(sorted(by_d))
    if sum(len(units) - 1 for units in by_d.values()) < 1:
        return Comparison(*names, -math.inf, math.inf, 1.0, 0, ())
    more = _one_sided([np.array(units)[:, [0, 2]] for units in by_d.values()])
    fewer = _one_sided([np.array(units)[:, [1, 2]] * [-1, 1] for units in by_d.values()])
    low, high = (float(np.mean([np.mean([u[i] for u in units]) for units in by_d.values()])) for i in (0, 1))
    sign = 0 if min(more, fewer) >= 0.5 else 1 if more < fewer else -1
    return Comparison(*names, low, high, min(1.0, 2 * min(more, fewer)), sign, dims)


def _difference(first: NStar, second: NStar) -> tuple[float, float]:
    """Bounds on the difference: equal where both are bracketed, at their middles."""
    (low_1, high_1), (low_2, high_2) = _ends(first), _ends(second)
    return low_1 - high_2, high_1 - low_2


def _ends(star: NStar) -> tuple[float, float]:
    if star.censoring == "bracketed":
        middle = math.log(star.lower * star.upper) / 2
        return middle, middle
    low = math.log(star.lower) if star.censoring == "right" else -math.inf
    return low, math.log(star.upper) if star.censoring == "left" else math.inf


def _least_variance(star: NStar) -> float:
    if star.censoring != "bracketed":
        return CENSORED_SCATTER**2
    return math.log(star.upper / star.lower) ** 2 / 12


def _one_sided(strata: Sequence[np.ndarray]) -> float:
    """P of a mean of 0 or less; each stratum is (units, [value, least variance])."""
    values = [stratum[:, 0] for stratum in strata]
    if not all(np.isfinite(v).all() for v in values):
        return 1.0
    freedom = sum(len(v) - 1 for v in values)
    pooled = sum(float(((v - v.mean()) ** 2).sum()) for v in values) / freedom
    variance = max(pooled, float(np.concatenate([stratum[:, 1] for stratum in strata]).mean()))
    mean = float(np.mean([v.mean() for v in values]))
    error = math.sqrt(variance * sum(1 / len(v) for v in values)) / len(values)
    return float(scipy.special.stdtr(freedom, -mean / error))  # scipy.stats has it too, and is slow


def holm(p: Sequence[float]) -> list[float]:
    """P adjusted for the family-wise error rate (Holm, Scand. J. Statist. 6, 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()


def groups(names: Sequence[str], apart: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Largest sets of names of which no two are apart: insert and absorb.

    Method: Piepho (J. Comput. Graph. Stat. 13, 2004). Starting from one group of all, each pair that is
    apart splits the groups that hold both into one without either, and groups inside others go.

    Returns
    -------
    list of tuple of str
        In the order of the first name in which they differ; every name is in at least one.
    """
    cliques = {frozenset(names)}
    for pair in apart:
        split = {g - {name} for g in cliques if g >= set(pair) for name in pair}
        candidates = {g for g in cliques if not g >= set(pair)} | split
        cliques = {g for g in candidates if not any(g < other for other in candidates)}
    place = {name: i for i, name in enumerate(names)}
    ordered = sorted(tuple(sorted(g, key=place.__getitem__)) for g in cliques if g)
    return sorted(ordered, key=lambda g: [place[name] for name in g])


def compare_all(stars: Iterable[NStar]) -> list[Comparison]:
    """All pairs of learners in ``stars``, of one target and epsilon, with p adjusted by ``holm``.

    Pairs that were not run on two targets in common at any d are no tests, and do not count there.
    """
    pairs = list(itertools.combinations(_by_learner(stars).values(), 2))
    comparisons = [compare(first, second) for first, second in pairs]
    tested = [i for i, pair in enumerate(pairs) if _meet(*pair)]
    for i, p in zip(tested, holm([comparisons[i].p for i in tested]), strict=True):
        comparisons[i] = dataclasses.replace(comparisons[i], p=p)
    return comparisons


def compare_with(learner: str, stars: Iterable[NStar]) -> list[Comparison]:
    """``learner`` compared with every other one in ``stars``, p as it is."""
    cells = _by_learner(stars)
    return [compare(cells[learner], other) for name, other in cells.items() if name != learner]


def _by_learner(stars: Iterable[NStar]) -> dict[str, list[NStar]]:
    """Those of which something is known."""
    cells: dict[str, list[NStar]] = defaultdict(list)
    for star in stars:
        if star.informative:
            cells[star.learner].append(star)
    return cells


def _meet(first: Sequence[NStar], second: Sequence[NStar]) -> bool:
    """Whether there is a d at which two or more targets are common."""
    common = {(s.d, s.replicate) for s in first} & {(s.d, s.replicate) for s in second}
    return max(Counter(d for d, _ in {(d, r.target) for d, r in common}).values(), default=0) > 1


def rank(stars: Sequence[NStar], level: float = ALARM_RATE) -> list[Ranked]:
    """Learners on one target and epsilon as groups, those that may need the fewest samples first.

    Method: ``compare`` for all pairs, Holm over them, compact letters (``groups``). Sharing a letter
    says that the data do not tell two learners apart, not that they are equal.

    Parameters
    ----------
    stars : sequence of NStar
        Of one target and epsilon; all learners, d and replicates. Learners without a known n* are left out.
    level : float
        Of the family-wise error over all pairs.
    """
    comparisons = compare_all(stars)
    learners = list(_by_learner(stars))
    better: Mapping[str, set[str]] = {name: set() for name in learners}
    worse: Mapping[str, set[str]] = {name: set() for name in learners}
    uncompared: Mapping[str, list[str]] = {name: [] for name in learners}
    for c in comparisons:
        if not c.dimensions:
            uncompared[c.first].append(c.second)
            uncompared[c.second].append(c.first)
        elif c.p <= level:
            winner, loser = (c.first, c.second) if c.sign < 0 else (c.second, c.first)
            better[loser].add(winner)
            worse[winner].add(loser)
    count = len(learners)
    place = {name: i for i, name in enumerate(learners)}
    order = sorted(learners, key=lambda name: (len(better[name]) - len(worse[name]), place[name]))
    apart = [(a, b) for a, b in itertools.combinations(order, 2) if b in better[a] or b in worse[a]]
    letters = dict.fromkeys(order, "")
    for letter, group in zip(_letters(), groups(order, apart), strict=False):
        for name in group:
            letters[name] += letter
    return [
        Ranked(
            name,
            letters[name],
            1 + len(better[name]),
            count - len(worse[name]),
            tuple(n for n in order if n in better[name] or n in worse[name]),
            tuple(uncompared[name]),
        )
        for name in order
    ]


def share_targets(stars: Sequence[NStar]) -> bool:
    """Whether two replicates of one learner, d and epsilon are of one target, as in a crossed cell."""
    targets: dict[tuple[str, int, Epsilon], list[int]] = {}
    for s in stars:
        targets.setdefault((s.learner, s.d, s.epsilon), []).append(s.replicate.target)
    return any(len(set(indices)) < len(indices) for indices in targets.values())


def reference(ranked: Sequence[Ranked], stars: Sequence[NStar]) -> str:
    """The first learner that can be compared with another, one with a bracketed n* before others."""
    bracketed_learners = {s.learner for s in stars if s.censoring == "bracketed"}
    return min(
        ranked, key=lambda r: (len(r.uncompared) == len(ranked) - 1, r.learner not in bracketed_learners)
    ).learner


def _letters() -> Iterable[str]:
    """A to z, A to Z, then a2, b2, ..."""
    letters = string.ascii_lowercase + string.ascii_uppercase
    return (c if k == 1 else f"{c}{k}" for k in itertools.count(1) for c in letters)
