"""Kernel ridge regression with neural compositional kernels: dual activations, composed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from hierbench.checks import one_of
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.net_kernels.dual_activations import COSINE_DUALS
from hierbench.learners.net_kernels.infinite_width import RIDGES, InfiniteWidthKernel
from hierbench.learners.net_kernels.ntk_dual import depth_axis
from hierbench.learners.parameters import not_negative

ACTIVATIONS = tuple(COSINE_DUALS)
BIASES = Axis("bias", (0.0, 0.3, 1.0, 3.0), (0, 2))
HOMOGENEITIES = Axis("homogeneity", (0.0, 1.0, 2.0, 4.0), (1, 3))


@dataclasses.dataclass(frozen=True)
class CompositionalKernel(InfiniteWidthKernel):
    """shape = (depth, bias, homogeneity, activation)."""

    activations: tuple[str, ...]
    intercept: float

    def block(self, s: Tensor, a: Tensor, b: Tensor, shape: tuple[float, ...]) -> Tensor:
        """Compute the kernel of a block (see the base)."""
        depth, bias, homogeneity, which = shape
        dual = COSINE_DUALS[self.activations[int(which)]]
        shift = bias**2
        # the norms are of a row and of a column: roots and powers are taken of vectors
        a, b = ((q + shift).sqrt().clamp_min(1e-150) for q in (a, b))
        c = ((s + shift) / a).div_(b).clamp_(-1.0, 1.0)
        for _ in range(int(depth)):
            c = dual(c)
        return (c * a**homogeneity).mul_(b**homogeneity)


class CompositionalKernelRegressor(KernelRegressor):
    r"""Kernel ridge regression with a composition of normalised dual activations.

    .. math::
        k(x, x') = (\|\tilde x\| \|\tilde x'\|)^\gamma \;
        \underbrace{\hat\sigma \circ \cdots \circ \hat\sigma}_{\text{depth}}
        \left( \frac{\tilde x \cdot \tilde x'}{\|\tilde x\| \|\tilde x'\|} \right),
        \qquad \tilde x = (x / \sqrt d, \text{bias})

    with the dual activation of ReLU (arc-cosine of order 1), the square, (1 + 2 c^2) / 3, the fourth
    power, (9 + 72 c^2 + 24 c^4) / 105, or the exponential, exp(c - 1): all are 1 at c = 1, so that any
    depth is well scaled. The kernels of V. Shankar et al., arXiv 2003.02237, for vectors instead of
    images: their convolutions and poolings have nothing to act on. They carry the norms through with
    gamma = 1; here gamma is tuned, as is the bias, which lets the cosine see the norms.

    Parameters
    ----------
    activation : None (tuned over all), ``"relu"``, ``"quadratic"``, ``"quartic"`` or ``"exponential"``.
    depth : None (tuned over 1..5), a number (fixed) or several (tried): compositions.
    bias, homogeneity : None (tuned), a number or several; homogeneity is gamma.
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
        homogeneity: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.bias = bias
        self.homogeneity = homogeneity
        self.ridge = ridge
        self.intercept = intercept
        self.device = device

    def _kernel(self) -> Kernel:
        tried: tuple[str, ...] = ACTIVATIONS
        if self.activation is not None:
            tried = (one_of("activation", self.activation, ACTIVATIONS),)
        return CompositionalKernel(tried, not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        tried = len(ACTIVATIONS) if self.activation is None else 1
        bias = BIASES.narrowed(self.bias)
        gamma = HOMOGENEITIES.narrowed(self.homogeneity)
        ridge = RIDGES.narrowed(self.ridge)
        which = Axis("activation", tuple(float(i) for i in range(tried)), tuple(range(tried)))
        return depth_axis(self.depth), bias, gamma, which, ridge
