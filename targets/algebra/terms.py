"""Exact polynomial algebra, sparse in the monomials.

A ``Polynomial`` is q polynomials in m variables on one support. A ``series.Series`` is the same sorted
by degree under a law of the inputs: the degree of P_{<=p} f - P_{<=p-1} f, P_{<=p} the
projection on polynomials of degree p. Sparsity does the rest: targets that are even in every
variable never carry an odd exponent.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

MAX_PAIRS = 4_500_000
"""Largest number of pairs of terms that a product may form (about 2 s and 0.3 GB)."""

MAX_CLOSURE = 2_000_000
"""Largest number of terms that the expansion of one monomial by degree may have."""

MAX_ENTRIES = 50_000_000
"""Exponents of a product, terms times variables; each takes up to 16 bytes on the way."""
MAX_EXPONENT = 127
"""Exponents are kept as int8."""


class TooManyTermsError(ValueError):
    """A product would form more pairs of terms than allowed."""


@functools.cache
def hash_weights(m: int, which: int) -> np.ndarray:
    """Draw fixed 64-bit weights, shape (m,), for the additive hash of exponents; ``which`` of several."""
    rng = np.random.Generator(np.random.PCG64([2001, 4413, which]))
    return rng.integers(0, 2**64, size=m, dtype=np.uint64)


def _keys(exponents: np.ndarray, which: int = 0) -> np.ndarray:
    """Hash modulo 2^64 that is additive: a product of monomials has the sum of their keys."""
    weights = hash_weights(exponents.shape[1], which)
    keys = np.zeros(len(exponents), dtype=np.uint64)
    for i in np.flatnonzero(exponents.any(axis=0)):
        keys += exponents[:, i].astype(np.uint64) * weights[i]
    return keys


def _groups(keys: np.ndarray, check: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order that sorts ``keys``, and where in it each run of equal keys starts."""
    order = np.argsort(keys)
    keys = keys[order]
    new = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    check = check[order]
    if np.any((check[1:] != check[:-1]) & ~new[1:]):
        # Odds near 1e-6 for a product at the size limit: the second hash turns them into an error.
        raise ArithmeticError("two monomials share a key: change the seed of the hash weights")
    return order, np.flatnonzero(new)


@dataclasses.dataclass(frozen=True, eq=False)
class Terms:
    """Coefficients of q functions on a common sparse support, without repeated terms.

    Attributes
    ----------
    exponents : int8 array of shape (terms, m)
    coefficients : float64 array of shape (terms, q)
    """

    exponents: np.ndarray
    coefficients: np.ndarray

    @property
    def n_terms(self) -> int:
        """Number of terms."""
        return len(self.exponents)

    @property
    def n_variables(self) -> int:
        """m, the number of variables."""
        return int(self.exponents.shape[1])

    @functools.cached_property
    def keys(self) -> np.ndarray:
        """Hash of each term, shape (terms,)."""
        return _keys(self.exponents)

    @functools.cached_property
    def degrees(self) -> np.ndarray:
        """Total degree of each term, shape (terms,)."""
        return np.asarray(self.exponents.sum(axis=1, dtype=np.int64))

    @property
    def constant(self) -> np.ndarray:
        """Coefficients of the constant term, shape (q,)."""
        return np.asarray(self.coefficients[self.degrees == 0].sum(axis=0))


AnyTerms = TypeVar("AnyTerms", bound=Terms)


def mapped(terms: AnyTerms, matrix: np.ndarray) -> AnyTerms:
    """Linear combinations ``matrix @ f`` of the q functions; matrix of shape (q', q)."""
    coefficients = terms.coefficients @ np.asarray(matrix, dtype=float).T
    result = dataclasses.replace(terms, coefficients=coefficients)
    result.__dict__["keys"] = terms.keys  # same support: the hash is not worth recomputing
    return result


def merged(parts: Sequence[AnyTerms]) -> AnyTerms:
    """Sum of functions with equal m and q, on the union of their supports."""
    exponents = np.concatenate([p.exponents for p in parts])
    coefficients = np.concatenate([p.coefficients for p in parts])
    order, starts = _groups(np.concatenate([p.keys for p in parts]), _keys(exponents, 1))
    summed = np.add.reduceat(coefficients[order], starts, axis=0) if len(order) else coefficients
    return dataclasses.replace(parts[0], exponents=exponents[order[starts]], coefficients=summed)


def trimmed(terms: AnyTerms) -> AnyTerms:
    """Without the terms whose coefficients are all zero."""
    kept = terms.coefficients.any(axis=1)
    if kept.all():
        return terms
    return dataclasses.replace(terms, exponents=terms.exponents[kept], coefficients=terms.coefficients[kept])


class Polynomial(Terms):
    """q polynomials in the monomials of m variables."""

    @classmethod
    def linear(cls, matrix: np.ndarray) -> Polynomial:
        """Linear forms ``matrix @ z``, q of them; matrix of shape (q, m). Zero columns drop out."""
        matrix = np.asarray(matrix, dtype=float)
        used = np.flatnonzero(matrix.any(axis=0))
        exponents = np.zeros((len(used), matrix.shape[1]), dtype=np.int8)
        exponents[np.arange(len(used)), used] = 1
        return cls(exponents, matrix.T[used])

    @classmethod
    def of_constant(cls, values: np.ndarray, m: int) -> Polynomial:
        """Constants, shape (q,), as polynomials in m variables."""
        return cls(np.zeros((1, m), dtype=np.int8), np.asarray(values, dtype=float)[None, :])

    def __add__(self, other: Polynomial) -> Polynomial:
        return merged([self, other])

    def __mul__(self, other: Polynomial) -> Polynomial:
        """Coordinate-wise product of the q functions."""
        pairs = self.n_terms * other.n_terms
        _require_reach(pairs)
        i, j = (ix.ravel() for ix in np.indices((self.n_terms, other.n_terms), dtype=np.int32))
        return _product(self, other, i, j, np.ones(pairs))

    def square(self) -> Polynomial:
        """Coordinate-wise square, from half of the pairs."""
        _require_reach(pairs_of_square(self.n_terms))
        i, j = (ix.astype(np.int32) for ix in np.triu_indices(self.n_terms))
        return _product(self, self, i, j, np.where(i == j, 1.0, 2.0))

    def evaluate(self, Z: np.ndarray) -> np.ndarray:
        """Values at the rows of Z, shapes (n, m) -> (n, q). Slow and plain: for tests."""
        Z = np.asarray(Z, dtype=float)
        monomials = np.ones((len(Z), self.n_terms))
        for i in range(self.n_variables):
            monomials *= Z[:, i : i + 1] ** self.exponents[:, i]
        return monomials @ self.coefficients


def laplacian(p: Polynomial) -> Polynomial:
    """Sum of the second derivatives of each of the q functions."""
    parts = []
    for i in range(p.n_variables):
        rows = p.exponents[:, i] >= 2
        e = p.exponents[rows, i].astype(float)
        lowered = p.exponents[rows].copy()
        lowered[:, i] -= 2
        parts.append(Polynomial(lowered, p.coefficients[rows] * (e * (e - 1.0))[:, None]))
    return merged(parts)


def pairs_of_square(n_terms: int) -> int:
    """Pairs of terms that ``Polynomial.square`` forms."""
    return n_terms * (n_terms + 1) // 2


def exponents_of_square(n_variables: int) -> int:
    """Exponents that the square of a general linear form has, or ``MAX_ENTRIES`` where it is out of reach."""
    return min(pairs_of_square(n_variables) * n_variables, MAX_ENTRIES)


def _require_reach(pairs: int) -> None:
    if pairs > MAX_PAIRS:
        raise TooManyTermsError(f"a product of {pairs} pairs of terms is past the limit of {MAX_PAIRS}")


def _product(a: Polynomial, b: Polynomial, i: np.ndarray, j: np.ndarray, weight: np.ndarray) -> Polynomial:
    tops = [p.exponents.max(axis=0, initial=0).astype(np.int64) for p in (a, b)]
    top = int((tops[0] + tops[1]).max(initial=0))
    if top > MAX_EXPONENT:
        raise TooManyTermsError(f"degree {top} in one variable is past the limit of {MAX_EXPONENT}")
    second_a, second_b = _keys(a.exponents, 1), _keys(b.exponents, 1)
    pair_keys = a.keys[i] + b.keys[j]
    order, starts = _groups(pair_keys, second_a[i] + second_b[j])
    if (entries := len(starts) * a.n_variables) > MAX_ENTRIES:
        raise TooManyTermsError(f"a product of {entries} exponents is past the limit of {MAX_ENTRIES}")
    i, j, weight, first = i[order], j[order], weight[order], order[starts]
    coefficients = np.empty((len(starts), a.coefficients.shape[1]))
    for q in range(coefficients.shape[1]):
        values = weight * a.coefficients[i, q] * b.coefficients[j, q]
        coefficients[:, q] = np.add.reduceat(values, starts)
    kept = coefficients.any(axis=1)  # disjoint factors leave exact zeros, which would breed
    starts, first = starts[kept], first[kept]
    product = Polynomial(a.exponents[i[starts]] + b.exponents[j[starts]], coefficients[kept])
    product.__dict__["keys"] = pair_keys[first]
    return product
