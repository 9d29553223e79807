"""The table of n* and exponents that a run prints, on a terminal or into a pipe."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.show.labels import relabelled
from hierbench.benchmarks.show.once import once
from hierbench.benchmarks.statistics.exponents import FLAGGED, Exponent, dimension_slope, exponents
from hierbench.benchmarks.statistics.growth import Growth, growth
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, Summary, n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import STATUSES, Row, RowStatus
from hierbench.targets.base import Certificate

TABLE_EPSILONS = (Epsilon(0.1), Epsilon(0.01), Epsilon(0.1, Scale.UPPER_HALF))
PIPE_WIDTH = 120

LEGEND = (
    "n* = samples to reach eps: geometric mean over replicates [smallest lower end, largest upper end]; "
    "> and < mark a bound: some replicate did not reach eps at its largest n, or reached it at its smallest.",
    "exponent = slope of log n* in log d with its 95 % interval; >= is a bound without a confidence level; "
    "misfit: p of the line, below 0.05, which bends or whose replicates of one d scatter together.",
    "in C(d+p,p) = slope of log n* in log C(d+p,p), the number of polynomials of the degree p that eps asks "
    "for (on the sphere there are fewer): theory says 1 for rotation-invariant kernels.",
    "law = which of power, quasi-polynomial and exponential growth in d, fitted to smaller d, predicts n* "
    "at the largest by odds of 20 to 1; - where fewer than 3 smaller d are bracketed.",
)


@dataclasses.dataclass(frozen=True)
class Section:
    """One target and epsilon: a heading and a row of texts for each learner."""

    heading: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


def format_count(n: float) -> str:
    """A number of samples in two significant digits: 64, 1.2k, 15k, 2.3M."""
    if n < 1:
        return f"{n:g}"
    rounded = round(n, 1 - math.floor(math.log10(n)))
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= unit:
            scaled = rounded / unit
            return f"{scaled:.0f}{suffix}" if scaled >= 10 else f"{scaled:.1f}{suffix}"
    return f"{rounded:.0f}"


def format_summary(summary: Summary | None) -> str:
    """n* as an interval, or the bound that is known."""
    if summary is None:
        return "-"
    if summary.censoring == "missing":
        return "no data"
    if summary.censoring == "undefined":
        return "undefined"
    low = format_count(summary.low)
    high = format_count(summary.high) if math.isfinite(summary.high) else "inf"
    if summary.value is None:
        return f"? [{low},{high}]"
    value = format_count(summary.value)
    mark = {"right": "> ", "left": "< "}.get(summary.censoring, "")
    if summary.n_censored == summary.n_replicates:
        return f"{mark}{value}"
    return f"{mark}{value} [{low},{high}]"


def format_exponent(exponent: Exponent) -> str:
    """Estimate with interval, a lower bound, or what kept it from being identified."""
    if exponent.kind == "estimate" and exponent.value is not None:
        low = f"{exponent.low:.2f}" if math.isfinite(exponent.low) else "-inf"
        high = f"{exponent.high:.2f}" if math.isfinite(exponent.high) else "inf"
        return f"{exponent.value:.2f} [{low},{high}]"
    if exponent.kind == "lower bound":
        return f">= {math.floor(exponent.low * 100) / 100:.2f}"  # rounding up would claim more
    return "unidentified"


def format_exponent_and_fit(exponent: Exponent) -> str:
    """The same, with p of the line where it is small."""
    p = exponent.lack_of_fit
    misfit = f"; misfit p={p:.1g}" if p is not None and p < FLAGGED else ""
    return format_exponent(exponent) + misfit


def _slope(exponent: Exponent) -> str:
    return format_exponent(exponent) if exponent.kind == "estimate" else "-"


def format_growth(fit: Growth) -> str:
    """The law that predicted the held-out dimension, "undecided", or - where none could be fitted."""
    if not fit.scores:
        return "-"
    return fit.law or "undecided"


def degree_text(stars: Sequence[NStar], certificates: Sequence[Certificate]) -> str:
    """The degree that an epsilon asks for, over the targets drawn."""
    degrees = sorted({s.degree_needed for s in stars if s.degree_needed is not None})
    if all(s.censoring == "undefined" for s in stars):
        return "undefined for this target"
    if not degrees and any(c.classes for c in certificates):
        return "rate of misclassification"
    if not degrees:
        return (
            f"degree unknown: no {'shares of variance in the certificate' if certificates else 'certificate'}"
        )
    return "asks for degree " + (f"{degrees[0]}" if len(degrees) == 1 else f"{degrees[0]}-{degrees[-1]}")


def left_out(rows: Sequence[Row]) -> list[str]:
    """One line for each learner with rows that are not ok: how many, and of which kind."""
    counts = Counter((row.learner, row.status) for row in rows)
    lines = []
    for learner in dict.fromkeys(row.learner for row in rows):
        kinds = [
            f"{counts[learner, s]} {s}" for s in STATUSES if s is not RowStatus.OK and counts[learner, s]
        ]
        if kinds:
            total = sum(counts[learner, s] for s in STATUSES)
            lines.append(f"{learner}: {', '.join(kinds)} of {total} rows")
    return lines


def sections(
    rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon]
) -> Iterator[tuple[str, list[Section]]]:
    """Every target with its sections, targets and learners in the order of ``rows``."""
    stars = n_stars(rows, certificates, epsilons)
    summaries = {(s.target, s.learner, s.d, s.epsilon): s for s in summarise(stars)}
    slopes, by_dimension = exponents(stars), exponents(stars, slope=dimension_slope)
    for target in dict.fromkeys(row.target for row in rows):
        learners = list(dict.fromkeys(row.learner for row in rows if row.target == target))
        dims = sorted({row.d for row in rows if row.target == target})
        target_certificates = [c for (name, _, _), c in certificates.items() if name == target]
        target_sections = []
        for epsilon in epsilons:
            here = [s for s in stars if s.target == target and s.epsilon == epsilon]
            cells = tuple(
                (
                    learner,
                    *(format_summary(summaries.get((target, learner, d, epsilon))) for d in dims),
                    format_exponent_and_fit(slopes[target, learner, epsilon]),
                    _slope(by_dimension[target, learner, epsilon]),
                    format_growth(growth([s for s in here if s.learner == learner])),
                )
                for learner in learners
            )
            if all(s.censoring == "undefined" for s in here):
                cells = ()
            columns = ("learner", *(f"d = {d}" for d in dims), "exponent", "in C(d+p,p)", "law")
            target_sections.append(
                Section(f"{epsilon.label} ({degree_text(here, target_certificates)})", columns, cells)
            )
        yield target, target_sections


def plain_lines(section: Section, width: int = PIPE_WIDTH) -> list[str]:
    """Aligned text; dimensions that do not fit ``width`` continue in a further block."""
    if not section.cells:
        return [section.heading]
    sizes = [
        max(len(text) for text in column) for column in zip(section.columns, *section.cells, strict=True)
    ]
    blocks: list[list[int]] = [[]]
    for k in range(1, len(sizes)):
        used = sizes[0] + sum(sizes[j] + 2 for j in blocks[-1])
        if blocks[-1] and 2 + used + 2 + sizes[k] > width:
            blocks.append([])
        blocks[-1].append(k)
    lines = [section.heading]
    for block in blocks:
        picked = [0, *block]
        for texts in (section.columns, *section.cells):
            line = "  ".join(texts[k].ljust(sizes[k]) for k in picked)
            lines.append("  " + line.rstrip())
    return lines


def print_table(
    rows: list[Row],
    certificates: Certificates,
    suite_epsilons: Sequence[Epsilon] = TABLE_EPSILONS,
    console: Console | None = None,
) -> None:
    """Print n* by learner and dimension, with exponents, for every target and epsilon.

    Parameters
    ----------
    rows : list of Row
        Of one suite; every status. Which enter n*: ``sample_complexity.decides``; others are counted below.
    certificates : mapping (target label, d, target index) -> Certificate
    suite_epsilons : sequence of Epsilon
    console : rich Console
        Without a terminal behind it the table is plain text of about 120 columns at most,
        whatever width the console believes in.
    """
    console = make_console() if console is None else console
    if not rows:
        console.print("no rows: nothing has been computed yet")
        return
    rows, certificates = relabelled(rows, certificates)

    def line(text: str = "", style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)

    for target, target_sections in sections(rows, certificates, suite_epsilons):
        line(f"target {target}", "bold")
        for section in target_sections:
            table = _rich_table(section, console.width) if console.is_terminal else None
            if table is not None:
                console.print(table)
            else:
                width = console.width if console.is_terminal else PIPE_WIDTH
                for text in plain_lines(section, width):
                    line(text)
        notes = left_out([row for row in rows if row.target == target])
        if notes:
            line(
                "rows that are not ok; an unreliable one counts if it is 3 standard errors away from eps:",
                "yellow",
            )
        for note in notes:
            line(f"  {note}", "yellow")
        line()
    for text in LEGEND:
        for part in [text] if console.is_terminal else textwrap.wrap(text, PIPE_WIDTH):
            line(part, "dim")


def show_table(
    suite: Suite, rows: Sequence[Row], certificates: Certificates, console: Console, kept: Path
) -> None:
    """Print n* and exponents, as ``kept`` has them if they would be the same."""
    with once(console, kept, suite, rows, sorted(certificates.items())) as fresh:
        if fresh:
            print_table(list(rows), certificates, epsilons_of(suite), console)


def _rich_table(section: Section, width: int) -> Table | None:
    """The widest of two layouts that fits: brackets behind their number, or below it."""
    below = [(texts[0], *(text.replace(" [", "\n[") for text in texts[1:])) for texts in section.cells]
    for cells in (section.cells, below):
        columns = zip(section.columns, *cells, strict=True)
        sizes = [max(len(part) for text in column for part in text.split("\n")) for column in columns]
        if not cells or sum(sizes) + 2 * len(sizes) > width:
            continue
        table = Table(title=Text(section.heading, "bold"), title_justify="left", box=None, pad_edge=False)
        for k, name in enumerate(section.columns):
            table.add_column(name, justify="left" if k == 0 else "right")
        for texts in cells:
            table.add_row(*(Text(text) for text in texts))
        return table
    return None
