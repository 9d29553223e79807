"""The written-out passes are held to automatic differentiation, growth to its definition."""

import numpy as np
import pytest
import reference_network as reference
import torch

from hierbench.learners.engines.network import DenseNetwork

ACTIVATIONS = [("power", 2), ("power", 3), ("power", 4), ("power", 8), ("relu", 1)]


def batch(network: DenseNetwork, n_nets: int = 3, n: int = 7, scale: float = 1.0):
    rng = np.random.default_rng(0)
    flat = torch.tensor(np.stack([network.initial(rng) for _ in range(n_nets)]))
    return flat, torch.tensor(scale * rng.standard_normal((n_nets, n, network.d))), rng


@pytest.mark.parametrize(("activation", "power"), ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_forward_is_the_definition(activation, power, depth):
    network = DenseNetwork(d=4, depth=depth, width=5, activation=activation, power=power, truncation=1.5)
    flat, X, _ = batch(network)
    out = network.forward(network.views(flat), X)[0][..., 0].numpy()
    for i in range(len(flat)):
        expected = reference.outputs(network, reference.split(network, flat[i]), X[i])
        np.testing.assert_allclose(out[i], expected.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("activation", "power"), ACTIVATIONS)
@pytest.mark.parametrize("lowest", [1, 2, 3])
def test_backward_is_the_gradient(activation, power, lowest):
    # truncation within reach, so that both branches are differentiated
    network = DenseNetwork(d=4, depth=3, width=5, activation=activation, power=power, truncation=1.5)
    flat, X, rng = batch(network)
    error = torch.tensor(rng.standard_normal((3, 7, 1)))

    leaf = flat.clone().requires_grad_()
    for i in range(len(leaf)):
        (reference.outputs(network, reference.split(network, leaf[i]), X[i]) @ error[i, :, 0]).backward()
    assert leaf.grad is not None

    gradient = torch.zeros_like(flat)
    _, features, slopes = network.forward(network.views(flat), X)
    network.backward(network.views(flat), network.views(gradient), error, features, slopes, lowest)
    moved = torch.tensor(network.trainable(lowest, all_readouts=True))
    torch.testing.assert_close(gradient, leaf.grad * moved, rtol=1e-10, atol=1e-10)


WIRINGS = {
    "all": {},
    "chain": {"skips": ((0,), (1,), (2,)), "top_readout": True},
    "chain, every level read out": {"skips": ((0,), (1,), (2,))},
    "a level that nothing reads": {"skips": ((0,), (0, 1), (1,)), "top_readout": True},
    "skips": {"skips": ((0,), (0, 1), (0, 2))},
    "side by side": {"skips": ((0,), (0,), (1, 2))},
}


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("lowest", [1, 2])
def test_every_wiring_has_its_outputs_and_gradients(wiring, lowest):
    network = DenseNetwork(d=4, depth=3, width=5, truncation=1.5, **WIRINGS[wiring])
    flat, X, rng = batch(network)
    error = torch.tensor(rng.standard_normal((3, 7, 1)))
    leaf = flat.clone().requires_grad_()
    out, features, slopes = network.forward(network.views(flat), X)
    gradient = torch.full_like(flat, 7.0)
    moved = network.trainable(lowest, all_readouts=True) if not network.top_readout else np.array(True)
    if network.top_readout:
        lowest = 1
    network.backward(network.views(flat), network.views(gradient), error, features, slopes, lowest)
    for i in range(len(leaf)):
        expected = reference.outputs(network, reference.split(network, leaf[i]), X[i])
        torch.testing.assert_close(out[i, :, 0], expected.detach(), rtol=1e-9, atol=1e-9)
        (expected @ error[i, :, 0]).backward()
    assert leaf.grad is not None
    still = torch.full_like(flat, 7.0)
    torch.testing.assert_close(
        gradient, torch.where(torch.tensor(moved), leaf.grad, still), rtol=1e-10, atol=1e-10
    )


def test_a_chain_read_at_its_top_has_the_parameters_of_a_perceptron():
    network = DenseNetwork(d=4, depth=3, width=5, **WIRINGS["chain"])
    assert network.n_parameters == 4 * 5 + 2 * 5 * 5 + 3 * 5 + 5 + 1
    assert len(network.initial(np.random.default_rng(0))) == network.n_parameters


@pytest.mark.parametrize(("activation", "power"), ACTIVATIONS)
def test_activation_has_unit_variance_on_a_gaussian(activation, power):
    network = DenseNetwork(d=1, depth=1, width=1, activation=activation, power=power, truncation=1e6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    h, _ = network._activate(torch.tensor(nodes)[None, :, None])
    weights = weights / weights.sum()
    mean = float(weights @ h[0, :, 0].numpy())
    assert mean == pytest.approx(0.0, abs=0.02)
    assert float(weights @ h[0, :, 0].numpy() ** 2) == pytest.approx(1.0, abs=0.03)


def test_truncation_is_continuous_with_its_slope():
    network = DenseNetwork(d=1, depth=1, width=1, power=4, truncation=2.0)
    z = torch.tensor([2.0 - 1e-7, 2.0 + 1e-7, -2.0 - 1e-7, -2.0 + 1e-7])[None, :, None].double()
    h, slope = network._activate(z)
    assert abs(float(h[0, 0, 0] - h[0, 1, 0])) < 1e-5
    assert abs(float(h[0, 2, 0] - h[0, 3, 0])) < 1e-5
    assert abs(float(slope[0, 0, 0] - slope[0, 1, 0])) < 1e-5


def test_growing_keeps_the_lower_levels_and_their_readouts():
    network = DenseNetwork(d=4, depth=3, width=5)
    rng = np.random.default_rng(1)
    full = np.stack([network.initial(rng) for _ in range(2)])
    two, three = network.first_levels(2), network
    lower = two.grow(np.zeros((2, network.first_levels(1).n_parameters)), network.restrict(full, 2))
    lower = np.where(lower == 0, 0.5, lower)
    grown = three.grow(lower, full)
    grown_views = three.views(torch.tensor(grown))
    # with the new level's read-out at zero the grown net is the smaller one
    grown_views[-2].zero_()
    X = torch.tensor(rng.standard_normal((2, 6, 4)))
    small = two.forward(two.views(torch.tensor(lower)), X)[0]
    torch.testing.assert_close(three.forward(grown_views, X)[0], small)
    # and the new level's own weights are the fresh ones
    fresh = three.views(torch.tensor(full))
    for i in range(5, 9):
        torch.testing.assert_close(grown_views[i], fresh[i])


def test_restricting_to_all_levels_is_the_identity():
    network = DenseNetwork(d=3, depth=2, width=4)
    flat = np.random.default_rng(2).standard_normal((2, network.n_parameters))
    np.testing.assert_array_equal(network.restrict(flat, 2), flat)
