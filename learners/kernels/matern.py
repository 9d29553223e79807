"""Kernel ridge regression with Matern kernels, tuned inside ``fit``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from hierbench.errors import refusal
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.engines.linear_algebra import rows_at_once
from hierbench.learners.kernels.distances import distances
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.kernels.kernel_ridge import RIDGES
from hierbench.learners.parameters import not_negative

COEFFICIENTS = {
    0.5: (1.0,),
    1.5: (1.0, 1.0),
    2.5: (1.0, 1.0, 1 / 3),
    3.5: (1.0, 1.0, 2 / 5, 1 / 15),
}
"""Of the polynomial in r, in increasing order, that multiplies exp(-r) at each smoothness nu."""
SMOOTHNESS = Axis("nu", tuple(COEFFICIENTS), (0, 1, 2, 3))
LENGTH_SCALES = Axis.geometric("length_scale", 0.1, 100.0, per_decade=4, scan=(0.3, 20.0), every=2)


@dataclasses.dataclass(frozen=True)
class MaternKernel:
    """p_nu(r) exp(-r) + c with r = sqrt(2 nu) |x - x'| / (sqrt(d) l); shape = (nu, l)."""

    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        nu, length_scale = shape
        scale = A.shape[1] * length_scale**2 / (2 * nu)
        distances(A, A if B is None else B, scale, out)
        rows = rows_at_once(out)
        for start in range(0, len(out), rows):
            r = out[start : start + rows]
            polynomial = torch.full_like(r, COEFFICIENTS[nu][-1])
            for coefficient in COEFFICIENTS[nu][-2::-1]:
                polynomial.mul_(r).add_(coefficient)
            r.neg_().exp_().mul_(polynomial).add_(self.intercept)
        if B is None:
            out.diagonal().fill_(1.0 + self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 30 + 2 * len(COEFFICIENTS[shape[0]])


class MaternRegressor(KernelRegressor):
    r"""Kernel ridge regression with the Matern kernel of half-integer smoothness.

    .. math:: k(x, x') = p_\nu(r) e^{-r} + \text{intercept}, \qquad r = \sqrt{2 \nu} |x - x'| / (\sqrt d\, l)

    where p is 1, 1 + r, 1 + r + r^2/3 or 1 + r + 2 r^2/5 + r^3/15 at nu = 1/2 (the Laplace kernel), 3/2,
    5/2, 7/2. Its reproducing space is a Sobolev space of order nu + d/2. M. L. Stein, *Interpolation of
    Spatial Data*, 1999; Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, eq. 4.16.
    Smoothness, length scale and ridge are tuned by leave-one-out
    (``hierbench.learners.engines.kernel_tuning``).

    Parameters
    ----------
    nu : None (tuned over 1/2, 3/2, 5/2, 7/2), one of these (fixed) or several (tried).
    length_scale : None (tuned), a number or several: l.
    ridge : None (tuned), a number or several. Absolute: not multiplied by n.
    intercept : variance of the constant added to the kernel.
    device : "cpu", "cuda" or "cuda:1", as torch has them: where matrices are made and factored, in float64.
    """

    def __init__(
        self,
        *,
        nu: float | Sequence[float] | None = None,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.nu = nu
        self.length_scale = length_scale
        self.ridge = ridge
        self.intercept = intercept
        self.device = device

    def _kernel(self) -> Kernel:
        return MaternKernel(not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        nu = SMOOTHNESS.narrowed(self.nu)
        if not set(nu.values) <= set(COEFFICIENTS):
            raise ValueError(refusal("nu", self.nu, ", ".join(map(str, COEFFICIENTS))))
        return nu, LENGTH_SCALES.narrowed(self.length_scale, zero=False), RIDGES.narrowed(self.ridge)
