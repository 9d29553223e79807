"""What the commands take: options and arguments that several have, and the values that some may have."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from hierbench import plugins
from hierbench.benchmarks import completion


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


class BlockFormat(enum.StrEnum):
    """How statistics are printed."""

    text = "text"
    markdown = "markdown"


class Beside(enum.StrEnum):
    """What stands behind one's own rows."""

    reference = "reference"
    none = "none"


SUITE_HELP = "Name of a suite (hierbench list suites), or path of a suite file."
SuiteName = Annotated[str, typer.Argument(help=SUITE_HELP, metavar="SUITE", autocompletion=completion.suites)]
SomeSuite = Annotated[
    str | None, typer.Argument(help=SUITE_HELP, metavar="SUITE", autocompletion=completion.suites)
]
Results = Annotated[Path, typer.Option(help="Folder of the results.", metavar="DIR")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="If another process is writing, refuse instead of waiting.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Set learner.parameter=value or target.parameter=value: a number, true, false, none, a list "
        "such as [1, 2], or a text.",
        metavar="NAME=VALUE",
    ),
]
OtherLearners = Annotated[
    list[str] | None,
    typer.Option(
        "--learner",
        help="A learner that was run beside those of the suite: a name, or an import path.",
        metavar="LEARNER",
        autocompletion=completion.learners,
    ),
]
Against = Annotated[
    Beside | None,
    typer.Option(
        help="Show results that ship with hierbench behind one's own (default: where --learner is a path)."
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes (default: the cores available).")]
Output = Annotated[Path | None, typer.Option(help="Write to this file.", metavar="FILE")]


def behind(learners: list[str] | None, against: Beside | None) -> str | None:
    """Suite of the reference results that are shown, if any."""
    installed = plugins.installed(plugins.LEARNERS) if learners else {}
    foreign = any(":" in name or name in installed for name in learners or [])
    if (against or (Beside.reference if foreign else Beside.none)) == Beside.none:
        return None
    # most commands show no reference, and start without it
    from hierbench.benchmarks.results.reference import SUITE

    return SUITE


def called(suite: str, learners: list[str] | None, against: Beside | None) -> list[str]:
    """Arguments with which a further command shows the same."""
    chosen = [] if against is None else [f"--against={against.value}"]
    return [suite, *(f"--learner={one}" for one in learners or []), *chosen]
