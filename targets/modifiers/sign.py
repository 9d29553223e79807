"""Binary classification by the sign of a real target."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from scipy.special import ndtr

from hierbench.checks import scale
from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, rows_of
from hierbench.targets.laws.inputs import Gaussian
from hierbench.targets.laws.padded_rows import CHUNK
from hierbench.targets.laws.sampling import generator
from hierbench.targets.modifiers.wrapper import Wrapper, require_real, sampled

LEAST_ACCEPTED = 0.1
"""Smallest share of inputs that a margin may leave."""

_ACCEPTANCE, _MOMENTS, _ACCEPTANCE_SAMPLES = 214, 215, 2**14


@dataclasses.dataclass(frozen=True)
class Sign(Wrapper):
    r"""Label by which side of zero a real target, plus a small independent coordinate, lies on.

    ::

        z = offset x_0 + G(x_1, ..., x_{d-1}),   x_0 ~ N(0, 1),   y = sgn(z) in {-1, 1}

    Inputs with \|z\| < margin are rejected and drawn again. Noise acts inside the sign, on
    training labels only: y = sgn(z + noise e), e ~ N(0, 1); the Bayes error is then
    E Phi(-\|z\| / noise), by Monte Carlo. The certificate is that of G, except for the moments of
    the label (its kurtosis is 1, as y^2 = 1). Errors are rates of misclassification.

    Source: Allen-Zhu & Li, arXiv 2001.04413 (label); the margin is the usual one.

    Parameters
    ----------
    base : Target
        G, with real labels, in dimension d - 1.
    offset : float
        Scale of x_0, >= 0.
    margin : float
        >= 0; relative to G, which has variance 1.
    noise : float
        Standard deviation of the noise inside the sign, >= 0.

    Raises
    ------
    ValueError
        On labels that are classes already, and a margin that rejects more than 90 % of the
        inputs: at once where Chebyshev's inequality tells, else when inputs are first drawn.
    """

    offset: float = 0.1
    margin: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("offset", "margin", "noise"):
            object.__setattr__(self, name, scale(name, getattr(self, name), zero=True))
        require_real(self.base, "classify", True)
        most = math.sqrt((1.0 + self.offset**2) / LEAST_ACCEPTED)
        if self.margin > most:
            raise ValueError(self._too_wide(f"{most:.3g}, often less"))

    def _too_wide(self, most: str) -> str:
        remedy = f"it rejects more than {1 - LEAST_ACCEPTED:.0%} of the inputs"
        return refusal("margin", self.margin, f"a number up to {most}", remedy)

    @property
    def d(self) -> int:  # type: ignore[override]
        """That of ``base``, and x_0."""
        return self.base.d + 1

    @property
    def law(self) -> None:
        """None: x_0 is Gaussian whatever the law of the others, and a margin cuts inputs out."""
        return None

    @property
    def classes(self) -> tuple[float, ...]:
        """-1 and 1."""
        return (-1.0, 1.0)

    def score(self, X: np.ndarray) -> np.ndarray:
        """Score z at the rows of X, shapes (n, d) -> (n,)."""
        X = rows_of(X, self.d)
        return self.offset * X[:, 0] + self.base.evaluate(np.ascontiguousarray(X[:, 1:]))

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        return _sign(self.score(X))

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Those of G."""
        return self.base.hidden_features(np.ascontiguousarray(np.asarray(X)[:, 1:]))

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs of the law, shape (n, d)."""
        return self._draw(n, rng)[0]

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a training sample ``(X, y)`` of shapes (n, d) and (n,)."""
        X, z, e = self._draw(n, rng)
        return X, _sign(z + self.noise * e)

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a test sample ``(X, y)`` of shapes (n, d) and (n,), labels without noise."""
        X, z, _ = self._draw(n, rng)
        return X, _sign(z)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw inputs outside the margin, z there, and noise.

        Candidates come in chunks of one size, whatever n, so that samples are nested.
        """
        if self.margin > 0:
            self._accepted  # noqa: B018  refuses before it draws for ever
        below, first, noise = rng.spawn(3)
        X, z, e = np.empty((n, self.d)), np.empty(n), np.empty(n)
        filled = 0
        while filled < n:
            G_X, G = self.base.sample_test(CHUNK, below)
            x_0, more = first.standard_normal(CHUNK), noise.standard_normal(CHUNK)
            score = self.offset * x_0 + G
            kept = np.flatnonzero(np.abs(score) >= self.margin)[: n - filled]
            rows = slice(filled, filled + len(kept))
            X[rows, 0], X[rows, 1:], z[rows], e[rows] = x_0[kept], G_X[kept], score[kept], more[kept]
            filled += len(kept)
        return X, z, e

    @functools.cached_property
    def _accepted(self) -> float:
        """Share of inputs outside the margin, on a sample of fixed seed."""
        rng = generator(_ACCEPTANCE)
        G = self.base.sample_test(_ACCEPTANCE_SAMPLES, rng)[1]
        score = self.offset * rng.standard_normal(_ACCEPTANCE_SAMPLES) + G
        share = float((np.abs(score) >= self.margin).mean())
        if share < LEAST_ACCEPTED:
            most = float(np.quantile(np.abs(score), 1 - LEAST_ACCEPTED))
            raise ValueError(self._too_wide(f"about {most:.2g}"))
        return share

    def _modified(self, certificate: Certificate) -> Certificate:
        def moments(z: np.ndarray) -> np.ndarray:
            wrong = ndtr(-np.abs(z) / self.noise).mean() if self.noise > 0 else 0.0
            return np.array([_sign(z).mean(), wrong])

        mean, variance, bayes = sampled(
            lambda n, rng: self._draw(n, rng)[1],
            moments,
            lambda m: np.array([m[0], 1.0 - m[0] ** 2, m[1]]),
            self.d,
            _MOMENTS,
        )
        law = getattr(self.base, "law", None)
        return dataclasses.replace(
            certificate,
            mean=mean,
            variance=variance,
            kurtosis=Estimate(1.0),
            rotation_invariant=isinstance(law, Gaussian) and law.isotropic and self.margin == 0,
            bayes_error=bayes if self.noise > 0 else Estimate(0.0),
            classes=self.classes,
        )


def _sign(z: np.ndarray) -> np.ndarray:
    return np.where(z >= 0, 1.0, -1.0)
