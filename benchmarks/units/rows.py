"""What one measurement is: the replicate, the unit of work and the row."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from hierbench.benchmarks.units.vocabulary import LearnerSpec, Parameters, TargetSpec


class RowStatus(enum.StrEnum):
    """What came of one (curve, n); all but the first two have a reason and no error that counts.

    ``OK`` rows enter n*, and ``UNRELIABLE`` ones where they say on which side of eps they lie
    (``sample_complexity.decides``).
    """

    OK = "ok"
    UNRELIABLE = "unreliable"
    """The test error's relative standard error is above 10 % at the largest test set."""
    DIVERGED = "diverged"
    """The optimisation failed."""
    TIMEOUT = "timeout"
    """Wall clock."""
    SKIPPED = "skipped"
    """The learner does not apply."""
    FAILED = "failed"
    """An exception."""


STATUSES = tuple(RowStatus)
FITTED = (RowStatus.OK, RowStatus.UNRELIABLE)
"""Of rows with an error that the fit deserves."""


class Metric(enum.StrEnum):
    """What an error is."""

    RELATIVE_MSE = "relative MSE"
    """Of regression: mean squared error over the variance of the label, which is 1."""
    MISCLASSIFICATION = "misclassification"
    """Of classification: the share of wrong labels."""


REPLICATES_PER_BLOCK = 4


def metric_of(classes: Sequence[float]) -> Metric:
    """The metric of targets whose labels have these classes (none: regression)."""
    return Metric.MISCLASSIFICATION if len(classes) else Metric.RELATIVE_MSE


@dataclasses.dataclass(frozen=True, order=True)
class Replicate:
    """Which target, training sample and initialisation: three independent indices.

    Replicate r of a plain suite is (r, r, r); a crossed cell asks for other triples.
    """

    target: int
    sample: int
    init: int


@dataclasses.dataclass(frozen=True)
class Row:
    """One (curve, n). Field order is the column order of the store.

    The first group says what was asked for, the second what was found, the third what it
    cost (the only columns that may differ between two runs on one machine), the fourth where.
    """

    key: str  # hash of everything the numbers depend on
    unit: str  # hash of the unit (block, stage) that it was computed in
    suite: str
    learner: str  # label, unique within a suite
    learner_spec: LearnerSpec  # with what the target fills in
    target: str  # label, unique within a suite
    target_spec: TargetSpec
    d: int
    block: int
    stage: int
    target_index: int
    sample_index: int
    init_index: int
    n: int

    status: str
    reason: str
    metric: str  # what the errors are: a Metric
    error: float | None  # test error, against noise-free labels
    error_se: float | None  # its standard error
    top10_share: float | None  # of a relative MSE: share of its ten largest points
    n_test: int | None
    train_error: float | None
    steps: int | None
    flops: float | None
    hyperparameters: Parameters
    health: dict[str, float]

    fit_seconds: float | None
    predict_seconds: float | None
    timing: str  # "standalone" or "amortised" (the unit's time split over its rows)
    peak_memory_bytes: int | None

    code: str  # fingerprint of the code of learner, target, engines and metric
    versions: dict[str, str]
    machine: dict[str, str]

    @property
    def replicate(self) -> Replicate:
        """Which target, training sample and initialisation."""
        return Replicate(self.target_index, self.sample_index, self.init_index)
