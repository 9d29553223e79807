"""Whether n* hangs on a budget: ``hierbench run steps`` or ``search``, then this study of the rows.

``python -m hierbench.benchmarks.studies.paired SUITE [RESULTS]`` prints, for each learner that has a twin of
larger budget (its label and ``_4x`` or ``_10x``), target, d and epsilon, the geometric mean of n* of the
learner over that of the twin, paired by replicate. RESULTS is a folder, or "reference": the rows that ship.
docs/tuning.md has the figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import scipy.stats

from hierbench.benchmarks.results.read_results import read_rows
from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.statistics.sample_complexity import NStar, n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Replicate, Row
from hierbench.errors import UserError

TWINS = ("_4x", "_10x")
"""What the label of a learner of larger budget ends in."""


@dataclasses.dataclass(frozen=True)
class Shift:
    """What the larger budget does to n* of one learner, target, d and epsilon.

    ratio, low, high : geometric mean of n* over that of the twin, over the pairs in which both are bracketed,
    and its 95 % interval by Student's t for log ratios; None without a pair, infinite ends with one.
    pairs, own_not, neither : pairs that enter; replicates that the learner does not bring to epsilon at the
    suite's sizes, and those that neither does.
    """

    learner: str
    target: str
    d: int
    epsilon: Epsilon
    ratio: float | None
    low: float
    high: float
    pairs: int
    own_not: int
    neither: int
    replicates: int


def interpolated(star: NStar, errors: dict[int, float]) -> float:
    """Where log error, linear in log n between the ends of the bracket, falls to epsilon."""
    low, high = int(star.lower), int(star.upper)
    above, below = math.log(errors[low]), math.log(errors[high])
    share = 0.5 if above <= below else (above - math.log(star.epsilon.value)) / (above - below)
    return math.exp(math.log(low) + min(max(share, 0.0), 1.0) * math.log(high / low))


def shifts(rows: Iterable[Row], epsilons: Sequence[Epsilon]) -> Iterator[Shift]:
    """Pairs of each learner and its twin, for each target, d and epsilon."""
    rows = list(rows)
    stars = {(s.target, s.d, s.epsilon, s.replicate, s.learner): s for s in n_stars(rows, {}, epsilons)}
    errors: dict[tuple[str, int, Replicate, str], dict[int, float]] = defaultdict(dict)
    for r in rows:
        if r.error:
            errors[r.target, r.d, r.replicate, r.learner][r.n] = r.error

    def at(star: NStar) -> float:
        return interpolated(star, errors[star.target, star.d, star.replicate, star.learner])

    labels = dict.fromkeys(key[4] for key in stars)
    twins = [(own, own + end) for own in labels for end in TWINS if own + end in labels]
    cells = sorted(dict.fromkeys(key[:3] for key in stars), key=lambda c: (c[0], c[1], -c[2].value))
    for (learner, twin), (target, d, epsilon) in itertools.product(twins, cells):
        replicates = [key[:4] for key in stars if key[:3] == (target, d, epsilon) and key[4] == learner]
        pairs = [(stars[*at, learner], stars[*at, twin]) for at in replicates if (*at, twin) in stars]
        if not pairs:
            continue
        both = [p for p in pairs if all(star.censoring == "bracketed" for star in p)]
        logs = np.array([math.log(at(own) / at(twin)) for own, twin in both])
        ratio, half = (math.exp(logs.mean()), math.inf) if len(logs) else (None, math.inf)
        if len(logs) > 1:
            half = float(scipy.stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
        right = [[star.censoring == "right" for star in p] for p in pairs]
        yield Shift(
            learner, target, d, epsilon, ratio,
            (ratio or 0.0) * math.exp(-half), (ratio or math.inf) * math.exp(half),
            len(both), sum(own for own, _ in right), sum(all(p) for p in right), len(pairs),
        )  # fmt: skip


def table(found: Iterable[Shift]) -> list[str]:
    """Lines of a Markdown table."""
    head = [
        "learner",
        "target",
        "d",
        "error",
        "n* ratio",
        "pairs",
        "not reached",
        "nor with more",
    ]
    lines = [markdown_row(head), markdown_row(["---"] * len(head))]
    for s in found:
        ratio = "-" if s.ratio is None else f"{s.ratio:.2f} [{s.low:.2f}, {s.high:.2f}]"
        counts = (f"{s.pairs} of {s.replicates}", str(s.own_not), str(s.neither))
        lines.append(markdown_row([s.learner, s.target, str(s.d), f"{s.epsilon.value:g}", ratio, *counts]))
    return lines


def main() -> None:
    """Print the table of a suite."""
    parser = argparse.ArgumentParser(description="n* of learners over that of twins with larger budgets.")
    parser.add_argument("suite")
    parser.add_argument("results", nargs="?", default="results")
    given = parser.parse_args()
    try:
        rows = read_rows(given.results, suite=given.suite)
        if not rows:
            raise UserError(f"no row of suite {given.suite} is there: hierbench run {given.suite} makes them")
    except UserError as error:
        print(f"paired: error: {error}", file=sys.stderr)
        sys.exit(2)
    print("\n".join(table(shifts(rows, [Epsilon(e) for e in load_suite(given.suite).epsilons]))))


if __name__ == "__main__":
    main()
