"""The network straight from its definition, one net at a time, for automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import CHUNK, Schedule, ShuffledEpochs
from hierbench.learners.nets.residual_network import ResidualNetwork


def split(network: DenseNetwork, flat: torch.Tensor) -> list[torch.Tensor]:
    """The parameters of one net from its flat vector."""
    sizes = [math.prod(s) for s in network.shapes()]
    parts = torch.split(flat, sizes)
    return [p.reshape(s) for p, s in zip(parts, network.shapes(), strict=True)]


def activation(network: DenseNetwork, z: torch.Tensor) -> torch.Tensor:
    if network.activation == "relu":
        return (torch.relu(z) - 1 / math.sqrt(2 * math.pi)) / math.sqrt(0.5 - 0.5 / math.pi)
    power = network.power
    mean = {1: 0.0, 2: 1.0, 3: 0.0, 4: 3.0, 8: 105.0}[power]
    sd = math.sqrt({1: 1.0, 2: 2.0, 3: 15.0, 4: 96.0, 8: 2016000.0}[power])
    edge = torch.sign(z) * network.truncation
    tangent = edge**power + power * edge ** (power - 1) * (z - edge)
    return (torch.where(z.abs() <= network.truncation, z**power, tangent) - mean) / sd


def dense_levels(network: DenseNetwork, left: Iterator[torch.Tensor], X: torch.Tensor) -> list[torch.Tensor]:
    """x, h_1, ..., h_L; takes their parameters from ``left``."""
    levels = [X]
    for level in range(network.depth):
        reads = range(level + 1) if network.skips is None else network.skips[level]
        terms = [levels[j] @ next(left) for j in reads]
        levels.append(activation(network, sum(terms) + next(left)))
    return levels


def residual_outputs(
    network: ResidualNetwork, parameters: Sequence[torch.Tensor], X: torch.Tensor
) -> torch.Tensor:
    """f(X) of the residual network, shape (n,)."""
    inward, *inner, readout, constant = parameters
    stream = X @ inward
    for level in range(network.depth):
        W, b, V = inner[3 * level : 3 * level + 3]
        stream = stream + activation(network, stream @ W + b) @ V
    return (stream @ readout + constant)[:, 0]


def outputs(network: DenseNetwork, parameters: Sequence[torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    """f(X), shape (n,)."""
    if isinstance(network, ResidualNetwork):
        return residual_outputs(network, parameters, X)
    left = iter(parameters)
    levels = dense_levels(network, left, X)
    terms = [h @ next(left) for h in (levels[-1:] if network.top_readout else levels)]
    return (sum(terms) + next(left))[:, 0]


def plain_loop(network, initial, X, y, rng, learning_rate, weight_decay, steps, batch, clip):
    """One net at a time with torch's own autograd, clipping and AdamW: the independent twin."""
    parts = split(network, torch.tensor(initial))
    parameters = [p.clone().requires_grad_() for p in parts]
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.99), eps=1e-8, weight_decay=weight_decay
    )
    source = ShuffledEpochs(X, y)
    schedule = Schedule(steps=steps, batch_size=batch, clip=clip)
    for start in range(0, steps, CHUNK):
        xs, ys = source.take(CHUNK * batch, rng)
        for i in range(min(CHUNK, steps - start)):
            rows = slice(i * batch, (i + 1) * batch)
            out = outputs(network, parameters, torch.tensor(xs[rows]))
            loss = ((out - torch.tensor(ys[rows])) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, clip)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * schedule.rate(start + i)
            optimizer.step()
    return np.concatenate([p.detach().numpy().ravel() for p in parameters])
