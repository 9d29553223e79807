"""``hierbench compare``: groups of learners, exponents in 1/eps, variance components, from stored rows."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from hierbench.benchmarks.results.beside import evidence_of, option_of
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.output import deliver, escaped, markdown_row
from hierbench.benchmarks.show.ratios import ratio_cells
from hierbench.benchmarks.show.table import PIPE_WIDTH, Section, degree_text, left_out, plain_lines
from hierbench.benchmarks.statistics.epsilon_exponent import EpsilonExponent, epsilon_exponents
from hierbench.benchmarks.statistics.ranks import Ranked, compare_with, rank, reference, share_targets
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, n_stars
from hierbench.benchmarks.statistics.variance import NAMES, Spread, spreads
from hierbench.benchmarks.suites.choices import choose
from hierbench.benchmarks.suites.epsilon import Epsilon, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError

RANKS = ("learner", "groups", "rank", "n* ratio", "at d", "not compared with")
EXPONENTS = ("learner", "d", "exponent", "over eps", "targets", "why")

LEGEND = (
    "groups: the data do not separate learners that share a letter; that does not make them equal. "
    "Two that share none are separated, with a chance of 5 % that a table has any such pair that is not "
    "different (log n* paired by d and replicate, mean over the d that both ran, Holm over all pairs).",
    "rank: from 1 + the learners shown to need fewer samples, to all minus those shown to need more.",
    "n* ratio: geometric mean of n* over that of the learner whose ratio is 1, at the d where both are "
    "known; > and < mark a bound, where some replicate is censored.",
    "not compared with: no two targets in common at any d, or both n* above (or below) all sizes run.",
    "exponent: b in n* ~ (1/eps)^b at this d, over the eps at which all replicates are bracketed, with "
    "its 95 % interval over targets (one slope each); >= is a bound without a confidence level. It is 0 "
    "where n* stops growing, as where noise-free targets are recovered exactly.",
)

VARIANCE = (
    "variance components: standard deviations of logs with 95 % intervals, and shares of the variance. "
    "grid: the part that the width of the brackets of n* alone causes. p: of the hypothesis that the inputs, "
    "which samples of one index share, do not shift all targets alike."
)


def show_comparison(
    name: str,
    results: Path,
    form: str,
    output: Path | None,
    learners: Sequence[str] = (),
    against: str | None = None,
) -> None:
    """Print the statistics of a suite's rows, or write them to a file; nothing is computed anew.

    Parameters
    ----------
    form : "text" or "markdown"

    Raises
    ------
    UserError
        From the suite file or the store; no row of the suite; a file that cannot be written.
    """
    suite, evidence = measured(name, results, learners, against)
    entries = {entry.label: entry.learner for entry in suite.learners}
    lacking = {label: entries.get(label, label) for label, _, _ in evidence.missing}
    beside = [x for x in learners if x in {*lacking, *lacking.values()}]
    command = f"hierbench run {shlex.quote(name)}{option_of(results)}"
    chosen = command + "".join(f" --learner={shlex.quote(x)}" for x in beside)
    if beside:
        command = f"{command} and {chosen}" if len(lacking) > len(beside) else chosen
    blocks = comparison(suite.name, evidence, epsilons_of(suite), command)
    deliver(FORMATS[form](blocks), output)


def measured(
    name: str, results: Path, learners: Sequence[str] = (), against: str | None = None
) -> tuple[Suite, SuiteResults]:
    """Read a suite of learning curves, what there is of it and of ``learners`` beside it, and of a reference.

    Raises
    ------
    UserError
        From the suite file or the store; a suite of experiments; no row of the suite.
    """
    suite = load_suite(name)
    if learners:
        suite = choose(suite, learners)[1]
    if not suite.runs:
        raise UserError(
            f"suite {suite.name} has experiments and no learning curves: hierbench claims and "
            f"hierbench figures {name} show them"
        )
    return suite, evidence_of(suite, results, against)


Block = str | Section
"""A paragraph, or a table under its heading; a paragraph that starts with # is a title."""


def comparison(name: str, evidence: SuiteResults, epsilons: Sequence[Epsilon], command: str) -> list[Block]:
    """All of it: targets and learners in the order of the rows."""
    rows, certificates = evidence.rows, evidence.certificates
    blocks: list[Block] = [f"# Statistics of {name}: {len(rows)} rows"]
    absent = sum(evidence.missing.values())
    if absent:
        blocks.append(f"Not complete: {absent} units are missing or failed; {command} makes them.")
    stars = n_stars(rows, certificates, epsilons)
    for target in dict.fromkeys(row.target for row in rows):
        order = {n: i for i, n in enumerate(dict.fromkeys(r.learner for r in rows if r.target == target))}
        target_stars = sorted((s for s in stars if s.target == target), key=lambda s: order[s.learner])
        target_certificates = [c for (label, _, _), c in certificates.items() if label == target]
        blocks.append(f"# target {target}")
        if share_targets(target_stars):
            blocks.append(
                "Learners are not compared here: replicates share targets, and those of different targets "
                "have inputs in common."
            )
        elif len(order) > 1:
            for epsilon in epsilons:
                here = [s for s in target_stars if s.epsilon == epsilon]
                heading = f"learners at {epsilon.label} ({degree_text(here, target_certificates)})"
                cells = tuple(_rank_rows(here))
                blocks.append(Section(heading if cells else f"{heading}: nothing to compare", RANKS, cells))
        for scale in sorted({e.scale for e in epsilons}):
            heading = f"exponent of n* in 1/{scale}"
            defined = [s for s in target_stars if s.epsilon.scale == scale and s.censoring != "undefined"]
            cells = tuple(_exponent_rows(defined))
            blocks.append(Section(heading if cells else f"{heading}: undefined here", EXPONENTS, cells))
        notes = left_out([row for row in rows if row.target == target])
        if notes:
            blocks.append("Rows that are not ok: " + "; ".join(notes) + ".")
    if components := variance_sections(rows, certificates, epsilons):
        blocks += ["# variance components", *components, VARIANCE]
    return [*blocks, "# how to read this", *LEGEND]


def _rank_rows(stars: Sequence[NStar]) -> Iterator[tuple[str, ...]]:
    ranked = rank(stars)
    if all(len(standing.uncompared) == len(ranked) - 1 for standing in ranked):
        return
    first = reference(ranked, stars)
    ratios = {c.second: ratio_cells(c) for c in compare_with(first, stars)}
    dims = {s.d for s in stars if s.learner == first and s.informative}
    ratios[first] = "1", ", ".join(str(d) for d in sorted(dims))
    for standing in ranked:
        everyone = len(standing.uncompared) == len(ranked) - 1
        uncompared = "any" if everyone else ", ".join(standing.uncompared)
        yield standing.learner, standing.letters, rank_text(standing), *ratios[standing.learner], uncompared


def rank_text(standing: Ranked) -> str:
    """The ranks that a learner may have: 2, or 1-3."""
    return str(standing.best) if standing.best == standing.worst else f"{standing.best}-{standing.worst}"


def _exponent_rows(stars: Sequence[NStar]) -> Iterator[tuple[str, ...]]:
    """Dimensions at which a learner has no exponent for the same reason share a line."""
    lines: dict[tuple[str, ...], list[int]] = {}
    for (_, learner, d, _), exponent in epsilon_exponents(stars).items():
        eps = f"{exponent.epsilons[0]:g} - {exponent.epsilons[-1]:g}" if exponent.epsilons else ""
        alone = "" if exponent.kind == "unidentified" else str(d)
        key = (alone, learner, exponent_text(exponent), eps, str(exponent.n_units or ""), exponent.reason)
        lines.setdefault(key, []).append(d)
    for (_, learner, *cells), dims in lines.items():
        yield learner, ", ".join(str(d) for d in dims), *cells


def exponent_text(exponent: EpsilonExponent) -> str:
    """Estimate with its interval, a lower bound (rounded down), or "unidentified"."""
    if exponent.kind == "estimate":
        return f"{exponent.value:.2f} [{exponent.low:.2f},{exponent.high:.2f}]"
    if exponent.kind == "lower bound":
        return f">= {math.floor(exponent.low * 100) / 100:.2f}"
    return "unidentified"


def variance_sections(
    rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon]
) -> list[Section]:
    """A table for each target and d that has a crossed cell; none where there is none."""
    tables: dict[tuple[str, int], list[Spread]] = defaultdict(list)
    for spread in spreads(rows, certificates, epsilons):
        tables[spread.target, spread.d].append(spread)
    columns = ("learner: quantity", *NAMES, "total", "grid", "p")
    return [
        Section(
            f"{target}, d = {d}",
            columns,
            tuple((f"{spread.learner}: {spread.quantity}", *cells_of(spread)) for spread in target_spreads),
        )
        for (target, d), target_spreads in tables.items()
    ]


def cells_of(spread: Spread) -> list[str]:
    """The three components, their sum, the part of the grid and p, as texts."""
    if spread.components is None:
        return [spread.reason, *[""] * (len(NAMES) + 2)]
    total = sum(c.value for c in spread.components.values())
    texts = [
        f"{math.sqrt(c.value):.2f} [{math.sqrt(c.low):.2f}, {math.sqrt(c.high):.2f}]"
        + ("" if math.isnan(c.share) else f", {100 * c.share:.0f} %")
        for c in spread.components.values()
    ]
    grid = f"{math.sqrt(spread.of_grid):.2f}" if spread.of_grid else ""
    return [
        *texts,
        f"{math.sqrt(total):.2f}",
        grid,
        "" if math.isnan(spread.shared) else f"{spread.shared:.2f}",
    ]


def text(blocks: Sequence[Block]) -> str:
    """Aligned text of about 120 columns."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Section):
            lines += plain_lines(block)
        else:
            lines += textwrap.wrap(block.removeprefix("# "), PIPE_WIDTH, break_on_hyphens=False)
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def markdown(blocks: Sequence[Block]) -> str:
    """Titles and tables."""
    lines: list[str] = []
    for i, block in enumerate(blocks):
        if isinstance(block, str):
            title = ("## " if i else "# ") if block.startswith("# ") else ""
            lines.append(title + escaped(block.removeprefix("# ")))
        else:
            lines += [f"### {escaped(block.heading)}", ""]
            if block.cells:
                lines += [markdown_row(block.columns), "|" + " --- |" * len(block.columns)]
                lines += [markdown_row(cells) for cells in block.cells]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


FORMATS = {"text": text, "markdown": markdown}
