"""The store: whole units or nothing, one writer, plain errors."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from machinery import environment, plan_of, suite_file

from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import Result, Trace
from hierbench.errors import UserError


@pytest.fixture
def plan(tmp_path):
    return plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))


def finished(unit, error=0.5):
    rows = unit.without_numbers("ok", "").rows
    rows = tuple(
        dataclasses.replace(r, error=error, health={"loss": 0.1}, hyperparameters={"a": [1, "x"]})
        for r in rows
    )
    trace = Trace(rows[0].key, unit.key, unit.learner, unit.target, unit.d, 0, 0, 0, rows[0].n, 5, None)
    return Result("done", rows=rows, traces=(trace,), seconds=1.0)


def test_rows_come_back_as_they_went_in(tmp_path, plan):
    unit = plan.curves[0]
    result = finished(unit)
    with Store.writable(tmp_path) as store:
        store.commit(unit, result)
    with Store.readable(tmp_path) as store:
        assert sorted(store.rows(), key=lambda r: r.key) == sorted(result.rows, key=lambda r: r.key)
        assert store.traces([unit.key]) == list(result.traces)
        assert store.rows(["no such unit"]) == []
        (record,) = store.units()
        assert record.axes == json.loads(json.dumps(unit.axes)) and record.status == "done"


def test_numbers_of_numpy_are_numbers(tmp_path, plan):
    unit = plan.curves[0]
    rows = finished(unit).rows
    given = [dataclasses.replace(r, steps=np.int64(7), flops=np.float32(2.5)) for r in rows]
    with Store.writable(tmp_path) as store:
        store.commit(unit, Result("done", rows=tuple(given)))
        assert {(r.steps, r.flops) for r in store.rows()} == {(7, 2.5)}


def test_columns_are_the_fields_of_a_row(tmp_path):
    with Store.writable(tmp_path) as store:
        types = {c[1]: c[2] for c in store.connection.execute("PRAGMA table_info(rows)")}
    assert list(types) == [f.name for f in dataclasses.fields(Row)]
    numbers = {"d": "INTEGER", "steps": "INTEGER", "error": "REAL", "flops": "REAL"}
    assert types | numbers == types
    assert {types[name] for name in ("status", "learner_spec", "hyperparameters", "machine")} == {"TEXT"}


def test_write_ahead_mode(tmp_path):
    with Store.writable(tmp_path) as store:
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_attempt_replaces_the_first(tmp_path, plan):
    unit = plan.curves[0]
    with Store.writable(tmp_path) as store:
        store.commit(unit, unit.without_numbers("timeout", "too slow"))
        assert {r.status for r in store.rows()} == {"timeout"}
        store.commit(unit, finished(unit))
        assert {r.status for r in store.rows()} == {"ok"}
        assert len(store.units()) == 1


def test_a_unit_is_committed_whole_or_not_at_all(tmp_path, plan):
    unit = plan.curves[0]
    result = finished(unit)
    twice = dataclasses.replace(result, rows=(*result.rows, result.rows[0]))
    with Store.writable(tmp_path) as store:
        store.commit(unit, unit.without_numbers("failed", "first"))
        with pytest.raises(sqlite3.IntegrityError):
            store.commit(unit, twice)
        assert {r.reason for r in store.rows()} == {"first"}
        assert store.statuses() == {unit.key: "failed"}


def test_readers_read_while_a_writer_writes(tmp_path, plan):
    with Store.writable(tmp_path) as store:
        store.commit(plan.curves[0], finished(plan.curves[0]))
        store.connection.execute("BEGIN IMMEDIATE")
        with Store.readable(tmp_path) as reader:
            assert len(reader.units()) == 1
        store.connection.execute("ROLLBACK")


def test_prune_takes_rows_and_traces_along(tmp_path, plan):
    with Store.writable(tmp_path) as store:
        for unit in plan.curves:
            store.commit(unit, finished(unit))
        store.prune([plan.curves[0].key])
        assert {r.unit for r in store.rows()} == {plan.curves[1].key} == {t.unit for t in store.traces()}


def test_certificates_come_back(tmp_path, plan):
    unit = plan.certificates[0]
    with Store.writable(tmp_path) as store:
        store.commit(unit, Result("done", certificate={"degree": 4}))
        (found,) = store.certificates()
    assert (found["target"], found["d"], found["target_index"]) == ("sq", 4, 0)
    assert found["certificate"] == {"degree": 4}


@pytest.mark.parametrize("opener", [Store.writable, Store.readable])
def test_a_file_that_is_no_store(tmp_path, opener):
    (tmp_path / NAME).write_text("this is a text, and a long one at that" * 10)
    with pytest.raises(UserError, match="no hierbench store"):
        opener(tmp_path)
    assert (tmp_path / NAME).read_text().startswith("this")


@pytest.mark.parametrize("opener", [Store.writable, Store.readable])
def test_somebody_elses_database(tmp_path, opener):
    connection = sqlite3.connect(tmp_path / NAME)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(UserError, match="no hierbench store"):
        opener(tmp_path)


@pytest.mark.parametrize("opener", [Store.writable, Store.readable])
def test_a_newer_schema(tmp_path, opener):
    with Store.writable(tmp_path) as store:
        store.connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        store.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match=r"newer hierbench \(schema 99"):
        opener(tmp_path)


def test_no_store_yet(tmp_path):
    with pytest.raises(UserError, match="hierbench run SUITE makes them"):
        Store.readable(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "results"
    with pytest.raises(UserError, match="cannot be written"):
        Store.writable(folder)
    with pytest.raises(UserError, match="cannot be written"), lock.writer(folder, False, print):
        pass


HOLD = (
    "import sys\nfrom pathlib import Path\nfrom hierbench.benchmarks.store import lock\n"
    "with lock.writer(Path(sys.argv[1]), False, print):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def other_writer(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.stdin.close()
    process.wait()
    process.stdout.close()


def test_a_second_writer_refuses_and_says_who_writes(tmp_path, other_writer):
    with (
        pytest.raises(UserError, match=rf"process {other_writer.pid} \(-c .*\) since 20"),
        lock.writer(tmp_path, False, print),
    ):
        pass


def test_a_second_writer_waits(tmp_path, other_writer):
    said = []
    threading.Timer(0.3, other_writer.stdin.close).start()
    with lock.writer(tmp_path, True, said.append):
        assert lock.holder(tmp_path) != "another process"
    other_writer.wait()
    assert len(said) == 1 and f"process {other_writer.pid}" in said[0]


def test_the_lock_of_a_killed_writer_is_free(tmp_path, other_writer):
    other_writer.kill()
    other_writer.wait()
    with lock.writer(tmp_path, False, print):
        pass


def test_a_store_of_schema_1_is_brought_up_to_date_and_keeps_its_rows(tmp_path, plan):
    unit = plan.curves[0]
    with Store.writable(tmp_path) as store:
        store.commit(unit, finished(unit))
        before = store.rows(), store.traces()
        for table, new, old in (
            ("rows", "error", "mse"),
            ("rows", "error_se", "mse_se"),
            ("rows", "train_error", "train_mse"),
            ("traces", "error", "mse"),
        ):
            store.connection.execute(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
        store.connection.execute("ALTER TABLE rows DROP COLUMN metric")
        store.connection.execute("DROP TABLE experiments")
        store.connection.execute("DROP TABLE measurements")
        store.connection.execute("DROP TABLE adoptions")
        for column in ("row_count", "checksum", "dependencies"):
            store.connection.execute(f"ALTER TABLE units DROP COLUMN {column}")
        store.connection.execute("DELETE FROM meta WHERE name = 'units'")
        store.connection.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
        store.connection.execute("PRAGMA user_version = 0")
    content = (tmp_path / NAME).read_bytes()
    with Store.readable(tmp_path) as store:
        assert (store.rows(), store.traces()) == before
    assert (tmp_path / NAME).read_bytes() == content, "who reads changes nothing"
    with Store.writable(tmp_path) as store:
        assert (store.rows(), store.traces()) == before
        assert {r.metric for r in store.rows()} == {"relative MSE"}
        store.commit(plan.curves[1], finished(plan.curves[1], 0.25))
    with Store.readable(tmp_path) as store:
        assert {r.error for r in store.rows()} == {0.5, 0.25}
