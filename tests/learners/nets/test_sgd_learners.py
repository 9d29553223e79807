"""SGD learners: the batched engine against a plain loop, the fast path against the slow one."""

import numpy as np
import pytest
import reference_network as reference
from sklearn.base import clone

from hierbench.learners.base import Curve, FitsCurves, HasLevelFeatures
from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Job, Schedule, train
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.learners.nets.layerwise import LayerwiseDenseNetRegressor
from hierbench.learners.nets.two_layer import TwoLayerRegressor

LEARNERS = {
    "densenet": DenseNetRegressor(depth=2, width=8, steps=50, batch_size=32, dtype="float64"),
    "densenet-sgd": DenseNetRegressor(
        depth=3, width=6, steps=50, batch_size=32, dtype="float64", optimizer="sgd", weight_decay=0.1
    ),
    "layerwise": LayerwiseDenseNetRegressor(depth=2, width=8, steps=25, batch_size=32, dtype="float64"),
    "bfc-1": LayerwiseDenseNetRegressor(
        depth=3, width=6, correction=1, steps=20, batch_size=32, dtype="float64"
    ),
    "two-layer": TwoLayerRegressor("power", width=16, steps=50, batch_size=32, dtype="float64"),
    "two-layer-relu": TwoLayerRegressor("relu", width=16, steps=50, batch_size=32, dtype="float64"),
}


def quadratic_data(n: int, d: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, 3.0 + 2.0 * (X[:, 0] * X[:, 1] + X[:, 2] ** 2)


@pytest.mark.parametrize(
    "name",  # the contract has the others
    [name if name == "densenet-sgd" else pytest.param(name, marks=pytest.mark.slow) for name in LEARNERS],
)
def test_the_fast_path_is_the_slow_one(name):
    learner = LEARNERS[name]
    assert isinstance(learner, FitsCurves)
    curves = [Curve(*quadratic_data(90, seed=s), (20, 45, 90), 7 + s) for s in range(2)]
    X_test, _ = quadratic_data(50, seed=9)
    for curve, fitted in zip(curves, clone(learner).fit_curves(curves), strict=True):
        fast = fitted.predict(X_test)
        for i, n in enumerate(curve.sizes):
            one = clone(learner).set_params(random_state=curve.random_state)
            one.fit(curve.X[:n], curve.y[:n])
            np.testing.assert_allclose(fast[i], one.predict(X_test), rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(fast[i], fitted.estimators[i].predict(X_test), rtol=1e-12)
            assert one.fit_report_.hyperparameters == fitted.estimators[i].fit_report_.hyperparameters


def test_the_batched_engine_is_a_plain_loop_over_single_nets():
    network = DenseNetwork(d=4, depth=2, width=6)
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(3)])
    data = [quadratic_data(n, d=4, seed=n) for n in (30, 64, 100)]
    rates, decays = (0.01, 0.02, 0.05), (0.0, 0.1, 1.0)
    jobs = [
        Job(ShuffledEpochs(*xy), np.random.default_rng(i), rates[i], decays[i]) for i, xy in enumerate(data)
    ]
    trained = train(network, initial, jobs, Schedule(steps=50, batch_size=16), dtype="float64")
    for i, xy in enumerate(data):
        expected = reference.plain_loop(
            network, initial[i], *xy, np.random.default_rng(i), rates[i], decays[i], 50, 16, 1.0
        )
        np.testing.assert_allclose(trained.flat[i], expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(trained.flat, initial, atol=1e-3)


def parameters_along(learner, X, y):
    """Parameters (network, flat) at every traced step."""
    seen = []

    def callback(step, fitted):
        estimator = fitted[0].estimators[0]
        seen.append((step, estimator.network_, estimator.parameters_))

    learner.fit_curves([Curve(X, y, (len(X),), 0)], callback)
    return seen


@pytest.mark.parametrize(("correction", "moves"), [(0, False), (1, True)])
def test_layerwise_freezes_the_lower_level_and_bfc_does_not(correction, moves):
    learner = LayerwiseDenseNetRegressor(
        depth=2, width=8, correction=correction, steps=20, batch_size=16, weight_decay=0.1
    )
    seen = parameters_along(learner, *quadratic_data(60))
    second = [(net, flat) for _, net, flat in seen if net.depth == 2]
    lower = second[0][0].first_levels(1).n_parameters - 5 - 8 - 1  # without the read-outs
    first_weights = [flat[:lower] for _, flat in second]
    assert np.array_equal(first_weights[0], first_weights[-1]) is not moves
    assert not np.array_equal(second[0][1][lower:], second[-1][1][lower:])


def test_strict_freezing_keeps_the_lower_readouts():
    kept = {}
    for refit in (True, False):
        learner = LayerwiseDenseNetRegressor(depth=2, width=8, refit_readouts=refit, steps=20, batch_size=16)
        learner.set_params(weight_decay=0.1)
        seen = [flat for _, net, flat in parameters_along(learner, *quadratic_data(60)) if net.depth == 2]
        readouts = slice(-1 - 8 - 8 - 5, -1 - 8)
        kept[refit] = np.array_equal(seen[0][readouts], seen[-1][readouts])
    assert kept == {True: False, False: True}


def test_traces_begin_at_the_start_and_end_at_the_result():
    X, y = quadratic_data(60)
    steps = []
    learner = DenseNetRegressor(width=8, steps=30, batch_size=16, random_state=0)
    last = []

    def callback(step, fitted):
        steps.append(step)
        last[:] = [fitted[0].predict(X)]

    final = learner.fit_curves([Curve(X, y, (30, 60), 0)], callback)[0].predict(X)
    assert steps[0] == 0 and steps[-1] == 30 and steps == sorted(set(steps))
    np.testing.assert_allclose(last[0], final)


def test_it_learns_a_quadratic_and_says_what_it_did():
    X, y = quadratic_data(400)
    X_test, y_test = quadratic_data(2000, seed=1)
    learner = DenseNetRegressor(depth=1, width=16, steps=1000, batch_size=64, random_state=0).fit(X, y)
    assert np.mean((learner.predict(X_test) - y_test) ** 2) < 1e-2 * np.var(y_test)
    report = learner.fit_report_
    # two initialisations; before, three rates and three decays tuned at half the length
    assert report.steps == 2 * 1000 + 9 * 500
    assert report.hyperparameters["weight_decay"] in (0.003, 0.03, 0.3)
    assert report.status == "ok"
    assert isinstance(learner, HasLevelFeatures)
    assert [h.shape for h in learner.level_features(X)] == [(400, 16)]


def test_tuning_prefers_the_rate_that_learns():
    X, y = quadratic_data(400)
    learner = DenseNetRegressor(
        depth=1, steps=300, batch_size=64, learning_rate=(1e-7, 0.02), weight_decay=0.0, random_state=0
    )
    assert learner.fit(X, y).fit_report_.hyperparameters["learning_rate"] == 0.02


def test_a_divergence_is_reported_as_one():
    X, y = quadratic_data(60)
    learner = DenseNetRegressor(steps=200, batch_size=16, learning_rate=1e30, weight_decay=0.0)
    assert learner.fit(X, y).fit_report_.status == "diverged"


def test_fresh_samples_are_learned_in_one_pass():
    def sampler(n, rng):
        X = rng.standard_normal((n, 5))
        return X, X[:, 0] * X[:, 1]

    learner = DenseNetRegressor(depth=1, width=16, steps=1500, batch_size=64, learning_rate=0.02)
    learner.set_params(weight_decay=0.0, random_state=0)
    learner.fit_sampler(sampler, d=5)
    X, y = sampler(2000, np.random.default_rng(5))
    assert np.mean((learner.predict(X) - y) ** 2) < 0.02
    with pytest.raises(ValueError, match=r"weight_decay = .*: allowed is a single pair; fit_sampler"):
        clone(learner).set_params(weight_decay=(0.1, 0.2)).fit_sampler(sampler, d=5)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (DenseNetRegressor(depth=0), "depth = 0"),
        (DenseNetRegressor(width=-3), "width = -3"),
        (DenseNetRegressor(steps=0), "steps = 0"),
        (DenseNetRegressor(learning_rate=0.0), "learning_rate = 0.0"),
        (DenseNetRegressor(weight_decay=-1.0), "weight_decay = -1.0"),
        (DenseNetRegressor(optimizer="adagrad"), "optimizer = 'adagrad'"),
        (DenseNetRegressor(dtype="float16"), "dtype = 'float16'"),
        (LayerwiseDenseNetRegressor(correction=-1), "correction = -1"),
        (TwoLayerRegressor("cosine"), "activation = 'cosine'"),
        (TwoLayerRegressor(degree=1), "degree = 1"),
        (TwoLayerRegressor(truncation=0.0), "truncation = 0.0"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(learner, message):
    with pytest.raises(ValueError, match=message):
        learner.fit(*quadratic_data(20))


def test_what_is_shown_along_training_stays_as_it_was():
    """In float64 a view of the parameters would show the final ones at every step."""
    X, y = quadratic_data(60)
    learner = DenseNetRegressor(width=8, steps=30, batch_size=16, dtype="float64", restarts=2, random_state=0)
    shown = []
    learner.fit_curves([Curve(X, y, (60,), 0)], lambda step, fitted: shown.append(fitted[0].predict(X)))
    assert not np.allclose(shown[0], shown[-1])


def test_strict_freezing_begins_when_something_is_frozen():
    net = DenseNetRegressor(depth=2, width=4)._network(3)
    assert all(net.trainable(1, False))
    # x W_1, b_1; x W_2, h_1 W_2, b_2; the read-outs of x, h_1 and h_2; c
    assert net.trainable(2, False) == (*[False] * 2, *[True] * 3, *[False] * 2, True, True)
    assert net.trainable(2, True) == (*[False] * 2, *[True] * 3, *[True] * 4)
