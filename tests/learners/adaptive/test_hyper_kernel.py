"""Hyper-kernel ridge regression: variable projection over k(Bx, Bx'), after arXiv 2510.02532."""

import numpy as np
import pytest
from repeats import checks_of_fits
from sklearn.kernel_ridge import KernelRidge

from hierbench.learners.adaptive.hyper_kernel import HyperKernelRegressor, Path, Work
from hierbench.learners.adaptive.projected_kernel import (
    GaussianOfProjection,
    PolynomialOfProjection,
    ProfiledRisk,
)
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF


# what the registered one does not set; that is checked in tests/learners/test_estimators.py
@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"),
    checks_of_fits(HyperKernelRegressor(kernel="gaussian", n_directions=2, iterations=5, restarts=2)),
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def gaussian(U, V):
    return np.exp(-0.5 * np.square(U[:, None] - V[None]).sum(2)) + 1


def polynomial(degree, offset):
    def kernel(U, V, mean):
        return ((U @ V.T / mean + offset) / (1 + offset)) ** degree

    return kernel


def gram(kernel, X, B):
    """Kernel matrix by its definition."""
    Z = X @ B.T
    if isinstance(kernel, GaussianOfProjection):
        return gaussian(Z, Z)
    return polynomial(kernel.degree, kernel.offset)(Z, Z, np.square(Z).sum(1).mean())


KERNELS = [GaussianOfProjection(), *(PolynomialOfProjection(p, c) for p, c in ((1, 0.5), (2, 2.0), (4, 1.0)))]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_profiled_risk_is_the_least_penalised_risk(kernel):
    """Both sums written out, at a dense solve; any other coefficients do worse."""
    rng = np.random.default_rng(0)
    X, y, B, ridge = rng.standard_normal((25, 5)), rng.standard_normal(25), rng.standard_normal((2, 5)), 0.3
    K = gram(kernel, X, B)
    best = np.linalg.solve(K + ridge * np.eye(25), y)

    def penalised(a):
        return (np.square(K @ a - y).sum() + ridge * a @ K @ a) / np.square(y).sum()

    value, _ = ProfiledRisk(kernel, X, y)(B, ridge)
    assert value == pytest.approx(penalised(best), rel=1e-9)
    assert all(penalised(best + 0.01 * rng.standard_normal(25)) > value for _ in range(5))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_gradient_is_that_of_finite_differences_of_dense_solves(kernel):
    rng = np.random.default_rng(1)
    X, y, B = rng.standard_normal((20, 4)), 5 * rng.standard_normal(20), rng.standard_normal((3, 4))
    ridge = 0.1

    def risk(b):
        K = gram(kernel, X, b.reshape(3, 4))
        return ridge * y @ np.linalg.solve(K + ridge * np.eye(20), y) / np.square(y).sum()

    _, gradient = ProfiledRisk(kernel, X, y)(B, ridge)
    steps = 1e-6 * np.eye(12)
    central = [(risk(B.ravel() + h) - risk(B.ravel() - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient.ravel(), central, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_at_its_projection_it_is_kernel_ridge_regression(kernel):
    """Against scikit-learn's, of inputs projected by hand, in other units of inputs and labels too."""
    rng = np.random.default_rng(2)
    X = 3 * rng.standard_normal((90, 4)) + 0.5
    y = 7 * np.sin(X[:, 0] / 3) * X[:, 1]
    model = HyperKernelRegressor(
        kernel=kernel, degree=3, n_directions=2, ridge=(0.1, 1.0), iterations=10, random_state=0
    ).fit(X, y)
    X_test = 3 * rng.standard_normal((40, 4))
    Z, Z_test = X @ model.projection_.T, X_test @ model.projection_.T
    chosen = model.hyperparameters_
    assert chosen["ridge"] in (0.1, 1.0) and Z.shape == (90, 2)
    if kernel == "gaussian":
        twin = KernelRidge(alpha=chosen["ridge"], kernel="precomputed").fit(gaussian(Z, Z), y)
        expected = twin.predict(gaussian(Z_test, Z))
    else:
        assert np.square(Z).sum(1).mean() == pytest.approx(2)
        twin = KernelRidge(alpha=chosen["ridge"] * 2**3, kernel="poly", degree=3, gamma=0.5, coef0=1.0)
        expected = twin.fit(Z, y).predict(Z_test)
    np.testing.assert_allclose(model.predict(X_test), expected, rtol=1e-7, atol=1e-7)


def test_units_of_inputs_and_labels_do_not_matter():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 3))
    y = X[:, 0] ** 2 + X[:, 1]
    plain, scaled = (
        HyperKernelRegressor(n_directions=2, iterations=5, random_state=0).fit(a * X, b * y)
        for a, b in ((1, 1), (2.0**40, 2.0**-30))
    )
    np.testing.assert_allclose(scaled.predict(2.0**40 * X) * 2.0**30, plain.predict(X), rtol=1e-6)


def test_more_restarts_never_raise_the_risk_at_a_ridge():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 6))
    y = X[:, 0] * X[:, 1] * X[:, 2]

    def risk(restarts):
        model = HyperKernelRegressor(
            kernel="gaussian",
            n_directions=3,
            ridge=1e-2,
            restarts=restarts,
            iterations=200,
            random_state=0,
        ).fit(X, y)
        return 1e-2 * float(y @ model.dual_coef_)

    one, several = risk(1), risk(6)
    assert several < 0.9 * one  # the first start ends in another local minimum


def test_without_a_seed_starts_are_drawn_anew():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    y = X[:, 0] ** 2
    first, second = (
        HyperKernelRegressor(kernel="gaussian", n_directions=1, ridge=1.0, iterations=1).fit(X, y)
        for _ in range(2)
    )
    assert not np.array_equal(first.projection_, second.projection_)


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("kernel", "laplace"),
        ("kernel", 3),
        ("degree", 0),
        ("offset", -1.0),
        ("n_directions", 0),
        ("ridge", 0.0),
        ("iterations", 0),
        ("restarts", 0),
        ("folds", 1),
    ],
)
def test_bad_parameters_are_named(parameter, value):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match=f"{parameter} = '?{value}'?: allowed are"):
        HyperKernelRegressor(**{parameter: value}).fit(X, X[:, 0])


def test_noise_is_not_mistaken_for_directions():
    """The plant: at a ridge at which B fits noise, leave-one-out of the last step is flattered."""
    rng = np.random.default_rng(0)
    X, y, X_test = rng.standard_normal((150, 12)), rng.standard_normal(150), rng.standard_normal((1000, 12))
    honest = HyperKernelRegressor(kernel="gaussian", random_state=0).fit(X, y)
    assert honest.fit_report_.health["crossfit_mse"] > 0.9 * y.var()
    assert np.mean(np.square(honest.predict(X_test))) < 0.1
    forced = HyperKernelRegressor(kernel="gaussian", n_directions=4, ridge=1.0, random_state=0).fit(X, y)
    inverse = np.linalg.inv(gaussian(forced.X_fit_, forced.X_fit_) + np.eye(150))
    flattered = np.mean(np.square(forced.dual_coef_ / np.diag(inverse)))
    assert flattered < 0.7 * y.var() < y.var() < forced.fit_report_.health["crossfit_mse"]


def multi_index(n, d, seed):
    """Labels sin(z_1 + z_2) z_3 of a random projection, variance 1; 2000 test rows behind n."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n + 2000, d))
    Z = X @ np.linalg.qr(rng.standard_normal((d, 3)))[0]
    y = np.sin(Z[:, 0] + Z[:, 1]) * Z[:, 2]
    return X, y / y.std()


@pytest.mark.slow
def test_more_directions_than_the_target_has_make_the_minimum_easy_to_find():
    """What arXiv 2510.02532 finds: of random starts many fail at r = 3, and no more at twice that."""
    n, d, ridge = 200, 10, 1e-3
    X, y = multi_index(n, d, 0)
    risk = ProfiledRisk(GaussianOfProjection(), X[:n], y[:n])
    reached = {}
    for r in (3, 6):
        starts = [np.random.default_rng(s).standard_normal((r, d)) / (r * d) ** 0.5 for s in range(16)]
        found = [Path(risk, [B], 1.0, 200, Work()).descend(ridge) for B in starts]
        reached[r] = np.array([risk(B, ridge)[0] for B in found])
    least = reached[6].min()
    assert (reached[6] < 1.05 * least).all()
    assert 3 <= (reached[3] < 1.5 * least).sum() <= 8  # 5
    assert (reached[3] > 3 * least).sum() >= 4


@pytest.mark.slow
def test_a_learned_projection_beats_the_fixed_kernel_on_a_multi_index_target():
    """The ordering of arXiv 2510.02532, with kernel, r and ridge chosen inside fit; a tenth of the error."""
    for seed in (0, 1):
        X, y = multi_index(200, 10, seed)
        learned = HyperKernelRegressor(kernel="gaussian", random_state=0).fit(X[:200], y[:200])
        fixed = KernelRidgeRBF().fit(X[:200], y[:200])
        errors = [float(np.mean(np.square(m.predict(X[200:]) - y[200:]))) for m in (learned, fixed)]
        assert errors[0] < 0.05 < 0.4 < errors[1]
