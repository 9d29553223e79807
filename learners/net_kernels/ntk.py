"""Kernel ridge regression with the neural tangent kernel of deep ReLU nets, tuned inside ``fit``."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hierbench.learners.engines import compiling
from hierbench.learners.engines.kernel_engine import Axis, Kernel
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.parameters import integers, not_negative

BLOCK = 256
"""Rows and columns of a block of the kernel matrix; one shape, so that jax compiles once for each d."""
RIDGES = Axis.geometric("ridge", 1e-10, 1e8, per_decade=2, scan=(1e-6, 1e2), every=4)
DEPTHS = Axis("depth", (1.0, 2.0, 3.0, 4.0, 5.0), (0, 2, 4))
BIASES = Axis("bias", (0.0, 0.1, 0.3, 1.0, 3.0), (1, 3))


@functools.cache
def _compiled_block() -> Callable[..., Any]:
    """NTK of a block of points, jitted once a process: f(A, B, depth, bias), depth and bias not static."""
    # jax and neural-tangents start slowly, and are imported at the first Gram matrix
    import jax

    from hierbench.learners.net_kernels.neural_tangents_compat import load

    compiling.count()
    stax = load().stax

    @jax.jit
    def block(A, B, depth, bias):
        # Width and readout play no part in the infinite-width limit: every layer is Dense(1).
        first = stax.Dense(1, W_std=math.sqrt(2), b_std=bias)[2]
        layer = stax.serial(stax.Relu(), stax.Dense(1, W_std=math.sqrt(2), b_std=bias))[2]
        return jax.lax.fori_loop(0, depth, lambda _, kernel: layer(kernel), first(A, B)).ntk

    return block


@dataclasses.dataclass(frozen=True)
class NeuralTangentKernel:
    """NTK(x, x') / NTK(x, x | |x|^2 = d) + c, of fully connected ReLU nets; shape = (depth, bias).

    float64 is switched on in jax for the duration of a call only.
    """

    intercept: float

    def gram(
        self, A: torch.Tensor, B: torch.Tensor | None, shape: tuple[float, ...], out: torch.Tensor
    ) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        # jax starts slowly
        import jax

        depth, bias = int(shape[0]), float(shape[1])
        rows = _padded_blocks(A.numpy())
        columns = rows if B is None else _padded_blocks(B.numpy())
        result = out.numpy()
        block = _compiled_block()
        # where the others compute: an accelerator that is there would show in no row
        processor = jax.local_devices(backend="cpu")[0]
        with jax.enable_x64(True), jax.default_device(processor):
            for i, (a, n_a) in enumerate(rows):
                for j, (b, n_b) in enumerate(columns[: i + 1] if B is None else columns):
                    part = np.asarray(block(a, b, depth, bias))[:n_a, :n_b]
                    result[i * BLOCK : i * BLOCK + n_a, j * BLOCK : j * BLOCK + n_b] = part
                    if B is None:
                        result[j * BLOCK : j * BLOCK + n_b, i * BLOCK : i * BLOCK + n_a] = part.T
        if B is None:
            # On the diagonal the angle is arccos of 1, where neural-tangents keeps seven digits only.
            out.diagonal().copy_(diagonal_ntk(A.square().mean(1), depth, bias))
        scale = float(diagonal_ntk(torch.ones(1, dtype=torch.float64), depth, bias))
        out.mul_(1 / scale).add_(self.intercept)

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        return 2 * n_features + 60 * shape[0]


def diagonal_ntk(mean_square: torch.Tensor, depth: int, bias: float) -> torch.Tensor:
    """NTK(x, x) with W_std = sqrt(2), where a ReLU layer keeps the variance: q <- q + b^2, t <- q + t.

    mean_square : |x|^2 / d.
    """
    q = 2 * mean_square + bias**2
    t = q.clone()
    for _ in range(depth):
        q = q + bias**2
        t = t + q
    return t


def _padded_blocks(X: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Blocks of ``BLOCK`` rows, the last one filled up with ones, and how many rows of each are real."""
    blocks = []
    for start in range(0, len(X), BLOCK):
        part = X[start : start + BLOCK]
        full = np.ones((BLOCK, X.shape[1]))
        full[: len(part)] = part
        blocks.append((full, len(part)))
    return blocks


class NTKRegressor(KernelRegressor):
    """Kernel ridge regression with the NTK of ReLU nets of infinite width: what lazy training would learn.

    With dense layers z = sqrt(2 / fan_in) W h + bias b, W and b standard normal and all trained,

        S_1(x, x') = 2 x.x' / d + bias^2                      T_1 = S_1
        S_{l+1}    = 2 E[relu(u) relu(v)] + bias^2            T_{l+1} = S_{l+1} + 2 T_l P(u > 0, v > 0)

    (u, v) ~ N(0, S_l), depth = number of ReLU layers. A. Jacot, F. Gabriel, C. Hongler, arXiv 1806.07572;
    computed with neural-tangents (R. Novak et al., arXiv 1912.02803), whose warnings about float32 do not
    apply: everything here is float64. The same machine gives the same bits, run after run.

    Parameters
    ----------
    depth : None (tuned over 1..5), a number (fixed) or several (tried): ReLU layers.
    bias : None (tuned), a number or several: standard deviation of the biases.
    ridge : None (tuned), a number or several. Absolute; the kernel is normalised to 1 where |x|^2 = d.
    intercept : variance of the constant added to the kernel.

    Raises
    ------
    ImportError
        From ``fit``, if jax or neural-tangents is missing or of a version that does not work.
    """

    def __init__(
        self,
        *,
        depth: int | Sequence[int] | None = None,
        bias: float | Sequence[float] | None = None,
        ridge: float | Sequence[float] | None = None,
        intercept: float = 1.0,
    ) -> None:
        self.depth = depth
        self.bias = bias
        self.ridge = ridge
        self.intercept = intercept

    def _kernel(self) -> Kernel:
        return NeuralTangentKernel(not_negative("intercept", self.intercept))

    def _axes(self) -> tuple[Axis, ...]:
        depth = DEPTHS if self.depth is None else Axis.listed("depth", integers("depth", self.depth, 1))
        bias = BIASES.narrowed(self.bias)
        ridge = RIDGES.narrowed(self.ridge)
        return depth, bias, ridge
