"""Hierarchical quadratic target whose first level squares every coordinate."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np

from hierbench.checks import flag
from hierbench.targets.laws.weights import conditioned, haar, oblique, stream
from hierbench.targets.quadratic.hierarchy import Hierarchy, skip_sets
from hierbench.targets.quadratic.normalise import Blueprint


@dataclasses.dataclass(frozen=True)
class Squares(Hierarchy):
    r"""Quadratic DenseNet target over the squares of all (rotated) coordinates.

    ::

        s_1 = Q x (or x),   s_l = sum_{j in J_l} W_{l,j} h_j,   h_0 = x,   J_l = {1..l-1}
        h_l = (s_l^2 - E s_l^2) / sd(s_l^2),   S_l = Sum(h_l) / sd(Sum(h_l))
        y   = (1/c) sum_{l=2..L} alpha^(l-2) S_l,   Var y = 1,   degree 2^L

    Q is Haar orthogonal, s_1 has d nodes and the others k.
    Blocks are W = U diag(s) V^T with U, V Haar and s even in log between 1/kappa and kappa.
    Skips from h_1 overlap the second level by the dial rho: for l >= 3,
    W_{l,1} = rho B W_{2,1} + sqrt(1 - rho^2) F, B Haar orthogonal, F orthonormal rows
    orthogonal to W_{2,1}. At L = 2, y = S_2, and alpha and rho do nothing. As a ResNet the levels
    read one residual stream,

    ::

        s_2 = W_2 h_1,   a_2 = E h_1 + h_2,   a_l = a_{l-1} + h_l,   s_l = W_l a_{l-1} for l >= 3,

    the DenseNet with W_{l,j} = W_l and W_{l,1} = W_l E, the embedding E oblique to W_2 as above.

    Source: Allen-Zhu & Li, "Backward Feature Correction", arXiv 2001.04413; normalised here,
    because raw levels differ widely in variance.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    rotated: bool = True
    """square the coordinates of Q x, Q Haar orthogonal, not of x"""

    first_output: ClassVar[int] = 2

    def __post_init__(self) -> None:
        flag("rotated", self.rotated)
        super().__post_init__()

    @property
    def skip_sets(self) -> tuple[tuple[int, ...], ...]:
        """J_2, ..., J_L in force."""
        return skip_sets(self.skips, self.depth, 1)

    def _has_oblique_skips(self) -> bool:
        return any(1 in j for j in self.skip_sets[1:])

    @property
    def n_coordinates(self) -> int:
        """All of x."""
        return self.d

    @functools.cached_property
    def rotation(self) -> np.ndarray | None:
        """Q of shape (d, d), None where not rotated."""
        return haar(self.d, self.d, stream(self.seed, 1, 0)) if self.rotated else None

    @functools.cached_property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        """W_{l,j}, arrays of shape (k_l, k_j) by (l, j); W_{l,0} acts on x."""
        k = self.k
        weights: dict[tuple[int, int], np.ndarray] = {}
        if self.wiring == "resnet":
            weights[2, 1] = conditioned(k, self.d, self.kappa, stream(self.seed, 2, 1))
            return weights | self._residual_blocks(weights[2, 1])
        fresh: list[np.ndarray] = []
        for level, sources in enumerate(self.skip_sets, start=2):
            for j in sources:
                rng = stream(self.seed, level, j)
                if j == 1 and level > 2:
                    weights[level, 1], f = oblique(weights[2, 1], fresh, self.rho, rng)
                    fresh.append(f)
                else:
                    weights[level, j] = conditioned(k, self.d if j < 2 else k, self.kappa, rng)
        return weights

    def _residual_blocks(self, first: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        weights = {}
        if self.depth > 2:
            embedding, _ = oblique(first, [], self.rho, stream(self.seed, 3, 1))
        for level in range(3, self.depth + 1):
            w = conditioned(self.k, self.k, self.kappa, stream(self.seed, level, level - 1))
            weights[level, 1] = w @ embedding
            weights.update({(level, j): w for j in range(2, level)})
        return weights

    @property
    def n_parameters(self) -> int:
        """Entries of the weight matrices (of a ResNet W_2, E and W_3, ..., W_L), and d(d-1)/2 of Q."""
        rotation = self.d * (self.d - 1) // 2 if self.rotated else 0
        if self.wiring == "resnet" and self.depth > 2:
            return 2 * self.k * self.d + (self.depth - 2) * self.k**2 + rotation
        return sum(w.size for w in self.weight_matrices.values()) + rotation

    @functools.cached_property
    def blueprint(self) -> Blueprint:
        """Weights, law and levels, before the constants of the normalisation are known."""
        q = self.rotation
        weights = {
            (level, j): w @ q.T if j == 0 and q is not None else w
            for (level, j), w in self.weight_matrices.items()
        }
        reduction = self.law.reduce(np.eye(self.d) if q is None else q)
        return Blueprint(q, reduction, self.depth, weights, self.alphas)
