"""Experiments: what a suite measures beside learning curves. Names, and how one is called."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from hierbench.benchmarks.units import experiment_parameters
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import unknown


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A function of keyword parameters that returns a list of ``Measurement``.

    Attributes
    ----------
    path : str
        ``module:function``. It is imported by workers only.
    summary : str
    code : tuple of str
        Modules that its numbers depend on besides those that it imports: the target families, which a
        registry finds by name.
    """

    path: str
    summary: str
    code: tuple[str, ...] = ("hierbench.targets.quadratic.projected", "hierbench.targets.quadratic.squares")


def _correction(name: str, summary: str) -> tuple[str, Experiment]:
    return name, Experiment(f"hierbench.benchmarks.correction.experiments.{name}:run", summary)


EXPERIMENTS: Mapping[str, Experiment] = dict(
    [
        _correction("exact_trace", "rounds of correction at exact population: feature errors against alpha"),
        _correction("exact_floors", "what layer-wise training of nets leaves at exact population, by width"),
        _correction("sample_grid", "error of nets and sequential kernels over the plane (alpha, n)"),
        _correction("width_rows", "success of nets against their width and the rows of R"),
        _correction("growth", "a net grown level by level, what is below frozen or trained on"),
        _correction("visualise", "inputs that activate neurons most, beside what they should see"),
        _correction("adversarial", "adversarial perturbations, and adversarial training"),
        _correction("sgd_trace", "every level's error along the training of one learner"),
        _correction("kernel_features", "level 1 as kernel methods find it, beside nets, against n"),
        (
            "real_growth",
            Experiment(
                "hierbench.benchmarks.correction.experiments.real_growth:run",
                "a convolutional ResNet grown block by block on real data, with probes of every block",
                ("hierbench.targets.data.digits", "hierbench.targets.data.mnist1d"),
            ),
        ),
        (
            "real_depth",
            Experiment(
                "hierbench.benchmarks.correction.experiments.real_depth:run",
                "accuracy of a convolutional ResNet on real data against depth, by the way of training",
                ("hierbench.targets.data.digits", "hierbench.targets.data.mnist1d"),
            ),
        ),
        (
            "real_visualisation",
            Experiment(
                "hierbench.benchmarks.correction.experiments.real_visualisation:run",
                "inputs that activate units of a convolutional ResNet most, plain and adversarially trained",
                ("hierbench.targets.data.digits", "hierbench.targets.data.mnist1d"),
            ),
        ),
        (
            "exact_sequential",
            Experiment(
                "hierbench.benchmarks.correction.experiments.exact_floors:sequential",
                "what quadratic kernels applied in sequence leave at exact population",
            ),
        ),
    ]
)


def module_of(name: str) -> str:
    """Module of an experiment.

    Raises
    ------
    ValueError
        Unknown, with the nearest known name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(unknown("experiment", name, EXPERIMENTS))
    return EXPERIMENTS[name].path.partition(":")[0]


def check(name: str, values: Mapping[str, list[Any]]) -> None:
    """Refuse an unknown experiment, and parameters that it does not take.

    values : of every parameter that is set, all that it takes.

    Raises
    ------
    ValueError
        With one clear line.
    """
    module = module_of(name)
    function = EXPERIMENTS[name].path.partition(":")[2]
    experiment_parameters.check(name, experiment_parameters.parameters_of(module, function), values)


def compute(name: str, parameters: Mapping[str, Any]) -> list[Measurement]:
    """Run an experiment."""
    module, _, function = EXPERIMENTS[name].path.partition(":")
    run: Callable[..., list[Measurement]] = getattr(importlib.import_module(module), function)
    return run(**parameters)
