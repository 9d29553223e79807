"""``hierbench budgets``: what a fit of each learner of a suite took, side by side, from stored rows."""

from __future__ import annotations

from pathlib import Path

from hierbench.benchmarks.commands.report import FORMATS
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.budgets import LEGEND, budgets, edge_warnings
from hierbench.benchmarks.show.output import deliver
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError


def show_budgets(name: str, results: Path, form: str) -> None:
    """Print the budgets of a suite's rows; nothing is computed.

    Parameters
    ----------
    form : "text" or "markdown"

    Raises
    ------
    UserError
        From the suite file or the store; no row of the suite.
    """
    suite = load_suite(name)
    with Store.readable(results) as store:
        rows = SuiteResults.read(name, store).rows
    if not rows:
        raise UserError(f"no rows of suite {suite.name} in {results}: hierbench run {name} makes them")
    deliver(FORMATS[form]([budgets(rows), *LEGEND, *edge_warnings(rows)]), None)
