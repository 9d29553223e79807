"""The finite tangent kernel against automatic differentiation of the net that SGD starts from."""

import math

import numpy as np
import pytest
import torch
from repeats import checks_of_fits
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge

from hierbench.learners.base import Curve
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.net_kernels.ntk_finite import FiniteNTKRegressor, TangentKernel
from hierbench.learners.nets.densenet import DenseNetRegressor


# what the registered one does not set; that is checked in tests/learners/test_estimators.py
@pytest.mark.parametrize(("estimator", "check"), checks_of_fits(FiniteNTKRegressor(initial_function=True)))
def test_sklearn_contract(estimator, check):
    check(estimator)


def sample(n, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = 1 + 2 * rng.standard_normal((n, d))
    return X, 3 + X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(n)


def output(network, flat, x):
    """f(x) written out from the definition: z_l = b_l + sum_j h_j W_lj, h_l = (z_l^2 - 1) / sqrt 2."""
    parts, start = [], 0
    for shape in network.shapes():
        parts.append(flat[start : start + math.prod(shape)].reshape(shape))
        start += math.prod(shape)
    features, parts = [x], iter(parts)
    for level in range(1, network.depth + 1):
        z = sum(features[j] @ next(parts) for j in network.reads(level)) + next(parts)[0]
        features.append((z**2 - 1) / math.sqrt(2))
    return sum((features[level] @ next(parts))[0] for level in network.read_out()) + next(parts)[0, 0]


def jacobian_kernel(network, flat, A, B):
    def jacobian(X):
        one = torch.func.jacrev(lambda parameters, x: output(network, parameters, x))
        return torch.func.vmap(one, (None, 0))(torch.from_numpy(flat), torch.from_numpy(X))

    return (jacobian(A) @ jacobian(B).T).numpy()


NETWORKS = [DenseNetwork(d=4, depth=depth, width=6) for depth in (1, 2, 3)]
NETWORKS += [
    DenseNetwork(d=4, depth=3, width=6, skips=((0,), (0, 1), (2,))),
    DenseNetwork(d=4, depth=2, width=6, skips=((0,), (1,)), top_readout=True),
]


@pytest.mark.parametrize("network", NETWORKS)
def test_kernel_is_that_of_the_jacobians(network):
    A, B = np.random.default_rng(0).standard_normal((2, 11, 4))
    rng = np.random.default_rng(1)
    flat = network.initial(rng) + 0.3 * rng.standard_normal(network.n_parameters)
    kernel = TangentKernel(network, flat, 2.5)
    between, within = torch.empty((2, 11, 11), dtype=torch.float64)
    kernel.gram(torch.from_numpy(A), torch.from_numpy(B), (), between)
    kernel.gram(torch.from_numpy(A), None, (), within)
    np.testing.assert_allclose(between.numpy(), jacobian_kernel(network, flat, A, B) / 2.5, rtol=1e-8)
    np.testing.assert_allclose(within.numpy(), jacobian_kernel(network, flat, A, A) / 2.5, rtol=1e-8)
    diagonal = kernel.diagonal(torch.from_numpy(A))
    np.testing.assert_allclose(diagonal.numpy(), within.diagonal().numpy(), rtol=1e-12)


@pytest.mark.parametrize(("depth", "width"), [(2, None), (3, 7)])
def test_the_net_is_the_one_that_sgd_starts_from(depth, width):
    X, y = sample(50)
    ours = FiniteNTKRegressor(depth, width, random_state=11).fit(X, y)
    still = DenseNetRegressor(
        depth,
        width,
        steps=1,
        learning_rate=1e-30,
        weight_decay=0.0,
        restarts=1,
        dtype="float64",
        random_state=11,
    ).fit(X, y)
    np.testing.assert_allclose(ours._fitted_kernel.parameters, still.parameters_, rtol=0, atol=1e-12)
    assert ours._fitted_kernel.network == still.network_
    np.testing.assert_array_equal(ours.scaling_.inputs(X), still.scaling_.inputs(X))
    np.testing.assert_array_equal(ours.scaling_.labels(y), still.scaling_.labels(y))


@pytest.mark.parametrize("initial_function", [False, True])
def test_predictions_are_those_of_a_dense_solve_with_the_jacobian_kernel(initial_function):
    X, y = sample(140)
    ours = FiniteNTKRegressor(2, 8, ridge=1e-2, initial_function=initial_function, random_state=0)
    ours.fit(X[:100], y[:100])
    network, flat, scaling = ours._fitted_kernel.network, ours._fitted_kernel.parameters, ours.scaling_
    Z = scaling.inputs(X)
    K = jacobian_kernel(network, flat, Z, Z)
    K /= np.diag(K)[:100].mean()
    start = np.array([output(network, torch.from_numpy(flat), torch.from_numpy(z)) for z in Z])
    start *= initial_function
    theirs = KernelRidge(kernel="precomputed", alpha=1e-2)
    theirs.fit(K[:100, :100], scaling.labels(y[:100]) - start[:100])
    expected = scaling.y_mean + scaling.y_scale * (start + theirs.predict(K[:, :100]))
    np.testing.assert_allclose(ours.predict(X), expected, rtol=0, atol=1e-8)


def test_the_ridge_is_the_best_by_leave_one_out_in_the_units_of_y():
    X, y = sample(80)
    y = y + 2 * np.random.default_rng(5).standard_normal(80)
    model = FiniteNTKRegressor(2, 5, random_state=0).fit(X, y)
    K = np.empty((80, 80))
    model._fitted_kernel.gram(torch.from_numpy(model.X_fit_), None, (), torch.from_numpy(K))
    labels = model.scaling_.labels(y)

    def leave_one_out(ridge):
        residuals = []
        for i in range(80):
            kept = np.arange(80) != i
            alpha = np.linalg.solve(K[np.ix_(kept, kept)] + ridge * np.eye(79), labels[kept])
            residuals.append((labels[i] - K[i, kept] @ alpha) * model.scaling_.y_scale)
        return np.mean(np.square(residuals))

    own = leave_one_out(model.hyperparameters_["ridge"])
    np.testing.assert_allclose(model.fit_report_.health["loo_mse"], own, rtol=1e-6)
    assert own <= 1.01 * min(leave_one_out(ridge) for ridge in 10.0 ** np.arange(-6, 5))


def test_learns_what_the_features_of_the_net_can_express():
    X, y = sample(1200)
    model = FiniteNTKRegressor(2, random_state=0).fit(X[:300], y[:300])
    assert np.mean((model.predict(X[300:]) - y[300:]) ** 2) < 0.01 * np.var(y)


def test_curves_are_fits_size_by_size():
    X, y = sample(150)
    [curve] = FiniteNTKRegressor(2, 6).fit_curves([Curve(X, y, (30, 100), 4)])
    for n, predicted in zip((30, 100), curve.predict(X), strict=True):
        slow = clone(FiniteNTKRegressor(2, 6, random_state=4)).fit(X[:n], y[:n])
        np.testing.assert_allclose(slow.predict(X), predicted, rtol=0, atol=1e-8)


def test_bad_parameters_say_what_is_allowed():
    X, y = sample(20)
    for bad in ({"depth": 0}, {"width": 0}, {"ridge": -1.0}):
        with pytest.raises(ValueError, match="allowed are"):
            FiniteNTKRegressor(**bad).fit(X, y)
