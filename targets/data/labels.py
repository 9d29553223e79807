"""What classes of a data set are called: all of them, or two sides of a question."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.errors import refusal

ALL = "all"
PAIR = 2
"""Classes of a question with two answers."""


@dataclasses.dataclass(frozen=True)
class Labels:
    """Label of each class that is kept; the points of all other classes are left out.

    Attributes
    ----------
    of : dict of int to float
        The class numbered c in the data has label ``of[c]``.
    """

    of: Mapping[int, float]

    @property
    def values(self) -> tuple[float, ...]:
        """Different labels, increasing."""
        return tuple(sorted(set(self.of.values())))

    def keeps(self, classes: np.ndarray) -> np.ndarray:
        """Whether points of these classes are kept, shapes (n,) -> (n,) of bool."""
        return np.isin(classes, list(self.of))

    def label(self, classes: np.ndarray) -> np.ndarray:
        """Labels of points of these classes, all of them kept, shapes (n,) -> (n,) float64."""
        numbers_kept = np.array(sorted(self.of))
        values = np.array([self.of[c] for c in numbers_kept])
        return np.asarray(values[np.searchsorted(numbers_kept, classes)])


def chosen(value: Any, classes: Sequence[int], questions: Mapping[str, Sequence[int]]) -> Labels:
    """Labels that the parameter ``labels`` asks for.

    Parameters
    ----------
    value : str or pair of int
        ``"all"``: the classes by their numbers. The name of a question: 1 for its classes, -1 for the others.
        A pair of classes: -1 for the first, 1 for the second.
    classes : sequence of int
        Classes that there are, increasing.
    questions : mapping of str to sequence of int
        Classes that are labelled 1, by the name of the question.

    Raises
    ------
    ValueError
        On anything else, on a question to which all classes give one answer, and on data of one class.
    """
    if len(classes) < PAIR:
        raise ValueError(refusal("number of classes in the data", len(classes), "integers from 2"))
    if isinstance(value, str) and value == ALL:
        return Labels({c: float(c) for c in classes})
    if isinstance(value, str) and value in questions:
        labels = Labels({c: 1.0 if c in questions[value] else -1.0 for c in classes})
        if len(labels.values) == PAIR:
            return labels
    elif isinstance(value, (list, tuple)) and len(value) == PAIR and all(map(_is_whole, value)):
        first, second = value
        if first != second and first in classes and second in classes:
            return Labels({int(first): -1.0, int(second): 1.0})
    names = ", ".join([ALL, *questions])
    allowed = f"{names}, and pairs of classes from {classes[0]} to {classes[-1]} that there are, as in [0, 1]"
    raise ValueError(refusal("labels", value, allowed))


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
