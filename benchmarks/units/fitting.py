"""A learner as the units of work use it, and what it may hand back: plain data, checked."""

from __future__ import annotations

import abc
import dataclasses
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.units.plain import first_warning, number, one_line, plain_data, whole_number
from hierbench.benchmarks.units.rows import RowStatus
from hierbench.errors import refusal
from hierbench.learners.base import Curve, FitReport, FittedCurve
from hierbench.learners.predictions import real_predictions
from hierbench.learners.registry import load

PREDICTED_ENTRIES = 2**25
"""Inputs are predicted in slices, so that a kernel matrix (slice x n) stays below 256 MiB."""


class LearnerGoneError(Exception):
    """The process of the learner ended, or answered with what is no answer: it fits nothing any more."""


class LateError(LearnerGoneError):
    """The time limit is over."""


class Fit(abc.ABC):
    """What was fitted to the sizes of one curve.

    Attributes
    ----------
    reports : tuple of FitReport
        Of every size, as plain data within the bounds of the store.
    warning : str
        The first one of its predictions; empty if there was none.
    """

    reports: tuple[FitReport, ...]
    warning: str = ""

    @abc.abstractmethod
    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions of every size, float64 of shape (sizes, len(X)); ``X`` is left alone.

        Fits to several outputs have a third axis for them.

        Raises
        ------
        ValueError
            They are no such numbers.
        """


@dataclasses.dataclass(frozen=True)
class Fits:
    """Fits with the seconds that they took together.

    threads : most threads that were busy beside the main one.
    """

    fits: tuple[Fit, ...]
    seconds: float
    warning: str = ""
    threads: int = 0


OnTrace = Callable[[int, Sequence[Fit]], None]


class Fitting(abc.ABC):
    """A learner that fits, in this process or in another.

    Attributes
    ----------
    is_classifier : bool
    fits_curves : bool
        Whether it fits all sizes of all curves of a block at once.
    several_outputs : bool
        Whether ``fit_curves`` takes labels of shape (N, outputs).
    """

    is_classifier: bool
    fits_curves: bool
    several_outputs: bool = False

    @abc.abstractmethod
    def fit_curves(self, curves: Sequence[Curve], trace: OnTrace | None) -> Fits:
        """Fit every size of every curve; ``trace`` hears of the training where it is not None."""

    @abc.abstractmethod
    def fit(self, curves: Sequence[Curve]) -> Fits:
        """Fit curves of one size; what the call before has fitted can no longer predict."""

    @abc.abstractmethod
    def peak_memory(self) -> int | None:
        """Largest memory of the process that fits, in bytes."""


class _HereFit(Fit):
    def __init__(self, fitted: FittedCurve, n: int, outputs: int | None = None) -> None:
        self.fitted = fitted
        self.outputs = outputs
        self.slice = min(max(PREDICTED_ENTRIES // n, 1024), 16384)
        self.reports = tuple(
            plain_report(getattr(e, "fit_report_", None) or FitReport()) for e in fitted.estimators
        )

    def predict(self, X: np.ndarray) -> np.ndarray:
        sizes = len(self.fitted.estimators)
        pieces = [X[i : i + self.slice].copy() for i in range(0, len(X), self.slice)]
        with first_warning() as warning:
            predicted = [
                real_predictions(self.fitted.predict(p), len(p), sizes, self.outputs) for p in pieces
            ]
        self.warning = self.warning or "".join(warning)
        return np.concatenate(predicted, axis=1)


class Here(Fitting):
    """A learner in this process.

    Parameters
    ----------
    name : str
        Registered name or import path.
    parameters : dict
        Of its constructor.
    """

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        machine.reset_peak_memory()
        self.learner = load(name)(**parameters)
        machine.one_thread()
        self.is_classifier = _is_classifier(self.learner)
        self.fits_curves = hasattr(self.learner, "fit_curves")
        self.several_outputs = self.fits_curves and _takes_several_outputs(self.learner)

    def fit_curves(self, curves: Sequence[Curve], trace: OnTrace | None) -> Fits:
        """Fit every size of every curve at once."""
        shapes = [(c.sizes[-1], *c.y.shape[1:]) for c in curves]
        tracing = 0.0

        def callback(step: int, fitted: list[FittedCurve]) -> None:
            nonlocal tracing
            assert trace is not None
            begun = time.perf_counter()
            trace(step, [_HereFit(f, *shape) for f, shape in zip(fitted, shapes, strict=True)])
            tracing += time.perf_counter() - begun

        seed_global_generators(curves[0].random_state)
        # copies: a learner that works in place must not reach the data that scores it
        copies = [dataclasses.replace(c, X=c.X.copy(), y=c.y.copy()) for c in curves]
        with first_warning() as warning:
            start = time.perf_counter()
            fitted = self.learner.fit_curves(copies, **({"callback": callback} if trace else {}))
            seconds = time.perf_counter() - start - tracing
        fits = tuple(_HereFit(f, *shape) for f, shape in zip(fitted, shapes, strict=True))
        for fit, curve in zip(fits, curves, strict=True):
            if len(fit.reports) != len(curve.sizes):
                allowed = f"{len(curve.sizes)}, one a size"
                raise ValueError(refusal("fits of a curve", len(fit.reports), allowed))
        return Fits(fits, seconds, "".join(warning))

    def fit(self, curves: Sequence[Curve]) -> Fits:
        """Fit a new copy of the learner to each curve."""
        fits, seconds = [], 0.0
        with first_warning() as warning:
            for curve in curves:
                learner = _unfitted(self.learner, curve.random_state)
                seed_global_generators(curve.random_state)
                start = time.perf_counter()
                # copies: a learner that works in place must not reach the other sizes
                learner.fit(curve.X.copy(), curve.y.copy())
                seconds += time.perf_counter() - start
                fits.append(_HereFit(FittedCurve([learner]), curve.sizes[-1]))
        return Fits(tuple(fits), seconds, "".join(warning))

    def peak_memory(self) -> int | None:
        """Largest memory of this process since the learner was made."""
        return machine.peak_memory()


def plain_report(report: FitReport) -> FitReport:
    """What an estimator says of its fit, as plain data within the bounds of the store.

    Raises
    ------
    ValueError
        An unknown status, or numbers that are none.
    """
    if report.status not in tuple(RowStatus):
        raise ValueError(refusal("fit_report_.status", report.status, ", ".join(RowStatus)))
    return FitReport(
        steps=None if report.steps is None else whole_number("fit_report_.steps", report.steps),
        flops=None if report.flops is None else number("fit_report_.flops", report.flops),
        hyperparameters=plain_data(report.hyperparameters),
        status=str(report.status),
        reason=one_line(report.reason),
        health={one_line(k): number(f"fit_report_.health[{k!r}]", v) for k, v in report.health.items()},
    )


def _is_classifier(learner: Any) -> bool:
    # sklearn starts slowly, and a learner of its kind has imported it
    from sklearn.base import is_classifier

    try:
        return bool(is_classifier(learner))
    except AttributeError:
        return False  # no scikit-learn estimator, and what else has fit and predict is a regressor


def _takes_several_outputs(learner: Any) -> bool:
    # as above
    from sklearn.utils import get_tags

    try:
        return bool(get_tags(learner).target_tags.multi_output)
    except (AttributeError, TypeError):
        return False


def _unfitted(learner: Any, random_state: int) -> Any:
    # as above
    from sklearn.base import clone

    copy = clone(learner)
    if "random_state" in copy.get_params():
        copy.set_params(random_state=random_state)
    return copy


def seed_global_generators(seed: int) -> None:
    """Tie the global generators to the replicate.

    Nothing of ours uses them, but a foreign estimator without ``random_state`` may, and its
    numbers must not depend on what its worker did before.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
