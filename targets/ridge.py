"""Orthonormal polynomials of one linear form <v, x>, where rotations leave the law alone.

For |v| = 1 and standard Gaussian x these are the Hermite polynomials of <v, x>, on the sphere
of radius sqrt(d) the zonal harmonics of <v, x> / sqrt(d). Each is orthogonal to every
polynomial of lower degree, and two of one degree have

    E h_p(<u, x>) h_p(<v, x>) = P_p(<u, v>),   P_p(t) = t^p or the Gegenbauer polynomial with P_p(1) = 1

(Axler, Bourdon & Ramey, Harmonic Function Theory, ch. 5; Ghorbani et al., Ann. Statist. 49, 2021).
"""

from __future__ import annotations

import math

import numpy as np

from targets.inputs import Gaussian, InputLaw, UniformSphere


def hermite(t: np.ndarray, degree: int) -> np.ndarray:
    """Hermite polynomial of unit norm under the standard Gaussian; any shape."""
    before, value = np.zeros_like(t), np.ones_like(t)
    for k in range(degree):
        before, value = value, (t * value - math.sqrt(k) * before) / math.sqrt(k + 1)
    return value


def gegenbauer(t: np.ndarray, degree: int, d: int) -> np.ndarray:
    """Zonal harmonic on the sphere in R^d, 1 at t = 1; any shape, t = cosine.

    (l + d - 2) P_{l+1} = (2l + d - 2) t P_l - l P_{l-1}.
    """
    if degree == 0:
        return np.ones_like(t)
    before, value = np.ones_like(t), t
    for k in range(1, degree):
        before, value = value, ((2 * k + d - 2) * t * value - k * before) / (k + d - 2)
    return value


def harmonics(d: int, degree: int) -> int:
    """Dimension of the spherical harmonics of one degree in R^d; E P_p(<u, x> / sqrt(d))^2 is 1 over it."""
    lower = math.comb(d + degree - 3, degree - 2) if degree >= 2 else 0
    return math.comb(d + degree - 1, degree) - lower


def ridge(law: InputLaw, t: np.ndarray, degree: int) -> np.ndarray:
    """h_p at t = <v, x>, v a unit vector (for conditioned Gaussian inputs: x whitened)."""
    if isinstance(law, Gaussian):
        return hermite(t, degree)
    if isinstance(law, UniformSphere):
        return math.sqrt(harmonics(law.d, degree)) * gegenbauer(t / math.sqrt(law.d), degree, law.d)
    raise NotImplementedError(f"{law.name}: no polynomials that rotate with their direction")


def ridge_gram(law: InputLaw, cosines: np.ndarray, degree: int) -> np.ndarray:
    """E h_p(<u, x>) h_p(<v, x>) at the cosines <u, v>."""
    if isinstance(law, Gaussian):
        return np.asarray(cosines**degree)
    if isinstance(law, UniformSphere):
        return gegenbauer(cosines, degree, law.d)
    raise NotImplementedError(f"{law.name}: no polynomials that rotate with their direction")
