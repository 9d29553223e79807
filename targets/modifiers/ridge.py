"""Orthonormal polynomials of one linear form <v, x>, where rotations leave the law alone.

For |v| = 1 and standard Gaussian x these are the Hermite polynomials of <v, x>, on the sphere
of radius sqrt(d) the zonal harmonics of <v, x>. Each is orthogonal to every polynomial of lower
degree, and two of one degree have

    E h_p(<u, x>) h_p(<v, x>) = P_p(<u, v>),   P_p(t) = t^p or the Gegenbauer polynomial with P_p(1) = 1

(Axler, Bourdon & Ramey, Harmonic Function Theory, ch. 5; Ghorbani et al., Ann. Statist. 49, 2021).
"""

from __future__ import annotations

import math

import numpy as np

from hierbench.targets.laws.harmonics import monic, recurrence
from hierbench.targets.laws.inputs import InputLaw


def ridge(law: InputLaw, t: np.ndarray, degree: int) -> np.ndarray:
    """h_p at t = <v, x>, v a unit vector (for conditioned Gaussian inputs: x whitened); any shape.

    Raises
    ------
    ValueError
        On a law that rotations change.
    """
    b = recurrence(law, degree)
    return np.asarray(monic(t, b)[degree] / math.sqrt(math.prod(b)))


def ridge_gram(law: InputLaw, cosines: np.ndarray, degree: int) -> np.ndarray:
    """E h_p(<u, x>) h_p(<v, x>) at the cosines <u, v>; any shape. Raises as ``ridge``."""
    b = recurrence(law, degree)
    if law.name == "gaussian":
        return np.asarray(cosines**degree)
    pole = math.sqrt(law.d)
    return np.asarray(monic(pole * cosines, b)[degree] / monic(np.array(pole), b)[degree])
