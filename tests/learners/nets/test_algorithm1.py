"""Algorithm 1: the network against its formula, the training against what it promises."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from hierbench.learners.base import Curve
from hierbench.learners.engines.sgd_engine import Job, Schedule, ShuffledEpochs, train
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.nets.algorithm1_network import Algorithm1Network
from hierbench.learners.nets.algorithm1_switching import LevelSwitch, Switching, distillation
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
def test_forward_is_the_formula(network):
    flat, X, _ = batch(network)
    out, features, _ = network.forward(network.views(flat), X)
    for net in range(2):
        for i in range(5):
            F, S = formula(network, flat[net], X[net, i])
            torch.testing.assert_close(out[net, i, 0], F, rtol=1e-12, atol=1e-12)
            for ours, plain in zip(features[1:], S, strict=True):
                torch.testing.assert_close(ours[net, i], plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_backward_is_automatic_differentiation(network):
    flat, X, rng = batch(network, seed=1)
    error = torch.tensor(rng.standard_normal((2, 5, 1)))
    gradient = torch.zeros_like(flat)
    views = network.views(flat)
    _, features, kept = network.forward(views, X)
    network.backward(views, network.views(gradient), error, features, kept)
    for net in range(2):
        one = flat[net].clone().requires_grad_()
        sum(error[net, i, 0] * formula(network, one, X[net, i])[0] for i in range(5)).backward()
        expected = one.grad.clone()
        lifts = slice(network.block_slices()[-1].stop, len(expected) - network.depth - 1)
        assert network.depth == 1 or expected[lifts].any()
        expected[lifts] = 0.0  # R is not trained
        torch.testing.assert_close(gradient[net], expected, rtol=1e-9, atol=1e-9)


def test_distillation_is_the_sum_over_all_pairs_of_blocks():
    network = NETWORKS["far out"]
    flat, _, _ = batch(network, seed=2)
    for level, k in enumerate(network.narrow):
        P = network.views(flat)[level].clone().requires_grad_()
        blocks = [3, 1, 7, 4][: level + 2]  # x, 1, s(R_1 S_1), s(R_2 S_2)
        total = torch.zeros(2, dtype=torch.float64)
        for net in range(2):
            K, W = (part.split(blocks) for part in (P[net, :, :k], P[net, :, k:]))
            for i in range(len(blocks)):
                for j in range(len(blocks)):
                    total[net] += ((K[i] @ K[j].T - W[i] @ W[j].T) ** 2).sum()
        value, slope = distillation(P.detach(), k)
        torch.testing.assert_close(value, total, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(slope, torch.autograd.grad(total.sum(), P)[0], rtol=1e-9, atol=1e-9)


def problem(n=200, d=3, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    y = (X[:, 0] ** 2 + X[:, 1] * X[:, 2]) ** 2
    return X, (y - y.mean()) / y.std()


def jobs(n_nets=2, decay=0.3):
    return [
        Job(ShuffledEpochs(*problem(seed=i)), np.random.default_rng(i), 0.01 * (i + 1), decay)
        for i in range(n_nets)
    ]


class Watched(LevelSwitch):
    """Records what there is before every switch: parameters, gradients without and with distillation."""

    seen: list

    def __call__(self, step, loss):
        flat, before = self._flat.clone(), self._gradient.clone()
        share = super().__call__(step, loss)
        self.seen.append((flat, before, self._gradient.clone(), self.on_at.copy(), self.distilled_at.copy()))
        return share


def watch(network, rule, steps=200, dtype=torch.float64, n_nets=2):
    """Train and record; the initial parameters, the control, the result."""
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(n_nets)])
    made = []

    def make(flat, gradient):
        control = Watched(network, rule, steps, flat, gradient)
        control._gradient, control.seen = gradient, []
        made.append(control)
        return control

    schedule = Schedule(steps=steps, batch_size=32)
    trained = train(network, initial, jobs(n_nets), schedule, dtype=dtype, control=make)
    return initial, made[0], trained


RULE = Switching(patience=0.1, distillation=0.2)


def test_levels_go_on_in_order_and_are_never_frozen_or_off_again():
    network = NETWORKS["far out"]
    network = dataclasses.replace(network, truncation=30.0)
    _, control, _ = watch(network, RULE)
    assert np.isfinite(control.on_at).all() and np.isfinite(control.distilled_at).all()
    waits = np.stack([control.on_at, control.distilled_at], axis=2).reshape(2, -1)
    assert (np.diff(waits, axis=1) > 0).all()  # level 1, its distillation, level 2, ...
    for (_, _, _, on, distilled), (_, _, _, later_on, later_distilled) in zip(
        control.seen[:-1], control.seen[1:], strict=True
    ):
        for before, after in ((on, later_on), (distilled, later_distilled)):
            assert (after[np.isfinite(before)] == before[np.isfinite(before)]).all()
    slices = network.block_slices()
    last = int(control.on_at.max())
    for step in range(last + 1, 198):
        moved = (control.seen[step][0] != control.seen[step + 1][0]).numpy()
        for part in slices:
            assert moved[:, part].any(axis=1).all()


def test_a_level_that_is_off_adds_nothing_and_does_not_move():
    network = NETWORKS["two"]
    initial, control, _ = watch(network, RULE)
    part = network.block_slices()[1]
    for net in range(2):
        first = int(control.on_at[net, 1])
        assert first > 20
        for step in range(first):
            flat, gradient = control.seen[step][0][net], control.seen[step][1][net]
            assert not flat[part].any() and not gradient[part].any()
            assert flat[-2 - 1 + 1] == 1.0  # its read-out a_2
        fresh = control.seen[first][0][net, part].numpy()
        np.testing.assert_allclose(fresh, initial[net, part], rtol=0.01)  # one step of decay
        lower = dataclasses.replace(network, depth=1, narrow=network.narrow[:1], rows=())
        flat = control.seen[first - 1][0][net : net + 1]
        X = torch.tensor(problem(7)[0])[None]
        alone = torch.cat([flat[:, network.block_slices()[0]], flat[:, [-3, -1]]], dim=1)
        both = network.forward(network.views(flat), X)[0]
        torch.testing.assert_close(lower.forward(lower.views(alone), X)[0], both)


def test_distillation_is_added_to_the_gradient_where_it_is_on_and_nowhere_else():
    network = NETWORKS["two"]
    _, control, _ = watch(network, RULE)
    for step in range(0, 200, 7):
        flat, before, after, _, distilled = control.seen[step]
        for net in range(2):
            for level, part in enumerate(network.block_slices()):
                added = (after - before)[net, part]
                if distilled[net, level] > step:
                    assert not added.any()
                    continue
                block = network.views(flat)[level][net : net + 1]
                pull = 0.2 * distillation(block, network.narrow[level])[1]
                torch.testing.assert_close(added, pull.reshape(-1), rtol=1e-9, atol=1e-12)
        rest = slice(network.block_slices()[-1].stop, None)
        assert not (after - before)[:, rest].any()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_random_lifts_are_never_trained(optimizer):
    network = NETWORKS["two"]
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(2)])
    made = []

    def make(flat, gradient):
        made.append(LevelSwitch(network, RULE, 100, flat, gradient))
        return made[0]

    schedule = Schedule(steps=100, batch_size=32, optimizer=optimizer)
    trained = train(network, initial, jobs(), schedule, dtype=torch.float64, control=make)
    R = slice(network.block_slices()[-1].stop, -3)
    assert np.array_equal(trained.flat[:, R], initial[:, R])
    others = np.delete(np.arange(initial.shape[1]), np.arange(initial.shape[1])[R])
    assert (trained.flat[:, others] != initial[:, others]).all()
    assert set(trained.notes) == {"level_2_on"}


def switch_at(losses, rule, steps, depth=3):
    """When levels and distillations go on for one net with these losses a step."""
    network = Algorithm1Network(d=2, depth=depth, width=2, narrow=(1,) * depth, rows=(1,) * (depth - 1))
    flat = torch.zeros((1, network.n_parameters), dtype=torch.float64)
    control = LevelSwitch(network, rule, steps, flat, torch.zeros_like(flat))
    running = torch.zeros(1, dtype=torch.float64)
    for step in range(steps):
        running.fill_(losses(step))  # the engine updates its running loss in place as well
        control(step, running)
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
        assert 17 <= distilled[0] <= 33 and on[1] == distilled[0] + 13
        # no lower plateau before the loss falls at 101, nor while it falls
        landed = 101 + math.ceil(math.log(scale) / math.log(0.8))
        assert landed <= distilled[1] <= landed + 14 and on[2] == distilled[1] + 13


def test_a_logistic_loss_at_chance_is_no_plateau():
    rule = Switching(patience=0.05, deadline=1.0, distillation=0.0, chance=math.log(2.0))
    on, distilled = switch_at(lambda step: 0.69, rule, 240, depth=2)
    assert distilled[0] >= 120 and not on[1] < 120
    learned, _ = switch_at(lambda step: max(0.3, 0.69 * 0.9**step), rule, 240, depth=2)
    assert learned[1] < 60


def test_a_loss_without_a_plateau_meets_the_deadline():
    for losses in (lambda step: 0.9**step, lambda step: 1.0, lambda step: math.nan):
        on, distilled = switch_at(losses, Switching(patience=0.05, deadline=0.6), 200)
        assert list(distilled) == [41, 81, 121] and list(on) == [0, 52, 92]


def test_decay_is_in_proportion_to_the_running_loss_for_k_and_w_alone():
    network = NETWORKS["two"]
    flat = torch.ones((2, network.n_parameters), dtype=torch.float64)
    control = LevelSwitch(network, RULE, 100, flat, torch.zeros_like(flat))
    share = control(0, torch.tensor([0.25, 3.0], dtype=torch.float64))
    trained = network.block_slices()[-1].stop
    assert (share[0, :trained] == 0.25).all() and (share[1, :trained] == 1.0).all()
    assert not share[:, trained:].any()


SMALL = Algorithm1Regressor(
    depth=2, width=6, narrow=3, steps=60, batch_size=32, restarts=2, dtype="float64", random_state=0
)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
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
    on = [watch(network, RULE, dtype=dtype)[1].on_at for dtype in (torch.float32, torch.float64)]
    np.testing.assert_array_equal(*on)
    assert on[0][0, 1] != on[0][1, 1]  # every net by its own loss


def test_level_features_are_the_narrow_ones():
    X, y = problem(60)
    learner = clone(SMALL).set_params(depth=3, narrow=[4, 3, 2]).fit(X, y)
    features = learner.level_features(X)
    assert [S.shape for S in features] == [(60, 4), (60, 3), (60, 2)]
    x = torch.tensor(learner.scaling_.inputs(X))[11]
    _, expected = formula(learner.network_, torch.tensor(learner.parameters_), x)
    for ours, plain in zip(features, expected, strict=True):
        np.testing.assert_allclose(ours[11], plain, rtol=1e-10)
    assert {"level_2_on", "level_3_on"} <= set(learner.fit_report_.health)


def test_patience_and_distillation_are_those_asked_for():
    X, y = problem(60)
    learner = clone(SMALL).set_params(restarts=1, learning_rate=0.01, weight_decay=0.0)
    on = [learner.set_params(patience=p).fit(X, y).fit_report_.health["level_2_on"] for p in (0.1, 0.5)]
    # the deadline of two levels at 0.3 of 60 steps, the switch after it, the wait
    assert on[0] <= 18 + 1 + 6 + 1 and on[1] == 18 + 1 + 30 + 1
    tied, free = (
        clone(learner).set_params(distillation=strength, patience=0.1).fit(X, y) for strength in (0.5, 0.0)
    )
    value = [
        float(distillation(torch.tensor(one.parameters_)[None, :36].reshape(1, 4, 9), 3)[0])
        for one in (tied, free)
    ]
    assert value[0] < 0.5 * value[1]


@pytest.mark.parametrize(
    ("r_rows", "narrow", "expected"),
    [(1.0, 2, (3, 3)), (2.0, 2, (6, 6)), (1.5, [5, 4, 1], (9, 15)), (0.0, 2, (0, 0))],
)
def test_rows_of_r_are_counted_in_monomials_of_the_narrow_features(r_rows, narrow, expected):
    learner = clone(SMALL).set_params(depth=3, r_rows=r_rows, narrow=narrow, steps=2)
    network = learner.fit(*problem(30)).network_
    assert network.rows == expected  # five narrow features of three inputs have the monomials of three


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


@pytest.mark.parametrize(("optimizer", "bound"), [("adam", 1e-4), ("sgd", 1e-3)])
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
    assert learner.fit_report_.steps == 6000
