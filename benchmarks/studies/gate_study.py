"""Whether the gate keeps its promises: ``python -m hierbench.benchmarks.studies.gate_study``, docs/gate.md.

With ``OMP_WAIT_POLICY=PASSIVE`` in the environment: two threads on shared cores otherwise wait in a spin.

False alarms under the null that is deployed: the same targets and data, other initialisations of SGD, one
thread or two. Then changes planted for the worse (``hierbench.benchmarks.studies.gate_plants``), each in ten
seeds that differ in targets, data and initialisations. A reduced ``ci`` suite: three d, four replicates,
short training.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np

from hierbench.benchmarks.gate import exact_tier, shifts
from hierbench.benchmarks.gate.baseline_files import Cells
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.studies.gate_plants import PLANTS, Plant
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite import (
    LearnerEntry,
    Run,
    SizePlan,
    Suite,
    TargetEntry,
    TestPlan,
    plain_replicates,
)
from hierbench.benchmarks.units import compute_curves
from hierbench.benchmarks.units.rows import Replicate, Row

RUNS, RESAMPLED, SEEDS = 14, 200, 10
NETS = ("densenet", "layerwise")
KERNELS = ("krr_rbf", "krr_polynomial")
EPSILONS = tuple(Epsilon(e) for e in (0.3, 0.1, 0.03))
APART = 1000
"""Between the initialisation indices of two runs."""


def reduced_plan(seed: int = 0) -> Plan:
    """The reduced suite, with targets and samples of its own for each seed."""
    target = TargetEntry("squares-L2", "squares", {"depth": 2, "width": 3})
    short = {"steps": 200, "restarts": 1, "tuning_share": 0.5, "weight_decay": 0.1}
    learners = [LearnerEntry(name, name, short) for name in NETS]
    learners += [LearnerEntry(name, name, {}) for name in KERNELS]
    replicates = plain_replicates(4, 4 * seed)
    runs = (
        Run((target.label,), NETS, (4, 6, 8), SizePlan(4, 2, 2.5, 2, 3000), replicates),
        Run((target.label,), KERNELS, (4, 6, 8), SizePlan(2, 2, 2, 3, 600), replicates),
    )
    test = TestPlan(4096, 8192)
    return make_plan(
        Suite("reduced", "", test, 300, (0.3, 0.1, 0.03), (), (), False, (target,), tuple(learners), runs)
    )


def measure(plan: Plan, run: int = 0, threads: int = 1, learners: Sequence[str] = ()) -> list[Row]:
    """Rows of one run. Another ``run`` initialises SGD anew and has everything else in common."""
    rows: list[Row] = []
    with _threads(threads):
        for one in plan.curves:
            if learners and one.learner not in learners:
                continue
            shifted = tuple(Replicate(r.target, r.sample, r.init + APART * run) for r in one.replicates)
            result = compute_curves.run_curves(dataclasses.replace(one, replicates=shifted))
            # paired with what the same target and sample gave in other runs
            rows += [dataclasses.replace(r, init_index=r.target_index) for r in result.rows]
    return rows


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    # torch starts slowly, and is used in the processes of the pool only
    import threadpoolctl
    import torch

    def limit() -> None:
        threadpoolctl.threadpool_limits(count)
        torch.set_num_threads(count)

    with mock.patch.object(machine, "one_thread", limit):
        yield
    threadpoolctl.threadpool_limits(1)
    torch.set_num_threads(1)


def compare(
    before: Sequence[Row], after: Sequence[Row], rule: shifts.Rule | None = None
) -> shifts.Comparison:
    """Compare two sets of rows as the gate does."""
    return shifts.compare(before, after, {}, EPSILONS, rule)


def false_alarms() -> None:
    """Perturbed runs, then baseline and candidate resampled from them, each unit from two runs at random."""
    plan = reduced_plan()
    # a kernel has no initialisation: what may perturb it is the number of threads
    kernels = [measure(plan, 0, threads, KERNELS) for threads in (1, 2)]
    runs = [measure(plan, k, 1 + k % 2, NETS) + kernels[k % 2] for k in range(RUNS)]
    _say("perturbed runs done")
    rng = np.random.default_rng(0)
    alarms = strict = better = 0
    for _ in range(RESAMPLED):
        chosen: dict[tuple[Any, ...], tuple[int, int]] = {}
        pair: tuple[list[Row], list[Row]] = ([], [])
        for i in range(len(runs[0])):
            row = runs[0][i]
            where = row.learner, row.d, row.target_index
            if where not in chosen:
                first, second = rng.choice(RUNS, 2, replace=False)
                chosen[where] = int(first), int(second)
            for side, k in zip(pair, chosen[where], strict=True):
                side.append(runs[k][i])
        compared = compare(*pair)
        alarms += compared.alarm
        better += any(s.verdict == "better" for s in compared.shifts)
        strict += compare(*pair, shifts.Rule(matters=1.0)).alarm
    whole = [compare(runs[a], runs[b]) for a, b in itertools.permutations(range(RUNS), 2)]
    print(f"\n{RUNS} perturbed runs; {RESAMPLED} resampled pairs, {len(whole)} pairs of whole runs\n")
    print("| null | pairs | alarms | also called better |\n|---|---|---|---|")
    print(f"| units resampled | {RESAMPLED} | {alarms} | {better} |")
    print(f"| units resampled, every shift matters (x 1) | {RESAMPLED} | {strict} | - |")
    also = sum(any(s.verdict == "better" for s in c.shifts) for c in whole)
    print(f"| whole runs | {len(whole)} | {sum(c.alarm for c in whole)} | {also} |")
    print("\n| curve | of | median visible shift | same | open |\n|---|---|---|---|---|")
    for curve in dict.fromkeys((s.learner, s.quantity) for c in whole for s in c.shifts):
        curve_shifts = [s for c in whole for s in c.shifts if (s.learner, s.quantity) == curve]
        share = {v: sum(s.verdict == v for s in curve_shifts) / len(curve_shifts) for v in ("same", "open")}
        visible = float(np.median([s.visible for s in curve_shifts]))
        print(f"| {curve[0]} | {curve[1]} | x {visible:.3g} | {share['same']:.0%} | {share['open']:.0%} |")


def exact_records(seed: int, learners: Sequence[str]) -> Cells:
    """What the exact tier would record of this seed."""
    tiny = make_plan(exact_tier.exact_suite(learners, first=2 * seed))
    rows = [row for one in tiny.curves for row in compute_curves.run_curves(one).rows]
    return {**exact_tier.learner_records(rows), **exact_tier.data_records(reduced_plan(seed))}


def planted() -> None:
    """Every planted change in every seed, and no change at all, in both tiers."""
    everything = (*NETS, *KERNELS)
    caught = {plant.what: [0, 0, 0] for plant in PLANTS}
    factors: dict[str, list[float]] = {plant.what: [] for plant in PLANTS}
    changed: dict[str, set[str]] = {plant.what: set() for plant in PLANTS}
    sound = [0, 0]
    for seed in range(SEEDS):
        plan = reduced_plan(seed)
        baseline, recorded = measure(plan), exact_records(seed, everything)
        candidate = measure(plan, 1, 1, NETS) + [r for r in baseline if r.learner in KERNELS]
        sound[0] += bool(exact_tier.differences(recorded, exact_records(seed, everything))[0])
        sound[1] += compare(baseline, candidate).alarm
        for plant in PLANTS:
            exact, moved, factor = _plant(plan, seed, plant, recorded, baseline, candidate)
            changed[plant.what] |= exact
            factors[plant.what].append(factor)
            count = caught[plant.what]
            count[0] += bool(exact)
            count[1] += moved
            count[2] += bool(exact) or moved
        _say(f"seed {seed} done")
    print("\n| planted change | exact tier | statistical tier | either | error x | exact tier sees |")
    print("|---|---|---|---|---|---|")
    print(f"| none | {sound[0]} | {sound[1]} | - | - | - |")
    for plant in PLANTS:
        exact_count, moved_count, either = caught[plant.what]
        factor = float(np.median(factors[plant.what]))
        seen = ", ".join(sorted(changed[plant.what]))
        print(f"| {plant.what} | {exact_count} | {moved_count} | {either} | {factor:.3g} | {seen} |")


def _plant(
    plan: Plan,
    seed: int,
    plant: Plant,
    recorded: Cells,
    baseline: list[Row],
    candidate: list[Row],
) -> tuple[set[str], bool, float]:
    """What the exact tier sees, whether the statistical tier alarms, and the largest factor of an error."""
    touched = plant.learners
    with plant.context():
        wrong = exact_records(seed, touched)
        rows = measure(plan, 1, 1, touched)
    changes, _, _ = exact_tier.differences(recorded, wrong)
    seen = {"data" if c.cell.startswith("data") else c.name.partition(".")[0] for c in changes}
    untouched = [r for r in candidate if r.learner not in touched]
    compared = compare(baseline, untouched + rows)
    factors = [s.factor for s in compared.shifts if s.learner in touched and s.quantity == "error"]
    return seen, compared.alarm, max(factors)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the study and print its tables."""
    start = time.monotonic()
    false_alarms()
    planted()
    print(f"\n{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
