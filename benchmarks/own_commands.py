"""Commands for learners and targets of one's own: written, and judged among the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hierbench.benchmarks.options import Results, Settings, Workers


def add_to(app: typer.Typer) -> None:
    """Add them to the commands of ``app``."""
    for name, command in (
        ("new-learner", new_learner),
        ("check-learner", check_learner),
        ("new-target", new_target),
        ("check-target", check_target),
    ):
        app.command(name)(command)


def new_learner(
    name: Annotated[str, typer.Argument(help="Name of the class, such as NearestRows.", metavar="NAME")],
    folder: Annotated[Path, typer.Option(help="Folder of the two files.", metavar="DIR")] = Path(),
) -> None:
    """Write a learner that works, to be changed, and its test."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.new_plugin import write_learner

    write_learner(name, folder)


def check_learner(
    learner: Annotated[
        str, typer.Argument(help="Import path, as in mine:NearestRows, or a name.", metavar="LEARNER")
    ],
    settings: Settings = None,
    results: Results = Path("results"),
    workers: Workers = None,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Do not draw figures.")] = False,
) -> None:
    """Print what a learner keeps of the contract, what it needs, and where it lands among the others."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.check_learner import check

    raise typer.Exit(check(learner, settings or [], results, workers, not no_figures))


def new_target(
    name: Annotated[str, typer.Argument(help="Name of the class, such as PairProducts.", metavar="NAME")],
    folder: Annotated[Path, typer.Option(help="Folder of the two files.", metavar="DIR")] = Path(),
) -> None:
    """Write a target that works, to be changed, and its test."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.new_plugin import write_target

    write_target(name, folder)


def check_target(
    target: Annotated[
        str, typer.Argument(help="Import path, as in mine:MyTarget, or a name.", metavar="TARGET")
    ],
    d: Annotated[int, typer.Option("--d", min=1, help="Input dimension of the contract.")] = 8,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Set parameter=value.", metavar="NAME=VALUE")
    ] = None,
    results: Results = Path("results"),
    workers: Workers = None,
) -> None:
    """Print what a target keeps of the contract, its certificate, and n* of three learners on it."""
    # the command imports what it runs: the others start without it
    from hierbench.benchmarks.commands.check_target import check

    raise typer.Exit(check(target, d, settings or [], results, workers))
