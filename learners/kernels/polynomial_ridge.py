"""Kernel ridge regression with the polynomial kernel, which a high degree makes hard to tune."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hierbench.learners.engines.kernel_engine import Axis, Kernel, PrefixSolver
from hierbench.learners.engines.kernel_tuning import Cost, Fit
from hierbench.learners.kernels.kernel_ridge import OFFSETS, RIDGES, KernelRidge

PROBES = (0.3, 1.0, 3.0)
"""Offsets that compete at n whatever short prefixes say."""
PROBED_RIDGE = 1e-9
"""The ridge at which they do, or the first one above at which rounding leaves one of them sound."""


class KernelRidgePolynomial(KernelRidge):
    """``KernelRidge`` with the polynomial kernel; parameters as there.

    Past the number of polynomials of its degree a kernel recovers a target exactly, at offsets near 1 and
    next to no ridge. Prefixes from before that transition prefer offsets of 10 and more, which suit the lower
    degrees: at degree 8 that was all they left in the running. So three offsets near 1, with next to no
    ridge, compete at n in every fit; a curve shares their factors.
    """

    def __init__(
        self,
        *,
        degree: int = 4,
        offset: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__("polynomial", degree=degree, offset=offset, ridge=ridge, device=device)

    def _fits(self, kernel: Kernel, X: np.ndarray, y: np.ndarray, sizes: Sequence[int]) -> list[Fit]:
        fits = super()._fits(kernel, X, y, sizes)
        if self.offset is not None or self.ridge is not None:  # what is asked for is what is tried
            return fits
        return probed(kernel, X, y, sizes, fits, self.device)


def probes() -> tuple[Axis, Axis]:
    """The lattice of what competes at n: offsets, and the ridges from the one at which they do."""
    near = [min(OFFSETS.values, key=lambda value, c=c: abs(np.log(value / c))) for c in PROBES]  # type: ignore[misc]
    ridges = [value for value in RIDGES.values if value >= PROBED_RIDGE * 0.99]
    return Axis.listed("offset", near), Axis.listed("ridge", ridges)


def probed(
    kernel: Kernel,
    X: np.ndarray,
    y: np.ndarray,
    sizes: Sequence[int],
    fits: Sequence[Fit],
    device: str = "cpu",
) -> list[Fit]:
    """Fits of the prefixes ``sizes``, or those of the probes where their leave-one-out error is smaller."""
    solver = PrefixSolver(kernel, probes(), X, y, sizes, device)
    # from the largest size down: its factors serve the others
    best = {
        n: _probed(solver, n, fit) for n, fit in sorted(zip(sizes, fits, strict=True), key=lambda p: -p[0])
    }
    return [best[n] for n in sizes]


def _probed(solver: PrefixSolver, n: int, fit: Fit) -> Fit:
    """The fit, or the best of the probes where its leave-one-out error is smaller; with what these took."""
    cost = Cost(solver)
    offsets, ridges = (range(len(axis.values)) for axis in solver.axes)
    for ridge in ridges:
        found = cost.solve([(offset, ridge) for offset in offsets], n)
        if found:
            break
    report = dataclasses.replace(
        fit.report,
        steps=(fit.report.steps or 0) + cost.factorisations,
        flops=(fit.report.flops or 0.0) + cost.flops,
    )
    point = min(found, key=lambda p: found[p].loo_mse, default=None)
    if point is None or found[point].loo_mse >= fit.report.health["loo_mse"]:
        return dataclasses.replace(fit, report=report)
    shape, ridge_value, solution = solver.shape(point), solver.ridge(point), found[point]
    health = {
        "loo_mse": solution.loo_mse,
        "train_mse": solution.train_mse,
        "log10_condition": float(np.log10(solution.condition)),
        "edges_of_grid": 0.0,
    }
    chosen = {"offset": shape[0], "ridge": ridge_value}
    report = dataclasses.replace(report, hyperparameters=chosen, health=health)
    return Fit(shape, ridge_value, solution.alpha, report)
