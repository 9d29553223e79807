"""Images from vectors, and their scale: zero mean and unit variance of every channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hierbench.errors import refusal
from hierbench.learners.parameters import is_integer
from hierbench.learners.training_set import LARGEST

ROUNDING = 1e-12
"""Deviations of a smaller share of the mean are those of a constant whose mean is rounded."""


def as_images(X: np.ndarray, shape: Sequence[int] | None) -> Tensor:
    """Make images (n, *shape) of vectors X (n, d); a shape that is None is (1, d).

    Raises
    ------
    ValueError
        ``shape`` is none of d numbers, or a number is too large.
    """
    n, d = X.shape
    if (largest := float(np.abs(X).max())) > LARGEST:
        allowed = f"numbers up to {LARGEST:g} in absolute value"
        raise ValueError(refusal("largest |X|", largest, allowed, "change the unit"))
    sizes = [1, d] if shape is None else np.atleast_1d(np.asarray(shape, dtype=object)).tolist()
    if len(sizes) not in (2, 3) or not all(is_integer(size) and size >= 1 for size in sizes):
        raise ValueError(refusal("shape", shape, "(channels, length) and (channels, height, width)"))
    if math.prod(sizes) != d:
        raise ValueError(refusal("shape", shape, f"shapes of {d} numbers, as many as a row of X has"))
    return torch.from_numpy(np.array(X)).reshape(n, *sizes)


class Standard:
    """(x - mean) / scale over rows and positions of what was added; a constant channel has scale 1.

    Moments of parts are joined as by T. F. Chan, G. H. Golub, R. J. LeVeque (1983): sums of squares would
    lose what is small beside the mean.

    Attributes
    ----------
    count : int
        Rows times positions.
    mean, squares : tensors (1, channels, 1, ...)
        Mean, and sum of squared deviations from it, in float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor) -> Standard:
        """Add images or outputs of a block, x (n, channels, ...)."""
        x = x.to("cpu", torch.float64)
        axes, n = (0, *range(2, x.ndim)), x[:, 0].numel()
        mean = x.mean(axes, keepdim=True)
        apart = mean - self.mean
        weight = n / (self.count + n)
        self.squares = self.squares + (x - mean).square().sum(axes, keepdim=True)
        self.squares = self.squares + apart.square() * (self.count * weight)
        self.mean = self.mean + apart * weight
        self.count += n
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """Put x (n, channels, ...) on that scale."""
        scale = (self.squares / self.count).sqrt()
        return (x - self.mean.to(x)) / torch.where(scale > ROUNDING * self.mean.abs(), scale, 1.0).to(x)
