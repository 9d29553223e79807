"""From a suite to its units of work, each under a key that covers all its numbers depend on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hierbench.benchmarks.provenance.fingerprint import digest, fingerprint
from hierbench.benchmarks.provenance.modules import default_of, takes
from hierbench.benchmarks.suites.fixed_sizes import STAGE, sizes_of_cell
from hierbench.benchmarks.suites.suite import LearnerEntry, Suite, facts_of, learner_spec
from hierbench.benchmarks.units import experiments
from hierbench.benchmarks.units.experiment_unit import ExperimentUnit
from hierbench.benchmarks.units.rows import Replicate, metric_of
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Unit
from hierbench.benchmarks.units.vocabulary import (
    Axes,
    CertificateAxes,
    CurveAxes,
    Execution,
    ExperimentAxes,
    LearnerSpec,
    TargetSpec,
    UnitKind,
)
from hierbench.checks import is_real
from hierbench.errors import UserError
from hierbench.learners import registry as learner_registry
from hierbench.learners.base import Cost, Descriptor, Term
from hierbench.targets import registry as target_registry
from hierbench.targets.modifiers import modifiers

CURVE_CODE = "hierbench.benchmarks.units.compute_curves"
CERTIFICATE_CODE = "hierbench.benchmarks.units.draw"  # which target an index stands for
_LIBRARIES = 1.5e9  # bytes of a GPU that a process and its blocks take besides matrices
EXECUTION: Execution = {"device": "cpu", "mode": "eager", "threads": 1}


@dataclasses.dataclass(frozen=True)
class Plan:
    """All units of a suite, in the order of the suite.

    ``urgent``: by the key of a unit that others wait for, their cost and its own.
    """

    suite: Suite
    curves: tuple[CurveUnit, ...]
    certificates: tuple[CertificateUnit, ...]
    urgent: Mapping[str, float] = dataclasses.field(default_factory=dict)
    experiments: tuple[ExperimentUnit, ...] = ()

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units: certificates first, since adaptive stages wait for them."""
        return self.certificates + self.curves + self.experiments


def key_of(axes: Axes) -> tuple[str, str, dict[str, str]]:
    """Key of a unit under the present code, with the code's fingerprint and library versions.

    Raises
    ------
    ValueError
        The learner, the target family or the experiment no longer exists.
    """
    code, versions = fingerprint(*roots_of(axes))
    return digest([axes, code, versions]), code, versions


def roots_of(axes: Axes) -> list[str]:
    """Modules whose code, with all that they import, a unit's key covers."""
    if axes["kind"] == UnitKind.EXPERIMENT:
        module = experiments.module_of(axes["experiment"])
        return [module, *experiments.EXPERIMENTS[axes["experiment"]].code]
    family = axes["target"]["family"]
    roots = [target_module(family), *modifier_modules(axes["target"]["parameters"])]
    if family not in target_registry.FAMILIES:
        roots.append("hierbench.targets.held")  # makes float64 of what others give
    if "learner" in axes:
        roots += [learner_module(axes["learner"]["name"]), CURVE_CODE]
    else:
        roots.append(CERTIFICATE_CODE)
    return roots


def learner_module(name: str) -> str:
    """Module that defines a learner, given by its registered name or import path."""
    return learner_registry.resolve(name).path.partition(":")[0]


def target_module(family: str) -> str:
    """Module that defines a target family."""
    return target_registry.family(family).path.partition(":")[0]


def modifier_modules(params: Mapping[str, Any]) -> list[str]:
    """Modules behind the modifiers among a target's parameters: none where none is in use."""
    return ["hierbench.targets.modifiers.modifiers"] if modifiers.in_use(params) else []


def make_plan(suite: Suite) -> Plan:
    """Enumerate the units of a suite."""
    try:
        curves, certificates = tuple(_curves(suite)), tuple(_certificates(suite))
        curves += tuple(_at_fixed_sizes(suite, curves))
        return Plan(suite, curves, certificates, experiments=tuple(_experiments(suite)))
    except ValueError as error:
        raise UserError(f"suite {suite.name}: {error}") from error


def _curves(suite: Suite) -> Iterable[CurveUnit]:

    for run in suite.runs:
        test = suite.test_of(run)
        for learner, target, d in run.cells():
            entry, target_entry = suite.learner(learner), suite.target(target)
            descriptor = learner_registry.resolve(entry.learner)
            spec = learner_spec(entry, target_entry, d)
            facts = facts_of(target_entry.family, d, target_entry.params)
            traces = suite.traces and "traces" in descriptor.capabilities
            for block, replicates in enumerate(run.blocks()):
                sizes = tuple(run.sizes.sizes(d, r.sample) for r in replicates)
                axes: CurveAxes = {
                    "kind": UnitKind.CURVES,
                    "learner": spec,
                    "target": target_entry.spec(),
                    "d": d,
                    "replicates": [dataclasses.astuple(r) for r in replicates],
                    "sizes": sizes,
                    "test": dataclasses.asdict(test),
                    "traces": traces,
                    "dtype": descriptor.dtype,
                    **EXECUTION,
                }
                key, code, versions = key_of(axes)
                cost, memory, card = _estimates(entry, spec, target_entry.spec(), sizes, d, test.max)
                yield CurveUnit(
                    key=key,
                    axes=axes,
                    code=code,
                    versions=versions,
                    suite=suite.name,
                    learner=learner,
                    learner_spec=spec,
                    target=target,
                    target_spec=target_entry.spec(),
                    d=d,
                    block=block,
                    stage=0,
                    replicates=replicates,
                    sizes=sizes,
                    metric=metric_of(facts.classes),
                    test_min=test.min,
                    test_max=test.max,
                    traces=traces,
                    cost=cost,
                    memory=memory,
                    card=card,
                )


def later_stage(
    suite: Suite,
    unit: CurveUnit,
    stage: int,
    replicates: tuple[Replicate, ...],
    sizes: tuple[tuple[int, ...], ...],
) -> CurveUnit:
    """The unit's cell and block at other sizes, for those of its replicates that have any."""
    axes: CurveAxes = {
        **unit.axes,
        "replicates": [dataclasses.astuple(r) for r in replicates],
        "sizes": sizes,
    }
    key, code, versions = key_of(axes)
    cost, memory, card = _estimates(
        suite.learner(unit.learner), unit.learner_spec, unit.target_spec, sizes, unit.d, unit.test_max
    )
    return dataclasses.replace(
        unit, key=key, axes=axes, code=code, versions=versions, stage=stage, replicates=replicates,
        sizes=sizes, cost=cost, memory=memory, card=card,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FixedSizeUnit(CurveUnit):
    """One block of replicates at one size that all of them share."""

    def title(self) -> str:
        """Say learner, target, d, n and block."""
        return f"{self.learner} on {self.target}, d = {self.d}, n = {self.sizes[0][0]}, block {self.block}"


def _at_fixed_sizes(suite: Suite, curves: Sequence[CurveUnit]) -> Iterable[FixedSizeUnit]:
    """A unit for each block and size: another size changes no number of those that there are."""
    largest = suite.largest_sizes()
    for unit in curves:
        cell = unit.learner, unit.target, unit.d
        for n in sizes_of_cell(suite.fixed, cell, largest[cell]):
            sizes = tuple((n,) for _ in unit.replicates)
            yield FixedSizeUnit(**vars(later_stage(suite, unit, STAGE, unit.replicates, sizes)))


def _certificates(suite: Suite) -> Iterable[CertificateUnit]:
    seen = set()
    for run in suite.runs:
        for target in run.targets:
            entry = suite.target(target)
            for d in run.d:
                for index in sorted({r.target for r in run.replicates}):
                    if (target, d, index) in seen:
                        continue
                    seen.add((target, d, index))
                    axes: CertificateAxes = {
                        "kind": UnitKind.CERTIFICATE,
                        "target": entry.spec(),
                        "d": d,
                        "index": index,
                    }
                    key, code, versions = key_of(axes)
                    yield CertificateUnit(
                        key, axes, code, versions, suite.name, target, entry.spec(), d, index, cost=1.0
                    )


def _experiments(suite: Suite) -> Iterable[ExperimentUnit]:
    for entry in suite.experiments:
        for parameters in entry.units():
            axes: ExperimentAxes = {
                "kind": UnitKind.EXPERIMENT,
                "experiment": entry.experiment,
                "parameters": parameters,
                **EXECUTION,
            }
            key, code, versions = key_of(axes)
            over = {name: parameters[name] for name in entry.over}
            yield ExperimentUnit(key, axes, code, versions, suite.name, entry.label, over, cost=entry.seconds)


_SETTLED = ("width", "first_width", "learning_rate")
_UNKNOWN_COST = Cost((Term(1e-6, n=1, d=1),), fixed=0.02)
"""Of a learner by import path: that of a linear fit."""


def _scores(descriptor: Descriptor, target: TargetSpec, d: int) -> int:
    """Fits that stand for one: of a score for each class, where classes have no order.

    One for a learner that takes several outputs, and for one by import path, of which nobody knows whether
    it is a classifier before it is imported.
    """
    facts = facts_of(target["family"], d, target["parameters"])
    apart = facts.nominal and descriptor.cost is not None
    return len(facts.classes) if apart and "several_outputs" not in descriptor.capabilities else 1


def _estimates(
    entry: LearnerEntry,
    spec: LearnerSpec,
    target: TargetSpec,
    sizes: Sequence[tuple[int, ...]],
    d: int,
    test: int,
) -> tuple[float, float, float]:
    """Core-seconds of a unit, and its bytes of the machine and of a GPU."""
    descriptor = learner_registry.resolve(spec["name"])
    scores = _scores(descriptor, target, d)
    cost = scores * _cost(descriptor, entry.seconds, sizes, d, spec["parameters"])
    return cost, *_memory(descriptor, spec, sizes, d, test, scores)


def _cost(
    descriptor: Descriptor,
    seconds: float | None,
    sizes: Sequence[tuple[int, ...]],
    d: int,
    parameters: Mapping[str, Any],
) -> float:
    """Estimate the core-seconds of a unit: enough to start long units first, and to say when the run ends."""
    if seconds is not None:
        shared = descriptor.cost is not None and descriptor.cost.shared
        return Cost((), fixed=seconds, shared=shared)(sizes, d)
    steps = parameters.get("steps")
    valid = isinstance(steps, int) and steps > 0  # what is not is refused by the learner itself
    law, factor = descriptor.cost or _UNKNOWN_COST, parameters.get("step_factor", 1.0)
    if is_real(factor) and factor > 0:
        law = dataclasses.replace(law, step_factor=law.step_factor * factor)
    return _candidates(descriptor.path, parameters) * law(sizes, d, steps if valid else None)


def _candidates(path: str, parameters: Mapping[str, Any]) -> float:
    """How many times the candidates that a class tries by default the lists among its parameters make.

    Of those whose default lists candidates, and of widths and rates that nets settle one of by default.
    """
    ratio = 1.0
    for name, values in parameters.items():
        default = default_of(path, name)
        usual = len(default) if isinstance(default, tuple) else name in _SETTLED and takes(path, name)
        if usual:
            ratio *= max(1, len(values) if isinstance(values, list | tuple) else 1) / usual
    return ratio


def _memory(
    descriptor: Descriptor,
    spec: LearnerSpec,
    sizes: Sequence[tuple[int, ...]],
    d: int,
    test: int,
    scores: int,
) -> tuple[float, float]:
    """Estimate the bytes of a unit: its data and, where the learner has a law, the largest fit.

    Of the machine, and of the GPU where the learner is told to be there.
    """
    largest, law = [max(one) for one in sizes], descriptor.memory
    copies = scores if "fit_curves" in descriptor.capabilities else 1  # of each training set, one a score
    data = 8.0 * (d + 1) * ((1 + copies) * sum(largest) + 2 * test)
    fit = law(max(largest), d) if law else 0.0
    if spec["parameters"].get("device", "cpu") == "cpu":
        return data + fit, 0.0
    return data, data + (fit + _LIBRARIES if descriptor.card is None else descriptor.card)
