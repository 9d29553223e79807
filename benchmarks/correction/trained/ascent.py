"""Inputs that activate a neuron most, and perturbations that hurt a net most: gradient ascent on x."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hierbench.errors import unknown

REGULARISATIONS = ("sphere", "gaussian", "none")


def ascend(
    activation: Callable[[Tensor], Tensor],
    starts: Tensor,
    regularisation: str,
    steps: int = 200,
    step: float = 0.1,
) -> Tensor:
    r"""Gradient ascent on the inputs, all rows at once.

    Every step is along the gradient and has a length that falls linearly from ``step`` sqrt(d) to 0,
    whatever the regularisation: ``"none"`` never moves further than ``steps step sqrt(d) / 2``, which
    makes it well posed for polynomials, that grow without bound. ``"sphere"`` keeps \|x\| = sqrt(d), the
    norm of a typical Gaussian input. ``"gaussian"`` maximises log \|activation\| - \|x\|^2 / 2, the
    activation times the density of the inputs, in the same manner.

    Maximising a neuron is from Erhan, Bengio, Courville & Vincent, "Visualizing higher-layer features of
    a deep network" (2009), with \|x\| fixed.

    Parameters
    ----------
    activation : callable, shapes (n, d) -> (n,), row by row
    starts : (n, d)
    regularisation : one of ``REGULARISATIONS``

    Returns
    -------
    (n, d)

    Raises
    ------
    ValueError
        On an unknown regularisation.
    """
    if regularisation not in REGULARISATIONS:
        raise ValueError(unknown("regularisation", regularisation, REGULARISATIONS))
    radius = math.sqrt(starts.shape[1])
    x = starts.detach().clone()
    if regularisation == "sphere":
        x = _to_norm(x, radius)
    for t in range(steps):
        x.requires_grad_(True)
        value = activation(x)
        if regularisation == "gaussian":
            value = value.abs().clamp_min(1e-30).log() - x.square().sum(dim=1) / 2.0
        (gradient,) = torch.autograd.grad(value.sum(), x)
        with torch.no_grad():
            if regularisation == "sphere":  # what changes the norm is undone by the projection
                gradient = gradient - x * ((gradient * x).sum(1, keepdim=True) / radius**2)
            x = x.detach() + _to_norm(gradient, step * radius * (1.0 - t / steps))
            if regularisation == "sphere":
                x = _to_norm(x, radius)
    return x.detach()


def attack(
    loss: Callable[[Tensor], Tensor], X: Tensor, radius: float, steps: int = 10, random: Tensor | None = None
) -> Tensor:
    r"""Perturbations within \|delta\|_2 <= radius that raise each row's loss: projected gradient ascent.

    Steps of length 2.5 radius / steps along the normalised gradient, as Madry, Makelov, Schmidt, Tsipras &
    Vladu, arXiv 1706.06083.

    Parameters
    ----------
    loss : callable, shapes (n, d) -> (n,), row by row
    X : (n, d)
    random : (n, d), optional
        Standard Gaussian rows, scaled to half the radius, to start from; where the gradient vanishes at X
        itself, ascent from X stays there.

    Returns
    -------
    (n, d)
        delta.
    """
    delta = torch.zeros_like(X) if random is None else _to_norm(random, radius / 2.0)
    for _ in range(steps):
        delta.requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(X + delta).sum(), delta)
        with torch.no_grad():
            moved = delta.detach() + _to_norm(gradient, 2.5 * radius / steps)
            norm = moved.norm(dim=1, keepdim=True)
            delta = moved * (radius / norm.clamp_min(1e-30)).clamp_max(1.0)
    return delta.detach()


def _to_norm(x: Tensor, norm: float) -> Tensor:
    return x * (norm / x.norm(dim=1, keepdim=True).clamp_min(1e-30))
