"""The figure of families: greyed references, a column of a paper, captions."""

import dataclasses

import pytest
from matplotlib.text import Text
from synthetic_rows import suite

from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.suites.epsilon import EPSILONS
from hierbench.plots import KINDS
from hierbench.plots.captions import caption
from hierbench.plots.families import family_figure
from hierbench.plots.style import COLUMN_WIDTH, GREY, figure_style

TARGET = "squares-L2"


def data(reference=()):
    rows, certificates = suite()
    chosen = [
        dataclasses.replace(r, learner_spec={"name": r.learner, "parameters": {}})
        for r in rows
        if r.target == TARGET and r.learner in ("densenet", "krr_rbf", "krr_polynomial") and r.d < 13
    ]
    return figure_data(
        chosen, certificates, EPSILONS, provenance_of(chosen, "store a.sqlite", "1"), reference
    )


def colours(figure):
    return {t.get_text(): t.get_color() for ax in figure.axes for t in ax.texts}


def test_what_stands_behind_is_grey_and_the_rest_is_not():
    with figure_style():
        found = colours(family_figure(data(("krr_rbf", "krr_polynomial")), TARGET))
        alone = colours(family_figure(data(), TARGET))
    assert found["fixed kernel"] == GREY and found["deep net"] == alone["deep net"] != GREY
    assert alone["fixed kernel"] != GREY


def test_a_family_with_a_learner_of_ones_own_is_not_grey():
    assert data(("krr_rbf",)).greyed == {"krr_rbf"}
    assert data(("krr_rbf", "krr_polynomial")).greyed == {"krr_rbf", "krr_polynomial", "fixed kernel"}
    assert data(("krr_rbf", "krr_polynomial", "densenet")).greyed == set(), "nothing is in front of them"


def test_as_wide_as_a_column_it_is_legible():
    with figure_style():
        figure = family_figure(data(), TARGET, column=True)
        figure.draw_without_rendering()
    assert figure.get_figwidth() == COLUMN_WIDTH and len(figure.axes) == 2
    shown = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in shown) >= 6.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_says_what_is_shown_and_where_it_is_from(kind):
    text = caption(data(("krr_rbf",)), kind, TARGET)
    assert text.startswith("Target squares-L2. ") and text.endswith(" code fingerprints.\n")
    assert "Grey: reference results (krr_rbf)." in text and "store a.sqlite" in text
    assert "Grey" not in caption(data(), kind, TARGET)
