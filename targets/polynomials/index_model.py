"""What the single- and the multi-index family share."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, integer
from hierbench.targets.algebra.terms import Polynomial
from hierbench.targets.laws.harmonics import NOT_HERMITE, linear_forms, whitened
from hierbench.targets.laws.weights import haar, stream
from hierbench.targets.polynomials.links import (
    MAX_TARGET_DEGREE,
    Link,
    bounded,
    check_monomials,
    decay_of_shares,
    random_link,
)
from hierbench.targets.polynomials.polynomial import PolynomialTarget


@dataclasses.dataclass(frozen=True)
class IndexModel(PolynomialTarget):
    """y = sum_j sqrt(share_j) u_j(V x): a random polynomial of r orthonormal projections."""

    d: int
    """input dimension, at least the number of directions; at least 2 on the sphere"""
    seed: int
    """of the directions and the coefficients; each degree has a stream of its own"""
    information_exponent: int = 2
    """k*, lowest degree that carries variance, 1 to the degree"""
    degree: int = 4
    """D, degree of the label, 1 to 16"""
    decay: float = 0.5
    """share of each degree relative to the one below it, in [0.001, 1000]"""
    inputs: str = "gaussian"

    refused_inputs: ClassVar[Mapping[str, str]] = NOT_HERMITE

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        super().__post_init__()
        if self.law.name == "sphere":
            integer("d", self.d, 2, LARGEST_DIMENSION)
        set_("degree", bounded("degree", self.degree, 1, MAX_TARGET_DEGREE, "the degree of the label"))
        exponent = bounded(
            "information_exponent", self.information_exponent, 1, self.degree, "the degree of the label"
        )
        set_("information_exponent", exponent)
        set_("decay", decay_of_shares(self.decay))
        bounded(self._rank_name, self.rank, 1, self.d, "the dimension")
        check_monomials(self.rank, self.degree, self._rank_name)

    _rank_name: ClassVar[str] = "rank"

    @property
    @abc.abstractmethod
    def rank(self) -> int:
        """r, the number of directions."""

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.rank

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """Rows of the linear forms t that the label depends on, shape (q, d)."""
        return whitened(haar(self.d, self.rank, stream(self.seed, 1, 0)).T, self.law)

    @functools.cached_property
    def link(self) -> Link:
        """The label as a polynomial of the projections."""
        return random_link(
            self.rank,
            self.information_exponent,
            self.degree,
            self.decay,
            seed=self.seed,
            level=2,
            law=self.law,
        )

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        return [self.link(T)]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        return [self.link.compose(linear_forms(t))]

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Hidden features at the rows of T, level by level, each of shape (n, k_l)."""
        return [T]

    @property
    def n_parameters(self) -> int:
        """Entries of directions and weights, and coefficients of the link."""
        return self.directions.size + self.link.n_coefficients
