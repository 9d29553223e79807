r"""Power of a polynomial by harmonic degree and radial part, under Gaussian inputs.

The part of Hermite degree k of f on R^d is a sum over l = k, k - 2, ... of a spherical harmonic of
degree l times R_{l,s}(r), s = (k - l) / 2: r^l and the Laguerre polynomial of degree s and index l + d/2 - 1
in r^2 / 2, orthonormal. Rotation-invariant kernels weigh these differently, so that shares by Hermite degree
do not say what such a kernel learns.
"""

from __future__ import annotations

import math

import numpy as np

from hierbench.targets.algebra.series import Series
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, laplacian, mapped, merged
from hierbench.targets.base import Target
from hierbench.targets.certificates.spectrum import side_by_side
from hierbench.targets.laws.measures import Measure, Product
from hierbench.targets.modifiers.noise import Noisy
from hierbench.targets.modifiers.wrapper import law_of
from hierbench.targets.polynomials.polynomial import PolynomialTarget
from hierbench.targets.quadratic.hierarchy import Hierarchy
from hierbench.targets.quadratic.rerandomised import Rerandomised


def radial_power(polynomial: Polynomial, measure: Measure, d: int) -> dict[int, np.ndarray]:
    r"""A_l of one polynomial, exact: its part in the harmonics of degree l is sum_s R_{l,s} Z_s.

    :math:`\Delta R_{l,s} Y_l = -2 \sqrt{s (s + l + d/2 - 1)}\, R_{l,s-1} Y_l`, and the Laplacian lowers the
    Hermite degree by 2. So the inner products of the degree-q parts of f, its Laplacian, the Laplacian of
    that, ... are sums over l <= q of A_l with known weights, solved for A_q from q = 0 upwards.

    Parameters
    ----------
    polynomial : one function of orthonormal projections of x, with ``measure`` their Gaussian law.
    d : dimension of x.

    Returns
    -------
    dict l -> A_l, (S, S), A_l[s, t] = E[Z_s Z_t]
        Positive semi-definite; the diagonal over l + 2s = k sums to the power of Hermite degree k.
    """
    lowered = [polynomial]
    while (below := laplacian(lowered[-1])).n_terms:
        lowered.append(below)
    series = measure.expand(side_by_side(lowered))
    top = int(polynomial.degrees.max(initial=0))
    powers: dict[int, np.ndarray] = {}
    for q in range(top + 1):
        size = min((top - q) // 2 + 1, len(lowered))
        gram = _gram(series, q)[:size, :size].copy()
        for lower in range(q % 2, q, 2):
            shift = (q - lower) // 2
            block = powers[lower][shift:, shift:][:size, :size]
            k = len(block)  # fewer where Laplacians vanish early: what they would see further on is 0
            w = _weights(lower, shift, k, d)
            gram[:k, :k] -= w[:, None] * block * w
        w = _weights(q, 0, size, d)
        powers[q] = gram / np.outer(w, w)
    return {q: a for q, a in powers.items() if a.any()}


def _gram(series: Series, degree: int) -> np.ndarray:
    if degree > 0:
        return series.gram(degree)
    return np.outer(series.constant, series.constant)


def _weights(degree: int, shift: int, size: int, d: int) -> np.ndarray:
    """Factor from R_{l,shift+j} to R_{l,shift} under j Laplacians, j < size."""
    a = degree + d / 2 - 1
    factors = []
    for j in range(size):
        steps = range(shift + 1, shift + j + 1)
        factors.append(math.prod(-2 * math.sqrt(s * (s + a)) for s in steps))
    return np.array(factors)


def target_power(target: Target) -> dict[int, np.ndarray] | None:
    """A_l of a target, scaled to variance 1, on standard Gaussian inputs.

    None for other inputs, and where the polynomial is out of reach of the algebra.
    """
    if isinstance(target, Noisy):
        target = target.base
    law = law_of(target)
    if law is None or law.name != "gaussian" or not law.isotropic:
        return None
    polynomial_and_law = _polynomial(target)
    if polynomial_and_law is None or not (
        isinstance(polynomial_and_law[1], Product) and polynomial_and_law[1].gaussian
    ):
        return None
    try:
        power = radial_power(*polynomial_and_law, target.d)
    except TooManyTermsError:
        return None
    variance = sum(float(np.trace(a)) for a in power.values())
    return {q: a / variance for q, a in power.items()}


def _polynomial(target: Target) -> tuple[Polynomial, Measure] | None:
    """Label, up to a factor, in coordinates of known law."""
    if isinstance(target, (Hierarchy, Rerandomised)):
        normalised = target._normalised
        if normalised.spectrum is None:
            return None
        cascade, measure = normalised.cascade, normalised.spectrum.measure
        parts = [mapped(normalised.polynomials[i], a[None, :]) for i, a in cascade.outputs.items()]
        constant = Polynomial.of_constant(np.array([cascade.intercept]), parts[0].n_variables)
        return merged([*parts, constant]), measure
    if isinstance(target, PolynomialTarget):
        spectrum = target._raw
        if spectrum is not None and spectrum.polynomial is not None:
            return spectrum.polynomial, spectrum.measure
    return None
