"""What the cells of a suite can decide: the width of an exponent's interval, before there is any row.

``python -m hierbench.benchmarks.studies.power paper-cpu --out docs/power.md`` takes every criterion of the
claims that rests on exponents of that suite, the scatter of n* that the reference results show of the same
learner, and simulates n* at the suite's d, replicates and grid.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hierbench.benchmarks.claims.claims_file import load_claims
from hierbench.benchmarks.claims.criteria import Criterion
from hierbench.benchmarks.results import reference
from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.statistics.exponents import Exponent, dimension_slope, exponent
from hierbench.benchmarks.statistics.sample_complexity import n_stars
from hierbench.benchmarks.studies.coverage import largest_size, simulate
from hierbench.benchmarks.studies.coverage_settings import Setting
from hierbench.benchmarks.suites.suite import Run, Suite, TargetEntry, facts_of
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.seeds import generator

SLOPES = ("exponent", "dimension_slope", "exponent_growth", "exponent_excess")
UNKNOWN = 0.35
"""Standard deviation of log n* over replicates where no stored row shows it: that of two-layer nets."""
LARGEST_SHOCK = 0.1
"""Log-sd of what all replicates of one d are off by: as much as one of them is, and at most this."""
CENSORED = 0.02


@dataclasses.dataclass(frozen=True)
class Cell:
    """One exponent that a criterion needs, and what it will be known to.

    scatter : log-sd of n* over replicates; shown : whether stored rows show it.
    half : median half-width of the 95 % interval, in the criterion's own unit.
    found : share of simulations in which there is an estimate.
    """

    criterion: Criterion
    learner: str
    target: str
    dimensions: tuple[int, ...]
    replicates: int
    scatter: float
    shown: bool
    half: float
    found: float


def cells(suite: Suite, simulations: int) -> Iterator[Cell]:
    """Every exponent that a criterion on ``suite`` needs."""
    stored = reference.read("default")
    for claim in load_claims():
        for criterion in claim.criteria:
            if criterion.suite != suite.name or criterion.quantity not in SLOPES:
                continue
            for learner, target in itertools.product(
                dict.fromkeys([*criterion.learners, *([criterion.reference] if criterion.reference else [])]),
                criterion.targets,
            ):
                runs = [r for r in suite.runs if learner in r.learners and target in r.targets]
                found = [
                    exponent(n_stars(rows, stored.certificates, criterion.epsilons[:1]))
                    for place in (target, *(t.label for t in suite.targets if t.label != target))
                    if (rows := [r for r in stored.rows if (r.learner, r.target) == (learner, place)])
                ]
                known = next((e for e in found if e.sigma is not None), Exponent("unidentified"))
                yield _cell(criterion, learner, suite.target(target), runs, known, simulations)


def _cell(
    criterion: Criterion, learner: str, entry: TargetEntry, runs: list[Run], known: Exponent, simulations: int
) -> Cell:
    target = entry.label
    dimensions = tuple(sorted({d for run in runs for d in run.d}))
    run = min(runs, key=lambda r: len(r.replicates))
    scatter, shown = (known.sigma, True) if known.sigma is not None else (UNKNOWN, False)
    setting = Setting(
        exponent=known.value or 2.5,
        replicates=len(run.replicates),
        log_sd=max(scatter, 0.02),
        ratio=run.sizes.refine or run.sizes.ratio,
        censored=CENSORED,
        dimensions=dimensions,
        shock=min(LARGEST_SHOCK, scatter),
    )
    slope = setting.exponent or 0.0
    largest = largest_size(slope, setting)
    law = dimension_slope if criterion.quantity == "dimension_slope" else exponent
    degree = facts_of(entry.family, dimensions[0], entry.params).degree
    halves = []
    for i in range(simulations):
        rng = generator("power", learner=learner, target=target, criterion=criterion.what, simulation=i)
        stars = [dataclasses.replace(s, degree_needed=degree) for s in simulate(slope, largest, setting, rng)]
        fit = law(stars, 0.95)
        if fit.kind == "estimate":
            halves.append((fit.high - fit.low) / 2)
    half = float(np.median(halves)) if halves else math.inf
    return Cell(
        criterion, learner, target, dimensions, setting.replicates, setting.log_sd, shown, half,
        len(halves) / simulations,
    )  # fmt: skip


def table(found: Iterable[Cell]) -> list[str]:
    """Lines of a Markdown table."""
    head = ("claim", "figure", "bounds", "learner", "target", "d", "replicates", "log-sd", "half-width")
    lines = [markdown_row(head), markdown_row(["---"] * len(head))]
    for c in found:
        lines.append(
            markdown_row(
                [
                    c.criterion.claim,
                    c.criterion.what + (" (beside)" if c.criterion.beside else ""),
                    c.criterion.bounds.text(),
                    c.learner,
                    c.target,
                    ", ".join(map(str, c.dimensions)),
                    str(c.replicates),
                    f"{c.scatter:.2f}" + ("" if c.shown else " (assumed)"),
                    f"{c.half:.2f}",
                ]
            )
        )
    return lines


TEXT = """# What the paper suite can decide

Written by `python -m hierbench.benchmarks.studies.power {suite} --out docs/power.md`, {simulations}
simulations a cell, before any row of the suite was there. *log-sd*: scatter of log n\\* over replicates, from
the reference results of the same learner on the same target, on another one, or assumed. All targets of one d
are taken to be off together by as much as one of them is, or by a log-sd of {shock} where that is less.
*half-width*: median half-length of the 95 % interval of that learner's exponent in d, or of its slope in
log N_p. A difference of two exponents has about the root of the sum of the squares of their half-widths.

"""


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Half-widths that the cells of a suite will have.")
    parser.add_argument("suite", nargs="?", default="paper-cpu")
    parser.add_argument("--simulations", type=int, default=20)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    head = TEXT.format(suite=given.suite, simulations=given.simulations, shock=LARGEST_SHOCK)
    text = head + "\n".join(table(cells(load_suite(given.suite), given.simulations))) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
