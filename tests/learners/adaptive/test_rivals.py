"""Rivals that adapt without SGD: boosted trees, feature machine, spectral levels."""

import numpy as np
import pytest
import torch
from repeats import checks_of_fits
from sklearn.ensemble import HistGradientBoostingRegressor

from hierbench.learners.adaptive.boosted_trees import AXES, BoostedTreesRegressor
from hierbench.learners.adaptive.metric_kernel import ExponentKernel, metric_of, metric_root
from hierbench.learners.adaptive.rfm import RFMRegressor
from hierbench.learners.features.polynomial_regression import PolynomialRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeLaplace, KernelRidgeRBF
from hierbench.learners.sequential.second_moments import linear_part, second_moment, spectral_level, whitening
from hierbench.learners.sequential.spectral_layerwise import SpectralLayerwiseRegressor
from hierbench.targets.registry import make_target


# what the registered ones do not set; those are checked in tests/learners/test_estimators.py
@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"),
    checks_of_fits(
        RFMRegressor(exponent=1.4, power=1.0, iterations=2, folds=0),
        SpectralLayerwiseRegressor(depth=3, splitting=True),
    ),
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def sample(name, d, n, n_test=3000, seed=0, **params):
    rng = np.random.default_rng(seed)
    X, y = make_target(name, d, seed, **params).sample(n + n_test, rng)
    return X[:n], y[:n], X[n:], y[n:]


def mse(model, X, y):
    return float(np.mean(np.square(model.predict(X) - y)))


@pytest.mark.parametrize(
    "estimator, parameter, value",
    [
        (BoostedTreesRegressor, "n_splits", 6),
        (BoostedTreesRegressor, "n_candidates", 0),
        (BoostedTreesRegressor, "max_iter", 1.5),
        (RFMRegressor, "exponent", 2.5),
        (RFMRegressor, "power", 0.0),
        (RFMRegressor, "iterations", -1),
        (RFMRegressor, "folds", 1),
        (RFMRegressor, "length_scale", 0.0),
        (RFMRegressor, "intercept", -1.0),
        (SpectralLayerwiseRegressor, "depth", 0),
        (SpectralLayerwiseRegressor, "n_directions", 0),
        (SpectralLayerwiseRegressor, "max_features", 1),
    ],
)
def test_bad_parameters_are_named(estimator, parameter, value):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match=f"{parameter} = {value}: allowed are"):
        estimator(**{parameter: value}).fit(X, X[:, 0])


def test_boosted_trees_are_those_of_scikit_learn_on_the_whole_sample():
    X, y, X_test, _ = sample("squares", 5, 300, depth=2)
    model = BoostedTreesRegressor(n_candidates=6, max_iter=150).fit(X, y)
    plain = HistGradientBoostingRegressor(early_stopping=False, **model.hyperparameters_).fit(X, y)
    np.testing.assert_array_equal(model.predict(X_test), plain.predict(X_test))


def test_number_of_trees_is_the_best_on_held_out_rows():
    """Against errors tree by tree of boosting that never stops early."""
    X, y, *_ = sample("squares", 4, 300, depth=2)
    y = y + np.random.default_rng(0).standard_normal(300)
    model = BoostedTreesRegressor(n_candidates=1, n_splits=2, max_iter=200).fit(X, y)
    fold, errors = np.arange(300) % 5, np.zeros(200)
    for k in (3, 4):
        chosen = model.hyperparameters_ | {"max_iter": 200}
        own = HistGradientBoostingRegressor(early_stopping=False, **chosen).fit(X[fold != k], y[fold != k])
        staged = list(own.staged_predict(X[fold == k]))
        errors += [np.mean(np.square(f - y[fold == k])) / 2 for f in staged]
    assert 1 < model.hyperparameters_["max_iter"] == np.argmin(errors) + 1 < 150
    assert model.fit_report_.health["held_out_mse"] == pytest.approx(errors.min(), rel=1e-9)


@pytest.mark.slow
def test_trees_are_tuned_to_the_target():
    """An additive target gets small trees (Friedman 2001), one of three inputs together does not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    additive, together = (BoostedTreesRegressor(n_candidates=14, max_iter=200, n_splits=1) for _ in range(2))
    additive.fit(X, np.sin(2 * X).sum(1) + 0.3 * rng.standard_normal(600))
    together.fit(X, np.sign(X[:, :3].prod(1)))
    assert additive.hyperparameters_["max_leaf_nodes"] <= 4 < together.hyperparameters_["max_leaf_nodes"]
    assert set(additive.hyperparameters_) == {*AXES, "max_iter"}


@pytest.mark.slow
def test_tuning_of_trees_beats_their_defaults():
    X, y, X_test, y_test = sample("projected", 10, 1000, depth=2, width=3)
    tuned = BoostedTreesRegressor(n_splits=1, n_candidates=8, max_iter=400).fit(X, y)
    assert mse(tuned, X_test, y_test) < 0.95 * mse(HistGradientBoostingRegressor().fit(X, y), X_test, y_test)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4, 2.0])
def test_gradients_are_those_of_autograd(exponent):
    rng = np.random.default_rng(0)
    centres, alpha, points = (
        rng.standard_normal((15, 3)),
        rng.standard_normal(15),
        rng.standard_normal((7, 3)),
    )
    kernel, shape = ExponentKernel(exponent, 0.5), (0.8,)
    x = torch.tensor(points, requires_grad=True)
    distances = (x[:, None] - torch.tensor(centres)[None]).square().sum(2).sqrt() / (3**0.5 * 0.8)
    f = (-(distances**exponent)).exp() @ torch.tensor(alpha) + 0.5 * alpha.sum()
    f.sum().backward()
    np.testing.assert_allclose(kernel.gradients(centres, alpha, shape, points), x.grad, rtol=1e-9)
    K = torch.empty((7, 15), dtype=torch.float64)
    kernel.gram(torch.tensor(points), torch.tensor(centres), shape, K)
    np.testing.assert_allclose(K.numpy() @ alpha, f.detach(), rtol=1e-10, atol=1e-12)


def test_agop_is_the_mean_outer_product_of_finite_differences():
    """At training points: a Laplace kernel's own peak has no gradient, and central differences see none."""
    X, y, *_ = sample("projected", 4, 60, depth=2, width=2)
    model = RFMRegressor(exponent=1.0, power=1.0, iterations=3, length_scale=2.0, ridge=1e-2).fit(X, y)
    h = 1e-4
    G = np.stack([(model.predict(X + h * e) - model.predict(X - h * e)) / (2 * h) for e in np.eye(4)], axis=1)
    np.testing.assert_allclose(model.agop_, G.T @ G / 60, atol=1e-6 * np.abs(model.agop_).max())
    np.testing.assert_allclose(model.root_ @ model.root_, model.metric_, atol=1e-12)


def test_without_iterations_it_is_laplace_kernel_regression():
    X, y, X_test, _ = sample("squares", 5, 200, 200, depth=2)
    plain, machine = (
        KernelRidgeLaplace().fit(X, y),
        RFMRegressor(exponent=1.0, power=1.0, iterations=0).fit(X, y),
    )
    assert machine.hyperparameters_["length_scale"] == plain.hyperparameters_["length_scale"]
    np.testing.assert_allclose(machine.predict(X_test), plain.predict(X_test), rtol=0, atol=1e-8)


def test_iterations_are_those_of_the_definition_written_out():
    """Dense solves in float64, distances through M itself instead of its root."""
    X, y, X_test, _ = sample("projected", 4, 80, 50, depth=2, width=2)
    scale, ridge = 2.0, 1e-2
    model = RFMRegressor(
        exponent=1.0, power=0.5, iterations=2, folds=0, length_scale=scale, ridge=ridge, intercept=0.0
    ).fit(X, y)
    M, C = np.eye(4), np.cov(X.T, bias=True)

    def kernel(A, B):
        D = A[:, None] - B[None]
        r = np.sqrt(np.maximum(np.einsum("abi,ij,abj->ab", D, M, D), 0))
        return np.exp(-r / (2 * scale)), D, r

    for t in range(model.n_iter_ + 1):
        K, D, r = kernel(X, X)
        alpha = np.linalg.solve(K + ridge * np.eye(80), y)
        if t == model.n_iter_:
            break
        weights = -alpha * K / (2 * scale) / np.where(r > 1e-9, r, np.inf)
        G = np.einsum("ab,abi->ai", weights, D) @ M
        values, vectors = np.linalg.eigh(G.T @ G / 80)
        M = vectors * np.sqrt(values) @ vectors.T
        M *= np.trace(C) / np.trace(M @ C)
    assert model.n_iter_ > 0
    np.testing.assert_allclose(model.metric_, M, atol=1e-8)
    np.testing.assert_allclose(model.predict(X_test), kernel(X_test, X)[0] @ alpha, atol=1e-8)


def test_metric_keeps_the_mean_squared_distance():
    rng = np.random.default_rng(0)
    A, X = rng.standard_normal((5, 5)), rng.standard_normal((100, 5)) * np.arange(1, 6)
    C = np.cov(X.T, bias=True)
    for power in (0.5, 1.0):
        Z = X @ metric_root(metric_of(A @ A.T, C, power))
        assert Z.var(0).sum() == pytest.approx(X.var(0).sum())
    np.testing.assert_array_equal(metric_of(np.zeros((5, 5)), C, 1.0), np.eye(5))


@pytest.mark.slow
def test_the_machine_finds_few_directions_where_its_kernel_does_not():
    """What arXiv 2212.13881 reports of low-rank polynomials: errors far below those of the plain kernel."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2500, 20))
    y = np.sin(X[:, 0] + X[:, 1]) * X[:, 2]
    train, test = (X[:500], y[:500]), (X[500:], y[500:])
    laplace = RFMRegressor(exponent=1.0, power=0.5).fit(*train)
    assert mse(laplace, *test) < 0.2 * mse(KernelRidgeLaplace().fit(*train), *test)
    both = RFMRegressor(power=1.0, iterations=8).fit(*train)
    assert mse(both, *test) < 1e-3 < 0.4 * y.var() < mse(KernelRidgeRBF().fit(*train), *test)
    true = np.zeros((20, 2))
    true[:2, 0], true[2, 1] = 2**-0.5, 1.0
    leading = np.linalg.eigh(both.agop_)[1][:, -2:]
    sines = np.sqrt(np.maximum(0, 1 - np.linalg.svd(leading.T @ true)[1] ** 2))
    assert sines.max() < 0.02


def test_noise_is_not_mistaken_for_directions():
    """The plant: leave-one-out alone, which the metric has seen, promises to learn noise."""
    rng = np.random.default_rng(0)
    X, y, X_test = rng.standard_normal((200, 20)), rng.standard_normal(200), rng.standard_normal((1000, 20))
    honest = RFMRegressor(exponent=1.0, iterations=6).fit(X, y)
    assert honest.fit_report_.health["crossfit_mse"] > 0.9 * y.var()
    assert np.mean(np.square(honest.predict(X_test))) < 0.05
    flattered = RFMRegressor(exponent=1.0, iterations=6, folds=0).fit(X, y)
    assert flattered.fit_report_.health["loo_mse"] < 0.9 * y.var()


def test_linear_part_leaves_one_out_exactly():
    """Against refits without each row, at the one ridge that n times the identity makes, on white columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 3)) + 1.0
    y = X[:, 0] + rng.standard_normal(40)
    centre, W = whitening(X)
    w = (X - centre) @ W
    np.testing.assert_allclose(w.T @ w / 40, np.eye(3), atol=1e-12)
    b, residuals = linear_part(w, y)
    shrink = b / (w.T @ y / 40)
    penalty = 40 * (1 / shrink[0] - 1)
    A = np.hstack([w, np.ones((40, 1))])
    for i in range(40):
        keep = np.arange(40) != i
        G = A[keep].T @ A[keep] + penalty * np.diag([1.0, 1, 1, 0])
        coefficients = np.linalg.solve(G, A[keep].T @ y[keep])
        assert residuals[i] == pytest.approx(y[i] - A[i] @ coefficients, abs=1e-10)


def test_second_moment_is_the_mean_of_the_definition():
    rng = np.random.default_rng(0)
    w, e = rng.standard_normal((50, 3)), rng.standard_normal(50)
    plain = np.mean([a * (np.outer(x, x) - np.eye(3)) for a, x in zip(e, w, strict=True)], axis=0)
    np.testing.assert_allclose(second_moment(w, e), plain, atol=1e-14)


def test_directions_are_white_and_the_linear_one_comes_first():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 6)) * np.arange(1, 7)
    y = X[:, 4] / 5 + 2 * (X[:, 0] ** 2 - 1) - (X[:, 1] / 2) ** 2
    level = spectral_level(X, y, linear=True)
    p = level.project(X)
    np.testing.assert_allclose(p.T @ p / 2000, np.eye(6), atol=1e-9)
    assert [np.abs(row).argmax() for row in (level.directions * np.arange(1, 7)[:, None]).T[:3]] == [4, 0, 1]
    np.testing.assert_allclose(level.spectrum[:3], [1.0, 4.0, -2.0], atol=0.5)


def test_directions_of_a_multi_index_target_come_at_the_rate_root_d_over_n():
    """arXiv 2305.06986, 2311.13774: the error is that of n / d alone, and falls like its inverse root."""
    rng, sines = np.random.default_rng(0), {}
    for d in (20, 80):
        for per in (20, 320):
            found = []
            for _ in range(4):
                X = rng.standard_normal((per * d, d))
                rows, _ = np.linalg.qr(rng.standard_normal((d, 2)))
                p = X @ rows
                y = p[:, 0] ** 2 - p[:, 1] ** 2 + 0.5 * p[:, 0] * p[:, 1] ** 2
                V, _ = np.linalg.qr(spectral_level(X, y, linear=False).directions[:, :2])
                found.append(1 - np.linalg.svd(V.T @ rows)[1].min() ** 2)
            sines[d, per] = np.sqrt(np.mean(found))
    for d in (20, 80):
        assert 3.0 < sines[d, 20] / sines[d, 320] < 5.5  # 4 = the root of 16
    for per in (20, 320):
        assert 0.7 < sines[20, per] / sines[80, per] < 1.4


@pytest.mark.slow
def test_spectral_levels_pass_the_staircase():
    """Degree 4 in 20 dimensions has 10626 coefficients, too many for a kernel on 1500 samples."""
    X, y, X_test, y_test = sample("projected", 20, 1500, depth=2, width=2, rho=0.0, alpha=0.5)
    model = SpectralLayerwiseRegressor(depth=2).fit(X, y)
    assert mse(model, X_test, y_test) < 0.3 * mse(KernelRidgeRBF().fit(X, y), X_test, y_test)
    features = model.level_features(X_test)
    assert [f.shape[1] for f in features] == [model.hyperparameters_[f"level{i}_directions"] for i in (1, 2)]
    np.testing.assert_array_equal(model.readout_.predict(features[1]), model.predict(X_test))


def test_all_directions_leave_polynomial_regression():
    """The twin: with every direction kept, both levels together span all polynomials of degree 4."""
    X, y, X_test, y_test = sample("squares", 4, 300, depth=2)
    model = SpectralLayerwiseRegressor(depth=2).fit(X, y)
    assert model.hyperparameters_["level1_directions"] == 4
    plain = PolynomialRegressor(degree=4).fit(X, y)
    np.testing.assert_allclose(model.predict(X_test), plain.predict(X_test), atol=1e-5)
    assert mse(model, X_test, y_test) < 1e-10


@pytest.mark.parametrize("splitting", [False, True])
def test_the_held_out_error_is_not_flattered_by_noise(splitting):
    """The plant: leave-one-out of the read-out alone, whose features have seen the labels, is."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((400, 20)), rng.standard_normal(400)
    model = SpectralLayerwiseRegressor(splitting=splitting).fit(X, y)
    assert model.fit_report_.health["held_out_mse"] > 0.85 * y.var()
    assert np.mean(np.square(model.predict(rng.standard_normal((1000, 20))))) < 0.3
    seen = SpectralLayerwiseRegressor(n_directions=4).fit(X, y).fit_report_.health["loo_mse"]
    assert seen < 0.9 * y.var()
