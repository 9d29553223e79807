"""The laws that inputs are drawn from: mean 0, and covariance I but for a given condition number."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
from collections.abc import Mapping

import numpy as np

from hierbench.errors import refusal, unknown
from hierbench.targets.algebra.orthogonal import HERMITE, LEGENDRE, TWO_POINT, two_gaussians, two_points
from hierbench.targets.laws.measures import Measure, Product, Sphere
from hierbench.targets.laws.padded_rows import CHUNK, padded
from hierbench.targets.laws.weights import haar, identity_rows, stream

LAWS = ("gaussian", "mixture", "cube", "sphere", "hypercube")
_COVARIANCE, _DIRECTION = 1000, 1001  # streams of a target's seed, past those of any weight block


@dataclasses.dataclass(frozen=True, eq=False)
class Reduction:
    """q linear forms of x in as few coordinates w as their joint law allows.

    Attributes
    ----------
    matrix : array of shape (q, m)
        rows @ x = matrix @ w.
    coordinates : array of shape (m, d)
        w = coordinates @ x.
    measure : Measure
        Law of w.
    """

    matrix: np.ndarray
    coordinates: np.ndarray
    measure: Measure


@dataclasses.dataclass(frozen=True)
class InputLaw(abc.ABC):
    """Law of the inputs x in R^d of one target."""

    d: int

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """One of ``LAWS``."""

    @property
    def text(self) -> str:
        """The law as the parameter ``inputs`` of a family names it."""
        return self.name

    @property
    def isotropic(self) -> bool:
        """Whether the covariance is I."""
        return True

    @property
    def rotation_invariant(self) -> bool:
        """Whether rotating x leaves the law as it is."""
        return False

    @abc.abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""

    def spread(self, X: np.ndarray, degree: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Move rows of the law to where squares of degree-``degree`` functions have their mean.

        Returns
        -------
        X : array of shape (n, d)
        weights : array of shape (n,)
            Positive; the mean of weights * f(X) has the expectation E f(X) of the law for every f. But for
            the Gaussian, rows stay where they are, with weights of 1.
        """
        return X, np.ones(len(X))

    @abc.abstractmethod
    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows`` of shape (q, d)."""


@dataclasses.dataclass(frozen=True)
class Gaussian(InputLaw):
    """Centred Gaussian; eigenvalues of the covariance even in log, with mean 1.

    Eigenvectors are Haar, from the target's seed.
    """

    condition: float = 1.0
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the law, one of ``LAWS``."""
        return "gaussian"

    @property
    def text(self) -> str:
        """The law as the parameter ``inputs`` names it, with what differs from the default."""
        return "gaussian" if self.isotropic else f"gaussian:condition={self.condition:g}"

    @property
    def isotropic(self) -> bool:
        """Whether the covariance is I: at condition 1."""
        return self.condition == 1.0

    @property
    def rotation_invariant(self) -> bool:
        """Whether rotating x leaves the law as it is."""
        return self.isotropic

    @functools.cached_property
    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (d,), and eigenvectors as columns (d, d), of the covariance."""
        values = np.geomspace(1.0, 1.0 / self.condition, self.d) if self.d > 1 else np.ones(1)
        return values / values.mean(), haar(self.d, self.d, stream(self.seed, _COVARIANCE, 0))

    def root(self, power: float) -> np.ndarray:
        """Covariance to the ``power``, shape (d, d)."""
        values, vectors = self.eigen
        return np.asarray((vectors * values**power) @ vectors.T)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""
        X = rng.standard_normal((n, self.d))
        if not self.isotropic:
            root = self.root(0.5)
            for rows in _chunks(n):
                X[rows] = _padded_product(X[rows], root)
        return X

    def spread(self, X: np.ndarray, degree: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        r"""Make a defensive mixture of the law and of the law tilted in the radius.

        Half of the rows, chosen at random, get the density in proportion to :math:`|g|^{2p}` times that of
        the standard Gaussian g behind x, p the degree: :math:`|g|^2` is chi-squared with d + 2 p degrees of
        freedom, the direction stays. The square of a form of degree p has hardly any scatter from the radius
        there. Weights are at most 2, so that nothing is estimated much worse (Hesterberg, "Weighted average
        importance sampling and defensive mixture distributions", Technometrics 37, 1995).
        """
        choosing, stretching = rng.spawn(2)
        half, radius = self.d / 2, np.square(X).sum(axis=1)
        if not self.isotropic:
            whitening = self.root(-0.5)
            for rows in _chunks(len(X)):
                radius[rows] = np.square(_padded_product(X[rows], whitening)).sum(axis=1)
        tilted = choosing.random(len(X)) < 0.5
        moved = np.where(tilted, radius + stretching.chisquare(2 * degree, len(X)), radius)
        log_mean = degree * math.log(2.0) + math.lgamma(half + degree) - math.lgamma(half)
        weights = 2.0 / (1.0 + np.exp(degree * np.log(moved) - log_mean))
        return X * np.sqrt(moved / radius)[:, None], weights

    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows``, shape (q, d)."""
        if self.isotropic:
            matrix, coordinates = orthonormalised(rows)
            return Reduction(matrix, coordinates, Product((HERMITE,) * len(coordinates)))
        matrix, coordinates = orthonormalised(rows @ self.root(0.5))
        return Reduction(matrix, coordinates @ self.root(-0.5), Product((HERMITE,) * len(coordinates)))


@dataclasses.dataclass(frozen=True)
class Mixture(InputLaw):
    """Two Gaussians with common covariance, their means apart along a random direction u.

    x = m u + (I - separation^2 u u^T)^(1/2) g, m on two points with mean 0, variance
    separation^2 and P(upper) = weight: the whole has mean 0 and covariance I. Along u it is
    skewed unless weight = 1/2; orthogonally to u it is Gaussian.
    """

    separation: float = 0.8
    weight: float = 0.5
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the law, one of ``LAWS``."""
        return "mixture"

    @property
    def text(self) -> str:
        """The law as the parameter ``inputs`` names it, with what differs from the default."""
        return f"mixture:separation={self.separation:g},weight={self.weight:g}"

    @functools.cached_property
    def direction(self) -> np.ndarray:
        """u, shape (d,)."""
        return haar(self.d, 1, stream(self.seed, _DIRECTION, 0))[:, 0]

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""
        gaussian, component = rng.spawn(2)
        X = gaussian.standard_normal((n, self.d))
        upper, lower = two_points(self.separation, self.weight)
        u, shrink = self.direction, math.sqrt(1.0 - self.separation**2) - 1.0
        for rows in _chunks(n):
            along = _padded_product(X[rows], u[:, None])[:, 0]
            means = np.where(component.random(len(along)) < self.weight, upper, lower)
            X[rows] += (means + shrink * along)[:, None] * u
        return X

    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows``, shape (q, d)."""
        along = rows @ self.direction
        along = np.where(np.abs(along) < 1e-13 * np.linalg.norm(rows, axis=1), 0.0, along)
        across = rows - along[:, None] * self.direction
        matrix, coordinates = orthonormalised(across)
        factors = (HERMITE,) * len(coordinates)
        if along.any():
            matrix = np.concatenate([along[:, None], matrix], axis=1)
            coordinates = np.concatenate([self.direction[None, :], coordinates])
            factors = (two_gaussians(self.separation, self.weight), *factors)
        return Reduction(matrix, coordinates, Product(factors))


@dataclasses.dataclass(frozen=True)
class Cube(InputLaw):
    """Uniform on [-sqrt(3), sqrt(3)]^d: independent coordinates of variance 1."""

    @property
    def name(self) -> str:
        """Name of the law, one of ``LAWS``."""
        return "cube"

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""
        X = rng.random((n, self.d))
        X -= 0.5
        X *= 2.0 * math.sqrt(3.0)
        return X

    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows``, shape (q, d)."""
        used = np.flatnonzero(rows.any(axis=0))
        return Reduction(rows[:, used], identity_rows(used, self.d), Product((LEGENDRE,) * len(used)))


@dataclasses.dataclass(frozen=True)
class UniformSphere(InputLaw):
    """Uniform on the sphere of radius sqrt(d)."""

    @property
    def name(self) -> str:
        """Name of the law, one of ``LAWS``."""
        return "sphere"

    @property
    def rotation_invariant(self) -> bool:
        """Whether rotating x leaves the law as it is."""
        return True

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""
        X = rng.standard_normal((n, self.d))
        for rows in _chunks(n):
            X[rows] *= (math.sqrt(self.d) / np.sqrt(np.square(X[rows]).sum(axis=1)))[:, None]
        return X

    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows``, shape (q, d)."""
        matrix, coordinates = orthonormalised(rows)
        return Reduction(matrix, coordinates, Sphere(len(coordinates), self.d))


@dataclasses.dataclass(frozen=True)
class Hypercube(InputLaw):
    """Uniform on {-1, 1}^d."""

    @property
    def name(self) -> str:
        """Name of the law, one of ``LAWS``."""
        return "hypercube"

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs row by row, float64 of shape (n, d)."""
        X = rng.integers(0, 2, (n, self.d), dtype=np.int8).astype(np.float64)
        X *= 2.0
        X -= 1.0
        return X

    def reduce(self, rows: np.ndarray) -> Reduction:
        """Few coordinates for the linear forms ``rows``, shape (q, d)."""
        used = np.flatnonzero(rows.any(axis=0))
        return Reduction(rows[:, used], identity_rows(used, self.d), Product((TWO_POINT,) * len(used)))


def orthonormalised(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors C and V of rows = C V with V orthonormal, shapes (q, m) and (m, d), m the rank.

    Orthonormal rows come back as they are, so that sparse targets stay sparse. Else the
    first rows use the first coordinates only, as far as the rank allows.
    """
    gram = rows @ rows.T
    if np.abs(gram - np.eye(len(rows))).max(initial=0.0) < 1e-12:
        return np.eye(len(rows)), rows
    basis = np.empty((0, rows.shape[1]))
    scale = np.sqrt(np.diag(gram).max(initial=0.0))
    for row in rows:
        rest = row - (row @ basis.T) @ basis
        rest -= (rest @ basis.T) @ basis
        norm = np.linalg.norm(rest)
        if norm > 1e-10 * scale:
            basis = np.concatenate([basis, rest[None, :] / norm])
    matrix = rows @ basis.T
    return np.where(np.abs(matrix) < 1e-13 * scale, 0.0, matrix), basis


def input_law(text: str, d: int, seed: int, refused: Mapping[str, str] | None = None) -> InputLaw:
    """Law that a target's parameter ``inputs`` names.

    Parameters
    ----------
    text : str
        ``"gaussian"``, ``"gaussian:condition=10"``, ``"mixture:separation=0.8,weight=0.3"``,
        ``"cube"``, ``"sphere"`` or ``"hypercube"``.
    d, seed : int
    refused : mapping law name -> reason
        Laws that the family does not admit.

    Raises
    ------
    ValueError
        One line: what was given, what is allowed, why a law is refused.
    """
    refused = refused or {}
    name, _, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    if name not in LAWS or name in refused:
        allowed = ", ".join(law for law in LAWS if law not in refused)
        remedy = f"{name} is refused: {refused[name]}" if name in refused else ""
        raise ValueError(refusal("inputs", text, allowed, remedy))
    parameters = {"gaussian": ("condition",), "mixture": ("separation", "weight")}.get(name, ())
    values: dict[str, float] = {}
    for part in rest.split(",") if rest else []:
        key, _, value = (s.strip() for s in part.partition("="))
        if key not in parameters:
            raise ValueError(unknown(f"parameter of {name} inputs", key, parameters))
        try:
            values[key] = float(value)
        except ValueError:
            raise ValueError(refusal(f"{key} of {name} inputs", value, "a number")) from None
    if name == "gaussian":
        condition = values.get("condition", 1.0)
        if not 1.0 <= condition < 1e12:
            raise ValueError(refusal("condition of gaussian inputs", condition, "a number from 1 to 1e12"))
        return Gaussian(d, condition, seed) if condition > 1.0 else Gaussian(d)
    if name == "mixture":
        separation, weight = values.get("separation", 0.8), values.get("weight", 0.5)
        if not 0.0 < separation < 1.0:
            allowed = "a number in (0, 1), 1 being the variance along it"
            raise ValueError(refusal("separation of mixture inputs", separation, allowed))
        if not 0.01 <= weight <= 0.99:
            raise ValueError(refusal("weight of mixture inputs", weight, "a number in [0.01, 0.99]"))
        return Mixture(d, separation, weight, seed)
    if name == "cube":
        return Cube(d)
    return UniformSphere(d) if name == "sphere" else Hypercube(d)


def _chunks(n: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


def _padded_product(X: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.asarray((padded(X) @ matrix)[: len(X)])
