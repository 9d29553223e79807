"""Figures that would come out the same are not drawn again, all others are."""

import dataclasses

import pytest
from synthetic_rows import suite

from hierbench.benchmarks.results.beside import shipped
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show import draw, drawn, table
from hierbench.benchmarks.show.console import make_console
from hierbench.benchmarks.suites.suite_file import load_suite


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "n_star").mkdir()
    for name in ("a.png", "n_star/b.pdf"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_figures_stand_as_long_as_their_state_and_their_bytes_do(folder):
    paths = [folder / "a.png", folder / "n_star" / "b.pdf"]
    assert drawn.unchanged(folder, "s") == []
    drawn.keep(folder, "s", paths)
    assert drawn.unchanged(folder, "s") == paths
    assert drawn.unchanged(folder, "other") == []
    paths[0].write_text("changed")
    assert drawn.unchanged(folder, "s") == []
    paths[0].unlink()
    assert drawn.unchanged(folder, "s") == []


def test_a_figure_that_somebody_deleted_keeps_no_other_that_is_no_more(folder):
    paths = [folder / "a.png", folder / "n_star" / "b.pdf"]
    drawn.keep(folder, "s", paths)
    paths[0].unlink()
    drawn.keep(folder, "later", [])
    assert not paths[1].exists()


def test_figures_of_results_that_ship_name_no_store():
    suite_of_them = load_suite("default")
    found = shipped(suite_of_them)
    assert draw.source_of(found).startswith("results that ship, suite default by hierbench")
    assert draw.source_of(dataclasses.replace(found, shipped="")) == "store hierbench.sqlite"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "s"}', '{"state": "s", "files": 3}', "\xff"])
def test_a_damaged_note_is_none(folder, text):
    (folder / drawn.NAME).write_text(text, encoding="latin-1")
    assert drawn.unchanged(folder, "s") == []


def test_the_state_is_that_of_data_code_and_versions(monkeypatch):
    assert drawn.state_of([1, 2]) == drawn.state_of([1, 2]) != drawn.state_of([1, 3])
    before = drawn.state_of(1)
    monkeypatch.setattr(drawn, "_CODE", drawn._CODE[1:])
    assert drawn.state_of(1) != before
    monkeypatch.undo()
    monkeypatch.setattr(drawn.importlib.metadata, "version", lambda name: "0")
    assert drawn.state_of(1) != before


def test_a_second_drawing_of_the_same_rows_draws_nothing(tmp_path, monkeypatch):
    rows, certificates = suite()
    shown, smoke, calls = SuiteResults(rows, certificates), load_suite("smoke"), []
    path = tmp_path / "figures" / "smoke" / "one.png"

    def write(*arguments):
        calls.append(arguments)
        path.write_text("a picture")
        return [path]

    monkeypatch.setattr(draw, "write_curve_figures", write)
    said = []
    assert draw.draw_figures(smoke, shown, tmp_path, said.append) == [path]
    assert draw.draw_figures(smoke, shown, tmp_path, said.append) == [path]
    assert len(calls) == 1 and said == ["drawing the figures of smoke"]
    draw.draw_figures(smoke, SuiteResults(rows[:-1], certificates), tmp_path)
    assert len(calls) == 2


def test_a_table_of_the_same_rows_is_not_made_again(tmp_path, monkeypatch, capsys):
    rows, certificates = suite()
    rows = [r for r in rows if r.learner == "krr_rbf" and r.target == "squares-L2" and r.d < 11]
    smoke, kept, calls = load_suite("smoke"), tmp_path / "tables" / "smoke.json", []
    make = table.print_table
    monkeypatch.setattr(table, "print_table", lambda *given: calls.append(given) or make(*given))

    def shown(rows, **size):
        console = make_console()
        for name, value in size.items():
            setattr(console, name, value)
        table.show_table(smoke, rows, certificates, console, kept)
        return capsys.readouterr().out

    first = shown(rows)
    assert "n*" in first and shown(rows) == first and len(calls) == 1
    assert shown(rows[:-1]) != first and shown(rows, width=70) and len(calls) == 3
    assert shown(rows, no_color=True) == first and len(calls) == 4
    for damaged in (b"", b"{}", b"[1]", b"\xff"):
        kept.write_bytes(damaged)
        assert shown(rows) == first
    assert len(calls) == 8
    kept.unlink()
    kept.mkdir()  # no table can be kept here
    assert shown(rows) == first
