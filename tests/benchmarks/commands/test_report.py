"""``hierbench report``: writes a page, says where, and refuses in one line."""

from __future__ import annotations

import importlib.util
import shlex

from report_pages import data_of

from hierbench.benchmarks.store.store import NAME, Store


def test_it_writes_a_page_prints_its_path_and_changes_no_row(finished, tmp_path, status):
    path, folder = finished
    before = (folder / NAME).read_bytes()
    code, out, err = status("report", path, "--results", folder)
    page = folder / "report_stub.html"
    assert (code, out, err) == (0, f"{page}\n", "")
    head = data_of(page.read_text())["head"]
    with Store.readable(folder) as store:
        assert head["rows"] == len(store.rows()) > 0
    elsewhere = tmp_path / "deep" / "page.html"
    assert status("report", path, "--results", folder, "--output", elsewhere)[0] == 0
    assert elsewhere.read_bytes() == page.read_bytes()
    assert (folder / NAME).read_bytes() == before


def test_the_commands_in_it_can_be_called(finished, status):
    """What it says of a point, with a learner of one's own by its import path."""
    path, folder = finished
    status("report", path, "--results", folder)
    data = data_of((folder / "report_stub.html").read_text())
    arguments = [one["argument"] for one in data["head"]["learners"]]
    target = data["target-0"]["argument"]
    code, _, err = status(
        "run", path, "--learner", arguments[0], "--target", target, "--d", 4, "--dry-run", "--results", folder
    )
    assert code == 0, err
    assert shlex.split(data["head"]["one"])[2:] == [path, f"--results={folder}"]


def test_errors_are_one_line_and_status_2(finished, tmp_path, status):
    path, folder = finished
    for arguments, said in (
        (["report", "smoke", "--results", folder], "no rows of suite smoke in"),
        (["report", "correction", "--results", folder], "no rows of suite correction in"),
        (["report", path, "--results", tmp_path / "none"], "no results in"),
        (["report", "smok", "--results", tmp_path], "smoke"),
        (["report", path, "--results", folder, "--output", tmp_path], "cannot be written"),
        (["report", path, "--results", folder, "--learner", "densnet"], "densenet"),
        (["report", path, "--format", "text"], "--format"),
    ):
        code, _, err = status(*arguments)
        assert code == 2, arguments
        assert said in err
        assert err.count("\n") == 1


def test_without_plotly_one_line_says_what_to_install(finished, status, monkeypatch):
    path, folder = finished
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "plotly" else known(name))
    code, out, err = status("report", path, "--results", folder)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'hierbench[report]'" in err
