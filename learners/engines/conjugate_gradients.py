r"""Kernel ridge regression without the kernel matrix in memory: conjugate gradients, preconditioned.

Solves (K + ridge I) alpha = y for several ridges at once. K is computed tile by tile in every iteration, each
tile once for all ridges and, as K is symmetric, for both of its places. The preconditioner is

    P = B B^T + level I,    B = K_nm L^-T,    K_mm = L L^T,

with the first m rows as centres: B B^T is the Nystrom approximation of K (C. Williams, M. Seeger, NIPS
2000), ``level`` the mean of the diagonal that it leaves, plus the ridge. What the approximation has of the
spectrum is mapped to about 1, so that the number of iterations depends on the rest. Rows that a solution
leaves out are left out of both systems: B^T B loses theirs, K does by zeros in alpha and in the residual.
P^-1 is applied through the m x m matrix level I + B^T B. The centres only set the number of iterations: what
these tend to is the exact solution, where a regression on m Nystrom features (A. Rudi, L. Carratino, L.
Rosasco, *FALKON*, arXiv 1705.10958) has the error of m features however many samples there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.kernel_engine import Kernel, float64_tensor
from hierbench.learners.engines.linear_algebra import cholesky, product, solve_lower, solve_positive

TILE = 1024
"""Rows and columns of a tile of K: 8 MiB in float64, which stay in the cache."""
_JITTER = 1e-12
"""Share of the mean of the diagonal of K_mm that is added to it; more where rounding asks for it."""
_TINY = 1e-290
NONE = slice(0, 0)
"""No row."""
_NOT_FINITE = "the kernel matrix is not finite: scale the features to unit variance"


class KernelSystem:
    """One kernel matrix that is never kept, and its preconditioner.

    Parameters
    ----------
    kernel : Kernel
    shape : tuple of float
        The kernel's parameters.
    X : (n, d), float64.
    centres : int
        m, at most n: the first rows.
    """

    def __init__(self, kernel: Kernel, shape: tuple[float, ...], X: np.ndarray, centres: int) -> None:
        self.kernel, self.shape = kernel, shape
        self.X = float64_tensor(X)
        self._tile = torch.empty(TILE * TILE, dtype=torch.float64)
        m = min(centres, len(X))
        factor = self._factor_of_centres(m)
        self._B = torch.empty((len(X), m), dtype=torch.float64)
        self._gram = torch.zeros((m, m), dtype=torch.float64)
        self._trace = 0.0
        for a in range(0, len(X), TILE):
            rows = self._B[a : a + TILE]
            kernel.gram(self.X[a : a + TILE], self.X[:m], shape, rows)
            rows.copy_(solve_lower(factor, rows.T).T)
            self._gram += product(rows.T, rows)
            self._trace += float(self._diagonal_tile(a).diagonal().sum())
        explained = float(self._gram.diagonal().sum())
        if not math.isfinite(self._trace + explained):
            raise ValueError(_NOT_FINITE)
        self._unexplained = max(self._trace - explained, _JITTER * self._trace, _TINY) / len(X)

    def _factor_of_centres(self, m: int) -> Tensor:
        """Return the factor of K_mm plus a jitter that makes it sound."""
        K = torch.empty((m, m), dtype=torch.float64)
        self.kernel.gram(self.X[:m], None, self.shape, K)
        plain = K.diagonal().clone()
        mean = float(plain.mean())
        if not math.isfinite(mean):
            raise ValueError(_NOT_FINITE)
        jitter = max(_JITTER * mean, _TINY)
        while True:
            K.diagonal().copy_(plain + jitter)
            factor, info = cholesky(K)
            if info == 0:
                return factor
            if not jitter <= m * max(mean, _TINY):
                raise ValueError(_NOT_FINITE)
            jitter *= 10

    def _diagonal_tile(self, a: int) -> Tensor:
        """Return the tile of K at rows and columns from a on."""
        rows = self.X[a : a + TILE]
        tile = self._tile[: len(rows) ** 2].view(len(rows), len(rows))
        self.kernel.gram(rows, None, self.shape, tile)
        return tile

    def times(self, P: Tensor) -> Tensor:
        """Return K P, (n, k)."""
        out = torch.zeros_like(P)
        for a in range(0, len(P), TILE):
            rows = self.X[a : a + TILE]
            for b in range(0, a, TILE):
                tile = self._tile[: len(rows) * TILE].view(len(rows), TILE)
                self.kernel.gram(rows, self.X[b : b + TILE], self.shape, tile)
                out[a : a + TILE] += product(tile, P[b : b + TILE])
                out[b : b + TILE] += product(tile.T, P[a : a + TILE])
            out[a : a + TILE] += product(self._diagonal_tile(a), P[a : a + TILE])
        return out

    def condition(self, ridge: float) -> float:
        """Return a bound on the condition number of K + ridge I; a ridge below rounding counts as that."""
        smallest = max(ridge, np.finfo(float).eps * self._trace, _TINY)
        return (self._trace + len(self.X) * ridge) / smallest

    def factor(self, ridge: float, without: slice = NONE) -> tuple[float, Tensor]:
        """Return the level of the preconditioner at a ridge, and the factor of level I + B^T B.

        without : rows of B that do not count.
        """
        level = self._unexplained + ridge
        left_out = self._B[without]
        gram = self._gram - product(left_out.T, left_out) if len(left_out) else self._gram
        plain = gram.diagonal()
        while True:
            shifted = gram.clone()
            shifted.diagonal().copy_(plain + level)
            factor, info = cholesky(shifted, shifted)
            if info == 0:
                return level, factor
            level *= 10  # below the rounding of B^T B; any level preconditions

    def preconditioned(self, R: Tensor, factors: Sequence[tuple[float, Tensor]]) -> Tensor:
        """Return P^-1 R, (n, k), with a factor for each column: B is read twice, whatever k is."""
        inner = product(self._B.T, R)
        solved = [solve_positive(factor, inner[:, i].clone()) for i, (_, factor) in enumerate(factors)]
        levels = torch.tensor([level for level, _ in factors], dtype=torch.float64)
        return (R - product(self._B, torch.stack(solved, dim=1))) / levels


class Iteration:
    """Conjugate gradients for (K + ridge I) alpha = y, at several ridges in step.

    Parameters
    ----------
    system : KernelSystem
    y : (n,)
    ridges : sequence of float
        k of them.
    left_out : sequence of slice, optional
        For each ridge the rows that are not fitted: alpha is 0 there. By default all are fitted.

    Attributes
    ----------
    system : KernelSystem
    alphas : (n, k), a column for each ridge.
    predictions : (n, k)
        K alpha.
    done : int, iterations so far.
    """

    def __init__(
        self, system: KernelSystem, y: np.ndarray, ridges: Sequence[float], left_out: Sequence[slice] = ()
    ) -> None:
        self.system = system
        self._ridges = torch.tensor(list(ridges), dtype=torch.float64)
        self._left_out = list(left_out) or [NONE] * len(ridges)
        self._factors = [
            system.factor(float(r), without) for r, without in zip(ridges, self._left_out, strict=True)
        ]
        self._target = float64_tensor(y)
        self._scale = float(self._target.norm()) or 1.0
        every = range(len(ridges))
        self._R = self._fitted(self._target[:, None].repeat(1, len(ridges)), every)
        self._P = self._preconditioned(self._R, every)
        self._rho = (self._R * self._P).sum(0)
        self.alphas, self.predictions = torch.zeros_like(self._R), torch.zeros_like(self._R)
        self.done = 0

    def _fitted(self, T: Tensor, columns: Iterable[int]) -> Tensor:
        """Set to zero, in place, the rows of T that its columns leave out."""
        for i, column in enumerate(columns):
            T[self._left_out[column], i] = 0.0
        return T

    def _preconditioned(self, R: Tensor, columns: Iterable[int]) -> Tensor:
        factors = [self._factors[i] for i in columns]
        return self._fitted(self.system.preconditioned(R, factors), columns)

    @property
    def residuals(self) -> np.ndarray:
        """Return |y - (K + ridge I) alpha| over fitted rows / |y|, (k,), as the recurrence has it."""
        norms: np.ndarray = self._R.norm(dim=0).numpy()
        return norms / self._scale

    def true_residuals(self) -> np.ndarray:
        """Return the residuals, computed from alpha: rounding parts the recurrence from them."""
        left = self._target[:, None] - self.system.times(self.alphas) - self._ridges * self.alphas
        self._fitted(left, range(len(self._ridges)))
        norms: np.ndarray = left.norm(dim=0).numpy()
        return norms / self._scale

    def run(self, most: int, tolerance: float) -> bool:
        """Iterate, at most ``most`` times, where a residual is above ``tolerance``; False: none is, any more.

        In the norm of the residual, which is not what the iterations decrease, it may rise far above 1 before
        it falls.
        """
        for _ in range(most):
            # rounding may make what is nearly solved indefinite: that ends its iterations as well
            active = np.flatnonzero((self.residuals > tolerance) & (self._rho.numpy() > 0))
            if not len(active):
                return False
            self._step(active.tolist())
            self.done += 1
        return True

    def _step(self, active: list[int]) -> None:
        P, rho = self._P[:, active], self._rho[active]
        KP = self.system.times(P)
        Q = self._fitted(KP + self._ridges[active] * P, active)
        curvature = (P * Q).sum(0)
        step = torch.where(curvature > 0, rho / curvature, 0.0)
        self.alphas[:, active] += step * P
        self.predictions[:, active] += step * KP
        self._R[:, active] -= step * Q
        Z = self._preconditioned(self._R[:, active], active)
        # after a step of zero the next one is zero too
        self._rho[active] = torch.where(curvature > 0, (self._R[:, active] * Z).sum(0), 0.0)
        self._P[:, active] = Z + (self._rho[active] / rho) * P
