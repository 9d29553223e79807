"""Polynomial regression: features, kernel, solves and leave-one-out, each against another way to the same."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.polynomial import hermite_e
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from hierbench.learners.base import Curve
from hierbench.learners.features.hermite import HermiteFeatures, HermiteKernel, count
from hierbench.learners.features.polynomial_regression import CONSTANT, PolynomialRegressor
from hierbench.targets.registry import make_target


@pytest.mark.slow
@parametrize_with_checks([PolynomialRegressor(degree=2)])
def test_sklearn_contract(estimator, check):
    check(estimator)


def sample(n, d=4, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, 1 + X[:, 0] * X[:, 1] + X[:, 2] ** 3 / 3 + noise * rng.standard_normal(n)


def hermite(X, degree, decay=1.0, constant=CONSTANT):
    """Features of every multi-index, by numpy; those of degree k times decay^(k - degree)."""
    columns = []
    for a in itertools.product(range(degree + 1), repeat=X.shape[1]):
        if sum(a) <= degree:
            parts = [hermite_e.hermeval(x, np.eye(degree + 1)[m]) for x, m in zip(X.T, a, strict=True)]
            scale = math.sqrt(math.prod(math.factorial(m) for m in a))
            columns.append(np.prod(parts, axis=0) / scale * decay ** (sum(a) - degree))
    columns[0] *= constant
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("degree", [1, 3, 6])
def test_features_and_mehlers_kernel_are_products_of_hermite_polynomials(degree):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((30, 3)), 2 * rng.standard_normal((20, 3))
    expected = hermite(A, degree, 0.4, 3.0) @ hermite(B, degree, 0.4, 3.0).T
    K = torch.empty((30, 20), dtype=torch.float64)
    HermiteKernel(3.0).gram(torch.from_numpy(A), torch.from_numpy(B), (float(degree), 0.4), K)
    np.testing.assert_allclose(K.numpy(), expected, rtol=1e-10, atol=1e-10)
    features = HermiteFeatures(3, degree, 3.0)
    ours = features(A, count(3, degree)) @ features(B, count(3, degree)).T
    theirs = hermite(A, degree, 1.0, 3.0) @ hermite(B, degree, 1.0, 3.0).T
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-10, atol=1e-10)
    lower = features(A, count(3, degree - 1)).numpy()
    np.testing.assert_array_equal(lower, features(A, count(3, degree)).numpy()[:, : lower.shape[1]])


def test_without_a_ridge_it_is_least_squares_over_the_monomials():
    X, y = sample(400)
    ours = PolynomialRegressor(degree=3, ridge=0.0).fit(X[:200], y[:200])
    assert ours.degree_ == 3
    theirs = make_pipeline(PolynomialFeatures(3), LinearRegression()).fit(X[:200], y[:200])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("n", [150, 30])
def test_predictions_are_those_of_sklearns_ridge(n):
    """With more samples than features, 35 of them, and with fewer."""
    X, y = sample(250)
    ours = PolynomialRegressor(degree=3, ridge=0.3, decay=0.7).fit(X[:n], y[:n])
    assert (len(ours.dual_coef_) == 0) == (n > 35)
    phi = hermite(X, ours.degree_, 0.7)
    theirs = Ridge(alpha=0.3, fit_intercept=False, solver="svd").fit(phi[:n], y[:n])
    assert ours.degree_ == 3
    np.testing.assert_allclose(ours.predict(X), theirs.predict(phi), rtol=0, atol=1e-8)


@pytest.mark.parametrize("n", [60, 30])
def test_chosen_by_leave_one_out_as_refitting_without_each_point_gives_it(n):
    X, y = sample(n, noise=0.5)
    ours = PolynomialRegressor(degree=3).fit(X, y)
    report = ours.fit_report_

    def leave_one_out(degree, decay, ridge):
        phi, residuals = hermite(X, degree, decay), []
        for i in range(n):
            kept = np.arange(n) != i
            G = phi[kept].T @ phi[kept] + ridge * np.eye(phi.shape[1])
            residuals.append(y[i] - phi[i] @ np.linalg.solve(G, phi[kept].T @ y[kept]))
        return np.mean(np.square(residuals))

    own = leave_one_out(ours.degree_, ours.decay_, report.hyperparameters["ridge"])
    np.testing.assert_allclose(report.health["loo_mse"], own, rtol=1e-8)
    # The search sees a part of the lattice: all of it leaves little.
    grid = itertools.product((1, 2, 3), (0.25, 0.5, 1.0), 10.0 ** np.arange(-3, 4))
    assert own <= 1.1 * min(leave_one_out(*point) for point in grid)


def test_the_degree_is_what_the_data_bear():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    linear = PolynomialRegressor(degree=4).fit(X, X[:, 0] + rng.standard_normal(200))
    assert linear.degree_ == 1
    assert PolynomialRegressor(degree=4).fit(X, X[:, 0] ** 4).degree_ == 4


def test_recovers_a_polynomial_to_rounding_once_there_are_more_samples_than_features():
    target = make_target("squares", 6, 0, depth=2)
    X, y = target.sample(1000, np.random.default_rng(0))
    model = PolynomialRegressor(degree=4).fit(X[:400], y[:400])
    assert np.mean((model.predict(X[400:]) - y[400:]) ** 2) < 1e-16


def test_curves_are_fits_size_by_size():
    X, y = sample(400)
    sizes = (8, 40, 64, 65, 300)
    [curve] = PolynomialRegressor(degree=4).fit_curves([Curve(X, y, sizes, 0)])
    for n, fast, predicted in zip(sizes, curve.estimators, curve.predict(X[300:]), strict=True):
        slow = clone(PolynomialRegressor(degree=4)).fit(X[:n], y[:n])
        assert slow.hyperparameters_ == fast.hyperparameters_
        assert slow.fit_report_.flops == fast.fit_report_.flops
        np.testing.assert_allclose(slow.predict(X[300:]), predicted, rtol=0, atol=1e-8)


def test_units_of_the_inputs_do_not_matter():
    X, y = sample(300)
    plain = PolynomialRegressor(degree=3).fit(X[:200], y[:200]).predict(X)
    other = X * 1024.0 + 4096.0
    np.testing.assert_allclose(
        PolynomialRegressor(degree=3).fit(other[:200], y[:200]).predict(other), plain, rtol=0, atol=1e-8
    )


def test_degrees_that_do_not_fit_are_left_out_and_named():
    X, y = sample(200)
    model = PolynomialRegressor(degree=5, max_features=50).fit(X, y)
    assert model.degree_ <= 3
    assert model.fit_report_.health["largest_degree_tried"] == 3
    assert PolynomialRegressor(degree=5).fit(X, y).fit_report_.health["largest_degree_tried"] == 5
    with pytest.raises(ValueError, match="allow 5 or more"):
        PolynomialRegressor(max_features=3).fit(X, y)


@pytest.mark.parametrize(
    "parameters", [{"degree": 0}, {"degree": 1.5}, {"ridge": -1.0}, {"decay": 0.0}, {"max_features": 1}]
)
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y = sample(20)
    with pytest.raises(ValueError, match="allowed are"):
        PolynomialRegressor(**parameters).fit(X, y)
