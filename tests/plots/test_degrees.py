"""The figure of exponents against the degree: which targets make a class, what is drawn, what is written."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
from matplotlib.text import Text
from synthetic_rows import certificate, row

from hierbench.benchmarks.show.degrees import polynomial_exponent
from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.plots.captions import caption
from hierbench.plots.data import FigureData, Growth, NStarPoint
from hierbench.plots.degrees import best_growth, degrees_figure
from hierbench.plots.style import COLUMN_WIDTH, PAGE_WIDTH, figure_style, rendered

EPSILONS = (Epsilon(0.1, Scale.UPPER_HALF), Epsilon(0.3, Scale.TOP))
SHARES = {
    4: {2: 0.7, 4: 0.3},
    8: {4: 0.9, 6: 0.09, 8: 0.01},
    16: {8: 0.98, 12: 0.0199, 16: 0.0001},
}
SPECS = {
    "sphere-L2": {"depth": 2, "width": 3},
    "sphere-L3": {"depth": 3, "width": 3},
    "sphere-L4": {"depth": 4, "width": 2},
}


def n_star(learner: str, d: int, degree: int) -> float:
    """Samples needed: like d^2 by the net, like the polynomials by kernels."""
    if learner == "densenet":
        return 2.0 ** (degree / 4) * 4 * d**2
    polynomials = math.comb(d + degree - 1, degree) + math.comb(d + degree - 2, degree - 1)
    return (0.7 if learner == "krr_rbf" else 0.9) * polynomials


@functools.cache
def demo() -> FigureData:
    """Net and kernels on the sphere; kernels get to degree 8 at d = 4 and 5 alone, to 16 nowhere."""
    rows, certificates = [], {}
    rng = np.random.default_rng(3)
    for (target, params), d, r in itertools.product(SPECS.items(), (4, 5, 6, 8), range(4)):
        degree = 2 ** params["depth"]
        spec = {"family": "squares", "parameters": {**params, "inputs": "sphere"}}
        shares = {8: 1.0, 16: 1e-5} if (degree, d, r) == (16, 4, 0) else SHARES[degree]
        certificates[target, d, r] = dataclasses.replace(certificate(d, shares), inputs="sphere")
        error_asked = 0.3 * SHARES[degree][degree] if degree < 16 else 0.1 * 0.02
        for learner in ("densenet", "krr_rbf", "krr_polynomial"):
            if degree == 16 and learner == "krr_polynomial":
                continue
            needed = n_star(learner, d, degree) * math.exp(0.1 * rng.standard_normal())
            most = 100_000 if learner == "densenet" else 1100
            for n in (round(16 * 1.4 ** (k + 0.618 * r % 1)) for k in range(25)):
                if n <= most:
                    fields = {"learner": learner, "target": target, "target_spec": spec}
                    rows.append(row(n, error_asked * needed / n, d, r, **fields))
    return figure_data(rows, certificates, EPSILONS, provenance_of(rows, "store demo.sqlite", "1"))


def test_targets_that_differ_in_depth_make_a_class_under_the_lowest_degree() -> None:
    panels = demo().degrees
    assert list(panels) == ["sphere-L2"]
    assert [p.target for p in panels["sphere-L2"]] == list(SPECS)
    assert [(p.degree, p.setting) for p in panels["sphere-L2"]] == [(4, ""), (8, ""), (16, "k = 2")]
    # the share of degree 16 is too small for eps_top: by eps_rel, and what that asks for is said
    assert [p.epsilon for p in panels["sphere-L2"]] == ["eps_top = 0.3"] * 2 + ["eps_rel = 0.1"]
    assert [p.asks_for for p in panels["sphere-L2"]] == ["degree 4", "degree 8", "degree 12"]


def test_one_degree_or_another_parameter_makes_no_class() -> None:
    rows = [
        row(
            n,
            4 * d**2 / n * 0.1,
            d,
            r,
            target=target,
            target_spec={"family": "squares", "parameters": params},
        )
        for target, params in (("a", {"depth": 2, "rho": 0.5}), ("b", {"depth": 3, "rho": 0.0}))
        for n in (32, 64, 128, 256, 512, 1024)
        for d in (4, 6, 8)
        for r in range(2)
    ]
    shares = {"a": SHARES[4], "b": SHARES[8]}
    known = {(r.target, r.d, r.target_index): certificate(r.d, shares[r.target]) for r in rows}
    source = provenance_of(rows, "s", "0")
    assert figure_data(rows, known, EPSILONS, source).degrees == {}
    same = [
        dataclasses.replace(r, target_spec={"family": "squares", "parameters": {"depth": len(r.target) + k}})
        for r in rows
        for k in [1 + (r.target == "b")]
    ]
    assert list(figure_data(same, known, EPSILONS, source).degrees) == ["a"]
    assert figure_data(same, {}, EPSILONS, source).degrees == {}, "no certificate says which degree"


def test_targets_on_which_the_error_is_undefined_are_counted() -> None:
    data = demo()
    assert [p.defined for p in data.degrees["sphere-L2"]] == [(16, 16), (16, 16), (15, 16)]
    assert "degree 12 and is defined on 15 of 16 targets." in caption(data, "degrees", "sphere-L2")


def test_slopes_are_those_of_the_laws_that_the_rows_follow() -> None:
    for panel in demo().degrees["sphere-L2"]:
        growths = {g.learner: g for g in panel.growths}
        net = growths["densenet"]
        assert net.kind == "estimate" and net.low < 2 < net.high and net.high - net.low < 1.5
        if panel.degree == 4:
            low, high = (
                float(end) for end in growths["krr_rbf"].in_polynomials.split("[")[1][:-1].split(",")
            )
            assert low < 1 < high and high - low < 1
    eight, sixteen = demo().degrees["sphere-L2"][1:]
    assert {g.kind for g in eight.growths if g.learner != "densenet"} == {"lower bound"}
    assert [g.learner for g in sixteen.growths] == ["densenet"], "never reached: no exponent and no bound"
    assert {s.censoring for s in sixteen.n_stars if s.learner != "densenet"} == {"right"}


def test_bars_are_of_the_largest_d_that_learners_have_in_common() -> None:
    for panel in demo().degrees["sphere-L2"]:
        assert panel.d == 8 and panel.rotations == 28
    assert demo().degrees["sphere-L2"][0].polynomials == math.comb(11, 4) + math.comb(10, 3)


@pytest.mark.parametrize("inputs", ["gaussian", "sphere"])
def test_exponent_of_the_polynomials_is_that_of_their_rank(inputs: str) -> None:
    """N_p counted as the rank of all monomials of degree at most p on points of the law."""
    rng = np.random.default_rng(0)
    dims, ranks = (2, 3, 4), []
    for d in dims:
        X = rng.standard_normal((300, d))
        if inputs == "sphere":
            X /= np.linalg.norm(X, axis=1, keepdims=True)
        powers = [k for k in itertools.product(range(5), repeat=d) if sum(k) <= 4]
        ranks.append(np.linalg.matrix_rank(np.stack([np.prod(X**k, axis=1) for k in powers], axis=1)))
    x, y = np.log(dims), np.log(ranks)
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    assert polynomial_exponent(dims, 4, inputs) == pytest.approx(slope)
    assert polynomial_exponent((4,), 4, inputs) is None


def test_a_family_is_drawn_by_the_member_that_needs_fewest_samples() -> None:
    panel = demo().degrees["sphere-L2"][0]
    kernels = [g for g in panel.growths if g.learner.startswith("krr")]
    assert best_growth(panel, kernels).learner == "krr_rbf"
    bound = Growth("krr_rbf", "lower bound", None, 3.0, math.inf, "")
    assert best_growth(panel, [bound, *kernels[1:]]).learner == "krr_polynomial", "an estimate first"
    stars = tuple(
        NStarPoint(s.learner, s.target, s.d, s.epsilon, s.value, s.low, math.inf, "right")
        if s.learner == "krr_rbf"
        else s
        for s in panel.n_stars
    )
    assert best_growth(dataclasses.replace(panel, n_stars=stars), kernels).learner == "krr_polynomial"
    least = min(s.value for s in panel.n_stars if s.learner.startswith("krr"))
    for more, shown in ((1.04, "krr_polynomial"), (1.06, "krr_rbf")):
        values = {"krr_rbf": least, "krr_polynomial": more * least}
        near = tuple(
            dataclasses.replace(s, value=values[s.learner]) if s.learner in values else s
            for s in panel.n_stars
        )
        wide = dataclasses.replace(kernels[0], learner="krr_rbf", low=0.0, high=9.0)
        both = [wide, next(g for g in kernels if g.learner == "krr_polynomial")]
        assert best_growth(dataclasses.replace(panel, n_stars=near), both).learner == shown


@pytest.mark.parametrize("column", [False, True])
def test_it_shows_what_the_rows_say_legibly_and_inside_its_page(column: bool) -> None:
    data = demo()
    with figure_style():
        figure = degrees_figure(data, "sphere-L2", column)
        assert figure is not None and degrees_figure(data, "sphere-L3", column) is None
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert width == (COLUMN_WIDTH if column else PAGE_WIDTH)
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    shown = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in shown) >= 6.0
    left, right = figure.axes
    assert {"deep net", "fixed kernel", "rotations, d²/2"} <= {t.get_text() for t in left.texts}
    assert left.get_xscale() == "log" and right.get_xscale() == "log"
    panels = data.degrees["sphere-L2"]
    lengths = [bar.get_x() + bar.get_width() for bar in right.patches]
    assert sorted(lengths) == pytest.approx(sorted(s.value for p in panels for s in p.n_stars))
    hatched = [bar for bar in right.patches if bar.get_hatch()]
    assert len(hatched) == sum(s.censoring != "bracketed" for p in panels for s in p.n_stars) > 0
    assert any("k = 2" in t.get_text() for t in right.texts)


def test_the_caption_has_the_slopes_and_the_errors_that_count() -> None:
    data = demo()
    found = caption(data, "degrees", "sphere-L2")
    assert "degree 16 (sphere-L4, k = 2): eps_rel = 0.1, which asks for degree 12" in found
    growth = next(g for g in data.degrees["sphere-L2"][0].growths if g.learner == "krr_rbf")
    assert f"krr_rbf {growth.in_polynomials}" in found
    assert found.endswith(" code fingerprints.\n")


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes() -> None:
    """As those of the phase diagram, whose test is in make test."""
    data = demo()
    with figure_style():
        one, two = (
            rendered(degrees_figure(data, "sphere-L2"), "degrees", "sphere-L2", data.provenance) for _ in "ab"
        )
    assert one == two and b"store demo.sqlite" in one["pdf"] and b"CreationDate" not in one["pdf"]
