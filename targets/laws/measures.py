"""Laws of a few coordinates, under which polynomials are expanded degree by degree."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math

import numpy as np

from hierbench.targets.algebra.orthogonal import HERMITE, Univariate
from hierbench.targets.algebra.series import ProductSeries, Series, SphereSeries, require_degree
from hierbench.targets.algebra.terms import Polynomial


class Measure(abc.ABC):
    """Law of the coordinates w in which a target is a polynomial.

    Degrees refer to the polynomials in all inputs: the part of degree p of f is
    P_{<=p} f - P_{<=p-1} f, P_{<=p} the projection on polynomials of degree p in x.
    """

    m: int

    @property
    def symmetric(self) -> bool:
        """Whether w and -w have the same law, so that even functions have parts of even degree only."""
        return True

    @abc.abstractmethod
    def expand(self, polynomial: Polynomial) -> Series:
        """Parts by degree of q polynomials in w."""

    @abc.abstractmethod
    def expectation(self, polynomial: Polynomial) -> np.ndarray:
        """E of q polynomials in w from the moments of their monomials, shape (q,).

        Needs no expansion, but loses digits where large terms cancel.
        """

    @abc.abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw w, float64 of shape (n, m)."""


@dataclasses.dataclass(frozen=True)
class Product(Measure):
    """Independent coordinates, each with mean 0 and variance 1.

    Attributes
    ----------
    factors : tuple of Univariate, one a coordinate
    """

    factors: tuple[Univariate, ...]

    @property
    def m(self) -> int:  # type: ignore[override]
        """Number of coordinates."""
        return len(self.factors)

    @functools.cached_property
    def gaussian(self) -> bool:
        """Whether all coordinates are Gaussian."""
        return all(f == HERMITE for f in self.factors)

    @property
    def symmetric(self) -> bool:
        """Whether w and -w have the same law."""
        return all(f.symmetric for f in self.factors)

    def expand(self, polynomial: Polynomial) -> ProductSeries:
        """Parts by degree of q polynomials in w."""
        return ProductSeries.of(polynomial, self.factors)

    def expectation(self, polynomial: Polynomial) -> np.ndarray:
        """Compute the expectation of q polynomials in w, shape (q,)."""
        moments = np.ones(polynomial.n_terms)
        for e, factor in zip(polynomial.exponents.T, self.factors, strict=True):
            require_degree(int(e.max(initial=0)))
            moments *= factor.powers[e, 0]
        return np.asarray(moments @ polynomial.coefficients)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw w, float64 of shape (n, m)."""
        if self.gaussian:
            return rng.standard_normal((n, self.m))
        return np.stack([f.sample(n, rng) for f in self.factors], axis=1)


@dataclasses.dataclass(frozen=True)
class Sphere(Measure):
    """m orthonormal coordinates of a uniform point on the sphere of radius sqrt(d) in R^d."""

    m: int
    d: int

    def expand(self, polynomial: Polynomial) -> SphereSeries:
        """Parts by degree of q polynomials in w."""
        return SphereSeries.of(polynomial, self.d)

    def expectation(self, polynomial: Polynomial) -> np.ndarray:
        """Compute the expectation of q polynomials in w, shape (q,)."""
        # Of the Gaussian, over E |g|^(2h) / d^h = prod_{s<h} (d + 2s) / d in even degree 2h.
        require_degree(int(polynomial.exponents.max(initial=0)))
        moments = HERMITE.powers[polynomial.exponents, 0].prod(axis=1)
        radial = np.cumprod(1.0 + 2.0 * np.arange(polynomial.degrees.max(initial=0) // 2 + 1) / self.d)
        moments /= np.concatenate([[1.0], radial])[polynomial.degrees // 2]
        return np.asarray(moments @ polynomial.coefficients)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw w, float64 of shape (n, m)."""
        g = rng.standard_normal((n, self.m))
        square = np.einsum("ni,ni->n", g, g)
        if self.d > self.m:
            square += rng.chisquare(self.d - self.m, n)
        g *= math.sqrt(self.d) / np.sqrt(square)[:, None]
        return g
