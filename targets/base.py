"""The contract of a target and of its certificate."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

EPS_REL_MINIMUM_SHARE = 1e-3
"""Below this share of variance above half the top degree, eps_rel is undefined."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its standard error; ``stderr == 0`` means exact up to rounding."""

    value: float
    stderr: float = 0.0

    @property
    def exact(self) -> bool:
        return self.stderr == 0.0


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What is known about one target, independent of any learner.

    All shares refer to the noise-free label, normalised to variance 1.

    Attributes
    ----------
    degree : int
        Degree of the polynomial.
    n_parameters : int
        Free parameters of the target function: the entries of its weight matrices and
        of the rotation (d(d-1)/2), before any symmetry is divided out.
    method : str
        ``"exact"`` or ``"monte-carlo"`` for the moments below.
    mean, variance, kurtosis : Estimate
        Of the label. Kurtosis is E y^4 / (E y^2)^2 (3 for a Gaussian).
    degree_share : mapping int -> Estimate
        Share of Var y carried by each Hermite degree >= 1; sums to 1.
    level_share : mapping int -> Estimate
        Cov(alpha^(l-l0) S_l / c, y) for each level; sums to 1, may be negative.
    level_covariance : tuple of tuples of float
        Correlation matrix of the unit-variance S_l, rows and columns in level order.
    contamination : mapping int -> Estimate
        For each lower level, the sine between the true feature space and the one that is
        best, in the population, for y alone (root mean square over principal angles).
    condition_numbers : mapping str -> tuple (before, after)
        Of every weight matrix, before and after the normalisation of its inputs.
    """

    degree: int
    n_parameters: int
    method: str
    mean: Estimate
    variance: Estimate
    kurtosis: Estimate
    degree_share: Mapping[int, Estimate]
    level_share: Mapping[int, Estimate]
    level_covariance: tuple[tuple[float, ...], ...]
    contamination: Mapping[int, Estimate]
    condition_numbers: Mapping[str, tuple[float, float]]

    def share_above(self, degree: int) -> float:
        """Share of variance in Hermite degrees strictly above ``degree``."""
        return math.fsum(e.value for p, e in self.degree_share.items() if p > degree)

    def top_half_share(self) -> float | None:
        """Share of variance above half the top degree: what eps_rel divides the MSE by.

        None where it is under ``EPS_REL_MINIMUM_SHARE``.
        """
        share = self.share_above(self.degree // 2)
        return share if share >= EPS_REL_MINIMUM_SHARE else None

    def degree_needed(self, epsilon: float) -> int:
        """Smallest p such that the best degree-p approximation has relative MSE <= epsilon."""
        return next(p for p in range(self.degree + 1) if self.share_above(p) <= epsilon)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the store; ``from_json`` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        def estimates(m: Mapping[str, Any]) -> dict[int, Estimate]:
            return {int(k): Estimate(**v) for k, v in m.items()}

        plain = dict(data)
        for name in ("mean", "variance", "kurtosis"):
            plain[name] = Estimate(**plain[name])
        for name in ("degree_share", "level_share", "contamination"):
            plain[name] = estimates(plain[name])
        plain["level_covariance"] = tuple(tuple(row) for row in plain["level_covariance"])
        plain["condition_numbers"] = {k: (v[0], v[1]) for k, v in plain["condition_numbers"].items()}
        return cls(**plain)


class Target(abc.ABC):
    """One drawn target function of a family: mean 0, variance 1 under its input law.

    A family is a frozen dataclass deriving from this, whose fields after ``d`` and ``seed``
    are the family's parameters; its ``__post_init__`` raises ``ValueError`` with one clear
    line (what was given, what is allowed) on inconsistent parameters. Building a target is
    deterministic in its fields.
    """

    d: int
    seed: int

    @property
    @abc.abstractmethod
    def degree(self) -> int:
        """Polynomial degree."""

    @abc.abstractmethod
    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs, float64 of shape (n, d)."""

    @abc.abstractmethod
    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, float64 of shape (n,)."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``(X, y)`` of shapes (n, d) and (n,).

        Rows are independent and drawn in order: the first m rows of a longer sample from an
        equal generator are the sample of length m (training sets are nested).
        """
        X = self.sample_inputs(n, rng)
        return X, self.evaluate(X)

    @abc.abstractmethod
    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """True pre-activations s_1, ..., s_L, each of shape (n, k_l)."""

    @abc.abstractmethod
    def certificate(self) -> Certificate:
        """Moments, shares and condition numbers of this target."""
