"""Kernel ridge regression with the Gaussian-process limit of wide nets, only the last layer trained."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.checks import one_of
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.net_kernels.infinite_width import BIASES, RIDGES, DenseKernel
from hierbench.learners.net_kernels.ntk_dual import depth_axis
from hierbench.learners.parameters import not_negative

ACTIVATIONS = ("relu", "erf", "quadratic")


class NNGPRegressor(KernelRegressor):
    """Kernel ridge regression with the NNGP kernel of dense nets of infinite width.

    The mean of the Gaussian process that a net is before training (R. Neal, 1996; J. Lee et al., arXiv
    1711.00165; A. Matthews et al., arXiv 1804.11271), which is what training only the last layer learns:

        S_1 = (x.x' / d + bias^2) / (1 + bias^2)
        S_{l+1} = (E[phi(u) phi(v)] + bias^2) / (1 + bias^2)        (u, v) ~ N(0, S_l)

    phi scaled to unit mean square on a standard Gaussian; closed forms in
    ``hierbench.learners.net_kernels.dual_activations``.

    Parameters
    ----------
    activation : None (tuned over all three), ``"relu"``, ``"erf"`` or ``"quadratic"``.
    depth : None (tuned over 1..5), a number (fixed) or several (tried): hidden layers.
    bias : None (tuned), a number or several: standard deviation of the biases.
    ridge : None (tuned), a number or several. Absolute; the kernel is normalised to 1 where |x|^2 = d.
    intercept : variance of the constant added to the kernel.
    device : "cpu", "cuda" or "cuda:1", as torch has them: where matrices are made and factored, in float64.
    """

    def __init__(
        self,
        activation: str | None = None,
        *,
        depth: int | Sequence[int] | None = None,
        bias: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.bias = bias
        self.ridge = ridge
        self.intercept = intercept
        self.device = device

    def _kernel(self) -> Kernel:
        tried: tuple[str, ...] = ACTIVATIONS
        if self.activation is not None:
            tried = (one_of("activation", self.activation, ACTIVATIONS),)
        return DenseKernel(tried, tangent=False, intercept=not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        tried = len(ACTIVATIONS) if self.activation is None else 1
        bias = BIASES.narrowed(self.bias)
        ridge = RIDGES.narrowed(self.ridge)
        which = Axis("activation", tuple(float(i) for i in range(tried)), tuple(range(tried)))
        return depth_axis(self.depth), bias, which, ridge
