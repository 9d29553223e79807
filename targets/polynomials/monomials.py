"""Sums of orthonormal monomials of a few linear forms: staircases, leap functions, parities."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.algebra.terms import Polynomial, mapped, merged
from hierbench.targets.polynomials.polynomial import PolynomialTarget

Monomial = tuple[tuple[int, int], ...]
"""The factors He_power(t_form) of a product, as pairs (form, power), powers from 1."""

_DEPENDENT = "its coordinates are dependent, so that monomials of them are not orthogonal"


def leap_of(monomials: Sequence[Monomial]) -> int:
    """Leap: the largest step on the best way through the monomials.

    A step costs the degree in the forms that no earlier monomial has: for multilinear
    monomials the number of new coordinates. Taking the cheapest step each time is best,
    because a step only ever makes the others cheaper (Abbe, Boix-Adsera & Misiakiewicz,
    arXiv 2302.11055, Definition 1, in the given coordinates).
    """
    reached: set[int] = set()
    left = list(monomials)
    leap = 0
    while left:
        cheapest = min(left, key=lambda monomial: _cost(monomial, reached))
        leap = max(leap, _cost(cheapest, reached))
        reached.update(form for form, _ in cheapest)
        left.remove(cheapest)
    return leap


def leap_levels(monomials: Sequence[Monomial]) -> list[list[int]]:
    """Which monomials come in reach of a step of the leap together: numbers, level by level."""
    leap = leap_of(monomials)
    reached: set[int] = set()
    left = list(range(len(monomials)))
    levels: list[list[int]] = []
    while left:
        levels.append([i for i in left if _cost(monomials[i], reached) <= leap])
        left = [i for i in left if i not in levels[-1]]
        reached.update(form for i in levels[-1] for form, _ in monomials[i])
    return levels


def _cost(monomial: Monomial, reached: set[int]) -> int:
    return sum(power for form, power in monomial if form not in reached)


class MonomialTarget(PolynomialTarget):
    """y ~ sum_l sum_i w_li chi_li(t), chi products of Hermite polynomials of orthonormal forms t.

    Each chi is scaled to variance 1 under the law of the inputs. Multilinear ones (all powers
    1) are then orthonormal under every law admitted here: coordinates are independent with
    variance 1, or, on the sphere, the monomials harmonic, of different signs under reflections
    and of squared norm prod_{s<k} d / (d + 2s) before the scaling. A monomial of k factors has
    degree k in all of them, so that the shares are w^2 / sum w^2.
    """

    refused_inputs: ClassVar = {"mixture": _DEPENDENT}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.law.isotropic:
            allowed = "gaussian (of condition 1), cube, sphere, hypercube"
            raise ValueError(refusal("inputs", self.inputs, allowed, f"it is refused: {_DEPENDENT}"))

    @property
    @abc.abstractmethod
    def monomials(self) -> tuple[tuple[tuple[float, Monomial], ...], ...]:
        """Level by level, the weight and factors of each monomial."""

    @property
    def term_levels(self) -> tuple[int, ...]:
        """Levels of the terms: one term a level."""
        return tuple(range(1, len(self.monomials) + 1))

    @property
    def degree(self) -> int:
        """Polynomial degree of the label."""
        return max(sum(power for _, power in chi) for _, chi in self._flat)

    @property
    def n_parameters(self) -> int:
        """Entries of the directions, and the weights."""
        return int(self.directions.size) + len(self._flat)

    @property
    def _flat(self) -> list[tuple[float, Monomial]]:
        return [pair for level in self.monomials for pair in level]

    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Monomials of each level, at variance 1."""
        return [np.stack([self._chi(chi, T) for _, chi in level], axis=1) for level in self.monomials]

    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """Terms of the raw label at the rows of T, shapes (n, q) -> arrays (n,)."""
        return [
            np.asarray(sum(weight * self._chi(chi, T) for weight, chi in level)) for level in self.monomials
        ]

    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """Terms of the raw label as polynomials of the linear forms t."""
        eye = np.eye(t.coefficients.shape[1])
        forms = {i: mapped(t, eye[[i]]) for _, chi in self._flat for i, _ in chi}

        def product(chi: Monomial) -> Polynomial:
            return functools.reduce(Polynomial.__mul__, [_hermite(forms[i], power) for i, power in chi])

        return [
            merged([mapped(product(chi), np.array([[weight * self._scale(chi)]])) for weight, chi in level])
            for level in self.monomials
        ]

    def _chi(self, chi: Monomial, T: np.ndarray) -> np.ndarray:
        value = np.full(len(T), self._scale(chi))
        for i, power in chi:
            value *= T[:, i] if power == 1 else np.polynomial.hermite_e.hermeval(T[:, i], [0] * power + [1])
        return value

    def _scale(self, chi: Monomial) -> float:
        """One over the standard deviation of the product."""
        if self.law.name == "sphere":
            return math.sqrt(math.prod(1.0 + 2.0 * s / self.d for s in range(len(chi))))
        return 1.0 / math.sqrt(math.prod(math.factorial(power) for _, power in chi))


def _hermite(z: Polynomial, power: int) -> Polynomial:
    """He_power of one function, by He_{k+1} = z He_k - k He_{k-1}."""
    below, value = Polynomial.of_constant(np.ones(1), z.n_variables), z
    for k in range(1, power):
        below, value = value, z * value + mapped(below, np.array([[-float(k)]]))
    return value
