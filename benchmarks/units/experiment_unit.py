"""The units of experiments.

What curves are computed with does not import this module, so that no row depends on what experiments
there are.
"""

from __future__ import annotations

import dataclasses

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.unit import Result, Unit
from hierbench.benchmarks.units.vocabulary import ExperimentAxes, Parameters


@dataclasses.dataclass(frozen=True)
class ExperimentUnit(Unit):
    """One call of an experiment.

    Attributes
    ----------
    axes : dict
        What the key is made of besides code and versions: the experiment and all its parameters.
    experiment : str
        Its label in the suite.
    over : dict
        The parameters that tell the units of one label apart.
    cost : float
        Estimated seconds.
    """

    key: str
    axes: ExperimentAxes
    code: str
    versions: dict[str, str]
    suite: str
    experiment: str
    over: Parameters
    cost: float

    def title(self) -> str:
        """Say the label and the parameters that tell its units apart."""
        return ", ".join([self.experiment, *(f"{name} = {value}" for name, value in self.over.items())])

    def cell(self) -> str:
        """Say the label of the experiment."""
        return f"experiment {self.experiment}"

    def pace(self) -> str:
        """Share the pace with the units of the same experiment."""
        return self.cell()


@dataclasses.dataclass(frozen=True)
class ExperimentResult(Result):
    """What an experiment hands back, and the machine that it was computed on."""

    measurements: tuple[Measurement, ...] = ()
    machine: dict[str, str] = dataclasses.field(default_factory=machine.identity)
