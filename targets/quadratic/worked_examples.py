"""The two worked examples of the talk on backward feature correction."""

from __future__ import annotations

import abc
import dataclasses
import functools

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, flag, integer, scale
from hierbench.errors import refusal
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped
from hierbench.targets.base import Certificate, Estimate, Size
from hierbench.targets.certificates.certify import certify, condition_numbers, sampled_scale
from hierbench.targets.certificates.contamination import subspace_sine
from hierbench.targets.certificates.spectrum import Spectrum, spectrum_of
from hierbench.targets.laws.padded_rows import CHUNK
from hierbench.targets.laws.weights import haar, stream
from hierbench.targets.quadratic.cascade import Cascade
from hierbench.targets.quadratic.hierarchy import CascadeTarget, cascade_model
from hierbench.targets.quadratic.normalise import Blueprint


@dataclasses.dataclass(frozen=True)
class _WorkedExample(CascadeTarget):
    d: int
    """input dimension, at least 2 (the second example: 4); at least 3 on the sphere"""
    seed: int
    """of the rotation"""
    a: float = 0.1
    """weight of the second level, > 0"""
    rotated: bool = False
    """apply a random orthogonal matrix to x first"""
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("d", integer("d", self.d, self._minimum_d(), LARGEST_DIMENSION))
        set_("seed", integer("seed", self.seed, 0))
        set_("a", scale("a", self.a, zero=False))
        flag("rotated", self.rotated)
        if self.law.name == "sphere" and self.d < 3:  # the law refuses itself where it is unsuitable
            remedy = "on the circle x_1^2 + x_2^2 is constant"
            raise ValueError(refusal("d", self.d, "integers from 3 on the sphere", remedy))

    @property
    def degree(self) -> int:
        return 4

    @property
    def size(self) -> Size:
        d = self.d
        of_law = 0 if self.law.isotropic else 3 * d * d
        drawn = 4 * d * self._minimum_d() + CHUNK * d + of_law
        return Size(drawn, drawn + 6 * d * d, 30.0 * d**3)

    @abc.abstractmethod
    def _minimum_d(self) -> int: ...

    @property
    @abc.abstractmethod
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j} of s_l = sum_j W_{l,j} s_j^2, the squares left raw; W_{l,0} acts on x."""

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """Rows x_1, x_2, ... that the formula speaks of, orthonormal; shape (2 or 4, d)."""
        m = self._minimum_d()
        return haar(self.d, m, stream(self.seed, 1, 0)).T if self.rotated else np.eye(m, self.d)

    @functools.cached_property
    def raw(self) -> Cascade:
        """G itself, before its mean is taken off and its variance divided out."""
        weights = {
            (level, j): np.round(w @ self.directions.T, 12) if j == 0 else w
            for (level, j), w in self.weight_matrices.items()
        }
        outputs = {1: np.ones(2), 2: np.full(2, self.a)}
        return Cascade(self._minimum_d(), 2, self.directions, weights, {}, outputs, 0.0)

    @functools.cached_property
    def blueprint(self) -> Blueprint:
        """Weights and law, for what certificates ask; the levels are not normalised here."""
        alphas = {1: 1.0, 2: self.a}
        return Blueprint(self.directions, self.law.reduce(self.directions), 2, self.raw.weights, alphas)

    @functools.cached_property
    def _polynomials(self) -> tuple[Polynomial, ...]:
        z = Polynomial.linear(self.blueprint.reduction.matrix)
        return (z, *self.raw.squares(z))

    @functools.cached_property
    def _raw_spectrum(self) -> Spectrum | None:
        try:
            outputs = [mapped(self._polynomials[i], a[None, :]) for i, a in self.raw.outputs.items()]
            return spectrum_of((1, 2), outputs, self.blueprint.reduction.measure)
        except TooManyTermsError:
            return None

    @functools.cached_property
    def _affine(self) -> tuple[float, float]:
        """Mean and standard deviation of G."""
        if self._raw_spectrum is not None:
            return self._raw_spectrum.mean, float(np.sqrt(self._raw_spectrum.covariance.sum()))
        mean, sd = sampled_scale(cascade_model(self.raw, self.blueprint, 4))
        return mean.value, sd.value

    @functools.cached_property
    def cascade(self) -> Cascade:
        mean, sd = self._affine
        outputs = {level: output / sd for level, output in self.raw.outputs.items()}
        return dataclasses.replace(self.raw, outputs=outputs, intercept=-mean / sd)

    @functools.cached_property
    def _certificate(self) -> Certificate:
        mean, sd = self._affine
        model = cascade_model(self.cascade, self.blueprint, 4)
        spectrum = None if self._raw_spectrum is None else self._raw_spectrum.scaled(1 / sd, -mean / sd)
        n_parameters = sum(w.size for w in self.weight_matrices.values())
        certificate = certify(model, spectrum, n_parameters=n_parameters, law=self.law)
        contamination = {}
        if spectrum is not None:
            coordinates = self.blueprint.reduction.coordinates
            form = coordinates.T @ spectrum.quadratic @ coordinates
            contamination[1] = Estimate(subspace_sine(form, self.directions[:2], self.law.name == "sphere"))
        squares = self._square_sd()
        return dataclasses.replace(
            certificate,
            contamination=contamination,
            condition_numbers=condition_numbers(self.weight_matrices, {1: squares}),
        )

    def _square_sd(self) -> np.ndarray:
        """Deviations of the squares of the first level, which W_{2,1} acts on."""
        z = Polynomial.linear(self.blueprint.reduction.matrix[:2])
        series = self.blueprint.reduction.measure.expand(z.square())
        return np.sqrt(np.diag(series.gram()))


@dataclasses.dataclass(frozen=True)
class WorkedExample1(_WorkedExample):
    r"""Example (i): the first level alone is known up to a rotation only.

    ::

        G = x_1^2 + x_2^2 + a (x_1^4 + x_2^4),   y = (G - E G) / sd(G),   degree 4

    The first level may learn any rotation of (x_1, x_2), from which two features cannot
    rebuild x_1^4 + x_2^4: cured by over-parameterisation with Gaussian initialisation.
    Hidden features are s_1 = (x_1, x_2) and s_2 = s_1^2.

    Source: talk on Allen-Zhu & Li, arXiv 2001.04413.
    """

    def _minimum_d(self) -> int:
        return 2

    @property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j}, arrays of shape (k_l, k_j) by (l, j); W_{l,0} acts on x."""
        return {(1, 0): self.directions, (2, 1): np.eye(2)}


@dataclasses.dataclass(frozen=True)
class WorkedExample2(_WorkedExample):
    r"""Example (ii): the second level sees the first through a skip.

    ::

        G = x_1^2 + x_2^2 + a ((x_1^2 + x_3)^2 + (x_2^2 + x_4)^2),   y = (G - E G) / sd(G),   degree 4

    An illustration of over-fitting to higher-level signal. For Gaussian inputs the degree-2
    part of G is diagonal (1.6, 1.6, 0.1, 0.1 at a = 0.1), so that the first level is in fact
    not contaminated here. Hidden features are s_1 = (x_1, x_2) and s_2 = s_1^2 + (x_3, x_4).

    Source: talk on Allen-Zhu & Li, arXiv 2001.04413.
    """

    def _minimum_d(self) -> int:
        return 4

    @property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j}, arrays of shape (k_l, k_j) by (l, j); W_{l,0} acts on x."""
        return {(1, 0): self.directions[:2], (2, 0): self.directions[2:], (2, 1): np.eye(2)}
