"""Kernel ridge regression with Gaussian, Laplace and polynomial kernels, tuned inside ``fit``."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.checks import integer, one_of
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.kernels.classical import LaplaceKernel, PolynomialKernel, RBFKernel
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.parameters import not_negative

KERNELS = ("rbf", "laplace", "polynomial")
RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-9, 1e1), every=4)
LENGTH_SCALES = {
    "rbf": Axis.geometric("length_scale", 0.1, 100.0, per_decade=8, scan=(0.42, 8.0), every=2),
    "laplace": Axis.geometric("length_scale", 0.1, 100.0, per_decade=4, scan=(0.5, 20.0), every=2),
}
OFFSETS = Axis.geometric("offset", 1e-3, 1e3, per_decade=4, scan=(0.03, 10.0), every=2)


class KernelRidge(KernelRegressor):
    """Kernel ridge regression, min_f sum_i (y_i - f(x_i))^2 + ridge |f|_K^2, tuned by leave-one-out.

    ``rbf``         exp(-|x - x'|^2 / (2 d l^2)) + intercept
    ``laplace``     exp(-|x - x'| / (sqrt(d) l)) + intercept
    ``polynomial``  ((x.x' / d + c) / (1 + c))^degree

    with d the number of features, so that features of unit variance make l = c = 1 a sensible scale at
    every d. C. Saunders, A. Gammerman, V. Vovk, *Ridge regression learning algorithm in dual variables*,
    ICML 1998; for the tuning see ``hierbench.learners.engines.kernel_engine``.

    Parameters
    ----------
    kernel : ``"rbf"``, ``"laplace"`` or ``"polynomial"``.
    degree : of the polynomial kernel.
    length_scale : None (tuned), a number (fixed) or several (tried): l, for rbf and laplace.
    offset : the same for c, for the polynomial kernel.
    ridge : the same for the ridge. Absolute: not multiplied by n.
    intercept : variance of the constant that rbf and laplace add.
    device : "cpu", "cuda" or "cuda:1", as torch has them: where matrices are made and factored, in float64.
    """

    def __init__(
        self,
        kernel: str = "rbf",
        *,
        degree: int = 4,
        length_scale: float | Sequence[float] | None = None,
        offset: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.length_scale = length_scale
        self.offset = offset
        self.ridge = ridge
        self.intercept = intercept
        self.device = device

    def _kernel(self) -> Kernel:
        one_of("kernel", self.kernel, KERNELS)
        intercept = not_negative("intercept", self.intercept)
        if self.kernel == "polynomial":
            return PolynomialKernel(integer("degree", self.degree, 1))
        return RBFKernel(intercept) if self.kernel == "rbf" else LaplaceKernel(intercept)

    def _axes(self) -> tuple[Axis, ...]:
        if self.kernel == "polynomial":
            shape = OFFSETS.narrowed(self.offset)
        else:
            shape = LENGTH_SCALES[self.kernel].narrowed(self.length_scale, zero=False)
        ridge = RIDGES.narrowed(self.ridge)
        return shape, ridge


class KernelRidgeRBF(KernelRidge):
    """``KernelRidge`` with the Gaussian kernel; parameters as there."""

    def __init__(
        self,
        *,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        super().__init__("rbf", length_scale=length_scale, ridge=ridge, intercept=intercept, device=device)


class KernelRidgeLaplace(KernelRidge):
    """``KernelRidge`` with the Laplace kernel; parameters as there."""

    def __init__(
        self,
        *,
        length_scale: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        super().__init__(
            "laplace", length_scale=length_scale, ridge=ridge, intercept=intercept, device=device
        )
