"""The networks that the SGD learners share, as pure functions of their parameters.

A pass is written once, in operations that numpy, jax and torch arrays have alike: jax trains it, numpy
predicts with it in float64, torch follows it in tests and experiments.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

ACTIVATIONS = ("power", "relu")
_RELU_MEAN = 1.0 / math.sqrt(2.0 * math.pi)
_RELU_SCALE = 1.0 / math.sqrt(0.5 - 0.5 / math.pi)
PREDICT_ROWS = 8192
"""Rows whose outputs are computed together."""


Array = Any
"""An array of numpy, jax or torch."""


class Passed(NamedTuple):
    """What a net computes on its way to the output.

    output : (n, 1); features : x, h_1, ..., h_L; pre_activations : z_1, ..., z_L. Each (n, size).
    """

    output: Array
    features: list[Array]
    pre_activations: list[Array]


def gaussian_moment(power: int) -> float:
    """E z^power for z ~ N(0, 1): (power - 1)!! for even powers, 0 for odd ones."""
    return float(math.prod(range(power - 1, 0, -2))) if power % 2 == 0 else 0.0


@dataclasses.dataclass(frozen=True)
class DenseNetwork:
    r"""Densely connected network with one read-out over all levels.

    .. math::
        z_l = b_l + x W_{l,0} + \sum_{1 \le j < l} h_j W_{l,j}, \qquad h_l = \phi(z_l), \qquad
        f = c + x a_0 + \sum_l h_l a_l

    With ``phi`` the centred square this is the plain form of the quadratic DenseNet of
    Allen-Zhu & Li (arXiv 2001.04413); depth 1 is a two-layer net. ``skips`` leaves out some of
    the :math:`W_{l,j}`, ``top_readout`` all read-outs but :math:`a_L`; together they make a
    multilayer perceptron.

    Parameters
    ----------
    d, depth, width : int
    activation : one of ``ACTIVATIONS``, centred and scaled to unit variance on a standard Gaussian
    power : int
        Exponent of the activation ``"power"``, continued linearly where \|z\| > ``truncation``.
    truncation : float
        Where the power's tangent takes over: the smooth truncation of the paper, far out.
    skips : tuple of tuple of int, optional
        What levels 1, ..., L read, 0 being x, in increasing order; None is all lower levels.
    top_readout : bool
        Read out the last level only.
    first_width : int, optional
        Neurons of level 1, where they are others than those of the levels above.
    """

    d: int
    depth: int
    width: int
    activation: str = "power"
    power: int = 2
    truncation: float = 30.0
    skips: tuple[tuple[int, ...], ...] | None = None
    top_readout: bool = False
    first_width: int | None = None

    def reads(self, level: int) -> Sequence[int]:
        """Return the levels that ``level`` reads, 0 being x."""
        return range(level) if self.skips is None else self.skips[level - 1]

    def sizes(self) -> list[int]:
        """Coordinates of x and of each level."""
        return [self.d, self.first_width or self.width, *[self.width] * (self.depth - 1)]

    def read_out(self) -> Sequence[int]:
        """Return the levels that the output reads."""
        return (self.depth,) if self.top_readout else range(self.depth + 1)

    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the parameters of one net, in the order they are stored."""
        sizes = self.sizes()
        shapes: list[tuple[int, ...]] = []
        for level in range(1, self.depth + 1):
            shapes.extend((sizes[j], sizes[level]) for j in self.reads(level))
            shapes.append((1, sizes[level]))
        shapes.extend((sizes[j], 1) for j in self.read_out())
        shapes.append((1, 1))
        return shapes

    @property
    def n_parameters(self) -> int:
        """Count the parameters of one net."""
        return sum(math.prod(s) for s in self.shapes())

    def flops_per_sample(self) -> float:
        """Multiply-adds of one forward pass, times two."""
        return 2.0 * self.n_parameters

    def floats_per_sample(self) -> int:
        """Numbers that the two passes keep for a sample, about."""
        return self.d + 4 * sum(self.sizes()[1:])

    # growth, level by level --------------------------------------------------------------

    def first_levels(self, depth: int) -> DenseNetwork:
        """Return the network of the lowest ``depth`` levels."""
        skips = None if self.skips is None else self.skips[:depth]
        return dataclasses.replace(self, depth=depth, skips=skips)

    def _sizes(self) -> tuple[int, list[int]]:
        """Count the parameters that feed the levels, and of each read-out x, 1, ..., L, c."""
        sizes = [math.prod(s) for s in self.shapes()]
        readouts = self.depth + 2
        return sum(sizes[:-readouts]), sizes[-readouts:]

    def restrict(self, flat: np.ndarray, depth: int) -> np.ndarray:
        """Of parameters (n_nets, n_parameters) those of the first ``depth`` levels."""
        feeding, readouts = self._sizes()
        lower, _ = self.first_levels(depth)._sizes()
        kept = sum(readouts[: depth + 1])
        return np.concatenate([flat[:, :lower], flat[:, feeding : feeding + kept], flat[:, -1:]], axis=1)

    def grow(self, lower: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """Parameters with the lower levels taken from ``lower`` and the top one from ``fresh``.

        lower : of ``first_levels(depth - 1)``; fresh : of this network.
        """
        below = self.first_levels(self.depth - 1)
        inner, readouts = below._sizes()
        feeding, _ = self._sizes()
        kept = sum(readouts[:-1])
        grown = fresh.copy()
        grown[:, :inner] = lower[:, :inner]
        grown[:, feeding : feeding + kept] = lower[:, inner : inner + kept]
        grown[:, -1] = lower[:, -1]
        return grown

    def upper_part(self, flat: np.ndarray, level: int) -> np.ndarray:
        """Return the same parameters with only the levels above ``level`` read out, and no c."""
        feeding, readouts = self._sizes()
        upper = flat.copy()
        upper[:, feeding : feeding + sum(readouts[: level + 1])] = 0.0
        upper[:, -1] = 0.0
        return upper

    def trained(self) -> tuple[bool, ...]:
        """Which parts move when everything is trained."""
        return (True,) * len(self.shapes())

    def reads_x(self) -> tuple[bool, ...]:
        """Which parts have rows for x: these come first."""
        levels = (level for level in range(1, self.depth + 1))
        flags = [flag for level in levels for flag in (*(j == 0 for j in self.reads(level)), False)]
        return (*flags, *(j == 0 for j in self.read_out()), False)

    def decayed(self) -> tuple[bool, ...]:
        """Which parts the weight decay shrinks."""
        return (True,) * len(self.shapes())

    def trainable(self, lowest: int, all_readouts: bool) -> tuple[bool, ...]:
        """Which parts move when the levels below ``lowest`` are frozen.

        The read-outs of frozen levels, and of x once there are any, move only if ``all_readouts``; c
        always does.
        """
        everything = all_readouts or lowest == 1
        flags: list[bool] = []
        for level in range(1, self.depth + 1):
            flags.extend([level >= lowest] * (len(self.reads(level)) + 1))
        flags.extend(everything or level >= lowest for level in range(self.depth + 1))
        return (*flags, True)

    # passes ------------------------------------------------------------------------------

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Flat float64 parameters of one net: weights N(0, 1/fan-in), read-outs small."""
        parts = []
        sizes = self.sizes()
        for level in range(1, self.depth + 1):
            fan_in = sum(sizes[j] for j in self.reads(level))
            for j in self.reads(level):
                parts.append(rng.standard_normal(sizes[j] * sizes[level]) / math.sqrt(fan_in))
            bias = 0.1 if self.activation == "relu" else 0.0
            parts.append(bias * rng.standard_normal(sizes[level]))
        features = sum(sizes[j] for j in self.read_out())
        parts.append(rng.standard_normal(features) * (0.1 / math.sqrt(features)))
        parts.append(np.zeros(1))
        return np.concatenate(parts)

    def parts(self, flat: Array) -> list[Array]:
        """Return the parameters, in the order of ``shapes()``, from ``flat`` (..., n_parameters)."""
        return split(flat, self.shapes())

    def activate(self, z: Array) -> Array:
        """phi(z)."""
        if self.activation == "relu":
            return _RELU_SCALE * (z * (z > 0) - _RELU_MEAN)
        mean, sd = self._moments()
        inner = z.clip(-self.truncation, self.truncation)
        if self.power == 2:
            return ((2.0 * z - inner) * inner - mean) / sd
        # the power inside, its tangent outside
        slope = integer_power(inner, self.power - 1)
        return (slope * (inner + self.power * (z - inner)) - mean) / sd

    def slope(self, z: Array) -> Array:
        """phi'(z)."""
        if self.activation == "relu":
            return _RELU_SCALE * (z > 0)
        inner = z.clip(-self.truncation, self.truncation)
        return integer_power(inner, self.power - 1) * (self.power / self._moments()[1])

    def _moments(self) -> tuple[float, float]:
        """Mean and standard deviation of z^power, z standard Gaussian."""
        mean = gaussian_moment(self.power)
        return mean, math.sqrt(gaussian_moment(2 * self.power) - mean**2)

    def forward(self, parts: Sequence[Array], X: Array) -> Passed:
        """Compute the outputs for X (n, d), or with the same leading axes for parts and X, for many nets."""
        features, pre_activations, position = [X], [], 0
        for level in range(1, self.depth + 1):
            reads = self.reads(level)
            z = parts[position + len(reads)]
            for i, j in enumerate(reads, position):
                z = z + features[j] @ parts[i]
            pre_activations.append(z)
            features.append(self.activate(z))
            position += len(reads) + 1
        output = parts[-1]
        for i, j in enumerate(self.read_out(), position):
            output = output + features[j] @ parts[i]
        return Passed(output, features, pre_activations)

    def penalty(self, parts: Sequence[Array], weights: Array) -> Array:
        """Add to the loss, times ``weights`` (one a level); nothing here."""
        return 0.0


def integer_power(base: Array, exponent: int) -> Array:
    """Raise to a power >= 1 by squaring: NumPy takes 20 times as long for a cube."""
    left, result = exponent, None
    while True:
        if left % 2:
            result = base if result is None else result * base
        left //= 2
        if not left:
            assert result is not None
            return result
        base = base * base


def split(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Return the parts of these shapes, one behind the other, of ``flat`` (..., size)."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(flat[..., start:stop].reshape((*flat.shape[:-1], *shape)))
        start = stop
    return parts


def outputs_of(network: DenseNetwork, parameters: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute the outputs (n,) of one net on scaled inputs, in float64 and bounded memory."""
    X = X.astype(np.float64, copy=False)
    parts = network.parts(parameters)
    chunks = [
        network.forward(parts, X[i : i + PREDICT_ROWS]).output[:, 0] for i in range(0, len(X), PREDICT_ROWS)
    ]
    return np.concatenate(chunks)
