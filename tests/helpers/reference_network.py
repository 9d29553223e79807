"""The network straight from its definition, one net at a time, for automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Schedule
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


def mixed(x):
    """MurmurHash3's finaliser, of numbers below 2^32: their products need 64 bits without a sign."""
    x = (np.uint64(x ^ (x >> 16)) * np.uint64(0x85EBCA6B) % np.uint64(2**32)).astype(np.int64)
    x = (np.uint64(x ^ (x >> 13)) * np.uint64(0xC2B2AE35) % np.uint64(2**32)).astype(np.int64)
    return x ^ (x >> 16)


def rows_at(key, n, positions):
    """Rows at some positions of the shuffled epochs of n rows, round by round as swap-or-not says."""
    epoch, x = np.divmod(np.asarray(positions, dtype=np.int64), n)
    seed = mixed(int(key[0]) ^ mixed(epoch ^ int(key[1])))
    for r in range(16):
        k = mixed((seed + r * 0x9E3779B9) % 2**32)
        K = ((k >> 8).astype(np.float32) * (np.float32(n) * np.float32(2.0**-24))).astype(np.int64)
        partner = (np.minimum(K, n - 1) - x) % n
        x = np.where(mixed(np.maximum(x, partner) ^ k) % 2 == 1, partner, x)
    return x


def plain_loop(network, initial, X, y, rng, learning_rate, weight_decay, steps, batch, clip):
    """One net at a time with torch's own autograd, clipping and AdamW: the independent twin."""
    parts = split(network, torch.tensor(initial))
    parameters = [p.clone().requires_grad_() for p in parts]
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.99), eps=1e-8, weight_decay=weight_decay
    )
    key = rng.integers(1 << 32, size=2, dtype=np.uint32)
    schedule = Schedule(steps=steps, batch_size=batch, clip=clip)
    for step in range(steps):
        rows = rows_at(key, len(X), step * batch + np.arange(batch))
        out = outputs(network, parameters, torch.tensor(X[rows]))
        loss = ((out - torch.tensor(y[rows])) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * float(schedule.rate(step))
        optimizer.step()
    return np.concatenate([p.detach().numpy().ravel() for p in parameters])
