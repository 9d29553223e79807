"""What the hierarchical families share: parameters and their checks, evaluation, certificate."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from hierbench.checks import LARGEST_DIMENSION, integer, is_real, one_of, real, scale
from hierbench.errors import refusal
from hierbench.targets.algebra.terms import MAX_ENTRIES, exponents_of_square
from hierbench.targets.base import Certificate, Estimate, Size
from hierbench.targets.certificates.certify import Model, certify, condition_numbers
from hierbench.targets.laws.sampling import BATCH
from hierbench.targets.polynomials.polynomial import (
    CHUNK,
    NUMBERS_AN_EXPONENT,
    OPERATIONS_AN_EXPONENT,
    SAMPLED_BATCHES,
    InputTarget,
)
from hierbench.targets.quadratic.cascade import Cascade
from hierbench.targets.quadratic.level_contamination import contaminations
from hierbench.targets.quadratic.normalise import (
    MONTE_CARLO_SAMPLES,
    Blueprint,
    Constants,
    Normalised,
    normalise,
)
from hierbench.targets.quadratic.weakest import weakest_share

MAX_DEPTH = 4
MAX_KAPPA = 1e6
WIRINGS = ("densenet", "resnet")
DEGREE_PRESERVING = {
    "hypercube": "x_i^2 = 1 there, so that squaring does not preserve degrees, which the class requires"
}
"""The law that the quadratic class refuses, and why."""


def skip_sets(skips: Any, depth: int, default_lowest: int) -> tuple[tuple[int, ...], ...]:
    """J_2, ..., J_L: the default {lowest..l-1} for None, else ``skips``."""
    if skips is None:
        return tuple(tuple(range(default_lowest, level)) for level in range(2, depth + 1))
    return tuple(tuple(j) for j in skips)


def checked_skips(skips: Any, depth: int) -> tuple[tuple[int, ...], ...] | None:
    """``skips`` as sorted tuples (None stays None); ValueError on a set that no target can have."""
    if skips is None:
        return None
    lists = isinstance(skips, (tuple, list)) and all(isinstance(j, (tuple, list)) for j in skips)
    if not lists or len(skips) != depth - 1:
        allowed = f"a list of depth - 1 = {depth - 1} lists of lower levels, or None"
        raise ValueError(refusal("skips", skips, allowed))
    for level, sources in enumerate(skips, start=2):
        good = all(isinstance(j, numbers.Integral) and not isinstance(j, bool) for j in sources)
        if not good or len(set(sources)) < len(sources) or not set(sources) <= set(range(level)):
            raise ValueError(refusal(f"skips J_{level}", sources, f"distinct levels of 0..{level - 1}"))
        if level - 1 not in sources:
            allowed, remedy = f"lists that contain {level - 1}", f"add {level - 1}, the level just below"
            raise ValueError(refusal(f"skips J_{level}", sources, allowed, remedy))
    return tuple(tuple(sorted(int(j) for j in sources)) for sources in skips)


class CascadeTarget(InputTarget):
    """A target that is a folded cascade; families say how it is built."""

    refused_inputs: ClassVar[Mapping[str, str]] = DEGREE_PRESERVING

    @property
    @abc.abstractmethod
    def cascade(self) -> Cascade:
        """The target with all constants folded in; built once, at first use."""

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        return self.cascade.evaluate(self._rows(X))

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Pre-activations s_1, ..., s_L, each of shape (n, k_l)."""
        return self.cascade.hidden_features(self._rows(X))

    def certificate(self) -> Certificate:
        """Moments, shares and condition numbers; computed once."""
        return self._certificate

    @functools.cached_property
    @abc.abstractmethod
    def _certificate(self) -> Certificate: ...


def cascade_model(cascade: Cascade, blueprint: Blueprint, degree: int) -> Model:
    """Label as a function of the coordinates whose law is known."""
    matrix = blueprint.reduction.matrix
    plain = matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix)))

    def outputs(W: np.ndarray) -> np.ndarray:
        return cascade.level_outputs(W if plain else W @ matrix.T)

    measure = blueprint.reduction.measure
    even = measure.symmetric and all(level == 1 or j > 0 for level, j in cascade.weights)
    return Model(measure, outputs, cascade.intercept, degree, tuple(sorted(cascade.outputs)), even)


@dataclasses.dataclass(frozen=True)
class Hierarchy(CascadeTarget):
    """Parameters of the two normalised variants; see ``Projected`` and ``Squares``."""

    d: int
    """input dimension; twice the width and more with skips at rho < 1; above the width on the sphere"""
    seed: int
    """of the weights. Equal seeds share lower levels at every depth"""
    depth: int = 2
    """L, 1 to 4 (squares: 2 to 4)"""
    width: int | str = 3
    """k, the nodes of a level, or 'sqrt' for ceil(sqrt(d))"""
    alpha: float | tuple[float, ...] = 0.5
    """information gap: weight of a level relative to the one below, > 0, or a list of weights"""
    rho: float = 0.5
    """obliqueness of the skips from x (squares: from the first level), in [0, 1]"""
    kappa: float = 1.0
    """conditioning: singular values of the weights lie in [1/kappa, kappa]"""
    skips: tuple[tuple[int, ...], ...] | None = None
    """J_2, ..., J_L, each containing l-1; None for {0..l-1} (squares: {1..l-1})"""
    wiring: str = "densenet"
    """densenet, or resnet: one residual stream that all levels read"""
    inputs: str = "gaussian"

    first_output: ClassVar[int]
    """l0, the lowest level that reaches y."""

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("d", integer("d", self.d, 1, LARGEST_DIMENSION))
        set_("seed", integer("seed", self.seed, 0))
        lowest = self.first_output
        set_("depth", integer("depth", self.depth, lowest))
        if self.depth > MAX_DEPTH:
            remedy = f"at degree 2^{self.depth} powers of the input leave float64"
            raise ValueError(refusal("depth", self.depth, f"integers from {lowest} to {MAX_DEPTH}", remedy))
        if self.width != "sqrt":
            if isinstance(self.width, str):
                raise ValueError(refusal("width", self.width, "integers from 1 and 'sqrt'"))
            set_("width", integer("width", self.width, 1))
        set_("alpha", self._checked_alpha())
        set_("rho", real("rho", self.rho, "a number in [0, 1]", is_real(self.rho) and 0 <= self.rho <= 1))
        good = is_real(self.kappa) and 1 <= self.kappa <= MAX_KAPPA
        set_("kappa", real("kappa", self.kappa, f"a number from 1 to {MAX_KAPPA:g}", good))
        set_("skips", checked_skips(self.skips, self.depth))
        one_of("wiring", self.wiring, WIRINGS)
        if self.wiring == "resnet" and self.skips is not None:
            allowed = "one value, None, with wiring = 'resnet'"
            raise ValueError(refusal("skips", self.skips, allowed, "the residual stream has no skip sets"))
        k = self.k
        if k > self.d:
            raise ValueError(refusal("width", k, f"integers up to d = {self.d}", "raise d or lower width"))
        if self._has_oblique_skips() and self.rho < 1 and self.d < 2 * k:
            allowed = f"integers from {2 * k}, twice the width, with skips at rho < 1"
            raise ValueError(refusal("d", self.d, allowed, "raise d, lower width or set rho = 1"))
        if self.law.name == "sphere" and k == self.d:  # the law refuses itself where it is unsuitable
            remedy = "there the squares of all coordinates sum to a constant; raise d or lower width"
            raise ValueError(refusal("width", k, f"integers up to d - 1 = {k - 1} on the sphere", remedy))

    def _checked_alpha(self) -> float | tuple[float, ...]:
        def positive(value: Any) -> float:
            return scale("alpha", value, zero=False)

        if not isinstance(self.alpha, (tuple, list)):
            return positive(self.alpha)
        wanted = self.depth - self.first_output
        if len(self.alpha) != wanted:
            levels = f"one for each level above {self.first_output}"
            raise ValueError(refusal("alpha", self.alpha, f"one number, or a list of {wanted}, {levels}"))
        return tuple(positive(value) for value in self.alpha)

    @property
    def alphas(self) -> dict[int, float]:
        """Weight of S_l in y before normalisation, by level; 1 for the lowest."""
        levels = range(self.first_output, self.depth + 1)
        if isinstance(self.alpha, tuple):
            return dict(zip(levels, (1.0, *self.alpha), strict=True))
        return {level: self.alpha ** (level - self.first_output) for level in levels}

    @property
    def k(self) -> int:
        """Width of the levels: ``width``, or ceil(sqrt(d)) where that is ``"sqrt"``."""
        return math.isqrt(self.d - 1) + 1 if isinstance(self.width, str) else self.width

    @property
    def degree(self) -> int:
        """Polynomial degree of the label."""
        return int(2**self.depth)

    @abc.abstractmethod
    def _has_oblique_skips(self) -> bool: ...

    @property
    @abc.abstractmethod
    def skip_sets(self) -> tuple[tuple[int, ...], ...]:
        """J_2, ..., J_L in force."""

    @functools.cached_property
    @abc.abstractmethod
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j}, acting on h_j, as arrays of shape (k_l, k_j), before any normalisation.

        W_{l,0} acts on x.
        """

    @property
    @abc.abstractmethod
    def n_coordinates(self) -> int:
        """Most linear forms of x that y depends on."""

    @property
    def size(self) -> Size:
        """Weights, basis and law of the forms; the certificate has forms of all of x besides."""
        d, m, k = self.d, self.n_coordinates, self.k
        of_law = 0 if self.law.isotropic else 3 * d * d
        weights = self.depth * k * (m + self.depth * k)
        drawn = 3 * m * d + m * m + self.depth * k * d + weights + CHUNK * (d + m) + of_law
        exponents = exponents_of_square(m)
        # The first level that algebra does not reach is sampled, with second moments of all its squares.
        width = d if exponents == MAX_ENTRIES else k
        certificate = 6 * d * d + SAMPLED_BATCHES * BATCH * m + NUMBERS_AN_EXPONENT * exponents
        sampled = 2.0 * MONTE_CARLO_SAMPLES * (weights + width**2)
        return Size(
            drawn,
            drawn + certificate + MONTE_CARLO_SAMPLES / BATCH * width**2,
            30.0 * d**3 + sampled + OPERATIONS_AN_EXPONENT * exponents,
        )

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Entries of the weight matrices, before any symmetry is divided out."""

    @functools.cached_property
    @abc.abstractmethod
    def blueprint(self) -> Blueprint:
        """The target before its constants are known."""

    @functools.cached_property
    def _normalised(self) -> Normalised:
        return normalise(self.blueprint)

    @property
    def cascade(self) -> Cascade:
        """Cascade of the label, with all constants folded in."""
        return self._normalised.cascade

    @property
    def constants(self) -> Constants:
        """Means, standard deviations and c of the normalisation, with their standard errors."""
        return self._normalised.constants

    @property
    def sd(self) -> dict[int, np.ndarray]:
        """sd(s_l^2) of the nodes of each level, by level."""
        return {level: np.array([e.value for e in c.sd]) for level, c in self.constants.levels.items()}

    @functools.cached_property
    def _certificate(self) -> Certificate:
        model = cascade_model(self.cascade, self.blueprint, self.degree)
        certificate = certify(model, self._normalised.spectrum, n_parameters=self.n_parameters, law=self.law)
        return dataclasses.replace(
            certificate,
            contamination=contaminations(self.blueprint, self._normalised),
            condition_numbers=condition_numbers(self.weight_matrices, self.sd),
            weakest_share=self._weakest_share(),
        )

    def _weakest_share(self) -> Estimate:
        def label(cascade: Cascade) -> Callable[[np.ndarray], np.ndarray]:
            return cascade_model(cascade, self.blueprint, self.degree).label

        means = {n: np.array([e.value for e in c.mean]) for n, c in self.constants.levels.items()}
        measure = self.blueprint.reduction.measure
        return weakest_share(self.cascade, self.weight_matrices, means, measure, label)
