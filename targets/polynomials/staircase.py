"""Staircase functions, with steps of one coordinate or of several."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hierbench.checks import flag, integer
from hierbench.errors import refusal
from hierbench.targets.laws.weights import haar, stream
from hierbench.targets.polynomials.monomials import Monomial, MonomialTarget


@dataclasses.dataclass(frozen=True)
class Staircase(MonomialTarget):
    r"""Each monomial is the one before times `leap` new coordinates.

    ::

        y = (1 / sqrt(levels)) sum_{l=1..levels} chi_l,   chi_l = t_1 t_2 ... t_(l leap)
        t = x, or t = U x with U Haar (rotated);   degree levels * leap

    At leap 1 this is the staircase x_1 + x_1 x_2 + x_1 x_2 x_3 + ...: each monomial shows the
    way to the next one, where the last alone would be a parity. Longer leaps ask for `leap`
    coordinates at once. Each level carries 1 / levels of the variance, all of it in degree
    l leap. On the sphere each chi_l is scaled to variance 1, elsewhere it has it. Hidden
    features are the chi_l, the partial products.

    Source: Abbe, Boix-Adsera, Brennan, Bresler & Nagaraj, "The staircase property",
    arXiv 2108.10573; leaps: Abbe, Boix-Adsera & Misiakiewicz, arXiv 2302.11055.

    Inputs: hypercube, Gaussian, cube and sphere. A mixture, or a Gaussian with a condition
    number, has dependent coordinates, whose monomials are not orthogonal: refused.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least levels * leap"""
    seed: int
    """of the rotation"""
    levels: int = 3
    """number of monomials, from 1"""
    leap: int = 1
    """new coordinates in each monomial, from 1; levels * leap <= d"""
    rotated: bool = False
    """random orthonormal directions; inputs gaussian or sphere"""
    inputs: str = "hypercube"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_ = functools.partial(object.__setattr__, self)
        set_("levels", integer("levels", self.levels, 1))
        set_("leap", integer("leap", self.leap, 1))
        if self.levels * self.leap > self.d:
            allowed = f"integers up to d = {self.d}"
            raise ValueError(refusal("levels * leap", self.levels * self.leap, allowed))
        if flag("rotated", self.rotated) and self.law.name not in ("gaussian", "sphere"):
            remedy = "under others rotated monomials are not orthogonal"
            raise ValueError(refusal("inputs", self.inputs, "gaussian, sphere with rotated = true", remedy))

    @functools.cached_property
    def monomials(self) -> tuple[tuple[tuple[float, Monomial], ...], ...]:
        """Weighted monomials, level by level, before they are scaled to variance 1."""
        steps = range(self.leap, self.levels * self.leap + 1, self.leap)
        return tuple(((1.0, tuple((i, 1) for i in range(k))),) for k in steps)

    @property
    def n_forms(self) -> int:
        """q, the rows of ``directions``."""
        return self.levels * self.leap

    @functools.cached_property
    def directions(self) -> np.ndarray:
        """t_1, t_2, ...: orthonormal rows, shape (levels * leap, d)."""
        q = self.levels * self.leap
        return haar(self.d, q, stream(self.seed, 1, 0)).T if self.rotated else np.eye(q, self.d)
