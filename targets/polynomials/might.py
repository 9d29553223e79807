"""Multi-index Gaussian hierarchical target, shallow and deep."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from hierbench.errors import refusal
from hierbench.targets.polynomials.gaussian_hierarchy import GaussianHierarchy, exponent
from hierbench.targets.polynomials.links import bounded

MAX_LEVELS = 4
"""Each at least squares the degree of the one below, and 16 is the largest."""


@dataclasses.dataclass(frozen=True)
class Might(GaussianHierarchy):
    r"""MIGHT: a link of r nonlinear features, each over a tree of projections of its own.

    ::

        h_0 = W x,   h_l,i = (1/c_l,i) sum_{j in block i} a_l,j P(h_(l-1),j),   P = sum_{j=e..k} He_j / j!
        blocks of b_l = round(d^(eps_l - eps_(l+1))), eps_(L+1) = 0;   h_L has r entries
        g(h_L) = sum_{j=k*..q} sqrt(share_j) <B_j, He_j(h_L)>,   share_j ~ decay^(j - k*)
        y = (g(h_L) - mean) / sd,   degree k^L q

    W has r b_1 ... b_L orthonormal Haar rows; blocks are disjoint, so that on Gaussian inputs the
    entries of every h_l are independent; a is standard Gaussian (or all ones), the B_j are uniform
    among the symmetric tensors whose part has unit variance under a standard Gaussian. L = 1 is the
    shallow form g(h_1, ..., h_r), each h_m with weights and directions of its own, L > 1 the
    deep one. What is taken here: one P for all m and l, that of ``Sight``; c so that h_1 has variance
    1, and h_l, l > 1, would have it, were h_(l-1) Gaussian, as it is in the limit (the published
    scaling is one over the root of the block size); a polynomial g. Hidden features: h_0, ..., h_L and y,
    levels 1 to L + 2.

    Inputs are Gaussian (with a condition number in whitened projections) or on the sphere, where the
    monic zonal harmonics take the place of the Hermite polynomials of the first level, and the
    features are uncorrelated up to O(1/d). The other laws are refused: their projections are
    not Gaussian.

    Source: Dandi, Pesce, Zdeborova & Krzakala, "The Computational Advantage of Depth: Learning
    High-Dimensional Hierarchical Functions with Gradient Descent", arXiv 2502.13961, sections on
    MIGHT and its deep version.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least the number of directions (one more on the sphere)"""
    seed: int
    """of W, the a and the B_j"""
    epsilons: tuple[float, ...] = (0.5,)
    """eps_1 > ... > eps_L in (0, 1); blocks of d^(eps_l - eps_(l+1))"""
    n_features: int = 2
    """r, entries of h_L"""
    feature_degree: int = 3
    feature_exponent: int = 2
    feature_coefficients: str = "factorial"
    link_degree: int = 2
    information_exponent: int = 1
    decay: float = 0.5
    equal_weights: bool = False
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        is_list = isinstance(self.epsilons, tuple | list) and 0 < len(self.epsilons) <= MAX_LEVELS
        epsilons = tuple(exponent("epsilons", e) for e in self.epsilons) if is_list else ()
        if not is_list or any(above <= below for above, below in pairwise(epsilons)):
            raise ValueError(
                refusal(
                    "epsilons", self.epsilons, f"a decreasing list of 1 to {MAX_LEVELS} numbers in (0, 1)"
                )
            )
        object.__setattr__(self, "epsilons", epsilons)
        bounded("n_features", self.n_features, 1, 10**6, "each with directions of its own")
        super().__post_init__()

    @property
    def roots(self) -> int:
        """r, the dimension of h_L."""
        return self.n_features
