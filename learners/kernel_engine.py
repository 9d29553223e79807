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

Tuning. The hyperparameters live on a lattice (``Axis`` by ``Axis``, the ridge last). A fit at size n
scans the coarse lattice on a short prefix, walks from there to the best neighbours on a longer one, and
lets the best few kernels compete at n. Where the winner has moved between the two, it is followed: the
error falls steeply with n near a phase transition, and the best kernel changes with it. What is looked
at depends on n and the data alone: a fit at n and the prefix n of a curve take the same decisions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from scipy.linalg import lapack

from learners.base import FitReport

Point = tuple[int, ...]
"""Indices into the values of the axes of a lattice; the last one is the ridge."""

TIE = 1e-10
"""Leave-one-out errors closer than this, relatively, are a tie (more where rounding is worse)."""
WHOLE = 1024
"""Prefixes up to this size average over all leave-one-out residuals."""
CHUNK = 1 << 22
"""Entries of a block of the test kernel matrix: 32 MiB in float64."""


class Kernel(Protocol):
    """A positive definite kernel with shape parameters, intercept included."""

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B) to ``out``, shape (len(A), len(B)); B None: k(A, A), its diagonal exact."""

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Floating-point operations of one entry of the matrix."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """A hyperparameter: the increasing values it may take, and the indices of the first scan."""

    name: str
    values: tuple[float, ...]
    coarse: tuple[int, ...]

    @classmethod
    def listed(cls, name: str, values: float | Iterable[float]) -> Axis:
        """Exactly these values: all are scanned."""
        given = np.unique(np.atleast_1d(np.asarray(values, dtype=float)))
        if given.size == 0 or not np.isfinite(given).all() or given[0] < 0:
            raise ValueError(f"{name} must be finite numbers, not negative; got {values!r}")
        return cls(name, tuple(given.tolist()), tuple(range(given.size)))

    @classmethod
    def geometric(
        cls, name: str, low: float, high: float, per_decade: int, scan: tuple[float, float], every: int = 1
    ) -> Axis:
        """``per_decade`` values a factor 10 apart in [low, high]; every ``every``-th inside ``scan`` is scanned."""
        count = round(math.log10(high / low) * per_decade) + 1
        values = [low * 10 ** (i / per_decade) for i in range(count)]
        slack = 10 ** (0.01 / per_decade)
        first = next(i for i, v in enumerate(values) if v * slack >= scan[0])
        last = max(i for i, v in enumerate(values) if v <= scan[1] * slack)
        return cls(name, tuple(values), tuple(range(first, last + 1, every)))


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much tuning a fit may do.

    scan, walk : (share, floor): prefix lengths max(floor, share n) of the two first stages.
    starts : kernels from which the walk starts, each with its best ridge, besides all at the smallest ridge.
    walk_points : a bound on the lattice points that the walk evaluates after that.
    worth : the walk goes on while it gains this much, relatively.
    finalists : kernels that compete at n, each with its best ridge.
    hopeless : no finalist is this many times worse than the best of the walk.
    drift : most steps after a winner that moves.
    """

    scan: tuple[float, int] = (1 / 8, 512)
    walk: tuple[float, int] = (1 / 3, 1024)
    starts: int = 2
    walk_points: int = 20
    worth: float = 2e-3
    finalists: int = 3
    hopeless: float = 10.0
    drift: int = 3

    def lengths(self, n: int) -> tuple[int, int, int]:
        scan, walk = (min(n, max(floor, math.ceil(n * share))) for share, floor in (self.scan, self.walk))
        return scan, walk, n


@dataclasses.dataclass(frozen=True)
class Solution:
    """Kernel ridge regression at one lattice point on one prefix.

    alpha : (n,) dual coefficients; loo_mse : mean squared leave-one-out residual;
    train_mse : mean squared training residual; condition : estimate of the condition number, trace over
    smallest pivot.
    """

    alpha: np.ndarray
    loo_mse: float
    train_mse: float
    condition: float

    @property
    def tie(self) -> float:
        """Relative difference in ``loo_mse`` that rounding can make."""
        return min(0.5, max(TIE, np.finfo(float).eps * self.condition))


@dataclasses.dataclass(frozen=True)
class Fit:
    """The tuned fit of one prefix."""

    shape: tuple[float, ...]
    ridge: float
    alpha: np.ndarray
    report: FitReport


class PrefixSolver:
    """Solutions of any lattice point on any prefix of one training set, each computed once.

    Parameters
    ----------
    X : (N, d), y : (N,), float64.
    axes : the lattice; the last axis is the ridge.
    lengths : the prefixes that will be asked for. A factorisation serves all of them that fit into it.
    """

    def __init__(
        self, kernel: Kernel, axes: Sequence[Axis], X: np.ndarray, y: np.ndarray, lengths: Iterable[int]
    ) -> None:
        self.kernel = kernel
        self.axes = tuple(axes)
        self.X = _tensor(X)
        self.y = _tensor(y)
        self.lengths = sorted(set(lengths))
        self._solutions: dict[tuple[Point, int], Solution | None] = {}
        self._buffers: dict[str, torch.Tensor] = {}
        self._gram_at: tuple[tuple[float, ...], int] | None = None

    def shape(self, point: Point) -> tuple[float, ...]:
        return tuple(axis.values[i] for axis, i in zip(self.axes[:-1], point[:-1], strict=True))

    def ridge(self, point: Point) -> float:
        return self.axes[-1].values[point[-1]]

    def solve(self, points: Iterable[Point], length: int) -> dict[Point, Solution]:
        """Solutions on the prefix ``length``; points where K + ridge I is not positive definite are left out."""
        wanted = dict.fromkeys(points)
        # Sorted, so that points of one kernel follow one another and share its matrix.
        for point in sorted(p for p in wanted if (p, length) not in self._solutions):
            self._factor(point, length)
        found = {p: self._solutions[p, length] for p in wanted}
        return {p: s for p, s in found.items() if s is not None}

    def _buffer(self, name: str, n: int) -> torch.Tensor:
        # Fresh memory of this size costs more than the arithmetic done on it.
        if name not in self._buffers or self._buffers[name].numel() < n * n:
            self._buffers[name] = torch.empty(n * n, dtype=torch.float64)
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
        # LAPACK works on columns: the buffer is read as its transpose, which is what Cholesky returns.
        L = self._buffer("factor", length).mT
        info = torch.empty((), dtype=torch.int32)
        diagonal.add_(self.ridge(point))
        torch.linalg.cholesky_ex(K, out=(L, info))
        diagonal.copy_(plain)
        if not torch.isfinite(L.diagonal()).all():
            info.fill_(1)
        if info > 0:
            # The minors before the first bad pivot are sound, and a fit of their size would find them so.
            for n in self.lengths:
                if int(info) <= n <= length:
                    self._solutions[point, n] = None
            sound = [n for n in self.lengths if n < int(info)]
            if sound and (point, sound[-1]) not in self._solutions:
                self._factor(point, sound[-1])
            return
        self._read_prefixes(point, length, plain, L)

    def _read_prefixes(self, point: Point, length: int, plain: torch.Tensor, L: torch.Tensor) -> None:
        ridge = self.ridge(point)
        lengths = [n for n in self.lengths if n <= length]
        pivots = L.diagonal().square()
        z = torch.linalg.solve_triangular(L, self.y[:length, None], upper=False)
        Z = z.expand(length, len(lengths)).clone()
        for column, n in enumerate(lengths):
            Z[n:, column] = 0
        alphas = torch.linalg.solve_triangular(L.mT, Z, upper=True)
        whole = [n for n in lengths if tail(n) == n]
        # Short prefixes read theirs from one inverse, in segments: c is a sum over the rows seen so far.
        head = _inverse(L, 0, whole[-1]) if whole else torch.empty((0, 0))
        c = torch.zeros(len(head), dtype=torch.float64)
        start = 0
        for column, n in enumerate(lengths):
            if tail(n) == n:
                c[:n] += head[start:n, :n].square().sum(0)
                start = n
            if (point, n) in self._solutions:
                continue
            m = tail(n)
            diagonal = c[:n] if m == n else _inverse(L, n - m, n).square().sum(0)
            alpha = alphas[:n, column]
            self._solutions[point, n] = Solution(
                alpha=alpha.numpy().copy(),
                loo_mse=float((alpha[n - m :] / diagonal).square().mean()),
                train_mse=float((ridge * alpha).square().mean()),
                condition=float((plain[:n].sum() + n * ridge) / pivots[:n].min()),
            )


def tail(n: int) -> int:
    """How many of the last points of a prefix its leave-one-out error is averaged over."""
    return min(n, max(WHOLE, n // 2))


def _inverse(L: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """Inverse of a diagonal block of a lower triangular matrix."""
    inverse, _ = lapack.dtrtri(L[start:stop, start:stop].numpy().copy(order="F"), lower=1, overwrite_c=1)
    return torch.from_numpy(inverse)


def tune(solver: PrefixSolver, n: int, budget: Budget) -> Fit:
    """Choose hyperparameters for prefix ``n`` by closed-form leave-one-out, and fit it.

    Raises
    ------
    ValueError
        If K + ridge I is not positive definite at any ridge allowed.
    """
    scan, walk, _ = budget.lengths(n)
    cost = _Cost(solver)
    coarse = _product([axis.coarse for axis in solver.axes])
    scanned = cost.solve(coarse, scan)
    while not scanned and coarse[0][-1] + 1 < len(solver.axes[-1].values):
        coarse = [p[:-1] + (coarse[-1][-1] + 1,) for p in dict.fromkeys(q[:-1] + (0,) for q in coarse)]
        scanned = cost.solve(coarse, scan)
    if not scanned:
        raise ValueError(
            f"the kernel matrix of {n} points is not positive definite at any ridge up to "
            f"{solver.axes[-1].values[-1]:g}: scale the features to unit variance, or allow a larger ridge"
        )

    # Without noise the smallest ridge wins once n is past the transition to the next degree, which no
    # shorter prefix foretells: it stays in the running until the end.
    smallest = min(p[-1] for p in scanned)
    seen = cost.solve(
        [*_best_kernels(scanned, budget.starts), *(p for p in scanned if p[-1] == smallest)], walk
    )
    evaluated = 0
    while seen and evaluated < budget.walk_points:
        best = _ranked(seen)[0]
        fresh = [p for p in _neighbours(best, solver.axes) if p not in seen]
        evaluated += len(fresh)
        seen |= cost.solve(fresh, walk)
        if seen[_ranked(seen)[0]].loo_mse > (1 - budget.worth) * seen[best].loo_mse:
            break
    seen = seen or scanned

    expected = _ranked(seen)[0]
    promising = {p: s for p, s in seen.items() if s.loo_mse <= budget.hopeless * seen[expected].loo_mse}
    rank = _best_kernels(promising, budget.finalists)
    if all(p[-1] > smallest for p in rank):
        rank += [p for p in _ranked(promising) if p[-1] <= smallest][:1]
    final = cost.solve(rank, n)
    while not final:  # rounding may spoil at n what was sound on a part of it
        rank = [p[:-1] + (p[-1] + 1,) for p in rank if p[-1] + 1 < len(solver.axes[-1].values)]
        if not rank:
            raise ValueError(
                f"the kernel matrix of {n} points is not positive definite: allow a larger ridge"
            )
        final = cost.solve(rank, n)
    chosen = _ranked(final)[0]
    for _ in range(budget.drift):
        onward = tuple(2 * c - e for c, e in zip(chosen, expected, strict=True))
        if chosen == expected or not _inside(onward, solver.axes) or onward in final:
            break
        final |= cost.solve([onward], n)
        expected, chosen = chosen, _ranked(final)[0]
    solution = final[chosen]
    shape, ridge = solver.shape(chosen), solver.ridge(chosen)
    names = [axis.name for axis in solver.axes]
    edges = sum(
        len(axis.values) > 1 and i in (0, len(axis.values) - 1)
        for axis, i in zip(solver.axes, chosen, strict=True)
    )
    report = FitReport(
        steps=cost.factorisations,
        flops=cost.flops,
        hyperparameters=dict(zip(names, (*shape, ridge), strict=True)),
        health={
            "loo_mse": solution.loo_mse,
            "train_mse": solution.train_mse,
            "log10_condition": math.log10(solution.condition),
            "edges_of_grid": float(edges),
        },
    )
    return Fit(shape, ridge, solution.alpha, report)


def fit_prefixes(
    kernel: Kernel, axes: Sequence[Axis], X: np.ndarray, y: np.ndarray, sizes: Sequence[int], budget: Budget
) -> list[Fit]:
    """Tuned fits of the prefixes ``sizes`` of (X, y), in their order."""
    lengths = {length for n in sizes for length in budget.lengths(n)}
    solver = PrefixSolver(kernel, axes, X, y, lengths)
    # From the largest down, so that the long factorisations are there when the short ones are asked for.
    fits = {n: tune(solver, n, budget) for n in sorted(set(sizes), reverse=True)}
    return [fits[n] for n in sizes]


def predict(kernel: Kernel, X_train: np.ndarray, fits: Sequence[Fit], X: np.ndarray) -> np.ndarray:
    """Predictions of every fit, shape (len(fits), len(X)).

    Fits of one kernel share its test matrix; memory is bounded by blocks of ``CHUNK`` entries.
    """
    train, test = _tensor(X_train), _tensor(X)
    result = torch.empty((len(fits), len(test)), dtype=torch.float64)
    for shape in dict.fromkeys(fit.shape for fit in fits):
        members = [i for i, fit in enumerate(fits) if fit.shape == shape]
        n = max(len(fits[i].alpha) for i in members)
        coefficients = torch.zeros((n, len(members)), dtype=torch.float64)
        for column, i in enumerate(members):
            coefficients[: len(fits[i].alpha), column] = torch.from_numpy(fits[i].alpha)
        rows = min(len(test), max(1, CHUNK // n))
        block = torch.empty((rows, n), dtype=torch.float64)
        for a in range(0, len(test), rows):
            b = min(a + rows, len(test))
            kernel.gram(test[a:b], train[:n], shape, block[: b - a])
            result[members, a:b] = (block[: b - a] @ coefficients).T
    return result.numpy()


def _tensor(array: np.ndarray) -> torch.Tensor:
    # torch has no read-only tensors and warns of read-only memory: only that is copied.
    return torch.from_numpy(np.require(array, dtype=np.float64, requirements=["C", "W"]))


class _Cost:
    """Counts what a fit of one size alone would cost, however much of it a curve has in common."""

    def __init__(self, solver: PrefixSolver) -> None:
        self.solver = solver
        self.flops = 0.0
        self._done: set[tuple[Point, int]] = set()

    @property
    def factorisations(self) -> int:
        return len(self._done)

    def solve(self, points: Sequence[Point], length: int) -> dict[Point, Solution]:
        d = self.solver.X.shape[1]
        for point in points:
            if (point, length) not in self._done:
                self._done.add((point, length))
                entry = self.solver.kernel.flops(d, self.solver.shape(point))
                self.flops += (length**3 + tail(length) ** 3) / 3 + (entry + 4) * length**2
        return self.solver.solve(points, length)


def _ranked(solutions: dict[Point, Solution]) -> list[Point]:
    """Points by leave-one-out error; among those that tie with the best, the largest ridge comes first."""
    order = sorted(solutions, key=lambda p: solutions[p].loo_mse)
    if not order:
        return []
    best = solutions[order[0]]
    tied = [p for p in order if solutions[p].loo_mse <= best.loo_mse * (1 + max(best.tie, solutions[p].tie))]
    first = max(tied, key=lambda p: (p[-1], p))
    return [first, *(p for p in order if p != first)]


def _best_kernels(solutions: dict[Point, Solution], count: int) -> list[Point]:
    """The best points, at most one a kernel."""
    best: dict[Point, Point] = {}
    for point in _ranked(solutions):
        best.setdefault(point[:-1], point)
    return list(best.values())[:count]


def _neighbours(point: Point, axes: Sequence[Axis]) -> list[Point]:
    """One step along each axis, and along the valleys where a kernel's scale and the ridge trade off."""
    last = len(axes) - 1
    moves = [{i: step} for i in range(len(axes)) for step in (1, -1)]
    moves += [{i: step, last: -step} for i in range(last) for step in (1, -1)]
    steps = [tuple(v + move.get(i, 0) for i, v in enumerate(point)) for move in moves]
    return [p for p in steps if _inside(p, axes)]


def _inside(point: Point, axes: Sequence[Axis]) -> bool:
    return all(0 <= i < len(axis.values) for i, axis in zip(point, axes, strict=True))


def _product(ranges: Sequence[Sequence[int]]) -> list[Point]:
    points: list[Point] = [()]
    for values in ranges:
        points = [p + (v,) for p in points for v in values]
    return points
