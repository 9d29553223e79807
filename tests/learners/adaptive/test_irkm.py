"""Iteratively reweighted kernel machines, after arXiv 2505.08277."""

import numpy as np
import pytest
from repeats import checks_of_fits

from hierbench.learners.adaptive import irkm
from hierbench.learners.adaptive.irkm import IRKMRegressor
from hierbench.learners.adaptive.rfm import RFMRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeLaplace
from hierbench.targets.registry import make_target


# what the registered one does not set; that is checked in tests/learners/test_estimators.py
@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"), checks_of_fits(IRKMRegressor(exponent=1.4, power=0.5, iterations=2, folds=0))
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def mse(model, X, y):
    return float(np.mean(np.square(model.predict(X) - y)))


@pytest.mark.parametrize("parameter, value", [("folds", 1), ("exponent", 3.0)])
def test_bad_parameters_are_named(parameter, value):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match=f"{parameter} = {value}: allowed are"):
        IRKMRegressor(**{parameter: value}).fit(X, X[:, 0])


def test_rounds_are_those_of_the_definition_written_out(monkeypatch):
    """Dense solves, weighted inputs, derivatives of the Laplace kernel coordinate by coordinate."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((70, 4)) * [1.0, 2.0, 1.0, 0.5]
    y, X_test, scale, ridge, safeguard = X[:, 0] * X[:, 1], rng.standard_normal((30, 4)), 2.0, 1e-2, 0.05
    monkeypatch.setattr(irkm, "SAFEGUARD", safeguard)
    model = IRKMRegressor(
        exponent=1.0, iterations=2, folds=0, length_scale=scale, ridge=ridge, intercept=0.0
    ).fit(X, y)
    w, variances = np.ones(4), X.var(0)

    def kernel(A, B):
        difference = A[:, None] - B[None]
        r = np.sqrt((w * difference**2).sum(2))
        return np.exp(-r / (2 * scale)), difference, r

    for t in range(model.n_iter_ + 1):
        K, difference, r = kernel(X, X)
        alpha = np.linalg.solve(K + ridge * np.eye(70), y)
        if t == model.n_iter_:
            break
        slopes = -alpha * K / (2 * scale) / np.where(r > 0, r, np.inf)
        squares = np.square((slopes[:, :, None] * w * difference).sum(1)).mean(0)
        w = squares + safeguard * squares.max()
        w *= variances.sum() / (w * variances).sum()
    assert model.n_iter_ > 0
    np.testing.assert_allclose(model.weights_, w, rtol=1e-7)
    np.testing.assert_allclose(model.predict(X_test), kernel(X_test, X)[0] @ alpha, atol=1e-7)


def test_without_rounds_it_is_laplace_kernel_regression():
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((100, 3)), rng.standard_normal((20, 3))
    y = X[:, 0] ** 2
    plain, machine = KernelRidgeLaplace().fit(X, y), IRKMRegressor(exponent=1.0, iterations=0).fit(X, y)
    np.testing.assert_allclose(machine.predict(X_test), plain.predict(X_test), atol=1e-8)
    np.testing.assert_allclose(machine.weights_, 1.0)


def test_noise_is_not_mistaken_for_coordinates():
    rng = np.random.default_rng(0)
    X, y, X_test = rng.standard_normal((200, 30)), rng.standard_normal(200), rng.standard_normal((1000, 30))
    model = IRKMRegressor(iterations=6).fit(X, y)
    assert model.fit_report_.health["crossfit_mse"] > 0.9 * y.var()
    assert np.mean(np.square(model.predict(X_test))) < 0.05


def test_a_coordinate_without_derivative_keeps_weight_by_the_safeguard(monkeypatch):
    """A weight of zero would stay zero, as no derivative passes it."""
    for safeguard, weights in ((0.0, [2.0, 0.0, 1.0]), (0.5, [1.0, 1 / 3, 2 / 3])):
        monkeypatch.setattr(irkm, "SAFEGUARD", safeguard)
        metric = IRKMRegressor()._metric(np.diag([8.0, 0.0, 4.0]), np.eye(3), 1.0)
        np.testing.assert_allclose(np.diag(metric) / metric[0, 0], np.divide(weights, weights[0]), atol=1e-12)
        assert np.trace(metric) == pytest.approx(3)


def cube(n, seed):
    """Figure 1 of arXiv 2505.08277: x_1 + x_2 + x_3 + x_1 x_2 x_3 on {-1, 1}^200, noise 0.1."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1.0, 1.0], (n + 2000, 200))
    f = X[:, :3].sum(1) + X[:, :3].prod(1)
    return X[:n], f[:n] + 0.1 * rng.standard_normal(n), X[n:], f[n:]


@pytest.mark.slow
def test_the_first_figure_of_its_authors():
    """Laplace kernel, at most 5 rounds: the plain kernel does not learn, five rounds find the three."""
    for seed in (0, 1):
        X, y, X_test, f_test = cube(400, seed)
        machine = IRKMRegressor(exponent=1.0, iterations=5).fit(X, y)
        plain = KernelRidgeLaplace().fit(X, y)
        assert mse(machine, X_test, f_test) < 0.01 < 1.0 < mse(plain, X_test, f_test)  # variance 4
        derivatives = np.diag(machine.agop_)
        assert derivatives[:3].sum() > 0.99 * derivatives.sum()
        first = np.diag(IRKMRegressor(exponent=1.0, iterations=0).fit(X, y).agop_)
        assert first[:3].min() > first[3:].max() and first[:3].sum() < 0.9 * first.sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    "family, d, n, parameters, wins",
    [("staircase", 30, 400, {"levels": 4}, True), ("projected", 8, 300, {"width": 3}, False)],
)
def test_it_wins_on_coordinates_and_loses_on_rotations(family, d, n, parameters, wins):
    X, y = make_target(family, d, 0, **parameters).sample(n + 3000, np.random.default_rng(100))
    diagonal, full = (mse(L().fit(X[:n], y[:n]), X[n:], y[n:]) for L in (IRKMRegressor, RFMRegressor))
    assert (diagonal < 0.1 * full) if wins else (full < 0.1 * diagonal)
