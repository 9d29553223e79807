"""Link functions: random polynomials of a few variables, with their variance by degree chosen."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hierbench.checks import is_real, real
from hierbench.errors import refusal
from hierbench.targets.algebra.orthogonal import HERMITE
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged
from hierbench.targets.laws.harmonics import part_of_degree
from hierbench.targets.laws.inputs import Gaussian, InputLaw
from hierbench.targets.laws.measures import Product, Sphere
from hierbench.targets.laws.weights import stream

MAX_TARGET_DEGREE = 16
"""Degree of a label; beyond it float64 and the tails of the label leave nothing to measure."""

MAX_MONOMIALS = 2000
MAX_ENTRIES = 400_000_000
"""Of the exponents in a product of polynomials in many variables (0.4 GB)."""


def bounded(name: str, value: Any, low: int, high: int, reason: str) -> int:
    """``value`` as an int; ValueError unless it is an integer from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(refusal(name, value, f"integers from {low} to {high}, {reason}"))
    return int(value)


def decay_of_shares(value: Any) -> float:
    """Check the parameter ``decay`` of the law of ``shares``."""
    ok = is_real(value) and 1e-3 <= value <= 1e3
    return real(
        "decay", value, "a number in [0.001, 1000], the ratio of the shares of successive degrees", ok
    )


def shares(first: int, last: int, decay: float) -> np.ndarray:
    """Share of variance of degrees first, ..., last: proportional to decay^(j - first)."""
    powers = decay ** np.arange(last - first + 1.0)
    return np.asarray(powers / powers.sum())


@dataclasses.dataclass(frozen=True, eq=False)
class Link:
    """A polynomial of r variables, to be evaluated on numbers and on polynomials.

    Attributes
    ----------
    polynomial : Polynomial
        One function of the r variables.
    degree : int
    n_coefficients : int
        Free coefficients in the basis that it was drawn in.
    """

    polynomial: Polynomial
    degree: int
    n_coefficients: int

    @functools.cached_property
    def _chain(self) -> tuple[list[tuple[int, int]], np.ndarray]:
        """Each monomial but 1 as (an earlier one, a variable times it), and all coefficients."""
        r = self.polynomial.n_variables
        monomials = [(0,) * r]
        index = {monomials[0]: 0}
        steps = []
        for degree in range(1, self.degree + 1):
            for variables in itertools.combinations_with_replacement(range(r), degree):
                key = tuple(variables.count(v) for v in range(r))
                last = variables[-1]
                steps.append((index[(*key[:last], key[last] - 1, *key[last + 1 :])], last))
                index[key] = len(monomials)
                monomials.append(key)
        coefficients = np.zeros(len(monomials))
        for exponents, value in zip(
            self.polynomial.exponents, self.polynomial.coefficients[:, 0], strict=True
        ):
            coefficients[index[tuple(int(e) for e in exponents)]] = value
        return steps, coefficients

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Link at the rows of ``values``, shapes (n, r) -> (n,): one pass a monomial."""
        steps, coefficients = self._chain
        variables = np.ascontiguousarray(values.T)
        table = np.empty((len(steps) + 1, len(values)))
        table[0] = 1.0
        for i, (parent, variable) in enumerate(steps, start=1):
            np.multiply(table[parent], variables[variable], out=table[i])
        return np.asarray(coefficients @ table)

    def compose(self, values: Sequence[Polynomial]) -> Polynomial:
        """Link of r polynomials, one function each; TooManyTermsError past the algebra's reach."""
        one = Polynomial.of_constant(np.ones(1), values[0].n_variables)
        monomials: dict[tuple[int, ...], Polynomial] = {(): one}

        def monomial(variables: tuple[int, ...]) -> Polynomial:
            if variables not in monomials:
                a, b = monomial(variables[:-1]), values[variables[-1]]
                if a.n_terms * b.n_terms * a.n_variables > MAX_ENTRIES:
                    raise TooManyTermsError(f"a product of {a.n_terms} by {b.n_terms} terms is too large")
                monomials[variables] = a * b
            return monomials[variables]

        parts = []
        for exponents, value in zip(self.polynomial.exponents, self.polynomial.coefficients, strict=True):
            variables = tuple(v for v, e in enumerate(exponents) for _ in range(int(e)))
            parts.append(mapped(monomial(variables), value[:, None]))
        return merged(parts)


def random_link(
    r: int,
    first: int,
    last: int,
    decay: float,
    *,
    seed: int,
    level: int,
    law: InputLaw | None = None,
) -> Link:
    """sum_j sqrt(share_j) u_j(t), with u_j uniform among the unit-variance parts of degree j.

    The coefficients of u_j in the orthonormal Hermite basis prod_i He_{a_i}(t_i) / sqrt(a_i!),
    |a| = j, are uniform on the unit sphere: the Haar measure on symmetric tensors, a random sign
    for r = 1. Each degree has a stream of its own.

    Parameters
    ----------
    r : int
        Variables.
    first, last : int
        Lowest and highest degree.
    decay : float
        Of ``shares``.
    seed, level : int
        Of the streams.
    law : InputLaw, optional
        Of the inputs that t are orthonormal projections of. On the sphere u_j is the harmonic
        with the same top part, scaled to unit variance there. Default: standard Gaussian t.
    """
    law = law or Gaussian(r)
    measure = Sphere(r, law.d) if law.name == "sphere" else Product((HERMITE,) * r)
    parts, n_coefficients = [], 0
    for degree, share in zip(range(first, last + 1), shares(first, last, decay), strict=True):
        exponents = exponents_of_degree(r, degree)
        scale = [math.prod(math.factorial(int(e)) for e in row) ** -0.5 for row in exponents]
        direction = stream(seed, level, degree).standard_normal(len(exponents))
        direction /= np.linalg.norm(direction)
        top = Polynomial(exponents, (direction * scale)[:, None])
        part = part_of_degree(top, degree, law)
        variance = measure.expand(part).gram(degree)
        parts.append(mapped(part, np.sqrt(share / variance)))
        n_coefficients += len(exponents)
    return Link(merged(parts), last, n_coefficients)


def exponents_of_degree(r: int, degree: int) -> np.ndarray:
    """Exponents of all monomials of one degree in r variables, int8 of shape (monomials, r)."""
    rows = [
        [variables.count(v) for v in range(r)]
        for variables in itertools.combinations_with_replacement(range(r), degree)
    ]
    return np.array(rows, dtype=np.int8)


def check_monomials(r: int, degree: int, name: str) -> None:
    """ValueError where a link of r variables has more monomials than ``MAX_MONOMIALS``."""
    monomials = math.comb(r + degree, degree)
    if monomials > MAX_MONOMIALS:
        allowed = f"integers with at most {MAX_MONOMIALS} monomials of degree up to {degree}"
        raise ValueError(refusal(name, r, allowed, f"it has {monomials}: lower it or the degree"))
