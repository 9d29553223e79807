"""Random Hermite polynomial of a few projections, with chosen information exponent."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from hierbench.targets.polynomials.index_model import IndexModel


@dataclasses.dataclass(frozen=True)
class MultiIndex(IndexModel):
    r"""Multi-index target with chosen information exponent.

    ::

        y = sum_{j=k*..D} sqrt(share_j) <C_j, He_j(V x)>,   share_j ~ decay^(j - k*)

    V has r orthonormal Haar rows, He_j is the symmetric Hermite tensor of its r projections, and
    the coefficients C_j are uniform among the symmetric tensors that give the part unit variance:
    no direction of the span is preferred, but generic C_2 already tells all of it apart. k* is
    the lowest degree that carries variance. The hidden features are V x.

    Inputs are Gaussian (with a condition number the projections are whitened:
    (V Sigma V^T)^(-1/2) V x) or on the sphere, where the harmonic with the same top-degree part,
    scaled to unit variance, takes the place of each Hermite part. The other laws are
    refused: their projections are not Gaussian.

    Source: Abbe, Boix-Adsera & Misiakiewicz, "SGD learning on neural networks: leap complexity and
    saddle-to-saddle dynamics", arXiv 2302.11055, for the Gaussian class; the random coefficients
    are ours.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    n_directions: int = 2
    """r, orthonormal directions, as long as C(r + D, D) <= 2000"""

    _rank_name: ClassVar[str] = "n_directions"

    @property
    def rank(self) -> int:
        """r, the number of directions."""
        return self.n_directions
