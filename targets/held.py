"""Targets by import path, held to what a target promises: what they give is checked before it is used."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from hierbench.checks import integer, is_real, plain
from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, Size, Target
from hierbench.targets.data.data_target import DataTarget

LOOK = (256, 4096)
"""Test points that are looked at before the first are given, the latter where labels are all the same."""
SQUARES = (1e-6, 1e4)
"""What the mean square of labels on these points may be, were it 1 on average: long tails bring it about."""
CLOSE = 1e-5
"""How far labels may be apart by rounding, as a share of the largest: float32 ends below it."""
SIGMAS = 6.0
_ROUNDING = 1e-6
_INTEGERS = ("degree", "n_parameters")
_TEXTS = ("method", "inputs")
_ESTIMATES = ("mean", "variance", "kurtosis", "bayes_error")
_SHARES = ("degree_share", "level_share", "contamination")


@functools.cache
def held(cls: type[Target]) -> type[Target]:
    """Subclass of a class of targets whose answers are checked.

    Raises
    ------
    ValueError
        It is no class of targets.
    """
    if not (isinstance(cls, type) and issubclass(cls, Target)):
        raise ValueError(refusal("target family", cls, "a class that derives from hierbench.targets.Target"))
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (Held, cls), names)


def check(target: Target, d: int) -> None:
    """Refuse what says of itself what no target of dimension ``d`` says; nothing is drawn.

    From here on its points are looked at: what a constructor draws, to find a scale, is not yet the target's.

    Raises
    ------
    ValueError
    """
    if not isinstance(target, Held):
        return
    for name, sound, allowed in (
        (
            "d",
            isinstance(target.d, numbers.Integral) and target.d == d,
            f"one value, {d}, which was asked for",
        ),
        (
            "degree",
            type(target.degree) is int and target.degree >= 0,
            "integers from 0, of Python's own type",
        ),
        ("nominal", isinstance(target.nominal, bool), "true and false, of Python's own type"),
        ("size", isinstance(target.size, Size), "a hierbench.targets.base.Size"),
    ):
        if not sound:
            raise ValueError(refusal(f"{name} of the target", getattr(target, name), allowed))
    if not isinstance(target.classes, tuple):
        raise ValueError(refusal("classes of the target", target.classes, "a tuple of numbers"))
    _classes("classes of the target", target.classes)
    target.__dict__["_held_built"] = True


def _new(cls: type[Target]) -> Target:
    return object.__new__(held(cls))


class Held(Target):
    """Goes before a class of targets: its answers, or a ValueError that says what is wrong with them.

    Numbers become float64. Before the first points are given, test points are looked at, but of data: their
    labels must be those that ``evaluate`` gives, and of regression not constant and of a mean square within
    ``SQUARES``, as errors are relative to a variance of 1.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _new, (type(self).__mro__[2],), self.__getstate__()

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Inputs, float64 of shape (n, d)."""
        self._held_look()
        base: Any = super()
        return _numbers("inputs of sample_inputs", base.sample_inputs(n, rng), (n, self.d))

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shape (n,); ``X`` stays as it is.

        Raises
        ------
        ValueError
            The class gives something else, or changes its argument.
        """
        base: Any = super()
        given = np.array(X)
        y = self._held_labels("evaluate", base.evaluate(given), len(given))
        if not np.array_equal(given, X, equal_nan=True):
            raise ValueError("evaluate of the target changed its argument: allowed is to leave X as it is")
        return y

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Training sample of shapes (n, d) and (n,)."""
        self._held_look()
        return self._held_pair("sample", super().sample(n, rng), n)

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Test points of shapes (n, d) and (n,)."""
        self._held_look()
        return self._held_pair("sample_test", super().sample_test(n, rng), n)

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weighted test points of shapes (n, d), (n,) and (n,)."""
        self._held_look()
        *pair, weights = _parts("importance_sample", super().importance_sample(n, rng), 3)
        X, y = self._held_pair("importance_sample", pair, n)
        weights = _numbers("weights of importance_sample", weights, (n,))
        if not (weights > 0).all():
            raise ValueError(refusal("weights of importance_sample", float(weights.min()), "numbers > 0"))
        return X, y, weights

    def certificate(self) -> Certificate:
        """Certificate as the store can keep it."""
        base: Any = super()
        certificate = plain_certificate(base.certificate())
        for name, said in (("degree", self.degree), ("classes", self.classes)):
            if (certified := getattr(certificate, name)) != said:
                allowed = f"one value, {said}, that of the target"
                raise ValueError(refusal(f"{name} of the certificate", certified, allowed))
        return certificate

    def _held_look(self) -> None:
        """Look at test points once; what is called for that looks no more."""
        seen = self.__dict__.get("_held_seen") or not self.__dict__.get("_held_built")
        if seen or isinstance(self, DataTarget):
            return
        self.__dict__["_held_seen"] = True
        try:
            self._held_points()
        except BaseException:
            self.__dict__["_held_seen"] = False
            raise

    def _held_points(self) -> None:
        for n in LOOK:
            X, y = self.sample_test(n, np.random.default_rng(0))
            again = self.evaluate(X)
            scale = float(np.abs(again).max())
            if not np.allclose(again, y, rtol=0.0, atol=CLOSE * scale):
                allowed = "those that evaluate gives of its inputs"
                far = float(np.abs(again - y).max())
                raise ValueError(refusal("labels of sample_test, largest difference", far, allowed))
            if self.classes or again.std() > 1e-9 * scale:
                break
        square = float(np.mean((again / scale) ** 2)) * scale * scale if scale else 0.0
        least, most = SQUARES
        if not self.classes and not (least <= square <= most and again.std() > 1e-9 * scale):
            what = f"mean square of the labels of {n} test points"
            allowed = f"about 1, from {least:g} to {most:g}, of labels that are not all the same"
            raise ValueError(refusal(what, square, allowed, "labels have mean 0 and variance 1"))

    def _held_pair(self, method: str, drawn: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        X, y = _parts(method, drawn, 2)
        return _numbers(f"inputs of {method}", X, (n, self.d)), self._held_labels(method, y, n)

    def _held_labels(self, method: str, y: Any, n: int) -> np.ndarray:
        y = _numbers(f"labels of {method}", y, (n,))
        if not self.classes or not n:
            return y
        values = np.array(self.classes, dtype=float)
        nearest = values[np.abs(y[:, None] - values).argmin(axis=1)]
        if (strange := y[np.abs(y - nearest) > CLOSE * np.abs(values).max()]).size:
            allowed = f"its classes, {self.classes}"
            raise ValueError(refusal(f"labels of {method}", float(strange[0]), allowed))
        return nearest


def _parts(method: str, drawn: Any, count: int) -> list[Any]:
    if not isinstance(drawn, tuple | list) or len(drawn) != count:
        given = f"{len(drawn)} parts" if isinstance(drawn, tuple | list) else f"a {type(drawn).__name__}"
        raise ValueError(f"{method} of the target gave {given}: allowed are {count}, as a tuple")
    return list(drawn)


def _numbers(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Finite numbers of that shape as float64, or the reason why they are none."""
    array = np.asarray(values)
    allowed = f"finite real numbers of shape {shape}"
    if np.ma.isMaskedArray(values) or array.dtype.kind not in "biuf":
        given = "masked values" if np.ma.isMaskedArray(values) else f"numbers of type {array.dtype}"
        raise ValueError(f"{what}: {given}: allowed are {allowed}")
    if array.shape != shape:
        raise ValueError(f"{what}: numbers of shape {array.shape}: allowed are {allowed}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: {array[~np.isfinite(array)].flat[0]:g}: allowed are {allowed}")
    return array


def _classes(what: str, values: Any) -> tuple[float, ...]:
    given = values.tolist() if isinstance(values, np.ndarray) else values
    listed = list(given) if isinstance(given, tuple | list) else None
    if listed is None or not all(map(is_real, listed)) or any(map(operator.ge, listed, listed[1:])):
        raise ValueError(refusal(what, values, "a tuple of finite numbers, increasing, none for regression"))
    if len(listed) == 1:
        raise ValueError(refusal(what, values, "two classes or more, none for regression"))
    return tuple(map(float, listed))


def plain_certificate(certificate: Any) -> Certificate:
    """The certificate in plain numbers and texts, equal to what the store gives back of it.

    Raises
    ------
    ValueError
        With the field that cannot be kept, or shares of variance that do not sum to 1.
    """
    if not isinstance(certificate, Certificate):
        given = type(certificate).__name__
        raise ValueError(refusal("certificate of the target", given, "a hierbench.targets.Certificate"))
    kept = {
        field.name: _field(field.name, getattr(certificate, field.name))
        for field in dataclasses.fields(certificate)
    }
    kept = Certificate(**kept).to_json()
    found = Certificate.from_json(json.loads(json.dumps(kept)))
    if shares := found.degree_share:
        total = math.fsum(e.value for e in shares.values())
        if abs(total - 1.0) > _ROUNDING + SIGMAS * math.hypot(*(e.stderr for e in shares.values())):
            raise ValueError(refusal("sum of degree_share of the certificate", total, "one value, 1"))
    if not found.classes and abs(found.variance.value - 1.0) > _ROUNDING + SIGMAS * found.variance.stderr:
        raise ValueError(refusal("variance of the certificate", found.variance.value, "one value, 1"))
    return found


def _field(name: str, value: Any) -> Any:
    what = f"{name} of the certificate"
    if name in _INTEGERS:
        return integer(what, value, 0)
    if name in _TEXTS:
        if not isinstance(value, str):
            raise ValueError(refusal(what, value, "a text"))
        plain(what, value)
        return value
    if name in _ESTIMATES:
        return _estimate(what, value)
    if name in _SHARES:
        pairs = [(integer(f"a key of {what}", key, 0), e) for key, e in _items(what, value)]
        return {key: _estimate(f"{name}[{key}] of the certificate", e) for key, e in pairs}
    if name == "weakest_share":
        return None if value is None else _estimate(what, value)
    if name == "rotation_invariant":
        return _flag(what, value)
    if name == "classes":
        return _classes(what, value)
    if name == "condition_numbers":
        return {str(key): _reals(what, pair, 2) for key, pair in _items(what, value)}
    return tuple(_reals(what, row) for row in _sequence(what, value))  # level_covariance


def _flag(what: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(refusal(what, value, "true and false"))
    return bool(value)


def _estimate(what: str, value: Any) -> Estimate:
    allowed = "a hierbench.targets.Estimate of a finite number with a standard error >= 0"
    if not isinstance(value, Estimate) or not is_real(value.value):
        raise ValueError(refusal(what, value, allowed))
    error = value.stderr
    if not (is_real(error) or error == math.inf) or error < 0:
        raise ValueError(refusal(what, value, allowed))
    return Estimate(float(value.value), float(error))


def _items(what: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(refusal(what, value, "a mapping"))
    return value.items()


def _sequence(what: str, value: Any) -> list[Any]:
    if not isinstance(value, tuple | list | np.ndarray):
        raise ValueError(refusal(what, value, "a tuple"))
    return list(value)


def _reals(what: str, value: Any, count: int | None = None) -> tuple[float, ...]:
    listed = _sequence(what, value)
    if not all(isinstance(x, numbers.Real) for x in listed) or count not in (None, len(listed)):
        raise ValueError(refusal(what, value, f"tuples of {count or 'as many'} numbers"))
    return tuple(map(float, listed))
