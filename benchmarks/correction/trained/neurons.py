"""What single neurons compute, of nets and of the target, as functions that autograd can follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.nets.algorithm1_network import Algorithm1Network

if TYPE_CHECKING:
    from hierbench.targets.quadratic.projected import Projected

Levels = Callable[[Tensor], list[Tensor]]
"""``levels(X) -> [z_1, ..., z_L]``: X (n, d), z_l (n, width of level l) before the square."""


def net_levels(network: DenseNetwork, flat: np.ndarray) -> Levels:
    """Of one net: ``flat`` (n_parameters,), float64; inputs on the scale that it was trained on."""
    parts = network.parts(torch.from_numpy(np.ascontiguousarray(flat)))
    return lambda X: network.forward(parts, X).pre_activations


def estimator_levels(fitted: Any) -> Levels:
    """Of a fitted SGD learner, as functions of the raw inputs."""
    inner = net_levels(fitted.network_, fitted.parameters_)
    mean, scale = (torch.as_tensor(v) for v in (fitted.scaling_.x_mean, fitted.scaling_.x_scale))
    return lambda X: inner((X - mean) / scale)


def target_levels(target: Projected) -> Levels:
    """The true s_1, ..., s_L, each (n, k)."""
    weights = {key: torch.from_numpy(np.array(w)) for key, w in target.weight_matrices.items()}
    affine = {
        level: tuple(torch.tensor([e.value for e in v], dtype=torch.float64) for v in (c.mean, c.sd))
        for level, c in target.constants.levels.items()
    }

    def levels(X: Tensor) -> list[Tensor]:
        features, nodes = [X], []
        for level in range(1, target.depth + 1):
            s = sum(features[j] @ weights[level, j].T for j in range(level) if (level, j) in weights)
            assert isinstance(s, Tensor)
            mean, sd = affine[level]
            nodes.append(s)
            features.append((s.square() - mean) / sd)
        return nodes

    return levels


def target_output(target: Projected) -> Callable[[Tensor], Tensor]:
    """y(x) of the target, (n,)."""
    levels, constants = target_levels(target), target.constants

    def output(X: Tensor) -> Tensor:
        y = X.new_zeros(len(X))
        for level, s in enumerate(levels(X), start=1):
            if level in target.alphas:
                c = constants.levels[level]
                mean, sd = (torch.tensor([e.value for e in v], dtype=torch.float64) for v in (c.mean, c.sd))
                factor = target.alphas[level] / (c.sum_sd.value * constants.scale.value)
                y = y + factor * ((s.square() - mean) / sd).sum(dim=1)
        return y

    return output


def contributions(fitted_levels: Levels, weights: list[np.ndarray], X: np.ndarray) -> list[np.ndarray]:
    """Standard deviation of what every neuron adds to the output, level by level.

    Parameters
    ----------
    weights : arrays of shape (width,)
        Read-outs of z^2, level by level.
    X : array of shape (n, d)
    """
    with torch.no_grad():
        squares = [z.square().numpy() for z in fitted_levels(torch.from_numpy(X))]
    return [np.abs(a) * s.std(axis=0) for a, s in zip(weights, squares, strict=True)]


def readouts(network: DenseNetwork, flat: np.ndarray) -> list[np.ndarray]:
    """Factor of every neuron's square in the output, level by level, up to one constant."""
    parts = network.parts(flat)
    if isinstance(network, Algorithm1Network):
        return [np.full(network.width, parts[-2][i, 0]) for i in range(network.depth)]
    return [parts[-1 - network.depth + i][:, 0] for i in range(network.depth)]


def level1_form(network: DenseNetwork, flat: np.ndarray) -> np.ndarray:
    """sum_j a_j w_j w_j^T of level 1, (d, d), on the scale of the net's inputs."""
    W = network.parts(flat)[0][: network.d]
    if isinstance(network, Algorithm1Network):
        W = W[:, network.narrow[0] :]
    return np.asarray((W * readouts(network, flat)[0]) @ W.T)
