"""Regressors on classes without an order: against scikit-learn's one-vs-rest, and several outputs at once."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.multiclass import OneVsRestClassifier
from stub_learners import FastMean

from hierbench.benchmarks.units.fitting import Here
from hierbench.benchmarks.units.one_score_a_class import OneScoreAClass
from hierbench.learners.base import Curve
from hierbench.learners.registry import LEARNERS, make_learner

SIZES = (40, 90)
FIXED = {"length_scale": 1.0, "ridge": 1e-3}


def data(n=400, classes=4, seed=0):
    """Labels by the largest of some linear scores: no order of the classes helps."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return X, (X @ rng.standard_normal((3, classes))).argmax(axis=1).astype(np.int64)


def fitted(name, parameters, trace=None):
    X, y = data()
    fitting = OneScoreAClass(Here(name, parameters), 4)
    curve = Curve(X[:90], y[:90], SIZES, 0)
    if fitting.fits_curves:
        [fit] = fitting.fit_curves([curve], trace).fits
        return fit, X[100:], y[100:]
    [fit] = fitting.fit([Curve(X[:90], y[:90], (90,), 0)]).fits
    return fit, X[100:], y[100:]


def test_scores_of_a_linear_regressor_decide_as_those_of_one_vs_rest():
    fit, X, y = fitted("sklearn.linear_model:LinearRegression", {})
    train_X, train_y = (part[:90] for part in data())
    theirs = OneVsRestClassifier(LinearRegression()).fit(train_X, train_y).predict(X)
    np.testing.assert_array_equal(fit.predict(X), [theirs])
    assert np.mean(theirs == y) > 0.7


def test_several_outputs_at_once_are_class_by_class_where_nothing_is_tuned():
    together, X, _ = fitted("krr_rbf", FIXED)
    one = Here("krr_rbf", FIXED)
    one.several_outputs = False
    train_X, train_y = (part[:90] for part in data())
    [apart] = OneScoreAClass(one, 4).fit_curves([Curve(train_X, train_y, SIZES, 0)], None).fits
    np.testing.assert_array_equal(together.predict(X), apart.predict(X))
    assert [len(together.parts), len(apart.parts)] == [1, 4]
    assert apart.reports[1].flops == pytest.approx(4 * together.reports[1].flops)
    assert together.reports[1].hyperparameters == apart.reports[1].hyperparameters == FIXED


@pytest.mark.parametrize("name", LEARNERS)
def test_descriptors_say_which_learners_take_several_outputs(name):
    declared = "several_outputs" in LEARNERS[name].capabilities
    assert declared == Here(name, {**LEARNERS[name].parameters}).several_outputs


def test_choices_of_the_classes_stand_side_by_side():
    one = Here("krr_rbf", {})
    one.several_outputs = False
    X, y = data(classes=3)
    [fit] = OneScoreAClass(one, 3).fit_curves([Curve(X[:60], y[:60], (60,), 0)], None).fits
    scores = (y[:60, None] == np.arange(3)) * 3 / np.sqrt(2) - 1 / np.sqrt(2)
    np.testing.assert_allclose(np.square(scores).mean(), 1.0, rtol=1e-12)
    own = [make_learner("krr_rbf").fit(X[:60], column).hyperparameters_["ridge"] for column in scores.T]
    assert len(set(own)) > 1 and fit.reports[0].hyperparameters["ridge"] == own


def test_traces_are_of_decisions():
    heard = []
    X, y = data()
    fitting = OneScoreAClass(Here("stub_learners:FastMean", {}), 4)
    assert isinstance(fitting.fitting.learner, FastMean)
    curves = [Curve(X[:90], y[:90], SIZES, s) for s in (0, 1)]
    fitting.fit_curves(curves, lambda step, fits: heard.append((step, [f.predict(X[:5]) for f in fits])))
    assert [step for step, _ in heard] == [0, 10]
    commonest = np.bincount(y[:90]).argmax()
    assert all(len(fits) == 2 and fits[0].shape == (2, 5) for _, fits in heard)
    assert (heard[0][1][0][1] == commonest).all()


def test_what_is_not_finite_decides_nothing():
    fit, X, _ = fitted("stub_learners:Diverges", {})
    assert np.isnan(fit.predict(X)).all()
