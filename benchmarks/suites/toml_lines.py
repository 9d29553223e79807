"""A TOML file whose complaints say where: file, line, key, what is allowed."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hierbench.benchmarks.suites.limits import LARGEST_FILE, MOST_TABLES, MOST_VALUES
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.checks import LARGEST_INTEGER, LONGEST_TEXT, is_real, is_storable, plain
from hierbench.errors import UserError, printable, refusal, unknown

_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.\-]+)\s*\]\]?")
_DIGITS = re.compile(r"[\d_]{4000}|[\da-fA-F_]{4000}")
_KEY = re.compile(r"^\s*([\w\-]+)\s*=")

MISSPELT = 0.8
"""Likeness (``difflib``) from which on a key that nobody has asked for yet explains a missing one."""

T = TypeVar("T")


def key_lines(text: str) -> dict[tuple[str, int, str], int]:
    """Line number of every key: (table, index in its array of tables, key) -> line.

    The header itself has the empty key. A key of a sub-table ``[run.sizes]`` is found under
    its table's name with the index of the array entry that it belongs to.
    """
    lines: dict[tuple[str, int, str], int] = {}
    counts: dict[str, int] = {}
    table, index = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
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
        self.keys_read: set[str] = set()

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
        """Refuse what stands at a key, with file and line."""
        raise UserError(f"{self.document.path}:{self.line(key)}: {printable(self.where(key))}: {message}")

    def refuse(self, key: str, value: object, allowed: str, remedy: str = "") -> NoReturn:
        """Refuse a value of a key, with file and line, in the words of ``hierbench.errors.refusal``."""
        message = refusal(self.where(key), value, allowed, remedy)
        raise UserError(f"{self.document.path}:{self.line(key)}: {message}")

    def checked(self, key: str, action: Callable[[], T]) -> T:
        """``action()``, its UserError or ValueError put at the line of ``key``."""
        try:
            return action()
        except (UserError, ValueError) as error:
            self.fail(key, str(error))

    def get(self, key: str, kind: str, default: Any = ...) -> Any:
        """Value of a key; refused where it is missing and has no default."""
        self.keys_read.add(key)
        if key not in self.data:
            if default is ...:
                others = [other for other in self.data if other not in self.keys_read]
                for misspelt in difflib.get_close_matches(key, others, 1, MISSPELT):
                    self.fail(misspelt, unknown("key", misspelt, [key]))
                self.fail(key, f"missing ({kind} needed)")
            return default
        return self.data[key]

    def text(self, key: str, default: Any = ...) -> str:
        """A text."""
        value = self.get(key, "a text", default)
        if not isinstance(value, str) or (default is ... and not value):
            self.refuse(key, value, "a text" if default is not ... else "a text that is not empty")
        self._storable(key, value)
        return value

    def _storable(self, key: str, value: str) -> None:
        if len(value) > LONGEST_TEXT or not is_storable(value):
            self.refuse(key, value, f"a text of at most {LONGEST_TEXT} characters, none of them null")

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, "true or false", default)
        if not isinstance(value, bool):
            self.refuse(key, value, "true and false")
        return value

    def number(self, key: str, most: float, least: float = 0.0, zero: bool = False) -> float:
        """A finite number above 0, from ``least``, or 0 too where ``zero``, up to ``most``."""
        return self.bounded(key, self.get(key, "a number"), most, least, zero)

    def number_or_none(self, key: str, most: float) -> float | None:
        """The same, or None where the key is not given."""
        self.keys_read.add(key)
        return self.number(key, most) if key in self.data else None

    def bounded(self, key: str, value: Any, most: float, least: float = 0.0, zero: bool = False) -> float:
        """``value``, which stands at a key, under the rule of ``number``."""
        positive = is_real(value) and value > 0 and value >= least
        if not (positive or (zero and is_real(value) and value == 0)) or value > most:
            start = "a number >= 0" if zero else f"a number from {least:g}" if least else "a number > 0"
            self.refuse(key, value, f"{start}, up to {most:g}")
        return float(value)

    def signed(self, key: str, most: float) -> float:
        """A finite number of either sign, of size up to ``most``."""
        value = self.get(key, "a number")
        if not is_real(value) or abs(value) > most:
            self.refuse(key, value, f"a finite number of size up to {most:g}")
        return float(value)

    def whole(self, key: str, most: int, least: int = 1, default: Any = ...) -> int:
        """A whole number from ``least`` to ``most``."""
        return self.bounded_whole(key, self.get(key, "a whole number", default), most, least)

    def bounded_whole(self, key: str, value: Any, most: int, least: int = 1) -> int:
        """``value``, which stands at a key, under the rule of ``whole``."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(key, value, f"integers from {least} to {most}")
        return value

    def items(self, key: str, kind: type | tuple[type, ...], what: str) -> list[Any]:
        """A list of one kind of items, none of them twice."""
        value = self.get(key, f"a list of {what}")
        values = value if isinstance(value, list) else [value]
        if not 0 < len(values) <= MOST_VALUES:
            self.refuse(key, values, f"a list of {what}, one at least and {MOST_VALUES} at most")
        for one in values:
            if isinstance(one, bool) or not isinstance(one, kind):
                self.refuse(key, one, what)
            if isinstance(one, int) and abs(one) > LARGEST_INTEGER:
                self.refuse(key, one, f"{what} of 64 bits")
        if len(set(values)) < len(values):
            self.refuse(key, values, f"a list of {what}, none of them repeated")
        return values

    def names(self, key: str, kind: str, labels: Iterable[str]) -> tuple[str, ...]:
        """A name or a list of names, all of them known."""
        labels = list(labels)
        values = self.items(key, str, f"{kind} labels")
        for value in values:
            if value not in labels:
                self.fail(key, unknown(kind, value, labels))
        return tuple(values)

    def plain(self, key: str) -> Parameters:
        """A free table (parameters), empty if missing."""
        value = self.get(key, "a table", {})
        if not isinstance(value, dict):
            self.refuse(key, value, "a table")
        self.checked(key, lambda: plain(key, list(value)))
        for name, one in value.items():
            # First what bounds the depth: the second check goes down by recursion.
            self.checked(key, functools.partial(plain, name, one))
            if not is_plain(one):
                allowed = "numbers, texts, true, false, lists and tables, without dates and times"
                self.fail(key, refusal(name, one, allowed))
        return value

    def table(self, key: str) -> Table:
        """A table in this one."""
        value = self.get(key, "a table")
        if not isinstance(value, dict):
            self.refuse(key, value, "a table")
        return Table(self.document, value, self.name, self.index, key)

    def tables(self, key: str, least: int = 1) -> list[Table]:
        """An array of tables in this one."""
        value = self.get(key, f"[[{key}]] tables", [] if not least else ...)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value) or len(value) < least:
            self.refuse(key, value, f"[[{key}]] tables")
        if len(value) > MOST_TABLES:
            self.fail(key, refusal("number of tables", len(value), f"integers up to {MOST_TABLES}"))
        return [Table(self.document, v, key, i) for i, v in enumerate(value)]

    def done(self) -> None:
        """Refuse the keys that were not asked for."""
        for key in self.data:
            if key not in self.keys_read:
                self.fail(key, unknown("key", key, self.keys_read))


class Document:
    """A TOML file, parsed, with the line of each key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
        except (OSError, ValueError) as error:  # the latter for a null character in the path
            raise UserError(f"{path}: cannot be read: {error}") from error
        if len(content) > LARGEST_FILE:
            raise UserError(f"{path}: larger than {LARGEST_FILE} bytes, which no suite file needs")
        try:
            text = content.decode("utf-8-sig")  # editors of Windows put a mark in front
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UserError(f"{path}:{line}: not UTF-8: {error.reason} {content[error.start]:#x}") from error
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at line (\d+)", str(error))
            end = place.group(1) if place else str(text.count("\n") + 1)
            what = re.sub(r" \(at .*\)$", "", str(error))
            raise UserError(f"{path}:{end}: not valid TOML: {printable(what)}") from error
        except ValueError as error:  # more digits than Python reads
            line = next((i for i, x in enumerate(text.split("\n"), 1) if _DIGITS.search(x)), 1)
            raise UserError(f"{path}:{line}: an integer has too many digits for 64 bits") from error
        except RecursionError as error:
            line = max(enumerate(text.split("\n"), 1), key=lambda x: x[1].count("[") + x[1].count("{"))[0]
            raise UserError(f"{path}:{line}: lists or tables are nested too deep") from error
        self.lines = key_lines(text)
        self.root = Table(self, tables)


def is_plain(value: Any) -> bool:
    """Whether a TOML value can stand in a key of the store: anything but dates and times."""
    if isinstance(value, (list, dict)):
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (bool, int, float, str))
