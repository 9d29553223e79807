"""What adaptive sizes save: ``python -m hierbench.benchmarks.studies.adaptive_gain``, docs/adaptive.md.

The adaptive runs of a suite are computed twice: as the suite asks for, and at every size of the fine grid
that their stages take sizes from, over the same range. Both with the same workers, in one process after the
other, every unit timed as a whole (fits, predictions, test sets).
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hierbench.benchmarks.results import readings, stages
from hierbench.benchmarks.results.refine import fine_grid
from hierbench.benchmarks.run import progress, runner
from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.statistics.exponents import Exponent, exponents
from hierbench.benchmarks.statistics.sample_complexity import NStar, n_stars
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites import epsilon
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.plan import Plan, later_stage, make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError

Key = tuple[str, str, Epsilon]
"""(target, learner, epsilon)."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one design took for one learner on one target, and what it tells.

    Attributes
    ----------
    fits : int
        Rows: fitted sizes of all replicates.
    seconds : float
        Core-seconds.
    stars : list of NStar
    slopes : dict
        Exponent by (target, learner, epsilon).
    ends : int
        Rows that are an end of some replicate's bracket at some epsilon, the last size where it is open:
        what a design that knew every n* would run.
    """

    fits: int
    seconds: float
    stars: list[NStar]
    slopes: dict[Key, Exponent]
    ends: int


def adaptive_part(suite: Suite) -> Suite:
    """The suite with its adaptive runs only."""
    return dataclasses.replace(suite, runs=tuple(r for r in suite.runs if r.sizes.refine), bars=())


def full_grid(plan: Plan) -> Plan:
    """The plan with every size of the fine grid, from the smallest to the largest of each replicate."""
    fine = {cell: r.sizes.refine for r in plan.suite.runs for cell in r.cells()}
    curves = []
    for unit in plan.curves:
        ratio = fine[unit.learner, unit.target, unit.d]
        if ratio is not None:
            sizes = tuple(fine_grid(min(s), max(s), ratio) for s in unit.sizes)
            unit = later_stage(plan.suite, unit, 0, unit.replicates, sizes)
        curves.append(unit)
    return dataclasses.replace(plan, curves=tuple(curves))


def computed(plan: Plan, results: Path, adaptive: bool) -> dict[tuple[str, str], Cost]:
    """Run what is missing of ``plan``; what it took, by learner and target.

    Raises
    ------
    RuntimeError
        Where units failed, or the run was interrupted: costs would be those of something else.
    """
    with Store.writable(results) as store:
        growing = stages.Stages(plan, store)
        follow = growing.resolved if adaptive else None
        outcome = runner.run(growing.resolved() if adaptive else plan, store, progress.make(), follow=follow)
        if outcome.failed or outcome.stopped_by:
            raise RuntimeError(f"{len(outcome.failed)} units failed, {outcome.waiting} are left")
        whole = growing.resolved() if adaptive else plan
        rows = readings.suite_rows(whole, store)
        certificates = readings.suite_certificates(whole, store)
        seconds = {u.key: u.seconds for u in store.units()}
    stars = n_stars(rows, certificates, epsilon.epsilons_of(plan.suite))
    slopes = exponents(stars)
    costs = {}
    for pair in dict.fromkeys((u.learner, u.target) for u in whole.curves):
        pair_rows = [r for r in rows if (r.learner, r.target) == pair]
        costs[pair] = Cost(
            fits=len(pair_rows),
            seconds=sum(seconds[u.key] for u in whole.curves if (u.learner, u.target) == pair),
            stars=[s for s in stars if (s.learner, s.target) == pair],
            slopes={key: e for key, e in slopes.items() if (key[1], key[0]) == pair},
            ends=ends_of_brackets(pair_rows, [s for s in stars if (s.learner, s.target) == pair]),
        )
    return costs


def ends_of_brackets(rows: Sequence[Row], stars: Sequence[NStar]) -> int:
    """Rows of one learner and target that are an end of a bracket."""
    taken = {(r.d, r.target_index, r.sample_index, r.init_index, r.n) for r in rows}
    ends = {
        (s.d, s.replicate.target, s.replicate.sample, s.replicate.init, n)
        for s in stars
        for n in (s.lower, s.upper)
    }
    return len(taken & ends)


def mean_width(stars: Sequence[NStar]) -> float:
    """Geometric mean of upper / lower over the replicates whose n* is bracketed; nan without one."""
    widths = [math.log(s.upper / s.lower) for s in stars if s.censoring == "bracketed"]
    return math.exp(sum(widths) / len(widths)) if widths else math.nan


def width_ratio(adaptive: Mapping[Key, Exponent], full: Mapping[Key, Exponent]) -> float:
    """Geometric mean over epsilons of the width of the exponent's interval, adaptive over full.

    Over those where both designs give an interval; nan where there is none.
    """
    ratios = [
        math.log((a.high - a.low) / (full[key].high - full[key].low))
        for key, a in adaptive.items()
        if a.kind == full[key].kind == "estimate"
    ]
    return math.exp(sum(ratios) / len(ratios)) if ratios else math.nan


def table(adaptive: dict[tuple[str, str], Cost], full: dict[tuple[str, str], Cost]) -> list[str]:
    """Markdown: a line for each learner and target, and one for all."""
    lines = [
        "| learner | target | fits | core-seconds | share | least share | bracket of n\\* "
        "| exponent's interval |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]

    def line(name: tuple[str, str], a: Cost, f: Cost, slopes: float) -> str:
        return markdown_row(
            (
                *name,
                f"{a.fits} of {f.fits}",
                f"{a.seconds:.0f} of {f.seconds:.0f}",
                f"{a.seconds / f.seconds:.2f}",
                f"{f.ends / f.fits:.2f}",
                f"{mean_width(a.stars):.2f} and {mean_width(f.stars):.2f}",
                f"{slopes:.2f}",
            )
        )

    for pair, a in adaptive.items():
        lines.append(line(pair, a, full[pair], width_ratio(a.slopes, full[pair].slopes)))
    all_a, all_f = _sum(adaptive), _sum({pair: full[pair] for pair in adaptive})
    lines.append(line(("all", ""), all_a, all_f, width_ratio(all_a.slopes, all_f.slopes)))
    return lines


def _sum(costs: dict[tuple[str, str], Cost]) -> Cost:
    return Cost(
        sum(c.fits for c in costs.values()),
        sum(c.seconds for c in costs.values()),
        [s for c in costs.values() for s in c.stars],
        {key: e for c in costs.values() for key, e in c.slopes.items()},
        sum(c.ends for c in costs.values()),
    )


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description="Core-seconds of adaptive sizes against the full grid.")
    parser.add_argument(
        "results", type=Path, help="folder for the two stores; what it holds already is not repeated"
    )
    parser.add_argument("--suite", default="default")
    arguments = parser.parse_args()
    try:
        plan = make_plan(adaptive_part(load_suite(arguments.suite)))
        if not plan.curves:
            raise UserError(f"suite {arguments.suite} has no adaptive run: its size plans have no refine")
        adaptive = computed(plan, arguments.results / "adaptive", adaptive=True)
        full = computed(full_grid(plan), arguments.results / "full", adaptive=False)
    except UserError as error:
        print(f"adaptive_gain: error: {error}", file=sys.stderr)
        sys.exit(2)
    except RuntimeError as error:
        sys.exit(f"adaptive_gain: {error}; call it again to continue")
    print("\n".join(table(adaptive, full)))


if __name__ == "__main__":
    main()
