"""The phase diagram of layer-wise over joint training: pairs, bounds, cells that are read without colour."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from synthetic_rows import certificate, row

from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.show.phases import phase_diagrams, width_of
from hierbench.benchmarks.statistics.sample_complexity import n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale, epsilons_of
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.plots.captions import caption
from hierbench.plots.data import FigureData, RatioCell
from hierbench.plots.phase import EQUAL, FEWER, MORE, grid, phase_figure
from hierbench.plots.style import COLUMN_WIDTH, figure_style, rendered

ALPHAS, WIDTHS = (0.1, 0.16, 2.0), (3, 12, 144)
MOST = 3000
EPSILON = Epsilon(0.3, Scale.TOP)


def ratio(alpha: float, width: int) -> float:
    """n* of layer-wise over that of joint training."""
    return 2.5 * alpha * (12 / width) ** 0.7 + 0.6


def joint_needed(alpha: float, width: int) -> float:
    """Joint training gets nowhere at the smallest width and alpha."""
    return 10 * MOST if (alpha, width) == (ALPHAS[0], WIDTHS[0]) else 200.0


@functools.cache
def rows() -> tuple[Row, ...]:
    made = []
    rng = np.random.default_rng(1)
    for alpha, width, r in itertools.product(ALPHAS, WIDTHS, range(4)):
        scale = math.exp(0.2 * rng.standard_normal())  # of the target, which both learners share
        for name in ("densenet", "layerwise"):
            needed = scale * joint_needed(alpha, width) * (ratio(alpha, width) if name == "layerwise" else 1)
            needed *= math.exp(0.05 * rng.standard_normal())
            fields = {
                "learner": f"{name}-{width}",
                "learner_spec": {"name": name, "parameters": {"width": width}},
                "target": f"alpha{alpha}",
                "target_spec": {"family": "projected", "parameters": {"alpha": alpha, "depth": 2}},
            }
            sizes = [round(20 * 1.25 ** (k + 0.618 * r % 1)) for k in range(40)]
            made += [row(n, 0.3 * 0.2 * needed / n, 8, r, **fields) for n in sizes if n <= MOST]
    return tuple(made)


def data_of(chosen: tuple[Row, ...]) -> FigureData:
    known = {(x.target, x.d, x.target_index): certificate(x.d, {2: 0.8, 4: 0.2}) for x in chosen}
    return figure_data(chosen, known, (EPSILON,), provenance_of(chosen, "store demo.sqlite", "1"))


@functools.cache
def demo() -> FigureData:
    return data_of(rows())


def cells() -> dict[tuple[float, int], RatioCell]:
    (diagram,) = demo().phases
    return {(c.alpha, c.width): c for c in diagram.cells}


def test_a_cell_is_the_paired_ratio_of_the_two_trainings() -> None:
    assert set(cells()) == set(itertools.product(ALPHAS, WIDTHS))
    exact = {k: c for k, c in cells().items() if c.text and c.text[0] not in "<>"}
    assert len(exact) >= 6
    for (alpha, width), cell in exact.items():
        assert cell.log2_ratio == pytest.approx(math.log2(ratio(alpha, width)), abs=0.25)
        assert float(cell.text) == pytest.approx(2**cell.log2_ratio, rel=0.06)
    assert exact[2.0, 12].apart and not exact[0.16, 12].apart


def test_what_was_not_reached_is_a_bound_or_nothing() -> None:
    bound = cells()[2.0, 3]
    assert bound.text.startswith("> ") and bound.log2_ratio is not None
    assert bound.log2_ratio < math.log2(ratio(2.0, 3))
    assert float(bound.text[2:]) <= 2**bound.log2_ratio + 1e-9, "rounded to the side on which it holds"
    neither = cells()[0.1, 3]
    assert neither == RatioCell(0.1, 3, None, "", False)
    assert np.isnan(grid(demo().phases[0])[0, 0]) and not np.isnan(grid(demo().phases[0])[1:]).any()


def test_the_other_way_round_it_is_an_upper_bound() -> None:
    swapped = tuple(
        dataclasses.replace(
            x,
            learner_spec={
                **x.learner_spec,
                "name": {"densenet": "layerwise", "layerwise": "densenet"}[x.learner_spec["name"]],
            },
        )
        for x in rows()
    )
    found = {(c.alpha, c.width): c for c in data_of(swapped).phases[0].cells}
    assert found[2.0, 3].text.startswith("< ")
    assert found[2.0, 12].log2_ratio == pytest.approx(-cells()[2.0, 12].log2_ratio)


def test_there_is_none_without_two_alphas_two_widths_and_both_nets() -> None:
    one_alpha = tuple(x for x in rows() if x.target == "alpha0.16")
    one_width = tuple(x for x in rows() if x.learner.endswith("-12"))
    one_net = tuple(x for x in rows() if x.learner.startswith("densenet"))
    other_target = tuple(
        dataclasses.replace(x, target_spec={"family": "projected", "parameters": {"alpha": a, "rho": a}})
        for x in rows()
        for a in [x.target_spec["parameters"]["alpha"]]
    )
    for chosen in (one_alpha, one_width, one_net, other_target):
        known = {(x.target, x.d, x.target_index): certificate(x.d, {2: 0.8, 4: 0.2}) for x in chosen}
        stars = n_stars(chosen, known, (EPSILON,))
        assert phase_diagrams(chosen, stars, {x.target: EPSILON.label for x in chosen}) == ()
    both = tuple(x for x in rows() if x.learner[-3:] in ("-12", "144") and x.target != "alpha2.0")
    assert len(data_of(both).phases[0].cells) == 4


def test_the_width_is_that_of_the_frozen_level() -> None:
    assert width_of({"name": "layerwise", "parameters": {"width": 8, "first_width": 64}}) == 64
    assert width_of({"name": "densenet", "parameters": {"width": 8}}) == 8
    assert width_of({"name": "densenet", "parameters": {"width": [8, 16]}}) is None, "a choice of its own"
    assert width_of({"name": "two_layer", "parameters": {"width": 8}}) is None


def test_cells_say_their_numbers_legibly() -> None:
    with figure_style():
        figure = phase_figure(demo(), "alpha0.1")
        assert figure is not None and phase_figure(demo(), "alpha0.16") is None
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert width == COLUMN_WIDTH
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    shown = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in shown) >= 6.0
    written = {t.get_text(): t for t in figure.axes[0].texts}
    assert {c.text or "–" for c in cells().values()} == set(written)
    assert written[cells()[2.0, 12].text].get_fontweight() == "bold"
    image = figure.axes[0].get_images()[0]
    assert image.norm.vmin == -image.norm.vmax, "white is a ratio of 1"
    for t in figure.axes[0].texts:
        j, i = (round(v) for v in t.get_position())
        ground = luminance(image.cmap(image.norm(np.ma.filled(image.get_array(), math.nan)[i, j]))[:3])
        ink = luminance(to_rgb(t.get_color()))
        contrast = (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05)
        assert contrast >= 4.5, "WCAG 2.1, 1.4.3"


def luminance(color: tuple[float, float, float]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_in_grey_the_two_sides_differ() -> None:
    more, fewer, equal = (luminance(to_rgb(c)) for c in (MORE, FEWER, EQUAL))
    assert more < 0.5 * fewer and fewer < 0.5 * equal


def test_the_caption_and_the_metadata_say_what_it_is_of() -> None:
    found = caption(demo(), "phase", "alpha0.1")
    assert "eps_top = 0.3" in found and "neither got there" in found
    with figure_style():
        one, two = (
            rendered(phase_figure(demo(), "alpha0.1"), "phase", "alpha0.1", demo().provenance) for _ in "ab"
        )
    assert one == two and b"store demo.sqlite" in one["pdf"] and b"CreationDate" not in one["pdf"]


@pytest.mark.parametrize(("suite", "d", "widest"), [("phase", 8, {72, 144}), ("phase-d16", 16, {136, 544})])
def test_a_suite_has_a_cell_for_each_alpha_and_width(suite: str, d: int, widest: set[int]) -> None:
    """Rows under the labels and parameters of the suite's plan make one diagram without gaps."""
    loaded = load_suite(suite)
    made = [
        row(
            n, 0.06 * 30 * d / n, unit.d, replicate.target, learner=unit.learner, target=unit.target,
            learner_spec=unit.learner_spec, target_spec=unit.target_spec,
        )
        for unit in make_plan(loaded).curves
        for replicate, sizes in zip(unit.replicates, unit.sizes, strict=True)
        for n in sizes
    ]  # fmt: skip
    assert {r.target_index for r in made} == set(range(96, 100))
    known = {(x.target, x.d, x.target_index): certificate(x.d, {2: 0.8, 4: 0.2}) for x in made}
    shown = SuiteResults(made, known)
    data = figure_data(shown.rows, known, epsilons_of(loaded), provenance_of(made, "s", "0"))
    (diagram,) = data.phases
    assert len(diagram.cells) == 36 and diagram.d == d and diagram.epsilon == "eps_top = 0.3"
    assert {c.width for c in diagram.cells} == {3, 6, 12, 36, *widest}
    assert all(c.log2_ratio == pytest.approx(0.0) for c in diagram.cells)
