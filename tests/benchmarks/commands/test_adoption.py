"""Units keep their numbers when code moves: written down as current, adopted under other keys."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from machinery import plan_of, suite_file

from hierbench.benchmarks import cli
from hierbench.benchmarks.commands import adoption, status
from hierbench.benchmarks.provenance import fingerprint as fp
from hierbench.benchmarks.provenance import modules
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import CURVE_CODE, key_of
from hierbench.benchmarks.units.unit import Result, Trace
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS


@pytest.fixture
def plan(tmp_path):
    return plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))


@pytest.fixture
def results(tmp_path, plan):
    """A folder with the store of a finished suite, and the list of its current units."""
    with Store.writable(tmp_path / "results") as store:
        for unit in plan.curves:
            rows = unit.without_numbers("ok", "").rows
            rows = tuple(dataclasses.replace(r, error=0.01 * i) for i, r in enumerate(rows))
            trace = Trace(
                rows[0].key, unit.key, unit.learner, unit.target, unit.d, 0, 0, 0, rows[0].n, 5, 0.5
            )
            store.commit(unit, Result("done", rows=rows, traces=(trace,), seconds=1.0))
        certificate = plan.certificates[0]
        store.commit(certificate, Result("done", certificate={"variance": 1.0}))
    status.record_current(tmp_path / "results", tmp_path / "current.json")
    return tmp_path / "results"


@pytest.fixture
def moved(monkeypatch):
    """Code that makes the same numbers has another fingerprint, as after a move."""

    def move(module: str = CURVE_CODE) -> None:
        changed = modules.source_of(module)
        read = fp.without_docstrings
        monkeypatch.setattr(fp, "without_docstrings", lambda path: read(path) + "x" * (path == changed))
        fp.fingerprint.cache_clear()

    yield move
    monkeypatch.undo()
    fp.fingerprint.cache_clear()


def held(results: Path):
    with Store.readable(results) as store:
        return store.units(), store.rows(), store.traces(), store.certificates(), store.adoptions()


def numbers(rows):
    """Rows without what says under which code they are known."""
    return sorted((r.learner, r.replicate, r.n, r.error, json.dumps(r.versions)) for r in rows)


def stale(results: Path) -> int:
    return sum(status.is_stale(u) for u in held(results)[0])


def adopt(results: Path, monkeypatch, gate: int = 0, **options) -> int:
    monkeypatch.setattr(status, "regress", lambda *_, **__: gate)
    options = {"path": results.parent / "current.json", "reason": "files moved", "wait": False} | options
    return status.adopt_current(results, **options)


def test_current_units_are_adopted_with_all_that_belongs_to_them(results, plan, moved, monkeypatch, capsys):
    units, rows, traces, certificates, none = held(results)
    assert not none and stale(results) == 0
    moved()
    assert stale(results) == len(plan.curves)  # certificates do not depend on that module
    assert adopt(results, monkeypatch) == 0
    assert stale(results) == 0
    new_units, new_rows, new_traces, new_certificates, adoptions = held(results)
    assert [(u.title, u.finished, u.axes) for u in new_units] == [
        (u.title, u.finished, u.axes) for u in units
    ]
    assert numbers(new_rows) == numbers(rows) and new_certificates == certificates
    assert {r.unit for r in new_rows} == {u.key for u in plan_of(str(results.parent / "stub.toml")).curves}
    keys = {(r.unit, r.key) for r in new_rows}
    assert len(new_traces) == len(traces) and all((t.unit, t.key) in keys for t in new_traces)
    assert {a[3] for a in adoptions} == {"files moved"} and len(adoptions) == len(plan.curves)
    assert {a[1] for a in adoptions} == {u.key for u in plan.curves}
    assert {a[2] for a in adoptions} == {r.code for r in rows}
    assert f"{len(plan.curves)} units adopted" in capsys.readouterr().out
    assert damages(results) == [], "adopted units have checksums of their new keys"


def test_nothing_is_adopted_where_the_exact_tier_fails(results, moved, monkeypatch, capsys):
    moved()
    before = held(results)
    assert adopt(results, monkeypatch, gate=1) == 1
    assert held(results) == before
    assert "nothing is adopted" in capsys.readouterr().err


def test_rows_that_were_stale_before_stay_stale(results, plan, moved, monkeypatch):
    path = results.parent / "current.json"
    content = json.loads(path.read_text())
    one = plan.curves[0].key
    del content["units"][one]  # as if it had been stale when the list was written
    path.write_text(json.dumps(content))
    moved()
    adopt(results, monkeypatch)
    assert [u.key for u in held(results)[0] if status.is_stale(u)] == [one]


def test_a_stale_unit_is_not_listed(results, moved, tmp_path):
    moved()
    status.record_current(results, tmp_path / "later.json")
    listed = json.loads((tmp_path / "later.json").read_text())["units"]
    assert listed.keys() == {u.key for u in held(results)[0] if not status.is_stale(u)} != set()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("versions", {"python": "2.7"}, "other library versions"), ("outside", "0" * 32, "code has changed")],
)
def test_a_unit_of_other_versions_or_of_changed_foreign_code_is_left(
    results, plan, moved, monkeypatch, capsys, field, value, said
):
    path = results.parent / "current.json"
    content = json.loads(path.read_text())
    content["units"][plan.curves[0].key][field] = value
    path.write_text(json.dumps(content))
    moved()
    adopt(results, monkeypatch)
    assert stale(results) == 1 and f"1 units {said}" in capsys.readouterr().out.replace(
        "measured with ", ""
    ).replace("of a learner from elsewhere whose ", "")


def test_a_unit_computed_anew_is_not_replaced(results, moved, monkeypatch):
    moved()
    path = str(results.parent / "stub.toml")
    unit = plan_of(path).curves[0]
    with Store.writable(results) as store:
        store.commit(unit, unit.without_numbers("ok", ""))
    adopt(results, monkeypatch)
    with Store.readable(results) as store:
        assert {r.error for r in store.rows([unit.key])} == {None}


def test_an_adoption_that_breaks_off_changes_nothing(results, moved, monkeypatch):
    moved()
    before = held(results)
    whole = Store._adopt
    calls = []

    def breaks(self, one, reason):
        calls.append(one)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(self, one, reason)

    monkeypatch.setattr(Store, "_adopt", breaks)
    with pytest.raises(KeyboardInterrupt):
        adopt(results, monkeypatch)
    assert held(results) == before


def test_a_second_adoption_keeps_the_first_reason(results, plan, moved, monkeypatch, tmp_path):
    moved()
    adopt(results, monkeypatch)
    status.record_current(results, tmp_path / "current.json")
    moved("hierbench.benchmarks.units.metric")
    adopt(results, monkeypatch, reason="moved again")
    adoptions = held(results)[4]
    assert stale(results) == 0
    assert {(a[0], a[3]) for a in adoptions} == {
        (u.key, reason)
        for u in plan_of(str(results.parent / "stub.toml")).curves
        for reason in ("files moved", "moved again")
    }


@pytest.mark.parametrize("name", LEARNERS)
def test_axes_of_old_have_the_path_of_a_registered_learner(name):
    descriptor = LEARNERS[name]
    path = f"learners.where_it_was:{descriptor.path.partition(':')[2]}"
    axes = {"kind": "curves", "learner": {"path": path, "parameters": {"a": 1, **descriptor.parameters}}}
    expected = {"name": name, "parameters": {"a": 1, **descriptor.parameters}}
    assert adoption.known_by_name(axes) == {"kind": "curves", "learner": expected}


def test_axes_of_a_foreign_learner_keep_its_path():
    axes = {"learner": {"path": "mine:KernelRidgeRBF", "parameters": {}}}
    assert adoption.known_by_name(axes) == {"learner": {"name": "mine:KernelRidgeRBF", "parameters": {}}}
    assert adoption.known_by_name({"kind": "certificate"}) == {"kind": "certificate"}


def test_a_registered_learner_is_known_by_its_name_alone(monkeypatch):
    # Its module decides the fingerprint, and where that module lies decides nothing else.
    axes = {
        "kind": "curves",
        "learner": {"name": "krr_rbf", "parameters": {}},
        "target": {"family": "squares", "parameters": {}},
    }
    key, code, _ = key_of(axes)
    assert fp.digest([axes, code, key_of(axes)[2]]) == key and "learners." not in json.dumps(axes)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 9, "units": {}}', '{"format": 1, "units": {"k": 1}}']
)
def test_a_file_that_lists_no_units_is_refused(results, monkeypatch, text):
    (results.parent / "current.json").write_text(text)
    with pytest.raises(UserError, match=r"does not list current units: hierbench status --current"):
        adopt(results, monkeypatch)


def test_bad_calls_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments, said in (
        (["--adopt", "x"], '--adopt needs --reason "..."'),
        (["--adopt", "x", "--reason", "r"], "x cannot be read"),
        (["--reason", "r"], "--reason goes with --adopt"),
        (["--adopt", "x", "--prune"], "three calls: give one of them"),
        (["--current", "x"], "no results in"),
    ):
        with pytest.raises(SystemExit) as end:
            cli.main(["status", "--results", str(tmp_path / "none"), *arguments])
        err = capsys.readouterr().err
        assert end.value.code == 2 and said in err and err.count("\n") == 1
