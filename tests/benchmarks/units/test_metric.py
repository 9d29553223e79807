"""The errors of rows: unbiased, with a standard error that is the spread it claims."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hierbench.benchmarks.units.metric import (
    ErrorEstimate,
    error_of,
    misclassification,
    plain_error,
    relative_mse,
)
from hierbench.targets.laws.inputs import input_law


def heavy(rng, m):
    """Labels of mean 0 and variance 1 with heavy tails, and errors that grow with them."""
    y = (rng.standard_normal(m) ** 2 - 1) / np.sqrt(2)
    return 0.3 * y + 0.05 * rng.standard_normal(m), y  # E e^2 = 0.09 + 0.0025


def test_is_unbiased_and_its_standard_error_is_its_spread():
    rng = np.random.default_rng(0)
    found = [relative_mse(*heavy(rng, 4096)) for _ in range(400)]
    values = np.array([f.error for f in found])
    spread = values.std(ddof=1)
    assert abs(values.mean() - 0.0925) < 4 * spread / np.sqrt(len(values))
    assert np.mean([f.standard_error for f in found]) == pytest.approx(spread, rel=0.2)


def test_control_variate_beats_the_plain_mean():
    rng = np.random.default_rng(1)
    pairs = [heavy(rng, 1024) for _ in range(200)]
    controlled = np.std([relative_mse(e, y).error for e, y in pairs])
    plain = np.std([np.mean(e * e) for e, _ in pairs])
    assert controlled < 0.3 * plain


def test_zero_predictor_has_relative_mse_one_exactly():
    # e^2 = y^2, so the control variate knows the answer: 1, with no error at all.
    _, y = heavy(np.random.default_rng(2), 1000)
    found = relative_mse(-y, y)
    assert found.error == pytest.approx(1.0, abs=1e-12)
    assert found.standard_error < 1e-12


def test_labels_of_constant_square_fall_back_to_the_mean():
    rng = np.random.default_rng(3)
    e, y = rng.standard_normal(500), rng.choice([-1.0, 1.0], 500)
    found = relative_mse(e, y)
    assert found.error == pytest.approx(np.mean(e * e))
    assert found.standard_error == pytest.approx(np.std(e * e, ddof=1) / np.sqrt(500))


def test_never_negative():
    # e^2 is convex in y^2, so that the line is below zero at the known mean of y^2.
    y = np.repeat([0.0, 5.0, 10.0], [80, 10, 10])
    e = np.repeat([0.0, 0.0, 10.0], [80, 10, 10])
    found = relative_mse(e, y)
    assert found.error == pytest.approx(10.0)
    assert found.standard_error == pytest.approx(np.std(e * e, ddof=1) / np.sqrt(100))


def test_one_point_of_high_leverage_gives_no_certainty():
    # The line passes through the one huge label whatever its error was: nothing is known.
    rng = np.random.default_rng(5)
    y = rng.standard_normal(1000)
    y[0] = 300.0
    e = 0.01 * rng.standard_normal(1000)
    e[0] = 30.0
    assert relative_mse(e, y).unreliable


def test_share_of_ten_points():
    e, y = np.ones(100), np.random.default_rng(4).standard_normal(100)
    assert relative_mse(e, y).top10_share == pytest.approx(0.1)
    e[:10] = 1e4
    assert relative_mse(e, y).top10_share == pytest.approx(1.0, abs=1e-6)
    assert relative_mse(np.zeros(100), y).top10_share == 0.0


def test_unreliable_above_ten_percent():
    assert ErrorEstimate(1.0, 0.101, 0.0, 10).unreliable
    assert not ErrorEstimate(1.0, 0.099, 0.0, 10).unreliable
    assert not ErrorEstimate(0.0, 0.0, 0.0, 10).unreliable


def test_misclassification_has_the_binomial_spread():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(400):
        y = rng.choice([-1.0, 1.0], 500)
        found.append(misclassification(np.where(rng.random(500) < 0.2, -y, y), y, (-1.0, 1.0)))
    values = np.array([f.error for f in found])
    assert abs(values.mean() - 0.2) < 4 * values.std() / 20
    assert np.mean([f.standard_error for f in found]) == pytest.approx(values.std(ddof=1), rel=0.2)
    assert {f.top10_share for f in found} == {None}


def test_a_prediction_counts_as_the_class_nearest_to_it():
    classes = (-1.5, 0.0, 0.5, 2.0)
    predicted = np.linspace(-4.0, 4.0, 1003)
    nearest = np.array(classes)[np.abs(predicted[:, None] - np.array(classes)).argmin(axis=1)]
    assert misclassification(predicted, nearest, classes).error == 0.0
    assert misclassification(np.array([0.0, -0.1]), np.array([1.0, -1.0]), (-1.0, 1.0)).error == 0.0
    assert misclassification(np.array([9.0, -9.0, 0.1]), np.array([1.0, 1.0, 1.0]), (-1.0, 1.0)).error == (
        pytest.approx(1 / 3)
    )


def test_no_wrong_point_is_not_certainty():
    y = np.ones(1000)
    found = misclassification(y, y, (-1.0, 1.0))
    assert found.error == 0.0 and found.unreliable
    assert 0.3 / 1000 < found.standard_error < 1.0 / 1000


def test_predictions_that_are_not_finite_have_no_error():
    assert np.isnan(misclassification(np.array([np.nan, 1.0]), np.ones(2), (-1.0, 1.0)).error)


def test_the_metric_follows_the_classes():
    predicted, y = np.array([0.2, 0.4, -0.3]), np.array([1.0, -1.0, -1.0])
    assert error_of(predicted, y, (-1.0, 1.0)).error == plain_error(predicted, y, (-1.0, 1.0))
    assert error_of(predicted, y, (-1.0, 1.0)).error == pytest.approx(1 / 3)
    assert error_of(predicted, y, ()) == relative_mse(predicted - y, y)
    assert plain_error(predicted, y, ()) == pytest.approx(np.mean((predicted - y) ** 2))


def test_weights_of_spread_points_give_the_mean_under_the_law():
    """Of x_1^8 under a Gaussian E = 105: unbiased, with the scatter it claims, and less than without."""
    law = input_law("gaussian", 3, 0)
    plain, spread = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((4096, 3))
        moved, weights = law.spread(X, 4, rng)
        assert (weights <= 2.0).all() and (weights > 0).all()
        for found, rows, w in ((plain, X, None), (spread, moved, weights)):
            found.append(relative_mse(rows[:, 0] ** 4 / math.sqrt(105), rows[:, 0], w))
    errors, doubts = (
        np.array([getattr(one, name) for one in spread]) for name in ("error", "standard_error")
    )
    assert abs(errors.mean() - 1.0) < 4.0 * errors.std() / math.sqrt(200)
    assert errors.std() == pytest.approx(doubts.mean(), rel=0.2)
    assert np.mean(np.abs(errors - 1.0) < 3.0 * doubts) >= 0.98
    assert errors.std() < 0.5 * np.std([one.error for one in plain])


def test_what_predicts_the_mean_is_known_to_be_1_on_spread_points_too():
    rng = np.random.default_rng(0)
    X, weights = input_law("gaussian", 3, 0).spread(rng.standard_normal((4096, 3)), 4, rng)
    y = X[:, 0] * X[:, 1]
    found = relative_mse(-y, y, weights)
    assert found.error == pytest.approx(1.0, abs=1e-12) and found.standard_error < 1e-12
