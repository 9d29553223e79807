"""n* as an interval, read off curves whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from curve_rows import certificate, row
from hypothesis import given, settings
from hypothesis import strategies as st

from hierbench.benchmarks.statistics.sample_complexity import NStar, crossing, n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.units.rows import Replicate

ABSOLUTE = Epsilon(0.1)


def test_interval_lies_between_last_size_above_and_first_below() -> None:
    assert crossing([100, 200, 400], [0.5, 0.2, 0.05], 0.1) == (200, 400, "bracketed")
    assert crossing([100, 200, 400], [0.5, 0.2, 0.15], 0.1) == (400, math.inf, "right")
    assert crossing([100, 200, 400], [0.05, 0.02, 0.01], 0.1) == (0, 100, "left")
    assert crossing([], [], 0.1) == (0, math.inf, "missing")
    assert crossing([100, 200], [0.5, 0.0], 0.1) == (100, 200, "bracketed")
    assert crossing([100, 200], [0.5, 0.1], 0.1) == (100, 200, "bracketed"), "reached means <="


def test_curve_is_made_monotone_before_it_is_read() -> None:
    # 0.05 and 0.3 pool to 0.12: one lucky run does not count as reached
    assert crossing([1, 2, 4, 8], [0.5, 0.05, 0.3, 0.01], 0.1) == (4, 8, "bracketed")


@settings(max_examples=60, deadline=None)
@given(
    errors=st.lists(st.floats(1e-6, 10), min_size=1, max_size=12),
    thresholds=st.tuples(st.floats(1e-5, 5), st.floats(1e-5, 5)),
)
def test_width_is_never_zero_and_smaller_errors_need_more_samples(
    errors: list[float], thresholds: tuple[float, float]
) -> None:
    sizes = 50 * 2 ** np.arange(len(errors))
    harder = crossing(sizes, errors, min(thresholds))
    easier = crossing(sizes, errors, max(thresholds))
    assert harder[0] < harder[1] and easier[0] < easier[1]
    assert easier[0] <= harder[0] and easier[1] <= harder[1]


def test_rows_that_do_not_decide_are_left_out() -> None:
    rows = [
        row(100, 0.5),
        row(200, 0.09, status="unreliable", error_se=0.02),
        row(400, 0.05),
        row(800, None, status="failed"),
    ]
    (star,) = n_stars(rows, {}, [ABSOLUTE])
    assert (star.lower, star.upper, star.degree_needed) == (100, 400, None)
    (star,) = n_stars([row(100, 0.01, status="diverged")], {}, [ABSOLUTE])
    assert star.censoring == "missing"


def test_an_unreliable_row_counts_where_it_is_beyond_doubt() -> None:
    good = row(200, 0.01, status="unreliable", error_se=0.005)
    (star,) = n_stars([row(100, 0.5), good], {}, [ABSOLUTE])
    assert (star.lower, star.upper) == (100, 200)
    (star,) = n_stars([row(100, 0.5), row(200, 0.01, status="unreliable", error_se=0.05)], {}, [ABSOLUTE])
    assert star.censoring == "right" and star.lower == 100


def test_eps_rel_divides_by_the_share_above_half_the_degree_of_that_replicate() -> None:
    rows = [row(n, 100 * n**-2.0, r=r) for r in range(3) for n in (10, 20, 40, 80, 160, 320)]
    known = {("t", 8, 0): certificate({2: 0.9, 4: 0.1}), ("t", 8, 1): certificate({2: 1.0, 4: 0.0})}
    stars = {s.replicate.target: s for s in n_stars(rows, known, [Epsilon(0.1, Scale.UPPER_HALF)])}
    assert stars[0].threshold == pytest.approx(0.01)
    assert (stars[0].lower, stars[0].upper, stars[0].degree_needed) == (80, 160, 4)
    assert stars[1].censoring == "undefined" and stars[1].threshold is None
    assert stars[2].censoring == "undefined", "no certificate, no eps_rel"
    (absolute, *_) = n_stars(rows, known, [ABSOLUTE])
    assert absolute.degree_needed == 2 or absolute.degree_needed == 4
    assert known["t", 8, 0].degree_needed(0.1) == absolute.degree_needed


def test_summary_is_a_geometric_mean_or_a_bound_on_it() -> None:
    def star(r: int, *interval: object) -> NStar:
        return NStar("l", "t", 8, Replicate(r, r, r), ABSOLUTE, *interval, 0.1, 2)  # type: ignore[arg-type]

    (whole,) = summarise([star(0, 100, 400, "bracketed"), star(1, 400, 1600, "bracketed")])
    assert (whole.value, whole.low, whole.high) == (pytest.approx(400), 100, 1600)
    (right,) = summarise([star(0, 100, 400, "bracketed"), star(1, 800, math.inf, "right")])
    assert (right.value, right.censoring, right.high) == (pytest.approx(400), "right", math.inf)
    assert right.n_censored == 1
    (both,) = summarise([star(0, 0, 50, "left"), star(1, 800, math.inf, "right")])
    assert both.value is None
    (none,) = summarise([star(0, 0, math.inf, "missing")])
    assert (none.value, none.censoring, none.n_replicates) == (None, "missing", 0)
