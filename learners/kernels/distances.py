"""Distances between points, as kernels that depend on them alone need them."""

from __future__ import annotations

import math

import numpy as np
import torch

from hierbench.learners.engines.linear_algebra import product, rows_at_once

ROUNDING = 8 * np.finfo(np.float64).eps
"""Of a squared distance, in units of the two squared norms: points that near are the same."""


def squared_distances(A: torch.Tensor, B: torch.Tensor, scale: float, out: torch.Tensor) -> None:
    """Write -|a - b|^2 / scale as one matrix product of augmented points: the matrix is written once."""
    a, b = A * math.sqrt(2 / scale), B * math.sqrt(2 / scale)
    ones = torch.ones((1, 1), dtype=A.dtype, device=A.device)
    left = torch.cat([a, -0.5 * a.square().sum(1, keepdim=True), ones.expand(len(a), 1)], dim=1)
    right = torch.cat([b, ones.expand(len(b), 1), -0.5 * b.square().sum(1, keepdim=True)], dim=1)
    product(left, right.T, out)
    out.clamp_(max=0.0)


def distances(A: torch.Tensor, B: torch.Tensor, scale: float, out: torch.Tensor) -> None:
    """Write |a - b| / sqrt(scale), zero where points are the same.

    Rounding leaves up to 1e-16 of the norms between the squares of equal points, of which the root makes
    1e-8, another one in another order of the rows.
    """
    squared_distances(A, B, scale, out)
    norms = [points.square().sum(1) * (ROUNDING / scale) for points in (A, B)]
    rows = rows_at_once(out)
    for start in range(0, len(A), rows):
        block = out[start : start + rows].neg_()
        same = block <= norms[0][start : start + rows, None] + norms[1]
        block.masked_fill_(same, 0.0).sqrt_()
