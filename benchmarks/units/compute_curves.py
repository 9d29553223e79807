"""What a worker computes: the rows of one unit. Every number of the store is made here."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hierbench.benchmarks.units import seeds
from hierbench.benchmarks.units.draw import TestSet, draw_sample, draw_target, random_state
from hierbench.benchmarks.units.fitting import Fit, Fits, Fitting, Here, LearnerGoneError
from hierbench.benchmarks.units.metric import ErrorEstimate, error_of, plain_error
from hierbench.benchmarks.units.one_score_a_class import OneScoreAClass
from hierbench.benchmarks.units.plain import one_line, one_line_of
from hierbench.benchmarks.units.rows import Metric, Replicate, Row, RowStatus
from hierbench.benchmarks.units.unit import (
    CertificateUnit,
    CurveUnit,
    Result,
    Trace,
    UnitStatus,
    empty_row,
    empty_rows,
    row_key,
)
from hierbench.learners.base import Curve
from hierbench.targets.base import Target


def run_certificate(unit: CertificateUnit) -> Result:
    """Certificate of one target, as plain data."""
    start = time.perf_counter()
    certificate = draw_target(unit.target_spec, unit.d, unit.target_index).certificate().to_json()
    return Result(UnitStatus.DONE, certificate=certificate, seconds=time.perf_counter() - start)


def draw_targets(unit: CurveUnit) -> dict[int, Target]:
    """Targets of a unit's replicates, by index."""
    indices = sorted({r.target for r in unit.replicates})
    return {i: draw_target(unit.target_spec, unit.d, i) for i in indices}


class Block:
    """Targets, samples and test sets of a unit's curves, shared where the indices agree.

    Regressors are trained on the values of the labels and judged on the nearest one, unless the classes
    have no order (``OneScoreAClass``). A ``classifier`` gets the classes numbered from 0, whole numbers that
    every one takes, and is judged on these.
    """

    def __init__(self, unit: CurveUnit, targets: Mapping[int, Target], classifier: bool) -> None:
        self.unit = unit
        self.targets = targets
        spec, d = unit.target_spec, unit.d
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

    def test_piece(self, target: int, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, labels and weights of one piece of a test set."""
        X, y, weights = self.tests[target].piece(i)
        return X, self._labels(y), weights

    def test_points(self, target: int, pieces: int) -> int:
        """Number of points in the first pieces of a test set."""
        return self.tests[target].start(pieces)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        return y if self.coded is None else np.searchsorted(self.coded, y).astype(float)


def run_curves(unit: CurveUnit, fitting: Fitting | None = None) -> Result:
    """All rows of a unit; a size whose fit fails is a row that says so.

    Parameters
    ----------
    unit : CurveUnit
    fitting : Fitting, optional
        The unit's learner; by default one in this process.

    Raises
    ------
    LearnerGoneError
        Of a learner in another process.
    Exception
        What a learner raises that fits all sizes at once.
    """
    start = time.perf_counter()
    fitting = fitting or Here(unit.learner_spec["name"], unit.learner_spec["parameters"])
    targets = draw_targets(unit)
    one = next(iter(targets.values()))
    if one.nominal and not fitting.is_classifier:
        fitting = OneScoreAClass(fitting, len(one.classes))
    if fitting.is_classifier and unit.metric != Metric.MISCLASSIFICATION:
        reason = "a classifier, and the labels of this target are real numbers"
        return Result(UnitStatus.DONE, rows=empty_rows(unit, RowStatus.SKIPPED, reason))
    block = Block(unit, targets, fitting.is_classifier)
    traces: list[Trace] = []
    rows = (
        _together(unit, block, fitting, traces) if fitting.fits_curves else _one_by_one(unit, block, fitting)
    )
    failed = [r for r in rows if r.status == RowStatus.FAILED]
    return Result(
        status=UnitStatus.FAILED if failed else UnitStatus.DONE,
        reason=failed[0].reason if failed else "",
        rows=tuple(rows),
        traces=tuple(traces),
        seconds=time.perf_counter() - start,
    )


def _together(unit: CurveUnit, block: Block, fitting: Fitting, traces: list[Trace]) -> list[Row]:
    trace = functools.partial(_trace, unit, block, traces) if unit.traces else None
    fitted = fitting.fit_curves(block.curves, trace)
    seconds = fitted.seconds / sum(len(c.sizes) for c in block.curves)
    timing = _timing("amortised", fitted)
    rows = []
    for replicate, curve, fit in zip(unit.replicates, block.curves, fitted.fits, strict=True):
        for row in _evaluate(unit, block, replicate, curve, fit):
            reason = row.reason or fitted.warning or fit.warning
            rows.append(replace(row, fit_seconds=seconds, timing=timing, reason=reason))
    peak = fitting.peak_memory()
    return [replace(row, peak_memory_bytes=peak) for row in rows]


def _one_by_one(unit: CurveUnit, block: Block, fitting: Fitting) -> list[Row]:
    rows: list[Row] = []
    for replicate, curve in zip(unit.replicates, block.curves, strict=True):
        for n in curve.sizes:
            prefix = Curve(curve.X[:n], curve.y[:n], (n,), curve.random_state)
            try:
                fitted = fitting.fit([prefix])
                (fit,) = fitted.fits
                (row,) = _evaluate(unit, block, replicate, prefix, fit)
                reason = row.reason or fitted.warning or fit.warning
                timing = _timing("standalone", fitted)
                row = replace(row, fit_seconds=fitted.seconds, timing=timing, reason=reason)
            except LearnerGoneError:
                raise
            except Exception as error:
                row = empty_row(unit, replicate, n, RowStatus.FAILED, one_line_of(error))
            rows.append(replace(row, peak_memory_bytes=fitting.peak_memory()))
    return rows


def _timing(kind: str, fitted: Fits) -> str:
    return f"{kind}, {fitted.threads + 1} threads" if fitted.threads else kind


def _evaluate(unit: CurveUnit, block: Block, replicate: Replicate, curve: Curve, fit: Fit) -> list[Row]:
    """Row of every size of one curve. The test set grows until the whole curve is known to 10 %."""
    seconds = 0.0
    predictions: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    estimates: list[ErrorEstimate | None] = []
    piece = 0
    while True:
        X, y, w = block.test_piece(replicate.target, piece)
        start = time.perf_counter()
        predictions.append(fit.predict(X))
        seconds += time.perf_counter() - start
        labels.append(y)
        weights.append(w)
        everything, all_labels = np.concatenate(predictions, axis=1), np.concatenate(labels)
        all_weights = np.concatenate(weights)
        with np.errstate(over="ignore", invalid="ignore"):
            estimates = [_finite(error_of(p, all_labels, block.classes, all_weights)) for p in everything]
        piece += 1
        if block.test_points(replicate.target, piece + 1) > unit.test_max or not any(
            e and e.unreliable for e in estimates
        ):
            break
    on_training = fit.predict(curve.X)
    rows = []
    for i, (n, estimate, report) in enumerate(zip(curve.sizes, estimates, fit.reports, strict=True)):
        row = empty_row(unit, replicate, n, RowStatus.OK, "")
        status, reason = report.status, report.reason
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
            steps=report.steps,
            flops=report.flops,
            hyperparameters=dict(report.hyperparameters),
            health=dict(report.health),
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


def _trace(unit: CurveUnit, block: Block, traces: list[Trace], step: int, fits: Sequence[Fit]) -> None:
    """Add the test error of every curve and size on the smallest test set."""
    for replicate, curve, fit in zip(unit.replicates, block.curves, fits, strict=True):
        X, y, weights = block.test_piece(replicate.target, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = [plain_error(p, y, block.classes, weights) for p in fit.predict(X)]
        for n, error in zip(curve.sizes, errors, strict=True):
            traces.append(
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
