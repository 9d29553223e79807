"""Algorithm 1: the network against its formula, the training against what it promises."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import reference_network as reference
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from hierbench.learners.base import Curve
from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.sgd_engine import Job, Schedule, train
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.nets.algorithm1_network import Algorithm1Network, distillation
from hierbench.learners.nets.algorithm1_switching import LevelSwitch, Switching
from hierbench.targets.registry import make_target

NETWORKS = {
    "one level": Algorithm1Network(d=3, depth=1, width=4, narrow=(2,)),
    "two": Algorithm1Network(d=3, depth=2, width=4, narrow=(2, 3), rows=(6,)),
    "three": Algorithm1Network(d=3, depth=3, width=5, narrow=(4, 2, 1), rows=(7, 0)),
    "far out": Algorithm1Network(d=3, depth=3, width=5, narrow=(4, 2, 1), rows=(7, 4), truncation=0.6),
}


def truncated_square(z, edge):
    return torch.where(z.abs() <= edge, z**2, edge**2 + 2 * edge * (z.abs() - edge))


def split(network, flat):
    """K_l, W_l, R_l, a and c of one net, each a matrix that multiplies a row from the right."""
    d, L, m = network.d, network.depth, network.width
    sizes = [d + 1]
    for k, r in zip(network.narrow, network.rows, strict=False):
        sizes.append(sizes[-1] + (r or k))
    at, K, W, R = 0, [], [], []

    def matrix(rows, columns):
        nonlocal at
        at += rows * columns
        return flat[at - rows * columns : at].reshape(rows, columns)

    for size, k in zip(sizes, network.narrow, strict=False):
        P = matrix(size, k + m)
        K.append(P[:, :k])
        W.append(P[:, k:])
    for k, r in zip(network.narrow, network.rows, strict=False):
        R.append(matrix(k, r or k))
    return K, W, R, matrix(1, L)[0], matrix(1, 1)[0, 0]


def formula(network, flat, x):
    """F(x) and S_1..S_L of one net and one sample, block by block as the definition says it."""
    K, W, R, a, c = split(network, flat)
    blocks, S, F = [x, torch.ones(1, dtype=x.dtype)], [], c
    for level in range(network.depth):
        u = torch.cat(blocks)
        S.append(u @ K[level])
        F = F + a[level] * truncated_square(u @ W[level], network.truncation).sum()
        if level < network.depth - 1:
            r = R[level].shape[1]
            lifted = truncated_square(S[-1] @ R[level], network.truncation) - 1.0
            blocks.append(math.sqrt(2.0 / r) * lifted)
    return F, S


def batch(network, n_nets=2, n=5, seed=0):
    rng = np.random.default_rng(seed)
    flat = torch.tensor(np.stack([network.initial(rng) for _ in range(n_nets)]))
    flat[:, -network.depth - 1 :] += torch.tensor(rng.standard_normal((n_nets, network.depth + 1)))
    return flat, torch.tensor(rng.standard_normal((n_nets, n, network.d))), rng


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_pass_is_the_formula_with_its_gradient(network):
    flat, X, rng = batch(network)
    error = torch.tensor(rng.standard_normal((2, 5)))
    together = network.forward(network.parts(flat), X)
    for net in range(2):
        leaves = [flat[net].clone().requires_grad_() for _ in range(2)]
        passed = network.forward(network.parts(leaves[0]), X[net])
        (passed.output[:, 0] @ error[net]).backward()
        twin = [formula(network, leaves[1], x) for x in X[net]]
        torch.stack([F for F, _ in twin]).dot(error[net]).backward()
        torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-9, atol=1e-9)
        for i, (F, S) in enumerate(twin):
            torch.testing.assert_close(together.output[net, i, 0], F, rtol=1e-12, atol=1e-12)
            for ours, plain in zip(passed.features[1:], S, strict=True):
                torch.testing.assert_close(ours[i], plain, rtol=1e-12, atol=1e-12)


def all_pairs(network, parts, level):
    """The distillation of a level as the paper writes it: over all pairs of blocks of u_l."""
    lifted = [R.shape[1] for R in parts[network.depth : 2 * network.depth - 1]]
    K, W = (
        m.split([network.d, 1, *lifted[:level]])
        for m in parts[level].tensor_split([network.narrow[level]], 1)
    )
    return sum(((K[i] @ K[j].T - W[i] @ W[j].T) ** 2).sum() for i in range(len(K)) for j in range(len(K)))


def test_distillation_is_the_sum_over_all_pairs_of_blocks():
    network = NETWORKS["far out"]
    flat, _, _ = batch(network, seed=2)
    for level, k in enumerate(network.narrow):
        parts = network.parts(flat[0].clone().requires_grad_())
        ours, twin = distillation(parts[level], k), all_pairs(network, parts, level)
        torch.testing.assert_close(ours, twin, rtol=1e-9, atol=1e-9)
        slopes = [torch.autograd.grad(value, parts[level])[0] for value in (ours, twin)]
        torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)


def problem(n=200, d=3, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    y = (X[:, 0] ** 2 + X[:, 1] * X[:, 2]) ** 2
    return X, (y - y.mean()) / y.std()


def jobs(n_nets=2, decay=0.3):
    return [
        Job(ShuffledEpochs(*problem(seed=i)), np.random.default_rng(i), 0.01 * (i + 1), decay)
        for i in range(n_nets)
    ]


RULE = Switching(patience=0.1, distillation=0.2)


def watch(network, dtype="float64", optimizer="adam"):
    """Train two nets: initial parameters, when levels went on, the result, and parameters along training.

    Each training is done once: what comes of it is to be read only.
    """
    return watched(network, dtype, optimizer)


@functools.cache
def watched(network, dtype, optimizer):
    steps = 200
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(2)])
    controls, along = [], {}

    def make(n_nets):
        controls.append(LevelSwitch(network, RULE, steps, n_nets))
        return controls[-1]

    trained = train(
        network, initial, jobs(), Schedule(steps=steps, batch_size=32, optimizer=optimizer),
        dtype=dtype, control=make, hook=along.__setitem__,
    )  # fmt: skip
    on_at, distilled_at = (
        np.concatenate([getattr(c, name) for c in controls]) for name in ("on_at", "distilled_at")
    )
    return initial, on_at, distilled_at, trained, along


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("three", "adam"),
        ("two", "sgd"),
        pytest.param("two", "adam", marks=pytest.mark.slow),
        pytest.param("three", "sgd", marks=pytest.mark.slow),
    ],
)
def test_training_is_a_plain_loop_that_switches_at_the_same_steps(name, optimizer):
    """One net at a time: blocks that are on, distillation over all pairs, decay times the running loss."""
    network = NETWORKS[name]
    initial, on_at, distilled_at, trained, _ = watch(network, optimizer=optimizer)
    flags = zip(network.shapes(), network.trained(), strict=True)
    moved = torch.tensor(np.concatenate([np.full(math.prod(shape), flag) for shape, flag in flags]))
    sizes = np.cumsum([0, *map(math.prod, network.blocks())])
    for net, job in enumerate(jobs()):
        flat = torch.tensor(initial[net])
        flat[sizes[1] : sizes[-1]] = 0.0
        first, second, running = torch.zeros_like(flat), torch.zeros_like(flat), 0.0
        key = job.rng.integers(1 << 32, size=2, dtype=np.uint32)
        schedule = Schedule(steps=200, batch_size=32)
        for step in range(200):
            for level in range(1, network.depth):
                if on_at[net, level] == step:
                    some = slice(sizes[level], sizes[level + 1])
                    flat[some] = torch.tensor(initial[net][some])
            rows = reference.rows_at(key, len(job.source.X), 32 * step + np.arange(32))
            leaf = flat.clone().requires_grad_()
            outputs = network.forward(network.parts(leaf), torch.tensor(job.source.X[rows])).output[:, 0]
            loss = ((outputs - torch.tensor(job.source.y[rows])) ** 2).mean()
            pull = sum(
                (all_pairs(network, network.parts(leaf), level) for level in range(network.depth)
                if distilled_at[net, level] <= step), start=torch.zeros(())
            )  # fmt: skip
            (slope,) = torch.autograd.grad(loss + RULE.distillation * pull, leaf)
            slope = slope * moved
            slope = slope / max(1.0, float(slope.norm()))
            running += max(0.01, 1 / (step + 1)) * (loss.item() - running)
            rate = job.learning_rate * float(schedule.rate(step))
            flat[: sizes[-1]] *= 1.0 - rate * job.weight_decay * min(running, 1.0)
            if optimizer == "adam":
                first = 0.9 * first + 0.1 * slope
                second = 0.99 * second + 0.01 * slope**2
                unbiased = second / (1 - 0.99 ** (step + 1))
                flat -= rate * first / (1 - 0.9 ** (step + 1)) / (unbiased.sqrt() + 1e-8)
            else:
                first = 0.9 * first + slope
                flat -= rate * first
        np.testing.assert_allclose(trained.flat[net], flat, rtol=1e-5, atol=1e-5)
    assert np.isfinite(on_at).all() and np.isfinite(distilled_at).all()


def test_levels_go_on_in_order_and_are_never_frozen_or_off_again():
    network = dataclasses.replace(NETWORKS["far out"], truncation=30.0)
    initial, on_at, distilled_at, _, along = watch(network)
    waits = np.stack([on_at, distilled_at], axis=2).reshape(2, -1)
    assert (np.diff(waits, axis=1) > 0).all()  # level 1, its distillation, level 2, ...
    steps = sorted(along)
    for net in range(2):
        assert on_at[net, 1] > 20
        for level in range(1, 3):
            blocks = [network.parts(along[step][net])[level] for step in steps]
            for step, block, later in zip(steps, blocks, blocks[1:], strict=False):
                if step < on_at[net, level]:
                    assert not block.any()
                elif step == on_at[net, level]:
                    np.testing.assert_array_equal(block, network.parts(initial[net])[level])
                elif step < 198:
                    assert (later != block).any()


def test_a_level_that_is_off_adds_nothing():
    network = NETWORKS["two"]
    *_, along = watch(network)
    lower = dataclasses.replace(network, depth=1, narrow=network.narrow[:1], rows=())
    X = problem(7)[0]
    for flat in along[16]:
        P, *_, a, c = network.parts(flat)
        alone = lower.forward([P, a[:1], c], X).output
        np.testing.assert_allclose(network.forward(network.parts(flat), X).output, alone)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_random_lifts_are_never_trained(optimizer):
    network = NETWORKS["two"]
    initial, _, _, trained, _ = watch(network, optimizer=optimizer)
    parts = zip(network.parts(initial), network.parts(trained.flat), network.trained(), strict=True)
    for before, after, moves in parts:
        assert (before != after).all() if moves else (before == after).all()
    assert set(trained.notes) == {"level_2_on"}


def switch_at(losses, rule, steps, depth=3):
    """When levels and distillations go on for one net with these losses a step."""
    network = Algorithm1Network(d=2, depth=depth, width=2, narrow=(1,) * depth, rows=(1,) * (depth - 1))
    control = LevelSwitch(network, rule, steps, 1)
    control.begin(np.zeros((1, network.n_parameters)))
    for step in range(control.every, steps, control.every):
        control.look(step, np.array([losses(step)]))
    return control.on_at[0], control.distilled_at[0]


def test_a_level_goes_on_at_the_plateau_of_the_loss_whatever_its_height():
    def two_plateaus(step, scale):
        high, low = 0.3, 0.3 * scale
        if step < 60:
            return max(high, 0.93**step)
        return max(low, high * 0.8 ** max(0, step - 100))

    rule = Switching(patience=0.05, deadline=1.0, distillation=0.0)
    for scale in (0.1, 1e-2):
        on, distilled = switch_at(lambda step, scale=scale: two_plateaus(step, scale), rule, 240)
        # the first plateau begins at step 17; falling at 0.93 a step is no plateau in 12 steps
        assert 17 <= distilled[0] <= 33 and on[1] == distilled[0] + 12
        # no lower plateau before the loss falls at 101, nor while it falls
        landed = 101 + math.ceil(math.log(scale) / math.log(0.8))
        assert landed <= distilled[1] <= landed + 14 and on[2] == distilled[1] + 12


def test_a_logistic_loss_at_chance_is_no_plateau():
    rule = Switching(patience=0.05, deadline=1.0, distillation=0.0, chance=math.log(2.0))
    on, distilled = switch_at(lambda step: 0.69, rule, 240, depth=2)
    assert distilled[0] >= 120 and not on[1] < 120
    learned, _ = switch_at(lambda step: max(0.3, 0.69 * 0.9**step), rule, 240, depth=2)
    assert learned[1] < 60


def test_a_loss_without_a_plateau_meets_the_deadline():
    for losses in (lambda step: 0.9**step, lambda step: 1.0, lambda step: math.nan):
        on, distilled = switch_at(losses, Switching(patience=0.05, deadline=0.6), 200)
        assert list(distilled) == [40, 80, 120] and list(on) == [0, 50, 90]


SMALL = Algorithm1Regressor(
    depth=2, width=6, narrow=3, steps=60, batch_size=32, restarts=2, dtype="float64", random_state=0
)


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("sgd", marks=pytest.mark.slow)])
def test_nets_trained_together_are_the_nets_trained_alone(optimizer):
    learner = clone(SMALL).set_params(optimizer=optimizer)
    curves = [Curve(*problem(90, seed=s), (40, 90), 7 + s) for s in range(2)]
    X_test, _ = problem(50, seed=9)
    for curve, fitted in zip(curves, learner.fit_curves(curves), strict=True):
        for n, together in zip(curve.sizes, fitted.predict(X_test), strict=True):
            one = clone(learner).set_params(random_state=curve.random_state)
            alone = one.fit(curve.X[:n], curve.y[:n]).predict(X_test)
            np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)


def test_switching_does_not_depend_on_the_arithmetic():
    network = NETWORKS["two"]
    on = [watch(network, dtype=dtype)[1] for dtype in ("float32", "float64")]
    np.testing.assert_array_equal(*on)
    assert on[0][0, 1] != on[0][1, 1]  # every net by its own loss


@pytest.mark.parametrize(
    ("depth", "narrow"), [(2, 3), pytest.param(3, [4, 3, 2], marks=pytest.mark.slow)], ids=["two", "three"]
)
def test_level_features_are_the_narrow_ones(depth, narrow):
    X, y = problem(60)
    learner = clone(SMALL).set_params(depth=depth, narrow=narrow).fit(X, y)
    features = learner.level_features(X)
    assert [S.shape for S in features] == [(60, k) for k in (narrow if depth == 3 else [3, 3])]
    x = torch.tensor(learner.scaling_.inputs(X))[11]
    _, expected = formula(learner.network_, torch.tensor(learner.parameters_), x)
    for ours, plain in zip(features, expected, strict=True):
        np.testing.assert_allclose(ours[11], plain, rtol=1e-10)
    assert {f"level_{level}_on" for level in range(2, depth + 1)} <= set(learner.fit_report_.health)


def test_patience_and_distillation_are_those_asked_for():
    X, y = problem(60)
    learner = clone(SMALL).set_params(restarts=1, learning_rate=0.01, weight_decay=0.0)
    on = [learner.set_params(patience=p).fit(X, y).fit_report_.health["level_2_on"] for p in (0.1, 0.5)]
    # the deadline of two levels at 0.3 of 60 steps, and the wait
    assert on[0] <= 18 + 6 and on[1] == 18 + 30
    tied, free = (
        clone(learner).set_params(distillation=strength, patience=0.1).fit(X, y) for strength in (0.5, 0.0)
    )
    value = [float(distillation(one.parameters_[:36].reshape(4, 9), 3)) for one in (tied, free)]
    assert value[0] < 0.5 * value[1]


@pytest.mark.parametrize(
    ("r_rows", "narrow", "expected"),
    [(1.0, 2, (3, 3)), (2.0, 2, (6, 6)), (1.5, [5, 4, 1], (9, 15)), (0.0, 2, (0, 0))],
)
def test_rows_of_r_are_counted_in_monomials_of_the_narrow_features(r_rows, narrow, expected):
    learner = clone(SMALL).set_params(depth=3, r_rows=r_rows, narrow=narrow)
    # five narrow features of three inputs have the monomials of three
    assert learner._network(3).rows == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": 0}, "depth = 0"),
        ({"width": 0}, "width = 0"),
        ({"narrow": 0}, "narrow = 0"),
        ({"narrow": [2, 2, 2]}, r"narrow = \[2, 2, 2\].*each of the 2 levels"),
        ({"narrow": 2.5}, "narrow = 2.5"),
        ({"r_rows": -1.0}, "r_rows = -1.0"),
        ({"r_rows": math.inf}, "r_rows = inf"),
        ({"distillation": -0.1}, "distillation = -0.1"),
        ({"distillation": "much"}, "distillation = 'much'"),
        ({"patience": 0.0}, "patience = 0.0"),
        ({"momentum": 1.0}, "momentum = 1.0"),
        ({"optimizer": "adagrad"}, "optimizer = 'adagrad'"),
        ({"restarts": 0}, "restarts = 0"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=message) as error:
        clone(SMALL).set_params(**given).fit(*problem(20))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("optimizer", "bound"), [("adam", 1e-4), pytest.param("sgd", 1e-3, marks=pytest.mark.slow)]
)
def test_it_learns_degree_four_in_one_pass(optimizer, bound):
    """Two levels of which the upper one is small: what a linear fit and a fit of degree two miss."""
    target = make_target("projected", 6, 1, depth=2, width=2, alpha=0.3)
    learner = Algorithm1Regressor(
        depth=2, width=12, narrow=4, optimizer=optimizer, restarts=1, random_state=0,
        learning_rate=0.02, weight_decay=0.3, steps=1000, batch_size=128,
    )  # fmt: skip
    learner.fit_sampler(lambda n, rng: target.sample(n, rng), d=6)
    X, y = target.sample(4000, np.random.default_rng(5))
    error = np.mean((learner.predict(X) - y) ** 2) / np.var(y)
    linear = np.mean((LinearRegression().fit(X, y).predict(X) - y) ** 2) / np.var(y)
    assert error < bound < 0.02 * linear


@pytest.mark.slow
def test_one_pass_has_a_length_of_its_own():
    learner = clone(SMALL).set_params(steps=None, batch_size=4, width=2, narrow=1, restarts=1)
    learner.set_params(learning_rate=0.01, weight_decay=0.3)
    learner.fit_sampler(lambda n, rng: (rng.standard_normal((n, 2)), rng.standard_normal(n)), d=2)
    assert learner.fit_report_.steps == 4000
