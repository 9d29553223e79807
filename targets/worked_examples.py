"""The two worked examples of the talk on backward feature correction."""

from __future__ import annotations

import abc
import dataclasses
import functools

import numpy as np

from targets.base import Certificate
from targets.cascade import Cascade
from targets.certify import certify
from targets.checks import flag, integer, is_real, real
from targets.family import CascadeTarget
from targets.spectrum import Spectrum, spectrum_of_cascade
from targets.weights import haar, stream


@dataclasses.dataclass(frozen=True)
class _WorkedExample(CascadeTarget):
    d: int
    seed: int
    a: float = 0.1
    rotated: bool = False

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("d", integer("d", self.d, self._minimum_d()))
        set_("seed", integer("seed", self.seed, 0))
        set_("a", real("a", self.a, "a number > 0", is_real(self.a) and self.a > 0))
        flag("rotated", self.rotated)

    @property
    def degree(self) -> int:
        return 4

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
    def cascade(self) -> Cascade:
        spectrum = spectrum_of_cascade(self.raw)
        sd = float(np.sqrt(spectrum.covariance.sum()))
        outputs = {level: output / sd for level, output in self.raw.outputs.items()}
        return dataclasses.replace(self.raw, outputs=outputs, intercept=-spectrum.mean / sd)

    @functools.cached_property
    def _certificate(self) -> Certificate:
        # Rows of W_1 are orthonormal: s_1^2 is chi-squared, with standard deviation sqrt(2).
        return certify(
            self.cascade,
            self._spectrum,
            degree=self.degree,
            n_parameters=sum(w.size for w in self.weight_matrices.values()),
            weights=self.weight_matrices,
            sd={1: np.full(2, np.sqrt(2.0))},
            lower=(1, self.raw.weights[1, 0]),
        )

    @property
    def _spectrum(self) -> Spectrum:
        return spectrum_of_cascade(self.cascade)


@dataclasses.dataclass(frozen=True)
class WorkedExample1(_WorkedExample):
    r"""Example (i): the first level alone is known up to a rotation only.

    ::

        G = x_1^2 + x_2^2 + a (x_1^4 + x_2^4),   y = (G - E G) / sd(G),   degree 4

    The first level may learn any rotation of (x_1, x_2), from which two features cannot
    rebuild x_1^4 + x_2^4: cured by over-parameterisation with Gaussian initialisation.
    Hidden features are s_1 = (x_1, x_2) and s_2 = s_1^2.

    Source: talk on Allen-Zhu & Li, arXiv 2001.04413. Inputs are standard Gaussian.

    Parameters
    ----------
    d : int
        Input dimension, at least 2.
    seed : int
        Of the rotation.
    a : float
        Weight of the second level, > 0.
    rotated : bool
        Whether a Haar orthogonal matrix is applied to x first.
    """

    def _minimum_d(self) -> int:
        return 2

    @property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        return {(1, 0): self.directions, (2, 1): np.eye(2)}


@dataclasses.dataclass(frozen=True)
class WorkedExample2(_WorkedExample):
    r"""Example (ii): the second level sees the first through a skip.

    ::

        G = x_1^2 + x_2^2 + a ((x_1^2 + x_3)^2 + (x_2^2 + x_4)^2),   y = (G - E G) / sd(G),   degree 4

    An illustration of over-fitting to higher-level signal. For Gaussian inputs the degree-2
    part of G is diagonal (1.6, 1.6, 0.1, 0.1 at a = 0.1), so that the first level is in fact
    not contaminated here. Hidden features are s_1 = (x_1, x_2) and s_2 = s_1^2 + (x_3, x_4).

    Source: talk on Allen-Zhu & Li, arXiv 2001.04413. Inputs are standard Gaussian.

    Parameters
    ----------
    d : int
        Input dimension, at least 4.
    seed : int
        Of the rotation.
    a : float
        Weight of the second level, > 0.
    rotated : bool
        Whether a Haar orthogonal matrix is applied to x first.
    """

    def _minimum_d(self) -> int:
        return 4

    @property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        return {(1, 0): self.directions[:2], (2, 0): self.directions[2:], (2, 1): np.eye(2)}
