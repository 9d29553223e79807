"""Commands that show what is stored, and compute nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hierbench.benchmarks.options import (
    Against,
    BlockFormat,
    Format,
    OtherLearners,
    Output,
    Results,
    SomeSuite,
    SuiteName,
    TableFormat,
    behind,
)


def add_to(app: typer.Typer) -> None:
    """Add them to the commands of ``app``."""
    for command in (figures, table, report, compare, budgets, claims, export):
        app.command()(command)


def figures(
    suite: SuiteName = "default",
    results: Results = Path("results"),
    learner: OtherLearners = None,
    against: Against = None,
) -> None:
    """Draw the figures of a suite from the stored rows."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.run import figures_of
    from hierbench.benchmarks.suites.choices import choose
    from hierbench.benchmarks.suites.suite_file import load_suite

    figures_of(choose(load_suite(suite), learner or [])[1], results, behind(learner, against))


def table(
    suite: SuiteName = "default",
    learner: OtherLearners = None,
    results: Results = Path("results"),
    form: Annotated[TableFormat, typer.Option("--format", help="How to print.")] = TableFormat.text,
    output: Output = None,
    against: Against = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Only of this target: a label of the suite, such as squares-L2. May be repeated.",
            metavar="TARGET",
        ),
    ] = None,
    error: Annotated[
        list[str] | None,
        typer.Option(help="Only at this error, such as eps_top=0.3. May be repeated.", metavar="ERROR"),
    ] = None,
) -> None:
    """Print n* and exponents at every error that a suite asks for, from the stored rows."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.table import show

    show(
        suite,
        learner or [],
        results,
        form.value,
        output,
        behind(learner, against),
        target or [],
        error or [],
    )


def export(
    suite: SomeSuite = None,
    results: Results = Path("results"),
    output: Annotated[
        Path, typer.Option(help="File to write: its name ends in .parquet, .csv or .json.gz.", metavar="FILE")
    ] = Path("results.parquet"),
    partial: Annotated[
        bool, typer.Option("--partial", help="Write a .json.gz of a suite of which units are missing.")
    ] = False,
) -> None:
    """Write the rows of a suite, or all that are stored, to a file that pandas and polars read."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.export import write

    write(suite, results, output, partial)


def compare(
    suite: SuiteName = "default",
    learner: OtherLearners = None,
    against: Against = None,
    results: Results = Path("results"),
    form: Annotated[BlockFormat, typer.Option("--format", help="How to print.")] = BlockFormat.text,
    output: Output = None,
) -> None:
    """Print groups of learners, exponents in 1/eps and variance components, from the stored rows."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.compare import show_comparison

    show_comparison(suite, results, form.value, output, learner or [], behind(learner, against))


def report(
    suite: SuiteName = "default",
    learner: OtherLearners = None,
    results: Results = Path("results"),
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this file (default: report_SUITE.html in DIR).", metavar="FILE"),
    ] = None,
    against: Against = None,
) -> None:
    """Make one page of HTML of a suite's rows, to read in a browser: verdicts, curves, n*, every row."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.report import write_report

    write_report(suite, learner or [], results, output, behind(learner, against))


def budgets(
    suite: SuiteName = "default",
    results: Results = Path("results"),
    form: Annotated[BlockFormat, typer.Option("--format", help="How to print.")] = BlockFormat.text,
) -> None:
    """Print what a fit of each learner took, tuning counted, and whose choices lie at an edge."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.budgets import show_budgets

    show_budgets(suite, results, form.value)


def claims(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Names of claims, such as C05 (default: all).", metavar="IDS"),
    ] = None,
    results: Results = Path("results"),
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.text,
    output: Output = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            help="A suite whose rows decide every criterion that it has the learners and targets of, such as "
            "paper (default: the suite that the criterion names).",
        ),
    ] = None,
) -> None:
    """Print verdicts on the claims of the paper, from the stored rows: nothing is computed."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.claims import show_claims

    show_claims(ids or [], results, form.value, output, on)
