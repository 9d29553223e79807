"""``hierbench run`` and ``hierbench figures``."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hierbench.benchmarks.commands import claims
from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.results import reference, stages
from hierbench.benchmarks.results.beside import beside, evidence_of, folder_of
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.run import probe, progress, runner
from hierbench.benchmarks.run.pool import Pool
from hierbench.benchmarks.show import bars, draw, table, takeaway
from hierbench.benchmarks.show.budgets import edge_warnings
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.statistics.line_fits import kept_fits
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.devices import CPU, checked, libraries, on_device, takers
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.rows import FITTED, Row
from hierbench.benchmarks.units.unit import CurveUnit
from hierbench.errors import UserError, unknown


def execute(
    to_run: Suite,
    to_show: Suite,
    results: Path,
    called: Sequence[str],
    workers: int | None,
    wait: bool,
    figures: bool,
    fresh: Sequence[str] = (),
    minutes: float = math.inf,
    scheduler: str | None = None,
    part: bool = False,
    against: str | None = None,
    quiet: bool = False,
) -> int:
    """Compute what is missing, then show everything there is.

    Parameters
    ----------
    called : sequence of str
        The suite and the learners beside it, as on the command line, for commands to go on with.
    part : bool
        Whether the suite is cut or set otherwise, so that no other command shows the same: all is shown here.
    fresh : sequence of str
        Labels of learners that are computed again though they are present.
    minutes : float
        After which no unit is started any more; what is there by then is shown.
    against : str, optional
        Suite of the reference results that are shown beside the rows; by default none are.
    scheduler : str, optional
        Address of a dask scheduler, on whose workers units are computed; by default they are here.

    quiet : bool
        Whether to say only what there is and what is missing from it: neither progress nor advice.

    Returns
    -------
    int
        Exit status: 0, 1 (failed units, a bar missed, no figures), 128 + k (stopped by signal k).
    """
    plan = make_plan(to_run)
    check_fresh(plan, fresh)
    if fresh and minutes < math.inf:
        raise UserError("--fresh and --for exclude each other: with both, each call would begin anew")
    if scheduler and workers:
        raise UserError("--workers and --scheduler exclude each other: a cluster has the workers that it has")
    shown_plan = plan if to_show == to_run else make_plan(to_show)
    behind = reference.read(against) if against else None
    with lock.writer(results, wait, say=say), Store.writable(results) as store:
        display = progress.Silent() if quiet else progress.make()
        outcome = _run(plan, store, workers, results, fresh, minutes, scheduler, display)
        if outcome.stopped_by:
            kept = f"{outcome.computed} units finished now are kept, {outcome.waiting} left"
            say(f"hierbench: {signals.farewell(outcome.stopped_by, kept)}")
            return 128 + outcome.stopped_by
        own = SuiteResults.of(shown_plan, store)
    shown = beside(own, to_show, behind) if behind else own
    with kept_fits(results):
        return _show(to_run, to_show, own, shown, results, outcome, called, figures, part, quiet)


def _show(
    to_run: Suite,
    to_show: Suite,
    own: SuiteResults,
    shown: SuiteResults,
    results: Path,
    outcome: runner.Outcome,
    called: Sequence[str],
    figures: bool,
    part: bool,
    quiet: bool,
) -> int:
    """Show all there is, and say what a run left undone: the exit status of ``execute``."""
    console = make_console()
    if to_show.runs:
        if part:
            made = results / "tables" / f"{to_show.name}.json"
            table.show_table(to_show, shown.rows, shown.certificates, console, made)
        takeaway.show(to_show, shown, console, results, [] if part else called)
        for line in () if quiet else edge_warnings(own.rows):
            say(f"{line} (hierbench budgets {shlex.quote(called[0])})" if called else line)
    if shown.measurements:
        claims.show_findings(to_show, results, console)
    verdicts = bars.judge(to_run, own.rows, own.certificates)
    bars.print_bars(verdicts, console)
    bad = any(not v.met for v in verdicts)
    if figures and shown:
        try:
            drawn = draw.draw_figures(to_show, shown, results, None if quiet else say)
            where = f" in {drawn[0].parent}" if drawn else ": no row has an error to draw"
            count = sum(path.suffix == ".pdf" for path in drawn)
            console.print(f"{count} figures{where}", soft_wrap=True, highlight=False)
        except Exception as error:
            # The rows are safe in the store; only the exit status says that something is missing.
            say(f"hierbench: no figures: {one_line_of(error)}")
            bad = True
    if outcome.compiling >= 1.0 and not quiet:
        kept = f"{results / 'compiled'} keeps what it made"
        say(f"{outcome.compiling:.0f} core-seconds went into compilation; {kept}")
    if outcome.waiting:
        say(f"{outcome.waiting} units remain: the time of --for is over, the same command goes on")
    if outcome.failed:
        bad = True
        say(f"{len(outcome.failed)} units failed; the next run tries them again:")
        for unit, result in outcome.failed:
            say(f"  {progress.complaint(unit, result)}")
    if empty := _without_numbers(to_run, own.rows):
        bad = True
        say(f"hierbench: {empty}")
    return 1 if bad else 0


def placed(chosen: tuple[Suite, Suite], device: str, look: bool, quiet: bool) -> tuple[Suite, Suite]:
    """The suites to run and to show with their learners on a device, which learners that are, in one line.

    Parameters
    ----------
    look : bool
        Whether units are computed here, so that the device has to be here.

    Raises
    ------
    UserError
        No such device, or no learner that takes one.
    """
    checked(device)
    to_run, to_show = (on_device(suite, device) for suite in chosen)
    takes = takers(to_run)
    there = [label for label, takes_one in takes.items() if takes_one]
    others = [label for label, takes_one in takes.items() if not takes_one]
    if device != CPU:
        if not there:
            raise UserError(
                f"--device {device}: suite {to_run.name} runs no learner that takes a device here"
            )
        if look:
            probe.refuse_device(device, libraries(to_run))
        if not quiet:
            others += [f"experiment {one.label}" for one in to_run.experiments]
            stay = f"; on the CPU, without such a parameter: {', '.join(others)}" if others else ""
            say(f"on {device}: {', '.join(there)}{stay}")
    return to_run, to_show


def check_fresh(plan: Plan, fresh: Sequence[str]) -> None:
    """Refuse labels of learners that the plan has not."""
    labels = {u.learner for u in plan.curves}
    for label in fresh:
        if label not in labels:
            raise UserError(unknown("learner", label, labels))


def _without_numbers(suite: Suite, rows: Sequence[Row]) -> str:
    """One line if learning curves were asked for and there is not one error; empty otherwise."""
    cells = {cell for run in suite.runs for cell in run.cells()}
    asked = [row for row in rows if (row.learner, row.target, row.d) in cells]
    if not cells or any(row.status in FITTED for row in asked):
        return ""
    counts = Counter(row.status for row in asked)
    what = ", ".join(f"{count} {status}" for status, count in counts.items()) or "none is finished"
    reason = next((f" (the first: {row.reason})" for row in asked if row.reason), "")
    return f"nothing was measured: of {len(asked)} rows of suite {suite.name} {what}{reason}"


def _run(
    plan: Plan,
    store: Store,
    workers: int | None,
    results: Path,
    fresh: Sequence[str],
    minutes: float,
    scheduler: str | None,
    display: runner.Progress,
) -> runner.Outcome:
    """Run the plan, with the stages that its rows ask for as they come."""
    growing = stages.Stages(plan, store)
    follow = growing.resolved if growing.adaptive else None
    begun = growing.resolved()
    waiting = [u for u in runner.missing(begun, store.done(), fresh) if isinstance(u, CurveUnit)]
    probe.refuse_unfit(waiting, workers or machine.cores())
    return runner.run(
        begun, store, display, workers, follow=follow, fresh=fresh, minutes=minutes,
        logs=results / "logs", compiled=results / "compiled",
        elsewhere=_cluster(scheduler, begun) if scheduler else None,
    )  # fmt: skip


def _cluster(scheduler: str, plan: Plan) -> Callable[[], AbstractContextManager[Pool]]:
    try:
        # an extra, and slow to start
        from hierbench.benchmarks.run import cluster
    except ImportError as error:
        raise UserError(
            f"--scheduler needs dask.distributed ({error}): pip install 'hierbench[cluster]'"
        ) from error
    return lambda: cluster.opened(scheduler, plan)


def figures_of(suite: Suite, results: Path, against: str | None = None) -> None:
    """Draw the figures of what the store has of a suite, beside reference results if such are named."""
    folder = folder_of(results)
    with kept_fits(folder):
        for path in draw.draw_figures(suite, evidence_of(suite, results, against), folder, say):
            print(path)
