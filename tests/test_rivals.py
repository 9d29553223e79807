"""Rivals that adapt without SGD: boosted trees, feature machine, spectral levels."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from learners.boosted_trees import AXES, BoostedTreesRegressor
from targets.registry import make_target


@parametrize_with_checks([BoostedTreesRegressor(max_iter=40, n_candidates=4)])
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
    ],
)
def test_bad_parameters_are_named(estimator, parameter, value):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match=f"{parameter} must be .*{value}"):
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


def test_trees_are_tuned_to_the_target():
    """An additive target gets small trees (Friedman 2001), one of three inputs together does not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    additive, together = (BoostedTreesRegressor(n_candidates=14, max_iter=500) for _ in range(2))
    additive.fit(X, np.sin(2 * X).sum(1) + 0.3 * rng.standard_normal(600))
    together.fit(X, np.sign(X[:, :3].prod(1)))
    assert additive.hyperparameters_["max_leaf_nodes"] <= 4 < together.hyperparameters_["max_leaf_nodes"]
    assert set(additive.hyperparameters_) == {*AXES, "max_iter"}


def test_tuning_of_trees_beats_their_defaults():
    X, y, X_test, y_test = sample("projected", 10, 1000, depth=2, width=3)
    tuned = BoostedTreesRegressor(n_splits=1, n_candidates=12, max_iter=600).fit(X, y)
    assert mse(tuned, X_test, y_test) < 0.95 * mse(HistGradientBoostingRegressor().fit(X, y), X_test, y_test)
