"""Kernel ridge regression: the scikit-learn contract, sklearn's own KernelRidge, and fair tuning."""

import numpy as np
import pytest
import sklearn.kernel_ridge
from fair_grid import best_on_the_test_set
from repeats import checks_of_fits
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.kernels.kernel_ridge import (
    KernelRidge,
    KernelRidgeLaplace,
    KernelRidgeRBF,
)
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.targets.registry import make_target


# with its kernel as a parameter; those of one kernel are checked in tests/learners/test_estimators.py
@pytest.mark.parametrize(("estimator", "check"), checks_of_fits(KernelRidge()))
def test_sklearn_contract(estimator, check):
    check(estimator)


def sample(n, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + 0.1 * rng.standard_normal(n)


def test_rbf_is_sklearns():
    X, y = sample(200)
    ours = KernelRidgeRBF(length_scale=1.3, ridge=1e-2, intercept=0.0).fit(X[:150], y[:150])
    gamma = 1 / (2 * X.shape[1] * 1.3**2)
    theirs = sklearn.kernel_ridge.KernelRidge(kernel="rbf", gamma=gamma, alpha=1e-2).fit(X[:150], y[:150])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-8)


def test_polynomial_is_sklearns():
    X, y = sample(200)
    ours = KernelRidgePolynomial(degree=3, offset=0.7, ridge=1e-2).fit(X[:150], y[:150])
    # Ours is theirs divided by (1 + c)^p, so that theirs takes the ridge times that.
    theirs = sklearn.kernel_ridge.KernelRidge(
        kernel="polynomial", degree=3, gamma=1 / X.shape[1], coef0=0.7, alpha=1e-2 * 1.7**3
    ).fit(X[:150], y[:150])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)


def test_laplace_is_sklearns_with_a_precomputed_kernel():
    X, y = sample(200)
    ours = KernelRidgeLaplace(length_scale=2.0, ridge=1e-2, intercept=0.5).fit(X[:150], y[:150])
    distance = np.sqrt(np.square(X[:, None] - X[None]).sum(-1) / X.shape[1])
    K = np.exp(-distance / 2.0) + 0.5
    theirs = sklearn.kernel_ridge.KernelRidge(kernel="precomputed", alpha=1e-2).fit(K[:150, :150], y[:150])
    np.testing.assert_allclose(ours.predict(X[150:]), theirs.predict(K[150:, :150]), atol=1e-8)


def test_several_outputs_are_sklearns():
    X, y = sample(200)
    Y = np.stack([y, X[:, 0], np.cos(3 * y)], axis=1)
    ours = KernelRidgeRBF(length_scale=1.3, ridge=1e-2, intercept=0.0).fit(X[:150], Y[:150])
    gamma = 1 / (2 * X.shape[1] * 1.3**2)
    theirs = sklearn.kernel_ridge.KernelRidge(kernel="rbf", gamma=gamma, alpha=1e-2).fit(X[:150], Y[:150])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-8)


@pytest.mark.parametrize("learner", [KernelRidgeRBF(), KernelRidgePolynomial(degree=3)])
def test_several_outputs_share_what_suits_all_of_them(learner):
    X, y = sample(260)
    same = np.stack([y, -2 * y], axis=1)
    [curve] = clone(learner).fit_curves([Curve(X[:200], same[:200], (60, 200), 0)])
    [alone] = clone(learner).fit_curves([Curve(X[:200], y[:200], (60, 200), 0)])
    found, wanted = curve.predict(X[200:]), alone.predict(X[200:])
    assert found.shape == (2, 60, 2)
    np.testing.assert_allclose(found, np.stack([wanted, -2 * wanted], axis=2), atol=1e-7)
    for several, one in zip(curve.estimators, alone.estimators, strict=True):
        assert several.hyperparameters_ == one.hyperparameters_
        health = several.fit_report_.health["loo_mse"]
        assert health == pytest.approx(2.5 * one.fit_report_.health["loo_mse"])


def test_the_intercept_is_nearly_free():
    X, y = sample(300)
    plain = KernelRidgeRBF().fit(X[:200], y[:200]).predict(X[200:])
    shifted = KernelRidgeRBF().fit(X[:200], y[:200] + 10).predict(X[200:]) - 10
    mse, moved = np.mean((plain - y[200:]) ** 2), np.mean((shifted - y[200:]) ** 2)
    assert moved < 1.1 * mse


@pytest.mark.parametrize(
    "parameters",
    [
        {"kernel": "rfb"},
        {"degree": 0, "kernel": "polynomial"},
        {"length_scale": 0.0},
        {"ridge": -1.0},
        {"intercept": -1.0},
    ],
)
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y = sample(20)
    with pytest.raises(ValueError, match="allowed are"):
        KernelRidge(**parameters).fit(X, y)


def test_prediction_in_blocks_is_prediction(monkeypatch):
    X, y = sample(120)
    model = KernelRidgeRBF(length_scale=1.0, ridge=1e-2).fit(X[:80], y[:80])
    whole = model.predict(X)
    monkeypatch.setattr("hierbench.learners.engines.kernel_engine.CHUNK", 80 * 7)
    np.testing.assert_allclose(model.predict(X), whole, atol=1e-12)


FAIR = [
    (KernelRidgeRBF(), np.geomspace(0.15, 30.0, 30)),
    (KernelRidgeLaplace(), np.geomspace(0.15, 100.0, 30)),
    (KernelRidgePolynomial(degree=4), np.geomspace(0.01, 10.0, 30)),
]


@pytest.mark.parametrize(
    ("estimator", "shapes", "d"),
    [
        pytest.param(*case, d, id=f"{case[0].kernel}-{d}", marks=() if (i, d) == (0, 8) else pytest.mark.slow)
        for i, case in enumerate(FAIR)
        for d in (8, 12)
    ],
)
def test_tuning_is_within_a_tenth_of_the_best_of_a_ten_times_larger_grid(estimator, shapes, d):
    """A check of ours, never used for fitting: the large grid is judged on the test set itself.

    Judged on the geometric mean of replicates: leave-one-out has a sampling error that nobody without the
    test set can avoid, and these targets have heavy tails. The ridges end at 1e-10 on both sides: below,
    float64 is no longer sound.
    """
    n, ridges, ratios = 400, np.geomspace(1e-10, 1e2, 25), []
    for seed in range(3):
        target = make_target("squares", d=d, seed=seed, depth=2, width=3)
        X, y = target.sample(n + 3000, np.random.default_rng(seed))
        tuned = estimator.fit(X[:n], y[:n])
        assert len(shapes) * len(ridges) >= 10 * tuned.fit_report_.steps
        mse = np.mean((tuned.predict(X[n:]) - y[n:]) ** 2)
        best = best_on_the_test_set(
            estimator._kernel(), [(s,) for s in shapes], ridges, X[:n], y[:n], X[n:], y[n:]
        )
        ratios.append(mse / best)
    assert np.exp(np.mean(np.log(ratios))) <= 1.1, ratios


def test_ridges_that_are_all_too_small_are_refused_in_one_line():
    X, y = sample(40)
    X[1] = X[0]
    y[1] = y[0]
    with pytest.raises(ValueError, match="not positive definite"):
        KernelRidgePolynomial(degree=1, ridge=[0.0, 1e-300]).fit(np.vstack([X] * 3), np.concatenate([y] * 3))


def test_degree_eight_is_recovered_past_its_number_of_polynomials():
    """C(5 + 8, 8) = 1287. Prefixes of a third leave offsets of 10 and more, which get to 8e-3 here."""
    target, rng = make_target("squares", 5, 2, depth=3, width=2), np.random.default_rng(2)
    (X, y), (Z, z) = target.sample(1500, rng), target.sample(4000, rng)
    model = KernelRidgePolynomial(degree=8).fit(X, y)
    assert np.mean((model.predict(Z) - z) ** 2) < 1e-6
    assert model.hyperparameters_["offset"] < 3 and model.hyperparameters_["ridge"] <= 1e-8
    twin = ((X @ X.T / 5 + model.hyperparameters_["offset"]) / (1 + model.hyperparameters_["offset"])) ** 8
    alpha = np.linalg.solve(twin + model.hyperparameters_["ridge"] * np.eye(1500), y)
    assert np.abs(twin @ (alpha - model.dual_coef_)).max() < 1e-4
