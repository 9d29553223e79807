"""Targets that are polynomials of a few linear forms of the input: what their families share."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, integer
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, exponents_of_square
from hierbench.targets.base import Certificate, Estimate, Size, Target, rows_of
from hierbench.targets.certificates.certify import SCALE_SAMPLES, Model, certify, sampled_scale
from hierbench.targets.certificates.spectrum import Spectrum, spectrum_of
from hierbench.targets.laws.inputs import InputLaw, Reduction, input_law
from hierbench.targets.laws.padded_rows import CHUNK, padded_chunks
from hierbench.targets.laws.sampling import BATCH

SAMPLED_BATCHES = 4
"""Batches of a law that are held at a time while moments are sampled."""
NUMBERS_AN_EXPONENT, OPERATIONS_AN_EXPONENT = 2.0, 3e3
"""What algebra takes for each exponent of its largest product; measured."""
OPERATIONS_A_FORM = 1e3
"""What a sampled point takes for each linear form; measured."""


class InputTarget(Target):
    """A target whose inputs follow one of the laws of ``hierbench.targets.laws.inputs``.

    Families declare a field ``inputs: str = "gaussian"`` and the laws that they refuse.
    """

    refused_inputs: ClassVar[Mapping[str, str]] = {}
    """Laws that the family does not admit, and why; the registry shows the same."""

    inputs: str
    """law of x: gaussian[:condition=10], mixture[:separation=0.8,weight=0.5], cube, sphere, hypercube"""

    @functools.cached_property
    def law(self) -> InputLaw:
        """Law of the inputs. Raises ValueError on one that is unknown or refused."""
        return input_law(self.inputs, self.d, self.seed, self.refused_inputs)

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs of the law, shape (n, d), drawn row by row."""
        return self.law.sample(n, rng)

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw ``(X, y, weights)`` to measure errors on: inputs of the law, spread for the degree."""
        (spreading,) = rng.spawn(1)
        X, weights = self.law.spread(self.sample_inputs(n, rng), self.degree, spreading)
        return X, self.evaluate(X), weights

    def _rows(self, X: np.ndarray) -> np.ndarray:
        return rows_of(X, self.d)


class PolynomialTarget(InputTarget):
    """y = (sum_l g_l(t) - mean) / sd, with g_l polynomials of the linear forms t = directions x.

    A family gives ``degree``, ``directions``, ``terms`` and, the same in polynomial algebra,
    ``term_polynomials`` (a test holds the two to each other), ``features`` and
    ``n_parameters``. Mean, standard deviation and certificate follow: exactly where the algebra
    reaches, else from fixed-seed samples with their standard error.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "d", integer("d", self.d, 1, LARGEST_DIMENSION))
        object.__setattr__(self, "seed", integer("seed", self.seed, 0))
        self.law  # noqa: B018  refuses an unsuitable law at once

    @property
    def term_levels(self) -> tuple[int, ...]:
        """The level that each term belongs to."""
        return (1,)

    @property
    @abc.abstractmethod
    def directions(self) -> np.ndarray:
        """Rows of the linear forms t, shape (q, d)."""

    @property
    @abc.abstractmethod
    def n_forms(self) -> int:
        """q, known before the directions are drawn."""

    @property
    def size(self) -> Size:
        """Directions and their reduction, a chunk of rows, a batch of samples, the algebra of the forms."""
        q, d = self.n_forms, self.d
        of_law = 0 if self.law.isotropic else 3 * d * d
        exponents = exponents_of_square(q)
        drawn = 2 * q * d + q * q + CHUNK * (d + q) + of_law
        return Size(
            drawn,
            drawn + SAMPLED_BATCHES * BATCH * q + NUMBERS_AN_EXPONENT * exponents,
            10.0 * (q * q * d + of_law * d)
            + OPERATIONS_A_FORM * SCALE_SAMPLES * q
            + OPERATIONS_AN_EXPONENT * exponents,
        )

    @abc.abstractmethod
    def terms(self, T: np.ndarray) -> list[np.ndarray]:
        """g_1, ..., g_L at the rows of T, shapes (n, q) -> L arrays (n,)."""

    @abc.abstractmethod
    def term_polynomials(self, t: Polynomial) -> list[Polynomial]:
        """g_1, ..., g_L, each one function, from the q linear forms t as polynomials.

        Raises
        ------
        TooManyTermsError
            Past the reach of the algebra.
        """

    @abc.abstractmethod
    def features(self, T: np.ndarray) -> list[np.ndarray]:
        """Features level by level at the rows of T, shapes (n, q) -> arrays (n, k_l)."""

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Free parameters of the function, before any symmetry is divided out."""

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,), in memory bounded by the chunk."""
        X = self._rows(X)
        intercept, scale = self._affine
        y = np.empty(len(X))
        for rows, block in padded_chunks(X):
            total = np.sum(self.terms(self._forms(block)), axis=0)
            y[rows] = intercept + scale * total[: rows.stop - rows.start]
        return y

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Features level by level, each of shape (n, k_l)."""
        X = self._rows(X)
        parts = [self.features(self._forms(block)) for _, block in padded_chunks(X)]
        return [np.concatenate(level)[: len(X)] for level in zip(*parts, strict=True)]

    def _forms(self, X: np.ndarray) -> np.ndarray:
        """Forms t at a block of ``CHUNK`` rows."""
        return np.asarray(X @ self.directions.T)

    def certificate(self) -> Certificate:
        """Moments and shares; computed once."""
        return self._certificate

    @functools.cached_property
    def _reduction(self) -> Reduction:
        return self.law.reduce(self.directions)

    @functools.cached_property
    def _raw(self) -> Spectrum | None:
        """Spectrum of the raw sum of terms, None past the reach of the algebra."""
        reduction = self._reduction
        try:
            terms = self.term_polynomials(Polynomial.linear(reduction.matrix))
            return spectrum_of(self.term_levels, terms, reduction.measure)
        except TooManyTermsError:
            return None

    @functools.cached_property
    def _moments(self) -> tuple[Estimate, Estimate]:
        """Mean and standard deviation of the raw sum of terms; part of the target."""
        if self._raw is not None:
            return Estimate(self._raw.mean), Estimate(float(np.sqrt(self._raw.covariance.sum())))
        return sampled_scale(self._model(0.0, 1.0))

    @property
    def _affine(self) -> tuple[float, float]:
        mean, sd = self._moments
        return -mean.value / sd.value, 1.0 / sd.value

    def _model(self, intercept: float, scale: float) -> Model:
        reduction = self._reduction

        def outputs(W: np.ndarray) -> np.ndarray:
            return scale * np.stack(self.terms(W @ reduction.matrix.T), axis=1)

        return Model(reduction.measure, outputs, intercept, self.degree, self.term_levels)

    @functools.cached_property
    def _certificate(self) -> Certificate:
        intercept, scale = self._affine
        spectrum = None if self._raw is None else self._raw.scaled(scale, intercept)
        certificate = certify(
            self._model(intercept, scale), spectrum, n_parameters=self.n_parameters, law=self.law
        )
        return dataclasses.replace(certificate, condition_numbers=self.condition_numbers)

    @property
    def condition_numbers(self) -> Mapping[str, tuple[float, float]]:
        """Of the weight matrices, where the family has any."""
        return {}
