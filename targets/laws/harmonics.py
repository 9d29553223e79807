"""Hermite polynomials, and the spherical harmonics that take their place on the sphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.algebra.terms import Polynomial, laplacian, mapped, merged
from hierbench.targets.laws.inputs import Gaussian, InputLaw

_REASON = "its projections are not Gaussian, so that the Hermite polynomials are not its parts by degree"
NOT_HERMITE: Mapping[str, str] = {"mixture": _REASON, "cube": _REASON, "hypercube": _REASON}
"""Laws on which neither Hermite polynomials nor harmonics of a projection have one degree."""


def recurrence(law: InputLaw, degree: int) -> np.ndarray:
    """b_0, ..., b_degree of the monic orthogonal polynomials of a projection <v, x>, |v| = 1.

    t pi_k = pi_{k+1} + b_k pi_{k-1}: Hermite polynomials for Gaussian inputs, b_k = k, and on the
    sphere of radius sqrt(d) the zonal harmonics, Gegenbauer polynomials of index d/2 - 1 in
    t / sqrt(d). ||pi_k||^2 = b_1 ... b_k; b_0 = 1 is unused.
    """
    k = np.arange(2.0, degree + 1)
    if law.name == "sphere":
        d = law.d
        b = d * k * (k + d - 3) / ((2 * k + d - 2) * (2 * k + d - 4))
    elif law.name == "gaussian":
        b = k
    else:
        raise ValueError(refusal("inputs", law.text, "gaussian, sphere", _REASON))
    return np.concatenate([[1.0, 1.0], b])[: degree + 1]


def monic(t: np.ndarray, b: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """pi_0, ..., pi_degree at t, each of its shape; ``b`` has degree + 1 entries."""
    values = [np.ones_like(t), t]
    for k in range(1, len(b) - 1):
        values.append(t * values[-1] - b[k] * values[-2])
    return values[: len(b)]


def monic_polynomials(t: Polynomial, b: Sequence[float] | np.ndarray) -> list[Polynomial]:
    """Compute ``monic`` of one function t in polynomial algebra."""
    polynomials = [Polynomial.of_constant(np.ones(1), t.n_variables), t]
    for k in range(1, len(b) - 1):
        polynomials.append(t * polynomials[-1] + mapped(polynomials[-2], np.array([[-b[k]]])))
    return polynomials[: len(b)]


def zonal_correlation(law: InputLaw, b: np.ndarray) -> np.ndarray:
    """Correlation of pi_k(<v, x>) and pi_k(<w, x>), v and w orthonormal, for each k.

    Zero for Gaussian inputs, k >= 1; pi_k(0) / pi_k(sqrt(d)) on the sphere (addition theorem).
    """
    if law.name == "gaussian":
        return np.eye(1, len(b))[0]
    zero, pole = (np.array(monic(np.array(t), b)) for t in (0.0, np.sqrt(law.d)))
    return np.asarray(zero / pole)


def part_of_degree(homogeneous: Polynomial, degree: int, law: InputLaw) -> Polynomial:
    """Polynomial of one degree with this homogeneous top part, in orthonormal projections of x.

    Wick ordering exp(-Laplacian / 2) q for Gaussian inputs, the harmonic projection with
    |x|^2 = d on the sphere (formula of ``SphereSeries``).
    """
    parts, lowered, factor, i = [homogeneous], homogeneous, 1.0, 0
    while (lowered := laplacian(lowered)).n_terms:
        i += 1
        if law.name == "sphere":
            factor *= -law.d / (4.0 * i * (law.d / 2.0 + degree - 1.0 - i))
        else:
            factor *= -0.5 / i
        parts.append(mapped(lowered, np.full((1, 1), factor)))
    return merged(parts)


def whitened(rows: np.ndarray, law: InputLaw) -> np.ndarray:
    """(V C V^T)^(-1/2) V for orthonormal rows V and C the covariance of x: white projections."""
    if not isinstance(law, Gaussian) or law.isotropic:
        return rows
    half = rows @ law.root(0.5)
    values, vectors = np.linalg.eigh(half @ half.T)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T @ rows)


def linear_matrix(t: Polynomial) -> np.ndarray:
    """M with t = M w, shape (q, m), of q linear forms."""
    matrix = np.zeros((t.coefficients.shape[1], t.n_variables))
    matrix[:, t.exponents.argmax(axis=1)] = t.coefficients.T
    return matrix


def linear_forms(t: Polynomial) -> list[Polynomial]:
    """Linear forms one by one, each on the variables that it uses."""
    return [Polynomial.linear(row[None, :]) for row in linear_matrix(t)]
