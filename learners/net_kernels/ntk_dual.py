"""Kernel ridge regression with tangent kernels beyond ReLU: erf, quadratic, and the quadratic DenseNet."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.checks import one_of
from hierbench.errors import refusal
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.net_kernels.infinite_width import BIASES, DEPTHS, RIDGES, DenseKernel, DenseNetKernel
from hierbench.learners.parameters import integers, not_negative

SHARES = Axis("share", (0.1, 0.3, 0.5, 0.7, 0.9), (1, 3))


def depth_axis(value: int | Sequence[int] | None) -> Axis:
    """Return the axis of the depths: 1..5 where ``value`` is None, and tuned."""
    return DEPTHS if value is None else Axis.listed("depth", integers("depth", value, 1))


class DualNTKRegressor(KernelRegressor):
    """Kernel ridge regression with the NTK of dense nets of infinite width, erf or quadratic activation.

    With phi scaled to unit mean square on a standard Gaussian, and c = 1 + bias^2,

        S_1 = T_1 = (x.x' / d + bias^2) / c
        S_{l+1}   = (E[phi(u) phi(v)] + bias^2) / c             (u, v) ~ N(0, S_l)
        T_{l+1}   = S_{l+1} + T_l E[phi'(u) phi'(v)] / c

    A. Jacot, F. Gabriel, C. Hongler, arXiv 1806.07572; duals in
    ``hierbench.learners.net_kernels.dual_activations``. The quadratic activation makes a kernel of degree
    2^depth in x.x'. ReLU is ``hierbench.learners.net_kernels.ntk``.

    Parameters
    ----------
    activation : ``"erf"``, ``"quadratic"`` or ``"relu"``.
    depth : None (tuned over 1..5), a number (fixed) or several (tried): hidden layers.
    bias : None (tuned), a number or several: standard deviation of the biases.
    ridge : None (tuned), a number or several. Absolute; the kernel is normalised to 1 where |x|^2 = d.
    intercept : variance of the constant added to the kernel.
    device : "cpu", "cuda" or "cuda:1", as torch has them: where matrices are made and factored, in float64.
    """

    def __init__(
        self,
        activation: str = "erf",
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
        activation = one_of("activation", self.activation, ("erf", "quadratic", "relu"))
        return DenseKernel((activation,), tangent=True, intercept=not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        bias = BIASES.narrowed(self.bias)
        ridge = RIDGES.narrowed(self.ridge)
        return depth_axis(self.depth), bias, ridge


class DenseNetNTKRegressor(KernelRegressor):
    """Kernel ridge regression with the NTK of the quadratic DenseNet itself, at infinite width.

    The wiring is that of ``hierbench.learners.engines.network.DenseNetwork``: every level sees x and all
    levels below, and the read-out sees all of them; the recursion is in
    ``hierbench.learners.net_kernels.infinite_width.DenseNetKernel``. What lazy training of the deep net of
    Allen-Zhu & Li (arXiv 2001.04413) would learn.

    Parameters
    ----------
    depth : number of quadratic levels L (or several, which are tried); the kernel has degree 2^L.
    bias : None (tuned), a number or several: standard deviation of the biases.
    share : None (tuned), a number in [0, 1] or several: how much of a level's variance comes from x
        directly, from level 2 on; the levels below share the rest evenly.
    ridge : None (tuned), a number or several. Absolute; the kernel is normalised to 1 where |x|^2 = d.
    intercept : variance of the constant added to the kernel.
    device : "cpu", "cuda" or "cuda:1", as torch has them: where matrices are made and factored, in float64.
    """

    def __init__(
        self,
        depth: int | Sequence[int] = 2,
        *,
        bias: float | Sequence[float] | None = None,
        share: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.depth = depth
        self.bias = bias
        self.share = share
        self.ridge = ridge
        self.intercept = intercept
        self.device = device

    def _kernel(self) -> Kernel:
        return DenseNetKernel(not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        depth = depth_axis(self.depth)
        bias = BIASES.narrowed(self.bias)
        share = SHARES.narrowed(self.share)
        if share.values[-1] > 1:
            raise ValueError(refusal("share", self.share, "numbers from 0 to 1, one or several"))
        if max(depth.values) == 1:  # at one level there is nothing to share
            share = Axis("share", share.values[:1], (0,))
        ridge = RIDGES.narrowed(self.ridge)
        return depth, bias, share, ridge
