"""The pre-activation residual network, with a head on every block: PyTorch modules."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.learners.parameters import is_integer

RESOLUTIONS = 3
"""Each has a third of the blocks; from one to the next positions halve along every axis, channels double."""
DEEPEST = 110
LAYOUTS = {"cpu": torch.channels_last, "cuda": torch.contiguous_format}
"""Channels of a position lie side by side on a CPU: faster there (docs/performance.md), unmeasured on a GPU.

Batch norm adds float32 numbers up in another order than without it."""


def layout(x: Tensor) -> torch.memory_format:
    """Return how images, weights and outputs lie in memory where x is."""
    return LAYOUTS[x.device.type]


class ResidualBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))), two convolutions of three positions along every axis.

    A signal is an image of height 1, and ``kernel`` is (1, 3) on images of height 1.

    Where channels double, the skip takes every other position and new channels are zero there: it has no
    parameters. The block behind the stem activates x before skip and branch part.
    """

    def __init__(self, kernel: tuple[int, int], inside: int, outside: int, *, first: bool) -> None:
        super().__init__()
        self.first, self.halves, self.new = first, inside != outside, outside - inside
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv1 = _convolution(kernel, inside, outside, 2 if self.halves else 1)
        self.norm2 = nn.BatchNorm2d(outside)
        self.conv2 = _convolution(kernel, outside, outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inside, height, width) to (n, outside, ...)."""
        active = functional.relu(self.norm1(x))
        branch = self.conv2(functional.relu(self.norm2(self.conv1(active))))
        skip = active if self.first else x
        if self.halves:
            skip = skip[..., ::2, ::2].contiguous(memory_format=layout(skip))
            skip = functional.pad(skip, [0, 0, 0, 0, 0, self.new])
        return skip + branch


class Head(nn.Module):
    """Linear in the mean over positions of relu(norm(x))."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, ...) to scores (n, classes)."""
        scores: Tensor = self.linear(pooled(functional.relu(self.norm(x))))
        return scores


class ConvResNet(nn.Module):
    """A stem, 3 m residual blocks and a head on each of them; the scores are those of one head.

    Part l = 1..3 m is block l, and with l = 1 the stem. Batch norm starts as the identity up to the
    statistics of the batch, convolutions are drawn as by He et al. (arXiv 1502.01852), those of a head with
    variance 1 / channels. Parts are drawn one after another, each with its head, so that the first ones do
    not depend on which are trained, or how.

    Parameters
    ----------
    shape : (channels, length) or (channels, height, width)
        Of an image.
    classes : int
    depth : int
        6 m + 2: layers with weights from input to scores.
    width : int
        Channels of the first third of the blocks.
    rng : Generator
        Of the initial parameters; torch's own generator is not touched.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, depth: int, width: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.shape, each = shape, (depth - 2) // (2 * RESOLUTIONS)
        kernel = (3 if (1, *shape[1:])[-2] > 1 else 1, 3)
        channels = [width * 2**r for r in range(RESOLUTIONS) for _ in range(each)]
        with torch.random.fork_rng(devices=[]):  # torch draws initial parameters, which are not used
            self.stem = _convolution(kernel, shape[0], width)
            self.blocks = nn.ModuleList(
                ResidualBlock(kernel, inside, outside, first=i == 0)
                for i, (inside, outside) in enumerate(zip([width, *channels], channels, strict=False))
            )
            self.heads = nn.ModuleList(Head(c, classes) for c in channels)
        for part in range(1, len(channels) + 1):
            for module in [*self.part(part), self.heads[part - 1]]:
                _draw(module, rng)
        self.to("cpu")

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move it, in place, as PyTorch's modules are, and lay its weights out as is faster there."""
        super().to(*args, **kwargs)
        nn.utils.convert_conv2d_weight_memory_format(self, layout(self.stem.weight))
        return self

    def part(self, number: int) -> list[nn.Module]:
        """List the modules of a part."""
        block = self.blocks[number - 1]
        return [self.stem, block] if number == 1 else [block]

    def streams(self, x: Tensor, blocks: int, below: int = 0) -> Iterator[Tensor]:
        """Give the outputs (n, channels, height, width) of blocks below + 1 to ``blocks``, one after another.

        x are outputs of block ``below``, or images (n, channels, ...) where that is 0.
        """
        if not below:
            images = x.unsqueeze(2) if len(self.shape) == 2 else x
            x = self.stem(images.contiguous(memory_format=layout(images)))
        for block in self.blocks[below:blocks]:
            x = block(x)
            yield x

    def forward(self, x: Tensor, blocks: int, below: int = 0) -> Tensor:
        """Compute the scores (n, classes) of the head on block ``blocks``; x (n, ...) as for ``streams``."""
        for stream in self.streams(x, blocks, below):
            last = stream
        scores: Tensor = self.heads[blocks - 1](last)
        return scores

    def train_only(self, lowest: int, blocks: int) -> list[nn.Parameter]:
        """Let parts ``lowest`` to ``blocks`` and the last one's head be trained; return their parameters.

        All else is frozen: no gradients, and batch norm by its running statistics, which stay as they are.
        """
        self.eval().requires_grad_(False)
        modules = [module for part in range(lowest, blocks + 1) for module in self.part(part)]
        modules.append(self.heads[blocks - 1])
        for module in modules:
            module.train().requires_grad_(True)
        return [parameter for module in modules for parameter in module.parameters()]

    def count(self) -> int:
        """Count the parameters of the net with the last head alone, as literature counts them."""
        modules = [self.stem, *self.blocks, self.heads[-1]]
        return sum(parameter.numel() for module in modules for parameter in module.parameters())

    def flops(self) -> list[float]:
        """Operations of the convolutions of every part in a forward pass on one image."""
        sizes, operations = (1, *self.shape[1:])[-2:], []
        for part in range(1, len(self.blocks) + 1):
            total = 0.0
            for module in self.part(part):
                for conv in module.modules():
                    if isinstance(conv, nn.Conv2d):
                        sizes = tuple(-(-size // conv.stride[1]) for size in sizes)
                        total += 2.0 * conv.weight.numel() * math.prod(sizes)
            operations.append(total)
        return operations


@contextlib.contextmanager
def exact_convolutions() -> Iterator[None]:
    """Run convolutions so that a GPU gives the same bits again, and float32 as it is.

    Torch's default is TF32 in them, with 10 bits of mantissa; not in the products of matrices.
    """
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def check_sizes(depth: Any, width: Any) -> None:
    """Refuse a depth or a width that the net does not have, with a ValueError."""
    if not is_integer(depth) or not 8 <= depth <= DEEPEST or (depth - 2) % (2 * RESOLUTIONS):
        raise ValueError(refusal("depth", depth, f"6 m + 2 from 8 to {DEEPEST}: 8, 14, 20, ..."))
    integer("width", width, 1)


def pooled(x: Tensor) -> Tensor:
    """Mean over positions: (n, channels, height, width) to (n, channels)."""
    return x.mean((2, 3))


def _convolution(kernel: tuple[int, int], inside: int, outside: int, stride: int = 1) -> nn.Conv2d:
    """Without bias, zeros around: with stride 1 there are as many positions behind it as before."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Conv2d(inside, outside, kernel, stride=stride, padding=padding, bias=False)


def _draw(module: nn.Module, rng: np.random.Generator) -> None:
    """Set all parameters and statistics of a module."""
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.reset_parameters()
        elif isinstance(one, (nn.Conv2d, nn.Linear)):
            shape = tuple(one.weight.shape)
            gain = 1.0 if isinstance(one, nn.Linear) else 2.0
            drawn = rng.normal(0.0, math.sqrt(gain / math.prod(shape[1:])), shape)
            with torch.no_grad():
                one.weight.copy_(torch.from_numpy(drawn))
                if one.bias is not None:
                    one.bias.zero_()
