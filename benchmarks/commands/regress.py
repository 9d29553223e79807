"""``hierbench regress``: measure the gated suite, compare it with the baselines, or record new ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hierbench.benchmarks.gate import baseline_files
from hierbench.benchmarks.gate.tiers import Exact, Statistical, Tier
from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.run import progress, runner
from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError, refusal


def regress(
    suite: str,
    results: Path,
    baselines: Path | None = None,
    workers: int | None = None,
    exact: bool = True,
    statistical: bool = True,
    update: bool = False,
    reason: str = "",
) -> int:
    """Run the tiers asked for and judge them, or with ``update`` record what they measure.

    Returns
    -------
    int
        Exit status: 0, 1 (worse, changed, failed, or a tier that compared nothing), 128 + k (stopped by
        signal k).

    Raises
    ------
    UserError
        No reason for an update, no baseline, or one of other cells than the suite's.
    """
    if update and not reason.strip():
        raise UserError(
            '--update needs --reason "..." (why the numbers may change); the reason is kept beside them'
        )
    if reason and not update:
        raise UserError("--reason goes with --update: without it nothing is recorded")
    tiers = _tiers(_gated(suite), baselines or baseline_files.FOLDER, exact, statistical)
    if not update:
        for tier in tiers:  # before anything is computed
            tier.read()
    outcomes = []
    with lock.writer(results, True, say=say), Store.writable(results) as store:
        for tier in tiers:
            outcome = runner.run(tier.plan, store, progress.make(), workers, compiled=results / "compiled")
            if outcome.stopped_by:
                kept = f"{outcome.computed} units finished now are kept, {outcome.waiting} left"
                say(f"hierbench: nothing was compared: {signals.farewell(outcome.stopped_by, kept)}")
                return 128 + outcome.stopped_by
            for unit, result in outcome.failed:
                say(f"  {progress.complaint(unit, result)}")
            outcomes.append(_Measured(tier, tier.measured(store), bool(outcome.failed)))
    console = Console(highlight=False, soft_wrap=True, markup=False)
    return _record(outcomes, reason, console) if update else _judge(outcomes, console)


@dataclasses.dataclass(frozen=True)
class _Measured:
    """What a tier measured, and whether units failed on the way."""

    tier: Tier
    measured: Any
    failed: bool


def _gated(name: str) -> Suite:
    gated = dataclasses.replace(load_suite(name), fixed=())  # n* is compared, which is not of these rows
    if any(run.sizes.refine for run in gated.runs):
        remedy = "this one chooses them as it runs (refine)"
        raise UserError(refusal("suite", gated.name, "suites of plain grids", remedy))
    return gated


def _tiers(gated: Suite, folder: Path, exact: bool, statistical: bool) -> list[Tier]:
    plan = make_plan(gated)
    tiers: list[Tier] = []
    if exact:
        tiers.append(Exact(plan, folder / f"{gated.name}.exact.json"))
    if statistical:
        tiers.append(Statistical(plan, folder / f"{gated.name}.jsonl"))
    return tiers


def _record(outcomes: Sequence[_Measured], reason: str, console: Console) -> int:
    if any(outcome.failed for outcome in outcomes):
        say("units failed: no baseline recorded")
        return 1
    if empty := [o.tier.name for o in outcomes if not o.tier.has_numbers(o.measured)]:
        say(f"nothing was measured ({', '.join(empty)} tier): no baseline recorded")
        return 1
    for outcome in outcomes:
        console.print(outcome.tier.write(outcome.measured, reason))
    return 0


def _judge(outcomes: Sequence[_Measured], console: Console) -> int:
    judged = [outcome.tier.judge(outcome.measured, console) for outcome in outcomes]
    empty = [j.tier for j in judged if not j.compared]
    fine = bool(judged) and not empty and all(j.fine for j in judged) and not any(o.failed for o in outcomes)
    word = "ok" if fine else "FAILED"
    if empty:
        word = f"FAILED: nothing was compared in the {' and the '.join(empty)} tier"
    counts = "; ".join(f"{j.tier} tier: {j.compared} of {j.recorded} {j.what} compared" for j in judged)
    console.print(f"regress: {word} ({counts})", style="" if fine else "red")
    return 0 if fine else 1
