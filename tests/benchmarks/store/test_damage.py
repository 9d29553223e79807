"""A store that is damaged says so, shows no changed number, and is computed again where it is."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3

import damage
import pytest
from machinery import ROOT, plan_of

from hierbench.benchmarks.results import stages
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.run.runner import missing
from hierbench.benchmarks.store import integrity
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Suite and store, undamaged."""
    return damage.whole_store(tmp_path_factory.mktemp("whole"), d=(4,))


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copy(whole[1], tmp_path / NAME)
    return tmp_path / NAME


def test_a_whole_store_has_no_damage(whole, copy, capsys):
    assert damages(copy) == damages(copy.parent) == []
    with Store.readable(copy.parent) as store:
        assert not missing(plan_of(whole[0]), store.done()) and not store.damages()
    assert capsys.readouterr().err == ""


FAST = (
    "a bit flipped anywhere in the file",
    "a bit flipped in a stored error",
    "a bit flipped in a stored text",
    "rows deleted, their unit kept",
    "a unit deleted, its rows kept",
    "a unit deleted with all that belongs to it",
    "the file cut short",
    "rows of two units exchanged",
    "a value of a wrong type",
    "text that is no UTF-8",
)


@pytest.mark.parametrize("kind", FAST)
def test_damage_is_named_left_out_and_mended(whole, copy, kind, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))  # the suite's learners
    damage.KINDS[kind][0](copy, random.Random(kind))
    seen = damage.see(whole[0], copy, whole[1], commands=("status",))
    assert seen.is_held(), seen


@pytest.mark.slow
def test_campaign(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))
    seen = damage.campaign(115, tmp_path, seed=1)
    print(damage.table(seen))
    assert [(kind, one) for kind, one in seen if not one.is_held()] == []
    assert sum(one.changed for _, one in seen) >= 80


def test_a_flipped_error_is_no_result_and_its_unit_is_named(whole, copy, capsys):
    plan = plan_of(whole[0])
    unit = plan.curves[0]
    damage.sql(copy, "UPDATE rows SET error = error * 1.0001 WHERE unit = ?", unit.key)
    with Store.readable(copy.parent) as store:
        assert unit.key not in store.done() and [u.key for u in missing(plan, store.done())] == [unit.key]
        assert store.rows([unit.key]) == [] and {r.unit for r in store.rows()} == {
            u.key for u in plan.curves[1:]
        }
        shown = SuiteResults.read(load_suite(whole[0]), store)
    assert shown.missing == {(unit.learner, unit.target, unit.d): 1}
    assert f"damaged: stub: {unit.title()}: does not have its checksum" in capsys.readouterr().err


def test_half_a_curve_asks_for_no_stage_and_is_filled_again(whole, copy, capsys):
    plan = plan_of(whole[0])
    unit = plan.curves[0]
    damage.sql(copy, "DELETE FROM rows WHERE key = ?", damage.result_of(unit).rows[0].key)
    with Store.writable(copy.parent) as store:
        assert unit.key not in store.done()
        assert f"{unit.title()}: has 7 rows of 8" in capsys.readouterr().err
        assert stages.resolved(plan, store).curves == plan.curves
        store.commit(unit, damage.result_of(unit))
        assert unit.key in store.done() and len(store.rows([unit.key])) == 8
    assert damages(copy) == []


def test_a_unit_that_is_gone_is_missed_until_the_next_commit(whole, copy):
    unit = plan_of(whole[0]).certificates[0]
    damage.sql(copy, "DELETE FROM certificates WHERE key = ?", unit.key)
    damage.sql(copy, "DELETE FROM units WHERE key = ?", unit.key)
    assert damages(copy) == ["1 units that were stored are not there"]
    with Store.writable(copy.parent) as store:
        store.commit(unit, damage.result_of(unit))
    assert damages(copy) == []


def test_pages_that_cannot_be_read_cost_only_the_units_on_them(whole, copy, capsys):
    connection = sqlite3.connect(copy)
    page, *_ = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'traces'").fetchone()
    connection.close()
    damage.bytes_changed(copy, lambda content: content.__setitem__(
        slice(4096 * (page - 1), 4096 * page), bytes(4096)))  # fmt: skip
    plan = plan_of(whole[0])
    damaged = copy.read_bytes()
    with Store.writable(copy.parent) as store:
        assert [u.key for u in missing(plan, store.done())] != []
        for unit in missing(plan, store.done()):
            store.commit(unit, damage.result_of(unit))
        assert len(store.rows()) == 8 * len(plan.curves)
    assert "cannot be read" in capsys.readouterr().err
    (kept,) = copy.parent.glob(f"{NAME}.damaged-*")
    assert kept.read_bytes() == damaged, "nothing is deleted"
    assert damages(copy) == []


def test_what_no_plan_asks_for_is_pruned(whole, copy):
    damage.sql(copy, "UPDATE units SET key = 'of nobody' WHERE rowid = 1")
    damage.sql(copy, "UPDATE rows SET unit = 'stranger' WHERE rowid = 1")
    with Store.writable(copy.parent) as store:
        assert {"of nobody", "stranger"} < set(store.damages())
        store.prune(list(store.damages()))
    assert damages(copy) == []


def test_doctor_sees_what_was_written_wrong_with_its_checksum(whole, copy):
    unit = plan_of(whole[0]).curves[0]
    damage.sql(copy, "UPDATE rows SET health = '[1]' WHERE unit = ?", unit.key)
    with Store.writable(copy.parent) as store:
        integrity.seal(store.connection, [unit.key])
    assert damages(copy) == [f"stub: {unit.title()}: rows.health is not as it should be"]


def test_what_is_read_by_an_index_is_what_was_verified(whole, copy, capsys):
    """The index names a unit for a row that the row itself does not: nothing changed is shown."""
    schema = "SELECT rootpage, sql FROM sqlite_master WHERE name = 'rows_unit'"
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        index = connection.execute(schema).fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'rows_unit'")
    damage.sql(copy, "UPDATE rows SET unit = 'elsewhere' WHERE rowid = 1")
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES ('index', 'rows_unit', 'rows', ?, ?)", index)
    assert any("rows_unit" in line for line in damages(copy))
    with Store.readable(whole[1].parent) as store:
        stored = {r.key: r for r in store.rows()}
    with Store.readable(copy.parent) as store:
        assert len(store.damages()) == 1
        assert all(stored[r.key] == r for r in store.rows())


def test_the_campaign_fails_without_checksums(whole, copy, monkeypatch):
    """Planted: every unit has the checksum that it says."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))
    monkeypatch.setattr(integrity.Content, "checksum", lambda self: self.record[-2])
    damage.bit_of_an_error(copy, random.Random(0))
    seen = damage.see(whole[0], copy, whole[1], commands=())
    assert seen.wrong_rows == 1 and not seen.named and not seen.is_held()


def as_schema_4(file):
    for column in ("row_count", "checksum", "dependencies"):
        damage.sql(file, f"ALTER TABLE units DROP COLUMN {column}")
    damage.sql(file, "DELETE FROM meta WHERE name = 'units'")
    damage.sql(file, "UPDATE meta SET value = '4' WHERE name = 'schema'")
    damage.sql(file, "PRAGMA user_version = 0")


def test_an_earlier_store_is_sealed_but_for_what_can_be_seen_to_be_damaged(whole, copy, capsys):
    short, json, whole_one, *_ = plan_of(whole[0]).curves
    as_schema_4(copy)
    assert damages(copy) == []
    damage.sql(copy, "DELETE FROM rows WHERE key = ?", damage.result_of(short).rows[0].key)
    damage.sql(copy, "UPDATE rows SET versions = '{' WHERE key = ?", damage.result_of(json).rows[0].key)
    assert len(damages(copy)) == 2
    for opener in (Store.readable, Store.writable, Store.readable):
        with opener(copy.parent) as store:
            assert set(store.damages()) == {short.key, json.key}
            assert {r.unit for r in store.rows([short.key, json.key, whole_one.key])} == {whole_one.key}
    assert "does not have its checksum (rows.versions)" in capsys.readouterr().err


def test_no_store_to_examine(tmp_path):
    with pytest.raises(UserError, match="no store at"):
        damages(tmp_path)
    (tmp_path / NAME).write_bytes(b"text " * 2000)
    assert "no hierbench store" in damages(tmp_path)[0]
