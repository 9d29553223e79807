"""How the network is trained: stages, each with a number of blocks, and the steps of one of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hierbench.errors import refusal
from hierbench.learners.convolutional.descent import OPTIMIZERS, Descent
from hierbench.learners.convolutional.network import ConvResNet, exact_convolutions, layout
from hierbench.learners.parameters import is_integer

TRAININGS = ("end_to_end", "layerwise", "bfc", "grown")
BUDGETS = ("total", "each")
ROWS = 512
"""Rows that are taken at once where nothing is trained."""
WARM_UP = 0.05
"""Share of a stage's steps in which the rate rises to its peak: deep nets diverge at it from the start."""

Perturb = Callable[[Tensor, Tensor], Tensor]
"""Of images (rows, ...) and labels (rows,) to images; may set the network's modes."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Training of the net's first ``blocks`` blocks by the head of the last, those below ``lowest`` frozen.

    Attributes
    ----------
    blocks, lowest : int
        Numbers of blocks, from 1.
    steps : int
    """

    blocks: int
    lowest: int
    steps: int

    def flops(self, of_parts: Sequence[float], n: int, rows: int) -> float:
        """Operations on n images with so many rows a minibatch: a backward pass costs twice a forward one."""
        frozen, trained = of_parts[: self.lowest - 1], of_parts[self.lowest - 1 : self.blocks]
        used = self.steps * rows
        return min(n, used) * sum(frozen) + 3.0 * used * sum(trained)

    def kept(self, n: int, rows: int) -> int:
        """Block whose outputs are computed once for all n images: the last frozen one, or 0 for none.

        Where the minibatches have fewer rows in all, what is frozen is computed for these.
        """
        return self.lowest - 1 if self.steps * rows > n else 0


def sizes_of_stages(training: str, growth: Any, n_blocks: int) -> tuple[int, ...]:
    """Give the number of blocks in each stage.

    Raises
    ------
    ValueError
        ``growth`` is neither None nor a sequence of numbers of blocks none of which is below the last.
    """
    if training == "end_to_end":
        if growth is not None:
            raise ValueError(refusal("growth", growth, "a value of None where training = 'end_to_end'"))
        return (n_blocks,)
    if growth is None:
        return tuple(range(1, n_blocks + 1))
    values = list(growth) if isinstance(growth, Sequence) and not isinstance(growth, str) else []
    whole = all(is_integer(blocks) and 1 <= blocks <= n_blocks for blocks in values)
    if not values or not whole or sorted(values) != values:
        raise ValueError(refusal("growth", growth, f"integers from 1 to {n_blocks}, none below the last one"))
    return tuple(int(blocks) for blocks in values)


def stages(sizes: Sequence[int], unfrozen: int | None, budget: str, steps: int) -> list[Stage]:
    """List the stages: of the blocks that were there before, the last ``unfrozen`` (None: all) go on.

    ``steps`` are those of all stages together (budget "total", as even as may be) or of each.
    """
    ends = [steps * (k + 1) // len(sizes) for k in range(len(sizes))]
    made, before, end_before = [], 0, 0
    for blocks, end in zip(sizes, ends, strict=True):
        newest = min(before + 1, blocks)
        lowest = 1 if unfrozen is None else max(1, newest - unfrozen)
        made.append(Stage(blocks, lowest, steps if budget == "each" else end - end_before))
        before, end_before = blocks, end
    return made


def rows_of_minibatch(n: int, size: int) -> int:
    """Limit the rows of a minibatch to those that there are; of one row it has two, for batch norm."""
    return max(2, min(size, n))


def minibatches(n: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Give the rows of minibatches without end, from one shuffled epoch after another."""
    size = rows_of_minibatch(n, size)
    rows = rng.permutation(n)
    while True:
        while len(rows) < size:
            rows = np.concatenate([rows, rng.permutation(n)])
        yield rows[:size]
        rows = rows[size:]


def rate_at(step: int, steps: int) -> float:
    """Share of the peak rate at a step, from 0: a linear rise, and half a cosine down to 0 over all steps."""
    return min(1.0, (step + 1) / (WARM_UP * steps)) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def train(
    network: ConvResNet,
    plan: Sequence[Stage],
    descent: Descent,
    images: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
    after_stage: Callable[[int], None] | None = None,
    done: int = 0,
    perturb: Perturb | None = None,
) -> float:
    """Train through all stages, in place; return the last minibatch's loss, or what was not finite before.

    Parameters
    ----------
    images, labels : tensors (n, ...) and (n,), on the network's device
    rng : Generator
        Of the minibatches.
    after_stage : callable, optional
        Called with 0 before the first stage, and with the number of each stage behind it.
    done : int
        Stages that the network has behind it; their minibatches are passed over.
    perturb : callable, optional
        Gives the images that are trained on, from those of a minibatch and their labels.
    """
    batches = minibatches(len(images), descent.batch_size, rng)
    loss = math.nan
    if after_stage is not None and not done:
        after_stage(0)
    for _ in range(sum(stage.steps for stage in plan[:done])):
        next(batches)
    for number, stage in enumerate(plan[done:], done + 1):
        loss = _train_stage(network, stage, descent, images, labels, batches, perturb)
        if after_stage is not None:
            after_stage(number)
        if not math.isfinite(loss):
            break
    network.eval().requires_grad_(False)
    return loss


@exact_convolutions()
def _train_stage(
    network: ConvResNet,
    stage: Stage,
    descent: Descent,
    images: Tensor,
    labels: Tensor,
    batches: Iterator[np.ndarray],
    perturb: Perturb | None,
) -> float:
    parameters = network.train_only(stage.lowest, stage.blocks)
    kept = stage.kept(len(images), rows_of_minibatch(len(images), descent.batch_size))
    below = 0 if perturb is not None else kept
    inputs = _outputs(network, images, below) if below else images
    optimizer = OPTIMIZERS[descent.optimizer](parameters, descent)
    loss = torch.zeros(())
    for step in range(stage.steps):
        rows = torch.from_numpy(next(batches)).to(images.device, non_blocking=True)
        batch, truth = inputs[rows], labels[rows]
        if perturb is not None:
            batch = perturb(batch, truth)
            network.train_only(stage.lowest, stage.blocks)
        loss = functional.cross_entropy(network(batch, stage.blocks, below), truth)
        gradients = torch.autograd.grad(loss, parameters)
        optimizer.step(gradients, descent.learning_rate * rate_at(step, stage.steps))
    return float(loss.detach())


@torch.no_grad()
def _outputs(network: ConvResNet, images: Tensor, block: int) -> Tensor:
    """Outputs of a frozen block for all images: once a stage, not at every step."""
    outputs = torch.empty(0)
    for first in range(0, len(images), ROWS):
        *_, last = network.streams(images[first : first + ROWS], block)
        if not first:
            shape = (len(images), *last.shape[1:])
            outputs = torch.empty(shape, dtype=last.dtype, device=last.device, memory_format=layout(last))
        outputs[first : first + ROWS] = last
    return outputs
