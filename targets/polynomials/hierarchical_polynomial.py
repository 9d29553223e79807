"""A polynomial of one polynomial feature of the input."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, integer
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
from hierbench.targets.laws.weights import haar, stream
from hierbench.targets.polynomials.links import MAX_TARGET_DEGREE, Link, bounded, decay_of_shares, random_link
from hierbench.targets.polynomials.polynomial import PolynomialTarget


@dataclasses.dataclass(frozen=True)
class HierarchicalPolynomial(PolynomialTarget):
    r"""A degree-q link of one degree-k feature that depends on many directions.

    ::

        p(x) = (1/c) sum_{i=1..r} lambda_i He_k(<v_i, x>),   c so that E p^2 = 1
        g(p) = sum_{j=k*..q} +-sqrt(share_j) He_j(p) / sqrt(j!),   share_j ~ decay^(j - k*)
        y    = (g(p) - mean) / sd,   degree k q

    The v_i are orthonormal Haar vectors. At k = 2 the lambda_i are the eigenvalues of an r x r
    matrix of the Gaussian orthogonal ensemble with the mean taken off, so that p at r = d is a
    uniformly random traceless quadratic form; at k >= 3 they are random signs. The shares are
    those of g under a standard Gaussian, to which p tends as r grows; the certificate has the
    exact ones of y. Hidden features: p (level 1) and y (level 2).

    For a large class of p a three-layer net learns g(p) from about d^k samples, up to logarithms, where
    a kernel needs d^(kq).

    Inputs are Gaussian (with a condition number in whitened coordinates) or on the sphere, where
    He_k is replaced by the monic zonal harmonic. The other laws are refused: there p would not
    be of degree k alone (``quadratic-features`` with one feature has k = 2 on all of them).

    Source: Wang, Nichani & Lee, "Learning Hierarchical Polynomials with Three-Layer Neural
    Networks", arXiv 2311.13774: g o p with p of degree k and g of degree q under Gaussian inputs. The choice
    of p and the random g are ours.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension; at least 2, and 3 on the sphere"""
    seed: int
    """of the directions, the lambda_i and the signs"""
    feature_degree: int = 2
    """k, from 2 (k = 1 is single-index)"""
    link_degree: int = 2
    """q, degree of the link in the features; the label's, k q, is at most 16"""
    information_exponent: int = 1
    """k*, lowest degree of the link, 1 to q"""
    decay: float = 1.0
    """share of each degree of the link relative to the one below it, in [0.001, 1000]"""
    rank: int | None = None
    """r, directions of the feature, from 1 (from 2 at k = 2) to d; None for d"""
    inputs: str = "gaussian"

    refused_inputs: ClassVar[Mapping[str, str]] = NOT_HERMITE

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        super().__post_init__()
        # On the circle the harmonics of even degree of two orthogonal directions are equal or opposite.
        integer("d", self.d, 3 if self.law.name == "sphere" else 2, LARGEST_DIMENSION)
        k = bounded("feature_degree", self.feature_degree, 2, MAX_TARGET_DEGREE, "1 being single-index")
        reason = f"so that the degree of the label is at most {MAX_TARGET_DEGREE}"
        q = bounded("link_degree", self.link_degree, 1, MAX_TARGET_DEGREE // k, reason)
        exponent = bounded("information_exponent", self.information_exponent, 1, q, "the degree of the link")
        if self.rank is not None:
            reason = "the dimension (a traceless form has at least two directions), or none"
            set_("rank", bounded("rank", self.rank, 2 if k == 2 else 1, self.d, reason))
        set_("feature_degree", k)
        set_("link_degree", q)
        set_("information_exponent", exponent)
        set_("decay", decay_of_shares(self.decay))

    @property
    def degree(self) -> int:
        """Polynomial degree of the label."""
        return self.feature_degree * self.link_degree

    @property
    def term_levels(self) -> tuple[int, ...]:
        """Levels of the terms: one term, of the top level."""
        return (2,)

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.d if self.rank is None else self.rank

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """Rows of the linear forms t that the label depends on, shape (q, d)."""
        r = self.d if self.rank is None else self.rank
        return whitened(haar(self.d, r, stream(self.seed, 1, 0)).T, self.law)

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """lambda_i / c, shape (r,)."""
        rng, r = stream(self.seed, 1, 1), len(self.directions)
        if self.feature_degree == 2:
            matrix = rng.standard_normal((r, r))
            weights = np.linalg.eigvalsh(matrix + matrix.T)
            weights -= weights.mean()
        else:
            weights = 2.0 * rng.integers(0, 2, r) - 1.0
        squares = float(weights @ weights)
        correlation = zonal_correlation(self.law, self._recurrence)[-1]
        variance = squares + correlation * (float(weights.sum()) ** 2 - squares)
        return np.asarray(weights / np.sqrt(variance * self._recurrence[1:].prod()))

    @functools.cached_property
    def _recurrence(self) -> np.ndarray:
        return recurrence(self.law, self.feature_degree)

    @functools.cached_property
    def link(self) -> Link:
        """Link g."""
        first, last = self.information_exponent, self.link_degree
        return random_link(1, first, last, self.decay, seed=self.seed, level=2)

    def _feature(self, T: np.ndarray) -> np.ndarray:
        return np.asarray(monic(T, self._recurrence)[-1] @ self.weights)

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        return [self.link(self._feature(T)[:, None])]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        p = merged(
            [
                mapped(monic_polynomials(form, self._recurrence)[-1], np.full((1, 1), weight))
                for form, weight in zip(linear_forms(t), self.weights, strict=True)
            ]
        )
        return [self.link.compose([p])]

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Hidden features at the rows of T, level by level, each of shape (n, k_l)."""
        p = self._feature(T)[:, None]
        intercept, scale = self._affine
        return [p, intercept + scale * self.link(p)[:, None]]

    @property
    def n_parameters(self) -> int:
        """Entries of directions and weights, and coefficients of the link."""
        return self.directions.size + self.weights.size + self.link.n_coefficients
