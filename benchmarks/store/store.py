"""The store: one SQLite file in write-ahead mode, one writer, any number of readers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from hierbench.benchmarks.provenance.dependencies import change
from hierbench.benchmarks.store import integrity, opening
from hierbench.benchmarks.store.encoding import as_json, beside_rows, decoded, encoded
from hierbench.benchmarks.store.schema import BELONGINGS, COLUMNS, insert, unusable
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import Result, Trace, Unit, UnitStatus, row_key
from hierbench.benchmarks.units.vocabulary import Axes, CertificateFields, TargetSpec
from hierbench.errors import UserError

NAME = "hierbench.sqlite"

MOST_LINES = 20
"""Damages that are said one by one."""

_COMPUTED = {table: BELONGINGS[table] for table in ("rows", "certificates", "experiments")}
"""Tables that say by what code and library versions a unit was computed."""
_ROW_KEY = list(COLUMNS["rows"]).index("key")

Join = Callable[[integrity.Content | None, integrity.Content], integrity.Content | None]


@dataclasses.dataclass(frozen=True)
class UnitRecord:
    """What the store knows of a unit.

    status : done, failed, timeout or skipped
    change : what its numbers depend on besides its key and is not any more what it was; empty for nothing
    """

    key: str
    axes: Axes
    suite: str
    title: str
    status: str
    reason: str
    finished: str
    seconds: float
    change: str = ""


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

    Every unit has a checksum, to which it is held before it is read. One that is damaged is as if it were not
    there, and is named on standard error.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, writes: bool) -> None:
        self.connection = connection
        self.path = path
        self._place = opening.place(path) if writes else None
        self._writes = writes
        self._condition: integrity.Condition | None = None
        self._changes: dict[str, str] = {}

    @classmethod
    def writable(cls, folder: Path) -> Store:
        """Open, and create if missing; a store of an earlier schema is brought up to date.

        Raises
        ------
        UserError
            The folder cannot be written, the file is no store, or a newer version wrote it.
        """
        return cls(opening.for_writing(folder / NAME), folder / NAME, writes=True)

    @classmethod
    def readable(cls, folder: Path) -> Store:
        """Open for reading, beside a writer or not: what is committed later is not seen.

        Raises
        ------
        UserError
            There is no store, the file is no store, or a newer version wrote it.
        """
        path = folder / NAME
        if not path.is_file():
            makes = "hierbench run SUITE makes them, --results reference has those that ship"
            raise UserError(f"no results in {folder}: {makes}")
        return cls(opening.for_reading(path), path, writes=False)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with contextlib.closing(self):
            if kind is None:
                self._held_to_path()

    def commit(self, unit: Unit, result: Result) -> None:
        """Store a unit with everything it found, in place of what an earlier attempt left.

        Raises
        ------
        UserError
            The store has been removed or moved (what it held is written elsewhere), or cannot be written.
        """
        assert all(row.unit == unit.key for row in result.rows), "a row of another unit"
        finished = time.strftime("%Y-%m-%d %H:%M:%S")
        record = (unit.key, as_json(unit.axes), unit.suite, unit.title(), result.status, result.reason)
        depends = as_json(result.dependencies)
        traces = [dataclasses.astuple(t) for t in result.traces]
        content = integrity.Content(
            (*record, finished, float(result.seconds), len(result.rows), "", depends),
            {"rows": [encoded(row) for row in result.rows], "traces": traces, **beside_rows(unit, result)},
        )
        with self._transaction():
            self._put(content)
            integrity.seal(self.connection, [unit.key])
        self._mended([unit.key])
        self._held_to_path()

    def _put(self, content: integrity.Content) -> None:
        """Write a unit in place of what is there of it, inside a transaction, without its checksum."""
        key = content.record[0]
        self._delete([key])
        # what damage has made the row of another unit
        keys = [(row[_ROW_KEY], key) for row in content.parts["rows"]]
        self.connection.executemany("DELETE FROM rows WHERE key = ? AND unit IS NOT ?", keys)
        insert(self.connection, "units", [content.record])
        for table, records in content.parts.items():
            insert(self.connection, table, records)

    def contents(self) -> Iterator[dict[str, integrity.Content]]:
        """Units that are not damaged, with all that belongs to them, by key; some at a time."""
        yield from integrity.in_turn(self.connection, list(self.statuses()))

    def take_over(self, others: Iterable[Mapping[str, integrity.Content]], join: Join) -> None:
        """Join units that other stores hold with those that are here, in one transaction.

        Parameters
        ----------
        others : iterable of mapping
            Some units at a time, by key.
        join : callable
            What becomes of a unit, from what is here of it (None: nothing that counts) and what is there;
            None where it stays as it is.
        """
        wrong = self._examined().damaged
        taken: list[str] = []
        with self._transaction():
            for there in others:
                here = integrity.contents(self.connection, [key for key in there if key not in wrong])
                joined = {key: join(here.get(key), content) for key, content in there.items()}
                for content in joined.values():
                    if content is not None:
                        self._put(content)
                keys = [key for key, content in joined.items() if content is not None]
                integrity.seal(self.connection, keys)
                taken += keys
        self._mended(taken)
        self._held_to_path()

    def prune(self, keys: Sequence[Any]) -> None:
        """Delete units with their rows, traces and certificates."""
        with self._transaction():
            self._delete(keys)
            integrity.count(self.connection)
        self._mended(keys)

    def adopt(self, adoptions: Sequence[Adoption], reason: str) -> None:
        """Give units other keys, with all that belongs to them, in one transaction; keep the reason."""
        self._examined()
        with self._transaction():
            for adoption in adoptions:
                self._adopt(adoption, reason)

    def _adopt(self, one: Adoption, reason: str) -> None:
        execute, before = self.connection.execute, one.earlier_key
        code = self._code(before)
        execute("UPDATE units SET key = ?, axes = ? WHERE key = ?", (one.key, as_json(one.axes), before))
        for row in self.rows([before]):
            assert "learner" in one.axes, "only curves have rows"
            spec = one.axes["learner"]
            key = row_key(one.key, row.replicate, row.n)
            execute(
                "UPDATE rows SET key = ?, unit = ?, code = ?, learner_spec = ? WHERE key = ? AND unit = ?",
                (key, one.key, one.code, as_json(spec), row.key, before),
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
        insert(self.connection, "adoptions", [(one.key, before, code, reason, when)])
        integrity.seal(self.connection, [one.key])

    def _code(self, unit: str) -> str:
        """Fingerprint of the code that a unit was computed by; empty for a unit without a number."""
        for table, column in _COMPUTED.items():
            sql = f"SELECT code FROM {table} WHERE {column} = ? LIMIT 1"
            if row := self.connection.execute(sql, (unit,)).fetchone():
                return str(row[0])
        return ""

    def origins(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Fingerprint of the code and library versions of every unit that has a row or the like, by key."""
        sql = " UNION ALL ".join(
            f"SELECT {column}, code, versions FROM {table} GROUP BY {column}"
            for table, column in _COMPUTED.items()
        )
        return {
            key: (str(code), json.loads(versions))
            for key, code, versions in self.connection.execute(sql).fetchall()
        }

    def adoptions(self) -> list[tuple[str, ...]]:
        """(unit, key before, code before, reason, time) of every adoption, in their order."""
        return self._select("adoptions", None, "rowid")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:  # not so if what failed came after the commit
                    connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self._held_to_path()
                # a constraint is one of ours, unless the pages themselves are damaged
                if not isinstance(error, sqlite3.IntegrityError) or not self._is_whole():
                    raise unusable(self.path, error) from error
            raise

    def _is_whole(self) -> bool:
        try:
            return self.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            return False

    def _held_to_path(self) -> None:
        """Refuse to go on where the file at the path is not any more the one that this store writes."""
        if self._place is None or opening.place(self.path) == self._place:
            return
        self._place = None  # this is said once
        rescued = opening.rescued(self.connection)
        raise UserError(
            f"{self.path} was removed or moved: what it held, and what was computed since, is in {rescued}; "
            f"copy that to {self.path}, and the same command goes on"
        )

    def _delete(self, keys: Sequence[Any]) -> None:
        for table, column in {**BELONGINGS, "units": "key"}.items():
            self.connection.executemany(f"DELETE FROM {table} WHERE {column} IS ?", [(k,) for k in keys])

    def damages(self) -> Mapping[Any, str]:
        """What is wrong with units, or with what is left of some, by key: all that ``prune`` can delete."""
        return self._examined().damaged

    def _examined(self) -> integrity.Condition:
        """The condition of the store, looked at once, and said if it is bad; a writer mends what it can."""
        if self._condition is None:
            try:
                self._condition = integrity.examine(self.connection)
                self._say(self._condition)
                if self._condition.damaged and self._writes and not self._is_whole():
                    self.connection = opening.rebuilt(self.connection, self.path)
                    self._place = opening.place(self.path)
                    self._condition = integrity.examine(self.connection)
            except sqlite3.Error as error:
                raise unusable(self.path, error) from error
        return self._condition

    def _say(self, condition: integrity.Condition) -> None:
        lines = condition.lines()
        if not lines:
            return
        more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
        for line in (*lines[:MOST_LINES], *more):
            print(f"damaged: {line}", file=sys.stderr)
        print(f"{self.path}: this is left out; hierbench run computes it again", file=sys.stderr, flush=True)

    def _mended(self, keys: Sequence[Any]) -> None:
        for key in keys if self._condition else ():
            self._condition.damaged.pop(key, None)  # type: ignore[union-attr]

    def units(self) -> list[UnitRecord]:
        """All units that are not damaged, in the order in which they were finished."""
        columns = "key, axes, suite, title, status, reason, finished, seconds, dependencies"
        wrong = self._examined().damaged
        sql = f"SELECT {columns} FROM units NOT INDEXED ORDER BY rowid"
        return [
            UnitRecord(u[0], json.loads(u[1]), u[2], u[3], u[4], u[5], u[6], u[7], self._change(u[8]))
            for u in self._fetch(sql)
            if u[0] not in wrong
        ]

    def done(self) -> set[str]:
        """Keys of the units that are finished and hold; the next run computes the others."""
        changed = self.changed()
        return {k for k, status in self.statuses().items() if status == UnitStatus.DONE and k not in changed}

    def statuses(self) -> dict[str, str]:
        """Status of every unit by key."""
        wrong = self._examined().damaged
        records = self._fetch("SELECT key, status FROM units NOT INDEXED ORDER BY rowid")
        return {key: status for key, status in records if key not in wrong}

    def changed(self) -> dict[str, str]:
        """Units whose numbers depend on what is not any more what it was, with what that is."""
        wrong = self._examined().damaged
        records = self._fetch("SELECT key, dependencies FROM units NOT INDEXED WHERE dependencies != '{}'")
        changes = {key: self._change(text) for key, text in records if key not in wrong}
        return {key: text for key, text in changes.items() if text}

    def _change(self, dependencies: str) -> str:
        if dependencies not in self._changes:
            self._changes[dependencies] = change(json.loads(dependencies))
        return self._changes[dependencies]

    def rows(self, units: Iterable[str] | None = None) -> list[Row]:
        """Rows of these units (of all units), ordered by what was asked for."""
        order = "target, d, learner, target_index, sample_index, init_index, n, key, machine"
        return [decoded(r) for r in self._select("rows", units, order)]

    def traces(self, units: Iterable[str] | None = None) -> list[Trace]:
        """Traces of these units (of all units), along training."""
        return [Trace(*t) for t in self._select("traces", units, "rowid")]

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
            for row in self._select("certificates", keys, "target, d, target_index")
        ]

    def measurements(self, units: Iterable[str]) -> dict[str, list[Measurement]]:
        """What these units of experiments measured, by unit."""
        by_unit: dict[str, list[Measurement]] = {}
        for unit, _, labels, values in self._select("measurements", units, "unit, number"):
            by_unit.setdefault(unit, []).append(Measurement(json.loads(labels), json.loads(values)))
        return by_unit

    def _select(self, table: str, units: Iterable[str] | None, order: str) -> list[tuple[Any, ...]]:
        """What belongs to units that are not damaged, found in the way in which they were examined."""
        wrong = self._examined().damaged
        keys = self.statuses() if units is None else units
        sound = [key for key in keys if key not in wrong]
        try:
            return integrity.select(self.connection, table, BELONGINGS[table], sound, order)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return integrity.fetch(self.connection, sql)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error
