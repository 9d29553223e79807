"""Activation maximisation and adversarial training of the convolutional net against twins."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from hierbench.benchmarks.correction.trained.activation_maximisation import (
    Regularisation,
    laplacian,
    maximise,
    shifted,
)
from hierbench.benchmarks.correction.trained.conv_training import (
    perturbation,
    train_adversarially,
    unit_activations,
)
from hierbench.learners.convolutional.descent import Descent
from hierbench.learners.convolutional.network import ConvResNet
from hierbench.learners.convolutional.stages import stages, train

SHAPES = [(1, 6), (2, 4, 5)]


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def difference_matrix(shape):
    """Of the Laplacian, column by column from its definition: neighbours less the position itself."""
    d = int(np.prod(shape))
    matrix = np.zeros((d, d))
    for place in np.ndindex(*shape):
        for axis in range(1, len(shape)):
            for way in (-1, 1):
                other = list(place)
                other[axis] += way
                if 0 <= other[axis] < shape[axis]:
                    i, j = np.ravel_multi_index(place, shape), np.ravel_multi_index(other, shape)
                    matrix[i, j] += 1
                    matrix[i, i] -= 1
    return matrix


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("blur", [0.0, 0.2])
def test_a_linear_unit_shows_its_weights(shape, blur):
    """Its gradient is w: decay and blur end where decay x - blur L x = step w / |w|."""
    w, decay, step = normal(*shape), 0.1, 0.3
    deviations = maximise(
        lambda x: (x * w).flatten(1).sum(1), normal(*shape, seed=1), normal(3, *shape, seed=2),
        Regularisation(decay, blur), 800, step, np.random.default_rng(0),
    )  # fmt: skip
    d = w.numel()
    system = decay * np.eye(d) - blur * difference_matrix(shape)
    wanted = np.linalg.solve(system, step * w.numpy().ravel() / np.linalg.norm(w.numpy()))
    assert deviations.reshape(3, d).numpy() == pytest.approx(np.tile(wanted, (3, 1)), abs=1e-9)


def test_without_regularisation_a_linear_unit_is_followed_along_its_weights():
    w, start = normal(1, 6), normal(2, 1, 6, seed=1)
    deviations = maximise(
        lambda x: (x * w).flatten(1).sum(1), normal(1, 6), start, Regularisation(), 10, 0.2,
        np.random.default_rng(0),
    )  # fmt: skip
    path = 0.2 * 11 / 2
    assert torch.allclose(deviations - start, path * (w / w.norm()).expand(2, 1, 6))


def test_jitter_averages_a_linear_unit_over_shifts():
    """Inside, where no edge matters: mean of w shifted by -1, 0 and 1, each at the norm of a step."""
    w = torch.zeros(1, 9, dtype=torch.float64)
    w[0, 4] = 1.0
    deviations = maximise(
        lambda x: (x * w).flatten(1).sum(1), torch.zeros(1, 9).double(), torch.zeros(1, 1, 9).double(),
        Regularisation(shift=1), 1000, 1.0, np.random.default_rng(0),
    )  # fmt: skip
    x = deviations[0, 0].numpy() / 500.5
    assert x[[3, 4, 5]] == pytest.approx([1 / 3] * 3, abs=0.06) and not x[[0, 1, 2, 6, 7, 8]].any()


def test_a_shift_is_a_roll_but_for_the_edges():
    x = normal(2, 1, 5, 6)
    moved = shifted(x, [1, -2])
    assert torch.equal(moved[..., 1:, :-2], torch.roll(x, (1, -2), (2, 3))[..., 1:, :-2])
    assert torch.equal(moved[..., 0, :], moved[..., 1, :]) and torch.equal(moved[..., -1], moved[..., -3])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_laplacian_is_its_definition(shape):
    x = normal(3, *shape)
    expected = x.reshape(3, -1).numpy() @ difference_matrix(shape).T
    assert laplacian(x).reshape(3, -1).numpy() == pytest.approx(expected)


# --- the net ------------------------------------------------------------------------------------------

DESCENT = Descent("sgd", 0.1, 0.001, 0.9, 16)


@pytest.fixture(scope="module")
def data():
    X = normal(60, 1, 4, 4, seed=3).float()
    return X, (X[:, 0, 1, 1] + X[:, 0, 2, 1] > 0).long()


def net(data, radius, attack_steps=3):
    network = ConvResNet((1, 4, 4), 2, 8, 4, np.random.default_rng(0))
    rng, noise = np.random.default_rng(1), np.random.default_rng(2)
    train_adversarially(network, DESCENT, 40, *data, rng, radius, attack_steps, noise)
    return network


@pytest.mark.parametrize("radius", [0.0, 1e-30])
def test_training_with_perturbations_that_are_nothing_is_that_of_the_learner(data, radius):
    """With an attack's modes of batch norm between the steps, too."""
    twin = ConvResNet((1, 4, 4), 2, 8, 4, np.random.default_rng(0))
    train(twin, stages((3,), None, "total", 40), DESCENT, *data, np.random.default_rng(1))
    for ours, theirs in zip(net(data, radius).state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_perturbations_are_within_the_radius_and_hurt_a_net_less_that_was_trained_on_them(data):
    losses = {}
    for name, radius in (("plain", 0.0), ("adversarial", 0.5)):
        network = net(data, radius)
        delta = perturbation(network, *data, 0.5, 10, np.random.default_rng(4))
        assert float(delta.flatten(1).norm(dim=1).max()) <= 0.5 + 1e-5
        before, after = (
            float(functional.cross_entropy(network(x, 3), data[1])) for x in (data[0], data[0] + delta)
        )
        assert after > before
        losses[name] = after
    assert losses["adversarial"] < losses["plain"]


def test_units_are_what_the_net_computes(data):
    network = net(data, 0.0)
    logits, *channels = unit_activations(network, data[0])
    assert torch.equal(logits, network(data[0], 3))
    assert [c.shape[1] for c in channels] == [4, 8, 16]
    inputs = []
    network.blocks[1].conv1.register_forward_hook(lambda module, given, out: inputs.append(given[0]))
    network(data[0], 3)
    assert torch.allclose(channels[0], inputs[0].mean((2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    "given", [{"decay": -0.1}, {"blur": 0.26}, {"decay": 0.1, "blur": 0.25}, {"shift": -1}]
)
def test_a_regularisation_by_which_steps_diverge_is_refused(given):
    with pytest.raises(ValueError, match="allowed are"):
        Regularisation(**given)
