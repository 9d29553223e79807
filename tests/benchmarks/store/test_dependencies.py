"""What a learner's process had loaded besides its key is checked before its numbers are used again."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata

import damage
import pytest
from machinery import ROOT, plan_of, suite_file

from hierbench.benchmarks.commands import adoption, status
from hierbench.benchmarks.provenance.dependencies import change
from hierbench.benchmarks.results.readings import suite_rows
from hierbench.benchmarks.run.runner import missing
from hierbench.benchmarks.store.store import Store

NUMPY = importlib.metadata.version("numpy")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Suite, plan, weights file, and a store whose first unit depends on it and on numpy."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))
    path = suite_file(tmp_path, {"Mean": "", "FastMean": ""})
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    plan = plan_of(path)
    with Store.writable(tmp_path) as store:
        for unit in plan.units:
            store.commit(unit, damage.result_of(unit))
        store.commit(plan.curves[0], depending(plan.curves[0], weights))
    return path, plan, weights


def depending(unit, weights, numpy=NUMPY):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    dependencies = {"versions": {"numpy": numpy}, "files": {str(weights): digest}}
    return dataclasses.replace(damage.result_of(unit), dependencies=dependencies)


def test_what_is_as_it_was_is_used(lab, tmp_path):
    _, plan, _ = lab
    with Store.readable(tmp_path) as store:
        assert not missing(plan, store.done()) and not store.changed()
        assert not any(status.is_stale(u) for u in store.units())


@pytest.mark.parametrize("gone", [False, True])
def test_a_weights_file_that_changes_makes_its_unit_stale(lab, tmp_path, capsys, gone):
    path, plan, weights = lab
    unit = plan.curves[0]
    weights.unlink() if gone else weights.write_bytes(b"two")
    reason = f"{weights}, which it read, {'is not there any more' if gone else 'has changed'}"
    with Store.readable(tmp_path) as store:
        assert store.changed() == {unit.key: reason}
        assert [u.key for u in missing(plan, store.done())] == [unit.key]
        assert {r.unit for r in suite_rows(plan, store)} == {plan.curves[1].key}
        assert [u.key for u in store.units() if status.is_stale(u)] == [unit.key]
        assert len(store.rows()) == 16, "stale rows are kept until the unit is computed again"
        adoption.write_current(store, tmp_path / "current.json")
    assert unit.key not in adoption.read_current(tmp_path / "current.json")
    status.show_status(path, tmp_path)
    shown = capsys.readouterr().out
    assert f"{unit.cell()}: 1 stale" in shown and f"stale: stub: {unit.title()}: {reason}" in shown


def test_a_file_that_changes_between_two_units_is_seen_in_one_store(lab, tmp_path):
    _, plan, weights = lab
    with Store.writable(tmp_path) as store:
        assert plan.curves[0].key in store.done()
        weights.write_bytes(b"something else")
        store.commit(plan.curves[1], depending(plan.curves[1], weights))
        assert plan.curves[1].key in store.done()
        store.commit(plan.curves[0], depending(plan.curves[0], weights))
        assert not store.changed()


def test_an_update_of_what_a_learner_imports_makes_its_unit_stale(lab, tmp_path):
    _, plan, weights = lab
    unit = plan.curves[0]
    with Store.writable(tmp_path) as store:
        store.commit(unit, depending(unit, weights, numpy="1.0"))
        assert store.changed() == {unit.key: f"numpy 1.0 was loaded, installed is {NUMPY}"}
        assert [u.key for u in missing(plan, store.done())] == [unit.key]


def test_changes_in_words(tmp_path):
    assert change({}) == change({"versions": {"numpy": NUMPY}, "files": {}}) == ""
    assert change({"versions": {"no-such-thing": "2"}}) == (
        "no-such-thing 2 was loaded, it is no longer installed"
    )
    assert "has changed" not in change({"files": {str(tmp_path): "0"}})
