"""Foreign texts and values made plain: what a learner says, in what the store and a terminal can hold."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from hierbench.checks import DEEPEST, LARGEST_INTEGER, MOST_ENTRIES

LONGEST_LINE = 500

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Text in one line, without escape sequences and what UTF-8 cannot hold, and not too long.

    Returns
    -------
    str
        At most ``longest`` characters, the last of which say how many there were if these are not all:
        a line that has been cut once is not cut again.
    """
    head = text[: 10 * longest].encode("utf-8", "replace").decode()
    printable = "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", head))
    line = " ".join(printable.split())
    if len(line) <= longest and len(text) <= 10 * longest:
        return line
    end = f" ... ({len(text)} characters)"
    return f"{line[: max(longest - len(end), 0)].rstrip()}{end}"


class DescribedError(Exception):
    """A failure in another process, as that process describes it: nothing else of it crosses."""


def one_line_of(error: BaseException) -> str:
    """One line for an exception, whatever its message does."""
    if isinstance(error, DescribedError):
        return one_line(str(error))
    try:
        message = str(error)
    except BaseException as second:
        message = f"(its message cannot be shown: {type(second).__name__})"
    return one_line(f"{type(error).__name__}: {message}").removesuffix(":")


def plain_data(value: Any, depth: int = 0) -> Any:
    """Numbers, texts, lists and dicts only, within bounds, whatever a learner reports.

    Texts become one line, integers beyond 64 bits, what is nested too deep and every other object a text;
    of more than 1000 entries the first are kept.
    """
    if isinstance(value, np.ndarray):
        return plain_data(value[:MOST_ENTRIES].tolist() if value.ndim else value.item(), depth)
    if isinstance(value, np.generic):
        return plain_data(value.item(), depth)
    if value is None or isinstance(value, (bool, float)):
        return None if value is None else bool(value) if isinstance(value, bool) else float(value)
    if isinstance(value, int):
        fits = abs(value) <= LARGEST_INTEGER
        return int(value) if fits else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)) and depth < DEEPEST:
        return _plain_container(value, depth + 1)
    return _described(value)


def _plain_container(value: Any, depth: int) -> Any:
    left = len(value) - MOST_ENTRIES
    if isinstance(value, Mapping):
        entries = {one_line(str(k)): plain_data(v, depth) for k, v in list(value.items())[:MOST_ENTRIES]}
        return entries if left <= 0 else {**entries, "...": f"{left} more"}
    if isinstance(value, (set, frozenset)):
        value = sorted((plain_data(v, depth) for v in value), key=repr)  # hash order differs by process
    plain = [plain_data(v, depth) for v in value[:MOST_ENTRIES]]
    return plain if left <= 0 else [*plain, f"{left} more"]


def _described(value: Any) -> str:
    try:
        return one_line(str(value))
    except BaseException as error:
        return f"a {type(value).__name__} (its text cannot be shown: {type(error).__name__})"


def whole_number(name: str, value: Any) -> int:
    """An integer that the store can hold.

    Raises
    ------
    ValueError
    """
    number = int(value)
    if abs(number) > LARGEST_INTEGER:
        raise ValueError(f"{name} is an integer of {number.bit_length()} bits: allowed are at most 63")
    return number


def number(name: str, value: Any) -> float:
    """A float; what is too large for one is infinite.

    Raises
    ------
    ValueError
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except TypeError as error:
        raise ValueError(f"{name} is {_described(value)}: allowed are numbers") from error


@contextmanager
def first_warning() -> Iterator[list[str]]:
    """Keep the first warning, as one line, and none of those after it."""
    kept: list[str] = []

    def keep(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if not kept:
            kept.append(one_line(f"{category.__name__}: {message}"))
        warnings.simplefilter("ignore")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield kept
