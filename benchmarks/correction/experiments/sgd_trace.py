"""The correction story in SGD: every level's error along the training of one learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from hierbench.benchmarks.correction.trained.judge import Judge
from hierbench.benchmarks.correction.trained.trained_levels import systematic
from hierbench.benchmarks.units.measurement import Label, Measurement, Value
from hierbench.benchmarks.units.seeds import derive, generator
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import UserError, refusal, unknown
from hierbench.learners.base import Curve
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.nets.densenet import DenseNetRegressor, checked_width
from hierbench.learners.nets.layerwise import LayerwiseDenseNetRegressor
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.targets.registry import make_target

LEARNERS: Mapping[str, str] = {
    "algorithm1": "Algorithm 1, all defaults of the learner but those of its optimisation",
    "level1": "the same without level 2: what level 1 comes to alone",
    "densenet": "plain net, all levels from the first step",
    "layerwise": "level by level, what is below strictly frozen",
    "refitted": "level by level, what is below frozen but its read-outs",
    "bfc1": "level by level, the level below trained along",
}
TWIN = "level1"


def run(
    *,
    seed: int,
    learner: str = "algorithm1",
    family: str = "projected",
    d: int = 10,
    width: int = 2,
    depth: int = 2,
    rho: float = 0.5,
    alpha: float = 0.1,
    n: int = 200_000,
    nets: int = 3,
    steps: int = 5000,
    batch_size: int = 512,
    optimizer: str = "sgd",
    learning_rate: float = 0.05,
    narrow: int = 4,
    r_rows: float = 4.0,
    distillation: float = 1.0,
    neurons: int = 0,
    points: int = 40,
) -> list[Measurement]:
    """Train a learner on one target, and look at every level along training.

    A run is ``nets`` nets that share the target and nothing else: each has its own sample of n rows and
    its own initialisation. With one net of each kind it could not be told what is contamination and what is
    noise: as long as the upper level is not learned, its part of y is noise to the lower one, and goes
    when it is learned whether or not the level was contaminated (``trained_levels.systematic``).

    Parameters
    ----------
    seed : int
        Of the target; all other generators are derived from it.
    learner : str
        One of ``LEARNERS``. "algorithm1" trains its twin "level1" too, with the same samples,
        initialisation and schedule.
    family, d, width, depth, rho, alpha
        Of the target.
    n : int
        Rows of each net's sample, without noise.
    nets : int
        At least 2.
    steps : int
        Of the whole training, phases of level-by-level training together.
    batch_size, optimizer, learning_rate
        Of the learner ("sgd" is with momentum 0.9).
    narrow, r_rows, distillation
        Of Algorithm 1: k_l of every level (0 is the learner's default, 2 d and 8 at d = 10), rows of R
        for each monomial, factor of the regulariser. None is the target's width. They were chosen, with
        the rate and the steps, on targets of seeds above 100, alike for all rho.
    neurons : int
        Width of the net, 0 for its default.
    points : int
        About how many steps are looked at: twice as densely in the first half.

    Returns
    -------
    list of Measurement
        ``kind`` "trace": a net at a step, with the labels ``learner``, ``net``, ``step``, ``level``; values
        as ``judge.Judge.errors`` gives them, and ``relative_mse``.
        ``kind`` "switch": a net, with the label ``level``: ``on_at``, the first step of its training.
        ``kind`` "common": a step, what the nets' level-1 angles of "projected" have in common: ``square``,
        ``total``, ``p_value``, ``systematic`` (``trained_levels.SystematicAngle``).

    Raises
    ------
    UserError
        Unknown learner or family, fewer than two nets, or what the target or the learner refuses.
    """
    if learner not in LEARNERS:
        raise UserError(unknown("learner of the trace", learner, LEARNERS))
    if nets < 2:
        raise UserError(refusal("nets", nets, "integers from 2", "one cannot tell contamination from noise"))
    torch.set_num_threads(1)
    try:
        target: Any = make_target(family, d, seed, depth=depth, width=width, alpha=alpha, rho=rho)
    except ValueError as error:
        raise UserError(str(error)) from None
    judge = Judge(target, generator("sgd trace, test", seed=seed))
    names = ["algorithm1", TWIN] if learner == "algorithm1" else [learner]
    curves = _curves(target, seed, n, nets)
    labels: dict[str, Label] = {
        "seed": seed, "family": family, "d": d, "width": width, "depth": depth, "rho": rho, "alpha": alpha,
        "optimiser": {"adam": "Adam", "sgd": "SGD"}.get(optimizer, optimizer),
    }  # fmt: skip
    measurements = []
    for name in names:
        made = make_learner(name, depth, steps, batch_size, optimizer, learning_rate)
        if isinstance(made, Algorithm1Regressor):
            made.set_params(narrow=narrow or None, r_rows=r_rows, distillation=distillation)
        # level by level too: the wide first level that is tried there by itself expresses level 2 untrained
        made.set_params(width=neurons or checked_width(d, None))
        measurements += _trace(made, curves, judge, labels | {"learner": name}, steps, points)
    return measurements


def make_learner(
    name: str, depth: int, steps: int, batch_size: int, optimizer: str, learning_rate: float
) -> SGDRegressorBase:
    """One of ``LEARNERS`` with ``steps`` in all, one initialisation and nothing tuned."""
    common: Parameters = {
        "batch_size": batch_size, "optimizer": optimizer, "learning_rate": learning_rate, "restarts": 1,
    }  # fmt: skip
    if name == "algorithm1":
        return Algorithm1Regressor(depth, steps=steps, weight_decay=0.3, **common)
    if name == TWIN:
        return Algorithm1Regressor(1, steps=steps, weight_decay=0.3, **common)
    if name == "densenet":
        return DenseNetRegressor(depth, steps=steps, weight_decay=0.0, **common)
    return LayerwiseDenseNetRegressor(
        depth, steps=steps // depth, weight_decay=0.0, correction=int(name == "bfc1"),
        refit_readouts=name != "layerwise", **common,
    )  # fmt: skip


def _curves(target: Any, seed: int, n: int, nets: int) -> list[Curve]:
    curves = []
    for net in range(nets):
        X, y = target.sample(n, generator("sgd trace, sample", seed=seed, net=net))
        curves.append(Curve(X, y, (n,), derive("sgd trace, init", seed=seed, net=net) % 2**31))
    return curves


def _trace(
    learner: SGDRegressorBase,
    curves: Sequence[Curve],
    judge: Judge,
    labels: Mapping[str, Label],
    steps: int,
    points: int,
) -> list[Measurement]:
    seed = labels["seed"]
    measurements: list[Measurement] = []
    starts: list[dict[tuple[int, str], float]] = [{} for _ in curves]
    grown = [0 for _ in curves]
    wanted = spread(steps, points)

    def look(step: int, fitted: Sequence[Any]) -> None:
        if not wanted or step < wanted[0]:
            return
        while wanted and wanted[0] <= step:
            wanted.pop(0)
        at = {**labels, "step": step}
        estimators = [f.estimators[0] for f in fitted]
        for net, estimator in enumerate(estimators):
            if estimator.network_.depth > grown[net]:
                grown[net] = estimator.network_.depth
                rng = generator("sgd trace, fresh net", seed=seed, net=net)
                starts[net] = judge.at_start(estimator, rng)
            mse = judge.relative_mse(estimator)
            for level, values in judge.errors(estimator, starts[net]).items():
                net_labels = {**at, "kind": "trace", "net": net, "level": level}
                measurements.append(Measurement(net_labels, {**values, "relative_mse": mse}))
        tangents = [t for t in map(judge.tangent, estimators) if t is not None]
        if tangents:
            measurements.append(Measurement({**at, "kind": "common"}, _common(tangents)))

    fitted = learner.fit_curves(curves, callback=look)
    for net, curve in enumerate(fitted):
        for level, on_at in enumerate(_switched(learner, curve.estimators[0], steps), 1):
            net_labels = {**labels, "kind": "switch", "net": net, "level": level}
            measurements.append(Measurement(net_labels, {"on_at": float(on_at)}))
    return measurements


def spread(steps: int, points: int) -> list[int]:
    """Steps to look at: doubling, then evenly, twice as densely in the first half, where levels go on."""
    third = max(1, points // 3)
    early = [2**i for i in range(4, 13) if 2**i < steps / points]
    first = [round(i * steps / 2 / (2 * third)) for i in range(2 * third)]
    second = [round(steps / 2 + i * steps / 2 / third) for i in range(third + 1)]
    return sorted({*early, *first, *second})


def _common(tangents: Sequence[np.ndarray]) -> dict[str, Value]:
    angle = systematic(tangents)
    return {
        "square": angle.square, "total": angle.total, "p_value": angle.p_value, "systematic": angle.value,
    }  # fmt: skip


def _switched(learner: SGDRegressorBase, estimator: Any, steps: int) -> list[float]:
    """First step of every level's training; ``steps`` where it never came on."""
    depth = estimator.network_.depth
    if isinstance(learner, LayerwiseDenseNetRegressor):
        return [level * (steps // depth) for level in range(depth)]
    health = estimator.fit_report_.health
    return [0.0, *(health.get(f"level_{level}_on", 0.0) for level in range(2, depth + 1))]
