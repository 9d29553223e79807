"""An agnostic remainder: a part of the label that no hierarchy of the target's degree has."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from hierbench.checks import is_real, real
from hierbench.errors import refusal
from hierbench.targets.algebra.orthogonal import HERMITE, LEGENDRE, MAX_DEGREE
from hierbench.targets.base import Certificate, Estimate
from hierbench.targets.laws.inputs import Cube, Gaussian, Hypercube, Mixture
from hierbench.targets.laws.padded_rows import padded_chunks
from hierbench.targets.laws.weights import haar, identity_rows, stream
from hierbench.targets.modifiers.ridge import ridge
from hierbench.targets.modifiers.wrapper import Wrapper, require_real, sampled_kurtosis

_STREAM, _KURTOSIS = 2000, 212


@dataclasses.dataclass(frozen=True)
class WithRemainder(Wrapper):
    r"""A share tau of the variance is orthogonal to all polynomials of the target's degree D.

    ::

        y = sqrt(1 - tau) G(x) + sqrt(tau) R(x),   E R = 0, E R^2 = 1, E R q = 0 for deg q <= D

    R is one orthonormal polynomial of degree D + 1, in a random direction where the law has
    one to offer: Hermite on Gaussian inputs (whitened), a zonal harmonic on the sphere,
    Legendre in one coordinate of the cube, Hermite orthogonally to the line that joins the
    means of a mixture, a parity of D + 1 coordinates on the hypercube. The degree stays D: a
    learner of that degree is left with an error of tau. The kurtosis is by Monte Carlo.

    Source: agnostic setting of Allen-Zhu & Li, arXiv 2001.04413.

    Parameters
    ----------
    base : Target
        With real labels and inputs of a law of ``hierbench.targets.laws.inputs``.
    remainder : float
        tau, in [0, 1).

    Raises
    ------
    ValueError
        Where there is no such polynomial, or the labels are classes.
    """

    remainder: float

    def __post_init__(self) -> None:
        tau = self.remainder
        tau = real("remainder", tau, "a number in [0, 1)", is_real(tau) and 0 <= tau < 1)
        object.__setattr__(self, "remainder", tau)
        require_real(self.base, "remainder", tau)
        if self.law is None:
            remedy = "its inputs follow a law of their own"
            raise ValueError(refusal("remainder", tau, "one value, 0, for this family", remedy))
        room = {"sphere": 2, "mixture": 2, "hypercube": self.degree + 1}.get(self.law.name, 1)
        if self.d < room:
            allowed = f"integers from {room} with a remainder on inputs = {self.law.name!r}"
            raise ValueError(refusal("d", self.d, allowed, f"its degree is {self.degree + 1}"))
        if self.degree + 1 > MAX_DEGREE:
            allowed = f"integers up to {MAX_DEGREE}"
            raise ValueError(refusal("degree of the remainder", self.degree + 1, allowed))

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        return self._mixed(self.base.evaluate(X), X)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a training sample ``(X, y)`` of shapes (n, d) and (n,)."""
        X, y = self.base.sample(n, rng)
        return X, self._mixed(y, X)

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a test sample ``(X, y)`` of shapes (n, d) and (n,), labels without noise."""
        X, y = self.base.sample_test(n, rng)
        return X, self._mixed(y, X)

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw ``(X, y, weights)`` to measure errors on."""
        X, y, weights = self.base.importance_sample(n, rng)
        return X, self._mixed(y, X), weights

    def _mixed(self, y: np.ndarray, X: np.ndarray) -> np.ndarray:
        return math.sqrt(1.0 - self.remainder) * y + math.sqrt(self.remainder) * self.evaluate_remainder(X)

    def evaluate_remainder(self, X: np.ndarray) -> np.ndarray:
        """R at the rows of X, shapes (n, d) -> (n,)."""
        X = np.asarray(X, dtype=np.float64)
        R = np.empty(len(X))
        for part, block in padded_chunks(X):
            R[part] = self._of_forms(block @ self._forms.T)[: part.stop - part.start]
        return R

    @functools.cached_property
    def _forms(self) -> np.ndarray:
        """Linear forms that R depends on, shape (q, d)."""
        law, p, rng = self.law, self.degree + 1, stream(self.seed, _STREAM, 0)
        if isinstance(law, Hypercube):
            coordinates = np.sort(rng.choice(self.d, p, replace=False))
            return identity_rows(coordinates, self.d)
        if isinstance(law, Cube):
            return identity_rows([int(rng.integers(self.d))], self.d)
        direction = haar(self.d, 1, rng).T
        if isinstance(law, Mixture):
            for _ in range(2):  # twice is enough against rounding
                direction = direction - (direction @ law.direction) * law.direction
                direction /= np.linalg.norm(direction)
        if isinstance(law, Gaussian) and not law.isotropic:
            direction = direction @ law.root(-0.5)
        return direction

    def _of_forms(self, t: np.ndarray) -> np.ndarray:
        """R at the values of the linear forms, shapes (n, q) -> (n,)."""
        law, p = self.law, self.degree + 1
        assert law is not None
        if isinstance(law, Hypercube):
            return np.asarray(t.prod(axis=1))
        if isinstance(law, Cube):
            return np.asarray(LEGENDRE.values(t[:, 0], p)[p])
        if isinstance(law, Mixture):
            return np.asarray(HERMITE.values(t[:, 0], p)[p])
        return ridge(law, t[:, 0], p)

    def _modified(self, certificate: Certificate) -> Certificate:
        kept = 1.0 - self.remainder

        def scaled(e: Estimate, factor: float = kept) -> Estimate:
            return Estimate(factor * e.value, factor * e.stderr)

        shares = {p: scaled(e) for p, e in certificate.degree_share.items()}
        if shares:
            shares[self.degree + 1] = Estimate(self.remainder)
        return dataclasses.replace(
            certificate,
            weakest_share=certificate.weakest_share and scaled(certificate.weakest_share),
            mean=scaled(certificate.mean, math.sqrt(kept)),
            variance=Estimate(
                kept * certificate.variance.value + self.remainder, kept * certificate.variance.stderr
            ),
            kurtosis=sampled_kurtosis(self, _KURTOSIS),
            degree_share=shares,
            level_share={level: scaled(e) for level, e in certificate.level_share.items()},
        )
