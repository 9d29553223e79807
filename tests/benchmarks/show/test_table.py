"""The printed table: intervals, marks of censoring, counts, and a width that fits a log."""

from __future__ import annotations

import dataclasses
import io
import math
import re

import pytest
from rich.console import Console
from synthetic_rows import certificate, row, suite

from hierbench.benchmarks.show.table import (
    PIPE_WIDTH,
    format_count,
    format_exponent,
    format_exponent_and_fit,
    format_growth,
    format_summary,
    print_table,
)
from hierbench.benchmarks.statistics.exponents import Exponent
from hierbench.benchmarks.statistics.growth import Growth
from hierbench.benchmarks.statistics.sample_complexity import Summary
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.units.rows import Row

pytestmark = pytest.mark.usefixtures("independent")  # intervals are shown, however wide

EPSILONS = (Epsilon(0.1), Epsilon(0.1, Scale.UPPER_HALF))


def printed(
    rows: list[Row],
    certificates: dict,
    epsilons: tuple[Epsilon, ...] = EPSILONS,
    terminal: int | None = None,
) -> str:
    file = io.StringIO()
    if terminal:
        console = Console(file=file, force_terminal=True, width=terminal, no_color=True)
    else:
        console = Console(file=file)
    print_table(rows, certificates, epsilons, console)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()) if terminal else file.getvalue()


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0"), (7, "7"), (64, "64"), (96.4, "96"), (996, "1.0k"), (1234, "1.2k"), (9960, "10k")]
    + [(15400, "15k"), (999_000, "1.0M"), (2.34e6, "2.3M"), (5e9, "5.0G")],
)
def test_counts_have_two_digits(n: float, text: str) -> None:
    assert format_count(n) == text


def test_n_star_is_shown_as_an_interval_and_a_bound_as_a_bound() -> None:
    def text(value: float | None, low: float, high: float, kind: str, count: int, censored: int) -> str:
        return format_summary(Summary("l", "t", 8, EPSILONS[0], value, low, high, kind, count, censored))  # type: ignore[arg-type]

    assert text(1200, 1000, 1500, "bracketed", 4, 0) == "1.2k [1.0k,1.5k]"
    assert text(4100, 4000, math.inf, "right", 4, 4) == "> 4.1k"
    assert text(2100, 900, math.inf, "right", 4, 1) == "> 2.1k [900,inf]"
    assert text(60, 0, 64, "left", 4, 4) == "< 60"
    assert text(None, 0, math.inf, "right", 4, 2) == "? [0,inf]"
    assert text(None, 0, math.inf, "missing", 0, 0) == "no data"


def test_exponent_is_shown_with_its_interval_or_not_at_all() -> None:
    assert format_exponent(Exponent("estimate", 2.0, 1.8, 2.25)) == "2.00 [1.80,2.25]"
    assert format_exponent(Exponent("estimate", 2.0, 1.8)) == "2.00 [1.80,inf]"
    assert format_exponent(Exponent("lower bound", low=2.678)) == ">= 2.67", "rounded down: it is a bound"
    assert format_exponent(Exponent("unidentified")) == "unidentified"
    bent = Exponent("estimate", 2.0, 1.8, 2.25, lack_of_fit=0.012)
    assert format_exponent_and_fit(bent) == "2.00 [1.80,2.25]; misfit p=0.01"
    assert format_exponent_and_fit(dataclasses.replace(bent, lack_of_fit=0.5)) == "2.00 [1.80,2.25]"


def test_a_law_is_named_where_the_largest_dimension_decides() -> None:
    assert format_growth(Growth(None, {}, None, "too few")) == "-"
    assert format_growth(Growth(None, {"power": -1.0, "exponential": -2.0}, 32)) == "undecided"
    rows = [
        row(n, 0.02 if n >= star * (1 + 0.1 * r) else 1.0, d=d, r=r)
        for d in (4, 8, 12, 16, 24)
        for star in [math.exp(0.4 * d)]
        for r in range(4)
        for n in (round(3 * 1.15**i) for i in range(70))
    ]
    line = next(line for line in printed(rows, {}).splitlines() if line.endswith("exponential"))
    assert "exponential" in line


def test_piped_table_is_plain_and_not_too_wide() -> None:
    every, certificates = suite()
    chosen = {"squares-L3": ("densenet", "two_layer", "sequential_kernel"), "projected-k3": ("ntk",)}
    rows = [r for r in every if r.learner in chosen.get(r.target, ())]
    text = printed(rows, certificates)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= PIPE_WIDTH
    for row_ in rows:
        assert row_.learner in text and f"target {row_.target}" in text
    assert "eps_rel = 0.1 (asks for degree 6)" in text
    assert "two_layer: 6 unreliable, 9 diverged of 160 rows" in text
    assert " > " in text and "unidentified" in text


def test_headings_say_what_an_epsilon_means_where_no_degree_does() -> None:
    rows = [row(n, 10 / n, r=r) for n in (50, 200) for r in range(4)]
    sign = dataclasses.replace(certificate(8, {2: 0.5, 4: 0.5}), classes=(-1.0, 1.0))
    blank = dataclasses.replace(sign, classes=(), degree_share={})
    for found, heading in (
        (sign, "eps = 0.1 (rate of misclassification)"),
        (blank, "eps = 0.1 (degree unknown: no shares of variance in the certificate)"),
    ):
        text = printed(rows, {("t", 8, r): found for r in range(4)})
        assert heading in text
        assert "eps_rel = 0.1 (undefined for this target)" in text
    assert "eps = 0.1 (degree unknown: no certificate)" in printed(rows, {})


@pytest.mark.parametrize("width", [80, 100, 160])
def test_terminal_table_says_the_same(width: int) -> None:
    rows, certificates = suite()
    shown = ("densenet", "two_layer", "krr_rbf")
    chosen = [r for r in rows if r.target == "squares-L2" and r.learner in shown]
    terminal, piped = printed(chosen, certificates, terminal=width), printed(chosen, certificates)
    assert max(len(line) for line in terminal.splitlines()) <= width
    for word in piped.split():
        if word.startswith("[") and word.endswith("]") and "k" in word:
            assert word in terminal


def test_undefined_epsilon_says_so_instead_of_numbers() -> None:
    rows = [row(n, 1 / n, r=r) for r in range(2) for n in (5, 20, 80)]
    certificates = {("t", 8, r): certificate(8, {2: 1.0, 4: 0.0}) for r in range(2)}
    text = printed(rows, certificates)
    assert "eps_rel = 0.1 (undefined for this target)" in text
    assert "eps = 0.1 (asks for degree 2)" in text
    assert "degree unknown: no certificate" in printed(rows, {}, (Epsilon(0.1),))


def test_degrees_that_differ_between_replicates_are_a_range() -> None:
    rows = [row(n, 1 / n, r=r) for r in range(2) for n in (5, 20, 80)]
    certificates = {
        ("t", 8, 0): certificate(8, {2: 0.95, 4: 0.05}),
        ("t", 8, 1): certificate(8, {2: 0.8, 4: 0.2}),
    }
    assert "asks for degree 2-4" in printed(rows, certificates)


def test_markup_in_labels_is_text() -> None:
    rows = [row(n, 1 / n, learner="net[bold]", target="t[red]") for n in (5, 20)]
    for width in (None, 100):
        text = printed(rows, {}, (Epsilon(0.1),), width)
        assert "net[bold]" in text and "t[red]" in text


def test_nothing_to_show_says_so() -> None:
    assert "no rows" in printed([], {})
    assert "no data" in printed([row(5, None, status="failed")], {}, (Epsilon(0.1),))
