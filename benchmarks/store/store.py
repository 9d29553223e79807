"""The store: one SQLite file in write-ahead mode, one writer, any number of readers."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import numbers
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.units.experiment_unit import ExperimentResult, ExperimentUnit
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Metric, Row
from hierbench.benchmarks.units.unit import CertificateUnit, Result, Trace, Unit, UnitStatus, row_key
from hierbench.benchmarks.units.vocabulary import Axes, CertificateFields, TargetSpec
from hierbench.errors import UserError

SCHEMA = 4
NAME = "hierbench.sqlite"

_SQL_TYPES = {int: "INTEGER", float: "REAL"}


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or is_typeddict(annotation)


def _sql_type(annotation: Any) -> str:
    """Type of the column of a field: mappings are JSON, and whatever may be None is as it is otherwise."""
    if _is_mapping(annotation):
        return "TEXT"
    (kind,) = set(get_args(annotation) or (annotation,)) - {NoneType}
    return _SQL_TYPES.get(kind, "TEXT")


def _columns(record: type) -> str:
    types = get_type_hints(record)
    return ", ".join(f"{f.name} {_sql_type(types[f.name])}" for f in dataclasses.fields(record))


_ROW_FIELDS = tuple(f.name for f in dataclasses.fields(Row))
_JSON_FIELDS = frozenset(name for name, annotation in get_type_hints(Row).items() if _is_mapping(annotation))

_FROM_1_TO_2 = f"""
ALTER TABLE rows RENAME COLUMN mse TO error;
ALTER TABLE rows RENAME COLUMN mse_se TO error_se;
ALTER TABLE rows RENAME COLUMN train_mse TO train_error;
ALTER TABLE rows ADD COLUMN metric TEXT DEFAULT '{Metric.RELATIVE_MSE}';
ALTER TABLE traces RENAME COLUMN mse TO error;
UPDATE meta SET value = '2' WHERE name = 'schema';
"""
"""Until schema 1 every error was a relative MSE."""

_EXPERIMENTS = """
CREATE TABLE experiments (
    key TEXT PRIMARY KEY, experiment TEXT, parameters TEXT, machine TEXT, code TEXT, versions TEXT
);
CREATE TABLE measurements (unit TEXT, number INTEGER, labels TEXT, vals TEXT, PRIMARY KEY (unit, number));
"""

_FROM_2_TO_3 = f"{_EXPERIMENTS} UPDATE meta SET value = '3' WHERE name = 'schema';"
"""Until schema 2 there were no experiments."""

_ADOPTIONS = """
CREATE TABLE adoptions (
    unit TEXT, earlier_key TEXT, earlier_code TEXT, reason TEXT, adopted TEXT, PRIMARY KEY (unit, earlier_key)
);
"""

_FROM_3_TO_4 = f"{_ADOPTIONS} UPDATE meta SET value = '4' WHERE name = 'schema';"
"""Until schema 3 a unit kept the key that it was computed under."""

_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE units (
    key TEXT PRIMARY KEY, axes TEXT, suite TEXT, title TEXT,
    status TEXT, reason TEXT, finished TEXT, seconds REAL
);
CREATE TABLE rows ({_columns(Row)}, PRIMARY KEY (key, machine));
CREATE INDEX rows_unit ON rows (unit);
CREATE TABLE traces ({_columns(Trace)});
CREATE INDEX traces_unit ON traces (unit);
CREATE TABLE certificates (
    key TEXT PRIMARY KEY, target TEXT, target_spec TEXT, d INTEGER, target_index INTEGER,
    certificate TEXT, code TEXT, versions TEXT
);
{_EXPERIMENTS}
{_ADOPTIONS}
INSERT INTO meta VALUES ('schema', '{SCHEMA}'), ('application', 'hierbench');
"""


@dataclasses.dataclass(frozen=True)
class UnitRecord:
    """What the store knows of a unit. ``status``: done, failed or timeout."""

    key: str
    axes: Axes
    suite: str
    title: str
    status: str
    reason: str
    finished: str
    seconds: float


class CertificateRecord(TypedDict):
    """What the store has of a certificate, which ``Certificate.from_json`` makes."""

    key: str
    target: str
    target_spec: TargetSpec
    d: int
    target_index: int
    certificate: CertificateFields


@dataclasses.dataclass(frozen=True)
class Adoption:
    """A unit that is known by another key and other axes from now on; its numbers stay."""

    earlier_key: str
    key: str
    axes: Axes
    code: str


class Store:
    """Results of one folder.

    A unit with all its rows is committed in one transaction, so that a reader, and the next run
    after a crash, sees it whole or not at all. Writers hold ``hierbench.benchmarks.store.lock.writer`` around
    it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    def writable(cls, folder: Path) -> Store:
        """Open, and create if missing; a store of an earlier schema is brought up to date.

        Raises
        ------
        UserError
            The folder cannot be written, the file is no store, or a newer version wrote it.
        """
        path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"results folder {folder} cannot be written: {error}") from error
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
            for earlier, script in ((1, _FROM_1_TO_2), (2, _FROM_2_TO_3), (3, _FROM_3_TO_4)):
                if _check(connection, path) == earlier:
                    connection.executescript(f"BEGIN; {script} COMMIT;")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            connection.close()
            raise _unusable(path, error) from error
        except UserError:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def readable(cls, folder: Path) -> Store:
        """Open for reading, beside a writer or not.

        Raises
        ------
        UserError
            There is no store, the file is no store, or a newer version wrote it.
        """
        path = folder / NAME
        if not path.is_file():
            raise UserError(f"no results in {folder}: hierbench run SUITE makes them")
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        try:
            if (schema := _check(connection, path)) < SCHEMA:
                raise UserError(
                    f"{path} was written by an older hierbench (schema {schema}, needed is {SCHEMA}): "
                    "hierbench run SUITE brings it up to date, and keeps what it holds"
                )
        except sqlite3.Error as error:
            connection.close()
            raise _unusable(path, error) from error
        except UserError:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(self, unit: Unit, result: Result) -> None:
        """Store a unit with everything it found, in place of what an earlier attempt left."""
        assert all(row.unit == unit.key for row in result.rows), "a row of another unit"
        connection = self.connection
        with self._transaction():
            self._delete([unit.key])
            _insert(connection, f"rows ({', '.join(_ROW_FIELDS)})", [_encoded(row) for row in result.rows])
            _insert(connection, "traces", [dataclasses.astuple(t) for t in result.traces])
            for table, records in _beside_rows(unit, result).items():
                _insert(connection, table, records)
            finished = time.strftime("%Y-%m-%d %H:%M:%S")
            record = (unit.key, _json(unit.axes), unit.suite, unit.title(), result.status, result.reason)
            _insert(connection, "units", [(*record, finished, result.seconds)])

    def prune(self, keys: Sequence[str]) -> None:
        """Delete units with their rows, traces and certificates."""
        with self._transaction():
            self._delete(keys)

    def adopt(self, adoptions: Sequence[Adoption], reason: str) -> None:
        """Give units other keys, with all that belongs to them, in one transaction; keep the reason."""
        with self._transaction():
            for adoption in adoptions:
                self._adopt(adoption, reason)

    def _adopt(self, one: Adoption, reason: str) -> None:
        execute, before = self.connection.execute, one.earlier_key
        code = self._code(before)
        execute("UPDATE units SET key = ?, axes = ? WHERE key = ?", (one.key, _json(one.axes), before))
        for row in self.rows([before]):
            assert "learner" in one.axes, "only curves have rows"
            spec = one.axes["learner"]
            key = row_key(one.key, row.replicate, row.n)
            execute(
                "UPDATE rows SET key = ?, unit = ?, code = ?, learner_spec = ? WHERE key = ? AND unit = ?",
                (key, one.key, one.code, _json(spec), row.key, before),
            )
            execute(
                "UPDATE traces SET key = ?, unit = ? WHERE key = ? AND unit = ?",
                (key, one.key, row.key, before),
            )
        for table in ("certificates", "experiments"):
            execute(f"UPDATE {table} SET key = ?, code = ? WHERE key = ?", (one.key, one.code, before))
        execute("UPDATE measurements SET unit = ? WHERE unit = ?", (one.key, before))
        execute("UPDATE adoptions SET unit = ? WHERE unit = ?", (one.key, before))
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        _insert(self.connection, "adoptions", [(one.key, before, code, reason, when)])

    def _code(self, unit: str) -> str:
        """Fingerprint of the code that a unit was computed by; empty for a unit without a number."""
        for table, column in (("rows", "unit"), ("certificates", "key"), ("experiments", "key")):
            sql = f"SELECT code FROM {table} WHERE {column} = ? LIMIT 1"
            if row := self.connection.execute(sql, (unit,)).fetchone():
                return str(row[0])
        return ""

    def origins(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Fingerprint of the code and library versions of every unit that has a row or the like, by key."""
        sql = " UNION ALL ".join(
            f"SELECT {column}, code, versions FROM {table} GROUP BY {column}"
            for table, column in (("rows", "unit"), ("certificates", "key"), ("experiments", "key"))
        )
        return {
            key: (str(code), json.loads(versions))
            for key, code, versions in self.connection.execute(sql).fetchall()
        }

    def adoptions(self) -> list[tuple[str, ...]]:
        """(unit, key before, code before, reason, time) of every adoption, in their order."""
        return self.connection.execute("SELECT * FROM adoptions ORDER BY rowid").fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # not so if what failed came after the commit
                connection.execute("ROLLBACK")
            raise

    def _delete(self, keys: Sequence[str]) -> None:
        for table, column in (
            ("rows", "unit"),
            ("traces", "unit"),
            ("certificates", "key"),
            ("measurements", "unit"),
            ("experiments", "key"),
            ("adoptions", "unit"),
            ("units", "key"),
        ):
            self.connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(k,) for k in keys])

    def units(self) -> list[UnitRecord]:
        """All units, in the order in which they were finished."""
        records = self.connection.execute("SELECT * FROM units ORDER BY rowid").fetchall()
        return [UnitRecord(u[0], json.loads(u[1]), *u[2:]) for u in records]

    def done(self) -> set[str]:
        """Keys of the units that are finished; the next run tries the others again."""
        return {key for key, status in self.statuses().items() if status == UnitStatus.DONE}

    def statuses(self) -> dict[str, str]:
        """Status of every unit by key."""
        return dict(self.connection.execute("SELECT key, status FROM units").fetchall())

    def rows(self, units: Iterable[str] | None = None) -> list[Row]:
        """Rows of these units (of all units), ordered by what was asked for."""
        order = "target, d, learner, target_index, sample_index, init_index, n, key, machine"
        return [_decoded(r) for r in self._select("rows", "unit", units, order, ", ".join(_ROW_FIELDS))]

    def traces(self, units: Iterable[str] | None = None) -> list[Trace]:
        """Traces of these units (of all units), along training."""
        return [Trace(*t) for t in self._select("traces", "unit", units, "rowid")]

    def certificates(self, keys: Iterable[str] | None = None) -> list[CertificateRecord]:
        """Certificates of these units (of all units), by target, d and index."""
        return [
            {
                "key": row[0],
                "target": row[1],
                "target_spec": json.loads(row[2]),
                "d": row[3],
                "target_index": row[4],
                "certificate": json.loads(row[5]),
            }
            for row in self._select("certificates", "key", keys, "target, d, target_index")
        ]

    def measurements(self, units: Iterable[str]) -> dict[str, list[Measurement]]:
        """What these units of experiments measured, by unit."""
        by_unit: dict[str, list[Measurement]] = {}
        for unit, _, labels, values in self._select("measurements", "unit", units, "unit, number"):
            by_unit.setdefault(unit, []).append(Measurement(json.loads(labels), json.loads(values)))
        return by_unit

    def _select(
        self, table: str, column: str, keys: Iterable[str] | None, order: str, what: str = "*"
    ) -> list[tuple[Any, ...]]:
        if keys is None:
            return self.connection.execute(f"SELECT {what} FROM {table} ORDER BY {order}").fetchall()
        # One JSON parameter instead of one per key: SQLite limits the number of parameters.
        wanted = "SELECT value FROM json_each(?)"
        sql = f"SELECT {what} FROM {table} WHERE {column} IN ({wanted}) ORDER BY {order}"
        return self.connection.execute(sql, (json.dumps(list(keys)),)).fetchall()


@functools.singledispatch
def _beside_rows(unit: Unit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    """Records of a unit besides its rows and traces, by table: by the kind of the unit."""
    return {}


@_beside_rows.register
def _(unit: CertificateUnit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    if result.certificate is None:
        return {}
    where = (unit.key, unit.target, _json(unit.target_spec), unit.d, unit.target_index)
    return {"certificates": [(*where, _json(result.certificate), unit.code, _json(unit.versions))]}


@_beside_rows.register
def _(unit: ExperimentUnit, result: Result) -> dict[str, list[tuple[Any, ...]]]:
    if not isinstance(result, ExperimentResult):  # one that failed
        return {}
    experiment = (unit.key, unit.axes["experiment"], _json(unit.axes["parameters"]))
    by = (_json(machine.identity()), unit.code, _json(unit.versions))
    measurements = [
        (unit.key, number, _json(dict(m.labels)), _json(dict(m.values)))
        for number, m in enumerate(result.measurements)
    ]
    return {"experiments": [(*experiment, *by)], "measurements": measurements}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _encoded(row: Row) -> tuple[Any, ...]:
    return tuple(_plain(getattr(row, name)) for name in _ROW_FIELDS)


def _plain(value: Any) -> Any:
    # A learner may report numpy's numbers, which SQLite would take for a string of bytes.
    if isinstance(value, dict):
        return _json(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _decoded(values: Sequence[Any]) -> Row:
    named = dict(zip(_ROW_FIELDS, values, strict=True))
    return Row(**{name: json.loads(v) if name in _JSON_FIELDS else v for name, v in named.items()})


def _insert(connection: sqlite3.Connection, table: str, records: Sequence[tuple[Any, ...]]) -> None:
    if records:
        marks = ", ".join("?" * len(records[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", records)


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Schema of the store; UserError where it is none, or a newer one."""
    names = {r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "meta" not in names:
        raise UserError(f"{path} is no hierbench store: move it away or give another --results folder")
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if meta.get("application") != "hierbench" or not meta.get("schema", "").isdigit():
        raise UserError(f"{path} is no hierbench store: move it away or give another --results folder")
    if int(meta["schema"]) > SCHEMA:
        raise UserError(
            f"{path} was written by a newer hierbench (schema {meta['schema']}, known is {SCHEMA}): "
            "update hierbench or give another --results folder"
        )
    return int(meta["schema"])


def _unusable(path: Path, error: sqlite3.Error) -> UserError:
    if "not a database" in str(error):
        return UserError(f"{path} is no hierbench store: move it away or give another --results folder")
    return UserError(f"{path} cannot be used: {error}")
