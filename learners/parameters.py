"""Constructor parameters of learners: how they are kept, and checks that several learners share."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hierbench import checks
from hierbench.errors import refusal


class KeepsParameters:
    """A constructor that only stores, as scikit-learn requires, in one line."""

    def _keep(self, arguments: Mapping[str, Any]) -> None:
        """Store every argument of the constructor under its name: ``self._keep(locals())``."""
        for name, value in arguments.items():
            if name != "self":
                setattr(self, name, value)


def integer_between(name: str, value: Any, least: int, most: int) -> int:
    """Return ``value`` as an int.

    Raises
    ------
    ValueError
        Unless it is an integer from ``least`` to ``most``.
    """
    if not is_integer(value) or not least <= value <= most:
        raise ValueError(refusal(name, value, f"integers from {least} to {most}"))
    return int(value)


def integer_or_none(name: str, value: Any, least: int) -> int | None:
    """Return ``value`` as an int, or None.

    Raises
    ------
    ValueError
        Unless it is an integer of at least ``least``, or None.
    """
    if value is None:
        return None
    if not is_integer(value) or value < least:
        raise ValueError(refusal(name, value, f"integers from {least}, and None"))
    return int(value)


def not_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises
    ------
    ValueError
        Unless it is a finite number of at least 0.
    """
    return checks.real(name, value, "finite numbers >= 0", checks.is_real(value) and value >= 0)


def positive(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises
    ------
    ValueError
        Unless it is a finite number above 0.
    """
    return checks.real(name, value, "finite numbers > 0", checks.is_real(value) and value > 0)


def share(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises
    ------
    ValueError
        Unless it is a number in (0, 1].
    """
    return checks.real(name, value, "numbers in (0, 1]", checks.is_real(value) and 0 < value <= 1)


def integers(name: str, value: int | Sequence[int], least: int) -> tuple[int, ...]:
    """Return one integer or several as a tuple.

    Raises
    ------
    ValueError
        Unless there is one at least, and all are integers of at least ``least``.
    """
    values = np.atleast_1d(np.asarray(value))
    whole = values.ndim == 1 and values.size and np.issubdtype(values.dtype, np.integer)
    if not (whole and values.min() >= least):
        raise ValueError(refusal(name, value, f"integers from {least}, one or several"))
    return tuple(values.tolist())


def is_integer(value: Any) -> bool:
    """Say whether ``value`` is a whole number, and no truth value."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
