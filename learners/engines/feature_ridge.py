r"""Ridge regression on explicit features in nested groups: one factor serves every group of a prefix.

For features Phi (n, D), a ridge and penalties p (D,), factor Phi^T Phi + ridge diag(p) = L L^T. The leading
block of L is the factor of the leading features, so that with W = L^{-1} Phi^T and z = L^{-1} Phi^T y, for
the first D_k features

    prediction at a training point    f_i = \sum_{j <= D_k} W_{ji} z_j
    its leverage                      h_i = \sum_{j <= D_k} W_{ji}^2
    leave-one-out residual            (y_i - f_i) / (1 - h_i)

(D. M. Allen, *The relationship between variable selection and data augmentation*, Technometrics 1974).
Where features are polynomials in the order of their degree, one factor so gives every lower degree.
Phi^T Phi is summed along a curve; rows of Phi are made in blocks, and never all kept.
Leave-one-out errors are averaged over the rows that ``hierbench.learners.engines.kernel_engine`` takes.

This is the form for fewer features than samples; otherwise the kernel matrix Phi Phi^T is the smaller one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.kernel_engine import CHUNK, TIE, Axis, float64_tensor, tail
from hierbench.learners.engines.linear_algebra import cholesky, solve_lower, solve_positive

Features = Callable[[np.ndarray, int], Tensor]
"""``features(X, count)``: the first ``count`` features, (len(X), count) float64."""

WORTH = 2e-3
"""The search goes on while it gains this much, relatively."""


@dataclasses.dataclass(frozen=True)
class FeatureFit:
    """Ridge regression on the leading features of one prefix, the best by leave-one-out.

    coef : (n_features,); penalty : which of the penalties; ridge : on the last feature;
    factorisations, flops : tuning included.
    """

    coef: np.ndarray
    penalty: int
    ridge: float
    loo_mse: float
    train_mse: float
    condition: float
    factorisations: int
    flops: float

    @property
    def health(self) -> dict[str, float]:
        """Return what ``fit_report_`` says of the fit."""
        return {
            "loo_mse": self.loo_mse,
            "train_mse": self.train_mse,
            "log10_condition": math.log10(self.condition),
        }


@dataclasses.dataclass(frozen=True)
class _Solution:
    """One penalty, one ridge, one group; errors over the rows that count."""

    loo_mse: float
    train_mse: float
    condition: float

    @property
    def tie(self) -> float:
        return min(0.5, max(TIE, np.finfo(float).eps * self.condition))


class _Prefix:
    """All groups, penalties and ridges of one prefix, from its Gram matrix."""

    def __init__(
        self,
        features: Features,
        groups: Sequence[int],
        X: np.ndarray,
        y: np.ndarray,
        gram: Tensor,
        b: Tensor,
        axis: Axis,
        penalties: Sequence[Tensor],
    ) -> None:
        self.features, self.groups, self.X, self.y = features, sorted(groups), X, y
        self.gram, self.b, self.axis = gram, b, axis
        self.penalties = [p[: self.groups[-1]] / p[self.groups[-1] - 1] for p in penalties]
        self.solutions: dict[tuple[int, int, int], _Solution] = {}
        self.tried: set[tuple[int, int]] = set()

    def factor(self, penalty: int, ridge: float, count: int) -> Tensor | None:
        shifted = self.gram[:count, :count].clone()
        shifted.diagonal().add_(self.penalties[penalty][:count], alpha=ridge)
        L, info = cholesky(shifted, shifted)
        return L if info == 0 else None

    def evaluate(self, penalty: int, index: int) -> None:
        """Errors of every group at one penalty and the ``index``-th ridge."""
        self.tried.add((penalty, index))
        n, count, ridge = len(self.y), self.groups[-1], self.axis.values[index]
        L = self.factor(penalty, ridge, count)
        if L is None:
            return
        z = solve_lower(L, self.b[:count, None])[:, 0]
        starts = [0, *self.groups[:-1]]
        first = n - tail(n)
        fits, leverages = torch.zeros((2, len(self.groups), n - first), dtype=torch.float64)
        for a in range(first, n, rows := max(1, CHUNK // count)):
            phi = self.features(self.X[a : a + rows], count)
            W = solve_lower(L, phi.T)
            at = slice(a - first, a - first + len(phi))
            for k, (start, stop) in enumerate(zip(starts, self.groups, strict=True)):
                fits[k, at] = z[start:stop] @ W[start:stop]
                leverages[k, at] = W[start:stop].square().sum(0)
        y = float64_tensor(self.y[first:])
        residuals, left = y - fits.cumsum(0), 1 - leverages.cumsum(0)
        pivots, trace = (
            L.diagonal().square(),
            self.gram.diagonal()[:count] + ridge * self.penalties[penalty][:count],
        )
        for k, stop in enumerate(self.groups):
            condition = float(trace[:stop].sum() / pivots[:stop].min())
            # What is left of a point that the fit goes through is rounding, and so is its residual.
            if left[k].min() > max(1e-9, np.finfo(float).eps * condition):
                loo = float((residuals[k] / left[k]).square().mean())
                if math.isfinite(loo):
                    train = float(residuals[k].square().mean())
                    self.solutions[penalty, index, k] = _Solution(loo, train, condition)

    def best(self) -> tuple[int, int, int] | None:
        """(penalty, ridge, group) by leave-one-out error.

        Of those that tie the one with the fewest features, of the first penalties, of the largest ridge.
        """
        if not self.solutions:
            return None
        least = min(self.solutions.values(), key=lambda s: s.loo_mse)
        tied = [
            p for p, s in self.solutions.items() if s.loo_mse <= least.loo_mse * (1 + max(s.tie, least.tie))
        ]
        return min(tied, key=lambda p: (p[2], p[0], -p[1]))

    def fit(self) -> FeatureFit | None:
        """Scan the ridges, then walk from the best; None if no ridge is sound.

        Where samples are many, at the first penalty only: they hardly differ then.
        """
        last, few = self.axis.coarse[-1], len(self.y) < 2 * self.groups[-1]
        for penalty in range(0, len(self.penalties) if few else 1, 2):
            for index in self.axis.coarse:
                self.evaluate(penalty, index)
        for index in range(last + 1, len(self.axis.values)):
            if not self.solutions:
                self.evaluate(0, index)
        best, gain = self.best(), True
        while best is not None and gain:
            for penalty, index in self.neighbours(best[0], best[1]):
                self.evaluate(penalty, index)
            onward = self.best()
            assert onward is not None
            gain = self.solutions[onward].loo_mse < (1 - WORTH) * self.solutions[best].loo_mse
            best = onward
        if best is None:
            return None
        (penalty, index, group), solution = best, self.solutions[best]
        ridge, stop = self.axis.values[index], self.groups[group]
        L = self.factor(penalty, ridge, stop)
        assert L is not None, "a leading block of a positive definite matrix"
        coef = solve_positive(L, self.b[:stop]).numpy()
        n, count, steps = len(self.y), self.groups[-1], len(self.tried)
        flops = float(n * count**2 + steps * (count**3 / 3 + tail(n) * count**2))
        ridge *= float(self.penalties[penalty][stop - 1])
        errors = (solution.loo_mse, solution.train_mse, solution.condition)
        return FeatureFit(coef, penalty, ridge, *errors, steps, flops)

    def neighbours(self, penalty: int, index: int) -> list[tuple[int, int]]:
        """Return the steps of the ridge, of the penalty, or of both where they trade off, not yet tried."""
        steps = [(0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, 1)]
        points = [(penalty + p, index + r) for p, r in steps]
        allowed = [
            (p, r) for p, r in points if 0 <= p < len(self.penalties) and 0 <= r < len(self.axis.values)
        ]
        return [point for point in allowed if point not in self.tried]


def fit_prefixes(
    features: Features,
    groups: Mapping[int, Sequence[int]],
    X: np.ndarray,
    y: np.ndarray,
    axis: Axis,
    penalties: Sequence[Tensor],
) -> dict[int, FeatureFit | None]:
    """Tuned fits of prefixes of (X, y); None where no ridge gives a sound fit.

    groups : for every size, the numbers of leading features to choose from.
    axis : the ridges, of which the coarse ones are tried first; penalties : what they are multiplied by,
    each (D,), relative to that of a prefix's last feature, in such an order that neighbours are alike.
    """
    sizes = sorted(n for n in groups if groups[n])
    if not sizes:
        return {}
    count = max(max(groups[n]) for n in sizes)
    gram = torch.zeros((count, count), dtype=torch.float64)
    b = torch.zeros(count, dtype=torch.float64)
    fits: dict[int, FeatureFit | None] = {}
    done = 0
    for n in sizes:
        for a in range(done, n, rows := max(1, CHUNK // count)):
            phi = features(X[a : min(n, a + rows)], count)
            gram.addmm_(phi.T, phi)
            b.addmv_(phi.T, float64_tensor(y[a : a + len(phi)]))
        done = n
        fits[n] = _Prefix(features, groups[n], X[:n], y[:n], gram, b, axis, penalties).fit()
    return fits
