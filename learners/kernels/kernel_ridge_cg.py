"""Kernel ridge regression beyond the sizes whose kernel matrix fits into memory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np
from sklearn.utils import Tags

from hierbench.checks import integer
from hierbench.learners.base import FitReport
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.conjugate_gradients import Iteration, KernelSystem
from hierbench.learners.engines.kernel_engine import Axis, Kernel, Point, PrefixSolver
from hierbench.learners.engines.kernel_tuning import (
    Cost,
    Fit,
    Shortlist,
    follow,
    not_positive_definite,
    shortlist,
    tune,
)
from hierbench.learners.kernels.kernel_ridge import KernelRidge
from hierbench.learners.kernels.polynomial_ridge import probed, probes

HELD_OUT = 2048
"""Most rows, and a quarter of all at most, by which kernel and ridge are chosen."""
_CHECK, _LOOKS = 5, 6
"""Iterations between two looks at the held-out rows, and how many looks are compared."""
_STILL = 1e-2
"""Iterations end where those looks differ by no more than this, relatively, at every ridge that may win."""
_TIED = 1e-3
"""Errors closer than this, relatively, are not told apart: the largest ridge, and the kernel tried first.

With noise, most of a held-out error is noise: to tell less apart costs more than iterations leave open.
"""
_HOPELESS = 10.0
"""A ridge with this many times the least error may not."""
_FINALISTS = 3
"""Most kernels that compete once more."""
_PARTS = 8
"""In which the held-out rows are left out then, one at a time: nearly all samples are fitted."""
_DRIFT = 1.05, 2.0
"""How far apart errors of two kernels may drift with the samples that the first contest holds out: below the
former, there is no second one; more than the latter is not followed."""
_SOLVED = 1e-15
"""Error, relative to the variance of the labels, below which there is nothing to choose."""
_TOLERANCE = 1e-10
"""Of the residual, relative to the labels: nothing is left to gain."""


class KernelRidgeCG(KernelRidge):
    """``KernelRidge`` by preconditioned conjugate gradients where there are more than ``n_exact`` samples.

    Up to ``n_exact`` samples it is ``KernelRidge``. Beyond, the kernels that compete at n are chosen as
    there, on prefixes of ``n_exact`` samples at most. They are fitted to all but the last rows (a quarter,
    at most 2048), each at the smallest ridge of the scan and those within a decade of its best one, and so
    are kernels that follow a winner which has moved. Where the error falls steeply with n, up to three
    whose errors are no further apart than it falls with the held-out samples compete once more: each eighth
    of these rows is predicted from all others. The kernel and the ridge that predict best are fitted to
    all. Iterations end where predictions no longer change. Beyond 3 ``n_exact`` samples kernels compete on
    so many, or on a third of the samples, and only once. The offsets that ``KernelRidgePolynomial`` tries
    at every n compete here too. Memory grows with n, time with n^2: see
    ``hierbench.learners.engines.conjugate_gradients``.

    Parameters
    ----------
    kernel, degree, length_scale, offset, ridge, intercept : as for ``KernelRidge``.
    n_exact : int
        Samples up to which the kernel matrix is kept and factored.
    n_centres : int
        Rows of the preconditioner, which takes ``8 n n_centres`` bytes, and ten matrices of so many rows.
    max_iter : int
        Most iterations of a solution.

    Attributes
    ----------
    n_iter_ : int
        Iterations of the fit to all samples; 1 where it took none.
    """

    def __init__(
        self,
        kernel: str = "rbf",
        *,
        degree: int = 4,
        length_scale: float | Sequence[float] | None = None,
        offset: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        n_exact: int = 8192,
        n_centres: int = 4096,
        max_iter: int = 300,
    ) -> None:
        super().__init__(
            kernel, degree=degree, length_scale=length_scale, offset=offset, ridge=ridge, intercept=intercept
        )
        self.n_exact = n_exact
        self.n_centres = n_centres
        self.max_iter = max_iter

    def __sklearn_tags__(self) -> Tags:
        """Say that iterations end where one output is known."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _fits(self, kernel: Kernel, X: np.ndarray, y: np.ndarray, sizes: Sequence[int]) -> list[Fit]:
        exact = integer("n_exact", self.n_exact, 2)
        integer("n_centres", self.n_centres, 1)
        integer("max_iter", self.max_iter, 1)
        lengths = {min(length, exact) for n in sizes for length in self._budget().lengths(n)}
        m = max(lengths)
        solver = PrefixSolver(kernel, self._axes(), X[:m], y[:m], lengths)
        fits = {
            n: tune(solver, n, self._budget()) if n <= exact else self._fit_long(solver, X[:n], y[:n], exact)
            for n in sorted(set(sizes), reverse=True)
        }
        short = [n for n in fits if n <= exact]
        if short and self._probes:
            solver.forget_matrices()
            fits |= zip(short, probed(kernel, X[:m], y[:m], short, [fits[n] for n in short]), strict=True)
        return [fits[n] for n in sizes]

    @property
    def _probes(self) -> bool:
        """Whether offsets near 1 compete at n, as with ``KernelRidgePolynomial``."""
        return self.kernel == "polynomial" and self.offset is None and self.ridge is None

    def _store(self, kernel: Kernel, X: np.ndarray, fit: Fit) -> Self:
        self.n_iter_ = int(fit.report.health.get("iterations", 1))
        return super()._store(kernel, X, fit)

    def _fit_long(self, solver: PrefixSolver, X: np.ndarray, y: np.ndarray, exact: int) -> Fit:
        """Fit more than ``n_exact`` samples; the solver has the first of them."""
        n, cost = len(y), Cost(solver)
        scan, walk, _ = (min(length, exact) for length in self._budget().lengths(n))
        listed = shortlist(cost, n, (scan, walk), self._budget())
        walked = cost.solve([listed.best], walk).get(listed.best)  # solved before, as a rule
        before = walk, walked.loo_mse if walked else math.inf
        solver.forget_matrices()
        # up to 3 n_exact samples the walk was as long as that of an exact fit
        length = min(n, max(3 * exact, math.ceil(n / 3)))
        trials = self._contest(solver, listed, X[:length], y[:length])
        best = _best(trials)
        if length == n:
            again = self._second_contest(solver, trials, _drift(before, best, n), X, y)
            trials += again
            best = _best([t for t in again if math.isfinite(t.error)] or [best])
        else:
            trials.append(best := self._try(solver, best.point, listed.smallest, X, y))
        if not math.isfinite(best.error):
            raise ValueError(not_positive_definite(n, "scale the features to unit variance"))
        shape, ridge = solver.shape(best.point), solver.ridge(best.point)
        final = Iteration(self._system(solver, best.point, X), y, [ridge])
        # as many for each sample as without the held-out ones; all that there may be if those took none
        final.run(math.ceil(best.done * n / best.n) or int(self.max_iter), _TOLERANCE)
        alpha = final.alphas[:, 0].numpy()
        if not np.isfinite(alpha).all():
            raise ValueError(not_positive_definite(n, "allow a larger ridge"))
        flops = sum(trial.flops for trial in trials) + self._flops(solver, best.point, n, 1, final.done)
        names = [axis.name for axis in solver.axes]
        report = FitReport(
            steps=cost.factorisations + sum(trial.done for trial in trials) + final.done,
            flops=cost.flops + flops,
            hyperparameters=dict(zip(names, (*shape, ridge), strict=True)),
            health={
                "held_out_mse": best.error,
                "residual": float(final.true_residuals()[0]),
                "iterations": float(max(1, final.done)),
                "settled": float(best.settled),
                "log10_condition": math.log10(max(1.0, final.system.condition(ridge))),
            },
        )
        return Fit(shape, ridge, alpha, report)

    def _contest(self, solver: PrefixSolver, listed: Shortlist, X: np.ndarray, y: np.ndarray) -> list[_Trial]:
        """Try the kernels that are listed, and those that follow a winner which has moved."""
        trials: dict[Point, _Trial] = {}
        for point in listed.points:
            if point[:-1] not in trials:
                trials[point[:-1]] = self._try(solver, point, listed.smallest, X, y)
        expected, best = listed.best, _best(trials.values())
        # each step takes an improvement: a ridge at the end of its axis does not end it
        while onward := follow(expected[:-1] + best.point[-1:], best.point, solver.axes):
            if onward[:-1] in trials:
                break
            trials[onward[:-1]] = self._try(solver, onward, listed.smallest, X, y)
            expected, best = best.point, _best(trials.values())
        for point in _nearest(probes(), solver.axes) if self._probes else ():
            if point[:-1] not in trials:
                trials[point[:-1]] = self._try(solver, point, listed.smallest, X, y)
        return list(trials.values())

    def _try(self, solver: PrefixSolver, point: Point, smallest: int, X: np.ndarray, y: np.ndarray) -> _Trial:
        """Fit all but the last rows with a kernel, and choose the ridge by those."""
        near = {smallest, *range(point[-1] - 2, point[-1] + 3)}  # a decade, or neighbours that are named
        points = [point[:-1] + (i,) for i in sorted(near) if 0 <= i < len(solver.axes[-1].values)]
        n = len(y) - _held_out(len(y))
        shape = solver.shape(point)
        iteration = Iteration(self._system(solver, point, X[:n]), y[:n], [solver.ridge(p) for p in points])

        def errors() -> np.ndarray:
            fits = [(shape, column) for column in iteration.alphas.numpy().T]
            predicted = kernel_engine.predict(solver.kernel, X[:n], fits, X[n:])
            return _mean_squares(predicted - y[n:])

        last, settled = self._settle(iteration, errors)
        best = int(np.flatnonzero(last <= (1 + _TIED) * last.min())[-1])
        flops = self._flops(solver, point, n, len(points), iteration.done)
        return _Trial(points[best], float(last[best]), n, iteration.done, settled, flops)

    def _second_contest(
        self, solver: PrefixSolver, trials: Sequence[_Trial], drift: float, X: np.ndarray, y: np.ndarray
    ) -> list[_Trial]:
        """Try once more, each at its ridge, the best and those within a factor ``drift`` of it; or none."""
        best = _best(trials)
        near = [t for t in trials if t is not best and t.error <= drift * best.error]
        solved = _SOLVED * float(np.var(y))
        if not near or drift < _DRIFT[0] or not solved < best.error < math.inf:
            return []
        finalists = [best, *sorted(near, key=lambda t: t.error)[: _FINALISTS - 1]]
        return [self._try_in_parts(solver, trial.point, X, y) for trial in finalists]

    def _try_in_parts(self, solver: PrefixSolver, point: Point, X: np.ndarray, y: np.ndarray) -> _Trial:
        """Predict each part of the held-out rows from all other rows."""
        n = len(y)
        held = _held_out(n)
        rows = np.array_split(np.arange(n - held, n), min(_PARTS, held))
        parts = [slice(part[0], part[-1] + 1) for part in rows]
        ridge = solver.ridge(point)
        iteration = Iteration(self._system(solver, point, X), y, [ridge] * len(parts), parts)

        def errors() -> np.ndarray:
            predicted = [iteration.predictions[part, i].numpy() for i, part in enumerate(parts)]
            return _mean_squares(np.concatenate(predicted) - y[n - held :])[None]

        last, settled = self._settle(iteration, errors)
        m = min(n, int(self.n_centres))
        flops = self._flops(solver, point, n, len(parts), iteration.done) + 2.0 * held * m**2
        return _Trial(point, float(last[0]), n - held // len(parts), iteration.done, settled, flops)

    def _settle(self, iteration: Iteration, errors: Callable[[], np.ndarray]) -> tuple[np.ndarray, bool]:
        """Iterate until the errors stand still: the last of them, and whether they do."""
        looks: list[np.ndarray] = []
        more = True
        while more and iteration.done < self.max_iter and not _still(looks):
            more = iteration.run(min(_CHECK, int(self.max_iter) - iteration.done), _TOLERANCE)
            looks.append(errors())
        return looks[-1], not more or _still(looks)

    def _system(self, solver: PrefixSolver, point: Point, X: np.ndarray) -> KernelSystem:
        return KernelSystem(solver.kernel, solver.shape(point), X, int(self.n_centres))

    def _flops(self, solver: PrefixSolver, point: Point, n: int, ridges: int, iterations: int) -> float:
        """Count the operations of a system and its iterations."""
        m = min(n, int(self.n_centres))
        entry = solver.kernel.flops(solver.X.shape[1], solver.shape(point))
        system = n * m * (entry + 3.0 * m) + (1 + ridges) * m**3 / 3
        products = n**2 * (entry / 2 + 2 * ridges) + (4.0 * n * m + 2.0 * m**2) * ridges
        return system + iterations * products


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A kernel and its best ridge.

    error : on the held-out rows; n : samples that were fitted; done : iterations; settled : whether they
    ended by themselves.
    """

    point: Point
    error: float
    n: int
    done: int
    settled: bool
    flops: float


def _held_out(n: int) -> int:
    """How many of n rows, the last ones, choose."""
    return min(HELD_OUT, max(1, n // 4))


def _drift(before: tuple[int, float], best: _Trial, n: int) -> float:
    """Factor by which the error falls with the held-out rows, as from ``before`` (samples, error) on."""
    fewer, error = before
    if not fewer < best.n or not 0 < best.error < error:
        return 1.0 if error <= best.error else _DRIFT[1]
    power = math.log(error / best.error) / math.log(best.n / fewer)
    return min(math.exp(power * math.log(n / best.n)), _DRIFT[1])


def _mean_squares(errors: np.ndarray) -> np.ndarray:
    """Mean squares over the last axis; what is not finite is infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        means: np.ndarray = np.square(errors).mean(axis=-1)
    return np.where(np.isfinite(means), means, math.inf)


def _nearest(wanted: tuple[Axis, Axis], axes: Sequence[Axis]) -> list[Point]:
    """Points of a lattice at the offsets of another one, at its smallest ridge."""
    ridge = axes[-1].values.index(wanted[-1].values[0])
    return [(axes[0].values.index(offset), ridge) for offset in wanted[0].values]


def _best(trials: Iterable[_Trial]) -> _Trial:
    """Return the first of those that the errors do not tell apart."""
    trials = list(trials)
    least = min(trial.error for trial in trials)
    return next(trial for trial in trials if trial.error <= (1 + _TIED) * least)


def _still(looks: Sequence[np.ndarray]) -> bool:
    """Whether the errors of all ridges that may win have settled."""
    if len(looks) < _LOOKS:
        return False
    last = np.array(looks[-_LOOKS:])
    may_win = last.min(axis=0) <= _HOPELESS * last[-1].min()
    return bool((last.max(axis=0) <= (1 + _STILL) * last.min(axis=0))[may_win].all())
