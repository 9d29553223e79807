"""Power of one projection: the class of the lower bounds for kernels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, flag, integer
from hierbench.errors import refusal
from hierbench.targets.algebra.power_of_sum import variances_of_power
from hierbench.targets.algebra.terms import Polynomial
from hierbench.targets.certificates.spectrum import Spectrum
from hierbench.targets.laws.harmonics import NOT_HERMITE, monic, monic_polynomials, recurrence, whitened
from hierbench.targets.laws.inputs import input_law
from hierbench.targets.laws.measures import Product
from hierbench.targets.laws.weights import stream
from hierbench.targets.polynomials.links import MAX_TARGET_DEGREE, bounded
from hierbench.targets.polynomials.polynomial import PolynomialTarget

_HERMITE_REFUSED: Mapping[str, str] = {
    law: f"{reason} (hermite = false admits it)" for law, reason in NOT_HERMITE.items()
}


@dataclasses.dataclass(frozen=True)
class SparseDirection(PolynomialTarget):
    r"""A power of one projection of the input, or its Hermite twin.

    ::

        y = (<w, x>^p - mean) / sd          hermite = false
        y = He_p(<w, x>) / sqrt(p!)         hermite = true

    The support of w is uniform among the sets of ``sparsity`` coordinates, its entries are
    +-1/sqrt(sparsity) with independent signs. The lower bounds say that a kernel method or a
    linear model over fixed features needs of the order of C(d, p) samples or features for such a
    class. The power has most of its variance in low degrees (z^4: 75 % in degree 2, 25 % in
    degree 4; z^8: 17.5, 52.5, 28 and 2 % in degrees 2, 4, 6 and 8), the twin has all of it in
    degree p. The hidden feature is <w, x>.

    The power is admitted on every law of the inputs; on the hypercube x_i^2 = 1 lowers the degree
    to the largest k <= min(p, sparsity) of p's parity, and k = 0 is refused: the label would
    be constant. The twin is admitted on Gaussian inputs (<w, x> divided by its standard deviation)
    and on the sphere, as the zonal harmonic of degree p; elsewhere <w, x> is not Gaussian.

    Source: class of the lower bounds of Allen-Zhu & Li, "Backward Feature Correction", arXiv
    2001.04413, and of the degree staircase of Ghorbani, Mei, Misiakiewicz & Montanari, Ann.
    Statist. 49, 2021.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least the sparsity; at least 2 on the sphere"""
    seed: int
    """of the direction"""
    power: int = 4
    """p, 1 to 16"""
    sparsity: int | None = 4
    """nonzero entries of w, 1 to d; None for w uniform on the sphere"""
    hermite: bool = False
    """the Hermite twin, all of degree p (gaussian and sphere only)"""
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("d", integer("d", self.d, 1, LARGEST_DIMENSION))
        set_("power", bounded("power", self.power, 1, MAX_TARGET_DEGREE, "the degree of the label"))
        if self.sparsity is not None:
            set_("sparsity", bounded("sparsity", self.sparsity, 1, self.d, "the dimension, or none"))
        if flag("hermite", self.hermite):
            input_law(self.inputs, self.d, 0, _HERMITE_REFUSED)
        super().__post_init__()
        if self.law.name == "sphere" and self.d < 2:
            remedy = "the sphere of dimension 0 has two points only"
            raise ValueError(refusal("d", self.d, "integers from 2 on the sphere", remedy))
        if self.degree == 0:
            remedy = "there x_i^2 = 1: the label is constant unless the sparsity is at least 2"
            allowed = f"odd integers with sparsity {self._support} on the hypercube"
            raise ValueError(refusal("power", self.power, allowed, remedy))

    @property
    def _support(self) -> int:
        return self.d if self.sparsity is None else self.sparsity

    @property
    def degree(self) -> int:
        """p; on the hypercube what is left of it, see above."""
        if self.law.name != "hypercube" or self.power <= self._support:
            return self.power
        return self._support - (self.power - self._support) % 2

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return 1

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """w, shape (1, d); whitened for the Hermite twin."""
        rng = stream(self.seed, 1, 0)
        if self.sparsity is None:
            w = rng.standard_normal(self.d)
            w /= np.linalg.norm(w)
        else:
            w = np.zeros(self.d)
            support = rng.permutation(self.d)[: self.sparsity]
            w[support] = (2.0 * rng.integers(0, 2, self.sparsity) - 1.0) / np.sqrt(self.sparsity)
        return whitened(w[None, :], self.law) if self.hermite else w[None, :]

    @functools.cached_property
    def _recurrence(self) -> np.ndarray:
        return recurrence(self.law, self.power)

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        t = T[:, 0]
        return [monic(t, self._recurrence)[-1] if self.hermite else t**self.power]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        if self.hermite:
            return [monic_polynomials(t, self._recurrence)[-1]]
        power = t
        for bit in bin(self.power)[3:]:
            power = power.square() * t if bit == "1" else power.square()
        return [power]

    @functools.cached_property
    def _raw(self) -> Spectrum | None:
        spectrum = super()._raw
        measure = self._reduction.measure
        if spectrum is not None or not isinstance(measure, Product) or len(set(measure.factors)) > 1:
            return spectrum
        # A direction of many entries on the cube or the hypercube: its own closed form.
        mean, squares = variances_of_power(self._reduction.matrix[0], measure.factors[0], self.power)
        grams = {k: np.full((1, 1), squares[k]) for k in range(self.degree, 0, -2)}
        unknown = np.full((measure.m, measure.m), np.nan)  # nothing here asks for the quadratic form
        return Spectrum(self.term_levels, mean, grams, unknown, measure, None)

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Hidden features at the rows of T, level by level, each of shape (n, k_l)."""
        return [T]

    @property
    def n_parameters(self) -> int:
        """Entries of w."""
        return self.d
