"""``hierbench table``: n* and exponents of a suite at every error, from stored rows."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hierbench.benchmarks.commands.compare import Block, markdown, measured, text
from hierbench.benchmarks.results.beside import folder_of
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.show.labels import relabelled
from hierbench.benchmarks.show.output import LATEX, deliver, escaped, say
from hierbench.benchmarks.show.table import LEGEND, left_out, print_table, sections, show_table
from hierbench.benchmarks.statistics.exponents import exponents
from hierbench.benchmarks.statistics.line_fits import kept_fits
from hierbench.benchmarks.statistics.sample_complexity import n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.errors import UserError, unknown

MANY = 60
"""Exponents to be fitted from which a command says so."""

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
    targets: Sequence[str] = (),
    errors: Sequence[str] = (),
) -> None:
    """Print the table of a suite's rows, or write it to a file; nothing is computed.

    Parameters
    ----------
    learners : sequence of str
        Names or import paths of those that were run beside those of the suite.
    form : "text", "markdown", "latex" or "csv"
    against : str, optional
        Suite of the reference results that are shown beside the rows; by default none are.
    targets : sequence of str
        Labels of those that are shown; by default all are.
    errors : sequence of str
        Those that are shown, such as ``eps_top=0.3``; by default all that the suite asks for are.

    Raises
    ------
    UserError
        As of ``measured``; a target or an error that the suite has none of; a file that cannot be written.
    """
    suite, evidence = measured(name, results, learners, against)
    evidence, epsilons = _chosen(suite, evidence, targets, errors)
    folder = folder_of(results)
    if not (folder / "tables").exists() and (fits := _fits(evidence, epsilons)) > MANY:
        say(
            f"{fits} exponents are fitted, once for {folder / 'tables'}: minutes (--target, --error: of less)"
        )
    with kept_fits(folder):
        if form == "text" and output is None and not (targets or errors):
            kept = folder / "tables" / f"{suite.name}.json"
            show_table(suite, evidence.rows, evidence.certificates, make_console(), kept)
        elif form == "text" and output is None:
            print_table(list(evidence.rows), evidence.certificates, epsilons, make_console())
        else:
            deliver(FORMATS[form](suite.name, evidence, epsilons), output)


def _chosen(
    suite: Suite, evidence: SuiteResults, targets: Sequence[str], errors: Sequence[str]
) -> tuple[SuiteResults, list[Epsilon]]:
    """What is shown of the rows, and at which errors."""
    by_label = {epsilon.label.replace(" ", ""): epsilon for epsilon in epsilons_of(suite)}
    asked = [error.replace(" ", "") for error in errors]
    for what, names, known in (
        ("target of the suite", targets, {entry.label for entry in suite.targets}),
        ("error of the suite", asked, by_label),
    ):
        for one in names:
            if one not in known:
                raise UserError(unknown(what, one, known))
    rows = [row for row in evidence.rows if not targets or row.target in targets]
    epsilons = [by_label[one] for one in dict.fromkeys(asked)] or list(by_label.values())
    return dataclasses.replace(evidence, rows=rows), epsilons


def _fits(evidence: SuiteResults, epsilons: Sequence[Epsilon]) -> int:
    return len({(row.target, row.learner) for row in evidence.rows}) * len(epsilons)


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
