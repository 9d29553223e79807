"""The published models: their sizes, and that they learn; their accuracies are a suite's matter."""

import numpy as np
import pytest
from sklearn.base import clone

from hierbench.benchmarks.studies.mnist1d_models import MODELS, PublishedNet


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
