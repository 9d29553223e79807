"""Tables of the store and what their columns hold; how a store of an earlier schema is brought up to date."""

from __future__ import annotations

import dataclasses
import functools
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from hierbench.benchmarks.units.rows import Metric, Row
from hierbench.benchmarks.units.unit import Trace
from hierbench.errors import UserError

SCHEMA = 5

COLUMNS: dict[str, dict[str, Any]] = {
    "units": {
        **{"key": str, "axes": dict, "suite": str, "title": str, "status": str, "reason": str},
        **{"finished": str, "seconds": float, "row_count": int, "checksum": str, "dependencies": dict},
    },
    "rows": {f.name: get_type_hints(Row)[f.name] for f in dataclasses.fields(Row)},
    "traces": {f.name: get_type_hints(Trace)[f.name] for f in dataclasses.fields(Trace)},
    "certificates": {
        **{"key": str, "target": str, "target_spec": dict, "d": int, "target_index": int},
        **{"certificate": dict, "code": str, "versions": dict},
    },
    "experiments": {
        **{"key": str, "experiment": str, "parameters": dict, "machine": dict},
        **{"code": str, "versions": dict},
    },
    "measurements": {"unit": str, "number": int, "labels": dict, "vals": dict},
    "adoptions": {"unit": str, "earlier_key": str, "earlier_code": str, "reason": str, "adopted": str},
}
"""What the columns of every table hold; a mapping is stored as JSON."""

BELONGINGS = {
    **{"rows": "unit", "traces": "unit", "certificates": "key"},
    **{"experiments": "key", "measurements": "unit", "adoptions": "unit"},
}
"""Tables of what belongs to a unit, each with the column that names the unit."""

_PRIMARY = {
    **{"units": "key", "rows": "key, machine", "certificates": "key", "experiments": "key"},
    **{"measurements": "unit, number", "adoptions": "unit, earlier_key"},
}
_SQL_TYPES = {int: "INTEGER", float: "REAL"}


def is_mapping(annotation: Any) -> bool:
    """Whether a column of this annotation is JSON."""
    return annotation is dict or get_origin(annotation) is dict or is_typeddict(annotation)


def _kind(annotation: Any) -> type:
    """Type of a column: mappings are JSON, and whatever may be None is as it is otherwise."""
    if is_mapping(annotation):
        return dict
    (kind,) = set(get_args(annotation) or (annotation,)) - {NoneType}
    return kind if isinstance(kind, type) else str


def _table(name: str) -> str:
    columns = [f"{c} {_SQL_TYPES.get(_kind(a), 'TEXT')}" for c, a in COLUMNS[name].items()]
    if name in _PRIMARY:
        columns.append(f"PRIMARY KEY ({_PRIMARY[name]})")
    return f"CREATE TABLE {name} ({', '.join(columns)});"


TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT);
{"".join(map(_table, COLUMNS))}
CREATE INDEX rows_unit ON rows (unit);
CREATE INDEX traces_unit ON traces (unit);
INSERT INTO meta VALUES ('schema', '{SCHEMA}'), ('application', 'hierbench'), ('units', '0');
PRAGMA user_version = {SCHEMA};
"""

_STEPS = {
    # Until schema 1 every error was a relative MSE.
    1: f"""
ALTER TABLE rows RENAME COLUMN mse TO error;
ALTER TABLE rows RENAME COLUMN mse_se TO error_se;
ALTER TABLE rows RENAME COLUMN train_mse TO train_error;
ALTER TABLE rows ADD COLUMN metric TEXT DEFAULT '{Metric.RELATIVE_MSE}';
ALTER TABLE traces RENAME COLUMN mse TO error;
""",
    # Until schema 2 there were no experiments.
    2: _table("experiments") + _table("measurements"),
    # Until schema 3 a unit kept the key that it was computed under.
    3: _table("adoptions"),
    # Until schema 4 nothing showed that a unit was as it had been stored; checksums: see ``integrity``.
    4: """
ALTER TABLE units ADD COLUMN row_count INTEGER;
ALTER TABLE units ADD COLUMN checksum TEXT;
ALTER TABLE units ADD COLUMN dependencies TEXT DEFAULT '{}';
INSERT INTO meta VALUES ('units', '0');
""",
}
"""From each schema to the next."""


def upgrade(connection: sqlite3.Connection, schema: int) -> None:
    """Begin a transaction and bring the tables up to date in it; the caller seals the units, and commits."""
    steps = "".join(_STEPS[earlier] for earlier in range(schema, SCHEMA))
    connection.executescript(
        f"BEGIN IMMEDIATE; {steps} UPDATE meta SET value = '{SCHEMA}' WHERE name = 'schema';"
        f"PRAGMA user_version = {SCHEMA};"
    )


def schema_of(connection: sqlite3.Connection, path: Path) -> int:
    """Schema of the store.

    Raises
    ------
    UserError
        It is none, a newer one, or its tables are not those of its schema.
    """
    names = {r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    number = connection.execute("PRAGMA user_version").fetchone()[0]
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall()) if "meta" in names else {}
    schema, is_ours = str(meta.get("schema", "")), meta.get("application") == "hierbench"
    if number == SCHEMA and not (schema == str(SCHEMA) and is_ours):
        raise damaged(path, "table meta is not as it was written")
    if not is_ours or not (schema.isascii() and schema.isdigit()) or int(schema) < 1:
        raise no_store(path)
    if int(schema) > SCHEMA:
        raise UserError(
            f"{path} was written by a newer hierbench (schema {schema}, known is {SCHEMA}): "
            "update hierbench or give another --results folder"
        )
    if int(schema) == SCHEMA:
        for table, columns in COLUMNS.items():
            there = {r[1] for r in connection.execute(f"PRAGMA table_info({table})")}
            if there != set(columns):
                raise damaged(path, f"table {table} is {'not as it was made' if there else 'missing'}")
    return int(schema)


def insert(connection: sqlite3.Connection, table: str, records: Sequence[tuple[Any, ...]]) -> None:
    """Add records to a table, their values in the order of ``COLUMNS``."""
    columns = COLUMNS[table]
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    connection.executemany(sql, records)


def damaged(path: Path, what: str) -> UserError:
    """One line for a store that cannot be read, and what to do."""
    return UserError(
        f"the store is damaged: {path}: {what}; hierbench doctor {path} examines it; "
        "put a copy in its place, or move it away and run again"
    )


def no_store(path: Path) -> UserError:
    """One line for a file that is something else, or whose first page is damaged."""
    return UserError(
        f"{path} is no hierbench store, or its beginning is damaged: move it away or give another "
        "--results folder"
    )


def unusable(path: Path, error: sqlite3.Error) -> UserError:
    """One line for what SQLite says of a file."""
    text = str(error)
    if "not a database" in text:
        return no_store(path)
    if "malformed" in text or "no such" in text or "duplicate column" in text:
        return damaged(path, text)
    return UserError(f"{path} cannot be used: {text}; what was finished before is safe")


@functools.cache
def _kinds(table: str) -> tuple[tuple[str, type, bool], ...]:
    hints = COLUMNS[table].items()
    return tuple((name, _kind(a), NoneType in get_args(a)) for name, a in hints)


def misfits(table: str, record: Sequence[Any]) -> list[str]:
    """Columns of a record that do not hold what they should."""
    return [
        name
        for (name, kind, optional), value in zip(_kinds(table), record, strict=True)
        if not (_is_json(value) if kind is dict else type(value) is kind or (optional and value is None))
    ]


def _is_json(text: Any) -> bool:
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
