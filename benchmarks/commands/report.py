"""``hierbench report``: one file of HTML with everything that the stored rows of a suite say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.claims.claims_file import CLAIMS, load_claims
from hierbench.benchmarks.claims.verdicts import verdicts_of
from hierbench.benchmarks.commands.claims import estimate_texts, verdict_text
from hierbench.benchmarks.report.columns import Data
from hierbench.benchmarks.report.content import content
from hierbench.benchmarks.report.page import html_page, plotly_script
from hierbench.benchmarks.results.beside import evidence_of, folder_of
from hierbench.benchmarks.show.output import deliver
from hierbench.benchmarks.statistics.line_fits import kept_fits
from hierbench.benchmarks.suites.choices import choose
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite


def write_report(
    name: str, learners: Sequence[str], results: Path, output: Path | None, against: str | None = None
) -> None:
    """Write the page of a suite's rows and measurements, and print its path; nothing is measured.

    Parameters
    ----------
    learners : sequence of str
        Names or import paths of those that were run beside those of the suite.
    output : path, optional
        By default ``report_SUITE.html`` in the folder of the results.
    against : str, optional
        Suite of the reference results that are shown beside the rows; by default none are.

    Raises
    ------
    UserError
        No plotly; from the suite file or the store; nothing of the suite; a file that cannot be written.
    """
    suite = load_suite(name)
    if learners:
        suite = choose(suite, learners)[1]
    plotly = plotly_script()
    evidence = evidence_of(suite, results, against)
    own = {row.learner for row in evidence.rows} - evidence.reference or evidence.measurements
    where = [] if results == Path("results") else [f"--results={results}"]
    with kept_fits(folder_of(results)):
        claims = claims_of(suite, results) if own else []
        made = content(name, suite, evidence, claims, learners, where=where)
    deliver(html_page(made, plotly), output or folder_of(results) / f"report_{suite.name}.html")


def claims_of(suite: Suite, results: Path) -> list[Data]:
    """Verdicts on the claims that rows of this suite decide, in words."""
    claims = [c for c in load_claims(CLAIMS) if any(k.suite == suite.name for k in c.criteria)]
    return [
        {
            "id": verdict.claim.id,
            "statement": verdict.claim.statement,
            "source": verdict.claim.source,
            "scope": verdict.claim.scope,
            "verdict": verdict_text(verdict),
            "word": verdict.word,
            "figures": estimate_texts(verdict.estimates),
            "why": verdict.reason,
            "rows": verdict.n_rows,
        }
        for verdict in verdicts_of(claims, results)
        if any(f.state != "unmeasured" and f.criterion.suite == suite.name for f in verdict.findings)
    ]
