"""Everything that the page of a suite says, as plain data: the head of it, and a part for each target."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from hierbench.benchmarks.report.columns import Data
from hierbench.benchmarks.report.curves import curves
from hierbench.benchmarks.report.epsilon_grid import STOPS, epsilon_grid
from hierbench.benchmarks.report.sizes import fixed_sizes
from hierbench.benchmarks.report.standings import TargetStars, standings, told
from hierbench.benchmarks.report.stored_rows import RowTables, row_blocks
from hierbench.benchmarks.report.traces import traces
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.families import families_of
from hierbench.benchmarks.show.figure_data import at_declared_sizes
from hierbench.benchmarks.show.labels import relabelled, shown_labels
from hierbench.benchmarks.show.slopes import exponents_of
from hierbench.benchmarks.show.table import LEGEND, left_out
from hierbench.benchmarks.show.takeaway import sentences
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import STATUSES, Row
from hierbench.learners.catalogue.families import FAMILIES
from hierbench.plots.style import figure_style, looks

SYMBOLS = {
    **{"o": "circle", "s": "square", "D": "diamond", "v": "triangle-down", "p": "pentagon", "h": "hexagon"},
    **{"^": "triangle-up", "P": "cross", "X": "x", "<": "triangle-left", ">": "triangle-right"},
    **{"d": "diamond-tall", "8": "octagon", "H": "hexagon2"},
}
"""What plotly calls the markers of the figures."""
DASHES = {"-": "solid", "--": "dash"}


@dataclasses.dataclass(frozen=True)
class Content:
    """What a page is made of.

    Attributes
    ----------
    head : dict
        All but the targets: verdicts, learners, families, environments, traces.
    targets : tuple of dict
        One each, read by the page when it is shown.
    """

    head: Data
    targets: tuple[Data, ...]


def content(
    name: str,
    suite: Suite,
    evidence: SuiteResults,
    claims: Sequence[Data] = (),
    extra: Sequence[str] = (),
    where: Sequence[str] = (),
    stops: int = STOPS,
) -> Content:
    """What the page says of a suite.

    Parameters
    ----------
    name : str
        The suite as it was asked for: a name or a path.
    claims : sequence of dict
        Verdicts in words: id, statement, verdict, figures, why, scope.
    where : sequence of str
        Options of the results folder, for commands.
    extra : sequence of str
        Learners beside the suite, as on the command line.
    """
    by_grid = {row.target for row in evidence.rows}
    fixed = [row for row in evidence.fixed if row.target in by_grid]
    learner_labels = shown_labels(row.learner for row in (*evidence.rows, *fixed))
    target_labels = shown_labels(
        [*(row.target for row in evidence.rows), *(t for t, _, _ in evidence.certificates)]
    )
    behind = {learner_labels[name] for name in evidence.reference}
    every, certificates = relabelled([*evidence.rows, *fixed], evidence.certificates)
    rows = every[: len(evidence.rows)]
    shown_row = {id(row): shown for row, shown in zip(fixed, every[len(evidence.rows) :], strict=True)}
    at_size = [(size, shown_row[id(row)]) for size, row in at_declared_sizes(fixed, suite.fixed)]
    families = families_of(every)
    order = {label: i for i, label in enumerate(dict.fromkeys(row.learner for row in every))}
    tables = RowTables()
    # one beside the suite has its label only where it is named by its path
    specs = {entry.label: entry.learner for entry in suite.learners}
    arguments = {
        shown: specs[label] if specs.get(label) in extra else label for label, shown in learner_labels.items()
    }
    asked = epsilons_of(suite)
    stars = _stars(rows, certificates, asked, stops)
    targets = [
        {
            "label": label,
            "argument": next(argument for argument, shown in target_labels.items() if shown == label),
            "metric": str(one.rows[0].metric),
            "family": (one.rows[0].target_spec or {}).get("family", ""),
            "epsilons": standings(one, families, order, asked),
            "curves": curves(one.rows, certificates, order),
            "rows": row_blocks(one.rows, order, tables),
            "sizes": fixed_sizes([pair for pair in at_size if pair[1].target == label], order, tables),
        }
        for label, one in stars.items()
    ]
    summits = [found for one in stars.values() if (found := told(one, families, asked)) is not None]
    absent = sum(evidence.missing.values()) + sum(evidence.missing_experiments.values())
    chosen = [f"--learner={one}" for one in extra]
    head = {
        "suite": suite.name,
        "summary": suite.summary,
        "version": importlib.metadata.version("hierbench"),
        "run": shlex.join(["hierbench", "run", name, *chosen, *where]),
        "one": shlex.join(["hierbench", "run", name, *where]),
        "page": shlex.join(["hierbench", "report", name, *chosen, *where]),
        "missing": absent,
        "rows": len(every),
        "measurements": sum(map(len, evidence.measurements.values())),
        "statuses": {str(s): n for s in STATUSES if (n := sum(row.status == s for row in every))},
        "left_out": left_out(every),
        "sentences": [
            {"heading": one.heading(), "text": s.removeprefix(f"{one.target}: ")}
            for one in summits
            for s in sentences([one], behind)
        ]
        + _of_reference(evidence),
        "claims": list(claims),
        "legend": list(LEGEND) if rows else [],
        "learners": _learners(families, arguments, behind),
        "families": [f for f in dict.fromkeys([*FAMILIES, *families.values()]) if f in families.values()],
        "targets": [target["label"] for target in targets],
        "traces": traces(evidence.measurements),
        **tables.data(),
        "made_by": _made_by(every, order, tables),
    }
    return Content(head, tuple(targets))


def _of_reference(evidence: SuiteResults) -> list[Data]:
    """Which learners are not of this store, and where their rows come from."""
    if not evidence.reference:
        return []
    names = ", ".join(sorted(evidence.reference))
    return [{"heading": "Grey: reference results", "text": f"{evidence.reference_source}. {names}"}]


def _learners(
    families: Mapping[str, str], arguments: Mapping[str, str], behind: Collection[str]
) -> list[Data]:
    with figure_style():
        style = looks(list(families))
    return [
        {
            "label": label,
            "argument": arguments[label],
            "family": family,
            "color": "#8c8c8c" if label in behind else style[label].color,
            "symbol": SYMBOLS[str(style[label].marker)],
            "dash": DASHES[style[label].linestyle],
        }
        for label, family in families.items()
    ]


def _stars(
    rows: Sequence[Row], certificates: Certificates, asked: Sequence[Epsilon], stops: int
) -> dict[str, TargetStars]:
    """By target, n* and exponents at every error of its slider; all exponents are fitted in one go."""
    by_target: dict[str, list[Row]] = {}
    for row in rows:
        by_target.setdefault(row.target, []).append(row)
    grids = {target: epsilon_grid(some, certificates, asked, stops) for target, some in by_target.items()}
    stars: dict[tuple[str, Epsilon], list[NStar]] = {}
    groups: dict[tuple[str, Epsilon, str], list[NStar]] = {}
    for target, some in by_target.items():
        for star in n_stars(some, certificates, grids[target]):
            stars.setdefault((target, star.epsilon), []).append(star)
            groups.setdefault((target, star.epsilon, star.learner), []).append(star)
    slopes = dict(zip(groups, exponents_of(list(groups.values())), strict=True))
    return {
        target: TargetStars(
            some,
            certificates,
            grids[target],
            {epsilon: stars[target, epsilon] for epsilon in grids[target]},
            {(epsilon, learner): s for (label, epsilon, learner), s in slopes.items() if label == target},
        )
        for target, some in by_target.items()
    }


def _made_by(rows: Sequence[Row], order: Mapping[str, int], tables: RowTables) -> list[list[int]]:
    """How many rows of each learner each code made in each environment."""
    counts = Counter(
        (
            order[row.learner],
            tables.codes.number(row.code),
            tables.environments.number({"versions": row.versions or {}, "machine": row.machine or {}}),
        )
        for row in rows
    )
    return [[*key, count] for key, count in sorted(counts.items())]
