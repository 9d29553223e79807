"""Activation maximisation on signals and images, regularised in the ways that the literature has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hierbench.checks import integer
from hierbench.errors import refusal

PADDING = "replicate"
"""Beyond its edge an image goes on as it is there."""


@dataclasses.dataclass(frozen=True)
class Regularisation:
    """What holds an ascent back; all 0 is nothing.

    ValueError where decay + 4 axes blur would exceed 2 on an image of two axes, beyond which steps diverge.

    Attributes
    ----------
    decay : float
        Share of the picture's deviation that a step takes away.
    blur : float
        Share of the difference to the neighbours' that a step takes away, along every axis.
    shift : int
        Largest shift of the image, in positions along every axis, drawn anew for each step ("jitter").
    """

    decay: float = 0.0
    blur: float = 0.0
    shift: int = 0

    def __post_init__(self) -> None:
        sound = self.decay >= 0 and self.blur >= 0 and self.decay + 8 * self.blur <= 2
        if not sound:
            given = f"{self.decay:g} and {self.blur:g}"
            raise ValueError(refusal("decay, blur", given, "numbers from 0 with decay + 8 blur at most 2"))
        integer("shift", self.shift, 0)


def maximise(
    activation: Callable[[Tensor], Tensor],
    mean: Tensor,
    starts: Tensor,
    regularisation: Regularisation,
    steps: int,
    step: float,
    rng: np.random.Generator,
) -> Tensor:
    r"""Gradient ascent on deviations from a mean image, all rows at once.

    .. math::
        \delta \leftarrow \delta + s_t \Big(\eta \, \frac{\nabla a(m + \delta)}{\|\nabla a(m + \delta)\|}
        - \lambda \delta + \beta \, L \delta\Big), \qquad s_t = 1 - t / T

    with the decay :math:`\lambda` and the blur :math:`\beta`; L is the discrete Laplacian, a step of
    diffusion. With jitter the gradient is that at the shifted image, shifted back. :math:`\|\delta\|` never
    exceeds that of the start by more than :math:`\eta (T + 1) / 2`, so that activations without an upper
    bound have no need of regularisation to stay finite.

    Ascent from the mean image is that of Simonyan, Vedaldi & Zisserman (arXiv 1312.6034); decay and blur of
    Yosinski, Clune, Nguyen, Fuchs & Lipson (arXiv 1506.06579); jitter of Mordvintsev, Olah & Tyka,
    "Inceptionism" (2015).

    Parameters
    ----------
    activation : callable, shapes (n, channels, ...) -> (n,), row by row
    mean : (channels, ...)
    starts : (n, channels, ...)
        Deviations.
    steps, step : int and float
        T and eta.
    rng : Generator
        Of the shifts, which all rows share.

    Returns
    -------
    (n, channels, ...)
        Deviations.
    """
    delta = starts.detach().clone()
    axes = range(2, delta.ndim)
    for t in range(steps):
        by = [int(rng.integers(-regularisation.shift, regularisation.shift + 1)) for _ in axes]
        delta.requires_grad_(True)
        (gradient,) = torch.autograd.grad(activation(shifted(mean + delta, by)).sum(), delta)
        with torch.no_grad():
            delta = delta.detach()
            change = gradient * (step / _norms(gradient)) - regularisation.decay * delta
            change = change + regularisation.blur * laplacian(delta)
            delta = delta + (1.0 - t / steps) * change
    return delta.detach()


def shifted(x: Tensor, by: list[int]) -> Tensor:
    """Shift images (n, channels, ...) by whole positions along their axes; edges go on as they are."""
    if not any(by):
        return x
    most = max(map(abs, by))
    padded = functional.pad(x, [most, most] * len(by), mode=PADDING)
    for axis, b in enumerate(by, start=2):
        padded = padded.narrow(axis, most - b, x.shape[axis])
    return padded


def laplacian(x: Tensor) -> Tensor:
    """Sum of the differences of the neighbours along every axis to each position of x (n, channels, ...)."""
    total = torch.zeros_like(x)
    for axis in range(2, x.ndim):
        steps = x.diff(dim=axis)
        edge = torch.zeros_like(x.narrow(axis, 0, 1))
        total = total + torch.cat([steps, edge], axis) - torch.cat([edge, steps], axis)
    return total


def _norms(x: Tensor) -> Tensor:
    """Of every row, in a shape that divides it; never 0."""
    norms = x.flatten(1).norm(dim=1).clamp_min(1e-30)
    return norms.reshape(-1, *[1] * (x.ndim - 1))
