"""Sums of chosen monomials: merged staircases and leap functions."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hierbench.checks import integer, is_real, scale
from hierbench.errors import refusal
from hierbench.targets.laws.weights import identity_rows
from hierbench.targets.polynomials.monomials import Monomial, MonomialTarget, leap_levels, leap_of

MAX_POWER = 16
"""Of a Hermite factor: the square of the label stays in reach of the expansions."""


@dataclasses.dataclass(frozen=True)
class MergedStaircase(MonomialTarget):
    r"""Weighted sum of monomials, given by the coordinates that each multiplies.

    ::

        y ~ sum_i w_i chi_i,   chi_i = prod_{j in S_i} x_j,   or, for Gaussian inputs,
        chi_i = prod_{j in S_i} He_{p_ij}(x_j) / sqrt(p_ij!);   degree max_i sum_j p_ij

    Sets that can be ordered so that each has at most one coordinate that none before it has
    form a merged staircase: what SGD on two-layer nets of bounded step count times d learns.
    The *leap* is the largest number of new coordinates (of new degree, with powers) that the
    best order needs in one step; the sources conjecture, and show in part, that online SGD
    takes of the order of d^max(leap - 1, 1) samples, up to logarithms. The default is a
    merged staircase that is no staircase, as its sets are not nested.

    ``leap`` holds in the given coordinates. On Gaussian inputs the isoLeap is its maximum over
    rotations, which may be larger: x_1 + x_2 + x_1 x_2 x_3 has leap 1, but turned by 45 degrees
    in the first two coordinates, 2.

    Level l holds the monomials that a step of the leap reaches from the levels below; hidden
    features are the chi_i, each of variance 1, level by level.

    Source: merged staircases: Abbe, Boix-Adsera & Misiakiewicz, arXiv 2202.08658; leap and
    isoLeap: the same, arXiv 2302.11055.

    Inputs: hypercube, Gaussian, cube and sphere. A mixture, or a Gaussian with a condition
    number, has dependent coordinates, whose monomials are not orthogonal and have no leap:
    refused. Powers above 1 are Hermite, and for Gaussian inputs only.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least the largest coordinate used"""
    seed: int
    """of nothing: the target is what the sets say"""
    sets: tuple[tuple[int, ...], ...] = ((1,), (1, 2), (2, 3), (1, 3, 4))
    """S_1, S_2, ...: coordinates from 1 to d"""
    weights: tuple[float, ...] | None = None
    """w_i, one a set, not 0; None for equal ones"""
    powers: tuple[tuple[int, ...], ...] | None = None
    """p_ij, shaped like sets, 1 to 16, gaussian inputs only; None for all 1"""
    inputs: str = "hypercube"

    def __post_init__(self) -> None:
        super().__post_init__()
        sets = _nested("sets", self.sets)
        ones = tuple((1,) * len(s) for s in sets)
        powers = ones if self.powers is None else _nested("powers", self.powers)
        if [len(p) for p in powers] != [len(s) for s in sets]:
            raise ValueError(refusal("powers", self.powers, "one power for each coordinate of sets"))
        for s in sets:
            if len(set(s)) < len(s) or min(s) < 1 or max(s) > self.d:
                allowed = f"distinct coordinates from 1 to d = {self.d}"
                raise ValueError(refusal("an entry of sets", s, allowed))
        if max(p for ps in powers for p in ps) > MAX_POWER or min(p for ps in powers for p in ps) < 1:
            raise ValueError(refusal("powers", self.powers, f"integers from 1 to {MAX_POWER}"))
        if powers != ones and self.law.name != "gaussian":
            allowed = "gaussian with powers above 1, which are those of Hermite polynomials"
            raise ValueError(refusal("inputs", self.inputs, allowed, "leave powers out otherwise"))
        pairs = [sorted(zip(s, p, strict=True)) for s, p in zip(sets, powers, strict=True)]
        for i, pair in enumerate(pairs):
            if pair in pairs[:i]:
                raise ValueError(refusal("sets", self.sets, "distinct monomials", f"{sets[i]} comes twice"))
        # However they were written, equal monomials are equal fields.
        set_ = functools.partial(object.__setattr__, self)
        set_("sets", tuple(tuple(j for j, _ in pair) for pair in pairs))
        if powers == ones:
            set_("powers", None)
        else:
            set_("powers", tuple(tuple(p for _, p in pair) for pair in pairs))
        if self.weights is not None:
            set_("weights", _checked_weights(self.weights, len(sets)))

    @functools.cached_property
    def leap(self) -> int:
        """Leap of the monomials in the given coordinates."""
        return leap_of([chi for _, chi in self._flat])

    @functools.cached_property
    def monomials(self) -> tuple[tuple[tuple[float, Monomial], ...], ...]:
        """Weighted monomials, level by level, before they are scaled to variance 1."""
        powers = self.powers or tuple((1,) * len(s) for s in self.sets)
        weights = self.weights or (1.0,) * len(self.sets)
        form = {j: i for i, j in enumerate(self._used)}
        chi: list[Monomial] = [
            tuple((form[j], p) for j, p in zip(s, ps, strict=True))
            for s, ps in zip(self.sets, powers, strict=True)
        ]
        return tuple(tuple((weights[i], chi[i]) for i in level) for level in leap_levels(chi))

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return len(self._used)

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """The coordinates that some set has, shape (number of them, d)."""
        return identity_rows([j - 1 for j in self._used], self.d)

    @property
    def _used(self) -> list[int]:
        return sorted({j for s in self.sets for j in s})


def _nested(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Sequences of sequences of integers, as tuples."""
    if not _is_sequence(value) or not value or not all(_is_sequence(s) and s for s in value):
        raise ValueError(refusal(name, value, "a list of lists of integers, none of them empty"))
    return tuple(tuple(integer(f"an entry of {name}", j, 1) for j in s) for s in value)


def _checked_weights(weights: Any, n: int) -> tuple[float, ...]:
    if not _is_sequence(weights) or len(weights) != n or not all(is_real(w) and w != 0 for w in weights):
        raise ValueError(refusal("weights", weights, f"{n} numbers, one a set, none of them 0, or None"))
    return tuple(math.copysign(scale("size of a weight", abs(w), zero=False), w) for w in weights)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
