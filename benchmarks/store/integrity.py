"""Checksums of units: what belongs to one is as it was stored, or the unit is damaged and says so."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from hierbench.benchmarks.store.schema import BELONGINGS, COLUMNS, misfits
from hierbench.benchmarks.units.plain import one_line

_TOGETHER = 100
"""Units that are read at once: what they hold is in memory."""

_UNIT_COLUMNS = list(COLUMNS["units"])
_CHECKSUM, _AXES = _UNIT_COLUMNS.index("checksum"), _UNIT_COLUMNS.index("axes")
_ROW_COUNT = _UNIT_COLUMNS.index("row_count")


@dataclasses.dataclass
class Condition:
    """What is wrong with a store whose list of units can be read.

    Attributes
    ----------
    damaged : dict
        By key, what is wrong with a unit, or what is left of one that is not there.
    lost : int
        Units that were stored and are not there.
    """

    damaged: dict[Hashable, str]
    lost: int = 0

    def lines(self) -> list[str]:
        """All of it, a line each."""
        lost = [f"{self.lost} units that were stored are not there"] if self.lost else []
        return [*map(one_line, self.damaged.values()), *lost]


@dataclasses.dataclass
class Content:
    """The record of a unit, and by table all that belongs to it; columns in the order of ``COLUMNS``."""

    record: tuple[Any, ...]
    parts: dict[str, list[tuple[Any, ...]]]

    def checksum(self) -> str:
        """SHA-256 of the record without its checksum, and of all parts in any order."""
        # ascii, unlike repr, writes a text alike whatever letters a version of Python knows
        lines = [ascii(self.record[:_CHECKSUM] + self.record[_CHECKSUM + 1 :])]
        for table, records in self.parts.items():
            lines += [table, *sorted(map(ascii, records))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def misfits(self) -> list[str]:
        """Columns that do not hold what they should, a line each."""
        tables = {"units": [self.record], **self.parts}
        return [f"{t}.{name}" for t, records in tables.items() for r in records for name in misfits(t, r)]

    def has_all_rows(self) -> bool:
        """Whether there is a row for each size that the unit was asked for."""
        sizes = json.loads(self.record[_AXES]).get("sizes", [])
        return len(self.parts["rows"]) == sum(map(len, sizes))


def fetch(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All that a query gives; text that is no UTF-8 is marked instead of raising."""
    try:
        return connection.execute(sql, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return connection.execute(sql, parameters).fetchall()


def select(
    connection: sqlite3.Connection, table: str, column: str, keys: Sequence[Any], order: str = ""
) -> list[tuple[Any, ...]]:
    """Records of a table whose ``column`` is one of these keys."""
    # One JSON parameter instead of one per key: SQLite limits the number of parameters.
    # By way of rowid: else SQLite takes the column from the index, whatever the record itself says.
    wanted = f"SELECT rowid FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"
    sql = f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE rowid IN ({wanted})"
    return fetch(connection, f"{sql} ORDER BY {order}" if order else sql, [json.dumps(list(keys))])


def contents(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Content]:
    """Units by key, with all that belongs to them; those that the store does not find are left out."""
    units = {
        record[0]: Content(record, {table: [] for table in BELONGINGS})
        for record in select(connection, "units", "key", keys)
    }
    for table, column in BELONGINGS.items():
        at = list(COLUMNS[table]).index(column)
        for record in select(connection, table, column, keys):
            if record[at] in units:
                units[record[at]].parts[table].append(record)
    return units


def in_turn(connection: sqlite3.Connection, keys: Sequence[str]) -> Iterator[dict[str, Content]]:
    """Contents of many units, some at a time."""
    return (contents(connection, some) for some in _batches(keys))


def seal(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Write the checksums of units as they are now, and how many units there are."""
    for some in _batches(keys):
        sums = [(content.checksum(), key) for key, content in contents(connection, some).items()]
        connection.executemany("UPDATE units SET checksum = ? WHERE key = ?", sums)
    count(connection)


def count(connection: sqlite3.Connection) -> None:
    """Write down how many units there are."""
    connection.execute("UPDATE meta SET value = (SELECT count(*) FROM units) WHERE name = 'units'")


def seal_earlier(connection: sqlite3.Connection) -> None:
    """Seal the units of a store without checksums; those that can be seen to be damaged stay without."""
    connection.execute("UPDATE units SET row_count = (SELECT count(*) FROM rows WHERE unit = units.key)")
    connection.execute("UPDATE units SET checksum = ''")
    keys = [k for (k,) in fetch(connection, "SELECT key FROM units") if isinstance(k, str)]
    sound = [
        key
        for some in _batches(keys)
        for key, content in contents(connection, some).items()
        if not content.misfits() and content.has_all_rows()
    ]
    seal(connection, sound)


def examine(connection: sqlite3.Connection) -> Condition:
    """Hold every unit to its checksum.

    Raises
    ------
    sqlite3.DatabaseError
        The list of units cannot be read.
    """
    units = fetch(connection, "SELECT key, suite, title FROM units NOT INDEXED")
    titles = {key: f"{suite}: {title}" for key, suite, title in units}
    wrong: dict[Hashable, str] = {}
    for some in _batches([key for key in titles if isinstance(key, str)]):
        wrong |= _wrong(connection, some)
    often = Counter(key for key, _, _ in units)
    for key in titles:
        if not isinstance(key, str) or often[key] > 1:
            wrong[key] = "has a key that is none"
    wrong = {key: f"{titles[key]}: {what}" for key, what in wrong.items()}
    for table, column in BELONGINGS.items():
        try:
            holders = [k for (k,) in fetch(connection, f"SELECT DISTINCT {column} FROM {table}")]
        except sqlite3.DatabaseError as error:
            holders = []
            wrong[table] = f"table {table} cannot be read whole: {error}"
        for key in holders:
            if key not in titles:
                wrong.setdefault(key, f"unit {key} is not there, but {table} of it")
    stored = connection.execute("SELECT value FROM meta WHERE name = 'units'").fetchone()
    known = int(stored[0]) if stored and str(stored[0]).isdecimal() else len(units)
    return Condition(wrong, max(known - len(units), 0))


def _wrong(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[Hashable, str]:
    """What is wrong with these units; those that are sound are left out."""
    try:
        held = contents(connection, keys)
    except sqlite3.DatabaseError as error:
        if len(keys) == 1:
            return {keys[0]: f"cannot be read: {error}"}
        return {k: what for key in keys for k, what in _wrong(connection, [key]).items()}
    wrong: dict[Hashable, str] = {}
    for key in keys:
        if key not in held:
            wrong[key] = "is not found by its key"
        elif (n := len(held[key].parts["rows"])) != (rows := held[key].record[_ROW_COUNT]):
            wrong[key] = f"has {n} rows of {rows}"
        elif held[key].checksum() != held[key].record[_CHECKSUM]:
            misfits = ", ".join(sorted(set(held[key].misfits())))
            wrong[key] = f"does not have its checksum{f' ({misfits})' if misfits else ''}"
    return wrong


def _batches(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _TOGETHER] for start in range(0, len(keys), _TOGETHER)]
