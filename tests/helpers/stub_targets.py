"""Targets of a module of one's own, for tests: one that is right, and one that is not."""

from __future__ import annotations

import dataclasses

import numpy as np

from hierbench.targets.polynomials.monomials import MonomialTarget


@dataclasses.dataclass(frozen=True)
class Pair(MonomialTarget):
    """y = x_1 x_2."""

    d: int
    """input dimension"""
    seed: int
    """of nothing"""
    inputs: str = "gaussian"

    @property
    def monomials(self):
        return (((1.0, ((0, 1), (1, 1))),),)

    @property
    def n_forms(self):
        return 2

    @property
    def directions(self):
        return np.eye(2, self.d)


@dataclasses.dataclass(frozen=True)
class Biased(Pair):
    """Its mean is not what its certificate says."""

    inputs: str = "gaussian"
    """law of x"""

    def evaluate(self, X):
        return super().evaluate(X) + 0.5
