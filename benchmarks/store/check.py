"""What is wrong with a store, examined wholly: what ``hierbench doctor STORE`` says."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from hierbench.benchmarks.store import opening
from hierbench.benchmarks.store.integrity import Condition, contents, examine, fetch
from hierbench.benchmarks.store.schema import SCHEMA, schema_of
from hierbench.benchmarks.store.store import NAME
from hierbench.benchmarks.units.plain import one_line
from hierbench.errors import UserError


def damages(path: Path) -> list[str]:
    """Examine a store: its pages, tables, units with their checksums and rows, what belongs to no unit.

    Parameters
    ----------
    path : Path
        The store, or the folder that it is in. Nothing is written.

    Returns
    -------
    list of str
        One line for each damage; empty where there is none.

    Raises
    ------
    UserError
        There is no such file.
    """
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"no store at {file}: give the file, or a folder of results")
    try:
        with contextlib.closing(opening.readable(file)) as connection:
            return [*_of_pages(connection), *_of_content(connection, file)]
    except UserError as error:
        return [str(error)]


def _of_pages(connection: sqlite3.Connection) -> list[str]:
    try:
        said = [str(text) for (text,) in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        said = [str(error)]
    lines = [line for text in said for line in text.splitlines() if line and not line.startswith("***")]
    return [] if lines == ["ok"] else [f"SQLite: {one_line(line)}" for line in lines]


def _of_content(connection: sqlite3.Connection, file: Path) -> list[str]:
    try:
        if schema_of(connection, file) == SCHEMA:
            condition = examine(connection)
            return [*condition.lines(), *_ill_formed(connection, condition)]
        # an earlier one has no checksums: what can be seen without them is seen when they are made
        with contextlib.closing(opening.for_reading(file)) as copy:
            return examine(copy).lines()
    except UserError as error:
        return [str(error)]
    except sqlite3.DatabaseError as error:
        return [f"SQLite: {error}"]


def _ill_formed(connection: sqlite3.Connection, condition: Condition) -> list[str]:
    """Units that have their checksum and yet hold what they cannot: written so."""
    lines = []
    for (key,) in fetch(connection, "SELECT key FROM units NOT INDEXED"):
        if key not in condition.damaged:
            content = contents(connection, [key])[key]
            title = ": ".join(map(str, content.record[2:4]))
            lines += [f"{title}: {column} is not as it should be" for column in set(content.misfits())]
    return lines
