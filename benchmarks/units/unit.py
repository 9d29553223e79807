"""The units of work, as plain data that can be sent to a worker."""

from __future__ import annotations

import abc
import dataclasses
import enum

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.units.plain import one_line
from hierbench.benchmarks.units.rows import Replicate, Row
from hierbench.benchmarks.units.vocabulary import (
    Axes,
    CertificateAxes,
    CertificateFields,
    CurveAxes,
    LearnerSpec,
    TargetSpec,
)
from hierbench.learners.registry import resolve


class UnitStatus(enum.StrEnum):
    """What came of a unit; the next run tries again those that are not done."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"


class Unit(abc.ABC):
    """What all kinds of units have, and what runner, store and status ask of one.

    Attributes
    ----------
    key : str
        Hash of ``axes``, code and library versions.
    axes : dict
        What the key is made of besides code and versions.
    cost : float
        Estimated core-seconds.
    memory, card : float
        Estimated bytes of the machine's memory, 0 where unknown, and of that of its ``device``.
    """

    key: str
    axes: Axes
    code: str
    versions: dict[str, str]
    suite: str
    cost: float
    memory: float = 0.0
    card: float = 0.0

    @property
    def device(self) -> str:
        """Return the GPU that it is computed on, or "cpu"."""
        return "cpu"

    @abc.abstractmethod
    def title(self) -> str:
        """Say which unit of its suite it is."""

    @abc.abstractmethod
    def cell(self) -> str:
        """Say what it has in common with the units that ``hierbench status`` counts together."""

    @abc.abstractmethod
    def pace(self) -> str:
        """Say with which units it shares the ratio of seconds to estimated cost."""

    def without_numbers(self, status: str, reason: str, seconds: float = 0.0) -> Result:
        """Make the result of a unit that could not be computed."""
        return Result(status, reason, seconds=seconds)


@dataclasses.dataclass(frozen=True)
class CurveUnit(Unit):
    """One block of replicates of one learner, target and d, at the sizes of one stage.

    ``axes`` is what the key is made of besides code and versions; the labels beside it only say
    how the suite calls these things.
    """

    key: str
    axes: CurveAxes
    code: str
    versions: dict[str, str]
    suite: str
    learner: str
    learner_spec: LearnerSpec
    target: str
    target_spec: TargetSpec
    d: int
    block: int
    stage: int
    replicates: tuple[Replicate, ...]
    sizes: tuple[tuple[int, ...], ...]
    metric: str
    test_min: int
    test_max: int
    traces: bool
    cost: float  # estimated seconds, for the order of work and the ETA
    memory: float = 0.0
    card: float = 0.0

    @property
    def device(self) -> str:
        """Return what its learner is told, "cpu" where that is nothing."""
        return str(self.learner_spec["parameters"].get("device", "cpu"))

    @property
    def is_foreign(self) -> bool:
        """Whether the learner is none of ours, so that it gets a process of its own."""
        return not resolve(self.learner_spec["name"]).path.startswith("hierbench.learners.")

    def title(self) -> str:
        """Say learner, target, d, block and stage."""
        stage = f" stage {self.stage}" if self.stage else ""
        return f"{self.learner} on {self.target}, d = {self.d}, block {self.block}{stage}"

    def cell(self) -> str:
        """Say learner, target and d."""
        return f"{self.learner} on {self.target}, d = {self.d}"

    def pace(self) -> str:
        """Share the pace with the units of the same learner."""
        return self.learner

    def without_numbers(self, status: str, reason: str, seconds: float = 0.0) -> Result:
        """Make a result whose rows say why they have no error."""
        return Result(status, reason, rows=empty_rows(self, status, reason), seconds=seconds)


@dataclasses.dataclass(frozen=True)
class CertificateUnit(Unit):
    """The certificate of one drawn target."""

    key: str
    axes: CertificateAxes
    code: str
    versions: dict[str, str]
    suite: str
    target: str
    target_spec: TargetSpec
    d: int
    target_index: int
    cost: float

    def title(self) -> str:
        """Say target, d and which of the drawn targets."""
        return f"certificate of {self.target}, d = {self.d}, target {self.target_index}"

    def cell(self) -> str:
        """Say target and d."""
        return f"certificate on {self.target}, d = {self.d}"

    def pace(self) -> str:
        """Share the pace with all certificates."""
        return "certificate"


@dataclasses.dataclass(frozen=True)
class Trace:
    """Test error of one (curve, n) at one step of its training, on the smallest test set."""

    key: str  # of the row that it belongs to
    unit: str
    learner: str
    target: str
    d: int
    target_index: int
    sample_index: int
    init_index: int
    n: int
    step: int
    error: float | None


@dataclasses.dataclass(frozen=True)
class Result:
    """What a worker hands back.

    status : a ``UnitStatus``
    log : what the unit printed.
    compiling : seconds of ``seconds`` that went into compilation by jax.
    dependencies : what the numbers depend on besides the key (``{}``: nothing). ``versions`` of the
        distributions that a foreign learner had loaded, ``files`` by path with their sha256: those that it or
        a foreign target read, sources that no import names among them.
    """

    status: str
    reason: str = ""
    rows: tuple[Row, ...] = ()
    traces: tuple[Trace, ...] = ()
    certificate: CertificateFields | None = None
    seconds: float = 0.0
    log: str = ""
    dependencies: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    compiling: float = 0.0


def row_key(unit: str, replicate: Replicate, n: int) -> str:
    """Key of one row: its unit's, the replicate and n."""
    return digest([unit, replicate.target, replicate.sample, replicate.init, n])


def empty_row(unit: CurveUnit, replicate: Replicate, n: int, status: str, reason: str) -> Row:
    """Row for which nothing was measured (yet)."""
    return Row(
        key=row_key(unit.key, replicate, n),
        unit=unit.key,
        suite=unit.suite,
        learner=unit.learner,
        learner_spec=unit.learner_spec,
        target=unit.target,
        target_spec=unit.target_spec,
        d=unit.d,
        block=unit.block,
        stage=unit.stage,
        target_index=replicate.target,
        sample_index=replicate.sample,
        init_index=replicate.init,
        n=n,
        status=status,
        reason=one_line(reason),
        metric=unit.metric,
        error=None,
        error_se=None,
        top10_share=None,
        n_test=None,
        train_error=None,
        steps=None,
        flops=None,
        hyperparameters={},
        health={},
        fit_seconds=None,
        predict_seconds=None,
        timing="standalone",
        peak_memory_bytes=None,
        code=unit.code,
        versions=unit.versions,
        machine=machine.identity(unit.device),
    )


def empty_rows(unit: CurveUnit, status: str, reason: str) -> tuple[Row, ...]:
    """All rows of a unit for which nothing was measured."""
    pairs = zip(unit.replicates, unit.sizes, strict=True)
    return tuple(empty_row(unit, replicate, n, status, reason) for replicate, sizes in pairs for n in sizes)
