"""Random features against the kernels of their limit, dense solves, and brute-force leave-one-out."""

import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel

from hierbench.learners.base import Curve
from hierbench.learners.features.random_features import SCALES, RandomFeaturesRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF

ACTIVATIONS = tuple(SCALES)


def sample(n, d=4, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, 1 + X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + noise * rng.standard_normal(n)


def limit(activation, A, B, scale):
    """The kernel of infinitely many features."""
    d = A.shape[1]
    if activation == "fourier":
        return rbf_kernel(A, B, gamma=1 / (2 * d * scale**2))
    unit = 1 + scale**2
    inner = (A @ B.T / d + scale**2) / unit
    a, b = ((np.square(Z).sum(1) / d + scale**2) / unit for Z in (A, B))
    if activation == "quadratic":  # E u^2 v^2 = E u^2 E v^2 + 2 (E u v)^2
        return (a[:, None] * b + 2 * inner**2) / 3
    norms = np.sqrt(a[:, None] * b)
    angle = np.arccos(np.clip(inner / norms, -1, 1))
    return norms * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / math.pi


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_inner_products_tend_to_the_kernel(activation):
    """Within four standard errors of the mean over features, which are independent."""
    D, X = 100_000, sample(6)[0]
    kernel = RandomFeaturesRegressor(activation, n_features=D)._draw(4, 3)
    phi = kernel.features(torch.from_numpy(X), 0.7).numpy()
    np.testing.assert_array_equal(phi[:, -1], 1.0)
    products = D * phi[:, None, :-1] * phi[None, :, :-1]
    error = products.std(-1) / math.sqrt(D)
    expected = limit(activation, X, X, 0.7)
    assert np.all(np.abs(products.mean(-1) - expected) < 4 * error)
    assert np.all(error < 0.05 * np.abs(expected).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n", [40, 150])
def test_predictions_are_those_of_sklearns_ridge(activation, n):
    """With fewer samples than features, and with more."""
    X, y = sample(250)
    ours = RandomFeaturesRegressor(activation, n_features=60, scale=0.8, ridge=0.05, random_state=0)
    ours.fit(X[:n], y[:n])
    phi = ours._draw(4, 0).features(torch.from_numpy(X), 0.8).numpy()
    theirs = Ridge(alpha=0.05, fit_intercept=False, solver="svd").fit(phi[:n], y[:n])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(phi), rtol=0, atol=1e-8)


@pytest.mark.parametrize("n", [40, 90])
def test_chosen_by_leave_one_out_as_refitting_without_each_point_gives_it(n):
    X, y = sample(n, noise=0.5)
    ours = RandomFeaturesRegressor("relu", n_features=60, random_state=0).fit(X, y)
    kernel = ours._draw(4, 0)

    def leave_one_out(scale, ridge):
        phi, residuals = kernel.features(torch.from_numpy(X), scale).numpy(), []
        for i in range(n):
            kept = np.arange(n) != i
            G = phi[kept].T @ phi[kept] + ridge * np.eye(61)
            residuals.append(y[i] - phi[i] @ np.linalg.solve(G, phi[kept].T @ y[kept]))
        return np.mean(np.square(residuals))

    chosen = ours.hyperparameters_
    own = leave_one_out(chosen["scale"], chosen["ridge"])
    np.testing.assert_allclose(ours.fit_report_.health["loo_mse"], own, rtol=1e-6)
    ridges = [leave_one_out(chosen["scale"], ridge) for ridge in 10.0 ** np.arange(-4, 4)]
    assert own <= 1.02 * min(ridges)
    scales = [leave_one_out(scale, chosen["ridge"]) for scale in SCALES["relu"].values]
    assert own <= 1.1 * min(scales)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_curves_are_fits_size_by_size_with_the_same_features(activation):
    X, y = sample(260)
    sizes = (20, 64, 65, 200)
    learner = RandomFeaturesRegressor(activation, n_features=64)
    [curve] = learner.fit_curves([Curve(X, y, sizes, 5)])
    for n, fast, predicted in zip(sizes, curve.estimators, curve.predict(X[200:]), strict=True):
        slow = clone(learner).set_params(random_state=5).fit(X[:n], y[:n])
        np.testing.assert_array_equal(fast.weights_, curve.estimators[0].weights_)
        assert slow.hyperparameters_ == fast.hyperparameters_
        assert slow.fit_report_.flops == fast.fit_report_.flops
        slack = 1e-15 * 10 ** slow.fit_report_.health["log10_condition"]
        np.testing.assert_allclose(slow.predict(X[200:]), predicted, rtol=0, atol=max(1e-8, slack))


def test_fourier_features_do_what_the_gaussian_kernel_does():
    X, y = sample(300)
    chosen = {"length_scale": 1.2, "ridge": 0.1}
    exact = KernelRidgeRBF(**chosen).fit(X[:200], y[:200]).predict(X[200:])
    ours = RandomFeaturesRegressor("fourier", scale=1.2, ridge=0.1, random_state=0).fit(X[:200], y[:200])
    assert np.mean((ours.predict(X[200:]) - exact) ** 2) < 0.01 * np.var(exact)
    other = RandomFeaturesRegressor("fourier", scale=1.2, ridge=0.1, random_state=1).fit(X[:200], y[:200])
    assert not np.array_equal(other.predict(X), ours.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {"activation": "tanh"},
        {"n_features": 0},
        {"scale": -1.0},
        {"activation": "fourier", "scale": 0.0},
        {"ridge": -1.0},
        {"intercept": -1.0},
    ],
)
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y = sample(20)
    with pytest.raises(ValueError, match="allowed are"):
        RandomFeaturesRegressor(**parameters).fit(X, y)
