"""``hierbench claims``: the verdicts as text, as a page of Markdown and as a LaTeX table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench.benchmarks.claims.claims_file import CLAIMS, choose, load_claims, moved
from hierbench.benchmarks.claims.verdicts import Finding, Verdict, verdicts_of
from hierbench.benchmarks.results.beside import folder_of, option_of
from hierbench.benchmarks.show.output import LATEX, deliver, escaped, markdown_row
from hierbench.benchmarks.statistics.line_fits import kept_fits
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite

if TYPE_CHECKING:
    from rich.console import Console

    from hierbench.benchmarks.claims.criteria import Criterion
    from hierbench.benchmarks.claims.next_experiment import Experiment

WIDTH = 110
COLUMNS = ("id", "kind", "claim", "verdict", "deciding figure")
ASSUMED = {"supported": "needed here", "contradicted": "not needed here"}
"""Verdicts on what a theorem assumes: one that can do without it is not contradicted."""


def show_claims(ids: Iterable[str], results: Path, form: str, output: Path | None, on: str | None) -> None:
    """Print the verdicts on these claims (on all), or write them to a file.

    Parameters
    ----------
    form : "text", "markdown" or "latex"
    on : a suite whose rows decide the criteria that it has the cells of; None: that of the criterion.

    Raises
    ------
    UserError
        An unknown id, an error in the claims or in a suite, no store, or a file that cannot be written.
    """
    chosen = choose(load_claims(CLAIMS), ids)
    if on is not None:
        chosen = moved(chosen, load_suite(on))
    with kept_fits(folder_of(results)):
        verdicts = verdicts_of(chosen, results)
    deliver(FORMATS[form](verdicts, results), output)


def show_findings(suite: Suite, results: Path, console: Console) -> None:
    """Print the estimates that decide claims, from the experiments of this suite."""
    # rich starts slowly
    from rich.table import Table

    table = Table(title=f"What the experiments of {suite.name} say about the claims", title_justify="left")
    for column in ("claim", "figure", "bounds", "finding", "measured"):
        table.add_column(column)
    claims = [c for c in load_claims(CLAIMS) if any(_own(k, suite) for k in c.criteria)]
    for verdict in verdicts_of(claims, results):
        for finding in verdict.findings:
            criterion = finding.criterion
            if _own(criterion, suite):
                state = "beside" if criterion.beside else finding.state
                said = "\n".join(f"{f.label}: {f.text()}" for f in finding.estimates) or finding.reason
                table.add_row(criterion.claim, criterion.what, criterion.bounds.text(), state, said)
    if table.row_count:
        console.print(table)


def _own(criterion: Criterion, suite: Suite) -> bool:
    return criterion.suite == suite.name and bool(criterion.experiments)


def _word(verdict: Verdict) -> str:
    return ASSUMED.get(verdict.word, verdict.word) if verdict.claim.kind == "assumption" else verdict.word


def verdict_text(verdict: Verdict) -> str:
    """The verdict in a few words: what kind of undecided it is, and which optimiser it was reached with."""
    word = _word(verdict)
    if word == "undecided":
        unmeasured = [f for f in verdict.estimates if f.state == "unmeasured"]
        word += " by data" if not unmeasured else " (not measured yet)"
        if unmeasured and len(unmeasured) < len(verdict.deciding):
            word = "undecided (measured in part)"
    if verdict.n_rows and verdict.optimizers:
        word += f", nets trained with {' and '.join(verdict.optimizers)}"
    return word


def estimate_texts(findings: Sequence[Finding]) -> list[str]:
    """Label, number and interval of the figure that decides each finding."""
    return list(dict.fromkeys(f"{f.estimate.label}: {f.estimate.text()}" for f in findings if f.estimate))


def commands(verdict: Verdict, results: Path) -> list[str]:
    """The commands that make the missing rows."""
    return [f"hierbench run {suite}{option_of(results)}" for suite in verdict.missing]


def _command(experiment: Experiment, results: Path, mark: str = "") -> str:
    """The command that runs it, after a colon and between marks; empty where there is none."""
    return f": {mark}{experiment.command}{option_of(results)}{mark}" if experiment.command else ""


def text(verdicts: Sequence[Verdict], results: Path) -> str:
    """One paragraph a claim, with a line for each criterion."""
    lines = []
    for verdict in verdicts:
        claim = verdict.claim
        lines += _wrapped(f"{claim.id}  {verdict_text(verdict)}  ({claim.kind})", "")
        lines += _wrapped(f"{claim.statement} ({claim.source})", "  ")
        if claim.scope:
            lines += _wrapped(f"scope: {claim.scope}", "  ")
        for finding in verdict.findings:
            beside = "decides nothing" if finding.criterion.beside else finding.state
            rule = f"{finding.criterion.what}, {finding.criterion.bounds.text()}: {finding.reason}"
            lines += _wrapped(f"- {beside}: {rule}", "  ", "    ")
            if finding.ahead and _said_here(finding, verdict):
                lines += _wrapped(finding.ahead.text, "    ")
        lines += _wrapped(f"rows: {verdict.n_rows}; bounds fixed {claim.fixed}", "  ")
        if verdict.ahead:
            said = f"next experiment: {verdict.ahead.text}{_command(verdict.ahead, results)}"
            lines += _wrapped(said, "  ", "    ")
        for command in commands(verdict, results):
            lines.append(f"  missing rows: {command}")
        lines.append("")
    return "\n".join(lines) + _count(verdicts) + "\n"


def _said_here(finding: Finding, verdict: Verdict) -> bool:
    """Whether what would decide a finding stands with it: where it is not the claim's next experiment."""
    ahead = finding.state == "undecided" and not finding.criterion.beside
    return ahead and finding.ahead is not verdict.ahead


def _wrapped(line: str, indent: str, later: str | None = None) -> list[str]:
    following = indent if later is None else later
    return textwrap.wrap(
        line, WIDTH, initial_indent=indent, subsequent_indent=following, break_on_hyphens=False
    )


def _count(verdicts: Sequence[Verdict]) -> str:
    words = [_word(verdict) for verdict in verdicts]
    usual = ("supported", "contradicted", "undecided")
    shown = [*usual, *(w for w in ASSUMED.values() if w in words)]
    counted = ", ".join(f"{words.count(w)} {w}" for w in shown)
    return f"{len(verdicts)} claims: {counted}"


def markdown(verdicts: Sequence[Verdict], results: Path) -> str:
    """A table of verdicts with the figure that decides each, then a part for every claim."""
    lines = [markdown_row(COLUMNS), markdown_row(["---"] * len(COLUMNS))]
    for verdict in verdicts:
        claim, figures = verdict.claim, estimate_texts(verdict.estimates)
        link = f"[{claim.id}](#{claim.id.lower()})"
        row = markdown_row([claim.kind, claim.statement, verdict_text(verdict), (figures or ["none yet"])[0]])
        lines.append(f"| {link} {row}")
    lines += ["", _count(verdicts), ""]
    for verdict in verdicts:
        lines += _part(verdict, results)
    return "\n".join(lines).rstrip() + "\n"


def _part(verdict: Verdict, results: Path) -> list[str]:
    claim = verdict.claim
    lines = [
        f"## {claim.id}",
        "",
        f"**{verdict_text(verdict)}** ({claim.kind}). {escaped(claim.statement)}",
        "",
    ]
    lines += [f"Source: {escaped(claim.source)}. Bounds fixed {claim.fixed}. {verdict.n_rows} rows.", ""]
    if claim.scope:
        lines += [f"Scope: {escaped(claim.scope)}.", ""]
    for finding in verdict.findings:
        criterion = finding.criterion
        state = "beside" if criterion.beside else finding.state
        lines.append(f"- *{state}*: {escaped(criterion.what)}, {criterion.bounds.text()}")
        said = [f"{escaped(f.label)}: {escaped(f.text())}" for f in finding.estimates] or [
            escaped(finding.reason)
        ]
        lines += [f"  - {line}" for line in said]
        if finding.ahead and _said_here(finding, verdict):
            lines.append(f"  - open: {escaped(finding.ahead.text)}")
    if verdict.ahead:
        command = _command(verdict.ahead, results, mark="`")
        lines.append(f"- next experiment: {escaped(verdict.ahead.text)}{command}")
    lines += [f"- missing rows: `{command}`" for command in commands(verdict, results)]
    return [*lines, ""]


def latex(verdicts: Sequence[Verdict], results: Path) -> str:
    """A tabular for a paper: needs the packages array and booktabs, and the T1 encoding."""
    lines = [
        r"% needs \usepackage{array,booktabs} and \usepackage[T1]{fontenc}",
        r"\begin{tabular}{@{}l>{\raggedright\arraybackslash}p{0.34\textwidth}"
        r">{\raggedright\arraybackslash}p{0.16\textwidth}>{\raggedright\arraybackslash}p{0.30\textwidth}r@{}}",
        r"\toprule",
        r"id & claim & verdict & figures & rows \\",
        r"\midrule",
    ]
    for verdict in verdicts:
        scope = f" [{verdict.claim.scope}]" if verdict.claim.scope else ""
        figures = "; ".join(estimate_texts(verdict.estimates)) or "none yet"
        name, statement = verdict.claim.id, verdict.claim.statement + scope
        short = (name, statement, verdict_text(verdict), figures, str(verdict.n_rows))
        lines.append(" & ".join(escaped(cell, LATEX) for cell in short) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


FORMATS = {"text": text, "markdown": markdown, "latex": latex}
