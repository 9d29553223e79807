"""The network that the SGD learners share: many independent nets as one batched model.

Forward and backward passes are written out (they are short, and twice as fast on a CPU as
recording them); a test holds them to automatic differentiation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ACTIVATIONS = ("power", "relu")
PREDICT_ROWS = 8192
"""Rows whose outputs are computed together."""


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
    """

    d: int
    depth: int
    width: int
    activation: str = "power"
    power: int = 2
    truncation: float = 30.0
    skips: tuple[tuple[int, ...], ...] | None = None
    top_readout: bool = False

    def reads(self, level: int) -> Sequence[int]:
        """Return the levels that ``level`` reads, 0 being x."""
        return range(level) if self.skips is None else self.skips[level - 1]

    def read_out(self) -> Sequence[int]:
        """Return the levels that the output reads."""
        return (self.depth,) if self.top_readout else range(self.depth + 1)

    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the parameters of one net, in the order they are stored."""
        sizes = [self.d] + [self.width] * self.depth
        shapes: list[tuple[int, ...]] = []
        for level in range(1, self.depth + 1):
            shapes.extend((sizes[j], self.width) for j in self.reads(level))
            shapes.append((1, self.width))
        shapes.extend((sizes[j], 1) for j in self.read_out())
        shapes.append((1, 1))
        return shapes

    def _position(self, level: int) -> int:
        """Where the parameters of ``level`` begin in ``shapes()``; L + 1 is the read-out."""
        return sum(len(self.reads(lower)) + 1 for lower in range(1, level))

    @property
    def n_parameters(self) -> int:
        """Count the parameters of one net."""
        return sum(math.prod(s) for s in self.shapes())

    def flops_per_sample(self) -> float:
        """Multiply-adds of one forward pass, times two."""
        return 2.0 * self.n_parameters

    def floats_per_sample(self) -> int:
        """Numbers that the two passes keep for a sample, about."""
        return self.d + 4 * self.depth * self.width

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

    def trainable(self, lowest: int, all_readouts: bool) -> np.ndarray:
        """Which parameters move when the levels below ``lowest`` are frozen, (n_parameters,) bool.

        The read-outs of frozen levels, and of x once there are any, move only if ``all_readouts``; c
        always does.
        """
        everything = all_readouts or lowest == 1
        flags: list[bool] = []
        for level in range(1, self.depth + 1):
            flags.extend([level >= lowest] * (len(self.reads(level)) + 1))
        flags.extend(everything or level >= lowest for level in range(self.depth + 1))
        flags.append(True)
        return np.concatenate(
            [np.full(math.prod(s), flag) for s, flag in zip(self.shapes(), flags, strict=True)]
        )

    # passes ------------------------------------------------------------------------------

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Flat float64 parameters of one net: weights N(0, 1/fan-in), read-outs small."""
        parts = []
        sizes = [self.d] + [self.width] * self.depth
        for level in range(1, self.depth + 1):
            fan_in = sum(sizes[j] for j in self.reads(level))
            for j in self.reads(level):
                parts.append(rng.standard_normal(sizes[j] * self.width) / math.sqrt(fan_in))
            bias = 0.1 if self.activation == "relu" else 0.0
            parts.append(bias * rng.standard_normal(self.width))
        features = sum(sizes[j] for j in self.read_out())
        parts.append(rng.standard_normal(features) * (0.1 / math.sqrt(features)))
        parts.append(np.zeros(1))
        return np.concatenate(parts)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the parameters as views of ``flat``, shape (n_nets, n_parameters)."""
        views, start = [], 0
        for shape in self.shapes():
            stop = start + math.prod(shape)
            views.append(flat[:, start:stop].unflatten(1, shape))
            start = stop
        return views

    def _activate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """phi(z) and phi'(z)."""
        if self.activation == "relu":
            # centred and scaled like the powers, so that depth and width mean the same
            gate = (z > 0).to(z.dtype)
            scale = 1.0 / math.sqrt(0.5 - 0.5 / math.pi)
            return (z * gate - 1.0 / math.sqrt(2.0 * math.pi)).mul_(scale), gate.mul_(scale)
        power = self.power
        mean = gaussian_moment(power)
        sd = math.sqrt(gaussian_moment(2 * power) - mean**2)
        inner = z.clamp(-self.truncation, self.truncation)
        if power == 2:
            h = torch.sub(z, inner, alpha=0.5).mul_(inner).mul_(2.0 / sd).sub_(mean / sd)
            return h, inner.mul_(2.0 / sd)
        slope = inner.pow(power - 1)
        # the power inside, its tangent outside
        h = torch.addcmul(slope * inner, z - inner, slope, value=power).sub_(mean).div_(sd)
        return h, slope.mul_(power / sd)

    def forward(self, views: Sequence[Tensor], X: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Compute the outputs (n_nets, n, 1), features h_0..h_L and slopes phi'(z_1)..phi'(z_L)."""
        features, slopes, position = [X], [], 0
        for level in range(1, self.depth + 1):
            first, *others = self.reads(level)
            bias = views[position + 1 + len(others)]
            z = torch.baddbmm(bias, features[first], views[position])
            for i, j in enumerate(others, position + 1):
                z.baddbmm_(features[j], views[i])
            h, slope = self._activate(z)
            features.append(h)
            slopes.append(slope)
            position += len(others) + 2
        # as a row times a matrix: torch multiplies a matrix by one column net by net
        first, *others = self.read_out()
        row = torch.baddbmm(views[-1], views[position].mT, features[first].mT)
        for i, j in enumerate(others, position + 1):
            row.baddbmm_(views[i].mT, features[j].mT)
        return row.mT.contiguous(), features, slopes

    def backward(
        self,
        views: Sequence[Tensor],
        gradients: Sequence[Tensor],
        error: Tensor,
        features: Sequence[Tensor],
        slopes: Sequence[Tensor],
        lowest: int = 1,
    ) -> None:
        """Write d(sum of outputs * error)/d(parameters) into ``gradients``.

        Levels below ``lowest`` are frozen: their gradients are left as they are.
        """
        readout = self._position(self.depth + 1)
        torch.sum(error, dim=1, keepdim=True, out=gradients[-1])
        inner: dict[int, Tensor] = {}
        for i, level in enumerate(self.read_out(), readout):
            gradients[i].mT.copy_(torch.bmm(error.mT, features[level]))
            if level >= lowest:
                inner[level] = error * views[i].mT
        for level in range(self.depth, lowest - 1, -1):
            position, reads = self._position(level), self.reads(level)
            bias = position + len(reads)
            if level not in inner:  # nothing reads this level
                for unused in gradients[position : bias + 1]:
                    unused.zero_()
                continue
            dz = inner.pop(level).mul_(slopes[level - 1])
            for i, j in enumerate(reads, position):
                torch.bmm(features[j].mT, dz, out=gradients[i])
                if j < lowest:
                    continue
                if j in inner:
                    inner[j].baddbmm_(dz, views[i].mT)
                else:
                    inner[j] = torch.bmm(dz, views[i].mT)
            torch.sum(dz, dim=1, keepdim=True, out=gradients[bias])


def outputs_of(network: DenseNetwork, parameters: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute the outputs (n,) of one net on scaled inputs, in float64 and bounded memory."""
    X = X.astype(np.float64, copy=False)
    views = network.views(torch.from_numpy(parameters[None]))
    parts = [
        network.forward(views, torch.from_numpy(X[i : i + PREDICT_ROWS])[None])[0][0, :, 0].numpy()
        for i in range(0, len(X), PREDICT_ROWS)
    ]
    return np.concatenate(parts)
