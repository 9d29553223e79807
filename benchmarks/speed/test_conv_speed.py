"""Steps of the convolutional ResNet in the layout that it has, and in torch's usual one: ``make speed``."""

import numpy as np
import pytest
import torch

from hierbench.learners.convolutional import network, stages
from hierbench.learners.convolutional.descent import Descent

STEPS, ROWS, CLASSES, BLOCKS, WIDTH = 50, 1000, 10, 3, 16
SHAPES = {"signals": ((1, 40), 64), "digits": ((1, 8, 8), 64), "small colour images": ((3, 32, 32), 64)}
"""Of an image, and rows of a minibatch."""


@pytest.mark.parametrize("layout", ["channels_last", "contiguous_format"])
@pytest.mark.parametrize("kind", SHAPES)
def test_steps(benchmark, monkeypatch, kind, layout):
    shape, batch_size = SHAPES[kind]
    monkeypatch.setitem(network.LAYOUTS, "cpu", getattr(torch, layout))
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((ROWS, *shape))).float()
    labels = torch.from_numpy(rng.integers(CLASSES, size=ROWS))
    net = network.ConvResNet(shape, CLASSES, 2 * BLOCKS + 2, WIDTH, rng)
    descent = Descent("sgd", 0.01, 0.001, 0.9, batch_size)
    plan = [stages.Stage(BLOCKS, 1, STEPS)]
    benchmark.group = f"{kind}, depth 8, width 16, batch {batch_size}, {STEPS} steps, one core"
    benchmark.pedantic(
        lambda: stages.train(net, plan, descent, images, labels, np.random.default_rng(1)),
        rounds=5, warmup_rounds=1,
    )  # fmt: skip
    benchmark.extra_info["milliseconds a step"] = round(1e3 * benchmark.stats.stats.min / STEPS, 2)
