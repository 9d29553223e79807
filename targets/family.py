"""What the hierarchical families share: parameters and their checks, evaluation, certificate."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
import numbers
from typing import Any

import numpy as np

from targets.base import Certificate, Target
from targets.cascade import Cascade
from targets.checks import integer, is_real, real
from targets.normalise import Blueprint, Constants, Normalised, normalise

MAX_DEGREE = 16


def skip_sets(given: Any, depth: int, default_lowest: int) -> tuple[tuple[int, ...], ...]:
    """J_2, ..., J_L: the default {lowest..l-1} for None, else ``given``."""
    if given is None:
        return tuple(tuple(range(default_lowest, level)) for level in range(2, depth + 1))
    return tuple(tuple(j) for j in given)


def checked_skips(given: Any, depth: int) -> tuple[tuple[int, ...], ...] | None:
    """``given`` as sorted tuples (None stays None); ValueError on a set that no target can have."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or not all(isinstance(j, (tuple, list)) for j in given):
        raise ValueError(
            f"skips = {given!r}: allowed is None or one list of lower levels for each of 2..{depth}"
        )
    if len(given) != depth - 1:
        raise ValueError(f"skips has {len(given)} sets: depth {depth} needs {depth - 1}, J_2 to J_{depth}")
    for level, sources in enumerate(given, start=2):
        good = all(isinstance(j, numbers.Integral) and not isinstance(j, bool) for j in sources)
        if not good or len(set(sources)) < len(sources) or not set(sources) <= set(range(level)):
            raise ValueError(
                f"skips J_{level} = {list(sources)}: allowed are distinct levels of 0..{level - 1}"
            )
        if level - 1 not in sources:
            raise ValueError(f"skips J_{level} = {list(sources)}: add {level - 1}, the level just below")
    return tuple(tuple(sorted(int(j) for j in sources)) for sources in given)


class CascadeTarget(Target):
    """A target that is a folded cascade; families say how it is built."""

    @property
    @abc.abstractmethod
    def cascade(self) -> Cascade:
        """The target with all constants folded in; built once, at first use."""

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Standard Gaussian inputs, shape (n, d), drawn row by row."""
        return rng.standard_normal((n, self.d))

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        return self.cascade.evaluate(self._rows(X))

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """True pre-activations s_1, ..., s_L, each of shape (n, k_l)."""
        return self.cascade.hidden_features(self._rows(X))

    def certificate(self) -> Certificate:
        """Moments, shares and condition numbers; computed once."""
        return self._certificate

    @functools.cached_property
    @abc.abstractmethod
    def _certificate(self) -> Certificate: ...

    def _rows(self, X: np.ndarray) -> np.ndarray:
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.d:
            raise ValueError(f"inputs of shape {X.shape}: this target needs (n, {self.d})")
        return X


@dataclasses.dataclass(frozen=True)
class Hierarchy(CascadeTarget):
    """Parameters of the two normalised variants; see ``Projected`` and ``Squares``."""

    d: int
    seed: int
    depth: int = 2
    width: int | str = 3
    alpha: float = 0.5
    rho: float = 0.5
    kappa: float = 1.0
    skips: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("d", integer("d", self.d, 1))
        set_("seed", integer("seed", self.seed, 0))
        lowest = self._minimum_depth()
        set_("depth", integer("depth", self.depth, lowest))
        if self.degree > MAX_DEGREE:
            raise ValueError(f"depth = {self.depth} (degree {self.degree}): allowed are depths {lowest} to 4")
        if self.width != "sqrt":
            if isinstance(self.width, str):
                raise ValueError(f"width = {self.width!r}: allowed are integers from 1 and 'sqrt'")
            set_("width", integer("width", self.width, 1))
        set_("alpha", real("alpha", self.alpha, "a number > 0", is_real(self.alpha) and self.alpha > 0))
        set_("rho", real("rho", self.rho, "a number in [0, 1]", is_real(self.rho) and 0 <= self.rho <= 1))
        set_("kappa", real("kappa", self.kappa, "a number >= 1", is_real(self.kappa) and self.kappa >= 1))
        set_("skips", checked_skips(self.skips, self.depth))
        k = self.k
        if k > self.d:
            raise ValueError(f"width = {k} with d = {self.d}: width may be at most d; raise d or lower width")
        if self._has_oblique_skips() and self.rho < 1 and self.d < 2 * k:
            raise ValueError(
                f"d = {self.d} with width {k}: skips at rho < 1 need d >= {2 * k} (twice the width); "
                f"raise d, lower width or set rho = 1"
            )

    @property
    def k(self) -> int:
        """Width of the levels: ``width``, or ceil(sqrt(d)) where that is ``"sqrt"``."""
        return math.isqrt(self.d - 1) + 1 if isinstance(self.width, str) else self.width

    @property
    def degree(self) -> int:
        return int(2**self.depth)

    @abc.abstractmethod
    def _minimum_depth(self) -> int: ...

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

    @abc.abstractmethod
    def _blueprint(self) -> Blueprint: ...

    @functools.cached_property
    def _normalised(self) -> Normalised:
        return normalise(self._blueprint())

    @property
    def cascade(self) -> Cascade:
        return self._normalised.cascade

    @property
    def constants(self) -> Constants:
        """Means, standard deviations and c of the normalisation, with their standard errors."""
        return self._normalised.constants

    @property
    def sd(self) -> dict[int, np.ndarray]:
        """sd(s_l^2) of the nodes of each level, by level."""
        return {level: np.array([e.value for e in c.sd]) for level, c in self.constants.levels.items()}

    @property
    def n_parameters(self) -> int:
        """Entries of the weight matrices, before any symmetry is divided out."""
        return sum(w.size for w in self.weight_matrices.values())
