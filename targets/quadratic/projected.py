"""Hierarchical quadratic target whose first level is an unknown projection."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np

from hierbench.targets.laws.weights import conditioned, extend, oblique, row_space, stream
from hierbench.targets.quadratic.hierarchy import Hierarchy, skip_sets
from hierbench.targets.quadratic.normalise import Blueprint


@dataclasses.dataclass(frozen=True)
class Projected(Hierarchy):
    r"""Quadratic DenseNet target on a hidden projection: a multi-index model for fixed width.

    ::

        s_1 = W_1 x,   s_l = sum_{j in J_l} W_{l,j} h_j,   h_0 = x,   J_l = {0..l-1}
        h_l = (s_l^2 - E s_l^2) / sd(s_l^2),   S_l = Sum(h_l) / sd(Sum(h_l))
        y   = (1/c) sum_{l=1..L} alpha^(l-1) S_l,   Var y = 1,   degree 2^L

    Blocks are W = U diag(s) V^T with U, V Haar and s even in
    log between 1/kappa and kappa. Skips from x overlap the first level by the dial rho:
    W_{l,0} = rho B W_1 + sqrt(1 - rho^2) F, B Haar orthogonal, F orthonormal rows orthogonal
    to W_1. At rho = 0 and on Gaussian inputs the first level is not contaminated by the levels
    above it. As a ResNet the levels read one residual stream,

    ::

        a_0 = E x,   a_l = a_{l-1} + h_l,   s_l = W_l a_{l-1} for l >= 2,

    the DenseNet with W_{l,j} = W_l and W_{l,0} = W_l E, the embedding E oblique to W_1 as above.

    Source: Allen-Zhu & Li, "Backward Feature Correction", arXiv 2001.04413, in the form of
    the authors' talk; normalised here, because raw levels differ widely in variance.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    first_output: ClassVar[int] = 1

    @property
    def skip_sets(self) -> tuple[tuple[int, ...], ...]:
        """J_2, ..., J_L in force."""
        return skip_sets(self.skips, self.depth, 0)

    def _has_oblique_skips(self) -> bool:
        return any(0 in j for j in self.skip_sets)

    @property
    def n_coordinates(self) -> int:
        """Rows of W_1 and of the skips from x, at most d."""
        return min(self.d, self.depth * self.k)

    @functools.cached_property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j}, arrays of shape (k_l, k_j) by (l, j); W_{l,0} acts on x."""
        k = self.k
        weights = {(1, 0): conditioned(k, self.d, self.kappa, stream(self.seed, 1, 0))}
        if self.wiring == "resnet":
            return weights | self._residual_blocks(weights[1, 0])
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

    def _residual_blocks(self, first: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        weights = {}
        embedding, _ = oblique(first, [], self.rho, stream(self.seed, 2, 0))
        for level in range(2, self.depth + 1):
            w = conditioned(self.k, self.k, self.kappa, stream(self.seed, level, level - 1))
            weights[level, 0] = w @ embedding
            weights.update({(level, j): w for j in range(1, level)})
        return weights

    @property
    def n_parameters(self) -> int:
        """Entries of the weight matrices; of a ResNet W_1, E and W_2, ..., W_L."""
        if self.wiring == "resnet" and self.depth > 1:
            return 2 * self.k * self.d + (self.depth - 1) * self.k**2
        return sum(w.size for w in self.weight_matrices.values())

    @functools.cached_property
    def _basis(self) -> np.ndarray:
        """Orthonormal rows for all that y depends on: W_1 first, then level by level."""
        weights = self.weight_matrices
        basis = row_space(weights[1, 0])
        for level in range(2, self.depth + 1):
            if (level, 0) in weights:
                basis = extend(basis, weights[level, 0])
        return basis

    @functools.cached_property
    def blueprint(self) -> Blueprint:
        """Weights, law and levels, before the constants of the normalisation are known."""
        basis = self._basis
        weights = dict(self.weight_matrices)
        for (level, j), w in weights.items():
            if j == 0:
                coordinates = w @ basis.T
                # Exact zeros keep the polynomials sparse: W_1 uses the first k coordinates only.
                weights[level, j] = np.where(np.abs(coordinates) < 1e-13, 0.0, coordinates)
        return Blueprint(basis, self.law.reduce(basis), self.depth, weights, self.alphas)
