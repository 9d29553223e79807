"""A convolutional ResNet trained on perturbed minibatches, and what its units see."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hierbench.benchmarks.correction.trained.ascent import attack
from hierbench.learners.convolutional.descent import Descent
from hierbench.learners.convolutional.network import ConvResNet, Head, ResidualBlock, pooled
from hierbench.learners.convolutional.stages import Stage, train

Rows = Callable[[Tensor], Tensor]
"""Of shapes (n, d) -> (n,), row by row."""


def train_adversarially(
    network: ConvResNet,
    descent: Descent,
    steps: int,
    images: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
    radius: float,
    attack_steps: int,
    noise: np.random.Generator,
) -> None:
    r"""Train end to end, in place, on minibatches that are moved within \|delta\|_2 <= radius first.

    The training of Madry et al. (arXiv 1706.06083): each image is moved by projected gradient ascent on its
    cross-entropy and keeps its label. The net that is attacked has batch norm by running statistics, as it
    predicts. With a radius of 0 this is the training of ``ConvResNetClassifier``.

    Parameters
    ----------
    images, labels : tensors (n, ...) and (n,)
    rng, noise : Generator
        Of the minibatches, and of where the attacks begin.
    radius : float
        In the units of the images.
    """

    def perturb(batch: Tensor, truth: Tensor) -> Tensor:
        network.eval()
        return batch + perturbation(network, batch, truth, radius, attack_steps, noise)

    whole = Stage(len(network.blocks), 1, steps)
    train(network, [whole], descent, images, labels, rng, perturb=perturb if radius > 0 else None)


def perturbation(
    network: ConvResNet, images: Tensor, labels: Tensor, radius: float, steps: int, rng: np.random.Generator
) -> Tensor:
    """What ``attack`` adds to images (n, ...) to raise the cross-entropy of their labels (n,)."""

    def loss(moved: Tensor) -> Tensor:
        scores = network(moved.reshape(images.shape), len(network.blocks))
        return functional.cross_entropy(scores, labels, reduction="none")

    rows = images.flatten(1)
    start = torch.from_numpy(rng.standard_normal(rows.shape)).to(rows)
    return attack(loss, rows, radius, steps, start).reshape(images.shape)


def unit_activations(network: ConvResNet, images: Tensor) -> list[Tensor]:
    """Activations of the units that are looked at, on images (n, ...).

    Returns
    -------
    list of tensors (n, units)
        The logits of the last head, and for each block, the lowest first, its channels as the next layer
        reads them: behind its batch norm and ReLU, the mean over positions.
    """
    blocks, head = [cast(ResidualBlock, b) for b in network.blocks], cast(Head, network.heads[-1])
    norms = [*(block.norm1 for block in blocks[1:]), head.norm]
    streams = network.streams(images, len(blocks))
    channels = [pooled(functional.relu(norm(x))) for norm, x in zip(norms, streams, strict=True)]
    return [head.linear(channels[-1]), *channels]
