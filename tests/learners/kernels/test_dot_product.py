"""The best dot-product kernel: its slope and error against brute force, and the kernels it contains."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.kernels.dot_product import DotProductKernel, DotProductRegressor
from hierbench.learners.kernels.dot_product_weights import WeightSearch, log_leave_one_out
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.targets.registry import make_target


def problem(n, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X[:, 0] * X[:, 1] + 0.3 * X[:, 2] ** 3 + 0.1 * rng.standard_normal(n)


def kernel_matrix(theta, T):
    w = np.exp(theta[:-1])
    w /= w.sum()
    return sum(c * T**p for p, c in enumerate(w)), float(np.exp(theta[-1]))


def objective(theta, X, y):
    T = torch.from_numpy(X @ X.T / X.shape[1])
    return log_leave_one_out(theta, T, torch.from_numpy(y), float((y**2).mean()))


THETA = np.array([-1.0, 0.5, 0.2, -0.7, -3.0, np.log(0.05)])


def test_the_error_is_that_of_leaving_every_point_out():
    X, y = problem(25)
    K, ridge = kernel_matrix(THETA, X @ X.T / X.shape[1])
    left_out = []
    for i in range(len(y)):
        rest = np.delete(np.arange(len(y)), i)
        alpha = np.linalg.solve(K[np.ix_(rest, rest)] + ridge * np.eye(len(rest)), y[rest])
        left_out.append(y[i] - K[i, rest] @ alpha)
    expected = np.log(np.mean(np.square(left_out)) / np.mean(y**2))
    assert objective(THETA, X, y)[0] == pytest.approx(expected, rel=1e-10)


def test_the_slope_is_that_of_finite_differences():
    X, y = problem(40)
    _, slope = objective(THETA, X, y)
    for k in range(len(THETA)):
        step = np.zeros_like(THETA)
        step[k] = 1e-5
        up, down = objective(THETA + step, X, y)[0], objective(THETA - step, X, y)[0]
        assert slope[k] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-9)


def test_predictions_are_those_of_a_dense_solve():
    X, y = problem(120)
    learner = DotProductRegressor().fit(X[:80], y[:80])
    T = X @ X[:80].T / X.shape[1]
    K = sum(w * T**p for p, w in enumerate(learner.shape_))
    alpha = np.linalg.solve(K[:80] + learner.fit_report_.hyperparameters["ridge"] * np.eye(80), y[:80])
    np.testing.assert_allclose(learner.predict(X[80:]), K[80:] @ alpha, rtol=1e-8, atol=1e-8)
    assert sum(learner.shape_) == pytest.approx(1.0)
    assert min(learner.shape_) >= 0.0


def test_the_kernel_is_positive_semidefinite():
    X, _ = problem(60)
    out = torch.empty((60, 60), dtype=torch.float64)
    DotProductKernel().gram(torch.from_numpy(X), None, (0.1, 0.2, 0.3, 0.0, 0.4), out)
    assert float(torch.linalg.eigvalsh(out)[0]) > -1e-10 * float(out.diagonal().sum())


def test_the_descent_ends_below_what_a_search_over_single_degrees_finds():
    X, y = problem(150)
    found = WeightSearch(6, X, y).at(150)
    for p in range(1, 7):
        for log_ridge in np.log(np.geomspace(1e-6, 10, 15)):
            theta = np.full(8, -25.0)
            theta[p], theta[0], theta[-1] = 0.0, -1.0, log_ridge
            single = np.exp(objective(theta, X, y)[0]) * np.mean(y**2)
            assert found.loo_mse <= single * 1.02


@pytest.mark.parametrize(
    ("n", "d", "seeds"),
    [
        (400, 7, 2),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((300, 8, 4), (500, 8, 2), (900, 12, 1))),
    ],
)
def test_it_is_no_worse_than_the_polynomial_kernel_that_knows_the_degree(n, d, seeds):
    """By 3 % at most: (x.x' / d + c)^4 is one of its kernels. 495 polynomials have degree <= 4 at d = 8."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X, y = make_target("squares", d, seed, depth=2, width=3).sample(n + 2000, rng)
        ours, theirs = (
            np.mean((model.fit(X[:n], y[:n]).predict(X[n:]) - y[n:]) ** 2)
            for model in (DotProductRegressor(), KernelRidgePolynomial(degree=4))
        )
        assert ours <= 1.03 * theirs + 1e-9


@pytest.mark.parametrize("seed", [0, 1])
def test_a_later_stage_finds_a_kernel_that_has_become_exact(monkeypatch, seed):
    """Of the 367 even polynomials of degree <= 4 at d = 8 a first stage of 128 points knows nothing."""
    monkeypatch.setattr("hierbench.learners.kernels.dot_product_weights.FIRST", 128)
    X, y = make_target("squares", 8, seed, depth=2, width=3).sample(1400, np.random.default_rng(seed))
    learner = DotProductRegressor().fit(X[:400], y[:400])
    assert np.mean((learner.predict(X[400:]) - y[400:]) ** 2) < 1e-9


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_badly_scaled_features_are_fitted_or_refused(factor):
    X, y = problem(60)
    try:
        learner = DotProductRegressor().fit(factor * X, y)
    except ValueError as error:
        assert "unit variance" in str(error)
    else:
        assert np.isfinite(learner.predict(factor * X)).all()


def test_curves_are_fits_size_by_size():
    X, y = problem(400)
    sizes = (30, 90, 300)
    [curve] = DotProductRegressor().fit_curves([Curve(X, y, sizes, 0)])
    for n, fast, predicted in zip(sizes, curve.estimators, curve.predict(X[300:]), strict=True):
        slow = clone(DotProductRegressor()).fit(X[:n], y[:n])
        assert slow.fit_report_.hyperparameters == fast.fit_report_.hyperparameters
        np.testing.assert_allclose(slow.predict(X[300:]), predicted, atol=1e-8)


@pytest.mark.parametrize("degree", [0, 2.5, 40, "4"])
def test_bad_degrees_say_what_is_allowed(degree):
    with pytest.raises(ValueError, match=r"max_degree = .*: allowed are integers from 1 to 32"):
        DotProductRegressor(max_degree=degree).fit(*problem(20))
