"""What layer-wise training and kernels applied in sequence leave at exact population, as experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.benchmarks.correction.exact.floors import floors
from hierbench.benchmarks.correction.exact.population import Population, population, products
from hierbench.benchmarks.correction.exact.rounds import exact_target
from hierbench.benchmarks.correction.exact.solve import best_form, leading_rows, linear_fit
from hierbench.benchmarks.units.measurement import Label, Measurement


def run(
    *,
    seed: int,
    alphas: Sequence[float],
    widths: Sequence[int],
    starts: Sequence[int] = (0, 1, 2),
    d: int = 6,
    k: int = 2,
    rho: float = 0.5,
) -> list[Measurement]:
    """Floors of a plain net of two levels, by width and way of training: see ``correction.exact.floors``.

    Parameters
    ----------
    seed, d, k, rho
        Of the target ("projected").
    alphas : sequence of float
    widths : sequence of int
        Neurons of each level.
    starts : sequence of int
        Initialisations.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``alpha``, ``width``, ``method``, ``start``; values: ``relative_mse``, and
        ``converged``, 1 or 0: else the error was still falling.

    Raises
    ------
    UserError
        As ``floors``.
    """
    parameters = {"d": d, "width": k, "rho": rho, "seed": seed}
    return [
        Measurement(
            {"seed": seed, "alpha": r.alpha, "width": r.width, "method": r.method, "start": r.start},
            {"relative_mse": r.relative_mse, "converged": float(r.converged)},
        )
        for r in floors("projected", parameters, tuple(alphas), tuple(widths), tuple(starts))
    ]


def sequential(
    *,
    seed: int,
    alphas: Sequence[float],
    directions: Sequence[int],
    d: int = 6,
    k: int = 2,
    rho: float = 0.5,
) -> list[Measurement]:
    """Floors of quadratic kernel regression applied twice, in its two readings.

    With n to infinity and the ridge to zero, regression with a kernel whose features are all quadratic
    polynomials of its inputs is least squares on these polynomials, which the quadrature makes exact. The
    first regression is on x. The inputs of the second are x and p_i p_j, where p are the projections on the
    leading eigenvectors of the quadratic form that was found ("directions"), or x and the first fit ("fits").
    Kernels with more features than these have lower floors, and none from degree 4 on.

    Parameters
    ----------
    directions : sequence of int
        Numbers r of eigenvectors.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``alpha``, ``reading``, ``directions`` (0 of fits); values: ``relative_mse``.

    Raises
    ------
    UserError
        As ``floors``.
    """
    parameters = {"d": d, "width": k, "rho": rho, "seed": seed}
    measurements = []
    for alpha in alphas:
        data = population(exact_target("projected", parameters, alpha, 1))
        form, coefficients, _ = best_form(data, data.y)
        for r in directions:
            projected = data.base @ leading_rows(form, min(r, len(form))).T
            error = _second(data, products(projected))
            labels: dict[str, Label] = {
                "seed": seed,
                "alpha": alpha,
                "reading": "directions",
                "directions": r,
            }
            measurements.append(Measurement(labels, {"relative_mse": error}))
        error = _second(data, (data.quadratics @ coefficients)[:, None])
        labels = {"seed": seed, "alpha": alpha, "reading": "fits", "directions": 0}
        measurements.append(Measurement(labels, {"relative_mse": error}))
    return measurements


def _second(data: Population, handed_on: np.ndarray) -> float:
    """Relative MSE of least squares on all quadratic polynomials of x and what the first level hands on."""
    inputs = np.concatenate([data.base, handed_on], axis=1)
    columns = np.concatenate([np.ones((len(inputs), 1)), inputs, products(inputs)], axis=1)
    return linear_fit(data, columns, data.y)[1]
