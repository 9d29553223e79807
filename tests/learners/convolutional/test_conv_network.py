"""The network's mathematics, against plain numpy and the literature."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hierbench.learners.convolutional import stages
from hierbench.learners.convolutional.images import Standard
from hierbench.learners.convolutional.network import LAYOUTS, ConvResNet

SHAPES = {"1-D": (1, 7), "2-D": (3, 6, 5)}


def make(shape, depth=14, width=3, classes=4, seed=0):
    """A net in float64 whose norms are not the identity."""
    rng = np.random.default_rng(seed)
    network = ConvResNet(shape, classes, depth, width, rng).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.copy_(torch.from_numpy(rng.normal(0.5, 1.0, len(tensor))))
            module.running_var.copy_(torch.from_numpy(rng.uniform(0.5, 2.0, len(module.running_var))))
    return network


def convolved(x, weight, stride):
    """Cross-correlation with zeros around, by its definition; a kernel of height 1 is that of signals."""
    axes = x.ndim - 2
    weight = weight.reshape(*weight.shape[:2], *[3] * axes)
    padded = np.pad(x, [(0, 0), (0, 0)] + [(1, 1)] * axes)
    out = 0.0
    for offset in np.ndindex(*[3] * axes):
        window = padded[(..., *[slice(o, o + size) for o, size in zip(offset, x.shape[2:], strict=True)])]
        out = out + np.einsum("oc,nc...->no...", weight[(..., *offset)], window)
    return out[(..., *[slice(None, None, stride)] * axes)]


def activated(x, state, name):
    """ReLU of what batch norm makes of x by its running statistics."""
    row = (1, -1, *[1] * (x.ndim - 2))
    mean, variance, gain, shift = (
        state[f"{name}.{part}"].reshape(row) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gain + shift, 0.0)


def plain_scores(network, x, blocks):
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    x = convolved(x, state["stem.weight"], 1)
    for i in range(blocks):
        active = activated(x, state, f"blocks.{i}.norm1")
        weight = state[f"blocks.{i}.conv1.weight"]
        wider = weight.shape[0] - weight.shape[1]
        stride = 2 if wider else 1
        inner = activated(convolved(active, weight, stride), state, f"blocks.{i}.norm2")
        skip = (active if i == 0 else x)[(..., *[slice(None, None, stride)] * (x.ndim - 2))]
        skip = np.concatenate([skip, np.zeros((len(skip), wider, *skip.shape[2:]))], axis=1)
        x = skip + convolved(inner, state[f"blocks.{i}.conv2.weight"], 1)
    pooled = activated(x, state, f"heads.{blocks - 1}.norm").mean(axis=tuple(range(2, x.ndim)))
    return pooled @ state[f"heads.{blocks - 1}.linear.weight"].T + state[f"heads.{blocks - 1}.linear.bias"]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("blocks", [1, 3, 6])
def test_scores_are_those_of_plain_numpy(shape, blocks):
    network = make(shape)
    x = np.random.default_rng(1).standard_normal((5, *shape))
    with torch.no_grad():
        scores = network(torch.from_numpy(x), blocks).numpy()
    np.testing.assert_allclose(scores, plain_scores(network, x, blocks), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [*SHAPES.values(), (2, 1, 9)])
def test_channels_of_a_position_lie_side_by_side_in_every_block(shape):
    network = make(shape)
    x = torch.zeros(4, *shape, dtype=torch.float64)
    for stream in network.streams(x, 6):
        assert stream.is_contiguous(memory_format=LAYOUTS["cpu"])


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_weights_and_outputs_lie_as_is_said_for_the_device(layout, monkeypatch):
    monkeypatch.setitem(LAYOUTS, "cpu", layout)
    network = make((3, 8, 8))
    x = torch.zeros(4, 3, 8, 8, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    every = [network.stem.weight, *network.streams(x, 6), stages._outputs(network, x, 2)]
    assert all(one.is_contiguous(memory_format=layout) for one in every)


def test_an_image_of_height_1_is_a_signal():
    signal, image = make((2, 9)), make((2, 1, 9))
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((5, 2, 9)))
    assert torch.equal(signal(x, 6), image(x.unsqueeze(2), 6))


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (56, 0.85), (110, 1.7)])
def test_sizes_are_those_of_the_literature(depth, millions):
    """Table 6 of arXiv 1512.03385."""
    network = ConvResNet((3, 32, 32), 10, depth, 16, np.random.default_rng(0))
    m = (depth - 2) // 6
    convolutions = 9 * (3 * 16 + 2 * m * 16**2 + (2 * m - 1) * (32**2 + 64**2) + 16 * 32 + 32 * 64)
    norms = 2 * (2 * m * 16 + (2 * m - 1) * 32 + 16 + (2 * m - 1) * 64 + 32 + 64)
    assert network.count() == convolutions + norms + 64 * 10 + 10
    assert float(f"{network.count() / 1e6:.2g}") == millions
    weighted = [network.stem, *[m for m in network.blocks.modules() if isinstance(m, nn.Conv2d)], "read-out"]
    assert len(weighted) == depth


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_operations_are_counted_where_outputs_are(shape):
    """Multiplications and additions from the shapes that convolutions see."""
    network = make(shape)
    seen = []

    def count(module, _, out):
        seen.append(2 * module.weight.numel() * out[0, 0].numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.zeros(1, *shape, dtype=torch.float64), 6)
    parts = [seen[0] + sum(seen[1:3]), *[sum(seen[i : i + 2]) for i in range(3, 13, 2)]]
    assert network.flops() == parts


def test_initial_weights_have_the_variance_of_the_papers():
    network = ConvResNet((1, 40), 500, 20, 32, np.random.default_rng(0))
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module is not network.stem:
            gain = 2.0 if isinstance(module, nn.Conv2d) else 1.0
            expected = math.sqrt(gain / math.prod(module.weight.shape[1:]))
            assert module.weight.detach().std().item() == pytest.approx(expected, rel=0.06)
            assert module.bias is None or not module.bias.any()


def test_a_channel_is_standardised_as_numpy_does():
    """In parts of unlike sizes, where the mean is large beside the deviations, and where it is constant."""
    x = np.random.default_rng(0).standard_normal((50, 3, 4)) * [[1.0], [1e-3], [0.0]] + [[1e6], [0.0], [2.0]]
    standard = Standard()
    for part in np.split(x, [7, 8, 30]):
        standard.add(torch.from_numpy(part))
    scale = np.where(x.std((0, 2), keepdims=True) > 0, x.std((0, 2), keepdims=True), 1.0)
    expected = (x - x.mean((0, 2), keepdims=True)) / scale
    np.testing.assert_allclose(standard(torch.from_numpy(x)).numpy(), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("constant", [0.1, -1e5 / 3, 1e-9 / 3])
def test_a_constant_channel_has_scale_one_although_its_mean_is_rounded(constant):
    """A mean of many equal numbers is not that number: the deviations are rounding, and no scale."""
    x = torch.full((1000, 1, 7), constant, dtype=torch.float64)
    standard = Standard()
    for part in x.split([1, 6, 300, 693]):
        standard.add(part)
    other = torch.full((1, 1, 7), constant + 0.5, dtype=torch.float64)
    np.testing.assert_allclose(standard(other).numpy(), 0.5, rtol=1e-9)
    np.testing.assert_allclose(standard(x).numpy(), 0.0, atol=1e-9)


def test_deviations_far_below_the_mean_are_a_scale():
    x = 1e6 + 1e-3 * torch.from_numpy(np.random.default_rng(0).standard_normal((200, 1, 5)))
    scaled = Standard().add(x)(x)
    assert scaled.std(correction=0).item() == pytest.approx(1.0, abs=1e-6)
