"""What units, keys and rows are described in: kinds, specifications, axes. Their texts are what is stored."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, final

Parameters = dict[str, Any]
"""Parameters by name, of a learner, a target family or an experiment: each has its own."""

CertificateFields = dict[str, Any]
"""A certificate as plain data: ``Certificate.to_json``."""


class UnitKind(enum.StrEnum):
    """What a unit computes: the first axis of its key."""

    CURVES = "curves"
    CERTIFICATE = "certificate"
    EXPERIMENT = "experiment"


class LearnerSpec(TypedDict):
    """A learner by its registered name or import path, and the parameters of its constructor."""

    name: str
    parameters: Parameters


class TargetSpec(TypedDict):
    """A target family and its parameters, without d and seed."""

    family: str
    parameters: Parameters


class Execution(TypedDict):
    """How numbers are computed."""

    device: str
    mode: str
    threads: int


@final
class CurveAxes(Execution):
    """Axes of a block of replicates of one learner, target and d."""

    kind: Literal[UnitKind.CURVES]
    learner: LearnerSpec
    target: TargetSpec
    d: int
    replicates: Sequence[Sequence[int]]  # target, sample, initialisation
    sizes: Sequence[Sequence[int]]  # of each replicate
    test: Mapping[str, int]  # smallest and largest test set
    traces: bool
    dtype: str


@final
class CertificateAxes(TypedDict):
    """Axes of the certificate of one drawn target."""

    kind: Literal[UnitKind.CERTIFICATE]
    target: TargetSpec
    d: int
    index: int


@final
class ExperimentAxes(Execution):
    """Axes of one call of an experiment."""

    kind: Literal[UnitKind.EXPERIMENT]
    experiment: str
    parameters: Parameters


Axes = CurveAxes | CertificateAxes | ExperimentAxes
"""What the key of a unit is made of besides code and versions."""
