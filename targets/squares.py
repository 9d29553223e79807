"""Hierarchical quadratic target whose first level squares every coordinate."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from targets.base import Certificate
from targets.certify import certify
from targets.checks import flag
from targets.family import Hierarchy, skip_sets
from targets.normalise import Blueprint
from targets.weights import conditioned, haar, oblique, stream


@dataclasses.dataclass(frozen=True)
class Squares(Hierarchy):
    r"""Quadratic DenseNet target over the squares of all (rotated) coordinates.

    ::

        s_1 = Q x (or x),   s_l = sum_{j in J_l} W_{l,j} h_j,   h_0 = x,   J_l = {1..l-1}
        h_l = (s_l^2 - E s_l^2) / sd(s_l^2),   S_l = Sum(h_l) / sd(Sum(h_l))
        y   = (1/c) sum_{l=2..L} alpha^(l-2) S_l,   Var y = 1,   degree 2^L

    Inputs are standard Gaussian, Q is Haar orthogonal, s_1 has d nodes and the others k.
    Blocks are W = U diag(s) V^T with U, V Haar and s even in log between 1/kappa and kappa.
    Skips from h_1 overlap the second level by the dial rho: for l >= 3,
    W_{l,1} = rho B W_{2,1} + sqrt(1 - rho^2) F, B Haar orthogonal, F orthonormal rows
    orthogonal to W_{2,1}. At L = 2, y = S_2, and alpha and rho do nothing.

    Source: Allen-Zhu & Li, "Backward Feature Correction", arXiv 2001.04413; normalised here,
    because raw levels differ widely in variance.

    Parameters
    ----------
    d : int
        Input dimension; at least twice the width with skips from h_1 at rho < 1.
    seed : int
        Of the weights. Equal seeds share lower levels at every depth.
    depth : int
        L, 2 to 4.
    width : int or "sqrt"
        k, the nodes of each level above the first; "sqrt" is ceil(sqrt(d)).
    alpha : float
        Information gap between a level and the one below it, > 0.
    rho : float
        Obliqueness of the skips, in [0, 1].
    kappa : float
        Conditioning of the blocks, >= 1.
    skips : tuple of tuples of int, optional
        J_2, ..., J_L, each containing l-1.
    rotated : bool
        Whether the squared coordinates are those of Q x, which then has to be learned too.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    rotated: bool = True

    def __post_init__(self) -> None:
        flag("rotated", self.rotated)
        super().__post_init__()

    def _minimum_depth(self) -> int:
        return 2

    @property
    def skip_sets(self) -> tuple[tuple[int, ...], ...]:
        return skip_sets(self.skips, self.depth, 1)

    def _has_oblique_skips(self) -> bool:
        return any(1 in j for j in self.skip_sets[1:])

    @functools.cached_property
    def rotation(self) -> np.ndarray | None:
        """Q of shape (d, d), None where not rotated."""
        return haar(self.d, self.d, stream(self.seed, 1, 0)) if self.rotated else None

    @functools.cached_property
    def weight_matrices(self) -> dict[tuple[int, int], np.ndarray]:
        k = self.k
        weights: dict[tuple[int, int], np.ndarray] = {}
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

    @property
    def n_parameters(self) -> int:
        """Entries of the weight matrices, and d(d-1)/2 of the rotation."""
        return super().n_parameters + (self.d * (self.d - 1) // 2 if self.rotated else 0)

    def _blueprint(self) -> Blueprint:
        q = self.rotation
        weights = {
            (level, j): w @ q.T if j == 0 and q is not None else w
            for (level, j), w in self.weight_matrices.items()
        }
        return Blueprint(self.d, self.depth, q, weights, 2, self.alpha)

    @functools.cached_property
    def _certificate(self) -> Certificate:
        return certify(
            self.cascade,
            self._normalised.spectrum,
            degree=self.degree,
            n_parameters=self.n_parameters,
            weights=self.weight_matrices,
            sd=self.sd,
            lower=(2, self.weight_matrices[2, 1]),
        )
