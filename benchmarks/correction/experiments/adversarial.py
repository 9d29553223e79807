"""Adversarial perturbations of trained nets, adversarial training, and what its neurons look like."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierbench.benchmarks.correction.experiments.visualise import form_record, views
from hierbench.benchmarks.correction.trained.ascent import attack
from hierbench.benchmarks.correction.trained.neurons import (
    contributions,
    level1_form,
    net_levels,
    readouts,
    target_output,
)
from hierbench.benchmarks.units.measurement import Label, Measurement
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Schedule
from hierbench.learners.nets.densenet import quadratic_densenet
from hierbench.targets.registry import make_target

Function = Callable[[Tensor], Tensor]


def run(
    *,
    seed: int,
    d: int = 10,
    k: int = 2,
    rho: float = 0.5,
    alpha: float = 0.3,
    n: int = 4000,
    width: int = 16,
    steps: int = 2000,
    batch_size: int = 256,
    learning_rate: float = 0.01,
    trained_at: float = 0.1,
    attack_steps: int = 3,
    radii: Sequence[float] = (0.02, 0.05, 0.1, 0.2),
    neurons: int = 8,
    starts: int = 6,
) -> list[Measurement]:
    """Two nets of one initialisation on the same minibatches, plain and adversarially trained.

    Adversarial training is that of Madry et al. (arXiv 1706.06083): every training point is moved within
    a ball of radius ``trained_at`` sqrt(d) by ``attack_steps`` of projected gradient ascent on the net's
    squared error, and keeps its label, although the target itself changes there. Both nets are DenseNets
    of two levels, trained by Adam.

    Attacks on fresh points are judged in two ways. Label kept: (f(x + delta) - y(x))^2, which even the
    target itself does not survive; label moved: (f(x + delta) - y(x + delta))^2, the error against the
    target where the input has gone, delta chosen to make just that large.

    Parameters
    ----------
    seed : int
        Of the target, the samples and the nets.
    trained_at, radii
        Radii relative to sqrt(d), the norm of a typical input.

    Returns
    -------
    list of Measurement
        Kind "attack": labels ``net`` ("plain", "adversarial", "target"), ``radius``; values
        ``label_kept``, ``label_moved`` (mean square, relative to Var y) and ``clean``. For "target" the
        first is the change of the target itself. Kinds "neuron" and "form": as
        ``visualise``, ``learner`` "densenet", ``when`` "plain" or "adversarial".
    """
    target: Any = make_target("projected", d, seed, depth=2, width=k, rho=rho, alpha=alpha)
    rng = np.random.default_rng([seed, 31])
    X, fresh = target.sample_inputs(n, rng), target.sample_inputs(2000, rng)
    y, labels = target.evaluate(X), target.evaluate(fresh)
    network = quadratic_densenet(d, 2, width)
    true = target_output(target)
    base: dict[str, Label] = {"seed": seed, "rho": rho, "alpha": alpha, "optimiser": "Adam"}
    variance = float(np.mean(np.square(labels - labels.mean())))
    measurements: list[Measurement] = []
    nets: dict[str, Function] = {"target": true}
    for name, radius in (("plain", 0.0), ("adversarial", trained_at * math.sqrt(d))):
        flat = _train(network, X, y, seed, steps, batch_size, learning_rate, radius, attack_steps)
        nets[name] = output_of(network, torch.from_numpy(flat))
        net_labels = {**base, "learner": "densenet", "when": name}
        levels = net_levels(network, flat)
        error = nets[name](torch.from_numpy(fresh)).numpy() - labels
        form = level1_form(network, flat)
        measurements.append(
            form_record(net_labels, target, form, {"relative_mse": float(np.mean(error**2)) / variance})
        )
        sizes = contributions(levels, readouts(network, flat), fresh)
        for level in (1, 2):
            measurements += views(
                net_labels, target, levels, sizes[level - 1], level, neurons, starts, 200, 0.1, seed
            )
    points, fixed = torch.from_numpy(fresh), torch.from_numpy(labels)
    noise = torch.from_numpy(rng.standard_normal(fresh.shape))
    for name, net in nets.items():
        for share in radii:
            values = _robustness(net, true, points, fixed, share * math.sqrt(d), noise)
            values = {key: value / variance for key, value in values.items()}
            measurements.append(Measurement({"kind": "attack", **base, "net": name, "radius": share}, values))
    return measurements


def _robustness(
    net: Function, true: Function, X: Tensor, y: Tensor, radius: float, noise: Tensor
) -> dict[str, float]:
    """Mean squared errors within the radius; the attack starts at random and has 20 steps."""

    def label_kept(moved: Tensor) -> Tensor:
        return (net(moved) - y).square()

    def label_moved(moved: Tensor) -> Tensor:
        return (net(moved) - true(moved)).square()

    errors = {"clean": float(label_kept(X).detach().mean())}
    for name, loss in (("label_kept", label_kept), ("label_moved", label_moved)):
        if net is true and loss is label_moved:
            errors[name] = 0.0
            continue
        delta = attack(loss, X, radius, 20, noise)
        errors[name] = float(loss(X + delta).detach().mean())
    return errors


def output_of(network: DenseNetwork, flat: Tensor) -> Function:
    """f(x) of one net, (n,), that autograd can follow through x and ``flat`` (n_parameters,)."""
    parts = network.parts(flat)
    return lambda X: network.forward(parts, X).output[:, 0]


def _train(
    network: DenseNetwork,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    radius: float,
    attack_steps: int,
) -> np.ndarray:
    """Adam with the one-cycle rate of the learners; the points of every minibatch are attacked first."""
    rng = np.random.default_rng([seed, 33])
    flat = torch.from_numpy(network.initial(np.random.default_rng([seed, 32]))).float().requires_grad_(True)
    optimizer = torch.optim.Adam([flat], lr=learning_rate, betas=(0.9, 0.99))
    schedule = Schedule(steps=steps, batch_size=batch_size)
    inputs, labels = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    for step in range(steps):
        rows = torch.from_numpy(rng.integers(len(X), size=batch_size))
        batch, wanted = inputs[rows], labels[rows]
        if radius > 0:
            net = output_of(network, flat.detach())

            def loss(moved: Tensor, net: Function = net, wanted: Tensor = wanted) -> Tensor:
                return (net(moved) - wanted).square()

            noise = torch.from_numpy(rng.standard_normal(batch.shape)).float()
            batch = batch + attack(loss, batch, radius, attack_steps, noise)
        else:
            rng.standard_normal(batch.shape)  # so that both nets see the same minibatches
        error = (output_of(network, flat)(batch) - wanted).square().mean()
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([flat], schedule.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * float(schedule.rate(step))
        optimizer.step()
    return np.asarray(flat.detach().double().numpy())
