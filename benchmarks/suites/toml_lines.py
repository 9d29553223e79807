"""A TOML file whose complaints say where: file, line, key, what is allowed."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import UserError, unknown

_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.\-]+)\s*\]\]?")
_KEY = re.compile(r"^\s*([\w\-]+)\s*=")

T = TypeVar("T")


def key_lines(text: str) -> dict[tuple[str, int, str], int]:
    """Line number of every key: (table, index in its array of tables, key) -> line.

    The header itself has the empty key. A key of a sub-table ``[run.sizes]`` is found under
    its table's name with the index of the array entry that it belongs to.
    """
    lines: dict[tuple[str, int, str], int] = {}
    counts: dict[str, int] = {}
    table, index = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = header.group(2)
            if header.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
            index = counts.get(table, counts.get(table.partition(".")[0], 0))
            lines[table, index, ""] = number
        elif key := _KEY.match(line):
            lines.setdefault((table, index, key.group(1)), number)
    return lines


class Table:
    """One table of the file. Getters check types; ``done`` refuses keys that nobody asked for."""

    def __init__(
        self, document: Document, data: Mapping[str, Any], name: str = "", index: int = 0, inside: str = ""
    ) -> None:
        self.document = document
        self.data = data
        self.name = name
        self.index = index
        self.inside = inside  # key that holds this table, when it is an inline table
        self.asked: set[str] = set()

    def line(self, key: str = "") -> int:
        """Line of a key of this table, or of the table."""
        lines = self.document.lines
        for place in (
            (self.name, self.index, self.inside or key),
            (f"{self.name}.{self.inside}".strip("."), self.index, key),
            (f"{self.name}.{key}".strip("."), self.index, ""),
            (f"{self.name}.{self.inside}".strip("."), self.index, ""),
            (self.name, self.index, ""),
        ):
            if place in lines:
                return lines[place]
        return 1

    def where(self, key: str) -> str:
        """How messages call a key of this table."""
        return ".".join(part for part in (self.name, self.inside, key) if part)

    def fail(self, key: str, message: str) -> NoReturn:
        """Refuse the value of a key, with file and line."""
        raise UserError(f"{self.document.path}:{self.line(key)}: {self.where(key)}: {message}")

    def checked(self, key: str, action: Callable[[], T]) -> T:
        """``action()``, its UserError or ValueError put at the line of ``key``."""
        try:
            return action()
        except (UserError, ValueError) as error:
            self.fail(key, str(error))

    def get(self, key: str, kind: str, default: Any = ...) -> Any:
        """Value of a key; refused where it is missing and has no default."""
        self.asked.add(key)
        if key not in self.data:
            if default is ...:
                self.done()  # a misspelt key explains a missing one
                self.fail(key, f"missing ({kind} needed)")
            return default
        return self.data[key]

    def text(self, key: str, default: Any = ...) -> str:
        """A text."""
        value = self.get(key, "a text", default)
        if not isinstance(value, str) or (default is ... and not value):
            self.fail(key, f"{value!r} is no text")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, "true or false", default)
        if not isinstance(value, bool):
            self.fail(key, f"{value!r} is neither true nor false")
        return value

    def number(self, key: str, default: Any = ..., above: float = 0.0) -> float:
        """A finite number above a bound."""
        value = self.get(key, "a number", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            self.fail(key, f"{value!r} is no finite number")
        if value <= above:
            self.fail(key, f"{value!r} is too small: above {above:g} needed")
        return float(value)

    def whole(self, key: str, default: Any = ..., least: int = 1) -> int:
        """A whole number from ``least``."""
        value = self.get(key, "a whole number", default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"{value!r} is no whole number")
        if value < least:
            self.fail(key, f"{value} is too small: at least {least} needed")
        return value

    def items(self, key: str, kind: type | tuple[type, ...], what: str) -> list[Any]:
        """A list of one kind of items, none of them twice."""
        value = self.get(key, f"a list of {what}")
        values = value if isinstance(value, list) else [value]
        if not values:
            self.fail(key, f"empty: at least one of {what} needed")
        for one in values:
            if isinstance(one, bool) or not isinstance(one, kind):
                self.fail(key, f"{one!r} in a list of {what}")
        if len(set(values)) < len(values):
            self.fail(key, f"a value is repeated: {values}")
        return values

    def names(self, key: str, kind: str, known: Iterable[str]) -> tuple[str, ...]:
        """A name or a list of names, all of them known."""
        known = list(known)
        values = self.items(key, str, f"{kind} labels")
        for value in values:
            if value not in known:
                self.fail(key, unknown(kind, value, known))
        return tuple(values)

    def plain(self, key: str) -> Parameters:
        """A free table (parameters), empty if missing."""
        value = self.get(key, "a table", {})
        if not isinstance(value, dict):
            self.fail(key, f"{value!r} is no table")
        for name, one in value.items():
            if not is_plain(one):
                self.fail(
                    key, f"{name} is a date or time: numbers, texts, true, false, lists and tables needed"
                )
        return value

    def table(self, key: str) -> Table:
        """A table in this one."""
        value = self.get(key, "a table")
        if not isinstance(value, dict):
            self.fail(key, f"{value!r} is no table")
        return Table(self.document, value, self.name, self.index, key)

    def tables(self, key: str, least: int = 1) -> list[Table]:
        """An array of tables in this one."""
        value = self.get(key, f"[[{key}]] tables", [] if not least else ...)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value) or len(value) < least:
            self.fail(key, f"[[{key}]] tables needed")
        return [Table(self.document, v, key, i) for i, v in enumerate(value)]

    def done(self) -> None:
        """Refuse the keys that were not asked for."""
        for key in self.data:
            if key not in self.asked:
                self.fail(key, unknown("key", key, self.asked))


class Document:
    """A TOML file, parsed, with the line of each key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read: {error}") from error
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"\(at line (\d+)", str(error))
            line = found.group(1) if found else str(text.count("\n") + 1)
            what = re.sub(r" \(at .*\)$", "", str(error))
            raise UserError(f"{path}:{line}: not valid TOML: {what}") from error
        self.lines = key_lines(text)
        self.root = Table(self, data)


def is_plain(value: Any) -> bool:
    """Whether a TOML value can stand in a key of the store: anything but dates and times."""
    if isinstance(value, (list, dict)):
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (bool, int, float, str))
