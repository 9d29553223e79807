"""Holistic growth: a net grown level by level, what is below frozen or trained on, as an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from hierbench.benchmarks.correction.trained.feature_error import (
    VacuousReadOut,
    feature_error,
    subspace_angle,
)
from hierbench.benchmarks.correction.trained.neurons import level1_form, net_levels
from hierbench.benchmarks.units.measurement import Label, Measurement
from hierbench.learners.engines.minibatches import FreshSamples
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.engines.sgd_engine import Job, Schedule, TrainHook, trace_steps, train
from hierbench.learners.nets.densenet import quadratic_densenet
from hierbench.targets.registry import make_target

PATHS = {
    "frozen": ("frozen", "frozen"),
    "all": ("all", "all"),
    "last-frozen": ("all", "frozen"),
    "no-growth": ("none", None),
    "no-third-level": ("all", "none"),
}
"""What happens at the second and the third phase: a level is added above frozen ones, a level is added
and everything trained, or nothing is added and training goes on as long."""


def run(
    *,
    seed: int,
    family: str = "projected",
    d: int = 8,
    k: int = 1,
    rho: float = 0.5,
    alpha: float = 0.3,
    width: int = 8,
    nets: int = 3,
    steps: int = 1500,
    batch_size: int = 256,
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
    frames: int = 12,
) -> list[Measurement]:
    """Three levels, one after the other, each phase equally long and on the same fresh samples.

    Every phase has ``steps`` minibatches of Adam with a one-cycle rate of its own, and begins where the
    phase before ended; paths that share their first phases share these nets. Above frozen levels all
    read-outs are refitted (what strictly frozen ones leave is more). The samples are fresh: n is
    steps * batch_size in a phase, and nothing over-fits.

    Parameters
    ----------
    seed : int
        Of the target, the samples and the nets.
    family : {"projected", "squares"}
    d, k, rho, alpha
        Of the target, of three levels.
    width : int
        Neurons of a level of the plain DenseNet.
    nets : int
        Initialisations on the one target.
    frames : int
        Records along each phase.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``net``, ``family``, ``rho``, ``alpha``, ``optimiser``, ``path`` (one
        of ``PATHS``), ``phase`` (1, 2, 3), ``step`` (of all phases), ``last`` (the phase's end), ``level``.
        Values:
        ``relative_mse`` of the net; ``feature_error`` of the level (level 1 of "projected": angle of the
        leading eigenspace of its form; else ``feature_error.feature_error``, None where the width makes
        it vacuous).
    """
    target: Any = make_target(family, d, seed, depth=3, width=k, rho=rho, alpha=alpha)
    rng = np.random.default_rng([seed, 9])
    samples = [target.sample_inputs(4000, rng) for _ in range(2)]
    judge = _Judge(target, samples)
    base: dict[str, Label] = {
        "seed": seed, "family": family, "rho": rho, "alpha": alpha, "optimiser": "Adam",
    }  # fmt: skip
    measurements: list[Measurement] = []
    whole = quadratic_densenet(d, 3, width)
    fresh = np.stack([whole.initial(np.random.default_rng([seed, 1, i])) for i in range(nets)])
    schedule = Schedule(steps=steps, batch_size=batch_size, optimizer="adam")
    chosen = _frames(steps, frames)

    def phase(number: int, path: str, start: np.ndarray, depth: int, frozen: bool) -> np.ndarray:
        network = whole.first_levels(depth)
        lowest = depth if frozen else 1

        def sampler(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            X = target.sample_inputs(n, generator)
            return X, target.evaluate(X)

        jobs = [
            Job(
                FreshSamples(sampler, lambda X, y: (X, y)),
                np.random.default_rng([seed, 2, number, i]),
                learning_rate,
                weight_decay,
            )
            for i in range(nets)
        ]

        def hook(step: int, flats: np.ndarray) -> None:
            if step not in chosen:
                return
            for net, flat in enumerate(flats):
                labels: dict[str, Label] = {**base, "net": net, "path": path, "phase": number}
                labels |= {"step": (number - 1) * steps + step, "last": step == steps}
                for level, values in judge(network, flat):
                    measurements.append(Measurement({**labels, "level": level}, values))

        shown: TrainHook = hook
        trained = train(
            network,
            start,
            jobs,
            schedule,
            trainable=network.trainable(lowest, all_readouts=True),
            hook=shown,
        )
        return trained.flat

    def grown(lower: np.ndarray, depth: int) -> np.ndarray:
        network = whole.first_levels(depth)
        return network.grow(lower, whole.restrict(fresh, depth))

    first = phase(1, "common", whole.restrict(fresh, 1), 1, False)
    ends: dict[str, np.ndarray] = {}
    for way in ("none", "frozen", "all"):
        name = {"none": "no-growth"}.get(way, way)
        start, depth = (first, 1) if way == "none" else (grown(first, 2), 2)
        ends[way] = phase(2, name, start, depth, way == "frozen")
    phase(3, "frozen", grown(ends["frozen"], 3), 3, True)
    phase(3, "last-frozen", grown(ends["all"], 3), 3, True)
    phase(3, "all", grown(ends["all"], 3), 3, False)
    phase(3, "no-third-level", ends["all"], 2, False)
    return measurements


class _Judge:
    """Errors of a net, on samples that no net has seen."""

    def __init__(self, target: Any, samples: list[np.ndarray]) -> None:
        self.target, self.samples = target, samples
        self.labels = target.evaluate(samples[1])
        self.truth = [target.hidden_features(X) for X in samples]
        self.projected = (1, 0) in target.weight_matrices

    def __call__(
        self, network: DenseNetwork, flat: np.ndarray
    ) -> Iterator[tuple[int, dict[str, float | None]]]:
        error = outputs_of(network, flat, self.samples[1]) - self.labels
        mse = float(np.mean(np.square(error)) / np.mean(np.square(self.labels)))
        levels = net_levels(network, flat)
        with torch.no_grad():
            squares = [[z.square().numpy() for z in levels(torch.from_numpy(X))] for X in self.samples]
        for level in range(1, network.depth + 1):
            yield level, {"relative_mse": mse, "feature_error": self._feature(level, network, flat, squares)}

    def _feature(
        self, level: int, network: DenseNetwork, flat: np.ndarray, squares: list[list[np.ndarray]]
    ) -> float | None:
        if level == 1:
            if not self.projected:
                return None
            return subspace_angle(level1_form(network, flat), self.target.weight_matrices[1, 0])
        truth = (self.truth[0][level - 1], self.truth[1][level - 1])
        regressors = (squares[0][:level], squares[1][:level])
        try:
            return feature_error(truth, regressors, (self.samples[0], self.samples[1])).value
        except VacuousReadOut:
            return None


def _frames(steps: int, frames: int) -> set[int]:
    """Of the engine's trace steps those nearest to ``frames`` even shares, with the first and the last."""
    traced = trace_steps(steps)
    return {min(traced, key=lambda s: abs(s - i * steps / frames)) for i in range(frames + 1)}
