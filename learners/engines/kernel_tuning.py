"""Choice of kernel and ridge inside ``fit``, by closed-form leave-one-out, within a declared budget.

The hyperparameters live on a lattice (``Axis`` by ``Axis``, the ridge last). A fit at size n
scans the coarse lattice on a short prefix, walks from there to the best neighbours on a longer one, and
lets the best few kernels compete at n. Where the winner has moved between the two, it is followed: the
error falls steeply with n near a phase transition, and the best kernel changes with it. What is looked
at depends on n and the data alone: a fit at n and the prefix n of a curve take the same decisions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from hierbench.learners.base import FitReport
from hierbench.learners.engines.kernel_engine import Axis, Kernel, Point, PrefixSolver, Solution, tail
from hierbench.learners.engines.linear_algebra import cholesky, solve_positive


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
        """Return the prefix lengths of scan, walk and final fit for n samples."""
        scan, walk = (min(n, max(floor, math.ceil(n * share))) for share, floor in (self.scan, self.walk))
        return scan, walk, n


@dataclasses.dataclass(frozen=True)
class Fit:
    """The tuned fit of one prefix."""

    shape: tuple[float, ...]
    ridge: float
    alpha: np.ndarray
    report: FitReport


def tune(solver: PrefixSolver, n: int, budget: Budget, near: Point | None = None) -> Fit:
    """Choose hyperparameters for prefix ``n`` by closed-form leave-one-out, and fit it.

    near : what is best for a similar problem: the scan then changes one hyperparameter at a time from there.

    Raises
    ------
    ValueError
        If K + ridge I is not positive definite at any ridge allowed.
    """
    scan, walk, _ = budget.lengths(n)
    cost = Cost(solver)
    listed = shortlist(cost, n, (scan, walk), budget, near)
    rank, expected, smallest = listed.points, listed.best, listed.smallest
    final = cost.solve(rank, n)
    while not final:  # rounding may spoil at n what was sound on a part of it
        rank = [p[:-1] + (p[-1] + 1,) for p in rank if p[-1] + 1 < len(solver.axes[-1].values)]
        if not rank:
            raise ValueError(not_positive_definite(n, "allow a larger ridge"))
        final = cost.solve(rank, n)
    winner = _ranked(final)[0]
    if winner[-1] > smallest:
        final |= cost.solve([winner[:-1] + (smallest,)], n)
    chosen = _ranked(final)[0]
    for _ in range(budget.drift):
        onward = follow(expected, chosen, solver.axes)
        if onward is None or onward in final:
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


@dataclasses.dataclass(frozen=True)
class Shortlist:
    """Who competes at n.

    points : the best kernels, the best first, each with its best ridge; then the best at the smallest ridges,
    which may be one of them.
    smallest : index of the smallest ridge at which some kernel is sound.
    """

    points: list[Point]
    smallest: int

    @property
    def best(self) -> Point:
        """Return the best on the prefix of the walk."""
        return self.points[0]


def shortlist(
    cost: Cost, n: int, lengths: tuple[int, int], budget: Budget, near: Point | None = None
) -> Shortlist:
    """Scan and walk on prefixes of ``lengths``, for a fit at ``n``.

    Raises
    ------
    ValueError
        If K + ridge I is not positive definite at any ridge allowed.
    """
    scan, walk = lengths
    solver = cost.solver
    everywhere = itertools.product(*(axis.coarse for axis in solver.axes))
    coarse = list(everywhere) if near is None else _star(near, solver.axes)
    scanned = cost.solve(coarse, scan)
    highest = max(p[-1] for p in coarse)
    while not scanned and highest + 1 < len(solver.axes[-1].values):
        highest += 1
        coarse = [p[:-1] + (highest,) for p in dict.fromkeys(q[:-1] + (0,) for q in coarse)]
        scanned = cost.solve(coarse, scan)
    if not scanned:
        remedy = "scale the features to unit variance, or allow a larger ridge"
        raise ValueError(not_positive_definite(n, remedy, solver.axes[-1].values[-1]))

    # Without noise the smallest ridge wins once n is past the transition to the next degree, which no
    # shorter prefix foretells: it stays in the running until the end, with the kernel that is best
    # at it and with the one that wins at n.
    smallest = min(p[-1] for p in scanned)
    seen = cost.solve(
        [*_best_kernels(scanned, budget.starts), *(p for p in scanned if p[-1] == smallest)], walk
    )
    evaluated = 0
    while seen and evaluated < budget.walk_points:
        best = _ranked(seen)[0]
        fresh = [p for p in _neighbours(best, solver.axes) if p not in seen]
        if not fresh:
            break
        evaluated += len(fresh)
        seen |= cost.solve(fresh, walk)
        if not seen[_ranked(seen)[0]].loo_mse < (1 - budget.worth) * seen[best].loo_mse:
            break
    seen = seen or scanned

    best = _ranked(seen)[0]
    promising = {p: s for p, s in seen.items() if s.loo_mse <= budget.hopeless * seen[best].loo_mse}
    rank = _best_kernels(promising, budget.finalists)
    rank += [p for p in _ranked(promising) if p[-1] <= smallest][:1]
    return Shortlist(rank, smallest)


def follow(expected: Point, chosen: Point, axes: Sequence[Axis]) -> Point | None:
    """Return the next step after a winner that has moved; None if it has not, or would leave the lattice."""
    onward = tuple(2 * c - e for c, e in zip(chosen, expected, strict=True))
    return onward if chosen != expected and _inside(onward, axes) else None


def fit_prefixes(
    kernel: Kernel,
    axes: Sequence[Axis],
    X: np.ndarray,
    y: np.ndarray,
    sizes: Sequence[int],
    budget: Budget,
    near: Point | None = None,
    device: str = "cpu",
) -> list[Fit]:
    """Tuned fits of the prefixes ``sizes`` of (X, y), in their order; ``near`` as in ``tune``.

    y : (N,), or (N, outputs): one kernel and one ridge serve all outputs, chosen by their common error.
    """
    lengths = {length for n in sizes for length in budget.lengths(n)}
    solver = PrefixSolver(kernel, axes, X, y, lengths, device)
    # From the largest down, so that the long factorisations are there when the short ones are asked for.
    fits = {n: tune(solver, n, budget, near) for n in sorted(set(sizes), reverse=True)}
    return [fits[n] for n in sizes]


def coefficients(K: torch.Tensor, y: torch.Tensor, ridge: float, count: Callable[[], None]) -> np.ndarray:
    """Dual coefficients at ``ridge``, or at the first power of ten times it that rounding allows.

    Parameters
    ----------
    K : (n, n), left as it is; y : (n,).
    count : called for every factorisation.

    Raises
    ------
    ValueError
        No ridge is large enough: K is not finite.
    """
    plain = K.diagonal().clone()
    while True:
        K.diagonal().copy_(plain + ridge)
        L, info = cholesky(K)
        K.diagonal().copy_(plain)
        count()
        if info == 0:
            return solve_positive(L, y).numpy()
        # A ridge beyond this dominates every row.
        dominant = len(K) * float(K.abs().max())
        if not ridge <= dominant < math.inf:
            raise ValueError(not_positive_definite(len(K), "scale the features to unit variance", ridge))
        ridge = max(10 * ridge, 1e-10)


def not_positive_definite(n: int, remedy: str, ridge: float | None = None) -> str:
    """Say in one line that no ridge, up to ``ridge``, makes a kernel matrix of n points sound."""
    limit = "" if ridge is None else f" at any ridge up to {ridge:g}"
    return f"the kernel matrix of {n} points is not positive definite{limit}: {remedy}"


class Cost:
    """Solves, and counts what a fit of one size alone would cost, however much a curve has in common."""

    def __init__(self, solver: PrefixSolver) -> None:
        self.solver = solver
        self.flops = 0.0
        self._done: set[tuple[Point, int]] = set()

    @property
    def factorisations(self) -> int:
        """Return how many there were."""
        return len(self._done)

    def solve(self, points: Sequence[Point], length: int) -> dict[Point, Solution]:
        """Solutions on the prefix ``length``, as of ``PrefixSolver``."""
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
    """Return the best points, at most one a kernel."""
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


def _star(centre: Point, axes: Sequence[Axis]) -> list[Point]:
    """The centre, and it with one index at a time replaced by those of the axis' coarse scan."""
    points = {centre: None}
    for i, axis in enumerate(axes):
        points |= {centre[:i] + (value,) + centre[i + 1 :]: None for value in axis.coarse}
    return sorted(points)
