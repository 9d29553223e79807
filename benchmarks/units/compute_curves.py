"""What a worker computes: the rows of one unit. Every number of the store is made here."""

from __future__ import annotations

import math
import random
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.units import seeds
from hierbench.benchmarks.units.draw import TestSet, draw_sample, draw_target, random_state
from hierbench.benchmarks.units.metric import ErrorEstimate, error_of, plain_error
from hierbench.benchmarks.units.rows import STATUSES, Metric, Replicate, Row, RowStatus
from hierbench.benchmarks.units.unit import (
    CertificateUnit,
    CurveUnit,
    Result,
    Trace,
    UnitStatus,
    empty_row,
    empty_rows,
    one_line,
    one_line_of,
    row_key,
)
from hierbench.errors import refusal
from hierbench.learners.base import Curve, FitReport, FittedCurve
from hierbench.learners.registry import load

PREDICTED_ENTRIES = 2**25
"""Inputs are predicted in slices, so that a kernel matrix (slice x n) stays below 256 MiB."""


def run_certificate(unit: CertificateUnit) -> Result:
    """Certificate of one target, as plain data."""
    start = time.perf_counter()
    certificate = draw_target(unit.target_spec, unit.d, unit.target_index).certificate().to_json()
    return Result(UnitStatus.DONE, certificate=certificate, seconds=time.perf_counter() - start)


class Block:
    """Targets, samples and test sets of a unit's curves, shared where the indices agree.

    Regressors are trained on the values of the labels and judged on the nearest one. A
    ``classifier`` gets the classes numbered from 0, whole numbers that every one takes, and
    is judged on these.
    """

    def __init__(self, unit: CurveUnit, classifier: bool) -> None:
        self.unit = unit
        spec, d = unit.target_spec, unit.d
        self.targets = {i: draw_target(spec, d, i) for i in sorted({r.target for r in unit.replicates})}
        self.tests = {
            i: TestSet(t, unit.test_min, seeds.generator("test", **spec, d=d, index=i))
            for i, t in self.targets.items()
        }
        values = next(iter(self.targets.values())).classes
        self.coded = np.array(values) if classifier else None
        self.classes = tuple(map(float, range(len(values)))) if classifier else values
        self.curves = []
        for replicate, sizes in zip(unit.replicates, unit.sizes, strict=True):
            X, y = draw_sample(self.targets[replicate.target], spec, replicate.sample, max(sizes))
            y = self._labels(y) if self.coded is None else self._labels(y).astype(np.int64)
            self.curves.append(Curve(X, y, sizes, random_state(spec, d, replicate.init)))

    def test_piece(self, target: int, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and labels of one piece of a test set."""
        X, y = self.tests[target].piece(i)
        return X, self._labels(y)

    def test_points(self, target: int, pieces: int) -> int:
        """Number of points in the first pieces of a test set."""
        return self.tests[target].start(pieces)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        return y if self.coded is None else np.searchsorted(self.coded, y).astype(float)


def run_curves(unit: CurveUnit) -> Result:
    """All rows of a unit; what fails inside a learner is a row that says so."""
    start = time.perf_counter()
    machine.reset_peak_memory()
    learner = load(unit.learner_spec["name"])(**unit.learner_spec["parameters"])
    machine.one_thread()
    classifier = _is_classifier(learner)
    if classifier and unit.metric != Metric.MISCLASSIFICATION:
        reason = "a classifier, and the labels of this target are real numbers"
        return Result(UnitStatus.DONE, rows=empty_rows(unit, RowStatus.SKIPPED, reason))
    block = Block(unit, classifier)
    if hasattr(learner, "fit_curves"):
        rows, traces = _fast(unit, block, learner)
    else:
        rows, traces = _slow(unit, block, learner), []
    failed = [r for r in rows if r.status == RowStatus.FAILED]
    return Result(
        status=UnitStatus.FAILED if failed else UnitStatus.DONE,
        reason=failed[0].reason if failed else "",
        rows=tuple(rows),
        traces=tuple(traces),
        seconds=time.perf_counter() - start,
    )


def _is_classifier(learner: Any) -> bool:
    try:
        return bool(is_classifier(learner))
    except AttributeError:
        return False  # no scikit-learn estimator, and what else has fit and predict is a regressor


def _fast(unit: CurveUnit, block: Block, learner: Any) -> tuple[list[Row], list[Trace]]:
    recorder = _Recorder(unit, block)
    keyword = {"callback": recorder} if unit.traces else {}
    seed_global_generators(block.curves[0].random_state)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        # copies: a learner that works in place must not reach the data that scores it
        copies = [replace(c, X=c.X.copy(), y=c.y.copy()) for c in block.curves]
        fitted = learner.fit_curves(copies, **keyword)
        seconds = time.perf_counter() - start - recorder.seconds
    n_rows = sum(len(c.sizes) for c in block.curves)
    rows = []
    for replicate, curve, one in zip(unit.replicates, block.curves, fitted, strict=True):
        for row in _evaluate(unit, block, replicate, curve, one):
            rows.append(replace(row, fit_seconds=seconds / n_rows, timing="amortised"))
    return _finish(rows, caught), recorder.traces


def _slow(unit: CurveUnit, block: Block, learner: Any) -> list[Row]:
    rows: list[Row] = []
    for replicate, curve in zip(unit.replicates, block.curves, strict=True):
        for n in curve.sizes:
            one = clone(learner)
            if "random_state" in one.get_params():
                one.set_params(random_state=curve.random_state)
            seed_global_generators(curve.random_state)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start = time.perf_counter()
                try:
                    # a copy: a learner that works in place must not reach the other sizes
                    one.fit(curve.X[:n].copy(), curve.y[:n].copy())
                    seconds = time.perf_counter() - start
                    only = Curve(curve.X[:n], curve.y[:n], (n,), curve.random_state)
                    (row,) = _evaluate(unit, block, replicate, only, FittedCurve([one]))
                    row = replace(row, fit_seconds=seconds)
                except Exception as error:
                    row = empty_row(unit, replicate, n, RowStatus.FAILED, one_line_of(error))
            rows.extend(_finish([row], caught))
    return rows


def _finish(rows: Sequence[Row], caught: Sequence[Any]) -> list[Row]:
    """Rows with the peak memory and, where they have no other reason, the first warning of the fit."""
    peak = machine.peak_memory()
    warned = one_line(f"{caught[0].category.__name__}: {caught[0].message}") if caught else ""
    return [replace(row, peak_memory_bytes=peak, reason=row.reason or warned) for row in rows]


def _evaluate(
    unit: CurveUnit, block: Block, replicate: Replicate, curve: Curve, fitted: FittedCurve
) -> list[Row]:
    """Row of every size of one curve. The test set grows until the whole curve is known to 10 %."""
    seconds = 0.0
    predictions: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    estimates: list[ErrorEstimate | None] = []
    piece = 0
    while True:
        X, y = block.test_piece(replicate.target, piece)
        start = time.perf_counter()
        predicted = predict(fitted, X, curve.sizes[-1])
        seconds += time.perf_counter() - start
        predictions.append(predicted)
        labels.append(y)
        everything, all_labels = np.concatenate(predictions, axis=1), np.concatenate(labels)
        with np.errstate(over="ignore", invalid="ignore"):
            estimates = [_finite(error_of(p, all_labels, block.classes)) for p in everything]
        piece += 1
        if block.test_points(replicate.target, piece + 1) > unit.test_max or not any(
            e and e.unreliable for e in estimates
        ):
            break
    on_training = predict(fitted, curve.X, curve.sizes[-1])
    rows = []
    for i, (n, estimate) in enumerate(zip(curve.sizes, estimates, strict=True)):
        row = empty_row(unit, replicate, n, RowStatus.OK, "")
        report = getattr(fitted.estimators[i], "fit_report_", None) or FitReport()
        status, reason = report.status, report.reason
        if status not in STATUSES:
            raise ValueError(refusal("fit_report_.status", status, ", ".join(STATUSES)))
        if estimate is None:
            if status == RowStatus.OK:
                status, reason = RowStatus.DIVERGED, "predictions or their errors are not finite"
        else:
            if status == RowStatus.OK and estimate.unreliable:
                status = RowStatus.UNRELIABLE
                reason = _doubt(estimate)
            row = replace(
                row, error=estimate.error, error_se=estimate.standard_error, top10_share=estimate.top10_share
            )
        with np.errstate(over="ignore", invalid="ignore"):
            train = plain_error(on_training[i, :n], curve.y[:n], block.classes)
        row = replace(
            row,
            status=status,
            reason=one_line(reason),
            n_test=len(all_labels),
            train_error=train if math.isfinite(train) else None,
            steps=None if report.steps is None else int(report.steps),
            flops=None if report.flops is None else float(report.flops),
            hyperparameters=plain_data(report.hyperparameters),
            health={k: float(v) for k, v in report.health.items()},
            predict_seconds=seconds / len(curve.sizes),
        )
        rows.append(row)
    return rows


def _doubt(estimate: ErrorEstimate) -> str:
    if estimate.error == 0:
        return f"not one of {estimate.n_test} test points is wrong"
    return f"standard error {estimate.standard_error / estimate.error:.0%} of the error"


def _finite(estimate: ErrorEstimate) -> ErrorEstimate | None:
    return estimate if math.isfinite(estimate.error) and math.isfinite(estimate.standard_error) else None


def predict(fitted: FittedCurve, X: np.ndarray, n: int) -> np.ndarray:
    """Predictions of every size, float64 of shape (sizes, len(X)), slice by slice."""
    step = min(max(PREDICTED_ENTRIES // n, 1024), 16384)
    slices = [np.asarray(fitted.predict(X[i : i + step]), dtype=float) for i in range(0, len(X), step)]
    return np.concatenate([s.reshape(len(fitted.estimators), -1) for s in slices], axis=1)


class _Recorder:
    """Trace callback: test error of every curve and size on the smallest test set."""

    def __init__(self, unit: CurveUnit, block: Block) -> None:
        self.unit = unit
        self.block = block
        self.traces: list[Trace] = []
        self.seconds = 0.0

    def __call__(self, step: int, fitted: list[FittedCurve]) -> None:
        start = time.perf_counter()
        unit = self.unit
        for replicate, curve, one in zip(unit.replicates, self.block.curves, fitted, strict=True):
            X, y = self.block.test_piece(replicate.target, 0)
            with np.errstate(over="ignore", invalid="ignore"):
                predicted = predict(one, X, curve.sizes[-1])
                errors = [plain_error(p, y, self.block.classes) for p in predicted]
            for n, error in zip(curve.sizes, errors, strict=True):
                self.traces.append(
                    Trace(
                        key=row_key(unit.key, replicate, n),
                        unit=unit.key,
                        learner=unit.learner,
                        target=unit.target,
                        d=unit.d,
                        target_index=replicate.target,
                        sample_index=replicate.sample,
                        init_index=replicate.init,
                        n=n,
                        step=int(step),
                        error=error if math.isfinite(error) else None,
                    )
                )
        self.seconds += time.perf_counter() - start


def seed_global_generators(seed: int) -> None:
    """Tie the global generators to the replicate.

    Nothing of ours uses them, but a foreign estimator without ``random_state`` may, and its
    numbers must not depend on what its worker did before.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def plain_data(value: Any) -> Any:
    """Numbers, texts, lists and dicts only, whatever a learner reports."""
    if isinstance(value, Mapping):
        return {str(k): plain_data(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain_data(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted((plain_data(v) for v in value), key=repr)  # hash order differs by process
    if isinstance(value, (list, tuple)):
        return [plain_data(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
