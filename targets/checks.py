"""Checks of parameters: each refusal is one line that says what was given and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any


def integer(name: str, value: Any, minimum: int) -> int:
    """``value`` as an int; ValueError unless it is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"{name} = {value!r}: allowed are integers from {minimum}")
    return int(value)


def real(name: str, value: Any, allowed: str, ok: bool) -> float:
    """``value`` as a float; ValueError naming what is ``allowed`` unless it is finite and ``ok``."""
    if not is_real(value) or not ok:
        raise ValueError(f"{name} = {value!r}: allowed is {allowed}")
    return float(value)


def is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}: allowed are true and false")
    return value


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value`` if it is one of ``allowed``; ValueError naming them otherwise."""
    if value not in allowed:
        raise ValueError(f"{name} = {value!r}: allowed are {', '.join(allowed)}")
    return str(value)
