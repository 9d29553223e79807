"""Hermite polynomial of one projection, with chosen information exponent."""

from __future__ import annotations

import dataclasses

from hierbench.targets.polynomials.index_model import IndexModel


@dataclasses.dataclass(frozen=True)
class SingleIndex(IndexModel):
    r"""Single-index target with chosen information exponent.

    ::

        y = sum_{j=k*..D} +-sqrt(share_j) He_j(<w, x>) / sqrt(j!),   share_j ~ decay^(j - k*)

    k* is the information exponent: the lowest degree that carries variance. w is uniform on the
    unit sphere, the signs are random. One pass of SGD from a random start needs of the order of
    d^max(1, k* - 1) samples, up to logarithms, to find w. The hidden feature is
    <w, x>.

    Inputs are Gaussian (with a condition number <w, x> is divided by its standard deviation) or on
    the sphere, where zonal harmonics of unit variance take the place of the Hermite
    polynomials. The other laws are refused: their projections are not Gaussian.

    Source: Ben Arous, Gheissari & Jagannath, "Online stochastic gradient descent on non-convex
    losses from high-dimensional inference", JMLR 22, 2021.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    @property
    def rank(self) -> int:
        """One direction."""
        return 1
