"""The units of work, as plain data that can be sent to a worker."""

from __future__ import annotations

import dataclasses
from typing import Any

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.units.rows import Replicate, Row


@dataclasses.dataclass(frozen=True)
class CurveUnit:
    """One block of replicates of one learner, target and d, at the sizes of one stage.

    ``axes`` is what the key is made of besides code and versions; the labels beside it only say
    how the suite calls these things.
    """

    key: str
    axes: dict[str, Any]
    code: str
    versions: dict[str, str]
    suite: str
    learner: str
    learner_spec: dict[str, Any]
    target: str
    target_spec: dict[str, Any]
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

    def title(self) -> str:
        stage = f" stage {self.stage}" if self.stage else ""
        return f"{self.learner} on {self.target}, d = {self.d}, block {self.block}{stage}"


@dataclasses.dataclass(frozen=True)
class CertificateUnit:
    """The certificate of one drawn target."""

    key: str
    axes: dict[str, Any]
    code: str
    versions: dict[str, str]
    suite: str
    target: str
    target_spec: dict[str, Any]
    d: int
    target_index: int
    cost: float

    def title(self) -> str:
        return f"certificate of {self.target}, d = {self.d}, target {self.target_index}"


Unit = CurveUnit | CertificateUnit


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

    status : ``"done"``, ``"failed"`` or ``"timeout"``; the last two are tried again by the next run.
    """

    status: str
    reason: str = ""
    rows: tuple[Row, ...] = ()
    traces: tuple[Trace, ...] = ()
    certificate: dict[str, Any] | None = None
    seconds: float = 0.0


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
        machine=machine.identity(),
    )


def empty_rows(unit: CurveUnit, status: str, reason: str) -> tuple[Row, ...]:
    """All rows of a unit for which nothing was measured."""
    pairs = zip(unit.replicates, unit.sizes, strict=True)
    return tuple(empty_row(unit, replicate, n, status, reason) for replicate, sizes in pairs for n in sizes)


def one_line(text: str) -> str:
    return " ".join(text.split())


def one_line_of(error: BaseException) -> str:
    """One line for an exception."""
    return one_line(f"{type(error).__name__}: {error}").removesuffix(":")
