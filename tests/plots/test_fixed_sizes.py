"""Errors at declared sizes: drawn as measured, interpolated ones told apart from them, lost ones as worst."""

import dataclasses
import statistics

import numpy as np
import pytest
from matplotlib.colors import to_hex
from synthetic_rows import row

from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.suites.epsilon import EPSILONS
from hierbench.benchmarks.suites.fixed_sizes import STAGE, FixedSizes
from hierbench.plots.captions import caption
from hierbench.plots.error_curves import error_against_d
from hierbench.plots.families import family_figure
from hierbench.plots.fixed_sizes import drawn_sizes, size_panels, size_title
from hierbench.plots.style import figure_style, looks

DECLARED = (FixedSizes(("t",), n=(100,), n_over_d2=(2.0,)),)
DIMENSIONS = (4, 8)


def error_at(learner, d, r, n):
    return d**2 * (1 + r) / n * (3 if learner == "krr_rbf" else 1)


def grid():
    """Staggered sizes, so that nothing on them is at a declared one."""
    return [
        row(n, error_at(learner, d, r, n), d, r, learner=learner)
        for learner in ("densenet", "krr_rbf")
        for d in DIMENSIONS
        for r in range(4)
        for n in (17 + r, 83 + r, 411 + r)
    ]


def fixed(learners=("densenet", "krr_rbf"), **changes):
    """Errors half as large as the grid has it, which tells them from interpolated ones."""
    return [
        dataclasses.replace(
            row(n, error_at(learner, d, r, n) / 2, d, r, learner=learner), stage=STAGE, **changes
        )
        for learner in learners
        for d in DIMENSIONS
        for r in range(4)
        for n in {100, 2 * d**2}
    ]


def data(rows, declared=DECLARED):
    shown = grid()
    return figure_data(shown, {}, EPSILONS, provenance_of(shown, "s", "0"), (), rows, declared)


def test_a_declared_size_has_the_median_of_what_was_measured_at_it():
    at_n, at_law = size_panels(data(fixed()), "t")
    assert (at_n.title, at_law.title) == ("n = 100", "n = 2 $d^2$")
    for panel, size in ((at_n, lambda d: 100), (at_law, lambda d: 2 * d**2)):
        assert not panel.between and set(panel.measured) == {
            (learner, d) for learner in ("densenet", "krr_rbf") for d in DIMENSIONS
        }
        for (learner, d), (low, median, high) in panel.measured.items():
            errors = [error_at(learner, d, r, size(d)) / 2 for r in range(4)]
            expected = min(errors), statistics.median(errors), max(errors)
            assert (low, median, high) == pytest.approx(expected, rel=1e-12)


def test_where_nothing_was_measured_the_curve_is_interpolated_and_told_apart():
    for panel in size_panels(data(fixed(("densenet",))), "t"):
        assert {name for name, _ in panel.measured} == {"densenet"}
        assert {name for name, _ in panel.between} == {"krr_rbf"}
        assert panel.values.keys() == panel.measured.keys() | panel.between.keys()
        for (_, d), (_, median, _) in panel.between.items():
            n = 100 if "100" in panel.title else 2 * d**2
            errors = [error_at("krr_rbf", d, r, n) for r in range(4)]
            assert median == pytest.approx(statistics.median(errors)), "power laws interpolate exactly"


def test_without_declared_sizes_or_their_rows_it_is_interpolated_and_said_so():
    for rows, declared in (((), ()), ((), DECLARED), (fixed(), (FixedSizes(("other",), n=(100,)),))):
        shown = data(rows, declared)
        panels = size_panels(shown, "t")
        assert panels and not any(panel.measured for panel in panels)
        assert "interpolated in log-log between" in caption(shown, "error_against_d", "t")
        with figure_style():
            assert "interpolated in log-log" in error_against_d(shown, "t").get_suptitle()
    shown = data(fixed())
    for kind in ("error_against_d", "families_column"):
        assert "measured there" in caption(shown, kind, "t") and "interpolated" not in caption(
            shown, kind, "t"
        )
    assert "open marks are interpolated" in caption(data(fixed(("densenet",))), "error_against_d", "t")
    assert drawn_sizes([]).startswith("interpolated")


def test_rows_at_fixed_sizes_are_no_points_of_curves_and_give_no_n_star():
    with_them, without = data(fixed()), data(())
    assert with_them.curves == without.curves and with_them.n_stars == without.n_stars
    assert len(with_them.fixed) == len(fixed()) and with_them.predictions == without.predictions


def lines_of(ax, color):
    return [
        line for line in ax.get_lines() if to_hex(line.get_color()) == color.lower() and len(line.get_xdata())
    ]


def test_the_figure_draws_these_errors_and_open_marks_for_the_others():
    shown = data(fixed(("densenet",)))
    with figure_style():
        figure, style = error_against_d(shown, "t"), looks(shown.learners)
    for ax, panel in zip(figure.axes, size_panels(shown, "t"), strict=True):
        assert ax.get_title() == panel.title
        for learner in ("densenet", "krr_rbf"):
            first, *more = lines_of(ax, style[learner].color)
            expected = [panel.values[learner, d][1] for d in DIMENSIONS]
            assert list(first.get_ydata()) == pytest.approx(expected)
            hollow = [line for line in more if line.get_markerfacecolor() == "white"]
            assert len(hollow) == (learner == "krr_rbf")
    assert "interpolated" in [t.get_text() for t in figure.legends[0].get_texts()]
    with figure_style():
        alone = error_against_d(data(fixed()), "t")
    assert "interpolated" not in [t.get_text() for t in alone.legends[0].get_texts()]


@pytest.mark.parametrize("status", ["diverged", "failed", "timeout"])
def test_a_replicate_that_was_lost_counts_as_the_worst(status):
    rows = fixed(("densenet",))
    one = [dataclasses.replace(r, status=status) if r.target_index == 0 else r for r in rows]
    two = [dataclasses.replace(r, status=status, error=None) if r.target_index < 3 else r for r in rows]
    clean, hurt, lost = (size_panels(data(some), "t")[0].measured["densenet", 4] for some in (rows, one, two))
    assert hurt[1] > clean[1] and hurt[2] > 1e100 and np.isfinite(hurt).all()
    assert lost[1] > 1e100
    with figure_style():
        figure = error_against_d(data(two), "t")
        figure.draw_without_rendering()
        assert "diverged, failed or off the scale" in [t.get_text() for t in figure.legends[0].get_texts()]
        error_against_d(
            data([dataclasses.replace(r, status=status) for r in rows]), "t"
        ).draw_without_rendering()


def test_learners_whose_rows_are_all_unreliable_are_named():
    with figure_style():
        figure = error_against_d(data([dataclasses.replace(r, status="unreliable") for r in fixed()]), "t")
    assert {"densenet", "krr_rbf"} <= {t.get_text() for t in figure.legends[0].get_texts()}


def test_a_skipped_row_is_none_and_an_exact_fit_is_drawn_below():
    assert data(fixed(status="skipped")).fixed == ()
    panel = size_panels(data(fixed(error=0.0)), "t")[0]
    assert all(0 < low <= median < 1e-200 for low, median, _ in panel.measured.values())


def test_the_family_figure_shows_the_declared_size_with_the_most_errors():
    rows = [r for r in fixed() if r.n != 100 or r.learner == "densenet"]
    shown = data(rows)
    with figure_style():
        titles = [ax.get_title() for ax in family_figure(shown, "t").axes]
    panels = {panel.title: len(panel.values) for panel in size_panels(shown, "t")}
    assert f"error at {max(panels, key=panels.__getitem__)}" in titles


@pytest.mark.parametrize(
    ("size", "title"),
    [("n = 10000", "n = 10,000"), ("n = 16 d^2", "n = 16 $d^2$"), ("n = 0.5 d^2", "n = 0.5 $d^2$")],
)
def test_sizes_in_mathematics(size, title):
    assert size_title(size) == title
