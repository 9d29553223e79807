"""``hierbench budgets``: what a fit of each learner of a suite took, side by side, from stored rows."""

from __future__ import annotations

from pathlib import Path

from hierbench.benchmarks.commands.compare import FORMATS, measured
from hierbench.benchmarks.show.budgets import LEGEND, budgets, edge_warnings
from hierbench.benchmarks.show.output import deliver


def show_budgets(name: str, results: Path, form: str) -> None:
    """Print the budgets of a suite's rows; nothing is computed.

    Parameters
    ----------
    form : "text" or "markdown"

    Raises
    ------
    UserError
        As of ``measured``.
    """
    rows = measured(name, results)[1].rows
    deliver(FORMATS[form]([budgets(rows), *LEGEND, *edge_warnings(rows)]), None)
