"""What stands for a target at each error of the slider: n*, exponents, groups, seconds."""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.report.columns import Data, column, rounded
from hierbench.benchmarks.show.table import degree_text, format_exponent_and_fit, format_summary
from hierbench.benchmarks.show.takeaway import Learned, dimensions_of, learned_at, success
from hierbench.benchmarks.statistics.exponents import Exponent
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, Summary, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import Row

REACHED = ("bracketed", "left")


@dataclasses.dataclass(frozen=True)
class TargetStars:
    """n* of one target at every error, with the exponent of each (epsilon, learner)."""

    rows: Sequence[Row]
    certificates: Certificates
    epsilons: Sequence[Epsilon]
    stars: Mapping[Epsilon, Sequence[NStar]]
    slopes: Mapping[tuple[Epsilon, str], Exponent]


def told(target: TargetStars, families: Mapping[str, str], asked: Sequence[Epsilon]) -> Learned | None:
    """What stands at the error that counts as having learned the target, of those that the suite asks for."""
    epsilon = success([s for e in target.epsilons if e in asked for s in target.stars[e]])
    return None if epsilon is None else _learned(target, families, epsilon)


def _learned(target: TargetStars, families: Mapping[str, str], epsilon: Epsilon) -> Learned:
    dims = dimensions_of(target.rows, target.rows[0].target)
    slopes = {learner: target.slopes[epsilon, learner] for learner in dims}
    return learned_at(epsilon, target.stars[epsilon], dims, families, slopes)


def standings(
    target: TargetStars, families: Mapping[str, str], learners: Mapping[str, int], asked: Sequence[Epsilon]
) -> list[Data]:
    """One entry an error: the learners in their order of samples, each with n* at every d.

    ``cells`` of a learner are columns over its d: value, ends, kind ("bracketed", or of what it is a bound),
    the text of tables, the median seconds of the fits that got there (of the largest size where one did not).
    ``front`` has for each d the learners of which no other one needs fewer samples and fewer seconds.
    """
    name = target.rows[0].target
    certificates = [c for (label, _, _), c in target.certificates.items() if label == name]
    clock = _Clock(target.rows)
    entries = []
    for epsilon in target.epsilons:
        stars = target.stars[epsilon]
        learned = _learned(target, families, epsilon)
        summaries: dict[str, list[Summary]] = defaultdict(list)
        for summary in sorted(summarise(stars), key=lambda s: s.d):
            summaries[summary.learner].append(summary)
        seconds = {s: clock.seconds(s, stars) for some in summaries.values() for s in some}
        entries.append(
            {
                "scale": str(epsilon.scale),
                "value": epsilon.value,
                "label": epsilon.label,
                "asked": epsilon in asked,
                "asks": degree_text(stars, certificates),
                "d": learned.d,
                "learners": [
                    {
                        "learner": learners[s.learner],
                        "verdict": s.verdict,
                        "groups": s.groups,
                        "ratio": s.ratio,
                        "exponent": _exponent(s.exponent),
                        "cells": _cells(summaries[s.learner], seconds),
                    }
                    for s in learned.standings
                ],
                "front": _fronts(summaries, seconds, learners),
            }
        )
    return entries


def _exponent(slope: Exponent) -> Data:
    return {
        "kind": slope.kind,
        "text": format_exponent_and_fit(slope),
        "why": "" if slope.kind == "estimate" else slope.reason,
        "slope": rounded(slope.value),
        "intercept": rounded(slope.intercept),
    }


def _cells(summaries: Sequence[Summary], seconds: Mapping[Summary, float | None]) -> Data:
    return {
        "d": [s.d for s in summaries],
        "value": [rounded(s.value) for s in summaries],
        "low": [rounded(s.low) for s in summaries],
        "high": [rounded(s.high) for s in summaries],
        "kind": column([s.censoring for s in summaries]),
        "text": [format_summary(s) for s in summaries],
        "seconds": [rounded(seconds[s]) for s in summaries],
    }


class _Clock:
    """Seconds of fits, by where n* ends."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.seconds_of = {(r.learner, r.d, r.replicate, float(r.n)): r.fit_seconds for r in rows}

    def seconds(self, summary: Summary, stars: Sequence[NStar]) -> float | None:
        """Median over replicates: of the first size that gets there, of the largest one where none does."""
        taken = []
        for star in stars:
            if (star.learner, star.d) == (summary.learner, summary.d):
                n = star.upper if star.censoring in REACHED else star.lower
                found = self.seconds_of.get((star.learner, star.d, star.replicate, n))
                taken += [] if found is None else [found]
        return statistics.median(taken) if taken else None


def _fronts(
    summaries: Mapping[str, Sequence[Summary]],
    seconds: Mapping[Summary, float | None],
    learners: Mapping[str, int],
) -> dict[str, list[int]]:
    costs: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for learner, of_learner in summaries.items():
        for s in of_learner:
            taken = seconds[s]
            if s.censoring in REACHED and s.value is not None and taken is not None:
                costs[s.d].append((s.value, taken, learners[learner]))
    fronts: dict[str, list[int]] = {}
    for d, points in sorted(costs.items()):
        least = float("inf")
        fronts[str(d)] = []
        for _, spent, number in sorted(points):
            if spent < least:
                least = spent
                fronts[str(d)].append(number)
    return fronts
