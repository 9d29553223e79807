"""Hyper-kernel ridge regression: a kernel of a linear projection that is learned with the coefficients."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.learners.adaptive.projected_kernel import (
    GaussianOfProjection,
    PolynomialOfProjection,
    ProfiledRisk,
    ProjectedKernel,
)
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines import kernel_engine
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.engines.kernel_engine import Axis, float64_tensor
from hierbench.learners.engines.kernel_tuning import coefficients
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.parameters import integer_between, integers
from hierbench.learners.seeds import seed_of
from hierbench.learners.training_set import training_set

KERNELS = ("gaussian", "polynomial")
SCOUT = (1 / 3, 512)
"""Share of the rows, and at least how many, on which kernels and numbers of directions compete."""
DECADES = 11
"""Ridges of a path: powers of ten, the first n or above."""
WARM = 1e-3
"""Share of the largest ridge up to which a ridge starts from the minimum at the last. At larger ones the risk
sees the strongest direction alone, and the others would have to grow again out of almost nothing."""
PATIENCE = 3
"""Ridges in a row without a better held-out error after which a path ends, once it is warm."""
FEWEST = 4
"""Directions that are tried first: fewer often end in a minimum that is not the least."""


@dataclasses.dataclass
class Work:
    """What a fit has cost so far: factorisations and operations."""

    steps: int = 0
    flops: float = 0.0

    def add(self, factorisations: int, n: int, r: int) -> None:
        """Count ridge fits of n points in r directions."""
        self.steps += factorisations
        self.flops += factorisations * (n**3 / 3 + (4 * r + 30) * n**2)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows to fit, the seed of the starts, and the account of what is done with them."""

    X: np.ndarray
    y: np.ndarray
    seed: int
    work: Work

    def rows(self, which: np.ndarray | slice) -> Sample:
        """Return some of the rows, on the same account."""
        return dataclasses.replace(self, X=self.X[which], y=self.y[which])


@dataclasses.dataclass(frozen=True)
class Choice:
    """A kernel and a number of directions, with the ridge and the error that held-out rows give it."""

    kernel: ProjectedKernel
    directions: int
    ridge: float
    held_out_mse: float


class Path:
    """Minima of the profiled risk along falling ridges.

    starts : (r, d) each; warm : the ridge from which each minimum is the start of the next.
    """

    def __init__(
        self, risk: ProfiledRisk, starts: list[np.ndarray], warm: float, iterations: int, work: Work
    ) -> None:
        self.risk, self.starts, self.warm, self.iterations, self.work = risk, starts, warm, iterations, work

    def descend(self, ridge: float) -> np.ndarray:
        """Go on to ``ridge`` from every start; return the B of the least risk."""
        before = self.risk.evaluations
        shape = self.starts[0].shape

        def flat(b: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.risk(b.reshape(shape), ridge)
            return value, gradient.ravel()

        options = {"maxiter": self.iterations}
        found = [minimize(flat, B.ravel(), jac=True, method="L-BFGS-B", options=options) for B in self.starts]
        minima = [result.x.reshape(shape) for result in found]
        if ridge <= self.warm:
            self.starts = minima
        self.work.add(self.risk.evaluations - before, len(self.risk.y), shape[0])
        return minima[int(np.argmin([result.fun for result in found]))]


class HyperKernelRegressor(FitsCurvesOneByOne, RegressorMixin, BaseEstimator):
    r"""Kernel ridge regression in k(Bx, Bx'), minimised over the function and the projection B at once.

    .. math:: \min_{B \in R^{r \times d}} \min_f \sum_i (f(x_i) - y_i)^2 + \lambda |f|_B^2, \qquad
              k_B(x, x') = k(Bx, Bx')

    S. Huang, H. Labarriere, E. De Vito, T. Poggio, L. Rosasco, *Learning multi-index models with hyper-kernel
    ridge regression*, arXiv 2510.02532. Of their two ways to minimise this it is variable projection
    (Golub & Pereyra 1973): the inner minimum is solved, the outer one descended, here by L-BFGS. The kernel
    is Gaussian, its length scale in the scale of B, or polynomial.

    The minimum over B is not convex. Starts are random, as theirs. The ridge falls by decades, and B
    goes on from one minimum to the next. More directions than the target has make the descent easier, as they
    find too, and cost few samples: r is 4, 8, 16, ..., d. B has seen the labels, which flatters
    leave-one-out: kernel, r and ridge are those of the least error on held-out folds, whose paths, B
    included, are without them. Of a large sample a third decides on kernel and r.

    Parameters
    ----------
    kernel : "gaussian", "polynomial", or several to choose from.
    degree, offset : p and c of ((z.z' / m + c) / (1 + c))^p, m the mean of |z|^2; several c to choose from.
    n_directions : None (4, 8, 16, ..., d), r, or several to choose from.
    ridge : None (eleven powers of ten, the first n or above), a number, or several to choose from. Absolute.
    iterations : most of L-BFGS at each ridge.
    restarts : random starts, of which that of the least risk counts.
    folds : of the cross-fitting; interleaved, so that nothing is random but the starts.
    random_state : int, RandomState or None; of the starts.

    Attributes
    ----------
    projection_ : (r, d), B in the units of ``kernel_``; X_fit_ : (n, r), the projected training inputs.
    kernel_ : of the projected inputs; shape_ : its length scale, or offset; dual_coef_ : (n,).
    hyperparameters_ : dict, what was chosen.
    fit_report_ : FitReport; its steps are factorisations.
    """

    def __init__(
        self,
        *,
        kernel: str | Sequence[str] = KERNELS,
        degree: int = 4,
        offset: float | Sequence[float] = 1.0,
        n_directions: int | Sequence[int] | None = None,
        ridge: float | Sequence[float] | None = None,
        iterations: int = 30,
        restarts: int = 1,
        folds: int = 3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.offset = offset
        self.n_directions = n_directions
        self.ridge = ridge
        self.iterations = iterations
        self.restarts = restarts
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> HyperKernelRegressor:
        """Choose by held-out folds, then descend on all rows. X : (n, d), n >= 2; y : (n,)."""
        kernels = self._check()
        X, y = training_set(self, X, y)
        unit, n = math.sqrt(X.var(axis=0).mean()) or 1.0, len(y)
        sample = Sample(X / unit, y, seed_of(self.random_state), Work())
        scouts = min(n, max(SCOUT[1], math.ceil(SCOUT[0] * n)))
        first, sizes = sample.rows(slice(scouts)), self._numbers_of_directions(X.shape[1])
        tried = [self._held_out(kernel, r, first) for kernel in kernels for r in sizes]
        choice = min(tried, key=lambda c: c.held_out_mse)
        if scouts < n:
            choice = self._held_out(choice.kernel, choice.directions, sample)
        ridges, warm = self._ridges(n)
        path = self._path(choice.kernel, choice.directions, warm, sample)
        for ridge in [*(r for r in ridges if choice.ridge < r <= warm), choice.ridge]:
            B = path.descend(ridge)
        return self._store(choice, B, sample, unit)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        fits = [(self.shape_, self.dual_coef_)]
        return kernel_engine.predict(self.kernel_, self.X_fit_, fits, X @ self.projection_.T)[0]

    def _numbers_of_directions(self, d: int) -> list[int]:
        if self.n_directions is None:
            return [r for r in (FEWEST * 2**i for i in range(d)) if r < d] + [d]
        return sorted({min(r, d) for r in integers("n_directions", self.n_directions, 1)})

    def _held_out(self, kernel: ProjectedKernel, directions: int, sample: Sample) -> Choice:
        """Paths without each fold: the ridge at which they predict the folds best."""
        n = len(sample.y)
        ridges, warm = self._ridges(n)
        if n < 2 * self.folds:
            return Choice(kernel, directions, ridges[0], math.nan)
        fold = np.arange(n) % self.folds
        parts = [(sample.rows(fold != k), sample.rows(fold == k)) for k in range(self.folds)]
        paths = [self._path(kernel, directions, warm, kept) for kept, _ in parts]
        best, idle = Choice(kernel, directions, ridges[0], math.inf), 0
        for ridge in ridges:
            error = 0.0
            for path, (kept, held) in zip(paths, parts, strict=True):
                P, shape = _placed(kernel, path.descend(ridge), kept.X)
                Z = kept.X @ P.T
                alpha = _solve(kernel, shape, Z, ridge, kept)
                predicted = kernel_engine.predict(kernel.engine, Z, [(shape, alpha)], held.X @ P.T)[0]
                error += float(np.square(predicted - held.y).sum()) / n
            idle += ridge <= warm
            if error < best.held_out_mse:
                best, idle = Choice(kernel, directions, ridge, error), 0
            if idle >= PATIENCE:
                break
        return best

    def _path(self, kernel: ProjectedKernel, directions: int, warm: float, sample: Sample) -> Path:
        """Start from random directions, the summed variance of the projections 1."""
        starts = []
        for restart in range(self.restarts):
            rng = generator((sample.seed, directions), Purpose.INITIALISATION, restart)
            B = rng.standard_normal((directions, sample.X.shape[1]))
            spread = float((sample.X @ B.T).var(axis=0).sum())
            starts.append(B / math.sqrt(spread) if spread > 0 else B)
        return Path(ProfiledRisk(kernel, sample.X, sample.y), starts, warm, self.iterations, sample.work)

    def _ridges(self, n: int) -> tuple[tuple[float, ...], float]:
        """Return ridges, the largest first, and that from which their minima are handed on."""
        if self.ridge is None:
            top = math.ceil(math.log10(n))
            ridges = tuple(10.0**e for e in range(top, top - DECADES, -1))
        else:
            ridges = Axis.listed("ridge", self.ridge, zero=False).values[::-1]
        return ridges, WARM * ridges[0] * (1 + 1e-9)

    def _store(self, choice: Choice, B: np.ndarray, sample: Sample, unit: float) -> HyperKernelRegressor:
        P, self.shape_ = _placed(choice.kernel, B, sample.X)
        self.projection_, self.kernel_, self.X_fit_ = P / unit, choice.kernel.engine, sample.X @ P.T
        self.dual_coef_ = _solve(choice.kernel, self.shape_, self.X_fit_, choice.ridge, sample)
        gaussian = isinstance(choice.kernel, GaussianOfProjection)
        self.hyperparameters_ = {
            "kernel": KERNELS[0] if gaussian else KERNELS[1],
            "n_directions": choice.directions,
            "ridge": choice.ridge,
        }
        if not gaussian:
            self.hyperparameters_["offset"] = self.shape_[0]
        health = {"train_mse": float(np.mean(np.square(choice.ridge * self.dual_coef_)))}
        if not math.isnan(choice.held_out_mse):
            health["crossfit_mse"] = choice.held_out_mse
        self.fit_report_ = FitReport(
            sample.work.steps, sample.work.flops, self.hyperparameters_, health=health
        )
        return self

    def _check(self) -> list[ProjectedKernel]:
        check_bounds(self.get_params(deep=False))
        names = np.atleast_1d(np.asarray(self.kernel)).tolist()
        if not names or not set(names) <= set(KERNELS):
            raise ValueError(refusal("kernel", self.kernel, f"{' and '.join(KERNELS)}, one or several"))
        integer("degree", self.degree, 1)
        if self.n_directions is not None:
            integers("n_directions", self.n_directions, 1)
        for name in ("iterations", "restarts"):
            integer(name, getattr(self, name), 1)
        integer_between("folds", self.folds, 2, 999)
        self._ridges(2)
        offsets = Axis.listed("offset", self.offset).values
        kinds: dict[str, list[ProjectedKernel]] = {
            "gaussian": [GaussianOfProjection()],
            "polynomial": [PolynomialOfProjection(self.degree, c) for c in offsets],
        }
        return [kernel for name in dict.fromkeys(names) for kernel in kinds[name]]


def _placed(kernel: ProjectedKernel, B: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """B times the factor under which the engine's kernel has the shape parameters that come with it."""
    factor, shape = kernel.place(float64_tensor(X @ B.T))
    return B * factor, shape


def _solve(
    kernel: ProjectedKernel, shape: tuple[float, ...], Z: np.ndarray, ridge: float, sample: Sample
) -> np.ndarray:
    """Dual coefficients of the sample projected to Z."""
    K = torch.empty((len(Z), len(Z)), dtype=torch.float64)
    kernel.engine.gram(float64_tensor(Z), None, shape, K)
    return coefficients(K, float64_tensor(sample.y), ridge, lambda: sample.work.add(1, *Z.shape))
