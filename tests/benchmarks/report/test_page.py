"""The page is one file that runs its own scripts, loads nothing, and holds every row."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.util
import re

import pytest
from report_pages import HARMFUL, data_of, evidence, expected, large, made_again, rows_in, small, taken_apart

from hierbench.benchmarks.report.page import html_page, plotly_script
from hierbench.benchmarks.show.labels import shown_labels
from hierbench.errors import UserError

STUB = "window.Plotly = {};"


@pytest.fixture(scope="module")
def page():
    return html_page(small(), STUB)


def test_every_row_of_the_store_is_in_it(page):
    labels = shown_labels(row.learner for row in evidence().rows)
    assert sorted(rows_in(page), key=str) == sorted(
        (expected(row, labels[row.learner]) for row in evidence().rows), key=str
    )


def test_labels_do_not_break_out(page):
    label = shown_labels([HARMFUL])[HARMFUL]
    assert "<" in label  # or nothing is shown here
    assert label in [one["label"] for one in data_of(page)["head"]["learners"]]
    scripts = taken_apart(page).scripts
    assert len(scripts) == 1 + len(small().targets) + 5  # the data, plotly's, ours: none of the label's
    assert "throw 1" not in "".join(text for attributes, text in scripts if not attributes)
    name = dataclasses.replace(small(), head={**small().head, "suite": "<i>&"})
    assert "<title>&lt;i&gt;&amp;: hierbench report</title>" in html_page(name, STUB)


def test_its_policy_names_each_of_its_scripts_and_no_address(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'none'" and not re.search(r"https?:|\*|unsafe-eval", policy)
    digests = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for attributes, text in taken_apart(page).scripts
        if not attributes
    ]
    assert parts["script-src"].split() == digests
    assert taken_apart(page).addresses == ["#samples"]
    ours = page.replace(STUB, "").replace("http://www.w3.org/2000/svg", "")  # a name, never loaded
    assert "://" not in re.sub(r'<script type="application/json".*', "", ours)


def test_the_same_rows_make_the_same_bytes_whatever_their_order_in_memory(page):
    assert html_page(made_again(), STUB) == page


def test_plotly_is_found_and_where_it_is_missing_one_line_says_so(monkeypatch, tmp_path):
    assert "plotly" in plotly_script()[:200]
    for spec, said in (
        (None, "it is not installed: pip install 'hierbench[report]'"),
        (
            importlib.util.spec_from_file_location("p", tmp_path / "p.py", submodule_search_locations=["/x"]),
            "/x",
        ),
    ):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, spec=spec: spec)
        with pytest.raises(UserError, match=re.escape(said)) as refused:
            plotly_script()
        assert "\n" not in str(refused.value)


@pytest.mark.slow(10)
def test_a_large_suite_makes_a_page_of_less_than_15_megabytes():
    page = html_page(large(), plotly_script())
    data = data_of(page)
    assert sum(b["count"] for k in range(10) for b in data[f"target-{k}"]["rows"]) == 100_000
    assert len(page.encode()) < 15e6
