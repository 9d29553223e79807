"""Exact polynomial algebra under standard Gaussian inputs, sparse in the monomials.

A ``Polynomial`` is q polynomials in m variables on one support, a ``HermiteSeries`` the same
in the orthonormal basis prod_i He_{e_i}(z_i) / sqrt(e_i!). Sparsity does the rest: targets
that are even in every variable never carry an odd exponent.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

MAX_PAIRS = 4_500_000
"""Largest number of pairs of terms that a product may form (about 2 s and 0.3 GB)."""

MAX_EXPONENT = 127
"""Exponents are kept as int8."""


class TooManyTermsError(ValueError):
    """A product would form more pairs of terms than allowed."""


@functools.cache
def _hash_weights(m: int, which: int) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64([2001, 4413, which]))
    return rng.integers(0, 2**64, size=m, dtype=np.uint64)


def _keys(exponents: np.ndarray, which: int = 0) -> np.ndarray:
    """Hash modulo 2^64 that is additive: a product of monomials has the sum of their keys."""
    weights = _hash_weights(exponents.shape[1], which)
    keys = np.zeros(len(exponents), dtype=np.uint64)
    for i in np.flatnonzero(exponents.any(axis=0)):
        keys += exponents[:, i].astype(np.uint64) * weights[i]
    return keys


def _groups(keys: np.ndarray, check: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that sorts ``keys``, and where in it each run of equal keys starts."""
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
        return len(self.exponents)

    @property
    def n_variables(self) -> int:
        return int(self.exponents.shape[1])

    @functools.cached_property
    def keys(self) -> np.ndarray:
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
    result = type(terms)(terms.exponents, terms.coefficients @ np.asarray(matrix, dtype=float).T)
    result.__dict__["keys"] = terms.keys  # same support: the hash is not worth recomputing
    return result


def merged(parts: Sequence[AnyTerms]) -> AnyTerms:
    """Sum of functions with equal m and q, on the union of their supports."""
    exponents = np.concatenate([p.exponents for p in parts])
    coefficients = np.concatenate([p.coefficients for p in parts])
    order, starts = _groups(np.concatenate([p.keys for p in parts]), _keys(exponents, 1))
    return type(parts[0])(exponents[order[starts]], np.add.reduceat(coefficients[order], starts, axis=0))


class Polynomial(Terms):
    """q polynomials in the monomials of m variables."""

    @classmethod
    def linear(cls, matrix: np.ndarray) -> Polynomial:
        """The q linear forms ``matrix @ z``; matrix of shape (q, m). Zero columns drop out."""
        matrix = np.asarray(matrix, dtype=float)
        used = np.flatnonzero(matrix.any(axis=0))
        exponents = np.zeros((len(used), matrix.shape[1]), dtype=np.int8)
        exponents[np.arange(len(used)), used] = 1
        return cls(exponents, matrix.T[used])

    @classmethod
    def of_constant(cls, values: np.ndarray, m: int) -> Polynomial:
        """q constants, shape (q,), as polynomials in m variables."""
        return cls(np.zeros((1, m), dtype=np.int8), np.asarray(values, dtype=float)[None, :])

    @classmethod
    def squared_coordinates(cls, m: int) -> Polynomial:
        """The m polynomials z_i^2."""
        return cls(2 * np.eye(m, dtype=np.int8), np.eye(m))

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

    def hermite(self) -> HermiteSeries:
        """Expansion in orthonormal Hermite polynomials, one variable after the other.

        z^e = sum_j e! / (2^j j! (e - 2j)!) He_{e-2j}(z).
        """
        closed = _closed(self)
        exponents, keys = closed.exponents, closed.keys
        order = np.argsort(keys)
        sorted_keys = keys[order]
        coefficients = closed.coefficients.copy()
        weights = _hash_weights(self.n_variables, 0)
        for i, e in enumerate(np.ascontiguousarray(exponents.T)):
            rows = np.flatnonzero(e >= 2)
            e = e[rows]
            # Upwards in the lowered exponent: what is added has not been added to yet.
            for low in range(int(e.max(initial=1)) - 1):
                for j in range(1, (int(e.max()) - low) // 2 + 1):
                    source = rows[e == low + 2 * j]
                    reduced = keys[source] - _shift(weights, i, j)
                    target = order[np.searchsorted(sorted_keys, reduced)]
                    coefficients[target] += _lowering(low + 2 * j, j) * coefficients[source]
        for i in range(self.n_variables):
            coefficients *= _ROOT_FACTORIAL[exponents[:, i], None]
        series = HermiteSeries(exponents, coefficients)
        series.__dict__["keys"] = keys
        return series


class HermiteSeries(Terms):
    """q functions in the orthonormal Hermite basis, in which inner products are dot products."""

    def gram(self, degree: int | None = None) -> np.ndarray:
        """Inner products E f_a f_b of the parts of one degree (of all degrees >= 1), shape (q, q)."""
        rows = self.degrees > 0 if degree is None else self.degrees == degree
        part = self.coefficients[rows]
        return np.asarray(part.T @ part)

    def grams(self) -> dict[int, np.ndarray]:
        """Covariances by Hermite degree: degree >= 1 -> array of shape (q, q)."""
        return {int(p): self.gram(int(p)) for p in np.unique(self.degrees) if p > 0}

    def quadratic_form(self) -> np.ndarray:
        """A with degree-2 part z^T A z - tr A; shape (q, m, m)."""
        a = np.zeros((self.coefficients.shape[1], self.n_variables, self.n_variables))
        for row in np.flatnonzero(self.degrees == 2):
            i, j = _two_indices(self.exponents[row], 1)
            value = self.coefficients[row] / (math.sqrt(2.0) if i == j else 2.0)
            a[:, i, j] = a[:, j, i] = value
        return a

    def linear_form(self) -> np.ndarray:
        """v with degree-1 part v . z; shape (q, m)."""
        rows = np.flatnonzero(self.degrees == 1)
        v = np.zeros((self.coefficients.shape[1], self.n_variables))
        v[:, self.exponents[rows].argmax(axis=1)] = self.coefficients[rows].T
        return v

    def form_in_squares(self) -> np.ndarray:
        """M of the best approximation b + v . u + u^T M u, u_i = (z_i^2 - 1) / sqrt(2); shape (q, m, m).

        From u_i u_j = He_2(z_i) He_2(z_j) / 2, i != j, and
        u_i^2 = 1 + 2 sqrt(2) u_i + sqrt(6) He_4(z_i) / sqrt(24).
        """
        matrix = np.zeros((self.coefficients.shape[1], self.n_variables, self.n_variables))
        rows = np.flatnonzero(self.degrees == 4)
        for row in rows[(self.exponents[rows] % 2 == 0).all(axis=1)]:
            i, j = _two_indices(self.exponents[row], 2)
            value = self.coefficients[row] / (math.sqrt(6.0) if i == j else 2.0)
            matrix[:, i, j] = matrix[:, j, i] = value
        return matrix


def pairs_of_square(n_terms: int) -> int:
    """Pairs of terms that ``Polynomial.square`` forms."""
    return n_terms * (n_terms + 1) // 2


def _require_reach(pairs: int) -> None:
    if pairs > MAX_PAIRS:
        raise TooManyTermsError(f"a product of {pairs} pairs of terms is past the limit of {MAX_PAIRS}")


def _product(a: Polynomial, b: Polynomial, i: np.ndarray, j: np.ndarray, weight: np.ndarray) -> Polynomial:
    top = int(a.degrees.max(initial=0) + b.degrees.max(initial=0))
    if top > MAX_EXPONENT:
        raise TooManyTermsError(f"degree {top} is past the limit of {MAX_EXPONENT}")
    second_a, second_b = _keys(a.exponents, 1), _keys(b.exponents, 1)
    pair_keys = a.keys[i] + b.keys[j]
    order, starts = _groups(pair_keys, second_a[i] + second_b[j])
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


def _closed(p: Polynomial) -> Polynomial:
    """``p`` with zero terms added, so that lowering an exponent by 2 stays in the support."""
    weights = _hash_weights(p.n_variables, 0)
    known = np.sort(p.keys)
    for i in range(p.n_variables):
        e = np.ascontiguousarray(p.exponents[:, i])
        missing = [np.empty((0, p.n_variables), dtype=np.int8)]
        for j in range(1, int(e.max(initial=0)) // 2 + 1):
            rows = np.flatnonzero(e >= 2 * j)
            reduced = p.keys[rows] - _shift(weights, i, j)
            found = known[np.minimum(np.searchsorted(known, reduced), len(known) - 1)] == reduced
            lowered = p.exponents[rows[~found]]
            lowered[:, i] -= 2 * j
            missing.append(lowered)
        extra = np.concatenate(missing)
        if len(extra):
            p = merged([p, Polynomial(extra, np.zeros((len(extra), p.coefficients.shape[1])))])
            known = np.sort(p.keys)
    return p


def _two_indices(exponents: np.ndarray, unit: int) -> tuple[int, int]:
    """The variables i <= j of a product z_i^unit z_j^unit."""
    used = np.flatnonzero(exponents)
    if (exponents[used] % unit).any():
        raise ValueError(f"exponents {exponents[used].tolist()} are not multiples of {unit}")
    return int(used[0]), int(used[-1])


_ROOT_FACTORIAL = np.array([math.sqrt(math.factorial(e)) for e in range(MAX_EXPONENT + 1)])


def _shift(weights: np.ndarray, i: int, j: int) -> np.ndarray:
    """Key of z_i^(2j), shape (1,): as an array it wraps without a warning."""
    return np.asarray(weights[i : i + 1] * np.uint64(2 * j))


def _lowering(e: int, j: int) -> float:
    """Coefficient of He_{e-2j} in z^e."""
    f = math.factorial
    return float(f(e) // (2**j * f(j) * f(e - 2 * j)))
