"""Checks of parameters: each refusal is one line that says what was given and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hierbench.errors import refusal

LARGEST_SCALE = 1e6
"""Powers of a scale, and their squares, stay inside float64."""
LARGEST_INTEGER = 2**63 - 1
"""What numpy and SQLite hold."""
LARGEST_DIMENSION = 2**14
"""Of the inputs of a target."""
LONGEST_TEXT, MOST_ENTRIES, DEEPEST = 1000, 1000, 8
"""Of a parameter: characters of a text, entries of lists and tables together, levels of them."""


def integer(name: str, value: Any, minimum: int, maximum: int = LARGEST_INTEGER) -> int:
    """``value`` as an int; ValueError unless it is an integer from ``minimum`` to ``maximum``."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not minimum <= value <= maximum:
        ends = maximum < LARGEST_INTEGER or (whole and value > maximum)
        raise ValueError(refusal(name, value, f"integers from {minimum}{f' to {maximum}' if ends else ''}"))
    return int(value)


def real(name: str, value: Any, allowed: str, ok: bool) -> float:
    """``value`` as a float; ValueError naming what is ``allowed`` unless it is finite and ``ok``."""
    if not is_real(value) or not ok:
        raise ValueError(refusal(name, value, allowed))
    return float(value)


def reals(name: str, value: Any, allowed: str, ok: Callable[[float], bool]) -> list[float]:
    """One number or several, as floats; ValueError naming what is ``allowed`` unless all are ``ok``."""
    given = value.tolist() if hasattr(value, "tolist") else value
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if not listed or not all(is_real(one) and ok(one) for one in listed):
        raise ValueError(refusal(name, value, allowed))
    return [float(one) for one in listed]


def scale(name: str, value: Any, *, zero: bool) -> float:
    """``value`` as a float; ValueError unless at most 1e6, and from 1e-6 or, where ``zero``, from 0."""
    least, text = (0.0, "a number >= 0,") if zero else (1.0 / LARGEST_SCALE, "a number > 0, from 1e-06")
    ok = is_real(value) and least <= value <= LARGEST_SCALE
    return real(name, value, f"{text} up to {LARGEST_SCALE:g}", ok)


def is_real(value: Any) -> bool:
    """Whether a value is a finite number, and no truth value."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer, or a fraction, beyond float64
        return False


def flag(name: str, value: Any) -> bool:
    """``value`` if it is true or false; ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(refusal(name, value, "true and false"))
    return value


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value`` if it is one of ``allowed``; ValueError naming them otherwise."""
    if value not in allowed:
        raise ValueError(refusal(name, value, ", ".join(allowed)))
    return str(value)


def plain(name: str, value: Any) -> None:
    """Refuse what no parameter needs, whatever it means: the numbers and sizes that break their readers.

    Raises
    ------
    ValueError
        Unless all is None, true, false, finite numbers of 64 bits, texts, and lists and tables of these,
        with at most ``LONGEST_TEXT`` characters a text, ``MOST_ENTRIES`` entries and ``DEEPEST`` levels.
    """
    entries, stack = 0, [(value, 0)]
    while stack:
        one, level = stack.pop()
        if isinstance(one, (list, tuple, dict)):
            inner = [*one, *one.values()] if isinstance(one, dict) else one
            entries += len(one)
            if entries > MOST_ENTRIES or level >= DEEPEST:
                allowed = f"lists and tables of at most {MOST_ENTRIES} entries and {DEEPEST} levels"
                raise ValueError(refusal(name, value, allowed))
            stack += [(x, level + 1) for x in inner]
        elif isinstance(one, str):
            if len(one) > LONGEST_TEXT or not is_storable(one):
                allowed = f"texts of at most {LONGEST_TEXT} characters, none of them null or half a pair"
                raise ValueError(refusal(name, one, allowed))
        elif isinstance(one, numbers.Integral) and not isinstance(one, bool):
            if abs(int(one)) > LARGEST_INTEGER:
                raise ValueError(refusal(name, one, "integers of 64 bits"))
        elif isinstance(one, numbers.Real) and not isinstance(one, bool) and not is_real(one):
            raise ValueError(refusal(name, one, "finite numbers"))


def is_storable(text: str) -> bool:
    """No null character, which ends a text in C, and no half of a surrogate pair, which UTF-8 has not."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
