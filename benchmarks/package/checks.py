"""Checks of parameters: each refusal is one line that says what was given and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from hierbench.errors import refusal

LARGEST_SCALE = 1e6
"""Powers of a scale, and their squares, stay inside float64."""


def integer(name: str, value: Any, minimum: int) -> int:
    """``value`` as an int; ValueError unless it is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(refusal(name, value, f"integers from {minimum}"))
    return int(value)


def real(name: str, value: Any, allowed: str, ok: bool) -> float:
    """``value`` as a float; ValueError naming what is ``allowed`` unless it is finite and ``ok``."""
    if not is_real(value) or not ok:
        raise ValueError(refusal(name, value, allowed))
    return float(value)


def scale(name: str, value: Any, *, zero: bool) -> float:
    """``value`` as a float; ValueError unless at most 1e6, and from 1e-6 or, where ``zero``, from 0."""
    least, text = (0.0, "a number >= 0,") if zero else (1.0 / LARGEST_SCALE, "a number > 0, from 1e-06")
    ok = is_real(value) and least <= value <= LARGEST_SCALE
    return real(name, value, f"{text} up to {LARGEST_SCALE:g}", ok)


def is_real(value: Any) -> bool:
    """Whether a value is a finite number, and no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


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
