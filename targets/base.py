"""The contract of a target and of its certificate."""

from __future__ import annotations

import abc
import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from hierbench.errors import refusal

LARGEST_TARGET = 2**26
"""Numbers that a drawn target may hold: 0.5 GiB in float64; drawing takes up to three times that."""
SMALLEST_SHARE = 1e-3
"""Below this share of variance above half the top degree, eps_rel is undefined."""
SMALLEST_DIRECTION = 1e-6
"""Below this share of variance of the weakest direction, eps_weak is undefined: float32 ends near there."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its standard error.

    ``stderr == 0`` means exact up to rounding, an infinite one that the number is unknown: ``value`` is
    then no more than that of the sample.
    """

    value: float
    stderr: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the number is exact up to rounding."""
        return self.stderr == 0.0

    @property
    def known(self) -> bool:
        """Whether the number has a finite standard error."""
        return math.isfinite(self.stderr)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What is known about one target, independent of any learner.

    All shares refer to the noise-free label, normalised to variance 1; of a classification
    target to the real function under the sign. The part of degree p of f is
    P_{<=p} f - P_{<=p-1} f, with P_{<=p} the projection on polynomials of degree p under the law
    of the inputs: its Hermite part for Gaussian inputs, a spherical harmonic on the sphere.

    Attributes
    ----------
    degree : int
        Degree of the hierarchy, which a learner may know. An agnostic remainder lies above it.
    n_parameters : int
        Free parameters of the target function: the entries of its weight matrices and
        of the rotation (d(d-1)/2), before any symmetry is divided out.
    method : str
        ``"exact"`` or ``"monte-carlo"`` for the moments below.
    mean, variance, kurtosis : Estimate
        Of the label. Kurtosis is E y^4 / (E y^2)^2 (3 for a Gaussian); unknown where the tails are too
        heavy for the samples.
    degree_share : mapping int -> Estimate
        Share of Var y carried by each degree >= 1; sums to 1. Empty where nothing is known: the
        label is no polynomial of low degree (the Random Hierarchy Model past enumeration), or
        tails too heavy for the samples (a standard error above 0.25).
    level_share : mapping int -> Estimate
        Cov(alpha^(l-l0) S_l / c, y) for each level; sums to 1 (1 - tau with an agnostic remainder),
        may be negative. Empty where the target has no levels.
    level_covariance : tuple of tuples of float
        Correlation matrix of the unit-variance S_l, rows and columns in level order.
    contamination : mapping int -> Estimate
        For each lower level, the sine between the true feature space and the one that is
        best, in the population, for y alone (root mean square over principal angles).
    condition_numbers : mapping str -> tuple (before, after)
        Of every weight matrix, before and after the normalisation of its inputs.
    inputs : str
        Law of the inputs, as the parameter of the family.
    rotation_invariant : bool
        Whether that law is invariant under rotations, so that the kernel floor is a theorem.
    bayes_error : Estimate
        Smallest error that any predictor can have on noisy labels: relative MSE, or the rate of
        misclassification. Errors of rows are measured against noise-free labels.
    classes : tuple of float
        Values of the label of a classification target, increasing; empty for regression.
    weakest_share : Estimate, optional
        Share of variance that is lost with the weakest direction of any weight matrix; None where the
        target has none.
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
    inputs: str = "gaussian"
    rotation_invariant: bool = True
    bayes_error: Estimate = Estimate(0.0)
    classes: tuple[float, ...] = ()
    weakest_share: Estimate | None = None

    def share_above(self, degree: int) -> float:
        """Share of variance in degrees strictly above ``degree``; ValueError where unknown."""
        if not self.degree_share:
            raise ValueError("this certificate has no shares of variance by degree")
        return math.fsum(e.value for p, e in self.degree_share.items() if p > degree)

    def top_half_share(self) -> float | None:
        """Share of variance above half the top degree: what eps_rel divides the MSE by.

        None where it is under ``SMALLEST_SHARE``, or unknown.
        """
        return self._share_above(self.degree // 2)

    def top_share(self) -> float | None:
        """Share of variance of the top degree: what eps_top divides the MSE by; None as for eps_rel."""
        share = self.degree_share.get(self.degree)
        return share.value if share and share.value >= SMALLEST_SHARE else None

    def weakest_direction_share(self) -> float | None:
        """Share of variance of the weakest direction: what eps_weak divides the MSE by.

        None where there is none, or it is under ``SMALLEST_DIRECTION``.
        """
        share = self.weakest_share.value if self.weakest_share else 0.0
        return share if share >= SMALLEST_DIRECTION else None

    def _share_above(self, degree: int) -> float | None:
        share = self.share_above(degree) if self.degree_share else 0.0
        return share if share >= SMALLEST_SHARE else None

    def degree_needed(self, epsilon: float) -> int | None:
        """Smallest p such that the best degree-p approximation has relative MSE <= epsilon.

        None where the shares are unknown.
        """
        if not self.degree_share:
            return None
        return next(p for p in range(max(self.degree_share) + 1) if self.share_above(p) <= epsilon)

    def kernel_floor(self, d: int) -> tuple[tuple[float, float], ...]:
        """Predicted error of a rotation-invariant kernel: the degree staircase.

        With d^k << n << d^(k+1) samples kernel ridge regression learns the part of degree <= k
        and nothing above (Ghorbani, Mei, Misiakiewicz & Montanari, Ann. Statist. 49, 2021;
        Mei, Misiakiewicz & Montanari, ACHA 59, 2022). Asymptotic in d: at finite d the steps are
        smooth, and sit near the dimension of the polynomials.

        Returns
        -------
        steps : tuple of (n, floor)
            From as many samples on as polynomials of degree k have dimensions
            (``polynomial_dimension``), k = 0, 1, ..., the error is at least the share of variance
            above degree k, up to the next step. Empty where the shares are unknown; up to the largest
            n that float64 holds.
        """
        if not self.degree_share:
            return ()
        steps = []
        for k in range(max(self.degree_share) + 1):
            n = polynomial_dimension(d, k, self.inputs)
            if n.bit_length() > sys.float_info.max_exp:
                break
            steps.append((float(n), self.share_above(k)))
        return tuple(steps)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the store; ``from_json`` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        """Certificate of the plain data of ``to_json``."""

        def estimates(m: Mapping[str, Any]) -> dict[int, Estimate]:
            return {int(k): Estimate(**v) for k, v in m.items()}

        plain = dict(data)
        for name in ("mean", "variance", "kurtosis", "bayes_error"):
            plain[name] = Estimate(**plain[name])
        for name in ("degree_share", "level_share", "contamination"):
            plain[name] = estimates(plain[name])
        plain["level_covariance"] = tuple(tuple(row) for row in plain["level_covariance"])
        plain["condition_numbers"] = {k: (v[0], v[1]) for k, v in plain["condition_numbers"].items()}
        plain["classes"] = tuple(plain["classes"])
        if plain.get("weakest_share"):
            plain["weakest_share"] = Estimate(**plain["weakest_share"])
        return cls(**plain)


def polynomial_dimension(d: int, degree: int, inputs: str = "gaussian") -> int:
    """Dimension of the polynomials of degree p = ``degree`` or less in d variables, on a law of inputs.

    C(d + p, p). On the sphere, where the squares of the coordinates have a constant sum, C(d + p - 1, p)
    + C(d + p - 2, p - 1): the harmonics of degree p, p - 1, ... On the hypercube, where each square is
    1, the sum of C(d, j) over j = 0, ..., p: the products of j coordinates.
    """
    if inputs == "sphere":
        return math.comb(d + degree - 1, degree) + (math.comb(d + degree - 2, degree - 1) if degree else 0)
    if inputs == "hypercube":
        return sum(math.comb(d, j) for j in range(degree + 1))
    return math.comb(d + degree, degree)


@dataclasses.dataclass(frozen=True)
class Size:
    """What a target takes, from its dimensions alone, before anything is drawn: upper bounds.

    Attributes
    ----------
    drawn : float
        Numbers in float64 that it holds once it is drawn, with what evaluating a chunk of rows takes.
    certificate : float
        Numbers that its certificate takes at a time.
    operations : float
        Floating-point operations of the certificate, were all that may be sampled sampled.
    """

    drawn: float
    certificate: float = 0.0
    operations: float = 0.0

    def __add__(self, other: Size) -> Size:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Size(*(a + b for a, b in pairs))


def rows_of(X: np.ndarray, d: int) -> np.ndarray:
    """``X`` as float64 of shape (n, d).

    Raises
    ------
    ValueError
        On another shape.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != d:
        raise ValueError(refusal("X.shape", X.shape, f"a pair (n, {d})"))
    return X


class Target(abc.ABC):
    """One drawn target function: mean 0, variance 1 under its law of inputs.

    A family is a frozen dataclass deriving from this, whose fields after ``d`` and ``seed``
    are the family's parameters, each with a default and, below it, a string of one line that
    ``hierbench describe`` shows (``hierbench.targets.catalogue.spec`` reads both from the source). Its
    ``__post_init__`` raises ``ValueError`` with one clear line (what was given, what is allowed)
    on inconsistent parameters. Building a target is deterministic in its fields, and cheap:
    constants are computed at first use.
    """

    d: int
    seed: int

    @property
    @abc.abstractmethod
    def degree(self) -> int:
        """Polynomial degree of the hierarchy, which a learner may know."""

    @property
    def classes(self) -> tuple[float, ...]:
        """Values of the label, increasing, of a classification target; empty for regression."""
        return ()

    @property
    def nominal(self) -> bool:
        """Whether the classes have no order: a regressor is then given a score for each to fit."""
        return False

    @property
    def size(self) -> Size:
        """What it takes to draw and to certify; a family whose weights grow with d says how."""
        return Size(float(self.d), float(self.d))

    @abc.abstractmethod
    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs, float64 of shape (n, d)."""

    @abc.abstractmethod
    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, float64 of shape (n,)."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a training sample ``(X, y)`` of shapes (n, d) and (n,).

        Rows are independent and drawn in order: the first m rows of a longer sample from an
        equal generator are the sample of length m (training sets are nested). What needs more
        than one stream takes them from ``rng.spawn``.
        """
        X = self.sample_inputs(n, rng)
        return X, self.evaluate(X)

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``(X, y)`` to measure errors on: inputs of the same law, labels without noise."""
        X = self.sample_inputs(n, rng)
        return X, self.evaluate(X)

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw ``(X, y, weights)`` to measure errors on, as precisely as n points allow.

        The mean of weights * f(X, y) has the expectation that E f(X, y) has under ``sample_test``, for every
        f; where f is a squared error it scatters less. Weights are positive, of shape (n,), and by default 1.
        """
        X, y = self.sample_test(n, rng)
        return X, y, np.ones(n)

    @abc.abstractmethod
    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Features of the target level by level (of hierarchies s_1, ..., s_L), each of shape (n, k_l)."""

    @abc.abstractmethod
    def certificate(self) -> Certificate:
        """Moments, shares and condition numbers of this target."""
