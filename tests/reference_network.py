"""The network straight from its definition, one net at a time, for automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from learners.network import DenseNetwork


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


def outputs(network: DenseNetwork, parameters: Sequence[torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    """f(X), shape (n,)."""
    left = iter(parameters)
    levels = [X]
    for level in range(network.depth):
        reads = range(level + 1) if network.skips is None else network.skips[level]
        terms = [levels[j] @ next(left) for j in reads]
        levels.append(activation(network, sum(terms) + next(left)))
    terms = [h @ next(left) for h in (levels[-1:] if network.top_readout else levels)]
    return (sum(terms) + next(left))[:, 0]
