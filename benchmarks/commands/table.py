"""``hierbench table``: n* and exponents of a suite at every error, from stored rows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hierbench.benchmarks.commands.compare import Block, markdown, measured, text
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.show.labels import relabelled
from hierbench.benchmarks.show.output import LATEX, deliver, escaped
from hierbench.benchmarks.show.table import LEGEND, left_out, sections, show_table
from hierbench.benchmarks.statistics.exponents import exponents
from hierbench.benchmarks.statistics.line_fits import kept_fits
from hierbench.benchmarks.statistics.sample_complexity import n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, epsilons_of

CSV = (
    *("target", "learner", "scale", "epsilon", "d", "n_star", "lower", "upper", "censoring"),
    *("replicates", "censored", "exponent", "exponent_low", "exponent_high", "exponent_kind"),
)


def show(
    name: str,
    learners: Sequence[str],
    results: Path,
    form: str,
    output: Path | None,
    against: str | None = None,
) -> None:
    """Print the table of a suite's rows, or write it to a file; nothing is computed.

    Parameters
    ----------
    learners : sequence of str
        Names or import paths of those that were run beside those of the suite.
    form : "text", "markdown", "latex" or "csv"
    against : str, optional
        Suite of the reference results that are shown beside the rows; by default none are.

    Raises
    ------
    UserError
        As of ``measured``; a file that cannot be written.
    """
    suite, evidence = measured(name, results, learners, against)
    epsilons = epsilons_of(suite)
    with kept_fits(results):
        if form == "text" and output is None:
            kept = results / "tables" / f"{suite.name}.json"
            show_table(suite, evidence.rows, evidence.certificates, make_console(), kept)
            return
        deliver(FORMATS[form](suite.name, evidence, epsilons), output)


def _blocks(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> Iterator[Block]:
    rows, certificates = relabelled(evidence.rows, evidence.certificates)
    yield f"# n* and exponents of {name}: {len(rows)} rows"
    for target, of_target in sections(rows, certificates, epsilons):
        yield f"# target {target}"
        yield from of_target
        if notes := left_out([row for row in rows if row.target == target]):
            yield "Rows that are not ok: " + "; ".join(notes) + "."
    yield "# how to read this"
    yield from LEGEND


def as_text(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> str:
    """Aligned text."""
    return text(list(_blocks(name, evidence, epsilons)))


def as_markdown(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> str:
    """Titles and tables."""
    return markdown(list(_blocks(name, evidence, epsilons)))


def as_latex(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> str:
    """A tabular for each target and error; needs the package booktabs and the T1 encoding."""
    rows, certificates = relabelled(evidence.rows, evidence.certificates)
    lines = [r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}"]
    lines += [f"% rows that are not ok: {note}" for note in left_out(rows)]
    for target, of_target in sections(rows, certificates, epsilons):
        for section in of_target:
            lines += [f"% {target}: {section.heading}"]
            if not section.cells:
                continue
            lines += [r"\begin{tabular}{@{}l" + "r" * (len(section.columns) - 1) + r"@{}}", r"\toprule"]
            for i, texts in enumerate((section.columns, *section.cells)):
                lines.append(" & ".join(escaped(cell, LATEX) for cell in texts) + r" \\")
                lines += [r"\midrule"] if i == 0 else []
            lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, ""])


def as_csv(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> str:
    """One line a learner, target, error and d; ends that are unknown are empty."""
    stars = n_stars(evidence.rows, evidence.certificates, epsilons)
    slopes = exponents(stars)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV)
    for s in summarise(stars):
        slope = slopes[s.target, s.learner, s.epsilon]
        numbers = (s.value, s.low, s.high)
        value, high = (slope.value, slope.high) if slope.kind == "estimate" else (None, None)
        of_slope = (value, None if slope.kind == "unidentified" else slope.low, high)
        writer.writerow(
            [
                s.target, s.learner, s.epsilon.scale.value, f"{s.epsilon.value:g}", s.d,
                *map(_number, numbers), s.censoring, s.n_replicates, s.n_censored,
                *map(_number, of_slope), slope.kind,
            ]
        )  # fmt: skip
    return file.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


Form = Callable[[str, SuiteResults, Sequence[Epsilon]], str]
FORMATS: dict[str, Form] = {"text": as_text, "markdown": as_markdown, "latex": as_latex, "csv": as_csv}
