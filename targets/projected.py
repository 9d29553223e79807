"""Hierarchical quadratic target whose first level is an unknown projection."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from targets.base import Certificate
from targets.certify import certify
from targets.family import Hierarchy, skip_sets
from targets.normalise import Blueprint
from targets.weights import conditioned, extend, oblique, row_space, stream


@dataclasses.dataclass(frozen=True)
class Projected(Hierarchy):
    r"""Quadratic DenseNet target on a hidden projection: a multi-index model for fixed width.

    ::

        s_1 = W_1 x,   s_l = sum_{j in J_l} W_{l,j} h_j,   h_0 = x,   J_l = {0..l-1}
        h_l = (s_l^2 - E s_l^2) / sd(s_l^2),   S_l = Sum(h_l) / sd(Sum(h_l))
        y   = (1/c) sum_{l=1..L} alpha^(l-1) S_l,   Var y = 1,   degree 2^L

    Inputs are standard Gaussian. Blocks are W = U diag(s) V^T with U, V Haar and s even in
    log between 1/kappa and kappa. Skips from x overlap the first level by the dial rho:
    W_{l,0} = rho B W_1 + sqrt(1 - rho^2) F, B Haar orthogonal, F orthonormal rows orthogonal
    to W_1. At rho = 0 the first level is not contaminated by the levels above it.

    Source: Allen-Zhu & Li, "Backward Feature Correction", arXiv 2001.04413, in the form of
    the authors' talk; normalised here, because raw levels differ widely in variance.

    Parameters
    ----------
    d : int
        Input dimension; at least twice the width with skips from x at rho < 1.
    seed : int
        Of the weights. Equal seeds share lower levels at every depth.
    depth : int
        L, 1 to 4.
    width : int or "sqrt"
        k, the nodes of each level; "sqrt" is ceil(sqrt(d)).
    alpha : float
        Information gap between a level and the one below it, > 0.
    rho : float
        Obliqueness of the skips, in [0, 1].
    kappa : float
        Conditioning of the blocks, >= 1.
    skips : tuple of tuples of int, optional
        J_2, ..., J_L, each containing l-1.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    def _minimum_depth(self) -> int:
        return 1

    @property
    def skip_sets(self) -> tuple[tuple[int, ...], ...]:
        return skip_sets(self.skips, self.depth, 0)

    def _has_oblique_skips(self) -> bool:
        return any(0 in j for j in self.skip_sets)

    @functools.cached_property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        k = self.k
        weights = {(1, 0): conditioned(k, self.d, self.kappa, stream(self.seed, 1, 0))}
        fresh: list[np.ndarray] = []
        for level, sources in enumerate(self.skip_sets, start=2):
            for j in sources:
                rng = stream(self.seed, level, j)
                if j == 0:
                    weights[level, 0], f = oblique(weights[1, 0], fresh, self.rho, rng)
                    fresh.append(f)
                else:
                    weights[level, j] = conditioned(k, k, self.kappa, rng)
        return weights

    @functools.cached_property
    def _basis(self) -> np.ndarray:
        """Orthonormal rows for all that y depends on: W_1 first, then level by level."""
        weights = self.weight_matrices
        basis = row_space(weights[1, 0])
        for level in range(2, self.depth + 1):
            if (level, 0) in weights:
                basis = extend(basis, weights[level, 0])
        return basis

    def _blueprint(self) -> Blueprint:
        basis = self._basis
        weights = dict(self.weight_matrices)
        for (level, j), w in weights.items():
            if j == 0:
                coordinates = w @ basis.T
                # Exact zeros keep the polynomials sparse: W_1 uses the first k coordinates only.
                weights[level, j] = np.where(np.abs(coordinates) < 1e-13, 0.0, coordinates)
        return Blueprint(len(basis), self.depth, basis, weights, 1, self.alpha)

    @functools.cached_property
    def _certificate(self) -> Certificate:
        return certify(
            self.cascade,
            self._normalised.spectrum,
            degree=self.degree,
            n_parameters=self.n_parameters,
            weights=self.weight_matrices,
            sd=self.sd,
            lower=(1, self._blueprint().weights[1, 0]),
        )
