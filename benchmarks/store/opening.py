"""Connections to a store's file: for the writer, for readers, and to what is left when the file has gone."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hierbench.benchmarks.store.integrity import contents, count, examine, seal_earlier
from hierbench.benchmarks.store.schema import (
    SCHEMA,
    TABLES,
    damaged,
    insert,
    schema_of,
    unusable,
    upgrade,
)
from hierbench.errors import UserError


def for_writing(path: Path) -> sqlite3.Connection:
    """Open, and create if missing; a store of an earlier schema is brought up to date.

    Raises
    ------
    UserError
        The folder cannot be written, the file is no store, or a newer version wrote it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(path, "mode=rwc")
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"results folder {path.parent} cannot be written: {error}") from error
    with _closed_on_error(connection, path):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN; {TABLES} COMMIT;")
        _bring_up_to_date(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def for_reading(path: Path) -> sqlite3.Connection:
    """Open for reading, beside a writer or not: the store stays as it is now for this connection.

    One of an earlier schema is read from a copy in memory that is brought up to date.

    Raises
    ------
    UserError
        The file is no store, or a newer version wrote it.
    """
    connection = readable(path)
    with _closed_on_error(connection, path):
        if schema_of(connection, path) == SCHEMA:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM meta").fetchone()
            return connection
    with contextlib.closing(connection), _closed_on_error(_connect(None), path) as copy:
        connection.backup(copy)
        _bring_up_to_date(copy, path)
    return copy


def readable(path: Path) -> sqlite3.Connection:
    """A connection that can read; also on a medium where nothing can be written, if no log is left there."""
    connection = None
    try:
        connection = _connect(path, "mode=ro")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.Error as error:
        if connection:
            connection.close()
        log = path.with_name(f"{path.name}-wal")
        if type(error) is not sqlite3.OperationalError:
            raise unusable(path, error) from error
        if log.exists() and log.stat().st_size:
            raise UserError(
                f"{path} cannot be read: {error}; it was not closed ({log.name} is beside it): "
                "copy both to a folder that can be written"
            ) from error
    try:
        return _connect(path, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def _connect(path: Path | None, how: str = "") -> sqlite3.Connection:
    # always as a URI, and absolute: a relative path that begins with "file:" would be taken for one
    uri = f"{path.absolute().as_uri()}?{how}" if path else ":memory:"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, error) from error
    except BaseException:
        connection.close()
        raise


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    if (schema := schema_of(connection, path)) < SCHEMA:
        upgrade(connection, schema)
        seal_earlier(connection)
        connection.execute("COMMIT")
        schema_of(connection, path)


Place = tuple[int, int]
"""Which file is at a path."""


def place(path: Path) -> Place | None:
    """Device and number of the file; None where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def rescued(connection: sqlite3.Connection) -> Path:
    """Write all that a connection holds to a new file here, or else in the folder of temporary files."""
    name = f"hierbench-rescued-{os.getpid()}-{time.strftime('%H%M%S')}.sqlite"
    for folder in (".", tempfile.gettempdir()):
        try:
            path = Path(folder).absolute() / name
            path.touch(exist_ok=False)
            with contextlib.closing(_connect(path, "mode=rw")) as copy:
                connection.backup(copy)
            return path
        except (OSError, sqlite3.Error) as error:
            last = error
    raise UserError(f"what the store held could not be written anywhere: {last}")


def rebuilt(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Put the sound units into a new file in the store's place; the damaged one is kept beside it.

    Raises
    ------
    UserError
        The files cannot be written.
    """
    beside = path.with_name(f"{path.name}.rebuilt")
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        beside.unlink(missing_ok=True)
        wrong = examine(connection).damaged
        keys = [k for (k,) in connection.execute("SELECT key FROM units NOT INDEXED ORDER BY rowid")]
        with contextlib.closing(_connect(beside, "mode=rwc")) as copy:
            copy.executescript(f"BEGIN; {TABLES} COMMIT; BEGIN;")
            for key in keys:
                if key not in wrong:
                    content = contents(connection, [key])[key]
                    for table, records in {"units": [content.record], **content.parts}.items():
                        insert(copy, table, records)
            count(copy)
            copy.execute("COMMIT")
        connection.close()
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{end}", f"{kept}{end}")
        os.rename(beside, path)
    except (OSError, sqlite3.Error) as error:
        raise damaged(path, str(error)) from error
    return for_writing(path)
