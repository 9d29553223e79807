"""The two optimisers: torch's own take seconds to import, since a compiler comes with them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of Adam."""


@dataclasses.dataclass(frozen=True)
class Descent:
    """What the steps of every stage are like."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    momentum: float
    batch_size: int


class Optimizer(Protocol):
    """One for each stage: it begins at rest."""

    def __init__(self, parameters: Sequence[Tensor], descent: Descent) -> None: ...

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change all parameters in place."""


class SGD:
    """v <- momentum v + gradient + decay p, p <- p - rate v."""

    def __init__(self, parameters: Sequence[Tensor], descent: Descent) -> None:
        self.parameters, self.descent = list(parameters), descent
        self.velocities = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change all parameters in place: one call for all saves a twentieth of a step of a small net."""
        torch._foreach_mul_(self.velocities, self.descent.momentum)
        torch._foreach_add_(self.velocities, list(gradients))
        torch._foreach_add_(self.velocities, self.parameters, alpha=self.descent.weight_decay)
        torch._foreach_sub_(self.parameters, self.velocities, alpha=rate)


class Adam:
    """D. P. Kingma, J. Ba (arXiv 1412.6980), with decoupled decay (I. Loshchilov, F. Hutter, 1711.05101)."""

    def __init__(self, parameters: Sequence[Tensor], descent: Descent) -> None:
        self.parameters, self.descent, self.steps = parameters, descent, 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change all parameters in place."""
        self.steps += 1
        first, second = (1.0 - beta**self.steps for beta in BETAS)
        for p, (mean, square), gradient in zip(self.parameters, self.moments, gradients, strict=True):
            p.mul_(1.0 - rate * self.descent.weight_decay)
            mean.lerp_(gradient, 1.0 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1.0 - BETAS[1])
            p.addcdiv_(mean, square.sqrt().div_(math.sqrt(second)).add_(EPSILON), value=-rate / first)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}
