"""Classes without an order: a regressor fits one score for each class, and the largest score decides."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.units.fitting import Fit, Fits, Fitting, OnTrace
from hierbench.learners.base import Curve, FitReport


class OneScoreAClass(Fitting):
    """A regressor as a classifier of classes 0, 1, ...

    The label of class c is a (1[y = c] - 1 / C), C the number of classes, with a such that its variance is 1
    where classes are equally frequent: what learners are made for. A learner that takes several outputs fits
    all of them at once, another one of them after the other.

    Parameters
    ----------
    fitting : Fitting
        The regressor.
    n_classes : int
    """

    is_classifier = True

    def __init__(self, fitting: Fitting, n_classes: int) -> None:
        self.fitting = fitting
        self.n_classes = n_classes
        self.fits_curves = fitting.fits_curves

    def fit_curves(self, curves: Sequence[Curve], trace: OnTrace | None) -> Fits:
        """Fit every size of every curve, all classes of a block at once."""
        whole = self.fitting.several_outputs
        each = 1 if whole else self.n_classes
        hears = None if trace is None else lambda step, fits: trace(step, self._joined(fits, each))
        fits = self.fitting.fit_curves([part for c in curves for part in self._parts(c, whole)], hears)
        return dataclasses.replace(fits, fits=self._joined(fits.fits, each))

    def fit(self, curves: Sequence[Curve]) -> Fits:
        """Fit curves of one size, class by class."""
        fits = self.fitting.fit([part for c in curves for part in self._parts(c, whole=False)])
        return dataclasses.replace(fits, fits=self._joined(fits.fits, self.n_classes))

    def peak_memory(self) -> int | None:
        """Largest memory of the process that fits, in bytes."""
        return self.fitting.peak_memory()

    def _parts(self, curve: Curve, whole: bool) -> list[Curve]:
        one_hot = curve.y[:, None] == np.arange(self.n_classes)
        scores = (one_hot - 1 / self.n_classes) * (self.n_classes / math.sqrt(self.n_classes - 1))
        labels = [scores] if whole else [np.ascontiguousarray(column) for column in scores.T]
        return [dataclasses.replace(curve, y=y) for y in labels]

    def _joined(self, fits: Sequence[Fit], each: int) -> tuple[Fit, ...]:
        return tuple(_Decision(fits[start : start + each]) for start in range(0, len(fits), each))


class _Decision(Fit):
    """The class with the largest score, of one fit to all classes or of one a class."""

    def __init__(self, parts: Sequence[Fit]) -> None:
        self.parts = parts
        self.reports = tuple(map(_report, zip(*(part.reports for part in parts), strict=True)))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Classes of every size, shape (sizes, len(X)); NaN where a score is not finite."""
        predicted = [part.predict(X) for part in self.parts]
        scores = predicted[0] if predicted[0].ndim == 3 else np.stack(predicted, axis=2)
        self.warning = self.warning or next((part.warning for part in self.parts if part.warning), "")
        return np.where(np.isfinite(scores).all(axis=2), scores.argmax(axis=2), math.nan)


def _report(reports: Sequence[FitReport]) -> FitReport:
    """What the fits of all classes say together: sums of costs, the worst status, choices side by side."""
    if len(reports) == 1:
        return reports[0]
    bad = next((r for r in reports if r.status != "ok"), reports[0])
    return FitReport(
        steps=_sum([r.steps for r in reports]),
        flops=_sum([r.flops for r in reports]),
        hyperparameters=_side_by_side([r.hyperparameters for r in reports]),
        status=bad.status,
        reason=bad.reason,
        health={
            k: sum(r.health[k] for r in reports) / len(reports) for k in _shared([r.health for r in reports])
        },
    )


def _sum(values: Sequence[Any]) -> Any:
    return None if None in values else sum(values)


def _shared(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    return [key for key in mappings[0] if all(key in m for m in mappings)]


def _side_by_side(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One value where all classes chose the same, else a list of them in the order of the classes."""
    values = {key: [c[key] for c in chosen] for key in _shared(chosen)}
    return {key: v[0] if all(one == v[0] for one in v) else v for key, v in values.items()}
