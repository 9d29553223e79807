"""Single-index Gaussian hierarchical target."""

from __future__ import annotations

import dataclasses

from hierbench.targets.polynomials.gaussian_hierarchy import GaussianHierarchy, exponent


@dataclasses.dataclass(frozen=True)
class Sight(GaussianHierarchy):
    r"""SIGHT: a link of one nonlinear feature of d^epsilon projections.

    ::

        z = W x,   h = (1/c) sum_{i=1..m} a_i P(z_i),   m = round(d^epsilon),   P = sum_{j=e..k} He_j / j!
        g(h) = sum_{j=k*..q} +-sqrt(share_j) He_j(h) / sqrt(j!),   share_j ~ decay^(j - k*)
        y = (g(h) - mean) / sd,   degree k q

    W has orthonormal Haar rows, a is standard Gaussian (or all ones). The published form is
    g(a^T P(W x) / sqrt(m)) with a fixed polynomial P of degree k applied to each entry, a from
    some fixed law (ones in the theorem), and any g. What is taken here: P = He_2 / 2 + He_3 / 6, as in
    the published code (e = 2, k = 3; the theorem has e = 2); c instead of sqrt(m), so that E h^2 = 1
    exactly; and a polynomial g (the published example has a tanh), so that the label has a degree. On
    Gaussian inputs 3/4 of the variance of h are of degree 2, and 1/4 with
    ``feature_coefficients="equal"``, which is P = He_2 + He_3. The shares are those of g under a
    standard Gaussian, to which h tends as m grows; the certificate has the exact ones of y. Hidden
    features: z (level 1), h (level 2) and y (level 3).

    A three-layer net trained layer by layer finds W from about d^(1 + epsilon) samples, h from
    d^(k epsilon), and g from O(1), where a kernel needs d^(kq).

    Inputs are Gaussian (with a condition number in whitened projections) or on the sphere, where the
    monic zonal harmonics take the place of the Hermite polynomials. The other laws are refused:
    their projections are not Gaussian.

    Source: Dandi, Pesce, Zdeborova & Krzakala, "The Computational Advantage of Depth: Learning
    High-Dimensional Hierarchical Functions with Gradient Descent", arXiv 2502.13961, eq. (1).

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    d: int
    """input dimension, at least 2"""
    seed: int
    """of W, a and the signs"""
    epsilon: float = 0.5
    """exponent of the width, in (0, 1): the first level has round(d^epsilon) directions"""
    feature_degree: int = 3
    feature_exponent: int = 2
    feature_coefficients: str = "factorial"
    link_degree: int = 2
    information_exponent: int = 1
    decay: float = 0.5
    equal_weights: bool = False
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", exponent("epsilon", self.epsilon))
        super().__post_init__()

    @property
    def epsilons(self) -> tuple[float, ...]:  # type: ignore[override]
        """Exponents of the widths, level by level: one here."""
        return (self.epsilon,)

    @property
    def roots(self) -> int:
        """One: h is a number."""
        return 1
