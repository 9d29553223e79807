"""Plain data, small: numbers of five digits, columns, and JSON that no label can break out of."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

Data = dict[str, Any]
"""What JSON can hold."""
_OUTSIDE_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def rounded(value: float | None) -> float | int | None:
    """Five significant digits, a whole number where it is one; None where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def scalar(value: object) -> object:
    """A value of a parameter: a number, a truth value, None, or a text for all else."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else str(value)
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def column(values: Sequence[object]) -> object:
    """The values, or the one value that all of them are."""
    first = values[0]
    same = all(type(v) is type(first) and v == first for v in values)
    return first if same else list(values)


def as_json(data: object) -> str:
    """JSON in ASCII without a character that ends a script element or begins a comment in one."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    for character, escape in _OUTSIDE_SCRIPTS.items():
        text = text.replace(character, escape)
    return text


class Table:
    """Distinct values, each under the number at which it first came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.values: list[Any] = []

    def number(self, value: object) -> int:
        """The place of a value, which is added if it is new."""
        key = json.dumps(value, sort_keys=True)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]
