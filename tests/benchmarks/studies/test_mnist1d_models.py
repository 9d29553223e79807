"""The published models: their sizes, that they learn, and their accuracies on the published data."""

import numpy as np
import pytest
from sklearn.base import clone

from hierbench.benchmarks.studies.mnist1d_models import MODELS, PUBLISHED, PublishedNet
from hierbench.targets.registry import make_target


def bumps(n, seed=0):
    """Two classes: one bump or two, anywhere."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = 0.1 * rng.standard_normal((n, 40))
    first = rng.integers(0, 12, n)
    X[np.arange(n), first] += 1.0
    X[np.arange(n), first + 15] += y
    return X, y * 3


@pytest.mark.parametrize(("model", "parameters"), [("linear", 410), ("mlp", 15210), ("conv", 5210)])
def test_sizes_are_those_of_the_source(model, parameters):
    assert sum(p.numel() for p in MODELS[model](40, 10).parameters()) == parameters


@pytest.mark.parametrize("model", MODELS)
def test_they_learn_and_two_fits_agree(model):
    X, y = bumps(300)
    net = PublishedNet(model=model, steps=150).fit(X, y)
    test_X, test_y = bumps(300, seed=1)
    assert np.mean(net.predict(test_X) == test_y) > 0.85
    again = clone(net).fit(X, y)
    np.testing.assert_array_equal(again.predict(test_X), net.predict(test_X))


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="allowed are linear, mlp, conv"):
        PublishedNet(model="transformer").fit(*bumps(20))


def test_every_random_state_of_scikit_learn_is_taken():
    X, y = bumps(40)
    states = [*map(np.random.RandomState, (3, 3, 4)), None, None]
    weights = [
        PublishedNet(model="linear", steps=1, random_state=state).fit(X, y)._net.weight.detach().numpy()
        for state in states
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    for other in weights[2:]:
        assert not np.array_equal(weights[0], other)
    assert not np.array_equal(weights[3], weights[4])


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_accuracies_are_the_published_ones(model):
    """Within 3 points: another seed or order of rows moves them by two, steps after 4000 by less."""
    target = make_target("mnist1d", 40, 0, draws="published")
    X, y = target.sample(4000, np.random.default_rng(0))
    test_X, test_y = target.sample_test(1000, np.random.default_rng(1))
    accuracy = PublishedNet(model=model, steps=4000).fit(X, y).score(test_X, test_y)
    assert accuracy == pytest.approx(PUBLISHED[model], abs=0.03)
