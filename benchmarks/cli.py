"""The command line: ``hierbench``. Every error of the user is one line and exit status 2."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hierbench.benchmarks import completion, ending, own_commands, shown_commands
from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.options import (
    Against,
    NoWait,
    Results,
    Settings,
    SomeSuite,
    SuiteName,
    Tier,
    Workers,
    behind,
    called,
)
from hierbench.errors import UserError

app = typer.Typer(
    name="hierbench",
    help="How many samples does a learner need, as the dimension grows, when the target is hierarchical?",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="learners, targets or suites for these only; the name of one, or the path of a suite file, "
            "for all there is to know about it.",
            metavar="NAME",
            autocompletion=completion.entries,
        ),
    ] = None,
) -> None:
    """List learners, targets and suites in one line each, or print one of them in full."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.listing import print_list

    print_list(name)


@app.command()
def run(
    suite: SuiteName,
    learner: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this learner: a label of the suite, a name of hierbench list learners, or an "
            "import path such as mine:NearestRows. May be repeated, as may the next four.",
            metavar="LEARNER",
            autocompletion=completion.learners,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only on this target: a label of the suite, such as squares-L2.",
            metavar="TARGET",
            autocompletion=completion.suite_targets,
        ),
    ] = None,
    d: Annotated[
        list[int] | None,
        typer.Option(
            "--d",
            help="Run only at this dimension, a d of the suite, and at those that its sizes start from.",
            metavar="D",
        ),
    ] = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this experiment: a label of the suite.",
            metavar="EXPERIMENT",
            autocompletion=completion.suite_experiments,
        ),
    ] = None,
    settings: Settings = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Train on this device the learners that take one: cpu, cuda, cuda:1 (docs/gpu.md).",
            metavar="DEVICE",
        ),
    ] = None,
    fresh: Annotated[
        list[str] | None,
        typer.Option(
            help="Compute this learner again at every d of the run, though it is present: a label of the "
            "suite, or of --learner.",
            metavar="LEARNER",
            autocompletion=completion.suite_learners,
        ),
    ] = None,
    workers: Workers = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Compute on the workers of this dask scheduler, such as tcp://host:8786.", metavar="ADDRESS"
        ),
    ] = None,
    results: Results = Path("results"),
    no_wait: NoWait = False,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Do not draw figures.")] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--for",
            min=0.0,
            help="Start no unit after this time; show what there is by then.",
            metavar="MINUTES",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be computed, and what that takes."),
    ] = False,
    against: Against = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", help="Only the final screen, and what is missing from it: no progress, no advice."
        ),
    ] = False,
) -> None:
    """Compute what a suite still lacks, say who learns what from how many samples, draw the figures."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.run import execute, placed
    from hierbench.benchmarks.show.output import say
    from hierbench.benchmarks.suites.choices import choose, smaller
    from hierbench.benchmarks.suites.suite_file import load_suite

    chosen = choose(load_suite(suite), learner or [], target or [], d or [], settings or [], experiment or [])
    if d and (before := smaller(chosen[0], d)) and not quiet:
        say(f"at d = {', '.join(map(str, before))} too: sizes at a larger d start from n* there")
    if device is not None:
        chosen = placed(chosen, device, look=not (dry_run or scheduler), quiet=quiet)
    if dry_run:
        from hierbench.benchmarks.commands.dry_run import show

        minutes = math.inf if minutes is None else minutes
        show(chosen[0], results, workers, fresh or [], minutes, here=scheduler is None)
        return
    raise typer.Exit(
        execute(
            *chosen, results, called=called(suite, learner, against),
            workers=workers, wait=not no_wait, figures=not no_figures, fresh=fresh or [],
            minutes=math.inf if minutes is None else minutes, scheduler=scheduler,
            part=bool(target or d or settings), against=behind(learner, against), quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def status(
    suite: SomeSuite = None,
    results: Results = Path("results"),
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete stale rows: those of older code or library versions; asks."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --prune: do not ask.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --prune: delete even if nothing would be left.")
    ] = False,
    current: Annotated[
        Path | None,
        typer.Option(help="Write down in this file which units are current, for --adopt.", metavar="FILE"),
    ] = None,
    adopt: Annotated[
        Path | None,
        typer.Option(
            help="Take over the units of this file (from --current, under earlier code) as current, "
            "if the exact tier of the gate passes; with --reason.",
            metavar="FILE",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why adopted numbers are the same.", metavar="TEXT")] = "",
    no_wait: NoWait = False,
) -> None:
    """Show what the store holds: finished, missing, failed and stale units."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.pruning import prune as delete_stale
    from hierbench.benchmarks.commands.status import adopt_current, record_current, show_status

    if sum((prune, current is not None, adopt is not None)) > 1:
        raise UserError("--prune, --current and --adopt are three calls: give one of them")
    if reason and adopt is None:
        raise UserError("--reason goes with --adopt: without it nothing is adopted")
    if (yes or everything) and not prune:
        raise UserError("--yes and --all go with --prune: without it nothing is deleted")
    if current is not None:
        return record_current(results, current)
    if adopt is not None:
        raise typer.Exit(adopt_current(results, adopt, reason, wait=not no_wait))
    if prune:
        delete_stale(results, not no_wait, yes, everything)
    show_status(suite, results)


@app.command()
def merge(
    stores: Annotated[
        list[Path],
        typer.Argument(
            help="What is taken over: folders of results, reference:SUITE (the results that ship), or files "
            ".json.gz of hierbench export.",
            metavar="STORE...",
        ),
    ],
    results: Annotated[
        Path, typer.Option(help="Folder of the results that they are merged into.", metavar="DIR")
    ] = Path("results"),
    suite: Annotated[
        str | None,
        typer.Option(help="The suite of a .json.gz, where it is a file of yours.", metavar="SUITE"),
    ] = None,
    no_wait: NoWait = False,
) -> None:
    """Join the results of several folders, or of files; numbers of one machine that differ are refused."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.merging import merge_into

    merge_into(results, stores, wait=not no_wait, suite=suite)


@app.command()
def describe(
    target: Annotated[
        str,
        typer.Argument(
            help="Name of a family of targets (hierbench list targets).",
            metavar="TARGET",
            autocompletion=completion.targets,
        ),
    ],
    d: Annotated[
        int | None,
        typer.Option("--d", help="Input dimension, from 1; --set d=40 does the same.", metavar="D"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Set d=40, or a parameter of hierbench list TARGET.", metavar="NAME=VALUE"
        ),
    ] = None,
    index: Annotated[
        int, typer.Option(min=0, help="Which of the targets that suites draw, counted from 0.")
    ] = 0,
) -> None:
    """Print the certificate of a target: moments, variance by degree and level, contamination, floors."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.describe import print_certificate

    print_certificate(target, d, settings or [], index)


@app.command()
def regress(
    suite: SuiteName = "ci",
    tier: Annotated[Tier, typer.Option(help="Which tier to compare.")] = Tier.both,
    update: Annotated[bool, typer.Option("--update", help="Record new baselines; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why the numbers may change.", metavar="TEXT")] = "",
    workers: Workers = None,
    results: Results = Path("results"),
    baselines: Annotated[
        Path | None,
        typer.Option(help="Folder of the baselines (default: those of hierbench).", metavar="DIR"),
    ] = None,
) -> None:
    """Compare a suite with its baselines; exit status 1 if a curve got worse or a number changed."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.regress import regress as run_gate

    exact, statistical = tier is not Tier.statistical, tier is not Tier.exact
    raise typer.Exit(run_gate(suite, results, baselines, workers, exact, statistical, update, reason))


@app.command()
def doctor(
    store: Annotated[Path, typer.Argument(help="Folder of the results.", metavar="STORE")] = Path("results"),
) -> None:
    """Check the installation; exit status 1 if something is to be done."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.doctor import diagnose

    raise typer.Exit(diagnose(store))


shown_commands.add_to(app)
own_commands.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Run a command.

    Exit status: 0, 1 (failed units, a missed bar, ...), 2 (an error of the user, or of what is around us),
    128 + k (stopped by signal k), 141 (nobody reads the output any more).
    """
    with signals.heard():
        sys.exit(ending.status_of(lambda: _call(arguments)))


def _call(arguments: list[str] | None) -> int:
    ending.mend_streams()
    if _in_a_starting_process():
        raise UserError(
            "main() is called by a process that is only starting: in the script that calls it, put the call "
            'below the line: if __name__ == "__main__":'
        )
    # As ``python -m`` does, so that a learner in the current folder has an import path; at the
    # end, so that nothing there shadows an installed module.
    with contextlib.suppress(FileNotFoundError):  # it has been deleted
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
    try:
        return int(app(args=arguments, prog_name="hierbench", standalone_mode=False) or 0)
    except Exception as error:
        # Usage errors of the parser; its exception classes have moved between versions of typer.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            print(message())
            return ending.USER
        raise UserError(message()) from error


def _in_a_starting_process() -> bool:
    """Whether ``multiprocessing`` is importing the main program in a process that it has spawned."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and getattr(process.current_process(), "_inheriting", False)


if __name__ == "__main__":
    signals.as_by_default()
    main()
