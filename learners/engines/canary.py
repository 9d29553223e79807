"""Whether jax, compiled, computes right sums here: some of its releases do not, on CPU, at some sizes.

What a step of SGD sums (``hierbench.learners.engines.sgd_program``) is summed here for one level of a net,
with the slopes written out, in the groups, widths and batches that the engine compiles; NumPy sums the same
in float64. A whole step takes seconds to compile, these sums a third of one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hierbench.learners.engines.network import DenseNetwork

BATCH = 256
TOLERANCE = 1e-4
"""Relative to the root mean square of what is right: rounding makes up to 1e-5, a row of 256 less 4e-3."""


class Shape(NamedTuple):
    """Quadratic DenseNets that are summed for: how many at once, inputs, neurons of level 1, levels."""

    nets: int
    d: int
    width: int
    depth: int

    @property
    def n_parameters(self) -> int:
        """Count the parameters of a net, over which its gradient's norm is summed."""
        above = max(24, 3 * self.d // 2)
        return DenseNetwork(self.d, self.depth, above, first_width=self.width).n_parameters


SHAPES = (
    Shape(4, 8, 24, 2),  # the narrowest: d = 6 and 8
    Shape(4, 32, 4096, 2),  # the widest: 4 d (d + 1) neurons of level 1, at most 4096
    Shape(1, 96, 144, 4),
)
"""Ends of what suites ask for: d from 6 to 96, filled up to multiples of eight, width 3 d / 2 or more."""


class Sums(NamedTuple):
    """Of every net, and of all: what stands in front of them is an axis of nets.

    square, logistic : the losses, means over the batch; bias : (width,), weights : (d, width), slopes of
    the square loss, sums over the batch; norm : of a vector of all parameters; nets : the square loss, summed
    over the nets.
    """

    square: Any
    logistic: Any
    bias: Any
    weights: Any
    norm: Any
    nets: Any


@functools.cache
def compiled() -> Callable[..., Sums]:
    """Compile the sums: f(*arrays)."""
    # jax starts slowly
    import jax
    import jax.numpy as jnp

    def one(X: Any, y: Any, W: Any, b: Any, a: Any, flat: Any) -> tuple[Any, ...]:
        z = b + X @ W
        out = (0.5 * (z * z - 1.0) @ a)[:, 0]
        missed = out - y
        back = (2.0 / BATCH) * missed[:, None] * a.T * z
        losses = jnp.mean(jnp.square(missed)), jnp.mean(jax.nn.softplus(-out * y))
        return *losses, jnp.sum(back, axis=0), X.T @ back, jnp.sqrt(jnp.sum(jnp.square(flat)))

    def sums(*arrays: Any) -> Sums:
        square, logistic, bias, weights, norm = jax.vmap(one)(*arrays)
        return Sums(square, logistic, bias, weights, norm, jnp.sum(square))

    return jax.jit(sums)


def expected(X: Any, y: Any, W: Any, b: Any, a: Any, flat: Any) -> Sums:
    """Sum with NumPy in float64; each array with an axis of nets in front."""
    X, y, W, b, a, flat = (np.asarray(array, dtype=np.float64) for array in (X, y, W, b, a, flat))
    z = b + X @ W
    out = (0.5 * (z * z - 1.0) @ a)[..., 0]
    missed = out - y
    back = 2.0 / BATCH * missed[..., None] * np.swapaxes(a, 1, 2) * z
    square, logistic = (missed**2).mean(1), np.logaddexp(0.0, -out * y).mean(1)
    return Sums(square, logistic, back.sum(1), np.swapaxes(X, 1, 2) @ back, np.linalg.norm(flat, axis=1),
                square.sum())  # fmt: skip


def arrays(shape: Shape) -> tuple[np.ndarray, ...]:
    """Draw a minibatch and parameters, float32: X, y, W, b, a, flat."""
    rng = np.random.default_rng(0)
    nets, d, width, _ = shape
    sizes = ((BATCH, d), (BATCH,), (d, width), (1, width), (width, 1), (shape.n_parameters,))
    X, y, W, b, a, flat = (rng.standard_normal((nets, *size), dtype=np.float32) for size in sizes)
    return X, np.sign(y), W / np.float32(d**0.5), b, a / np.float32(width**0.5), flat


def differences(shape: Shape) -> dict[str, float]:
    """Relative differences between the sums of jax and of NumPy, the largest of all nets, by their names."""
    # jax starts slowly
    import jax

    inputs = arrays(shape)
    with jax.default_matmul_precision("highest"):
        found = compiled()(*inputs)
    return {
        name: _relative(np.asarray(ours, dtype=np.float64), theirs)
        for name, ours, theirs in zip(Sums._fields, found, expected(*inputs), strict=True)
    }


def _relative(found: np.ndarray, right: np.ndarray) -> float:
    """Return the largest difference of a net over its root mean square; infinite where it is no number."""
    rows = (len(right), -1) if right.ndim else (1, 1)
    found, right = found.reshape(rows), right.reshape(rows)
    scale = np.sqrt(np.square(right).mean(1, keepdims=True))
    worst = float((np.abs(found - right) / scale).max())
    return worst if np.isfinite(worst) else np.inf


def wrong_sums() -> str | None:
    """Say which sum is wrong here, and at which shape; None where all are right."""
    for shape in SHAPES:
        for name, difference in differences(shape).items():
            if difference > TOLERANCE:
                nets, d, width, depth = shape
                return f"{name}: {nets} nets, d = {d}, width {width}, depth {depth}, off by {difference:.0e}"
    return None
