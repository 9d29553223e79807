"""Results that ship, and other learners' rows beside one's own."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest
from synthetic_rows import suite

from hierbench.benchmarks.results import beside as beside_module
from hierbench.benchmarks.results import reference
from hierbench.benchmarks.results.beside import beside, evidence_of
from hierbench.benchmarks.results.reference import Reference, packed, unpacked
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import UserError

SQUARES = {"family": "squares", "parameters": {"depth": 2, "width": 3, "alpha": 0.5, "rho": 0.5}}


def rows_of(target="squares-L2", spec=SQUARES, **other):
    rows, certificates = suite()
    chosen = [
        dataclasses.replace(r, target_spec=spec, learner_spec={"name": r.learner, "parameters": {}}, **other)
        for r in rows
        if r.target == target
    ]
    return chosen, {k: c for k, c in certificates.items() if k[0] == target}


def test_results_come_back_as_they_were_packed():
    rows, certificates = rows_of()
    found = SuiteResults(
        rows=rows[1:],
        certificates=certificates,
        fixed=rows[:1],
        missing={("net", "squares-L3", 8): 3, ("net", "squares-L3", 12): 1},
        measurements={"trace": [Measurement({"alpha": 0.5}, {"angle": [0.1, 0.2], "floor": None})]},
        missing_experiments={"floors": 2},
    )
    data = packed("default", found, "1.2")
    assert data == packed("default", dataclasses.replace(found, rows=list(rows[1:])), "1.2"), "the same bytes"
    shipped = unpacked(data)
    assert list(shipped.rows) == [*rows[1:], rows[0]] and shipped.certificates == certificates
    assert shipped.header["rows"] == len(rows) and "hierbench 1.2" in shipped.sentence()
    assert shipped.missing == found.missing and shipped.measurements == found.measurements
    assert shipped.missing_experiments == found.missing_experiments


def test_a_file_that_knows_no_d_of_missing_units_is_read():
    rows, certificates = rows_of()
    content = json.loads(gzip.decompress(packed("default", SuiteResults(rows, certificates), "1")))
    content["header"] |= {"format": 1, "missing": [["net", "squares-L3", 3]]}
    assert unpacked(gzip.compress(json.dumps(content).encode())).missing == {("net", "squares-L3", None): 3}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        gzip.compress(b"a" * 99)[:-9] + b"x" * 9,
        b"no gzip",
        gzip.compress(b"no json"),
        gzip.compress(b"{}"),
        *(
            gzip.compress(json.dumps({"columns": {}, "mappings": [], "certificates": []} | content).encode())
            for content in (
                {"header": {"format": 99, "suite": "s"}},
                {"header": {"format": 1}},
                {"header": {"format": 1, "suite": 3}},
                {"header": {"format": 1, "suite": "s"}, "columns": []},
            )
        ),
    ],
    ids=[
        *("empty", "damaged", "no gzip", "no json", "no header"),
        *("a later format", "no suite", "a suite that is no name", "columns that are none"),
    ],
)
def test_what_is_no_reference_is_one_line(data):
    with pytest.raises(UserError, match="reference results") as error:
        unpacked(data)
    assert "\n" not in str(error.value)


def test_nothing_is_packed_of_nothing():
    with pytest.raises(UserError, match="hierbench run default"):
        packed("default", SuiteResults(rows=[], certificates={}), "1.2")


def test_what_ships_is_small_and_has_every_learner_of_its_suite():
    shipped = reference.read()
    assert {r.learner for r in shipped.rows} == {e.label for e in load_suite("default").learners}
    assert len({json.dumps(r.machine) for r in shipped.rows}) == 1
    files = [f for f in reference.folder().iterdir() if f.name.endswith(reference.SUFFIX)]
    assert sum(len(f.read_bytes()) for f in files) < 5_000_000
    with pytest.raises(UserError, match=r"of these do: .*default"):
        reference.read("nothing")


def test_reference_stands_where_a_folder_of_results_may_stand(tmp_path, monkeypatch, status):
    monkeypatch.chdir(tmp_path)
    found = evidence_of(load_suite("default"), Path("reference"))
    assert {r.suite for r in found.rows} == {"default"} and not found.reference and found.plan is not None
    assert found.optimizers["densenet"] == "Adam"
    few = [r for r in found.rows if (r.learner, r.target) == ("densenet", "squares-L2")]
    less = unpacked(packed("default", SuiteResults(few, found.certificates), "1.2"))
    with monkeypatch.context() as patch:  # of all rows there are a hundred exponents
        patch.setattr(beside_module, "read", {"default": less}.__getitem__)
        code, out, _ = status("table", "default", "--results", "reference", "--format", "csv")
        assert code == 0 and "densenet" in out
        one = ("table", "default", "--results", "reference", "--error", "eps_top = 0.3")
        code, out, _ = status(*one, "--target", "squares-L2")
        assert code == 0 and "eps_top = 0.3 (asks for degree 4)" in out and "eps_rel" not in out
        code, _, err = status(*one[:-1], "eps_top=0.31")
        assert code == 2 and "unknown error of the suite 'eps_top=0.31': did you mean 'eps_top=0.3'?" in err
        code, _, err = status(*one, "--target", "squares-L4")
        assert code == 2 and "unknown target of the suite 'squares-L4'" in err and err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["results"], "what is kept goes where results go"
    with pytest.raises(UserError, match="no reference results of suite 'smoke' ship"):
        evidence_of(load_suite("smoke"), Path("reference"))
    with pytest.raises(UserError, match="no results in"):
        evidence_of(load_suite("default"), Path("elsewhere"))


def test_only_the_same_targets_and_d_stand_beside_own_rows():
    quick = load_suite("quick")
    rows, certificates = rows_of()
    others, _ = rows_of("squares-L3", {"family": "squares", "parameters": {"depth": 3}})
    shipped = Reference((*rows, *others), certificates, {"suite": "s", "version": "1", "machine": {}})
    both = beside(SuiteResults(rows=[], certificates={}), quick, shipped)
    assert {(r.target, r.d) for r in both.rows} == {("squares-L2", 8)}, "of d = 6 and 8 these rows have 8"
    assert {r.suite for r in both.rows} == {reference.NAME}
    assert set(both.certificates) == {k for k in certificates if k[1] == 8}
    assert both.reference == {r.learner for r in rows} and "suite s" in both.reference_source


def test_what_the_reference_has_is_not_missing():
    quick = load_suite("quick")
    rows, certificates = rows_of()
    shipped = Reference(tuple(rows), certificates, {"suite": "s", "version": "1", "machine": {}})
    cells = {("densenet", "squares-L2", 8): 2, ("densenet", "squares-L2", 6): 1, ("mine", "squares-L2", 8): 1}
    both = beside(SuiteResults(rows=[], certificates={}, missing=cells), quick, shipped)
    assert set(both.missing) == {("densenet", "squares-L2", 6), ("mine", "squares-L2", 8)}


def test_a_target_is_known_by_what_it_is_and_not_by_its_label():
    rows, certificates = rows_of()
    renamed = [dataclasses.replace(r, target="another name") for r in rows]
    relabelled = {("another name", d, i): c for (_, d, i), c in certificates.items()}
    shipped = Reference(tuple(renamed), relabelled, {"suite": "s", "version": "1", "machine": {}})
    both = beside(SuiteResults(rows=[], certificates={}), load_suite("quick"), shipped)
    assert {r.target for r in both.rows} == {"squares-L2"} == {target for target, _, _ in both.certificates}


def test_of_a_learner_with_rows_of_its_own_nothing_is_added():
    rows, certificates = rows_of()
    own = [r for r in rows if r.learner == "ntk" and r.d == 8]
    shipped = Reference(tuple(rows), certificates, {"suite": "s", "version": "1", "machine": {}})
    both = beside(SuiteResults(rows=own, certificates={}), load_suite("quick"), shipped)
    assert [r for r in both.rows if r.learner == "ntk"] == own
    assert "ntk" not in both.reference and "densenet" in both.reference


def test_another_learner_of_the_same_label_is_told_apart():
    rows, certificates = rows_of()
    own = [
        dataclasses.replace(r, learner_spec={"name": "mine:ntk", "parameters": {}})
        for r in rows
        if r.learner == "ntk" and r.d == 8
    ]
    shipped = Reference(tuple(rows), certificates, {"suite": "s", "version": "1", "machine": {}})
    both = beside(SuiteResults(rows=own, certificates={}), load_suite("quick"), shipped)
    assert [r for r in both.rows if r.learner == "ntk"] == own
    assert len([r for r in both.rows if r.learner == "ntk (reference)"]) == len(own)
    assert "ntk (reference)" in both.reference


def test_reference_results_are_shown_where_nothing_was_run(tmp_path):
    shown = evidence_of(load_suite("quick"), tmp_path, "default")
    assert {r.target for r in shown.rows} == {"squares-L2", "projected-L2"}
    assert shown.reference == {r.learner for r in shown.rows} and len(shown.reference) > 5
    with pytest.raises(UserError, match="no results in"):
        evidence_of(load_suite("quick"), tmp_path)
    with pytest.raises(UserError, match="no rows of suite smoke"):
        evidence_of(load_suite("smoke"), tmp_path, "default")


@pytest.mark.slow
def test_cheap_cells_of_the_reference_come_out_again(tmp_path):
    from machinery import hierbench, stored

    arguments = ("--learner", "krr_polynomial", "--learner", "krr_rbf", "--d", "6", "--target", "squares-L2")
    hierbench("run", "default", *arguments, "--no-figures", "--results", tmp_path)
    fresh = {(r.learner, r.target_index, r.n): r.error for r in stored(tmp_path)}
    shipped = {
        (r.learner, r.target_index, r.n): r.error
        for r in reference.read().rows
        if (r.target, r.d) == ("squares-L2", 6) and r.learner in ("krr_polynomial", "krr_rbf")
    }
    assert fresh.keys() == shipped.keys() and len(fresh) > 20
    assert fresh == pytest.approx(shipped, rel=1e-5, abs=1e-9)
