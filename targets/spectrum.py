"""Exact second-order description of a target: covariance of its levels by Hermite degree."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from targets.algebra import HermiteSeries, Polynomial, mapped, merged, pairs_of_square
from targets.cascade import Cascade

MAX_PAIRS_KURTOSIS = 2_000_000
"""Largest number of pairs of terms in the square of y for an exact kurtosis (about 2 s)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """What the Hermite expansion of y says, without the expansion.

    Attributes
    ----------
    levels : tuple of int
        The levels that reach y.
    mean : float
        E y.
    grams : mapping degree -> array of shape (levels, levels)
        Covariance of the degree's parts of the level outputs.
    quadratic : array of shape (m, m)
        A with degree-2 part z^T A z - tr A of y.
    linear : array of shape (m,)
        Degree-1 part of y.
    form_in_squares : array of shape (m, m)
        Quadratic form of the best approximation of y by one in u_i = (z_i^2 - 1) / sqrt(2).
    polynomial : Polynomial or None
        y itself, where its square is within reach (for the kurtosis).
    """

    levels: tuple[int, ...]
    mean: float
    grams: Mapping[int, np.ndarray]
    quadratic: np.ndarray
    linear: np.ndarray
    form_in_squares: np.ndarray
    polynomial: Polynomial | None

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the level outputs, shape (levels, levels)."""
        return np.asarray(sum(self.grams.values()))

    def kurtosis(self) -> float | None:
        """E y^4 / (E y^2)^2 of the centred y, None where y^2 is out of reach."""
        if self.polynomial is None:
            return None
        square = self.polynomial.square().hermite()
        second = float(square.constant[0])
        return (second**2 + float(square.gram()[0, 0])) / second**2


def stacked(series: Sequence[HermiteSeries]) -> HermiteSeries:
    """Single functions side by side on one support."""
    eye = np.eye(len(series))
    return merged([mapped(s, eye[:, [i]]) for i, s in enumerate(series)])


def spectrum_of(
    cascade: Cascade, outputs: HermiteSeries, scales: np.ndarray, squares: Sequence[Polynomial]
) -> Spectrum:
    """Spectrum of y = intercept + sum_i scales_i outputs_i.

    Parameters
    ----------
    cascade : Cascade
        The same y, folded.
    outputs : HermiteSeries
        One function for each level that reaches y, in level order.
    scales : array of shape (levels,)
    squares : sequence of Polynomial
        p_1, ..., p_L.
    """
    levels = sorted(cascade.outputs)
    scaled = mapped(outputs, np.diag(scales))
    y = mapped(scaled, np.ones((1, len(scales))))
    polynomial = None
    if pairs_of_square(y.n_terms) <= MAX_PAIRS_KURTOSIS:
        parts = [mapped(squares[level - 1], cascade.outputs[level][None, :]) for level in levels]
        polynomial = merged([*parts, Polynomial.of_constant(np.array([cascade.intercept]), cascade.m)])
    return Spectrum(
        levels=tuple(levels),
        mean=float(y.constant[0]) + cascade.intercept,
        grams=scaled.grams(),
        quadratic=y.quadratic_form()[0],
        linear=y.linear_form()[0],
        form_in_squares=y.form_in_squares()[0],
        polynomial=polynomial,
    )


def spectrum_of_cascade(cascade: Cascade) -> Spectrum:
    """Spectrum of a small folded target, from nothing but its weights."""
    squares = list(cascade.squares())
    outputs = [
        mapped(squares[level - 1], a[None, :]).hermite() for level, a in sorted(cascade.outputs.items())
    ]
    return spectrum_of(cascade, stacked(outputs), np.ones(len(outputs)), squares)
