"""What the page says is what the store has and what the suite's statistics make of it."""

from __future__ import annotations

import dataclasses
import math

import pytest
import synthetic_rows
from report_pages import FIXED, LEARNERS, at_fixed_sizes, evidence, small, trace

from hierbench.benchmarks.report.columns import Table, as_json, column, rounded, scalar
from hierbench.benchmarks.report.content import DASHES, SYMBOLS, content
from hierbench.benchmarks.report.epsilon_grid import SMALLEST, epsilon_grid
from hierbench.benchmarks.report.traces import traces
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show import slopes
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.show.labels import relabelled
from hierbench.benchmarks.show.slopes import exponents_of
from hierbench.benchmarks.show.takeaway import learned, sentences
from hierbench.benchmarks.statistics.exponents import exponent, exponents
from hierbench.benchmarks.statistics.line_fits import MEMORY, fit
from hierbench.benchmarks.statistics.ranks import rank
from hierbench.benchmarks.statistics.sample_complexity import n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale, epsilons_of
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.learners.catalogue.families import family_of
from hierbench.plots.data import Provenance
from hierbench.plots.fixed_sizes import size_panels, size_title
from hierbench.plots.style import figure_style, looks


@pytest.fixture(scope="module")
def shown():
    """Rows and certificates under the labels of the page."""
    return relabelled(evidence().rows, evidence().certificates)


def entries():
    for target in small().targets:
        for entry in target["epsilons"]:
            yield target["label"], entry, Epsilon(entry["value"], Scale(entry["scale"]))


def test_n_star_of_every_error_learner_and_d_is_that_of_the_statistics(shown):
    names = [one["label"] for one in small().head["learners"]]
    compared = 0
    for label, entry, epsilon in entries():
        stars = [s for s in n_stars(*shown, [epsilon]) if s.target == label]
        expected = {(s.learner, s.d): s for s in summarise(stars)}
        for standing in entry["learners"]:
            cells = standing["cells"]
            for i, d in enumerate(cells["d"]):
                one = expected.pop((names[standing["learner"]], d))
                assert (cells["value"][i], cells["low"][i], cells["high"][i]) == tuple(
                    rounded(v) for v in (one.value, one.low, one.high)
                )
                kind = cells["kind"]
                assert (kind[i] if isinstance(kind, list) else kind) == one.censoring
                compared += 1
        assert not expected
    assert compared > 100


def test_groups_are_those_of_the_statistics(shown):
    names = [one["label"] for one in small().head["learners"]]
    for label, entry, epsilon in entries():
        letters = {
            r.learner: r.letters for r in rank([s for s in n_stars(*shown, [epsilon]) if s.target == label])
        }
        assert letters == {names[s["learner"]]: s["groups"] for s in entry["learners"] if s["groups"]}


@pytest.mark.usefixtures("independent")
def test_exponents_are_those_of_the_statistics():
    """Three dimensions, one target and two learners: as many fits as a test can wait for."""
    rows = [r for r in evidence((8, 12, 16)).rows if r.target == "squares-L2"]
    rows = [r for r in rows if r.learner in ("densenet", "krr_rbf")]
    made = content("default", load_suite("default"), SuiteResults(rows, evidence().certificates), stops=2)
    fitted = 0
    for entry in made.targets[0]["epsilons"]:
        epsilon = Epsilon(entry["value"], Scale(entry["scale"]))
        expected = exponents(n_stars(rows, evidence().certificates, [epsilon]))
        for standing in entry["learners"]:
            name = made.head["learners"][standing["learner"]]["label"]
            one = expected["squares-L2", name, epsilon]
            assert standing["exponent"]["slope"] == rounded(one.value)
            assert standing["exponent"]["kind"] == one.kind
            fitted += one.kind == "estimate"
    assert fitted > 4


def test_exponents_by_other_processes_are_the_same_and_each_is_fitted_once(monkeypatch):
    rows, certificates = synthetic_rows.suite()
    some = [r for r in rows if r.target == "squares-L2" and r.learner == "densenet"]
    groups = [n_stars(some, certificates, [Epsilon(e)]) for e in (0.3, 0.1, 0.3)]
    here = exponents_of(groups, workers=1)
    assert here[0] == here[2] != here[1]
    assert here == [exponent(group) for group in groups]
    MEMORY.forget()
    assert exponents_of(groups, workers=2) == here
    calls = []
    monkeypatch.setattr(slopes, "fit", lambda data: calls.append(data) or fit(data))
    assert exponents_of(groups, workers=1) == here and calls == [], "they are remembered"
    MEMORY.forget()
    exponents_of(groups, workers=1)
    assert len(calls) == 2


def test_the_slider_has_the_errors_of_the_suite_and_others_between_those_of_the_rows(shown):
    rows, certificates = shown
    some = [r for r in rows if r.target == "squares-L2"]
    asked = epsilons_of(load_suite("default"))
    grid = epsilon_grid(some, certificates, asked, stops=12)
    assert set(asked) <= set(grid)
    for scale in (Scale.VARIANCE, Scale.UPPER_HALF, Scale.TOP):
        values = [e.value for e in grid if e.scale == scale]
        assert values == sorted(values, reverse=True) and len(values) >= 12
        extra = [v for v in values if Epsilon(v, scale) not in asked]
        assert max(extra) < 1 and min(extra) >= SMALLEST
    assert not [e for e in grid if e.scale == Scale.WEAKEST]  # the suite does not ask for it
    assert {e.scale for e in epsilon_grid(some, {}, [])} == {Scale.VARIANCE}
    exact = [dataclasses.replace(r, error=1e-30) for r in some]
    assert epsilon_grid(exact, certificates, asked) == sorted(
        asked, key=lambda e: (list(Scale).index(e.scale), -e.value)
    )


def test_sentences_are_those_of_the_last_screen(shown):
    told = list(learned(*shown, epsilons_of(load_suite("default"))))
    assert [s["heading"] for s in small().head["sentences"]] == [one.heading() for one in told]
    assert [
        f"{one.target}: {s['text']}" for one, s in zip(told, small().head["sentences"], strict=True)
    ] == list(sentences(told))


def test_families_colours_and_markers_are_those_of_the_figures():
    learners = small().head["learners"]
    with figure_style():
        expected = looks([one["label"] for one in learners])
    for one in learners:
        look = expected[one["label"]]
        assert (one["color"], one["symbol"], one["dash"]) == (
            look.color, SYMBOLS[str(look.marker)], DASHES[look.linestyle],
        )  # fmt: skip
    families = {one["label"]: one["family"] for one in learners if one["label"] in LEARNERS}
    assert families == {name: family_of(name) for name in families}
    assert set(small().head["families"]) == {one["family"] for one in learners}


def test_errors_at_a_fixed_size_are_those_of_the_figures_and_absent_without_rows(shown):
    first, second = small().targets
    assert second["sizes"] is None
    names = [one["label"] for one in small().head["learners"]]
    fixed = at_fixed_sizes(evidence().rows)
    data = figure_data(
        *shown,
        [],
        Provenance("default", "store", 0, (), "0"),
        fixed=relabelled(fixed, {})[0],
        declared=[FIXED],
    )
    panels = {panel.title: panel for panel in size_panels(data, "squares-L2")}
    lost = compared = 0
    for panel in first["sizes"]["panels"]:
        measured = dict(panels[size_title(panel["size"])].measured)
        for one in panel["learners"]:
            for i, d in enumerate(one["d"]):
                low, median, high = measured.pop((names[one["learner"]], d))
                assert one["n"][i] == FIXED.at(d)[panel["size"]]
                if median > 1e6:
                    assert one["median"][i] is None
                    lost += 1
                else:
                    assert [one[k][i] for k in ("low", "median", "high")] == [
                        rounded(v) for v in (low, median, high)
                    ]
                    compared += 1
        assert not measured
    assert (lost, compared) == (2, 10)
    assert sum(block["count"] for block in first["sizes"]["rows"]) == len(fixed) == 24
    assert small().head["rows"] == len(evidence().rows) + len(fixed)


def test_the_front_is_of_learners_that_no_other_one_beats_in_samples_and_seconds():
    fronts = 0
    for _, entry, _ in entries():
        for d, front in entry["front"].items():
            costs = {}
            for standing in entry["learners"]:
                cells = standing["cells"]
                i, kind = cells["d"].index(int(d)), cells["kind"]
                if (kind[i] if isinstance(kind, list) else kind) in ("bracketed", "left"):
                    costs[standing["learner"]] = cells["value"][i], cells["seconds"][i]
            best = [
                k for k, (n, s) in costs.items()
                if not any(a <= n and b <= s and (a, b) != (n, s) for a, b in costs.values())
            ]  # fmt: skip
            assert sorted(front) == sorted(best)
            fronts += len(front) > 1
    assert fronts


def test_a_trace_is_the_geometric_mean_over_seeds():
    (one,) = traces({"exact": trace(), "nothing": []})
    assert one["ticks"] == [f"{k} {s}" for k in (1, 2, 3) for s in ("lower", "upper")]
    line = next(x for x in one["lines"] if x["name"] == "alpha = 0.1, level 2")
    assert line["x"] == [1, 3, 5]
    assert line["mean"] == [rounded(0.1**k * math.sqrt(2)) for k in (1, 2, 3)]
    assert line["low"] == [0.1, 0.01, 0.001] and line["high"] == [0.2, 0.02, 0.002]


def test_json_holds_no_end_of_a_script_and_columns_come_back():
    assert "<" not in as_json({"</script>": "<!-- & >"})
    assert column([3, 3]) == 3 and column([3, 3.0]) == [3, 3.0] and column([1, True]) == [1, True]
    assert rounded(math.inf) is None and rounded(None) is None
    assert (rounded(123456.7), rounded(1e-7), rounded(2.0)) == (123460, 1e-7, 2)
    assert scalar([1, 2]) == "[1, 2]" and scalar(math.nan) == "nan" and scalar(True) is True
    table = Table()
    assert [table.number(v) for v in ("a", ["b"], "a")] == [0, 1, 0] and table.values == ["a", ["b"]]
