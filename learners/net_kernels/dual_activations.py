"""Dual activations: what one infinitely wide layer does to a kernel, in closed form.

For (u, v) ~ N(0, [[a, s], [s, b]]) and an activation phi, the dual is E[phi(u) phi(v)] as a function of
(s, a, b), and its derivative in s is E[phi'(u) phi'(v)] (Price's theorem), which is what a tangent kernel
needs. Each of the activations below is scaled to E[phi(u)^2] = 1 at a = 1. A. Daniely, R. Frostig,
Y. Singer, arXiv 1602.05897; ReLU: Y. Cho, L. Saul, NeurIPS 2009; erf: C. Williams, NeurIPS 1997.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Dual = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(s, a, b), with a and b that broadcast to s -> (dual, its derivative in s)."""
CosineDual = Callable[[Tensor], Tensor]
"""The dual of a normalised activation at a = b = 1, as a function of the cosine."""

_ERF_SCALE = math.asin(2 / 3) * 2 / math.pi


def relu(s: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """phi(z) = sqrt(2) max(z, 0): the arc-cosine kernel of order 1."""
    norms = torch.sqrt(a * b).clamp_min(1e-300)
    cosine = (s / norms).clamp(-1.0, 1.0)
    slope = 1 - torch.acos(cosine) / math.pi
    sine = torch.sqrt((1 - cosine) * (1 + cosine))
    return norms * (sine / math.pi + slope * cosine), slope


def erf(s: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """phi(z) = erf(z) over its root mean square."""
    product = (1 + 2 * a) * (1 + 2 * b)
    value = torch.asin((2 * s / product.sqrt()).clamp(-1.0, 1.0))
    slope = 2 * torch.rsqrt((product - 4 * s * s).clamp_min(1e-300))
    scale = 2 / (math.pi * _ERF_SCALE)
    return scale * value, scale * slope


def quadratic(s: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """phi(z) = z^2 / sqrt(3)."""
    return (a * b + 2 * s * s) / 3, 4 * s / 3


def centred_square(s: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """phi(z) = (z^2 - 1) / sqrt(2), the activation of the quadratic DenseNet."""
    return (a - 1) * (b - 1) / 2 + s * s, 2 * s


DUALS: dict[str, Dual] = {
    "relu": relu,
    "erf": erf,
    "quadratic": quadratic,
    "centred_square": centred_square,
}


def arc_cosine(c: Tensor) -> Tensor:
    """E[relu(u) relu(v)] / E[relu(u)^2], the arc-cosine kernel of order one."""
    one = torch.ones((), dtype=c.dtype, device=c.device)
    return relu(c, one, one)[0]


def quadratic_cosine(c: Tensor) -> Tensor:
    """E[u^2 v^2] / 3 = (1 + 2 c^2) / 3."""
    return (1 + 2 * c * c) / 3


def quartic_cosine(c: Tensor) -> Tensor:
    """E[u^4 v^4] / 105 = (9 + 72 c^2 + 24 c^4) / 105."""
    square = c * c
    return (9 + 72 * square + 24 * square * square) / 105


def exponential_cosine(c: Tensor) -> Tensor:
    """E[e^u e^v] / e^2 = e^(c - 1)."""
    return torch.exp(c - 1)


COSINE_DUALS: dict[str, CosineDual] = {
    "relu": arc_cosine,
    "quadratic": quadratic_cosine,
    "quartic": quartic_cosine,
    "exponential": exponential_cosine,
}
