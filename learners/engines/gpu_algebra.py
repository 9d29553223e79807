"""What ``hierbench.learners.engines.linear_algebra`` does, by PyTorch alone: for tensors on a GPU."""

from __future__ import annotations

import torch


def cholesky(K: torch.Tensor, out: torch.Tensor | None = None) -> tuple[torch.Tensor, int]:
    """Factor K = L L^T; ``out`` and what is returned as in ``linear_algebra.cholesky``."""
    # the library works on columns, and so does the other one: no copy is made of what is written here
    factor = (torch.empty_like(K) if out is None else out).mT
    factor.copy_(K)
    info = torch.empty((), dtype=torch.int32, device=K.device)
    torch.linalg.cholesky_ex(factor, out=(factor, info))
    order = int(info)
    if order == 0 and not bool(torch.isfinite(factor.diagonal()).all()):
        order = 1  # not a number is not below zero
    return factor, order


def solve_lower(L: torch.Tensor, B: torch.Tensor, *, transposed: bool = False) -> torch.Tensor:
    """Return L^-1 B or, where ``transposed``, L^-T B; B (n, m)."""
    return torch.linalg.solve_triangular(L.mT if transposed else L, B, upper=transposed)


def inverse_lower(L: torch.Tensor) -> torch.Tensor:
    """Return the inverse of a lower triangular matrix."""
    n = len(L)
    inverse = torch.eye(n, dtype=L.dtype, device=L.device).mT
    return torch.linalg.solve_triangular(L, inverse, upper=False, out=inverse)
