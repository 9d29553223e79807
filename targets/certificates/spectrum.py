"""Exact second-order description of a target: covariance of its levels by degree."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.targets.algebra.series import Series
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged, pairs_of_square
from hierbench.targets.laws.measures import Measure

MAX_PAIRS_KURTOSIS = 2_000_000
"""Largest number of pairs of terms in the square of y for an exact kurtosis (about 2 s)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """What the expansion of y by degree says, without the expansion.

    Attributes
    ----------
    levels : tuple of int
        The levels that reach y.
    mean : float
        E y.
    grams : mapping degree -> array of shape (levels, levels)
        Covariance of the degree's parts of the level outputs.
    quadratic : array of shape (m, m)
        A such that the degree-2 part of y is w^T A w and lower terms.
    measure : Measure
        Law of the coordinates w.
    polynomial : Polynomial or None
        y - E y up to a factor, where its square is within reach (for the kurtosis).
    """

    levels: tuple[int, ...]
    mean: float
    grams: Mapping[int, np.ndarray]
    quadratic: np.ndarray
    measure: Measure
    polynomial: Polynomial | None

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the level outputs, shape (levels, levels)."""
        return np.asarray(sum(self.grams.values(), np.zeros((len(self.levels),) * 2)))

    def scaled(self, scale: float, intercept: float) -> Spectrum:
        """Spectrum of intercept + scale y."""
        return dataclasses.replace(
            self,
            mean=intercept + scale * self.mean,
            grams={p: scale**2 * g for p, g in self.grams.items()},
            quadratic=scale * self.quadratic,
        )

    def kurtosis(self) -> float | None:
        """E y^4 / (E y^2)^2 of the centred y, None where y^2 is out of reach."""
        if self.polynomial is None:
            return None
        square = self.polynomial.square()
        try:
            series = self.measure.expand(square)
        except TooManyTermsError:
            return self._kurtosis_by_moments(square)
        second = float(series.constant[0])
        return (second**2 + float(series.gram()[0, 0])) / second**2

    def _kurtosis_by_moments(self, square: Polynomial) -> float | None:
        """Where y^2 has few terms of many variables, as of a parity, but not its expansion."""
        try:
            fourth = square.square()
            value = float(self.measure.expectation(fourth)[0])
            without_signs = Polynomial(fourth.exponents, np.abs(fourth.coefficients))
            lost = float(self.measure.expectation(without_signs)[0]) * np.finfo(float).eps
            if lost > 1e-9 * value:
                return None
            return value / float(self.measure.expectation(square)[0]) ** 2
        except TooManyTermsError:
            return None


def side_by_side(polynomials: Sequence[Polynomial]) -> Polynomial:
    """Single polynomials as one of several functions, on one support."""
    eye = np.eye(len(polynomials))
    return merged([mapped(p, eye[:, [i]]) for i, p in enumerate(polynomials)])


def spectrum_of(levels: tuple[int, ...], outputs: Sequence[Polynomial], measure: Measure) -> Spectrum:
    """Spectrum of y = sum of ``outputs``, one polynomial (one function) a level."""
    stack = side_by_side(outputs)
    return spectrum_from(levels, measure.expand(stack), stack, measure)


def spectrum_from(levels: tuple[int, ...], series: Series, stack: Polynomial, measure: Measure) -> Spectrum:
    """Spectrum from ``stack``, one function a level, and its expansion ``series``."""
    ones = np.ones((1, len(levels)))
    y = mapped(series, ones)
    mean = float(y.constant[0])
    polynomial = None
    if pairs_of_square(stack.n_terms) <= MAX_PAIRS_KURTOSIS:
        constant = Polynomial.of_constant(np.array([-mean]), stack.n_variables)
        polynomial = merged([mapped(stack, ones), constant])
    return Spectrum(levels, mean, series.grams(), y.quadratic_form()[0], measure, polynomial)
