"""Kernel ridge regression for whole learning curves: one factorisation serves every prefix.

For a kernel K and a ridge, factor K + ridge I = L L^T once, at the largest n. The leading block of L is
the factor of the prefix, so that with z = L^-1 y, of which the first n entries do not know what follows,

    dual coefficients of prefix n          alpha = L[:n, :n]^-T z[:n]         (all prefixes in one solve)
    leave-one-out residual of its point i  y_i - f^{(-i)}(x_i) = alpha_i / c_i,   c = diag (K + ridge I)^-1

(Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, eq. 5.10-5.12). The trailing block
of the inverse is (T T^T)^-1 with T the trailing block of L, so the c_i of the last m points of a prefix
cost m^3 / 3 (LAPACK dtrtri, then column sums of squares). ``tail`` takes all points of short prefixes and
the last half of long ones: exact residuals of half the points, for an eighth of the price.

Nothing may depend on a prefix that another prefix does not see: ridges are absolute (not multiples of n),
and the intercept is a constant added to the kernel, not the mean of the prefix. A constant c is a prior
of variance c on the intercept; with c n well above the ridge it is not shrunk.

Which kernel and ridge to use is the business of ``hierbench.learners.engines.kernel_tuning``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch

from hierbench.checks import reals
from hierbench.learners.engines.linear_algebra import cholesky, inverse_lower, on_cpu, product, solve_lower

Point = tuple[int, ...]
"""Indices into the values of the axes of a lattice; the last one is the ridge."""

TIE = 1e-10
"""Leave-one-out errors closer than this, relatively, are a tie (more where rounding is worse)."""
WHOLE = 1024
"""Prefixes up to this size average over all leave-one-out residuals."""
CHUNK = 1 << 22
"""Entries of a block of the test kernel matrix: 32 MiB in float64."""
GPU_CHUNK = 1 << 25
"""The same on a GPU: 256 MiB."""


class Kernel(Protocol):
    """A positive definite kernel with shape parameters, intercept included."""

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B) to ``out``, shape (len(A), len(B)); B None: k(A, A), its diagonal to rounding."""

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Floating-point operations of one entry of the matrix."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """A hyperparameter: the increasing values it may take, and the indices of the first scan."""

    name: str
    values: tuple[float, ...]
    coarse: tuple[int, ...]

    @classmethod
    def listed(cls, name: str, values: float | Iterable[float], *, zero: bool = True) -> Axis:
        """Make an axis of exactly these values, all of which are scanned.

        Raises
        ------
        ValueError
            There are none, or one is not finite, negative, or 0 where ``zero`` is False.
        """
        allowed = f"finite numbers {'>= 0' if zero else '> 0'}, one or several"
        listed = sorted(set(reals(name, values, allowed, lambda one: one > 0 or (zero and one == 0))))
        return cls(name, tuple(listed), tuple(range(len(listed))))

    def narrowed(self, values: float | Iterable[float] | None, *, zero: bool = True) -> Axis:
        """Return the axis of a parameter: this one where it is None, and tuned; otherwise its values."""
        return self if values is None else Axis.listed(self.name, values, zero=zero)

    @classmethod
    def geometric(
        cls, name: str, low: float, high: float, per_decade: int, scan: tuple[float, float], every: int = 1
    ) -> Axis:
        """``per_decade`` values a decade in [low, high]; ``scan`` is tried first, in steps of ``every``."""
        count = round(math.log10(high / low) * per_decade) + 1
        values = [low * 10 ** (i / per_decade) for i in range(count)]
        slack = 10 ** (0.01 / per_decade)
        first = next(i for i, v in enumerate(values) if v * slack >= scan[0])
        last = max(i for i, v in enumerate(values) if v <= scan[1] * slack)
        return cls(name, tuple(values), tuple(range(first, last + 1, every)))


@dataclasses.dataclass(frozen=True)
class Solution:
    """Kernel ridge regression at one lattice point on one prefix.

    alpha : (n,) dual coefficients, or (n, outputs); loo_mse : mean squared leave-one-out residual;
    train_mse : mean squared training residual (of all outputs); condition : estimate of the condition number,
    trace over smallest pivot.
    """

    alpha: np.ndarray
    loo_mse: float
    train_mse: float
    condition: float

    @property
    def finite(self) -> bool:
        """Whether coefficients, errors and condition are finite."""
        numbers = (self.loo_mse, self.train_mse, self.condition)
        return all(map(math.isfinite, numbers)) and bool(np.isfinite(self.alpha).all())

    @property
    def tie(self) -> float:
        """Relative difference in ``loo_mse`` that rounding can make."""
        return min(0.5, max(TIE, np.finfo(float).eps * self.condition))


class PrefixSolver:
    """Solutions of any lattice point on any prefix of one training set, each computed once.

    Parameters
    ----------
    X : (N, d), y : (N,) or (N, outputs), float64.
    axes : the lattice; the last axis is the ridge.
    lengths : the prefixes that will be asked for. A factorisation serves all of them that fit into it.
    device : where matrices are made and factored, as torch names it; solutions are on the host.
    """

    def __init__(
        self,
        kernel: Kernel,
        axes: Sequence[Axis],
        X: np.ndarray,
        y: np.ndarray,
        lengths: Iterable[int],
        device: str = "cpu",
    ) -> None:
        self.kernel = kernel
        self.axes = tuple(axes)
        self.X = float64_tensor(X).to(device)
        self.y = float64_tensor(y).reshape(len(y), -1).to(device)
        self._one = y.ndim == 1
        self.lengths = sorted(set(lengths))
        self._solutions: dict[tuple[Point, int], Solution | None] = {}
        self._buffers: dict[str, torch.Tensor] = {}
        self._gram_at: tuple[tuple[float, ...], int] | None = None

    def shape(self, point: Point) -> tuple[float, ...]:
        """Return the kernel's parameters at a lattice point."""
        return tuple(axis.values[i] for axis, i in zip(self.axes[:-1], point[:-1], strict=True))

    def ridge(self, point: Point) -> float:
        """Return the ridge at a lattice point."""
        return self.axes[-1].values[point[-1]]

    def solve(self, points: Iterable[Point], length: int) -> dict[Point, Solution]:
        """Solutions on the prefix ``length``, without points where it has none.

        K + ridge I is not positive definite there, or the errors are not finite.
        """
        wanted = dict.fromkeys(points)
        # Sorted, so that points of one kernel follow one another and share its matrix.
        for point in sorted(p for p in wanted if (p, length) not in self._solutions):
            self._factor(point, length)
        solutions = {p: self._solutions[p, length] for p in wanted}
        return {p: s for p, s in solutions.items() if s is not None}

    def forget_matrices(self) -> None:
        """Give back the memory of the matrices; the solutions stay."""
        self._buffers.clear()
        self._gram_at = None

    def _buffer(self, name: str, n: int) -> torch.Tensor:
        # Fresh memory of this size costs more than the arithmetic done on it.
        if name not in self._buffers or self._buffers[name].numel() < n * n:
            self._buffers[name] = torch.empty(n * n, dtype=torch.float64, device=self.X.device)
        return self._buffers[name][: n * n].view(n, n)

    def _gram(self, shape: tuple[float, ...], n: int) -> torch.Tensor:
        K = self._buffer("gram", n)
        if self._gram_at != (shape, n):
            self.kernel.gram(self.X[:n], None, shape, K)
            self._gram_at = (shape, n)
        return K

    def _factor(self, point: Point, length: int) -> None:
        """Solve ``point`` on every declared prefix up to ``length``."""
        K = self._gram(self.shape(point), length)
        diagonal = K.diagonal()
        plain = diagonal.clone()
        diagonal.add_(self.ridge(point))
        L, info = cholesky(K, self._buffer("factor", length))
        diagonal.copy_(plain)
        if info > 0:
            # The minors before the first bad pivot are sound, and a fit of their size would find them so.
            for n in self.lengths:
                if info <= n <= length:
                    self._solutions[point, n] = None
            sound = [n for n in self.lengths if n < info]
            if sound and (point, sound[-1]) not in self._solutions:
                self._factor(point, sound[-1])
            return
        self._read_prefixes(point, length, plain, L)

    def _read_prefixes(self, point: Point, length: int, plain: torch.Tensor, L: torch.Tensor) -> None:
        ridge = self.ridge(point)
        lengths = [n for n in self.lengths if n <= length]
        pivots = L.diagonal().square()
        z = solve_lower(L, self.y[:length])
        outputs = z.shape[1]
        Z = z.repeat(1, len(lengths))
        for i, n in enumerate(lengths):
            Z[n:, i * outputs : (i + 1) * outputs] = 0
        alphas = solve_lower(L, Z, transposed=True)
        whole = [n for n in lengths if tail(n) == n]
        # Short prefixes read theirs from one inverse, in segments: c is a sum over the rows seen so far.
        head = inverse_lower(L[: whole[-1], : whole[-1]]) if whole else L[:0, :0]
        c = torch.zeros(len(head), dtype=torch.float64, device=L.device)
        start = 0
        for i, n in enumerate(lengths):
            if tail(n) == n:
                c[:n] += head[start:n, :n].square().sum(0)
                start = n
            if (point, n) in self._solutions:
                continue
            m = tail(n)
            diagonal = c[:n] if m == n else inverse_lower(L[n - m : n, n - m : n]).square_().sum(0)
            alpha = alphas[:n, i * outputs : (i + 1) * outputs]
            solution = Solution(
                alpha=(alpha[:, 0] if self._one else alpha).cpu().numpy().copy(),
                loo_mse=float((alpha[n - m :] / diagonal[:, None]).square().mean()),
                train_mse=float((ridge * alpha).square().mean()),
                condition=float((plain[:n].sum() + n * ridge) / pivots[:n].min()),
            )
            # What is not finite cannot be ranked.
            self._solutions[point, n] = solution if solution.finite else None


def tail(n: int) -> int:
    """How many of the last points of a prefix its leave-one-out error is averaged over."""
    return min(n, max(WHOLE, n // 2))


def predict(
    kernel: Kernel,
    X_train: np.ndarray,
    fits: Sequence[tuple[tuple[float, ...], np.ndarray]],
    X: np.ndarray,
    device: str = "cpu",
) -> np.ndarray:
    """Predictions of every fit, shape (len(fits), len(X)), or (len(fits), len(X), outputs).

    A fit is its kernel's shape parameters and its dual coefficients, (n,) or (n, outputs), for a prefix of
    ``X_train``. Fits of one kernel share its test matrix; memory is bounded by blocks of ``CHUNK`` entries.
    ``device`` is where they are computed, on a GPU in blocks of ``GPU_CHUNK``.
    """
    train, test = (float64_tensor(points).to(device) for points in (X_train, X))
    outputs = fits[0][1].shape[1:]
    k = math.prod(outputs)
    result = torch.empty((len(fits), len(test), k), dtype=torch.float64)
    for shape in dict.fromkeys(shape for shape, _ in fits):
        members = [i for i, fit in enumerate(fits) if fit[0] == shape]
        n = max(len(fits[i][1]) for i in members)
        coefficients = torch.zeros((n, len(members), k), dtype=torch.float64, device=train.device)
        for place, i in enumerate(members):
            alpha = fits[i][1]
            coefficients[: len(alpha), place] = float64_tensor(alpha).reshape(-1, k).to(device)
        rows = min(len(test), max(1, (CHUNK if on_cpu(train) else GPU_CHUNK) // n))
        block = torch.empty((rows, n), dtype=torch.float64, device=train.device)
        for a in range(0, len(test), rows):
            b = min(a + rows, len(test))
            kernel.gram(test[a:b], train[:n], shape, block[: b - a])
            values = product(block[: b - a], coefficients.view(n, -1))
            result[members, a:b] = values.view(b - a, len(members), k).transpose(0, 1).cpu()
    return result.view(len(fits), len(test), *outputs).numpy()


def float64_tensor(array: np.ndarray) -> torch.Tensor:
    """Give a tensor of the array's shape, on its memory where that is possible."""
    # torch has no read-only tensors and warns of read-only memory: only that is copied.
    return torch.from_numpy(np.require(array, dtype=np.float64, requirements=["C", "W"]))
