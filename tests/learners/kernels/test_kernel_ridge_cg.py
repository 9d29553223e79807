"""Kernel ridge regression by conjugate gradients: what the exact learner finds, without its matrix."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from hierbench.learners.base import Curve
from hierbench.learners.kernels.kernel_ridge import KernelRidge
from hierbench.learners.kernels.kernel_ridge_cg import KernelRidgeCG, KernelRidgeCGPolynomial
from hierbench.targets.registry import make_target

SMALL = {"n_exact": 400, "n_centres": 300}


@parametrize_with_checks([KernelRidgeCG(n_exact=12, n_centres=6, length_scale=[0.5, 2.0])])
def test_sklearn_contract(estimator, check):
    check(estimator)


def data(n, d=6, seed=0, noise=0.0):
    target = make_target("squares", d=d, seed=seed, depth=2, width=3)
    X, y = target.sample(n, np.random.default_rng([seed, 0]))
    X_test, y_test = target.sample(2000, np.random.default_rng([seed, 1]))
    return X, y + noise * np.random.default_rng(2).standard_normal(n), X_test, y_test


def mse(learner, X, y, X_test, y_test):
    return np.mean((clone(learner).fit(X, y).predict(X_test) - y_test) ** 2)


@pytest.mark.slow(60)
@pytest.mark.parametrize("kernel", ["rbf", "polynomial"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_is_as_good_as_the_exact_learner(kernel, noise):
    """On average over targets; with noise, to choose by 750 held-out rows costs 5 %."""
    learners = KernelRidgeCG(kernel, n_exact=1024, n_centres=700), KernelRidge(kernel)
    ratios = []
    for seed in range(3):
        cell = data(3000, seed=seed, noise=noise)
        approximate, exact = (max(mse(learner, *cell), 1e-12) for learner in learners)
        ratios.append(np.log(approximate / exact))
    assert np.mean(ratios) < np.log(1.1)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_takes_the_ridge_that_predicts_the_held_out_rows_best(noise):
    X, y, X_test, _ = data(900, noise=noise)
    ridges = [1e-6, 1e-4, 1e-2, 1.0, 100.0]
    ours = KernelRidgeCG("rbf", length_scale=1.5, ridge=ridges, **SMALL).fit(X, y)
    kept = 900 - 900 // 4
    held_out = [
        np.mean(
            (
                KernelRidge("rbf", length_scale=1.5, ridge=r).fit(X[:kept], y[:kept]).predict(X[kept:])
                - y[kept:]
            )
            ** 2
        )
        for r in ridges
    ]
    assert ours.hyperparameters_["ridge"] == ridges[int(np.argmin(held_out))]
    assert ours.fit_report_.health["held_out_mse"] == pytest.approx(min(held_out), rel=1e-2)
    exact = KernelRidge("rbf", length_scale=1.5, ridge=ours.hyperparameters_["ridge"]).fit(X, y)
    np.testing.assert_allclose(ours.predict(X_test), exact.predict(X_test), atol=0.01)


def test_with_few_samples_it_is_the_exact_learner():
    X, y, X_test, _ = data(400)
    ours, exact = KernelRidgeCG("rbf", **SMALL).fit(X, y), KernelRidge("rbf").fit(X, y)
    np.testing.assert_array_equal(ours.predict(X_test), exact.predict(X_test))
    assert ours.fit_report_ == exact.fit_report_


@pytest.mark.parametrize("kernel", ["rbf", "polynomial"])
def test_a_curve_is_its_fits(kernel):
    X, y, X_test, _ = data(1300)
    learner = KernelRidgeCG(kernel, **SMALL)
    sizes = (100, 400, 700, 1300)
    [curve] = learner.fit_curves([Curve(X, y, sizes, 0)])
    for n, predicted, estimator in zip(sizes, curve.predict(X_test), curve.estimators, strict=True):
        alone = clone(learner).fit(X[:n], y[:n])
        assert estimator.hyperparameters_ == alone.hyperparameters_
        # the iterations end alike, but what ends them is rounded
        np.testing.assert_allclose(predicted, alone.predict(X_test), atol=1e-4)


def test_the_report_says_what_was_done():
    X, y, _, _ = data(1000)
    report = KernelRidgeCGPolynomial(degree=4, **SMALL).fit(X, y).fit_report_
    assert set(report.hyperparameters) == {"offset", "ridge", "iterations"}
    assert report.health["residual"] < 1e-3 and report.health["held_out_mse"] >= 0
    assert report.steps > report.hyperparameters["iterations"] and report.flops > 1e6


@pytest.mark.parametrize("parameters", [{"n_exact": 1}, {"n_centres": 0}, {"max_iter": 0}, {"n_exact": 2.5}])
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y, _, _ = data(30)
    with pytest.raises(ValueError, match=f"{next(iter(parameters))} .*allowed are"):
        KernelRidgeCG(**parameters).fit(X, y)
