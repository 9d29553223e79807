"""Looking at features: inputs that activate a neuron most beside what the neuron should see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierbench.benchmarks.correction.trained.ascent import ascend
from hierbench.benchmarks.correction.trained.feature_error import subspace_angle
from hierbench.benchmarks.correction.trained.neurons import (
    Levels,
    contributions,
    estimator_levels,
    level1_form,
    readouts,
    target_levels,
)
from hierbench.benchmarks.units.measurement import Label, Measurement, Value
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import unknown
from hierbench.learners.base import Curve
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.targets.registry import make_target

LEARNERS = ("densenet", "algorithm1")
ARMS = {"sphere": 1.0, "gaussian": 1.0, "none": 1.0, "none-short": 0.1}
"""Regularisations shown, and how many of the steps each has: without one, where ascent ends depends on it."""


def run(
    *,
    seed: int,
    learner: str = "densenet",
    d: int = 10,
    k: int = 2,
    depth: int = 2,
    rho: float = 0.5,
    alpha: float = 0.3,
    n: int = 16000,
    width: int = 16,
    steps: int = 3000,
    neurons: int = 8,
    starts: int = 6,
    ascent_steps: int = 200,
    step: float = 0.1,
) -> list[Measurement]:
    """Train, then look for the inputs that activate neurons most, before and after correction.

    ``"before"`` is the net as level 1 alone makes it: of Algorithm 1 the last record of its training in
    which level 2 is off, of the DenseNet the same net of one level. ``"after"`` is the end of training.
    Looked at are the ``neurons`` of a level that add most to the output. What is maximised is a neuron's
    square (``ascent.ascend``, in each of ``ARMS`` from the same starts, Gaussian inputs as they are
    drawn); of the ``starts`` the one with the highest objective counts.

    Parameters
    ----------
    seed : int
        Of the target, the samples, the net and the starts.
    learner : {"densenet", "algorithm1"}
    d, k, depth, rho, alpha
        Of the target, "projected".
    n, width, steps
        Training samples; neurons of a level; minibatch steps.
    ascent_steps, step
        Of ``ascent.ascend``.

    Returns
    -------
    list of Measurement
        Labels: ``kind``, ``seed``, ``learner``, ``alpha``, ``rho``, ``optimiser``, ``when`` ("before",
        "after"); of kind "neuron" also ``level``, ``neuron`` (by rank), ``regularisation``; values: ``input``
        (d), unit norm;
        ``true_input`` (d), see ``views``; ``alignment`` and ``chance``, what a random direction gives in
        the median; ``norm`` of the input found; ``reached``, the true feature's value there (at
        norm sqrt(d)) relative to its maximum on the sphere, which several inputs may come near to;
        ``agreement`` of the starts (mean |cosine| between what two of them give);
        ``share`` of the neuron's contribution in that of the first. Of kind "form": ``learned`` and
        ``true`` quadratic forms of level 1, flattened, each of unit norm, in a basis whose first k
        coordinates are the true row space; ``angle`` between the spaces; ``relative_mse``. All inputs are
        in this basis too.

    Raises
    ------
    ValueError
        On an unknown learner.
    """
    target: Any = make_target("projected", d, seed, depth=depth, width=k, rho=rho, alpha=alpha)
    rng = np.random.default_rng([seed, 21])
    X = target.sample_inputs(n, rng)
    y = target.evaluate(X)
    fresh = target.sample_inputs(4000, rng)
    measurements: list[Measurement] = []
    for when, fitted in _fitted(learner, depth, width, steps, X, y, seed):
        labels: dict[str, Label] = {
            "seed": seed, "learner": learner, "alpha": alpha, "rho": rho, "when": when, "optimiser": "Adam",
        }  # fmt: skip
        error = np.mean(np.square(fitted.predict(fresh) - target.evaluate(fresh)))
        form = level1_form(fitted.network_, fitted.parameters_) / np.outer(
            fitted.scaling_.x_scale, fitted.scaling_.x_scale
        )
        mse = {"relative_mse": float(error / target.evaluate(fresh).var())}
        measurements.append(form_record(labels, target, form, mse))
        levels = estimator_levels(fitted)
        sizes = contributions(levels, readouts(fitted.network_, fitted.parameters_), fresh)
        seen = 1 if when == "before" else depth
        for level in range(1, seen + 1):
            measurements += views(
                labels, target, levels, sizes[level - 1], level, neurons, starts, ascent_steps, step, seed
            )
    return measurements


def _fitted(
    learner: str, depth: int, width: int, steps: int, X: np.ndarray, y: np.ndarray, seed: int
) -> list[tuple[str, Any]]:
    """The learner before and after correction."""
    common: Parameters = {
        "steps": steps, "learning_rate": 0.01, "restarts": 1, "random_state": seed, "optimizer": "adam",
    }  # fmt: skip
    if learner == "densenet":
        return [
            (when, DenseNetRegressor(depth=levels, width=width, weight_decay=0.03, **common).fit(X, y))
            for when, levels in (("before", 1), ("after", depth))
        ]
    if learner != "algorithm1":
        raise ValueError(unknown("learner of the visualisation", learner, LEARNERS))
    made = Algorithm1Regressor(depth=depth, width=width, narrow=4, weight_decay=0.3, **common)
    before: list[Any] = []

    def keep(_: int, curves: Sequence[Any]) -> None:
        now = curves[0].estimators[0]
        if not now.network_.parts(now.parameters_)[1].any():
            before[:] = [now]

    curve = Curve(X, y, (len(X),), seed)
    after = made.fit_curves([curve], keep)[0].estimators[0]
    return [("before", before[0]), ("after", after)]


def form_record(
    labels: Mapping[str, Label], target: Any, form: np.ndarray, more: dict[str, float]
) -> Measurement:
    """The learned quadratic form of level 1 beside the true one."""
    rows = target.weight_matrices[1, 0]
    basis = true_basis(rows)
    true = rows.T @ (rows / target.sd[1][:, None])
    values: dict[str, Value] = {"angle": subspace_angle(form, rows), **more}
    for name, matrix in (("learned", form), ("true", true)):
        turned = basis @ matrix @ basis.T
        values[name] = [float(v) for v in (turned / np.linalg.norm(turned)).ravel()]
    return Measurement({"kind": "form", **labels}, values)


def views(
    labels: Mapping[str, Label],
    target: Any,
    levels: Levels,
    sizes: np.ndarray,
    level: int,
    neurons: int,
    starts: int,
    ascent_steps: int,
    step: float,
    seed: int,
) -> list[Measurement]:
    """Visualisations of one level's neurons of largest contribution, each with its true input.

    The true input of a level-1 neuron is the projection of what was found on the true row space, so that
    the cosine is that of the angle to the space. Above, the neuron's true feature is the combination
    c.s_l of the true nodes that fits z best over Gaussian inputs; its true input maximises (c.s_l)^2
    on the sphere (for ``"gaussian"``: times the density, as there), found by the same ascent. Signs are free.
    """
    rng = np.random.default_rng([seed, 22])
    basis = true_basis(target.weight_matrices[1, 0])
    d = target.d
    order = np.argsort(-sizes)[:neurons]
    begin = torch.from_numpy(rng.standard_normal((starts, d)))
    sample = torch.from_numpy(rng.standard_normal((4000, d)))
    true = target_levels(target)
    with torch.no_grad():
        z, s = levels(sample)[level - 1], true(sample)[level - 1]
    mixing = torch.linalg.lstsq(s - s.mean(0), z - z.mean(0)).solution.T[order.tolist()]
    which = torch.arange(len(order)).repeat_interleave(starts)
    index = torch.from_numpy(order.copy())[which]
    rows = begin.repeat(len(order), 1)

    def learned(X: Tensor) -> Tensor:
        return levels(X)[level - 1].gather(1, index[:, None])[:, 0].square()

    def wanted(X: Tensor) -> Tensor:
        return (true(X)[level - 1] * mixing[which]).sum(dim=1).square()

    random = np.random.default_rng([seed, 23]).standard_normal((2000, d))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    space = np.linalg.qr(target.weight_matrices[1, 0].T)[0]
    measurements = []
    truths = {}
    for how in ("sphere", "gaussian"):
        truths[how] = _best(wanted, ascend(wanted, rows, how, ascent_steps, step), how, len(order), starts)
    highest = wanted(truths["sphere"].repeat_interleave(starts, dim=0))[::starts].numpy()
    for regularisation, length in ARMS.items():
        how = regularisation.removesuffix("-short")
        inputs = ascend(learned, rows, how, round(length * ascent_steps), step)
        best = _best(learned, inputs, how, len(order), starts)
        sized = best * (d**0.5 / best.norm(dim=1, keepdim=True))
        reached = wanted(sized.repeat_interleave(starts, dim=0))[::starts].numpy()
        every = inputs.reshape(len(order), starts, d).numpy()
        for i, x in enumerate(best.numpy()):
            unit = x / np.linalg.norm(x)
            if level == 1:
                truth = space @ (space.T @ unit)
                chance = np.median(np.linalg.norm(random @ space, axis=1))
            else:
                truth = truths["gaussian" if how == "gaussian" else "sphere"][i].numpy()
                truth = truth / np.linalg.norm(truth)
                truth = truth if truth @ unit > 0 else -truth
                chance = np.median(np.abs(random @ truth))
            alignment = float(np.linalg.norm(truth)) if level == 1 else float(abs(unit @ truth))
            values: dict[str, Value] = {
                "input": [float(v) for v in basis @ unit],
                "true_input": [float(v) for v in basis @ (truth / max(np.linalg.norm(truth), 1e-300))],
                "alignment": alignment,
                "chance": float(chance),
                "norm": float(np.linalg.norm(x)),
                "reached": float(reached[i] / highest[i]),
                "agreement": _agreement(every[i]),
                "share": float(sizes[order[i]] / sizes[order[0]]),
            }
            neuron_labels = {
                "kind": "neuron",
                **labels,
                "level": level,
                "neuron": i,
                "regularisation": regularisation,
            }
            measurements.append(Measurement(neuron_labels, values))
    return measurements


def true_basis(rows: np.ndarray) -> np.ndarray:
    """Orthogonal (d, d): its first k rows span those of ``rows``, (k, d)."""
    d = rows.shape[1]
    q, _ = np.linalg.qr(np.concatenate([rows.T, np.eye(d)], axis=1))
    return np.asarray(q.T[:d])


def _best(activation: Any, inputs: Tensor, regularisation: str, neurons: int, starts: int) -> Tensor:
    """For every neuron the start that came highest."""
    with torch.no_grad():
        value = activation(inputs)
        if regularisation == "gaussian":
            value = value.clamp_min(1e-300).log() - inputs.square().sum(dim=1) / 2.0
    chosen = value.reshape(neurons, starts).argmax(dim=1)
    return inputs.reshape(neurons, starts, -1)[torch.arange(neurons), chosen]


def _agreement(inputs: np.ndarray) -> float:
    unit = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
    cosines = np.abs(unit @ unit.T)
    i, j = np.triu_indices(len(unit), 1)
    return float(cosines[i, j].mean()) if len(i) else 1.0
