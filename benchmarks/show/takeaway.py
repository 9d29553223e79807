"""The last screen of a run: one table that fits a terminal, and what to take home from it."""

from __future__ import annotations

import dataclasses
import math
import shlex
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.families import families_of
from hierbench.benchmarks.show.labels import relabelled, shown_labels
from hierbench.benchmarks.show.once import once
from hierbench.benchmarks.show.ratios import ratio_cells
from hierbench.benchmarks.show.table import format_exponent, format_summary
from hierbench.benchmarks.statistics.exponents import Exponent, exponents
from hierbench.benchmarks.statistics.ranks import (
    Comparison,
    Ranked,
    compare_with,
    rank,
    reference,
    share_targets,
)
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, Summary, n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row, RowStatus

WIDTH = 80
LINES = 30
"""Lines of the whole screen."""
MOST_TARGETS = 5
"""Targets in the table; those beyond are counted."""
SENTENCES = 3
NOT_REACHED = "not reached"
_NAME, _N_STAR, _RATIO, _EXPONENT = 18, 18, 6, 16
HEAD = ("learner", "n*", "ratio", "exponent", "samples")


@dataclasses.dataclass(frozen=True)
class Standing:
    """One learner on one target, at the error that counts as having learned it.

    ratio : paired n* over that of the learner that needs the fewest, at the d of the table.
    groups : letters; learners that share one are not told apart, "" where nothing is compared.
    """

    learner: str
    family: str
    summary: Summary | None
    ratio: str
    exponent: Exponent
    verdict: str
    groups: str = ""

    @property
    def reached(self) -> bool:
        """Whether all replicates get there at the d of the table."""
        return self.summary is not None and self.summary.censoring in ("bracketed", "left")

    def cells(self) -> tuple[str, ...]:
        """Texts of a line of the table."""
        slope = format_exponent(self.exponent)
        n_star = format_summary(self.summary)
        return self.learner, n_star, self.ratio, "-" if slope == "unidentified" else slope, self.verdict


@dataclasses.dataclass(frozen=True)
class Learned:
    """All learners on one target, those that may need the fewest samples first; d where all were run."""

    target: str
    epsilon: Epsilon
    d: int | None
    degree: int | None
    standings: tuple[Standing, ...]

    def heading(self) -> str:
        """The target, the error and the d of the table's n*."""
        where = f" at d = {self.d}" if self.d is not None else ", each at its largest d"
        asks = f"degree {self.degree}, " if self.degree else ""
        return f"{self.target}: {asks}{self.epsilon.label}{where}"


def success(stars: Sequence[NStar]) -> Epsilon | None:
    """The error that counts as having learned a target, of those that are defined for it.

    The largest eps_top, which asks for the top degree; else the smallest eps_rel, else the smallest eps.
    """
    defined = {s.epsilon for s in stars if s.censoring != "undefined"}
    for scale, pick in ((Scale.TOP, max), (Scale.UPPER_HALF, min), (Scale.VARIANCE, min)):
        if of_scale := [e for e in defined if e.scale == scale]:
            return pick(of_scale, key=lambda e: e.value)
    return None


def learned(
    rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon]
) -> Iterator[Learned]:
    """What stands for each target, in the order of the rows."""
    families = families_of(rows)
    everything = n_stars(rows, certificates, epsilons)
    for target in dict.fromkeys(row.target for row in rows):
        of_target = [s for s in everything if s.target == target]
        epsilon = success(of_target)
        if epsilon is not None:
            stars = [s for s in of_target if s.epsilon == epsilon]
            slopes = {learner: slope for (_, learner, _), slope in exponents(stars).items()}
            yield learned_at(epsilon, stars, dimensions_of(rows, target), families, slopes)


def dimensions_of(rows: Sequence[Row], target: str) -> dict[str, set[int]]:
    """The d that each learner was run at on a target, learners in the order of the rows."""
    dims: dict[str, set[int]] = {}
    for row in rows:
        if row.target == target:
            dims.setdefault(row.learner, set()).add(row.d)
    return dims


def learned_at(
    epsilon: Epsilon,
    stars: Sequence[NStar],
    dims: Mapping[str, set[int]],
    families: Mapping[str, str],
    slopes: Mapping[str, Exponent],
) -> Learned:
    """What stands at one error, of one target.

    Parameters
    ----------
    stars : sequence of NStar
        All of the target at this epsilon, one at least.
    dims, families, slopes : mappings
        By learner: the d that it was run at, its family, its exponent.
    """
    common = set.intersection(*dims.values())
    at = {learner: max(common or of_learner) for learner, of_learner in dims.items()}
    summaries = {s.learner: s for s in summarise(stars) if s.d == at[s.learner]}
    compared = [] if share_targets(stars) else stars
    ranked = rank(compared)
    letters = {r.learner: r.letters for r in ranked}
    here = [s for s in compared if s.d == max(common)] if common else compared
    ratios = _ratios(rank(here), here)
    standings = [
        Standing(
            learner,
            families[learner],
            summaries.get(learner),
            ratios[learner][1] if learner in ratios else "-",
            slopes[learner],
            _verdict(learner, ranked, [s for s in stars if s.learner == learner]) if compared else "",
            letters.get(learner, ""),
        )
        for learner in dims
    ]
    standings.sort(key=lambda s: (not s.reached, ratios.get(s.learner, (math.inf, ""))[0]))
    degrees = {s.degree_needed for s in stars} - {None}
    degree = degrees.pop() if len(degrees) == 1 else None
    return Learned(stars[0].target, epsilon, max(common) if common else None, degree, tuple(standings))


def _ratios(ranked: Sequence[Ranked], stars: Sequence[NStar]) -> dict[str, tuple[float, str]]:
    """Of every learner that can be compared: a number to sort by, and the ratio as a text."""
    if not ranked:
        return {}
    first = reference(ranked, stars)
    comparisons = compare_with(first, stars)
    measured = {c.second: -c.low for c in comparisons if c.low == c.high}
    best = min(measured, key=measured.__getitem__, default=first)
    if measured.get(best, 0.0) < 0.0:
        first, comparisons = best, compare_with(best, stars)
    found = {first: (0.0, "1")}
    for c in comparisons:
        text, _ = ratio_cells(c)
        if text != "-":
            found[c.second] = (_middle(c), text.replace("> ", ">").replace("< ", "<"))
    return found


def _middle(c: Comparison) -> float:
    """Log of n* of the second over the first, or the end that is known."""
    return -c.high if math.isfinite(c.high) else -c.low


def _verdict(learner: str, ranked: Sequence[Ranked], stars: Sequence[NStar]) -> str:
    """In two words how a learner stands among the others."""
    known = [s for s in stars if s.informative]
    if known and all(s.censoring == "right" for s in known):
        return NOT_REACHED
    own = next((r for r in ranked if r.learner == learner), None)
    if own is None:
        return "no data"
    if len(own.uncompared) == len(ranked) - 1:
        return "" if len(ranked) == 1 else "alone"
    if own.best > 1:
        return "more"
    return "fewest" if own.worst == 1 else "among fewest"


def sentences(found: Sequence[Learned], reference: Collection[str] = ()) -> Iterator[str]:
    """What a reader should take home, with its intervals: a sentence a target, of the first ones.

    With learners of ``reference`` beside others, what it says is about the others.
    """
    for one in found[:SENTENCES]:
        if reference and (own := [s for s in one.standings if s.learner not in reference]):
            yield _of_own(one, own)
            continue
        count, where = len(one.standings), f" at d = {one.d}" if one.d else ""
        reached = [s for s in one.standings if s.reached]
        if all(s.verdict == "no data" for s in one.standings):
            yield f"{one.target}: nothing was measured."
            continue
        if not reached:
            yield f"{one.target}: none of {count} learners gets there{where} with the samples of this suite."
            continue
        best = reached[0]
        even = [s for s in reached[1:] if s.verdict == best.verdict == "among fewest"]
        parts = [f"{one.target}: {best.learner} takes {format_summary(best.summary)}{where}{_growing(best)}"]
        if even:
            names = even[0].learner if len(even) == 1 else f"{even[0].learner} and {len(even) - 1} more"
            parts.append(f"{names} not told apart")
        others = [
            s
            for s in one.standings
            if s.family != best.family and s.ratio != "-" and s.verdict != NOT_REACHED and s not in even
        ]
        if others:
            kind = "" if others[0].family == others[0].learner else f" ({others[0].family})"
            parts.append(f"{others[0].learner}{kind} {others[0].ratio} times as many{_growing(others[0])}")
        if short := sum(s.verdict == NOT_REACHED for s in one.standings):
            parts.append(f"{short} of {count} {'gets' if short == 1 else 'get'} there at no d")
        yield "; ".join(parts) + "."


def _of_own(one: Learned, own: Sequence[Standing]) -> str:
    """Where learners land among those of the reference."""
    best = one.standings[0]
    where = f" at d = {one.d}" if one.d else ""
    parts = []
    for standing in own[:2]:
        text = f"{standing.learner} takes {format_summary(standing.summary)}{where}{_growing(standing)}"
        if standing is best and "fewest" in standing.verdict:
            text += f", {standing.verdict} of {len(one.standings)} learners"
        elif standing.ratio not in ("-", "1") and best.reached:
            text += f", {standing.ratio} times as many as {best.learner}"
        parts.append(text)
    return f"{one.target}: {'; '.join(parts)}."


def _growing(standing: Standing) -> str:
    slope = standing.exponent
    if slope.kind == "estimate" and math.isfinite(slope.low) and math.isfinite(slope.high):
        return f", like d^{slope.value:.2f} [{slope.low:.2f}, {slope.high:.2f}]"
    return ""


def screen(
    rows: Sequence[Row],
    certificates: Certificates,
    epsilons: Sequence[Epsilon],
    pointers: Mapping[str, str],
    reference: Collection[str] = (),
    source: str = "",
) -> list[tuple[str, str]]:
    """Lines of the screen, each with its style ("" for none): ``LINES`` of ``WIDTH`` columns, commands aside.

    Parameters
    ----------
    rows : sequence of Row
        Of one suite.
    pointers : mapping from commands to what they show
    reference : names of learners that stand behind the others
    source : where their rows come from
    """
    names = shown_labels(row.learner for row in rows)
    reference = {names[name] for name in reference}
    rows, certificates = relabelled(rows, certificates)
    every = list(learned(rows, certificates, epsilons))
    found = every[:MOST_TARGETS]
    told = [
        line for s in sentences(found, reference) for line in textwrap.wrap(s, WIDTH, subsequent_indent="  ")
    ]
    last = [f"{what}: {command}" for command, what in pointers.items()]
    if reference:
        note = f"Lines without > are reference results: {source}."
        last = [*textwrap.wrap(note, WIDTH, subsequent_indent="  "), *last]
    room = LINES - len(told) - len(last) - 4 - len(found)
    lines = [("  " + _line(HEAD), "bold")] if found else []
    shown = _share(room, [len(one.standings) for one in found])
    for one, count in zip(found, shown, strict=True):
        lines.append((one.heading()[:WIDTH], "bold"))
        for s in _first(one.standings, count, reference):
            behind = s.learner in reference
            mark = "> " if reference and not behind else "  "
            lines.append((mark + _line(s.cells()), "dim" if behind else ""))
        if count < len(one.standings):
            lines.append((f"  ... and {len(one.standings) - count} more", "dim"))
    if len(every) > len(found):
        lines.append((f"... and {len(every) - len(found)} more targets", "dim"))
    own = [row for row in rows if row.learner not in reference]
    if unsound := sum(row.status != RowStatus.OK for row in own):
        told.append(f"{unsound} of {len(own)} rows are not ok: the table of every error says which.")
    return [*lines, ("", ""), *((line, "") for line in told), *((line, "dim") for line in last)]


def show(
    suite: Suite,
    shown: SuiteResults,
    console: Console,
    results: Path,
    called: Sequence[str],
) -> None:
    """Print the screen, as it is kept if it would be the same.

    Parameters
    ----------
    called : sequence of str
        Arguments of commands that show the same: the suite, then options. Empty where there are none.
    """
    where = [] if results == Path("results") else [f"--results={results}"]
    pointers = {
        shlex.join(["hierbench", "table", *called, *where]): "every error",
        shlex.join(["hierbench", "compare", *called, *where]): "who is told apart from whom",
        shlex.join(["hierbench", "report", *called, *where]): "a page to explore in a browser",
    }
    kept = results / "tables" / f"{suite.name}.screen.json"
    rows, certificates, behind = shown.rows, shown.certificates, sorted(shown.reference)
    there = pointers if called else {}
    with once(console, kept, suite, rows, sorted(certificates.items()), behind, there) as fresh:
        epsilons, source = epsilons_of(suite), shown.reference_source
        for text, style in screen(rows, certificates, epsilons, there, behind, source) if fresh else ():
            console.print(text, style=style or None, soft_wrap=True)


def _share(room: int, wanted: Sequence[int]) -> list[int]:
    """Lines for each target: all that it wants where there is room, the largest cut first."""
    given = list(wanted)
    while sum(n + (n < w) for n, w in zip(given, wanted, strict=True)) > room and max(given, default=0) > 1:
        largest = given.index(max(given))
        given[largest] -= 1
    return given


def _first(standings: Sequence[Standing], count: int, reference: Collection[str]) -> list[Standing]:
    """So many of them in their order, those of the reference the first to be left out."""
    order = sorted(range(len(standings)), key=lambda i: bool(reference) and standings[i].learner in reference)
    return [standings[i] for i in sorted(order[:count])]


def _line(cells: Sequence[str]) -> str:
    name, n_star, ratio, exponent, verdict = cells
    cut = name if len(name) <= _NAME else f"{name[:7]}...{name[10 - _NAME :]}"
    return (
        f"{cut:<{_NAME}} {n_star:<{_N_STAR}} {ratio:>{_RATIO}}  {exponent:<{_EXPONENT}} {verdict}"[
            : WIDTH - 2
        ]
    ).rstrip()
