"""The page in headless Chromium: every control does what it says, and nothing is logged or loaded."""

from __future__ import annotations

import dataclasses
import os

import pytest
from browser import INSTALL, NEEDED, Browser, installed
from report_pages import evidence, large, small

from hierbench.benchmarks.report.content import content
from hierbench.benchmarks.report.page import html_page, plotly_script
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.labels import relabelled
from hierbench.benchmarks.show.table import format_summary
from hierbench.benchmarks.statistics.sample_complexity import n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.suites.suite_file import load_suite

pytestmark = pytest.mark.slow

PLANTS = {
    "in a handler": "addEventListener('click', () => { gone(); }, true);",
    "logged": "console.error('planted');",
    "a request": "fetch('https://example.org/data.json').catch(() => 0);",
    "a picture": "new Image().src = 'https://example.org/a.png';",
    "an event of the slider": "addEventListener('input', () => { null.value; }, true);",
}


@pytest.fixture(scope="module")
def browser():
    path = installed()
    if path is None:
        assert not os.environ.get(NEEDED), INSTALL
        pytest.skip(INSTALL)
    with Browser(path) as one:
        yield one


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page made of a content, on a screen of a width."""

    def open_page(made=None, planted="", width=1280, height=900, scheme="light"):
        path = tmp_path / "page.html"
        path.write_text(html_page(made or small(), plotly_script() + planted), encoding="utf-8")
        browser.errors.clear()
        browser.requests.clear()
        browser.prefer(scheme)
        browser.size(width, height, mobile=width < 600)
        browser.open(path)
        return browser

    return open_page


def text(page, selector):
    return page.run(f"document.querySelector({selector!r}).innerText")


def traces_of(page, plot):
    """Traces with points to click."""
    return page.run(f"(document.getElementById('{plot}').data || []).filter(t => t.customdata).length")


def click_point(page, plot, k=0):
    """Click a marker, and where others lie on it what they are."""
    page.run(f"document.getElementById('{plot}').scrollIntoView({{block: 'center', behavior: 'instant'}})")
    page.settle()
    marker = f"document.querySelectorAll('#{plot} .points path')[{k}]"
    x, y = page.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({marker}.getBoundingClientRect())")
    page.click_at(x, y)
    page.wait("document.getElementById('rows').open")
    title, count = (
        text(page, "#rows-title"),
        page.run("document.querySelectorAll('#rows-table tbody tr').length"),
    )
    page.press("Escape")
    page.wait("!document.getElementById('rows').open")
    return title, count


def steps_of_tour(page):
    """Use every control once, a step at a time."""
    yield  # what is seen as it opens
    for _ in range(3):
        yield page.click("#theme")
    for selector in ("summary", "#none", "#all", "#rows-here", "#rows-close", "#learner-0", "#learner-0"):
        yield page.click(selector)
    page.run("document.getElementById('epsilon').focus()")
    for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
        yield page.press(key)
    for place in range(page.run("document.querySelectorAll('.family').length")):
        page.click(f"#family-{place}")
        yield page.click(f"#family-{place}")
    for select in ("target", "scale", "d-learning", "size", "d-cost", "trace"):
        for value in page.run(
            f"[...document.getElementById('{select}').options].map(o => o.value).reverse()"
        ):
            yield page.choose(f"#{select}", value)
    for table in ("standings", "sizes-table"):
        page.click(f"#{table} td button")
        yield page.click("#rows-close")
    page.run("window.scrollTo(0, document.body.scrollHeight)")
    yield page.settle()


def tour(page):
    """Use every control once, until one makes an error; the errors that were seen."""
    any(page.errors for _ in steps_of_tour(page))
    return page.errors


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_control_works_without_an_error_or_a_request(opened, width, scheme):
    page = opened(width=width, scheme=scheme)
    assert tour(page) == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data", "blob"}
    assert page.run("document.documentElement.scrollWidth") <= width
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert dark == (scheme == "dark")  # after three clicks the theme is again that of the system


@pytest.mark.parametrize("planted", PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_seen(opened, planted):
    assert tour(opened(planted=planted)) != []


def test_without_what_it_needs_the_page_is_not_ready(opened, monkeypatch, tmp_path):
    broken = dataclasses.replace(small(), head={k: v for k, v in small().head.items() if k != "claims"})
    loaded = f"document.readyState === 'complete' && location.href.includes({tmp_path.name!r})"
    wait = Browser.wait
    monkeypatch.setattr(Browser, "wait", lambda self, ready: wait(self, loaded))
    page = opened(broken)
    assert any("claims" in error or "undefined" in error for error in page.errors)
    assert not page.run("document.documentElement.hasAttribute('data-ready')")


def test_the_slider_moves_n_star_to_what_the_statistics_say(opened):
    page = opened()
    rows, certificates = relabelled(evidence().rows, evidence().certificates)
    label, names = small().head["targets"][0], [one["label"] for one in small().head["learners"]]
    seen = set()
    page.run("document.getElementById('epsilon').focus()")
    page.press("Home")
    for _ in range(page.run("Number(document.getElementById('epsilon').max) + 1")):
        said = text(page, "#epsilon-text").partition(":")[0]
        scale, _, value = said.partition(" = ")
        epsilon = Epsilon(float(value), Scale(scale))
        stars = [s for s in n_stars(rows, certificates, [epsilon]) if s.target == label]
        expected = {
            f"{s.learner} at d = {s.d}: n* {format_summary(s)}; show its rows" for s in summarise(stars)
        }
        shown = page.run(
            "[...document.querySelectorAll('#standings button')].map(b => b.getAttribute('aria-label'))"
        )
        assert set(shown) == expected and len(names) > 2
        seen.add(frozenset(shown))
        page.press("ArrowRight")
    assert len(seen) > 3


def test_a_point_opens_its_rows(opened):
    page = opened()
    rows, _ = relabelled(evidence().rows, {})
    target = small().head["targets"][0]

    def stored(title):
        name, _, rest = title.partition(f" on {target}, d = ")
        d = int(rest.partition(":")[0].partition(",")[0])
        return len([r for r in rows if (r.learner, r.d, r.target) == (name, d, target)])

    for plot in ("samples-plot", "cost-plot"):
        title, count = click_point(page, plot)
        assert count == stored(title) > 1, title
    title, count = click_point(page, "learning-plot")
    assert count == 1 and ", n = " in title
    page.click("#rows-here")
    assert page.run("document.querySelectorAll('#rows-table tbody tr').length") == len(
        [r for r in rows if r.target == target and r.d == page.run("state.d")]
    )
    assert f"--target {target} --d " in text(page, "#rows-command")
    page.click("#rows-close")
    assert page.errors == []


def test_errors_at_fixed_sizes_are_there_where_the_suite_has_them(opened):
    page = opened()
    names = page.run("head.learners.map(l => l.label)")
    assert not page.run("document.getElementById('sizes').hidden")
    assert page.run("[...document.getElementById('size').options].map(o => o.text)") == [
        "n = 600",
        "n = 5 d²",
    ]
    assert traces_of(page, "sizes-plot") == len(names) - 1
    title, count = click_point(page, "sizes-plot")
    assert title.endswith("n = 600: 2 rows") and count == 2
    page.choose("#size", "n = 5 d^2")
    assert "d = 12, n = 720" in text(page, "#sizes-table")
    cells = page.run("[...document.querySelectorAll('#sizes-table button')].map(b => b.ariaLabel)")
    assert "densenet at d = 12: error off the scale; show its rows" in cells
    page.click("#learner-0")
    assert traces_of(page, "sizes-plot") == len(names) - 2
    assert page.run("document.querySelectorAll('#sizes-table tr.off').length") == 1
    page.click("#none")
    assert "No learner" in text(page, "#sizes-plot")
    page.click("#all")
    page.choose("#target", 1)
    assert page.run("document.getElementById('sizes').hidden")
    page.choose("#target", 0)
    assert traces_of(page, "sizes-plot") == len(names) - 1
    assert page.errors == []


def test_learners_and_families_go_and_come_back(opened):
    page = opened()
    everything = traces_of(page, "samples-plot")
    page.click("#learner-0")
    assert traces_of(page, "samples-plot") == everything - 1
    assert page.run("document.querySelectorAll('#standings tr.off').length") == 1
    page.click("#none")
    assert "No learner" in text(page, "#samples-plot") and "No learner" in text(page, "#cost-plot")
    page.click("#family-0")
    assert traces_of(page, "samples-plot") == 1
    page.click("#all")
    assert traces_of(page, "samples-plot") == everything
    assert page.errors == []


def test_it_can_be_used_by_keyboard_alone(opened):
    page = opened()
    reached = []
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    for _ in range(120):
        page.press("Tab")
        if page.run("document.activeElement === document.body"):
            break
        reached.append(page.run("document.activeElement.id || document.activeElement.tagName"))
    selector = "main button[id], main select, main input, header button"
    controls = page.run(f"[...document.querySelectorAll('{selector}')].map(e => e.id)")
    assert set(controls) <= set(reached)
    page.run("document.querySelector('#standings button').focus()")
    page.press("Enter")
    assert page.run("document.getElementById('rows').open")
    page.press("Escape")
    assert page.run("document.activeElement === document.querySelector('#standings button')")
    unnamed = page.run(
        "[...document.querySelectorAll('main select, main input')].filter(e => !e.labels.length).length"
    )
    assert unnamed == 0 and page.errors == []


def test_a_suite_of_experiments_has_its_traces_only(opened):
    head = {**small().head, "targets": [], "learners": [], "families": [], "rows": 0, "sentences": []}
    page = opened(dataclasses.replace(small(), head={**head, "made_by": []}, targets=()))
    assert page.run("[...document.querySelectorAll('[data-curves]')].every(e => e.hidden)")
    assert len(page.run("document.getElementById('trace-plot').data.map(t => t.x.length)")) == 8
    assert text(page, "#trace-command") == "hierbench run default --experiment exact"
    assert page.errors == []


def test_rows_without_an_error_are_shown_as_such(opened):
    rows = [dataclasses.replace(r, status="failed", reason="<b>no", error=None) for r in evidence().rows]
    page = opened(content("default", load_suite("default"), SuiteResults(rows, {}), stops=3))
    assert "nothing was measured" in text(page, "#sentences") and "no data" in text(page, "#standings")
    assert "No learner" in text(page, "#samples-plot")
    assert click_point(page, "learning-plot")[1] == 1  # crosses at the top
    page.click("#rows-here")
    assert "failed: <b>no" in text(page, "#rows-table")
    page.click("#rows-close")
    for target in (1, 0):
        page.choose("#target", target)
    assert page.errors == []


def test_harmful_labels_are_texts(opened):
    page = opened()
    label = next(one["label"] for one in small().head["learners"] if "<" in one["label"])
    names = page.run("[...document.querySelectorAll('#standings tbody th')].map(e => e.textContent)")
    assert label in names
    assert page.run("document.querySelectorAll('b, [onclick], img').length") == 0
    hovers = page.run("document.getElementById('samples-plot').data.flatMap(t => t.hovertext || [])")
    assert any("&lt;" in hover for hover in hovers) and not any("<b " in hover for hover in hovers)
    assert page.errors == []


def test_a_large_page_opens_in_three_seconds(opened, tmp_path):
    """The best of three, because other tests run beside it."""
    page = opened(large())
    assert min(page.open(tmp_path / "page.html") for _ in range(3)) < 3.0
    page.choose("#target", 9)
    assert len(page.run("[...document.querySelectorAll('#standings tbody tr')].map(e => e.id)")) == 20
    assert page.errors == []
