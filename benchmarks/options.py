"""What the commands take: options and arguments that several have, and the values that some may have."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer


class Listed(enum.StrEnum):
    """What ``hierbench list`` can be asked for."""

    learners = "learners"
    targets = "targets"
    suites = "suites"


class Tier(enum.StrEnum):
    """Tiers of the gate."""

    exact = "exact"
    statistical = "statistical"
    both = "both"


class Format(enum.StrEnum):
    """How claims are printed."""

    text = "text"
    markdown = "markdown"
    latex = "latex"


class TableFormat(enum.StrEnum):
    """How a table is printed."""

    text = "text"
    markdown = "markdown"
    latex = "latex"
    csv = "csv"


class ReportFormat(enum.StrEnum):
    """How a report is printed."""

    text = "text"
    markdown = "markdown"


class Beside(enum.StrEnum):
    """What stands behind one's own rows."""

    reference = "reference"
    none = "none"


SuiteName = Annotated[str, typer.Argument(help="Name of a suite, or path of a suite file.", metavar="SUITE")]
SomeSuite = Annotated[
    str | None, typer.Argument(help="Name of a suite, or path of a suite file.", metavar="[SUITE]")
]
Results = Annotated[Path, typer.Option(help="Folder of the results.", metavar="DIR")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="If another process is writing, refuse instead of waiting.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Set learner.parameter=value or target.parameter=value.", metavar="NAME=VALUE"
    ),
]

OtherLearners = Annotated[
    list[str] | None, typer.Option("--learner", help="A learner that was run beside those of the suite.")
]
Against = Annotated[
    Beside | None,
    typer.Option(
        help="Show results that ship with hierbench behind one's own (default: where --learner is a path)."
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes (default: the cores available).")]
Output = Annotated[Path | None, typer.Option(help="Write to this file.", metavar="FILE")]
