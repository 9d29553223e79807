r"""Where minibatches come from: shuffled epochs of a training set, or fresh samples.

The order of an epoch is a permutation that is computed entry by entry, wherever the entry is needed: the
swap-or-not shuffle (V. T. Hoang, B. Morris, P. Rogaway, *An enciphering scheme based on a card shuffle*,
CRYPTO 2012). Round r of an epoch has a random K_r in 0..n-1; rows x and K_r - x mod n are partners, and
one random bit of the pair says whether they change places. Random numbers are hashes of (key, epoch,
round, pair), with the finaliser of MurmurHash3. So nothing is stored, sorted or sent to a device, and n
need not be known when this is compiled.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from hierbench.learners.engines import compiling

ROUNDS = 16
"""Of the shuffle."""
CHUNK = 64
"""Steps whose minibatches are drawn together."""
LONGEST = 1 << 32
"""Rows of all minibatches of a training: positions are 32-bit numbers."""

Sampler = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""``sampler(n, rng) -> X, y``: fresh samples, for one pass over the data."""

Known = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class ShuffledEpochs:
    """Rows of a fixed training set, X (n, d) and y (n,), in a random order of their own each epoch."""

    X: np.ndarray
    y: np.ndarray

    def minus(self, known: Known) -> ShuffledEpochs:
        """Return the same rows with a fixed function of x taken from y."""
        return ShuffledEpochs(self.X, self.y - known(self.X))


@dataclasses.dataclass(frozen=True, eq=False)
class FreshSamples:
    """Rows that are never seen twice, drawn from a sampler and put on the net's scale."""

    sampler: Sampler
    scale: Callable[..., tuple[np.ndarray, np.ndarray]]

    def take(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw the next n rows: X (n, d) and y (n,)."""
        return self.scale(*self.sampler(n, rng))

    def minus(self, known: Known) -> FreshSamples:
        """Return the same samples with a fixed function of x taken from y."""

        def less(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            X, y = self.scale(X, y)
            return X, y - known(X)

        return FreshSamples(self.sampler, less)


Source = ShuffledEpochs | FreshSamples
"""Where one net's minibatches come from."""


def _mixed(x: Any) -> Any:
    """Finaliser of MurmurHash3 (A. Appleby, public domain), on uint32."""
    x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


@functools.cache
def orders() -> Callable[..., Any]:
    """Compile ``rows(keys, n, first, start, like)``: what stands at some positions of each net's epochs.

    keys : (n_nets, 2) uint32; n : (n_nets,) uint32; first : (n_nets,) int32, the first of a net's n rows;
    start : the first position, uint32; like : (count,) array, read for its length only. Returns (n_nets,
    count) int32.
    """
    # jax starts slowly
    import jax
    import jax.numpy as jnp
    from jax import lax

    compiling.count()

    def rows(key: Any, n: Any, first: Any, start: Any, like: Any) -> Any:
        at = start + jnp.arange(len(like), dtype=jnp.uint32)
        epoch, x = at // n, at % n
        seed = _mixed(key[0] ^ _mixed(epoch ^ key[1]))
        share = n.astype(jnp.float32) * np.float32(2.0**-24)

        def swap(r: Any, x: Any) -> Any:
            k = _mixed(seed + r.astype(jnp.uint32) * np.uint32(0x9E3779B9))
            K = jnp.minimum(((k >> 8).astype(jnp.float32) * share).astype(jnp.uint32), n - 1)
            partner = K + n - x
            partner = jnp.where(partner >= n, partner - n, partner)
            bit = _mixed(jnp.maximum(x, partner) ^ k) & 1
            return jnp.where(bit == 1, partner, x)

        return first + lax.fori_loop(0, ROUNDS, swap, x).astype(jnp.int32)

    return jax.jit(jax.vmap(rows, in_axes=(0, 0, 0, None, None)))
