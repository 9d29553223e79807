"""A random polynomial of several random quadratic forms of the input."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, integer
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError
from hierbench.targets.base import Size
from hierbench.targets.certificates.certify import SCALE_SAMPLES
from hierbench.targets.certificates.quadratic_moments import covariance_of_forms, second_order
from hierbench.targets.certificates.spectrum import Spectrum
from hierbench.targets.laws.harmonics import linear_matrix, whitened
from hierbench.targets.laws.weights import stream
from hierbench.targets.polynomials.links import (
    MAX_TARGET_DEGREE,
    Link,
    bounded,
    check_monomials,
    decay_of_shares,
    random_link,
)
from hierbench.targets.polynomials.polynomial import PolynomialTarget

MAX_FORM_TERMS = 50_000
"""Monomials of a quadratic form in the algebra; its square is out of reach long before."""


@dataclasses.dataclass(frozen=True)
class QuadraticFeatures(PolynomialTarget):
    r"""A degree-q link of r quadratic forms of full rank.

    ::

        s = C^(-1/2) (x^T A_1 x, ..., x^T A_r x),   C their covariance
        g(s) = sum_{j=k*..q} sqrt(share_j) <B_j, He_j(s)>,   share_j ~ decay^(j - k*)
        y = (g(s) - mean) / sd,   degree 2 q

    The A_i are uniform among the r-tuples of traceless symmetric matrices that are orthonormal in
    the Frobenius norm (C = 2 I for Gaussian inputs); the B_j are uniform among the symmetric tensors
    whose part has unit variance under a standard Gaussian, to which s tends as d grows. The shares
    are those of g there; the certificate has the exact ones of y. Hidden features: s (level 1)
    and y (level 2).

    A three-layer net learns such targets from about d^4 samples where a kernel needs d^(2q).

    Every law of the inputs is admitted: s is white under each. On Gaussian inputs with a condition
    number x stands for the whitened Sigma^(-1/2) x. On the hypercube d >= 2 q is needed: below,
    x_i^2 = 1 leaves no part of degree 2 q.

    Source: Fu, Wang, Nichani & Lee, "Learning Hierarchical Polynomials of Multiple Nonlinear
    Features with Three-Layer Networks", arXiv 2411.17201: g(x^T A_1 x, ..., x^T A_r x) with g of degree q
    under Gaussian inputs; the laws of the A_i and B_j are ours.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension; at least 2, and such that r traceless forms exist"""
    seed: int
    """of the forms and of the link"""
    n_features: int = 2
    """r, quadratic forms, at most d(d+1)/2 - 1 (d(d-1)/2 on the hypercube), with C(r + q, q) <= 2000"""
    link_degree: int = 2
    """q, degree of the link in the features, 1 to 8"""
    information_exponent: int = 1
    """k*, lowest degree of the link, 1 to q"""
    decay: float = 1.0
    """share of each degree of the link relative to the one below it, in [0.001, 1000]"""
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        super().__post_init__()
        integer("d", self.d, 2, LARGEST_DIMENSION)
        cube = self.law.name == "hypercube"
        forms = self.d * (self.d - 1) // 2 if cube else self.d * (self.d + 1) // 2 - 1
        reason = "the independent quadratic forms that are not constant"
        set_("n_features", bounded("n_features", self.n_features, 1, forms, reason))
        reason = "so that the degree of the label is at most " + (
            f"d = {self.d} on the hypercube"
            if cube and self.d < MAX_TARGET_DEGREE
            else f"{MAX_TARGET_DEGREE}"
        )
        top = min(MAX_TARGET_DEGREE, self.d if cube else MAX_TARGET_DEGREE) // 2
        q = bounded("link_degree", self.link_degree, 1, top, reason)
        set_("link_degree", q)
        exponent = bounded("information_exponent", self.information_exponent, 1, q, "the degree of the link")
        set_("information_exponent", exponent)
        set_("decay", decay_of_shares(self.decay))
        check_monomials(self.n_features, q, "n_features")

    @property
    def degree(self) -> int:
        """Polynomial degree of the label."""
        return 2 * self.link_degree

    @property
    def term_levels(self) -> tuple[int, ...]:
        """Levels of the terms: one term, of the top level."""
        return (2,)

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.d

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """Rows of the linear forms t that the label depends on, shape (q, d)."""
        return whitened(np.eye(self.d), self.law)

    @property
    def size(self) -> Size:
        """Of all polynomial targets, and the r forms with their factors."""
        forms = self.n_features * self.d**2
        return super().size + Size(4.0 * forms, 6.0 * forms, 2.0 * SCALE_SAMPLES * forms)

    @functools.cached_property
    def matrices(self) -> np.ndarray:
        """A_1, ..., A_r, shape (r, d, d)."""
        d, r = self.d, self.n_features
        draws = stream(self.seed, 1, 0).standard_normal((r, d, d))
        draws = draws + draws.transpose(0, 2, 1)
        draws -= np.trace(draws, axis1=1, axis2=2)[:, None, None] / d * np.eye(d)
        q, upper = np.linalg.qr(draws.reshape(r, -1).T)
        q *= np.where(np.diag(upper) < 0, -1.0, 1.0)
        return np.asarray(q.T.reshape(r, d, d))

    @functools.cached_property
    def forms(self) -> np.ndarray:
        """Matrices of s_1, ..., s_r in the (whitened) inputs, shape (r, d, d)."""
        covariance = covariance_of_forms(self.matrices, self._reduction)
        values, vectors = np.linalg.eigh(covariance)
        return np.tensordot((vectors / np.sqrt(values)) @ vectors.T, self.matrices, 1)

    @functools.cached_property
    def link(self) -> Link:
        """Link g."""
        first, last = self.information_exponent, self.link_degree
        return random_link(self.n_features, first, last, self.decay, seed=self.seed, level=2)

    def _forms(self, X: np.ndarray) -> np.ndarray:
        if not self.law.isotropic:
            return super()._forms(X)
        # t = x: a product with the identity would cost as much as a feature.
        return X

    def _features(self, T: np.ndarray) -> np.ndarray:
        return np.stack([np.einsum("ni,ni->n", T @ form, T) for form in self.forms], axis=1)

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        return [self.link(self._features(T))]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        matrix = linear_matrix(t)
        m = matrix.shape[1]
        if m * (m + 1) // 2 > MAX_FORM_TERMS:
            raise TooManyTermsError(
                f"quadratic forms in {m} variables are past the limit of {MAX_FORM_TERMS} terms"
            )
        i, j = np.triu_indices(m)
        exponents = np.zeros((len(i), m), dtype=np.int8)
        rows = np.arange(len(i))
        np.add.at(exponents, (rows, i), 1)
        np.add.at(exponents, (rows, j), 1)
        forms = matrix.T @ self.forms @ matrix
        values = np.where(i == j, 1.0, 2.0) * forms[:, i, j]
        return [self.link.compose([Polynomial(exponents, v[:, None]) for v in values])]

    @functools.cached_property
    def _raw(self) -> Spectrum | None:
        spectrum = super()._raw
        if spectrum is not None or self.law.name != "gaussian" or self.link_degree > 2:
            return spectrum
        # Many variables: the algebra has too many terms, but traces say it all to second order.
        link = self.link.polynomial
        b, B = np.zeros(self.n_features), np.zeros((self.n_features, self.n_features))
        for exponents, value in zip(link.exponents, link.coefficients[:, 0], strict=True):
            variables = np.repeat(np.arange(self.n_features), exponents)
            if len(variables) == 1:
                b[variables[0]] = value
            elif len(variables) == 2:
                B[variables[0], variables[1]] += value / 2.0
                B[variables[1], variables[0]] += value / 2.0
        mean, form, top = second_order(self.forms, b, B)
        grams = {2: np.full((1, 1), 2.0 * np.sum(form**2)), 4: np.full((1, 1), top)}
        if self.link_degree == 1:
            del grams[4]
        matrix = self._reduction.matrix
        mean += float(link.constant[0])
        return Spectrum(
            self.term_levels, mean, grams, matrix.T @ form @ matrix, self._reduction.measure, None
        )

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Hidden features at the rows of T, level by level, each of shape (n, k_l)."""
        s = self._features(T)
        intercept, scale = self._affine
        return [s, intercept + scale * self.link(s)[:, None]]

    @property
    def n_parameters(self) -> int:
        """Entries of the symmetric matrices, and coefficients of the link."""
        return self.n_features * (self.d * (self.d + 1) // 2) + self.link.n_coefficients
