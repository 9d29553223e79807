r"""Eigenvalues of rotation-invariant kernels under rotation-invariant laws of the inputs.

With x = r u, u uniform on the unit sphere, a kernel k(r, r', u . u') has the eigenfunctions
:math:`\phi(r) Y_{lm}(u)`: a spherical harmonic of degree l times a function of the radius. The angles are
integrated by the theorem of Funk and Hecke,

.. math:: \int k(r, r', u \cdot u')\, Y_{lm}(u')\, du' = k_l(r, r')\, Y_{lm}(u), \qquad
          k_l(r, r') = \mathrm{E}_c[k(r, r', c) P_l(c)],

P_l the Gegenbauer polynomial of index d/2 - 1 with P_l(1) = 1 and c one coordinate of u; what remains, for
each l, is an eigenproblem in the radius, solved by Nystroem's method at Gauss-Laguerre nodes in r^2 / 2 (on
the sphere: at the one radius). Every eigenvalue has the multiplicity N(d, l) of the harmonics.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import numpy as np
import scipy

from hierbench.benchmarks.theory.eigenlearning import Modes

LAWS = ("gaussian", "sphere")
"""Laws of the inputs: standard Gaussian, and uniform on the sphere of radius sqrt(d)."""
_RADII = 24
_MAX_DEGREE = 80
_NEGLIGIBLE = 1e-20
"""Of the trace: sectors that carry less end the list."""
_ROUNDING = 1e-15
"""Of the largest eigenvalue of a sector: smaller ones are rounding."""


class Kernel(Protocol):
    """A rotation-invariant kernel, inputs of dimension d and radius about sqrt(d)."""

    @property
    def precision(self) -> float:
        """Relative to k(x, x): what of a sector is only rounding. 0 if no sum cancels."""

    def sector(self, degree: int, radii: np.ndarray, d: int) -> np.ndarray:
        """k_l at all pairs of ``radii``, shape (m, m)."""

    def diagonal(self, radii: np.ndarray, d: int) -> np.ndarray:
        """k(x, x) at each radius, shape (m,)."""


@dataclasses.dataclass(frozen=True)
class GaussianKernel:
    """exp(-|x - x'|^2 / (2 d l^2)) + c, in closed form: k_l is a Bessel function I_{l + d/2 - 1}."""

    length_scale: float
    intercept: float = 0.0
    precision: ClassVar[float] = 0.0

    def sector(self, degree: int, radii: np.ndarray, d: int) -> np.ndarray:
        """Radial kernel of one harmonic degree between these radii, shape (radii, radii)."""
        z = np.outer(radii, radii) / (d * self.length_scale**2)
        nu = d / 2 - 1
        gap = np.subtract.outer(radii, radii) ** 2 / (2 * d * self.length_scale**2)
        log_scale = scipy.special.gammaln(nu + 1) - nu * np.log(z / 2)
        bessel = scipy.special.ive(nu + degree, z)
        with np.errstate(divide="ignore"):
            values = np.exp(log_scale + np.log(bessel) - gap)
        return values + self.intercept if degree == 0 else values

    def diagonal(self, radii: np.ndarray, d: int) -> np.ndarray:
        """k(x, x) at these radii."""
        return np.full(len(radii), 1.0 + self.intercept)


@dataclasses.dataclass(frozen=True)
class DotProductKernel:
    """sum_p w_p (x.x' / d)^p, w_p >= 0; sums of positive terms only."""

    weights: tuple[float, ...]
    precision: ClassVar[float] = 0.0

    @classmethod
    def polynomial(cls, degree: int, offset: float) -> DotProductKernel:
        """((x.x' / d + c) / (1 + c))^degree."""
        scale = (1 + offset) ** -degree
        return cls(tuple(math.comb(degree, p) * offset ** (degree - p) * scale for p in range(degree + 1)))

    def sector(self, degree: int, radii: np.ndarray, d: int) -> np.ndarray:
        """Radial kernel of one harmonic degree between these radii, shape (radii, radii)."""
        t = np.outer(radii, radii) / d
        radial = np.zeros_like(t)
        for p in range(degree, len(self.weights), 2):
            radial += self.weights[p] * power_coefficient(p, degree, d) * t**p
        return radial

    def diagonal(self, radii: np.ndarray, d: int) -> np.ndarray:
        """k(x, x) at these radii."""
        return np.asarray(np.polynomial.polynomial.polyval(radii**2 / d, self.weights))


@dataclasses.dataclass(frozen=True)
class FunctionKernel:
    """Any kernel k(r, r', c) by Gauss-Jacobi quadrature in the cosine c.

    Attributes
    ----------
    function : callable (r, r', c) -> k
        On arrays that broadcast against one another.
    nodes : int
        Of the quadrature: degrees up to nodes / 2 are listed.
    """

    function: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    nodes: int = 160
    precision: ClassVar[float] = 1e-14

    def sector(self, degree: int, radii: np.ndarray, d: int) -> np.ndarray:
        """Radial kernel of one harmonic degree between these radii, shape (radii, radii)."""
        c, weights = _cosines(self.nodes, d)
        return np.asarray(self._values(radii, d) @ (weights * gegenbauer(degree, c, d)))

    @functools.cached_property
    def _kept(self) -> dict[tuple[bytes, int], np.ndarray]:
        return {}

    def _values(self, radii: np.ndarray, d: int) -> np.ndarray:
        key = (radii.tobytes(), d)
        if key not in self._kept:
            c, _ = _cosines(self.nodes, d)
            r, s, c = np.broadcast_arrays(radii[:, None, None], radii[None, :, None], c)
            self._kept[key] = np.asarray(self.function(r, s, c))
        return self._kept[key]

    def diagonal(self, radii: np.ndarray, d: int) -> np.ndarray:
        """k(x, x) at these radii."""
        return np.asarray(self.function(radii, radii, np.ones_like(radii)))


def harmonic_dimension(d: int, degree: int) -> int:
    """N(d, l): dimension of the spherical harmonics of one degree in R^d, d >= 2."""
    lower = math.comb(d + degree - 3, degree - 2) if degree > 1 else 0
    return math.comb(d + degree - 1, degree) - lower


def power_coefficient(p: int, degree: int, d: int) -> float:
    """E[c^p P_l(c)], c a coordinate of a uniform point of the unit sphere; 0 unless p - l is 0, 2, 4, ..."""
    if p < degree or (p - degree) % 2:
        return 0.0
    log = math.lgamma(p + 1) + math.lgamma(d / 2) - p * math.log(2)
    return math.exp(log - math.lgamma((p - degree) // 2 + 1) - math.lgamma((p + degree + d) / 2))


def gegenbauer(degree: int, c: np.ndarray, d: int) -> np.ndarray:
    """P_l(c), zonal harmonic in R^d with P_l(1) = 1."""
    before, now = np.zeros_like(c), np.ones_like(c)
    for k in range(degree):
        a = 2 * k + d - 2 if k else 1
        b = k + d - 2 if k else 1
        before, now = now, (a * c * now - k * before) / b
    return now


@functools.cache
def _cosines(nodes: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    c, weights = scipy.special.roots_jacobi(nodes, (d - 3) / 2, (d - 3) / 2)
    return c, weights / weights.sum()


@functools.cache
def radial_rule(law: str, d: int, count: int = _RADII) -> tuple[np.ndarray, np.ndarray]:
    """Radii and their probabilities, shapes (m,); exact for polynomials of degree 4 m - 2 in x.

    Raises
    ------
    ValueError
        On a law that is not in ``LAWS``.
    """
    if law == "sphere":
        return np.array([math.sqrt(d)]), np.ones(1)
    if law != "gaussian":
        raise ValueError(f"law = {law!r}: radial spectra are known for {', '.join(LAWS)}")
    t, weights = scipy.special.roots_genlaguerre(count, d / 2 - 1)
    return np.sqrt(2 * t), weights / weights.sum()


def radial_functions(degree: int, count: int, radii: np.ndarray, d: int) -> np.ndarray:
    """R_{l,s}(r), s < count, shape (m, count): orthonormal under Gaussian inputs.

    R_{l,s}(r) Y_{lm}(u) is a polynomial of degree l + 2s in x, orthogonal to all of lower degree:
    r^l times the Laguerre polynomial of degree s and index l + d/2 - 1 in r^2 / 2.
    """
    t = radii**2 / 2
    a = degree + d / 2 - 1
    s = np.arange(count)
    norm = np.exp(
        0.5 * (scipy.special.gammaln(s + 1) + scipy.special.gammaln(d / 2) - scipy.special.gammaln(s + a + 1))
    )
    return np.asarray(norm * t[:, None] ** (degree / 2) * scipy.special.eval_genlaguerre(s, a, t[:, None]))


@dataclasses.dataclass(frozen=True, eq=False)
class KernelSpectrum:
    """Eigenvalues by sector l = 0, 1, ..., and the radial eigenfunctions.

    Attributes
    ----------
    eigenvalues : list of (m,), >= 0
    vectors : list of (m, m)
        Columns: eigenfunctions at the radii, times the roots of their probabilities.
    tail : float
        Trace of the sectors that are not listed.
    """

    law: str
    d: int
    radii: np.ndarray
    probabilities: np.ndarray
    eigenvalues: list[np.ndarray]
    vectors: list[np.ndarray]
    tail: float

    def modes(self, power: Mapping[int, np.ndarray]) -> Modes:
        """The eigenspaces with a target's power in them.

        Parameters
        ----------
        power : mapping l -> (S, S)
            On Gaussian inputs A_l of ``hierbench.targets.radial``: the target's part in the harmonics of
            degree l is sum_s R_{l,s} Z_s with E[Z_s Z_t] = A_l[s, t]. On the sphere (1, 1), the
            share of degree l.
        """
        powers = []
        for degree, (values, vectors) in enumerate(zip(self.eigenvalues, self.vectors, strict=True)):
            projected_power = np.zeros(len(values))
            if degree in power:
                if self.law == "sphere":
                    projected_power = np.array([float(power[degree][0, 0])])
                else:
                    basis = radial_functions(degree, len(power[degree]), self.radii, self.d)
                    on = vectors.T @ (np.sqrt(self.probabilities)[:, None] * basis)
                    projected_power = np.maximum(np.einsum("js,st,jt->j", on, power[degree], on), 0.0)
            powers.append(projected_power)
        counts = [harmonic_dimension(self.d, degree) for degree in range(len(self.eigenvalues))]
        listed = np.concatenate(powers)
        total = sum(float(np.trace(a)) for a in power.values())
        unlearnable = total - float(listed.sum())
        return Modes(
            np.concatenate(self.eigenvalues),
            np.repeat(np.array(counts, dtype=float), [len(v) for v in self.eigenvalues]),
            listed,
            self.tail,
            unlearnable if unlearnable > 1e-12 * total else 0.0,
        )


def spectrum(kernel: Kernel, law: str, d: int, n_radii: int = _RADII) -> KernelSpectrum:
    """Spectrum of a kernel under a law of the inputs in R^d, d >= 2.

    Sectors are listed until they carry nothing, or nothing but rounding; the trace that is then
    missing is the tail.
    """
    radii, probabilities = radial_rule(law, d, n_radii)
    root = np.sqrt(probabilities)
    total = float(probabilities @ kernel.diagonal(radii, d))
    eigenvalues, vectors, seen, empty = [], [], 0.0, 0
    complete = False
    for degree in range(_MAX_DEGREE + 1):
        matrix = root[:, None] * kernel.sector(degree, radii, d) * root
        trace, count = float(np.trace(matrix)), harmonic_dimension(d, degree)
        # Even kernels skip every other sector: two in a row are the end.
        empty = empty + 1 if trace <= max(kernel.precision, _NEGLIGIBLE / count) * total else 0
        values, columns = np.linalg.eigh((matrix + matrix.T) / 2)
        floor = _ROUNDING * max(values[-1], 0.0)
        values = np.where(values > floor, values, 0.0)
        if trace <= kernel.precision * total:
            values = np.zeros_like(values)
        eigenvalues.append(values)
        vectors.append(columns)
        seen += count * float(values.sum())
        if empty == 2:
            complete = kernel.precision == 0
            break
    tail = 0.0 if complete else max(total - seen, 0.0)
    return KernelSpectrum(law, d, radii, probabilities, eigenvalues, vectors, tail)
