"""Orthogonal polynomials of one variable, from their three-term recurrence.

z pi_k = pi_{k+1} + a_k pi_k + b_k pi_{k-1} for the monic pi_k of a law of mean 0 and variance 1
(Gautschi, Orthogonal Polynomials, Oxford 2004).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

MAX_DEGREE = 34
"""Of an expansion: a square of degree 16, and a little room."""


@dataclasses.dataclass(frozen=True)
class Univariate:
    """The monic orthogonal polynomials of one law.

    Attributes
    ----------
    name : str
    a, b : tuples of float, of length ``MAX_DEGREE + 1``
        Recurrence coefficients; ``b[0]`` is unused. A law on s points has b[s] = 0.
    sample : callable (n, rng) -> array of shape (n,)
    """

    name: str
    a: tuple[float, ...]
    b: tuple[float, ...]
    sample: Callable[[int, np.random.Generator], np.ndarray] = dataclasses.field(repr=False, compare=False)

    @property
    def symmetric(self) -> bool:
        """Whether powers only mix with powers of their own parity."""
        return not any(self.a)

    @functools.cached_property
    def norms(self) -> np.ndarray:
        """Standard deviations of pi_0, ..., pi_MAX_DEGREE."""
        return np.sqrt(np.cumprod([1.0, *self.b[1:]]))

    @functools.cached_property
    def powers(self) -> np.ndarray:
        """Lower triangular T with z^e = sum_k T[e, k] pi_k(z); unit diagonal."""
        t = np.zeros((MAX_DEGREE + 1, MAX_DEGREE + 1))
        t[0, 0] = 1.0
        for e in range(MAX_DEGREE):
            for k in range(e + 1):
                t[e + 1, k + 1] += t[e, k]
                t[e + 1, k] += self.a[k] * t[e, k]
                if k > 0:
                    t[e + 1, k - 1] += self.b[k] * t[e, k]
        return t

    def values(self, z: np.ndarray, degree: int) -> np.ndarray:
        """Orthonormal polynomials of degree 0 to ``degree`` at z, shapes (n,) -> (degree + 1, n)."""
        polynomials = [np.ones_like(z), z - self.a[0]]
        for k in range(1, degree):
            polynomials.append((z - self.a[k]) * polynomials[-1] - self.b[k] * polynomials[-2])
        norms = np.where(self.norms > 0, self.norms, np.inf)
        return np.stack([f / norms[k] for k, f in enumerate(polynomials[: degree + 1])])

    def quadrature(self, nodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Gauss rule, exact to degree 2 nodes - 1: points and weights (Golub & Welsch 1969)."""
        off = np.sqrt(self.b[1:nodes])
        points, vectors = np.linalg.eigh(np.diag(self.a[:nodes]) + np.diag(off, 1) + np.diag(off, -1))
        return points, vectors[0] ** 2


def _gaussian(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(n)


def _uniform(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), n)


def _sign(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2, n, dtype=np.int8) * 2.0 - 1.0


def _mixture(separation: float, weight: float, n: int, rng: np.random.Generator) -> np.ndarray:
    upper, lower = two_points(separation, weight)
    means = np.where(rng.random(n) < weight, upper, lower)
    return np.asarray(means + math.sqrt(1.0 - separation**2) * rng.standard_normal(n))


_ZEROS = (0.0,) * (MAX_DEGREE + 1)
_DEGREES = range(1, MAX_DEGREE + 1)
HERMITE = Univariate("gaussian", _ZEROS, (1.0, *map(float, _DEGREES)), _gaussian)
LEGENDRE = Univariate("cube", _ZEROS, (1.0, *(3.0 * k * k / (4.0 * k * k - 1.0) for k in _DEGREES)), _uniform)
TWO_POINT = Univariate("hypercube", _ZEROS, (1.0, 1.0, *_ZEROS[2:]), _sign)


@functools.cache
def two_gaussians(separation: float, weight: float) -> Univariate:
    """Law of m + sqrt(1 - separation^2) g, m on two points with mean 0 and variance separation^2.

    ``weight`` is the probability of the upper point. The recurrence is that of a discrete
    measure (two Gauss-Hermite rules of many nodes) with the same moments, found by Lanczos
    with full reorthogonalisation.
    """
    x, w = np.polynomial.hermite_e.hermegauss(2 * MAX_DEGREE)
    width = math.sqrt(1.0 - separation**2)
    upper, lower = two_points(separation, weight)
    points = np.concatenate([upper + width * x, lower + width * x])
    weights = np.concatenate([weight * w, (1.0 - weight) * w]) / w.sum()
    basis = [np.sqrt(weights)]
    a, b = [], [1.0]
    for _ in range(MAX_DEGREE + 1):
        v = points * basis[-1]
        a.append(float(v @ basis[-1]))
        stack = np.stack(basis)
        for _twice in range(2):
            v = v - stack.T @ (stack @ v)
        norm = float(np.linalg.norm(v))
        b.append(norm**2)
        basis.append(v / norm)
    if weight == 0.5:
        a = [0.0] * len(a)
    name = f"mixture of two Gaussians, separation {separation:g}, weight {weight:g}"
    sample = functools.partial(_mixture, separation, weight)
    return Univariate(name, tuple(a), tuple(b[: MAX_DEGREE + 1]), sample)


def two_points(separation: float, weight: float) -> tuple[float, float]:
    """Upper and lower point of the law with mean 0, variance separation^2 and P(upper) = weight."""
    return (
        separation * math.sqrt((1.0 - weight) / weight),
        -separation * math.sqrt(weight / (1.0 - weight)),
    )
