"""Residual and ReLU nets, skip sets and residual cycling: passes, training and what stays frozen."""

import functools

import numpy as np
import pytest
import reference_network as reference
import torch
from sklearn.base import clone

from hierbench.learners import persist
from hierbench.learners.base import Curve, steps_law
from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Job, Schedule, train
from hierbench.learners.nets import layerwise
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.learners.nets.layerwise import LayerwiseDenseNetRegressor
from hierbench.learners.nets.relu_nets import ReLUDenseNetRegressor, ReLUMLPRegressor
from hierbench.learners.nets.residual_network import ResidualNetwork
from hierbench.learners.nets.resnet import ResNetRegressor
from hierbench.learners.nets.two_layer import TwoLayerRegressor

CHAIN = {"skips": ((0,), (1,), (2,)), "top_readout": True, "activation": "relu"}
NETWORKS = {
    "resnet": ResidualNetwork(d=4, depth=3, width=5, stream=7, truncation=1.5),
    "resnet-narrow": ResidualNetwork(d=4, depth=1, width=5, stream=2, activation="relu"),
    "perceptron": DenseNetwork(d=4, depth=3, width=5, **CHAIN),
    "relu-densenet": DenseNetwork(d=4, depth=3, width=5, activation="relu"),
    "skips": DenseNetwork(d=4, depth=3, width=5, skips=((0,), (0, 1), (0, 2))),
}
SHORT = {"steps": 50, "batch_size": 32, "dtype": "float64"}
LEARNERS = {
    "resnet": ResNetRegressor(width=6, **SHORT),
    "mlp": ReLUMLPRegressor(width=8, **SHORT),
    "relu-densenet": ReLUDenseNetRegressor(width=8, **SHORT),
    "skips": DenseNetRegressor(depth=3, width=6, skips=((0,), (1,), (0, 2)), **SHORT),
    "cycling": LayerwiseDenseNetRegressor(width=6, rounds=1, **{**SHORT, "steps": 15}),
}


def data(n, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, 3.0 + 2.0 * (X[:, 0] * X[:, 1] + X[:, 2] ** 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_is_the_definition_in_numpy_torch_and_jax(name):
    """One net, and many with an axis of nets; outputs, gradients, slopes."""
    jax = pytest.importorskip("jax")
    network = NETWORKS[name]
    rng = np.random.default_rng(0)
    flat = np.stack([network.initial(rng) for _ in range(3)])
    X, error = rng.standard_normal((3, 7, 4)), rng.standard_normal((3, 7))

    def weighed(flat, X, error):
        return network.forward(network.parts(flat), X).output[:, 0] @ error

    batched = network.forward(network.parts(flat), X)
    for i in range(3):
        leaf = torch.tensor(flat[i], requires_grad=True)
        expected = reference.outputs(network, reference.split(network, leaf), torch.tensor(X[i]))
        (expected @ torch.tensor(error[i])).backward()
        ours = torch.tensor(flat[i], requires_grad=True)
        weighed(ours, torch.tensor(X[i]), torch.tensor(error[i])).backward()
        torch.testing.assert_close(ours.grad, leaf.grad, rtol=1e-10, atol=1e-10)
        with jax.enable_x64(True):
            slope = jax.jit(jax.grad(weighed))(flat[i], X[i], error[i])
            np.testing.assert_allclose(slope, leaf.grad, rtol=1e-10)
        one = network.forward(network.parts(flat[i]), X[i])
        np.testing.assert_allclose(one.output[:, 0], expected.detach(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(batched.output[i], one.output, rtol=1e-12, atol=1e-12)
        assert [h.shape for h in one.features] == [h.shape[1:] for h in batched.features]
    z = np.linspace(-3, 3, 50)
    leaf = torch.tensor(z, requires_grad=True)
    (slope,) = torch.autograd.grad(reference.activation(network, leaf).sum(), leaf)
    np.testing.assert_allclose(network.slope(z), slope)


@pytest.mark.parametrize(
    "name",  # what the others add is in the pass, which is held to its definition above
    [
        pytest.param(name, marks=() if name in ("resnet", "perceptron", "skips") else pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_the_batched_engine_is_a_plain_loop_over_single_nets(name):
    network = NETWORKS[name]
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(3)])
    sets = [data(n, d=4, seed=n) for n in (30, 64, 100)]
    rates, decays = (0.01, 0.02, 0.05), (0.0, 0.1, 1.0)
    jobs = [
        Job(ShuffledEpochs(*xy), np.random.default_rng(i), rates[i], decays[i]) for i, xy in enumerate(sets)
    ]
    trained = train(network, initial, jobs, Schedule(steps=50, batch_size=16), dtype="float64")
    for i, xy in enumerate(sets):
        expected = reference.plain_loop(
            network, initial[i], *xy, np.random.default_rng(i), rates[i], decays[i], 50, 16, 1.0
        )
        np.testing.assert_allclose(trained.flat[i], expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(trained.flat, initial, atol=1e-3)


@pytest.mark.parametrize(
    "name",  # the contract has the others, but for a file of each
    [name if name == "skips" else pytest.param(name, marks=pytest.mark.slow) for name in LEARNERS],
)
def test_the_fast_path_is_the_slow_one_and_a_file_keeps_the_fit(name, tmp_path):
    learner = LEARNERS[name]
    curves = [Curve(*data(90, seed=s), (20, 90), 7 + s) for s in range(2)]
    X_test, _ = data(50, seed=9)
    for curve, fitted in zip(curves, clone(learner).fit_curves(curves), strict=True):
        for i, n in enumerate(curve.sizes):
            one = clone(learner).set_params(random_state=curve.random_state)
            one.fit(curve.X[:n], curve.y[:n])
            np.testing.assert_allclose(fitted.predict(X_test)[i], one.predict(X_test), rtol=1e-5, atol=1e-5)
            assert one.fit_report_.hyperparameters == fitted.estimators[i].fit_report_.hyperparameters
            assert one.fit_report_.steps == fitted.estimators[i].fit_report_.steps
    persist.save(one, tmp_path / "net")
    np.testing.assert_array_equal(persist.load(tmp_path / "net").predict(X_test), one.predict(X_test))


@pytest.mark.parametrize(
    "learner",
    [
        ResNetRegressor(depth=1, width=16, learning_rate=0.02),
        pytest.param(ReLUMLPRegressor(levels=1, width=64, learning_rate=0.01), marks=pytest.mark.slow),
        pytest.param(ReLUDenseNetRegressor(levels=1, width=64, learning_rate=0.01), marks=pytest.mark.slow),
        LayerwiseDenseNetRegressor(depth=2, width=16, rounds=1, learning_rate=0.02),
    ],
)
def test_a_quadratic_is_learned(learner):
    learner.set_params(steps=1000, batch_size=64, weight_decay=0.03, random_state=0)
    X_test, y_test = data(2000, seed=1)
    learner.fit(*data(2000))
    assert np.mean((learner.predict(X_test) - y_test) ** 2) < 0.02 * np.var(y_test)
    assert learner.fit_report_.steps == learner.restarts * learner._total_steps(1000)


def test_widths_and_depths_follow_the_data_and_the_levels():
    assert ReLUMLPRegressor(levels=3)._network(5).depth == 4
    assert ReLUDenseNetRegressor(levels=3, depth=2)._network(5).depth == 2
    network = ResNetRegressor(depth=3)._network(20)
    assert (network.width, network.stream) == (30, 20 + 2 * 30 + 1)


def test_the_default_resnet_can_be_the_densenet():
    """A stream of d + (L - 1) width + 1 holds x, every lower level and the sum of the read-outs."""
    resnet = ResNetRegressor(depth=3, width=4)._network(5)
    dense = DenseNetwork(d=5, depth=3, width=4)
    rng = np.random.default_rng(0)
    flat = rng.standard_normal(dense.n_parameters)
    left = iter(dense.parts(flat))
    other = np.zeros(resnet.n_parameters)
    P, *inner, a, c = resnet.parts(other)  # views
    P[:, :5] = np.eye(5)
    where = [slice(0, 5), slice(5, 9), slice(9, 13)]
    for level in range(3):
        W, b, V = inner[3 * level : 3 * level + 3]
        for j in range(level + 1):
            W[where[j]] = next(left)
        b[:] = next(left)
        if level < 2:
            V[:, where[level + 1]] = np.eye(4)
    P[:, 13:] = next(left)
    for level in range(3):
        inner[3 * level + 2][:, 13:] = next(left)
    a[13] = 1.0
    c[:] = next(left)
    X = rng.standard_normal((6, 5))
    expected = dense.forward(dense.parts(flat), X).output
    np.testing.assert_allclose(resnet.forward(resnet.parts(other), X).output, expected)


# layer by layer and cycling -----------------------------------------------------------------


def phases_of(learner, depth=3, width=6, d=5):
    """(network, flat at its begin, flat at its end, jobs) of every phase, and the data."""
    learner.set_params(depth=depth, width=width, steps=20, batch_size=16, weight_decay=0.1, dtype="float64")
    X, y = data(60, d=d)
    network = learner._network(d)
    rng = np.random.default_rng(0)
    jobs = [Job(ShuffledEpochs(X, y), np.random.default_rng(i), 0.02, 0.1) for i in range(2)]
    initial = np.stack([network.initial(rng) for _ in jobs])
    phases = []

    def recording(net, start, given, *args, **kwargs):
        trained = train(net, start, given, *args, **kwargs)
        phases.append((net, start, trained.flat, given))
        return trained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layerwise, "train", recording)
        final = learner._train(network, jobs, initial, learner._schedule(20), None)
    np.testing.assert_array_equal(final.flat, phases[-1][2])
    return network, phases, X, y


def weights_of_levels(network, flat):
    """What feeds level 1, 2, ... of every net, as flat arrays, from the layout of ``shapes``."""
    parts = [reference.split(network, torch.tensor(f)) for f in flat]
    levels, start = [], 0
    for level in range(1, network.depth + 1):
        stop = start + level + 1
        levels.append(np.stack([np.concatenate([w.numpy().ravel() for w in p[start:stop]]) for p in parts]))
        start = stop
    return levels


@pytest.mark.parametrize(
    ("correction", "rounds"),
    [(1, 0), (0, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((0, 0), (2, 0)))],
)
def test_only_the_levels_of_a_phase_move(correction, rounds):
    learner = LayerwiseDenseNetRegressor(correction=correction, rounds=rounds)
    _, phases, _, _ = phases_of(learner)
    assert [net.depth for net, *_ in phases] == [1, 2, 3] * (1 + rounds)
    assert learner._total_steps(20) == 20 * len(phases)
    for net, begin, end, _ in phases:
        before, after = weights_of_levels(net, begin), weights_of_levels(net, end)
        for level, (b, a) in enumerate(zip(before, after, strict=True), 1):
            if level >= net.depth - correction:
                assert np.abs(a - b).max(axis=1).min() > 1e-3
            else:
                np.testing.assert_array_equal(a, b)


def test_cycling_goes_on_from_where_every_level_was():
    _, phases, _, _ = phases_of(LayerwiseDenseNetRegressor(rounds=1))
    last = weights_of_levels(phases[2][0], phases[2][2])
    for at, (net, begin, _, _) in enumerate(phases[3:]):
        levels = weights_of_levels(net, begin)
        np.testing.assert_array_equal(levels[at], last[at])
        if at:  # below, what this round has made of it
            np.testing.assert_array_equal(levels[at - 1], weights_of_levels(*phases[2 + at][::2])[at - 1])
            assert not np.allclose(levels[at - 1], last[at - 1])


def test_cycling_refits_to_what_the_levels_above_leave():
    network, phases, X, y = phases_of(LayerwiseDenseNetRegressor(rounds=1))
    for turn, (_, _, _, jobs) in enumerate(phases):
        for k, job in enumerate(jobs):
            np.testing.assert_array_equal(job.source.X, X)
            expected = y
            if turn >= 3:
                parts = reference.split(network, torch.tensor(phases[2][2][k]))
                levels = reference.dense_levels(network, iter(parts), torch.tensor(X))
                *_, a1, a2, a3, _ = parts  # x has a read-out before these, the last is c
                for h, a in list(zip(levels[1:], (a1, a2, a3), strict=True))[turn - 3 + 1 :]:
                    expected = expected - (h @ a)[:, 0].numpy()
            np.testing.assert_allclose(job.source.y, expected, rtol=0, atol=1e-9)
            if turn in (3, 4):
                assert np.abs(job.source.y - y).max() > 1e-3


def test_steps_double_at_every_fourfold_of_the_samples():
    assert [steps_law(n) for n in (0, 100, 4096, 4097, 16384, 16385, 64000)] == [
        2000, 2000, 2000, 4000, 4000, 8000, 8000,
    ]  # fmt: skip
    assert LayerwiseDenseNetRegressor()._steps(16384) == 4000
    assert DenseNetRegressor(steps=70)._steps(10**6) == 70


def test_a_law_of_steps_needs_no_training_set(monkeypatch):
    """``fit_sampler`` has no n: the law gives its least."""
    monkeypatch.setattr(
        "hierbench.learners.nets.sgd_estimator.steps_law", lambda n: 10 + steps_law(n) // 2000
    )
    learner = DenseNetRegressor(width=4, batch_size=16, learning_rate=0.01, weight_decay=0.0, restarts=2)
    learner.fit_sampler(lambda n, rng: data(n, seed=rng.integers(99)), d=5)
    assert learner.fit_report_.steps == 2 * 11


def test_of_restarts_the_least_training_loss_is_kept():
    X, y = data(200)
    options = {"learning_rate": 0.02, "weight_decay": 0.0, "random_state": 0, **SHORT}
    one, four = (DenseNetRegressor(width=6, restarts=r, **options).fit(X, y) for r in (1, 4))
    assert four.fit_report_.health["final_batch_loss"] < one.fit_report_.health["final_batch_loss"]
    assert four.fit_report_.steps == 4 * one.fit_report_.steps


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (functools.partial(ResNetRegressor, stream=0), "stream = 0"),
        (functools.partial(ResNetRegressor, depth=7), "depth = 7"),
        (functools.partial(ResNetRegressor, width=0), "width = 0"),
        (functools.partial(ReLUMLPRegressor, levels=0), "levels = 0"),
        (functools.partial(ReLUMLPRegressor, depth=17), "depth = 17"),
        (functools.partial(ReLUDenseNetRegressor, width=None), "width = None"),
        (functools.partial(DenseNetRegressor, skips=((0,),)), "lists of 2 sets, one for each level"),
        (
            functools.partial(DenseNetRegressor, skips=((0,), (2,))),
            "2 = .* allowed is one or more of 0, ..., 1",
        ),
        (functools.partial(DenseNetRegressor, skips=((0,), ())), "level 2 = .* allowed is one or more"),
        (functools.partial(DenseNetRegressor, skips=3), "skips = 3"),
        (functools.partial(DenseNetRegressor, skips=((0,), (0.5,))), "level 2 = .* allowed is one or more"),
        (functools.partial(DenseNetRegressor, restarts=0), "restarts = 0"),
        (functools.partial(DenseNetRegressor, loss="hinge"), "loss = 'hinge'"),
        (
            functools.partial(DenseNetRegressor, loss="logistic"),
            "label values = 20: allowed are 1 and 2",
        ),
        (functools.partial(LayerwiseDenseNetRegressor, rounds=-1), "rounds = -1"),
        (
            functools.partial(LayerwiseDenseNetRegressor, rounds=1, correction=1),
            "rounds = 1: .* exclude",
        ),
        (
            functools.partial(LayerwiseDenseNetRegressor, rounds=1, loss="logistic"),
            "rounds = 1: allowed is a value of 0",
        ),
        (functools.partial(TwoLayerRegressor, loss="hinge"), "loss = 'hinge'"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make().fit(*data(20))
