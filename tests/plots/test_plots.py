"""Figures: made from rows alone, the same bytes from the same rows, with their source inside."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import math
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from synthetic_rows import certificate, row, suite

from hierbench import plots
from hierbench.benchmarks.show.draw import provenance_of, write_curve_figures
from hierbench.benchmarks.show.figure_data import figure_data, median_floor
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.plots.bands import at_budget, band, fixed_budgets
from hierbench.plots.data import FigureData, NStarPoint
from hierbench.plots.error_curves import error_against_d, error_against_n, error_limits
from hierbench.plots.families import best_of, family_figure
from hierbench.plots.n_star import epsilon_title, n_star_against_d
from hierbench.plots.names import apart
from hierbench.plots.style import FigureWriter, figure_style, looks

pytestmark = pytest.mark.usefixtures("independent")  # intervals are shown, however wide

EPSILONS = (Epsilon(0.1), Epsilon(0.1, Scale.UPPER_HALF))
SOURCE = "hierbench 0.1.0; suite demo; store demo.sqlite; "


def demo(learners: tuple[str, ...] = ("densenet", "two_layer", "krr_rbf")) -> FigureData:
    rows, certificates = suite()
    chosen = [r for r in rows if r.target == "squares-L3" and r.learner in learners]
    return figure_data(chosen, certificates, EPSILONS, provenance_of(chosen, "store demo.sqlite", "0.1.0"))


@pytest.mark.slow
def test_same_rows_give_the_same_bytes_with_their_source_and_no_date(tmp_path: Path) -> None:
    rows, certificates = suite()
    chosen = [r for r in rows if r.target == "squares-L2" and r.learner in ("densenet", "ntk") and r.d < 13]
    source = provenance_of(chosen, "store demo.sqlite", "0.1.0")
    first = write_curve_figures(chosen, certificates, EPSILONS[1:], tmp_path / "a", source)
    again = list(chosen), dict(certificates), EPSILONS[1:]
    second = write_curve_figures(*again, tmp_path / "b", source, processes=2)
    assert [p.name for p in first] == [p.name for p in second]
    assert {p.suffix for p in first} == {".pdf", ".png", ".txt"} and len(first) == 15
    assert not list(tmp_path.rglob("*.partial"))
    for one, two in zip(first, second, strict=True):
        content = one.read_bytes()
        assert content == two.read_bytes()
        assert f"{SOURCE}{len(chosen)} rows; 2 code fingerprints".encode() in content
        assert b"densdens" in content or one.suffix == ".txt", "code fingerprints"
        assert b"CreationDate" not in content and b"ModDate" not in content
    assert imread(first[1]).shape[1] > 1000


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(mpl.rcParams)
    monkeypatch.setattr(plots, "KINDS", ("error_against_n",))  # one context is around all of them
    rows = [row(n, 1 / n, learner="l") for n in (10, 20, 40)]
    assert write_curve_figures(rows, {}, EPSILONS[:1], tmp_path)
    assert dict(mpl.rcParams) == before
    code = (
        "import sys, hierbench.plots.n_star, hierbench.plots.error_curves\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plots_import_no_other_folder_of_ours() -> None:
    for path in Path(plots.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{a.name}" for a in node.names]
            ours = {n.split(".")[1] for n in names if n.startswith("hierbench.")}
            assert not ours & {"benchmarks", "learners", "targets"}, path


def test_fonts_are_embedded_as_text_and_learners_differ_in_more_than_colour() -> None:
    with figure_style():
        assert mpl.rcParams["pdf.fonttype"] == 42
        found = list(looks([f"learner {k}" for k in range(14)]).values())
    assert len({look.marker for look in found}) == 14
    assert len({(look.color, look.linestyle) for look in found}) == 14


def test_a_learner_looks_the_same_in_every_figure() -> None:
    data = demo()
    with figure_style():
        expected = {name: look.color.lower() for name, look in looks(data.learners).items()}
        figures = [f(data, "squares-L3") for f in (error_against_n, n_star_against_d, error_against_d)]
    for figure in figures:
        assert figure is not None
        legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
        entries = [
            (str(handle.get_label()).splitlines()[0], to_hex(handle.get_color()))  # type: ignore[attr-defined]
            for legend in legends
            for handle in legend.legend_handles
        ]
        assert expected.items() <= dict(entries).items()


def test_nothing_is_clipped_and_titles_do_not_overlap() -> None:
    data = demo()
    with figure_style():
        for f in (error_against_n, n_star_against_d, error_against_d):
            figure = f(data, "squares-L3")
            assert figure is not None
            figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
            box = figure.get_tightbbox()
            width, height = figure.get_size_inches()
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
            axes = [ax for ax in figure.axes if ax.get_visible()]
            renderer = FigureCanvasAgg(figure).get_renderer()
            boxes = [ax.get_tightbbox(renderer) for ax in axes]
            for k, one in enumerate(boxes):
                assert not any(one.overlaps(other.shrunk(0.98, 0.98)) for other in boxes[k + 1 :])


def test_band_interpolates_power_laws_exactly_and_only_inside_the_overlap() -> None:
    curves = []
    for r in range(4):
        n = 100 * 2.0 ** (np.arange(6) + 0.618 * r % 1)
        curves.append((np.log(n), np.log((1 + r) * 50 / n)))
    found = band(curves)
    assert found is not None
    assert found.n[0] == pytest.approx(max(math.exp(c[0][0]) for c in curves))
    assert found.n[-1] == pytest.approx(min(math.exp(c[0][-1]) for c in curves))
    np.testing.assert_allclose(found.low, 50 / found.n)
    np.testing.assert_allclose(found.median, 50 * math.sqrt(6) / found.n)
    np.testing.assert_allclose(found.high, 200 / found.n)
    assert band([(np.log([1.0, 2]), np.zeros(2)), (np.log([3.0, 4]), np.zeros(2))]) is None
    assert band([]) is None


def test_budgets_are_the_sizes_that_most_curves_cover() -> None:
    def curve(*sizes: float) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(np.log(sizes), np.zeros(len(sizes)))]

    long, short = curve(10, 100, 1000), curve(10, 100)
    curves = {
        ("a", 8): long,
        ("a", 16): long,
        ("b", 8): long,
        ("b", 16): long,
        ("c", 8): long,
        ("c", 16): short,
    }
    assert np.exp(fixed_budgets(curves)) == pytest.approx([100, 1000])
    assert np.exp(fixed_budgets({("a", 8): long})) == pytest.approx([1000])
    assert fixed_budgets({("a", 8): []}) == []
    # sizes that grow with d: nothing is covered everywhere, and most still is somewhere
    growing = {("a", d): curve(d, 10 * d) for d in (8, 16, 200)}
    assert np.exp(fixed_budgets(growing)) == pytest.approx([80])
    assert at_budget(short, math.log(1000)) is None, "never beyond the data"
    assert at_budget([*long, *short], math.log(1000)) is None, "nor from those alone that got there"


def test_limits_do_not_follow_a_learner_that_diverged() -> None:
    rows = [row(n, 1 / n, learner="good") for n in (10, 100)]
    rows += [row(n, 1e6 * n, learner="bad", status="diverged") for n in (10, 100)]
    rows += [row(1000, 1e9, learner="bad"), row(2000, None, learner="bad", status="failed")]
    data = figure_data(rows, {}, EPSILONS, provenance_of(rows, "s", "0"))
    low, high = error_limits(data.curves)
    assert low < 0.01 and high < 25


@pytest.mark.parametrize("status", ["ok", "unreliable"])
def test_limits_hold_the_end_of_a_good_curve(status: str) -> None:
    """Small rates of misclassification on a small test set are unreliable; they are drawn all the same."""
    rows = [row(n, 10 / n, status=status if n > 50 else "ok") for n in (20, 40, 80, 1600)]
    for some in (rows, rows[2:]):
        data = figure_data(some, {}, EPSILONS, provenance_of(some, "s", "0"))
        low, high = error_limits(data.curves)
        assert low < 10 / 1600 < 0.5 < high


@pytest.mark.slow
def test_curves_out_of_the_ordinary_are_drawn_or_left_out_without_a_warning(tmp_path: Path) -> None:
    rows = [row(10, 0.5, target="point")]
    rows += [row(n, None, target="nothing", status="failed") for n in (10, 20)]
    rows += [row(n, 10.0**-n, target="exact $x_1$", r=r) for n in (10, 20) for r in range(2)]
    rows += [row(n, 0.0, target="exact $x_1$", r=2) for n in (10, 20)]
    certificates = {("exact $x_1$", 8, r): certificate(8, {2: 1.0}) for r in range(3)}
    names = {
        p.name for p in write_curve_figures(rows, certificates, EPSILONS, tmp_path) if p.suffix == ".pdf"
    }
    assert not any("nothing" in name for name in names)
    assert {"error_against_n_point.pdf", "n_star_against_d_point.pdf"} <= names
    assert "error_against_n_exact-x_1.pdf" in names


def test_labels_that_make_the_same_file_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    writer = FigureWriter(tmp_path, demo().provenance)
    for target in ("t/a_1", "t:a_1", "../.."):
        writer.write(Figure(figsize=(1, 1)), "kind", target)
    stems = [p.name for p in writer.paths if p.suffix == ".pdf"]
    assert stems == ["kind_t-a_1.pdf", "kind_t-a_1-2.pdf", "kind_target.pdf"]
    assert all(p.parent == tmp_path and p.exists() for p in writer.paths)


def floors_of(figure: Figure) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The grey staircase of each panel, by its title."""
    return {
        ax.get_title(): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for ax in figure.axes
        for line in ax.get_lines()
        if line.get_drawstyle() == "steps-post"
    }


def legend_of(figure: Figure) -> list[str]:
    return [str(t.get_text()) for t in figure.legends[0].get_texts()]


def test_kernel_floor_is_the_median_over_targets_where_it_is_a_theorem() -> None:
    drawn = [{2: 0.5, 4: 0.5}, {2: 0.9, 4: 0.1}, {2: 0.8, 4: 0.2}]
    certificates = {("t", 6, r): certificate(6, shares) for r, shares in enumerate(drawn)}
    steps = median_floor("t", 6, certificates)
    expected = [(1, 1.0), (7, 1.0), (28, 0.2), (84, 0.2), (210, 0.0)]
    assert [n for n, _ in steps] == [n for n, _ in expected]
    assert [f for _, f in steps] == pytest.approx([f for _, f in expected])
    assert median_floor("t", 7, certificates) == median_floor("u", 6, certificates) == ()
    for change in ({"rotation_invariant": False}, {"classes": (-1.0, 1.0)}, {"degree_share": {}}):
        other = certificates | {("t", 6, 1): dataclasses.replace(certificates["t", 6, 1], **change)}
        assert median_floor("t", 6, other) == (), change


def test_kernel_floor_is_drawn_behind_the_curves_and_moves_no_limits() -> None:
    rows, certificates = suite()
    chosen = [r for r in rows if r.target == "squares-L3" and r.learner == "krr_rbf"]
    moved = {k: dataclasses.replace(c, rotation_invariant=k[1] != 8) for k, c in certificates.items()}
    source = provenance_of(chosen, "s", "0")
    with figure_style():
        found, without = (
            error_against_n(figure_data(chosen, c, EPSILONS, source), "squares-L3") for c in (moved, {})
        )
    assert found is not None and without is not None
    floors = floors_of(found)
    assert set(floors) == {"d = 12", "d = 16", "d = 24", "d = 32"}
    n, height = floors["d = 12"]
    assert n[2] == math.comb(14, 2) and height[2] == pytest.approx(0.28)
    assert floors_of(without) == {}
    assert "predicted kernel floor" in legend_of(found)
    assert "predicted kernel floor" not in legend_of(without)
    for one, two in zip(found.axes, without.axes, strict=True):
        assert one.get_xlim() == pytest.approx(two.get_xlim()) and one.get_ylim() == two.get_ylim()


def test_axes_say_which_error_they_show() -> None:
    rows = [row(n, 1 / n, d=d, target=t) for n in (10, 100) for d in (4, 8) for t in ("a", "b")]
    rows = [dataclasses.replace(r, metric="misclassification") if r.target == "b" else r for r in rows]
    data = figure_data(rows, {}, EPSILONS, provenance_of(rows, "s", "0"))
    with figure_style():
        for target, name in (("a", "relative test MSE"), ("b", "test misclassification rate")):
            for draw in (error_against_n, error_against_d):
                figure = draw(data, target)
                assert figure is not None and figure.axes[0].get_ylabel() == name


def test_data_says_which_degree_each_epsilon_asks_for() -> None:
    data = demo()
    assert [(p.epsilon, p.asks_for) for p in data.panels] == [
        ("eps = 0.1", "degree 4"),
        ("eps_rel = 0.1", "degree 6"),
    ]
    assert {c.d: c.count for c in data.parameter_counts}[8] == 52
    assert {s.censoring for s in data.n_stars} >= {"bracketed", "right"}
    assert all(math.isfinite(s.value) for s in data.n_stars)
    assert epsilon_title("eps_rel = 0.1") == r"$\varepsilon_{\mathrm{rel}}$ = 0.1"


def test_the_family_figure_names_each_family_once_at_its_line() -> None:
    data = demo(("densenet", "two_layer", "krr_rbf", "krr_polynomial"))
    with figure_style():
        figure = family_figure(data, "squares-L3")
        assert figure is not None
        FigureCanvasAgg(figure).draw()
    samples, *_ = figure.axes
    names = [t.get_text() for t in samples.texts]
    for family in ("deep net", "shallow net", "fixed kernel"):
        assert names.count(family) == 1
    assert "parameters of the target" in names and "layer by layer" not in names
    heights = sorted(t.xyann[1] for t in samples.texts if t.get_text() in data.family_order)
    assert all(b - a > 0.05 for a, b in itertools.pairwise(heights))
    sizes = {t.get_fontsize() for ax in figure.axes for t in ax.texts}
    assert min(sizes) >= 6.0
    alone = demo(("densenet",))
    assert family_figure(alone, "squares-L3") is None and family_figure(data, "no target") is None


def test_the_best_of_a_family_is_a_number_before_a_bound() -> None:
    def star(learner: str, value: float, kind: str) -> NStarPoint:
        return NStarPoint(learner, "t", 8, "eps = 0.1", value, value / 2, value * 2, kind)

    stars = [star("a", 300, "bracketed"), star("b", 200, "bracketed"), star("c", 100, "right")]
    assert best_of(stars).learner == "b" and best_of(stars[2:]).learner == "c"


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ([0.1, 0.5], [0.1, 0.5]),
        ([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]),
        ([0.95, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([], []),
    ],
)
def test_names_are_moved_apart_as_little_as_it_takes(wanted: list[float], given: list[float]) -> None:
    assert apart(wanted, 0.1) == pytest.approx(given)
