"""Matern kernel regression against scikit-learn's Matern kernel, a dense solve, and a larger grid."""

import numpy as np
import pytest
import torch
from fair_grid import best_on_the_test_set
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge

from hierbench.learners.base import Curve
from hierbench.learners.kernels.matern import COEFFICIENTS, MaternKernel, MaternRegressor
from hierbench.targets.registry import make_target


def sample(n, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("nu", COEFFICIENTS)
@pytest.mark.parametrize("length_scale", [0.4, 5.0])
def test_kernel_is_sklearns(nu, length_scale):
    A, B = sample(90, seed=1)[0], sample(40, seed=2)[0]
    theirs = Matern(length_scale=length_scale * np.sqrt(5), nu=nu)
    between = torch.empty((90, 40), dtype=torch.float64)
    MaternKernel(0.25).gram(torch.from_numpy(A), torch.from_numpy(B), (nu, length_scale), between)
    np.testing.assert_allclose(between.numpy(), theirs(A, B) + 0.25, rtol=0, atol=1e-10)
    within = torch.empty((90, 90), dtype=torch.float64)
    MaternKernel(0.0).gram(torch.from_numpy(A), None, (nu, length_scale), within)
    np.testing.assert_allclose(within.numpy(), theirs(A), rtol=0, atol=1e-10)


@pytest.mark.parametrize("nu", COEFFICIENTS)
def test_predictions_are_those_of_sklearns_kernel_ridge_and_of_a_dense_solve(nu):
    X, y = sample(200)
    ours = MaternRegressor(nu=nu, length_scale=1.3, ridge=1e-2, intercept=0.5).fit(X[:150], y[:150])
    K = Matern(length_scale=1.3 * np.sqrt(5), nu=nu)(X) + 0.5
    theirs = KernelRidge(kernel="precomputed", alpha=1e-2).fit(K[:150, :150], y[:150])
    np.testing.assert_allclose(ours.predict(X[150:]), theirs.predict(K[150:, :150]), atol=1e-8)
    alpha = np.linalg.solve(K[:150, :150] + 1e-2 * np.eye(150), y[:150])
    np.testing.assert_allclose(ours.dual_coef_, alpha, atol=1e-8)


def test_curves_are_fits_size_by_size():
    X, y = sample(360)
    [curve] = MaternRegressor().fit_curves([Curve(X, y, (40, 120, 300), 0)])
    for n, fast, predicted in zip((40, 120, 300), curve.estimators, curve.predict(X[300:]), strict=True):
        slow = clone(MaternRegressor()).fit(X[:n], y[:n])
        assert slow.hyperparameters_ == fast.hyperparameters_
        np.testing.assert_allclose(slow.predict(X[300:]), predicted, atol=1e-8)


def test_a_rough_function_gets_a_rough_kernel_and_a_smooth_one_a_smooth_kernel():
    X = np.random.default_rng(0).uniform(-2, 2, (300, 1))
    rough = MaternRegressor().fit(X, np.abs((4 * X[:, 0]) % 2 - 1))
    smooth = MaternRegressor().fit(X, np.sin(2 * X[:, 0]))
    assert rough.hyperparameters_["nu"] < smooth.hyperparameters_["nu"] == 3.5


@pytest.mark.parametrize(
    "parameters", [{"nu": 2.0}, {"nu": [0.5, 1.0]}, {"length_scale": 0.0}, {"ridge": -1.0}, {"intercept": -1}]
)
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y = sample(20)
    with pytest.raises(ValueError, match="allowed are"):
        MaternRegressor(**parameters).fit(X, y)


@pytest.mark.slow
def test_tuning_is_within_a_tenth_of_the_best_of_a_larger_grid():
    """A check of ours, never used for fitting; see test_kernel_ridge.py for its twin."""
    n, ridges, ratios = 300, np.geomspace(1e-10, 1e2, 25), []
    shapes = [(nu, length) for nu in COEFFICIENTS for length in np.geomspace(0.15, 60.0, 12)]
    for seed in range(3):
        target = make_target("squares", d=6, seed=seed, depth=2, width=3)
        X, y = target.sample(n + 1200, np.random.default_rng(seed))
        tuned = MaternRegressor().fit(X[:n], y[:n])
        mse = np.mean((tuned.predict(X[n:]) - y[n:]) ** 2)
        best = best_on_the_test_set(tuned._kernel(), shapes, ridges, X[:n], y[:n], X[n:], y[n:])
        ratios.append(mse / best)
    assert np.exp(np.mean(np.log(ratios))) <= 1.1, ratios
