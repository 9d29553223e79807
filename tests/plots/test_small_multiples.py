"""Small multiples: one error, a panel a target, at most six lines in each, and looks as elsewhere."""

import dataclasses
import functools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text
from synthetic_rows import suite

from hierbench import plots
from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.learners.catalogue.families import FAMILIES
from hierbench.plots.captions import caption
from hierbench.plots.data import NStarPoint
from hierbench.plots.families import best_of
from hierbench.plots.small_multiples import MOST_SERIES, n_star_by_target
from hierbench.plots.style import COLUMN_WIDTH, PAGE_WIDTH, figure_style, looks

EPSILONS = (Epsilon(0.1), Epsilon(0.1, Scale.UPPER_HALF))
EPSILON = "eps_rel = 0.1"


@functools.cache
def data(learners=("densenet", "krr_rbf", "two_layer")):
    rows, certificates = suite()
    chosen = [r for r in rows if r.learner in learners and r.d < 13]
    return figure_data(chosen, certificates, EPSILONS, provenance_of(chosen, "store a.sqlite", "1"))


@functools.cache
def crowded(families=8):
    """Two learners of each family on two targets."""
    names = [name for members in list(FAMILIES.values())[:families] for name in (*members, *members)[:2]]
    names = list(dict.fromkeys(names))
    stars = tuple(
        NStarPoint(name, target, d, EPSILON, (10 + k) * d**2, 5.0 * d**2, 99.0 * d**2, "bracketed")
        for target in ("squares-L2", "squares-L3")
        for k, name in enumerate(names)
        for d in (8, 12)
    )
    family = {name: next(f for f, members in FAMILIES.items() if name in members) for name in names}
    return dataclasses.replace(
        data(), learners=tuple(names), n_stars=stars, families=family, family_order=tuple(FAMILIES)
    )


def drawn(shown, epsilon=EPSILON, **options):
    with figure_style():
        figure = n_star_by_target(shown, epsilon, **options)
        if figure is not None:
            figure.draw_without_rendering()
        return figure


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def lines(ax, style):
    """The lines of an axis that join n* of one name, by the name."""
    named = {(look.color.lower(), look.linestyle): name for name, look in style.items()}
    found = {}
    for line in ax.get_lines():
        name = named.get((to_hex(line.get_color()), line.get_linestyle()))
        if name is not None and line.get_marker() in ("", "None") and line.get_zorder() == 3:
            found[name] = (list(line.get_xdata()), list(line.get_ydata()))
    return found


def test_a_panel_for_each_target_with_n_star_of_each_learner_at_this_error_alone():
    shown = data()
    figure = drawn(shown)
    with figure_style():
        style = looks(shown.learners)
    assert len(panels(figure)) == len(shown.targets) == 3
    for ax, target in zip(panels(figure), shown.targets, strict=True):
        assert ax.get_title().replace("\n", " ").startswith(f"{target} (degree ")
        found = lines(ax, style)
        for learner in shown.learners:
            of_one = [s for s in shown.n_stars if (s.learner, s.target) == (learner, target)]
            here = sorted((s.d, s.value) for s in of_one if s.epsilon == EPSILON)
            assert list(zip(*found[learner], strict=True)) == here
    assert len({ax.get_ylim() for ax in panels(figure)}) == len({ax.get_xlim() for ax in panels(figure)}) == 1


def test_more_than_six_learners_are_the_best_of_their_families_six_a_panel():
    shown = crowded()
    figure = drawn(shown)
    with figure_style():
        style = looks(shown.family_order)
    titles = [ax.get_title().replace("\n", " ") for ax in panels(figure)]
    assert [title.partition(", ")[2] for title in titles] == ["1 of 2", "2 of 2"] * 2
    for target in ("squares-L2", "squares-L3"):
        mine = [ax for ax in panels(figure) if ax.get_title().startswith(target)]
        found = [lines(ax, style) for ax in mine]
        assert all(0 < len(some) <= MOST_SERIES for some in found)
        assert sorted(name for some in found for name in some) == sorted(FAMILIES)
        for family, (x, y) in {k: v for some in found for k, v in some.items()}.items():
            stars = [s for s in shown.n_stars if s.target == target and shown.families[s.learner] == family]
            assert y == [best_of(s for s in stars if s.d == d).value for d in x]
    assert len(panels(drawn(crowded(6)))) == 2, "six families fit one panel"
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert [name for name in names if name in FAMILIES] == list(FAMILIES)


def test_bounds_are_hollow_and_have_an_arrow():
    shown = data(("krr_rbf",))
    bounds = [s for s in shown.n_stars if s.epsilon == EPSILON and s.censoring == "right"]
    assert bounds
    marks = [line for ax in panels(drawn(shown)) for line in ax.get_lines() if len(line.get_xdata()) == 1]
    hollow = [line for line in marks if line.get_markerfacecolor() == "white"]
    assert len(hollow) >= len(bounds) and sum(line.get_markersize() == 16 for line in marks) == len(hollow)


def test_one_target_or_none_has_no_small_multiples():
    shown = data()
    assert drawn(shown, "eps = 7") is None
    one = tuple(s for s in shown.n_stars if s.target == "squares-L2")
    assert drawn(dataclasses.replace(shown, n_stars=one)) is None


@pytest.mark.parametrize(
    ("shown", "column", "width"),
    [
        pytest.param(data, True, COLUMN_WIDTH, id="learners in a column"),
        pytest.param(crowded, False, PAGE_WIDTH, id="families on a page"),
        pytest.param(data, False, PAGE_WIDTH, id="learners on a page", marks=pytest.mark.slow),
        pytest.param(crowded, True, COLUMN_WIDTH, id="families in a column", marks=pytest.mark.slow),
    ],
)
def test_it_is_as_wide_as_a_page_or_a_column_and_nothing_is_clipped_or_too_small(shown, column, width):
    figure = drawn(shown(), column=column)
    assert figure.get_figwidth() == width
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width + 0.01 and box.y1 <= figure.get_figheight()
    texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in texts) >= 6.0
    renderer = FigureCanvasAgg(figure).get_renderer()
    titles = [ax.title.get_window_extent(renderer) for ax in panels(figure)]
    assert not any(a.overlaps(b) for k, a in enumerate(titles) for b in titles[k + 1 :])


def test_a_caption_says_what_each_target_is_asked_for():
    below = caption(data(), "n_star_by_target", EPSILON)
    assert below.startswith("Samples n* to reach eps_rel = 0.1 ") and below.endswith(" code fingerprints.\n")
    assert "on squares-L2 it asks for degree 4" in below and "Lines are learners" in below
    assert "the best learner of each family" in caption(crowded(), "n_star_by_target_column", EPSILON)
    behind = dataclasses.replace(data(), reference=frozenset({"krr_rbf"}))
    assert "Grey: reference results (krr_rbf)." in caption(behind, "n_star_by_target", EPSILON)


@pytest.mark.slow
def test_same_data_give_the_same_bytes_for_every_error_in_both_widths(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "KINDS", ())
    first, second = (plots.write_figures(data(), tmp_path / name, k) for k, name in ((1, "a"), (2, "b")))
    assert [p.name for p in first] == [p.name for p in second]
    assert {p.name for p in first} == {
        f"n_star_by_target{column}_{epsilon}.{suffix}"
        for column in ("", "_column")
        for epsilon in ("eps-0.1", "eps_rel-0.1")
        for suffix in ("pdf", "png", "txt")
    }
    for one, two in zip(first, second, strict=True):
        content = one.read_bytes()
        assert content == two.read_bytes() and b"a.sqlite" in content
        assert b"CreationDate" not in content
        if one.suffix == ".pdf":
            assert b"/FontFile2" in content and b"/Type3" not in content, "TrueType"
