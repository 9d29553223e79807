"""A pass is its definition, whatever is wired; growth is its own."""

import numpy as np
import pytest
import reference_network as reference
import torch

from hierbench.learners.engines.network import DenseNetwork

ACTIVATIONS = [("power", 2), ("power", 3), ("power", 4), ("power", 8), ("relu", 1)]


def batch(network: DenseNetwork, n: int = 7):
    rng = np.random.default_rng(0)
    return network.initial(rng), rng.standard_normal((n, network.d)), rng


def outputs_and_gradient(network, compute, flat, X, error):
    """Outputs (n,) of ``compute(parts, X)`` and the gradient of their sum with weights ``error``."""
    leaf = torch.tensor(flat, requires_grad=True)
    out = compute(network.parts(leaf), torch.tensor(X))
    (out @ torch.tensor(error)).backward()
    return out.detach(), leaf.grad


def assert_is_the_definition(network):
    flat, X, rng = batch(network)
    error = rng.standard_normal(len(X))
    found = outputs_and_gradient(network, lambda p, X: network.forward(p, X).output[:, 0], flat, X, error)
    twin = outputs_and_gradient(network, lambda p, X: reference.outputs(network, p, X), flat, X, error)
    for ours, expected in zip(found, twin, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("activation", "power"), ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_pass_is_the_definition(activation, power, depth):
    # truncation within reach, so that both branches are differentiated
    assert_is_the_definition(
        DenseNetwork(d=4, depth=depth, width=5, activation=activation, power=power, truncation=1.5)
    )


WIRINGS = {
    "all": {},
    "chain": {"skips": ((0,), (1,), (2,)), "top_readout": True},
    "chain, every level read out": {"skips": ((0,), (1,), (2,))},
    "a level that nothing reads": {"skips": ((0,), (0, 1), (1,)), "top_readout": True},
    "skips": {"skips": ((0,), (0, 1), (0, 2))},
    "side by side": {"skips": ((0,), (0,), (1, 2))},
}


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_wiring_is_its_definition(wiring):
    assert_is_the_definition(DenseNetwork(d=4, depth=3, width=5, truncation=1.5, **WIRINGS[wiring]))


def test_a_chain_read_at_its_top_has_the_parameters_of_a_perceptron():
    network = DenseNetwork(d=4, depth=3, width=5, **WIRINGS["chain"])
    assert network.n_parameters == 4 * 5 + 2 * 5 * 5 + 3 * 5 + 5 + 1
    assert len(network.initial(np.random.default_rng(0))) == network.n_parameters


@pytest.mark.parametrize(("activation", "power"), ACTIVATIONS)
def test_activation_has_unit_variance_on_a_gaussian(activation, power):
    network = DenseNetwork(d=1, depth=1, width=1, activation=activation, power=power, truncation=1e6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    h = network.activate(nodes)
    weights = weights / weights.sum()
    assert weights @ h == pytest.approx(0.0, abs=0.02)
    assert weights @ h**2 == pytest.approx(1.0, abs=0.03)


def test_truncation_is_continuous_with_its_slope():
    network = DenseNetwork(d=1, depth=1, width=1, power=4, truncation=2.0)
    z = np.array([2.0 - 1e-7, 2.0 + 1e-7, -2.0 - 1e-7, -2.0 + 1e-7])
    for values in (network.activate(z), network.slope(z)):
        np.testing.assert_allclose(values[::2], values[1::2], atol=1e-4)


def test_growing_keeps_the_lower_levels_and_their_readouts():
    network = DenseNetwork(d=4, depth=3, width=5)
    rng = np.random.default_rng(1)
    full = np.stack([network.initial(rng) for _ in range(2)])
    two, three = network.first_levels(2), network
    lower = two.grow(np.zeros((2, network.first_levels(1).n_parameters)), network.restrict(full, 2))
    lower = np.where(lower == 0, 0.5, lower)
    grown = three.grow(lower, full)
    X = rng.standard_normal((6, 4))
    for net in range(2):
        parts = three.parts(grown[net])
        # the new level's weights are the fresh ones
        for ours, fresh in list(zip(parts, three.parts(full[net]), strict=True))[5:9]:
            np.testing.assert_array_equal(ours, fresh)
        # with its read-out at zero the grown net is the smaller one
        parts[-2] = np.zeros_like(parts[-2])
        small = two.forward(two.parts(lower[net]), X).output
        np.testing.assert_allclose(three.forward(parts, X).output, small)


def test_restricting_to_all_levels_is_the_identity():
    network = DenseNetwork(d=3, depth=2, width=4)
    flat = np.random.default_rng(2).standard_normal((2, network.n_parameters))
    np.testing.assert_array_equal(network.restrict(flat, 2), flat)
