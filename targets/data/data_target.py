"""What targets made of data share: drawing, labels, and a certificate that says what is not known."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, Size, Target, rows_of
from hierbench.targets.data.data_set import CHUNK, DataSet, Shape
from hierbench.targets.data.labels import PAIR, Labels, chosen

UNKNOWN_DEGREE = 0
"""Stands for a degree that nobody knows: a learner that may know its target's is told none."""

_REFUSED = "the inputs are those of the data"


@dataclasses.dataclass(frozen=True)
class DataTarget(Target):
    """Inputs and classes as data have them; nothing is drawn from ``seed``.

    A finite data set has a pool and a held-out test set. ``sample`` draws from the pool without replacement,
    ``sample_test`` and ``importance_sample`` give the first n held-out points, the same whatever the
    generator; more points than there are raise ValueError. A suite says ``test = {min = N, max = N}``.

    Labels are classes: their numbers, or -1 and 1. ``nominal`` says that their order means nothing.
    Nobody knows the degree, the number of parameters, the shares of variance or the smallest possible error
    of such a target. In the certificate degree and number of parameters are 0, shares are empty, and the
    Bayes error has an infinite standard error. Mean, variance and kurtosis are those of the labels.

    Raises
    ------
    ValueError
        On parameters that the data do not have.
    """

    admits_modifiers: ClassVar[bool] = False
    refused_inputs: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("gaussian", "mixture", "cube", "sphere", "hypercube"), _REFUSED
    )
    questions: ClassVar[Mapping[str, Sequence[int]]] = {}
    """Classes that are labelled 1, by the name of a question with two answers."""

    d: int
    """number of inputs of the data; no other is allowed"""
    seed: int
    """of nothing: data are what they are"""
    labels: Any = "all"
    """all: every class by its number; a pair of classes, as in [3, 8]: -1 and 1, the others left out"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", integer("seed", self.seed, 0))
        object.__setattr__(self, "d", integer("d", self.d, 1))
        if isinstance(self.labels, list):
            object.__setattr__(self, "labels", tuple(self.labels))
        if self.d != math.prod(self.image_shape):
            shape = " x ".join(map(str, self.image_shape))
            remedy = f"the data have {shape} numbers a point"
            raise ValueError(refusal("d", self.d, f"one value, {math.prod(self.image_shape)}", remedy))
        self._labels  # noqa: B018  refuses before anything is drawn

    @property
    @abc.abstractmethod
    def data(self) -> DataSet | None:
        """The data set; None where points are generated."""

    @property
    @abc.abstractmethod
    def image_shape(self) -> Shape:
        """Channels, height and width of an input, in the order of its numbers; height 1 for signals."""

    @property
    @abc.abstractmethod
    def class_numbers(self) -> Sequence[int]:
        """Classes that there are, increasing."""

    def generate(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n points of the kept classes, inputs (n, d) and class numbers (n,), where ``data`` is None."""
        raise NotImplementedError

    @functools.cached_property
    def _labels(self) -> Labels:
        return chosen(self.labels, self.class_numbers, self.questions)

    @property
    def label_of(self) -> Mapping[int, float]:
        """Label of each class that is kept."""
        return self._labels.of

    @functools.cached_property
    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the pool, and of the held-out set, whose classes have labels."""
        assert self.data is not None
        kept = (self.data.pool_classes, self.data.held_out_classes)
        pool, held_out = (np.flatnonzero(self._labels.keeps(classes)) for classes in kept)
        return pool, held_out

    @property
    def n_train(self) -> int | None:
        """Largest training sample; None where there is no end."""
        return None if self.data is None else len(self._kept[0])

    @property
    def n_test(self) -> int | None:
        """Number of held-out points; None where there is no end."""
        return None if self.data is None else len(self._kept[1])

    @property
    def classes(self) -> tuple[float, ...]:
        """Values of the label, increasing."""
        return self._labels.values

    @property
    def nominal(self) -> bool:
        """Whether the order of the classes means nothing, so that a value between two of them is neither."""
        return len(self.classes) > PAIR

    @property
    def degree(self) -> int:
        """0: unknown."""
        return UNKNOWN_DEGREE

    @property
    def size(self) -> Size:
        """The data, the numbers of the rows that are kept, and a chunk of inputs while it is made."""
        if self.data is None:
            return Size(16.0 * CHUNK * self.d, 16.0 * CHUNK * self.d)
        held = self.data.stored_numbers + sum(map(len, self._kept)) + 4.0 * CHUNK * self.d
        return Size(held, held)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``(X, y)`` without replacement, or generate it; ValueError beyond ``n_train``."""
        if self.data is None:
            X, classes = self.generate(n, rng)
            return X, self._labels.label(classes)
        pool = self._kept[0]
        _require(n, len(pool), "the training pool has no more points")
        rows = pool[rng.permutation(len(pool))[:n]]
        return self.data.standardised(self.data.pool[rows]), self._labels.label(self.data.pool_classes[rows])

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the inputs of ``sample``, shape (n, d)."""
        return self.sample(n, rng)[0]

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Give the first n held-out points, or generate some; ValueError beyond ``n_test``."""
        if self.data is None:
            return self.sample(n, rng)
        held_out = self._kept[1]
        _require(n, len(held_out), "the held-out test set has no more points")
        rows = held_out[:n]
        X = self.data.standardised(self.data.held_out[rows])
        return X, self._labels.label(self.data.held_out_classes[rows])

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Label of each row that is an input of the data, (n, d) -> (n,).

        Raises
        ------
        ValueError
            On a row that is none, or of a class that is left out; on any row where points are generated.
        """
        X = rows_of(X, self.d)
        if self.data is None and len(X):
            raise ValueError("labels of generated points are known only beside them: draw both by sample")
        classes = [] if self.data is None else self.data.class_of(X)
        for i, number in enumerate(classes):
            if number not in self._labels.of:
                which = "is none of the data" if number is None else f"is of class {number}, left out"
                raise ValueError(f"row {i} {which}: evaluate rows that were drawn by sample")
        return self._labels.label(np.array(classes, dtype=int))

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """None: nobody knows them."""
        return []

    @functools.cached_property
    def _frequencies(self) -> Mapping[float, float]:
        """Share of each label in the pool; where points are generated every class is as frequent."""
        if self.data is None:
            y = self._labels.label(np.array(sorted(self._labels.of)))
        else:
            y = self._labels.label(self.data.pool_classes[self._kept[0]])
        return {value: float((y == value).mean()) for value in self.classes}

    def certificate(self) -> Certificate:
        """Classes, and moments of the labels in the pool; the rest is not known."""
        values, weights = (np.array(list(x)) for x in (self._frequencies, self._frequencies.values()))
        mean = float(weights @ values)
        second, fourth = (float(weights @ (values - mean) ** p) for p in (2, 4))
        return Certificate(
            degree=UNKNOWN_DEGREE,
            n_parameters=0,
            method="exact",
            mean=Estimate(mean),
            variance=Estimate(second),
            kurtosis=Estimate(fourth / second**2),
            degree_share={},
            level_share={},
            level_covariance=(),
            contamination={},
            condition_numbers={},
            inputs="procedural" if self.data is None else "data",
            rotation_invariant=False,
            bayes_error=Estimate(0.0, math.inf),
            classes=self.classes,
        )


def _require(n: int, most: int, remedy: str) -> None:
    if n > most:
        raise ValueError(refusal("n", n, f"integers up to {most}", remedy))
