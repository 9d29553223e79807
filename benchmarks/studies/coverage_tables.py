"""The tables of the study of coverage, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.studies.coverage_settings import Outcome

FEWEST = 50
"""Estimates that a coverage is told of."""

Column = tuple[str, Callable[[Outcome], str]]
"""A heading, and the cell of a setting."""


def _exponent(o: Outcome) -> str:
    return "1 to 4" if o.setting.exponent is None else f"{o.setting.exponent:g}"


def _dimensions(o: Outcome) -> str:
    d = o.setting.dimensions
    return f"{len(d)}: {d[0]} .. {d[-1]}"


_REPLICATES: Column = ("replicates", lambda o: f"{o.setting.replicates}")

PLAIN: tuple[Column, ...] = (
    ("exponent", _exponent),
    _REPLICATES,
    ("log-sd", lambda o: f"{o.setting.log_sd:g}"),
    ("ratio", lambda o: f"{o.setting.ratio:g}"),
    ("censored", lambda o: f"{o.censored:.0%}"),
    ("a line meets all", lambda o: f"{o.agree:.0%}"),
    ("estimates", lambda o: f"{o.estimates / o.simulations:.0%}"),
    ("interval covers", lambda o: f"{o.coverage:.3f}" if o.estimates >= FEWEST else ""),
    ("median width", lambda o: f"{o.median_width:.2f}"),
    ("smallest width", lambda o: f"{o.smallest_width:.3f}"),
    ("bounds that hold", lambda o: f"{o.bounds_true} of {o.bounds}"),
    ("naive covers", lambda o: f"{o.naive:.2f}"),
    ("bootstrap covers", lambda o: "" if o.bootstrap is None else f"{o.bootstrap:.2f}"),
)
"""Of replicates that scatter independently."""

SHARED: tuple[Column, ...] = (
    ("d", _dimensions),
    _REPLICATES,
    ("shock", lambda o: f"{o.setting.shock:g}"),
    ("own slope", lambda o: f"{o.setting.own_slope:g}"),
    ("bend", lambda o: f"{o.setting.bend:g}"),
    ("reported interval covers", lambda o: "-" if o.setting.bend else f"{o.reported:.3f}"),
    ("median width", lambda o: f"{o.reported_width:.2f}"),
    (
        "interval for independent replicates covers",
        lambda o: "-" if o.setting.bend else f"{o.coverage:.3f}",
    ),
    ("median width", lambda o: f"{o.median_width:.2f}"),
    ("lack of fit flagged", lambda o: f"{o.unfit:.0%}"),
)
"""Of replicates that have something in common, and of lines that bend."""


def table(outcomes: Sequence[Outcome], columns: Sequence[Column] = PLAIN) -> str:
    """Make a line for each setting below the headings."""
    lines = [markdown_row([heading for heading, _ in columns]), "|---" * len(columns) + "|"]
    lines += [markdown_row([cell(o) for _, cell in columns]) for o in outcomes]
    return "\n".join(lines) + "\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many settings cover within 92-98 %, below and above; the least and greatest; zero widths."""
    outcomes = [o for o in outcomes if o.estimates >= FEWEST]
    coverages = [o.coverage for o in outcomes]
    inside = sum(0.92 <= c <= 0.98 for c in coverages)
    return (
        f"{inside} of {len(coverages)} settings cover 92-98 % of the time, "
        f"{sum(c < 0.92 for c in coverages)} less, {sum(c > 0.98 for c in coverages)} more; "
        f"least {min(coverages):.3f}, most {max(coverages):.3f}; "
        f"naive {min(o.naive for o in outcomes):.2f} to {max(o.naive for o in outcomes):.2f}; "
        f"narrowest interval {min(o.smallest_width for o in outcomes if o.estimates):.3f}."
        + _outside("Less", [o for o in outcomes if o.estimates and o.coverage < 0.92])
        + _outside("More", [o for o in outcomes if o.estimates and o.coverage > 0.98])
    )


def _outside(word: str, outcomes: Sequence[Outcome]) -> str:
    """Which settings, shortest."""
    groups: dict[tuple[int, float, float], list[str]] = {}
    for o in outcomes:
        s = o.setting
        exponent_name = "1 to 4" if s.exponent is None else f"{s.exponent:g}"
        groups.setdefault((s.replicates, s.log_sd, s.ratio), []).append(exponent_name)
    named = [
        f"{r} replicates, log-sd {sd:g}, ratio {q:g} (exponent {', '.join(e)})"
        for (r, sd, q), e in groups.items()
    ]
    return f" {word}: {'; '.join(named)}." if named else ""
