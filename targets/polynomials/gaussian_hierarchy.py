"""What the single- and the multi-index Gaussian hierarchical targets share."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, flag, integer, is_real, one_of, real
from hierbench.errors import refusal
from hierbench.targets.algebra.terms import Polynomial, mapped, merged
from hierbench.targets.laws.harmonics import (
    NOT_HERMITE,
    linear_forms,
    monic,
    monic_polynomials,
    recurrence,
    whitened,
    zonal_correlation,
)
from hierbench.targets.laws.inputs import Gaussian, InputLaw
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

COEFFICIENTS = ("factorial", "equal")
"""How P weighs its Hermite polynomials: c_j = 1 / j!, or 1."""


def exponent(name: str, value: Any) -> float:
    """Check an exponent of a width in d, in (0, 1)."""
    return real(name, value, "a number in (0, 1)", is_real(value) and 0 < value < 1)


class GaussianHierarchy(PolynomialTarget):
    """y = g(h_L), h_l = sums over blocks of P(h_(l-1)), h_0 = W x: a tree over orthonormal projections."""

    epsilons: tuple[float, ...]
    feature_degree: int
    """k, degree of each level in the one below, from 2"""
    feature_exponent: int
    """e, 2 to k, of P = sum_{j=e..k} c_j He_j: its information exponent"""
    feature_coefficients: str
    """c_j of P: factorial (1 / j!, as in the published code) or equal (1)"""
    link_degree: int
    """q, degree of the link in the features; the label's, k^L q, is at most 16"""
    information_exponent: int
    """k*, lowest degree of the link, 1 to q"""
    decay: float
    """share of each degree of the link relative to the one below it, in [0.001, 1000]"""
    equal_weights: bool
    """sum the P(z_i) with equal weights, not with Gaussian ones"""

    refused_inputs: ClassVar[Mapping[str, str]] = NOT_HERMITE

    @property
    @abc.abstractmethod
    def roots(self) -> int:
        """r, the dimension of h_L."""

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        super().__post_init__()
        integer("d", self.d, 2, LARGEST_DIMENSION)
        flag("equal_weights", self.equal_weights)
        one_of("feature_coefficients", self.feature_coefficients, COEFFICIENTS)
        k = bounded("feature_degree", self.feature_degree, 2, MAX_TARGET_DEGREE, "the degree of the label")
        levels = len(self.epsilons)
        if k**levels > MAX_TARGET_DEGREE:
            allowed = f"integers with feature_degree^{levels} up to {MAX_TARGET_DEGREE}"
            raise ValueError(refusal("feature_degree", k, allowed, "lower it, or take fewer epsilons"))
        reason = f"so that the degree of the label is at most {MAX_TARGET_DEGREE}"
        q = bounded("link_degree", self.link_degree, 1, MAX_TARGET_DEGREE // k**levels, reason)
        first = bounded("feature_exponent", self.feature_exponent, 2, k, "the feature's degree")
        exponent = bounded("information_exponent", self.information_exponent, 1, q, "the degree of the link")
        for name, value in (
            ("feature_degree", k),
            ("link_degree", q),
            ("feature_exponent", first),
            ("information_exponent", exponent),
            ("decay", decay_of_shares(self.decay)),
        ):
            set_(name, value)
        check_monomials(self.roots, q, "n_features")
        width = self.roots * int(np.prod(self.branching))
        # On the sphere sum_i He_2(<w_i, x>) over a whole basis is constant.
        most = self.d - 1 if self.law.name == "sphere" else self.d
        if width > most:
            remedy = "lower epsilon or the number of features, or raise d"
            allowed = f"integers up to {most}"
            raise ValueError(refusal("number of orthonormal directions", width, allowed, remedy))

    @property
    def branching(self) -> tuple[int, ...]:
        """Sizes b_1, ..., b_L of the blocks that h_1, ..., h_L sum over: round(d^(eps_l - eps_(l+1)))."""
        steps = zip(self.epsilons, (*self.epsilons[1:], 0.0), strict=True)
        return tuple(max(1, round(self.d ** (above - below))) for above, below in steps)

    @property
    def degree(self) -> int:
        """Polynomial degree of the label."""
        return self.feature_degree ** len(self.epsilons) * self.link_degree

    @property
    def term_levels(self) -> tuple[int, ...]:
        """Levels of the terms: one term, of the top level."""
        return (len(self.epsilons) + 2,)

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.roots * math.prod(self.branching)

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """Rows of the linear forms t that the label depends on, shape (q, d)."""
        width = self.roots * int(np.prod(self.branching))
        return whitened(haar(self.d, width, stream(self.seed, 1, 0)).T, self.law)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """c_e, ..., c_k of P = sum_j c_j He_j."""
        degrees = range(self.feature_exponent, self.feature_degree + 1)
        factorial = self.feature_coefficients == "factorial"
        return tuple(1.0 / math.factorial(j) if factorial else 1.0 for j in degrees)

    @functools.cached_property
    def weights(self) -> tuple[np.ndarray, ...]:
        """a_l over the standard deviation of its sums, each of shape (width of h_l, b_l).

        The standard deviation is that of independent Gaussian h_(l-1): exact for l = 1, where on
        the sphere it is that of the projections.
        """
        weights = []
        width = len(self.directions)
        for level, block in enumerate(self.branching, start=1):
            width //= block
            a = np.ones((width, block))
            if not self.equal_weights:
                a = stream(self.seed, 2, level).standard_normal((width, block))
            law = self._law_of(level)
            b = recurrence(law, self.feature_degree)
            rho = zonal_correlation(law, b)
            squares = np.square(a).sum(axis=1)
            crossed = a.sum(axis=1) ** 2 - squares
            variance = sum(
                c**2 * np.prod(b[1 : j + 1]) * (squares + rho[j] * crossed)
                for j, c in enumerate(self.coefficients, start=self.feature_exponent)
            )
            weights.append(a / np.sqrt(variance)[:, None])
        return tuple(weights)

    def _law_of(self, level: int) -> InputLaw:
        """Law whose orthogonal polynomials P sums over: of the inputs for h_1, Gaussian above."""
        return self.law if level == 1 else Gaussian(self.d)

    @functools.cached_property
    def link(self) -> Link:
        """Link g."""
        first, last = self.information_exponent, self.link_degree
        return random_link(self.roots, first, last, self.decay, seed=self.seed, level=3)

    @functools.cached_property
    def _recurrences(self) -> Sequence[np.ndarray]:
        return [
            recurrence(self._law_of(level), self.feature_degree) for level in range(1, len(self.epsilons) + 1)
        ]

    def _hidden(self, T: np.ndarray) -> list[np.ndarray]:
        """h_0, ..., h_L."""
        levels = [T]
        for a, b in zip(self.weights, self._recurrences, strict=True):
            parts = monic(levels[-1], b)[self.feature_exponent :]
            p = sum(c * part for c, part in zip(self.coefficients, parts, strict=True))
            levels.append(np.einsum("nij,ij->ni", np.reshape(p, (len(T), *a.shape)), a))
        return levels

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        return [self.link(self._hidden(T)[-1])]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        h = linear_forms(t)
        for a, b in zip(self.weights, self._recurrences, strict=True):
            p = [self._feature(monic_polynomials(f, b)[self.feature_exponent :]) for f in h]
            block = a.shape[1]
            h = [
                merged(
                    [
                        mapped(f, np.full((1, 1), v))
                        for f, v in zip(p[i * block : (i + 1) * block], row, strict=True)
                    ]
                )
                for i, row in enumerate(a)
            ]
        return [self.link.compose(h)]

    def _feature(self, parts: Sequence[Polynomial]) -> Polynomial:
        """P from its Hermite polynomials."""
        weighed = zip(self.coefficients, parts, strict=True)
        return merged([mapped(part, np.full((1, 1), c)) for c, part in weighed])

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Hidden features at the rows of T, level by level, each of shape (n, k_l)."""
        hidden = self._hidden(T)
        intercept, scale = self._affine
        return [*hidden, intercept + scale * self.link(hidden[-1])[:, None]]

    @property
    def n_parameters(self) -> int:
        """Entries of directions and weights, and coefficients of the link."""
        return self.directions.size + sum(a.size for a in self.weights) + self.link.n_coefficients
