"""Sparse parity, and its twins on other laws."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.targets.laws.weights import identity_rows, stream
from hierbench.targets.polynomials.monomials import Monomial, MonomialTarget

_SUPPORT = 2000  # a stream of its own


@dataclasses.dataclass(frozen=True)
class Parity(MonomialTarget):
    r"""Product of k coordinates, which ones is not known.

    ::

        y = c prod_{i in S} x_i,   |S| = k, uniform from the seed;   degree k

    All of the variance is in degree k, and nothing of lower degree shows the way to S: the
    hard end of the staircases (its leap is k). On the hypercube y is the parity of k bits, as
    a sign. c = 1, but c^2 = prod_{s<k} (1 + 2s / d) on the sphere. The one hidden feature is
    the product.

    Source: the parity problem in the form of Abbe, Boix-Adsera & Misiakiewicz,
    arXiv 2302.11055; its hardness is classical (Kearns, J. ACM 45, 1998).

    Inputs: hypercube, Gaussian, cube and sphere. A mixture, or a Gaussian with a condition
    number, has dependent coordinates, and lower degrees would leak the support: refused.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least k"""
    seed: int
    """of the support"""
    k: int = 3
    """size of the support, 1 to d"""
    inputs: str = "hypercube"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "k", integer("k", self.k, 1))
        if self.k > self.d:
            raise ValueError(refusal("k", self.k, f"integers from 1 to d = {self.d}"))

    @functools.cached_property
    def support(self) -> tuple[int, ...]:
        """S, increasing, counted from 0."""
        chosen = stream(self.seed, 1, _SUPPORT).permutation(self.d)[: self.k]
        return tuple(sorted(int(i) for i in chosen))

    @property
    def leap(self) -> int:
        """All of the support at once."""
        return self.k

    @property
    def monomials(self) -> tuple[tuple[tuple[float, Monomial], ...], ...]:
        """Weighted monomials, level by level, before they are scaled to variance 1."""
        return (((1.0, tuple((i, 1) for i in range(self.k))),),)

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.k

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """The coordinates of the support, shape (k, d)."""
        return identity_rows(self.support, self.d)
