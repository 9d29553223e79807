"""Arguments and options that name something: what they may be, and how a shell completes them."""

from __future__ import annotations

from typing import Annotated

import typer

from hierbench.benchmarks import completion

SUITE_HELP = "Name of a suite (hierbench list suites), or path of a suite file."
SuiteName = Annotated[str, typer.Argument(help=SUITE_HELP, metavar="SUITE", autocompletion=completion.suites)]
SomeSuite = Annotated[
    str | None, typer.Argument(help=SUITE_HELP, metavar="SUITE", autocompletion=completion.suites)
]
Entry = Annotated[
    str | None,
    typer.Argument(
        help="learners, targets or suites for these only; the name of one, or the path of a suite file, "
        "for all there is to know about it.",
        metavar="NAME",
        autocompletion=completion.entries,
    ),
]
SomeLearners = Annotated[
    list[str] | None,
    typer.Option(
        help="Run only this learner: a label of the suite, a name of hierbench list learners, or an "
        "import path such as mine:NearestRows. May be repeated, as may the next four.",
        metavar="LEARNER",
        autocompletion=completion.learners,
    ),
]
SomeTargets = Annotated[
    list[str] | None,
    typer.Option(
        help="Run only on this target: a label of the suite, such as squares-L2.",
        metavar="TARGET",
        autocompletion=completion.suite_targets,
    ),
]
SomeDimensions = Annotated[
    list[int] | None,
    typer.Option("--d", help="Run only at this dimension: a d of the suite.", metavar="D"),
]
SomeExperiments = Annotated[
    list[str] | None,
    typer.Option(
        help="Run only this experiment: a label of the suite.",
        metavar="EXPERIMENT",
        autocompletion=completion.suite_experiments,
    ),
]
Fresh = Annotated[
    list[str] | None,
    typer.Option(
        help="Compute this learner again, though it is present: a label of the suite, or of --learner.",
        metavar="LEARNER",
        autocompletion=completion.suite_learners,
    ),
]
AddedLearners = Annotated[
    list[str] | None,
    typer.Option(
        help="A learner that was run beside those of the suite: a name, or an import path.",
        metavar="LEARNER",
        autocompletion=completion.learners,
    ),
]
Family = Annotated[
    str,
    typer.Argument(
        help="Name of a family of targets (hierbench list targets).",
        metavar="TARGET",
        autocompletion=completion.targets,
    ),
]
