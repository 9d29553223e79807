"""The classifier: the ways to train it, what they share, and what a fit promises."""

import copy
import inspect
import math
import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_classifiers_train, estimator_checks_generator
from torch.nn import functional

from hierbench.learners.catalogue.bounds import LARGEST
from hierbench.learners.convolutional import resnet
from hierbench.learners.convolutional import stages as stages_module
from hierbench.learners.convolutional.descent import SGD, Adam, Descent
from hierbench.learners.convolutional.network import ConvResNet, ResidualBlock
from hierbench.learners.convolutional.resnet import ConvResNetClassifier
from hierbench.learners.convolutional.stages import Stage, minibatches, rate_at, stages
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.registry import make_learner

WAYS = ("end_to_end", "layerwise", "bfc", "grown")
ONE = {"learning_rate": 0.05, "weight_decay": 1e-3}


def data(n=60, d=10, seed=0):
    """Whether a bump lies in the left half: three classes, one of them without a bump."""
    rng = np.random.default_rng(seed)
    X, y = 0.3 * rng.standard_normal((n, d)), rng.integers(0, 3, n)
    for row, label in zip(X, y, strict=True):
        if label:
            row[rng.integers(0, d // 2 - 1) + (label == 2) * (d // 2) + np.arange(2)] += 2.0
    return X, y


def small(training="end_to_end", **parameters):
    given = {"depth": 8, "width": 3, "steps": 9, "batch_size": 16, "random_state": 3, **ONE, **parameters}
    return ConvResNetClassifier(training, **given)


def states(learner, X, y):
    """Copies of the learner at the start and behind every stage, by number; and the fit."""
    seen = {}
    fitted = learner.fit(X, y, after_stage=lambda number, one: seen.update({number: one}))
    return seen, fitted


def tensors(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def assert_same_net(one, other):
    of_one, of_other = tensors(one.network_), tensors(other.network_)
    for name, values in of_one.items():
        np.testing.assert_array_equal(values, of_other[name], name)


# the training against plain loops -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 12), (3, 2, 2)], ids=["1-D", "2-D"])
def test_training_end_to_end_is_plain_sgd_on_the_same_minibatches(shape):
    """Written once more with functions alone: pre-activation, batch statistics, momentum, decay, rates."""
    X, y = data(50, 12)
    learner = small(depth=14, shape=shape, steps=20, momentum=0.8, dtype="float64")
    fitted = learner.fit(X, y)
    images = torch.from_numpy(X).reshape(-1, *shape)
    axes, row = (0, *range(2, images.ndim)), (1, -1, *[1] * (images.ndim - 2))
    images = (images - images.mean(axes, keepdim=True)) / images.std(axes, keepdim=True, correction=0)
    seed = (3, 50)
    start = ConvResNet(shape, 3, 14, 3, generator(seed, Purpose.INITIALISATION)).double()
    w = {name: p.detach().clone() for name, p in start.named_parameters()}
    w = {name: p.squeeze(2) if p.shape[2:3] == (1,) else p for name, p in w.items()}
    w = {name: p for name, p in w.items() if not re.match(r"heads\.[0-4]\.", name)}
    w = {name: p.requires_grad_() for name, p in w.items()}
    velocity = {name: torch.zeros_like(p) for name, p in w.items()}
    statistics = {}
    conv = functional.conv1d if len(shape) == 2 else functional.conv2d

    def normed(x, name):
        mean, variance = x.mean(axes), x.var(axes, correction=0)
        count = x.numel() / x.shape[1]
        old = statistics.get(name, (0.0, 1.0))
        new = mean.detach(), variance.detach() * count / (count - 1)
        statistics[name] = tuple(0.9 * o + 0.1 * n for o, n in zip(old, new, strict=True))
        x = (x - mean.reshape(row)) / (variance.reshape(row) + 1e-5).sqrt()
        return (x * w[f"{name}.weight"].reshape(row) + w[f"{name}.bias"].reshape(row)).clamp(min=0)

    batches = minibatches(50, 16, generator(seed, Purpose.MINIBATCHES))
    for step in range(20):
        rows = next(batches)
        x = conv(images[rows], w["stem.weight"], padding=1)
        for i in range(6):
            stride = 2 if i in (2, 4) else 1
            active = normed(x, f"blocks.{i}.norm1")
            inner = conv(active, w[f"blocks.{i}.conv1.weight"], stride=stride, padding=1)
            inner = conv(normed(inner, f"blocks.{i}.norm2"), w[f"blocks.{i}.conv2.weight"], padding=1)
            skip = active if i == 0 else x
            if stride == 2:
                skip = skip[(..., *[slice(None, None, 2)] * (x.ndim - 2))]
                skip = torch.cat([skip, torch.zeros_like(skip)], dim=1)
            x = skip + inner
        pooled = normed(x, "heads.5.norm").mean(tuple(range(2, x.ndim)))
        scores = pooled @ w["heads.5.linear.weight"].T + w["heads.5.linear.bias"]
        chosen = scores.logsumexp(1) - scores[torch.arange(16), torch.from_numpy(y[rows])]
        gradients = torch.autograd.grad(chosen.mean(), list(w.values()))
        rate = 0.05 * min(1.0, (step + 1) / 1.0) * (1 + math.cos(math.pi * step / 20)) / 2
        with torch.no_grad():
            for (name, p), gradient in zip(w.items(), gradients, strict=True):
                velocity[name] = 0.8 * velocity[name] + gradient + 1e-3 * p
                p -= rate * velocity[name]
    trained = tensors(fitted.network_)
    for name, p in w.items():
        weight = trained[name].reshape(p.shape)
        np.testing.assert_allclose(weight, p.detach().numpy(), rtol=0, atol=1e-8, err_msg=name)
    for name, (mean, variance) in statistics.items():
        np.testing.assert_allclose(trained[f"{name}.running_mean"], mean.numpy(), rtol=0, atol=1e-8)
        np.testing.assert_allclose(trained[f"{name}.running_var"], variance.numpy(), rtol=0, atol=1e-8)


def test_adam_is_that_of_the_papers():
    """Algorithm 1 of arXiv 1412.6980, and line 12 of Algorithm 2 of arXiv 1711.05101."""
    rng = np.random.default_rng(0)
    p = rng.standard_normal(5)
    tensor = torch.from_numpy(p.copy())
    adam = Adam([tensor], Descent("adam", 0.1, 0.3, 0.9, 16))
    m = v = np.zeros(5)
    for t in range(1, 9):
        g, rate = rng.standard_normal(5), 0.1 / t
        adam.step([torch.from_numpy(g)], rate)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - rate * ((m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.3 * p)
    np.testing.assert_allclose(tensor.numpy(), p, rtol=1e-12)


# the ways to train ------------------------------------------------------------------------------


def test_stages_are_as_they_are_documented():
    assert stages((1, 2, 3), 0, "total", 10) == [Stage(1, 1, 3), Stage(2, 2, 3), Stage(3, 3, 4)]
    assert stages((1, 2, 3), 1, "each", 10) == [Stage(1, 1, 10), Stage(2, 1, 10), Stage(3, 2, 10)]
    assert stages((2, 5), None, "each", 4) == [Stage(2, 1, 4), Stage(5, 1, 4)]
    assert stages((2, 5, 5), 1, "each", 4) == [Stage(2, 1, 4), Stage(5, 2, 4), Stage(5, 4, 4)]
    for training, lowest in {"layerwise": [1, 2, 3], "bfc": [1, 1, 2], "grown": [1, 1, 1]}.items():
        fitted = small(training).fit(*data())
        assert [(s.blocks, s.lowest, s.steps) for s in fitted.stages_] == [
            (1, lowest[0], 3),
            (2, lowest[1], 3),
            (3, lowest[2], 3),
        ]
    assert small("end_to_end").fit(*data()).stages_ == (Stage(3, 1, 9),)


@pytest.mark.parametrize(("way", "unfrozen"), [("layerwise", 0), ("bfc", 1)])
def test_frozen_blocks_compute_once_what_every_step_would_compute(way, unfrozen):
    """Training with the whole net at every step, from the image on, ends at the same weights."""
    X, y = data()
    learner = small(way, depth=14, unfrozen=unfrozen, steps=24, dtype="float64")
    seen, fitted = states(learner, X, y)
    network = copy.deepcopy(seen[0].network_)
    images, labels = fitted.input_standard_(torch.from_numpy(X)[:, None]), torch.from_numpy(y)
    batches = minibatches(60, 16, generator((3, 60), Purpose.MINIBATCHES))
    for stage in fitted.stages_:
        parameters = network.train_only(stage.lowest, stage.blocks)
        optimizer = SGD(parameters, Descent("sgd", *ONE.values(), learner.momentum, 16))
        for step in range(stage.steps):
            rows = next(batches)
            loss = functional.cross_entropy(network(images[rows], stage.blocks), labels[rows])
            optimizer.step(torch.autograd.grad(loss, parameters), 0.05 * rate_at(step, stage.steps))
    for name, values in tensors(network).items():
        np.testing.assert_allclose(
            tensors(fitted.network_)[name], values, rtol=1e-9, atol=1e-11, err_msg=name
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("way", "growth"), [("grown", (1, 2, 2)), ("bfc", None)])
def test_stages_that_another_fit_began_with_are_not_trained_again(way, growth, dtype, monkeypatch):
    """What comes out is the same bit for bit, as is what is handed over."""
    X, y = data()
    parameters = {"budget": "each", "steps": 3, "unfrozen": 1, "dtype": dtype}
    seen, _ = states(small("grown", **parameters), X, y)
    whole, expected = states(small(way, growth=growth, **parameters), X, y)
    trained = []
    train_stage = stages_module._train_stage
    monkeypatch.setattr(stages_module, "_train_stage", lambda *a: trained.append(a[1]) or train_stage(*a))
    later = {}
    fitted = small(way, growth=growth, **parameters).fit(
        X, y, after_stage=lambda number, one: later.update({number: one}), start=seen[2]
    )
    assert trained == list(expected.stages_[2:]) and list(later) == [3]
    assert_same_net(fitted, expected)
    assert_same_net(later[3], whole[3])
    assert fitted.fit_report_ == expected.fit_report_


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weight_decay": 0.01}, "another weight_decay"),
        ({"learning_rate": (0.05, 0.1)}, "chooses a rate"),
        ({"random_state": None}, "draws a seed"),
        ({"growth": (2, 3)}, "other stages"),
        ({"growth": (1, 2)}, "other stages"),
        ({"steps": 4}, "other stages"),
        ({"n": 59}, "other data"),
        ({"start": "it"}, "no learner that was handed over"),
        ({"start": ConvResNetClassifier()}, "no learner that was handed over"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_start_of_another_fit_is_refused_in_one_line(change, says):
    X, y = data()
    seen, _ = states(small("grown", budget="each", steps=3), X, y)
    n, start = change.get("n", 60), change.get("start", seen[2])
    others = {name: value for name, value in change.items() if name not in ("n", "start")}
    with pytest.raises(ValueError, match=says) as refused:
        small("grown", **{"budget": "each", "steps": 3, **others}).fit(X[:n], y[:n], start=start)
    assert len(str(refused.value).splitlines()) == 1


def test_frozen_blocks_compute_at_every_step_where_that_is_less():
    assert Stage(2, 2, 3).kept(49, 16) == 0 and Stage(2, 2, 3).kept(47, 16) == 1
    assert Stage(2, 2, 3).flops([1.0, 10.0], 49, 16) == 48 + 3 * 48 * 10
    assert Stage(2, 2, 3).flops([1.0, 10.0], 20, 16) == 20 + 3 * 48 * 10


def test_blocks_start_from_the_same_weights_whatever_the_way():
    X, y = data()
    starts = [states(small(way), X, y)[0][0] for way in WAYS]
    for other in starts[1:]:
        assert_same_net(starts[0], other)
    assert not np.array_equal(
        tensors(starts[0].network_)["stem.weight"],
        tensors(states(small(random_state=4), X, y)[0][0].network_)["stem.weight"],
    )


@pytest.mark.parametrize(("way", "unfrozen"), [("layerwise", 1), ("bfc", 0), ("bfc", 1)])
def test_frozen_blocks_stay_bit_for_bit_statistics_included(way, unfrozen):
    """And those that are not frozen move, as do their statistics."""
    seen, fitted = states(small(way, depth=14, unfrozen=unfrozen, budget="each", steps=2), *data())
    for number, stage in enumerate(fitted.stages_, 1):
        before, after = tensors(seen[number - 1].network_), tensors(seen[number].network_)
        for name in before:
            kind, index = (name.split(".") + ["0"])[:2]
            part = {"stem": 1, "blocks": int(index) + 1 if kind == "blocks" else 0}.get(kind)
            if kind == "heads":
                trained = int(index) + 1 == stage.blocks
            else:
                trained = stage.lowest <= part <= stage.blocks
            assert np.array_equal(before[name], after[name]) == (not trained), (number, name)


@pytest.mark.parametrize("way", ["layerwise", "bfc", "grown"])
def test_one_stage_is_training_end_to_end(way):
    X, y = data()
    assert_same_net(small(way, growth=(3,)).fit(X, y), small().fit(X, y))


@pytest.mark.parametrize(("unfrozen", "way"), [(0, "layerwise"), (2, "grown"), (7, "grown")])
def test_corrections_reach_from_layerwise_to_grown(unfrozen, way):
    X, y = data()
    assert_same_net(small("bfc", unfrozen=unfrozen).fit(X, y), small(way).fit(X, y))


def test_a_stage_without_a_new_block_is_the_twin_of_one_with():
    """Alike up to there; then the same blocks go on, by the head that they have."""
    X, y = data()
    twin, _ = states(small("grown", growth=(1, 2, 2), budget="each", steps=3), X, y)
    other, _ = states(small("grown", growth=(1, 2, 3), budget="each", steps=3), X, y)
    assert_same_net(twin[2], other[2])
    before, after = tensors(twin[2].network_), tensors(twin[3].network_)
    moved = {
        ".".join(name.split(".")[:2]) for name in before if not np.array_equal(before[name], after[name])
    }
    assert moved == {"stem.weight", "blocks.0", "blocks.1", "heads.1"}
    assert [len(twin[k].block_features(X)) for k in range(4)] == [1, 1, 2, 2]


def test_what_is_handed_over_changes_nothing_and_predicts():
    X, y = data()
    seen, fitted = states(small("grown"), X, y)
    assert list(seen) == [0, 1, 2, 3]
    assert_same_net(fitted, small("grown").fit(X, y))
    np.testing.assert_array_equal(seen[3].predict_proba(X), fitted.predict_proba(X))
    assert [one.blocks_ for one in seen.values()] == [1, 1, 2, 3]
    assert [len(one.stages_) for one in seen.values()] == [0, 1, 2, 3]
    assert seen[1].predict(X).shape == y.shape
    before = fitted.predict_proba(X)
    with torch.no_grad():
        for parameter in seen[3].network_.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


def test_features_are_pooled_outputs_on_the_scale_of_the_training_set():
    X, y = data()
    fitted = small("grown", depth=14, dtype="float64").fit(X, y)
    inputs = torch.from_numpy((X - X.mean()) / X.std()).unsqueeze(1)
    features = fitted.block_features(X[:7])
    assert [f.shape for f in features] == [(7, c) for c in (3, 3, 6, 6, 12, 12)]
    for feature, x in zip(features, fitted.network_.streams(inputs, 6), strict=True):
        x = x.squeeze(2)
        of_channels = (x - x.mean((0, 2), keepdim=True)) / x.std((0, 2), keepdim=True, correction=0)
        np.testing.assert_allclose(feature, of_channels.relu().mean(2)[:7].numpy(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_it_learns_what_positions_decide(way):
    """Chance is a third."""
    X, y = data(200)
    fitted = small(way, width=4, steps=30, batch_size=32, budget="each").fit(X, y)
    assert fitted.fit_report_.status == "ok"
    assert fitted.score(*data(400, seed=1)) > 0.75


# what a fit promises --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["end_to_end", "layerwise"])
def test_a_fit_is_its_random_state_alone(way):
    X, y = data()
    torch.manual_seed(0)
    learner = small(way, learning_rate=(0.02, 0.1))
    before = torch.get_rng_state()
    first = clone(learner).fit(X, y)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    again = clone(learner).fit(X, y)
    assert_same_net(first, again)
    assert first.fit_report_ == again.fit_report_
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.predict_proba(X), first.predict_proba(X))


def test_predictions_do_not_depend_on_the_rows_beside_them():
    X, y = data()
    fitted = small().fit(X, y)
    X_test, _ = data(600, seed=1)
    whole = fitted.predict_proba(X_test)
    np.testing.assert_allclose(whole.sum(1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(
        np.concatenate([fitted.predict_proba(part) for part in np.split(X_test, [1, 18, 500])]), whole,
        rtol=0, atol=1e-6,
    )  # fmt: skip


def test_tuning_sees_rows_of_the_training_set_alone_and_holds_a_fifth_out(monkeypatch):
    X, y = data(50)
    runs = []

    def watched(network, plan, descent, images, labels, *others, **more):
        runs.append((plan, descent, len(images), labels.tolist()))
        return train(network, plan, descent, images, labels, *others, **more)

    train = resnet.train
    monkeypatch.setattr(resnet, "train", watched)
    learner = small("layerwise", learning_rate=(0.02, 0.1), weight_decay=(0.0, 0.01), steps=24)
    fitted = learner.fit(X, y)
    *tuning, final = runs
    order = generator((3, 50), Purpose.SPLIT).permutation(50)
    assert all(run[3] == y[order[10:]].tolist() for run in tuning)
    assert final[3] == y.tolist()
    assert [(run[1].learning_rate, run[1].weight_decay) for run in tuning] == [
        (0.02, 0.0),
        (0.02, 0.01),
        (0.1, 0.0),
        (0.1, 0.01),
    ]
    assert [stage.steps for stage in tuning[0][0]] == [2, 2, 2]
    assert [stage.steps for stage in final[0]] == [8, 8, 8]
    chosen = fitted.fit_report_.hyperparameters
    assert chosen == {"learning_rate": final[1].learning_rate, "weight_decay": final[1].weight_decay}


def test_tuning_takes_the_rate_that_learns():
    X, y = data(100)
    fitted = small(learning_rate=(1e-7, 0.05), steps=60).fit(X, y)
    assert fitted.fit_report_.hyperparameters["learning_rate"] == 0.05


def test_the_report_counts_all_steps_and_operations():
    X, y = data(50)
    learner = small("layerwise", steps=6, batch_size=16, learning_rate=(0.02, 0.1), tuning_share=0.5)
    learner.set_params(budget="each")
    fitted = learner.fit(X, y)
    a, b, c = fitted.network_.flops()
    trained, frozen = 3 * 16 * (a + b + c), 0 + a + (a + b)
    assert fitted.fit_report_.steps == 18 + 2 * 9
    assert fitted.fit_report_.flops == pytest.approx((6 + 2 * 3) * trained + (50 + 2 * 40) * frozen)
    few = small(steps=6).fit(X[:5], y[:5])
    assert few.fit_report_.flops == pytest.approx(5 * 6 * 3 * (a + b + c))
    assert few.fit_report_.steps == 6


def test_a_diverged_fit_says_so():
    fitted = small(learning_rate=1e25, momentum=0.99, steps=40).fit(*data())
    assert fitted.fit_report_.status == "diverged"
    assert fitted.fit_report_.reason


def test_minibatches_are_epochs_in_random_order():
    batches = minibatches(10, 4, np.random.default_rng(0))
    rows = np.concatenate([next(batches) for _ in range(10)]).reshape(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in rows.tolist())
    assert len({tuple(epoch) for epoch in rows.tolist()}) == 4
    assert next(minibatches(1, 4, np.random.default_rng(0))).tolist() == [0, 0]


def test_rates_rise_and_fall():
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[4]
    assert rates[50] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3


def test_every_forward_pass_is_without_tf32_and_deterministic(monkeypatch):
    """By torch's switches while a block is run: in tuning, for scales, predictions and features as well."""
    cudnn, seen = torch.backends.cudnn, {}
    forward = ResidualBlock.forward

    def watched(block, x):
        way = "trained" if block.training else "used"
        seen.setdefault(way, set()).add((cudnn.allow_tf32, cudnn.deterministic))
        return forward(block, x)

    def switches(use):
        seen.clear()
        use()
        return dict(seen)

    monkeypatch.setattr(ResidualBlock, "forward", watched)
    X, y = data()
    learner = small(learning_rate=(0.02, 0.1), steps=4)
    with cudnn.flags(enabled=True, allow_tf32=True, deterministic=False):
        assert switches(lambda: learner.fit(X, y)) == {"trained": {(False, True)}, "used": {(False, True)}}
        assert switches(lambda: learner.predict(X)) == {"used": {(False, True)}}
        assert switches(lambda: learner.block_features(X)) == {"used": {(False, True)}}
        assert (cudnn.allow_tf32, cudnn.deterministic) == (True, False)


def test_a_device_that_is_not_there_is_refused_where_a_fit_predicts():
    X, y = data()
    fitted = small(shape=(1, 10)).fit(X, y).set_params(device="cuda:99")
    with pytest.raises(ValueError, match="device = 'cuda:99'"):
        fitted.predict(X)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_predicts_in_float32_as_the_cpu_does():
    """Up to the rounding of float32, 6e-8, added up; that of TF32 is 5e-4."""
    X, y = data(n=200, d=48)
    fitted = small(shape=(3, 4, 4), width=32, steps=30).fit(X, y)
    of_cpu = [fitted.predict_proba(X), *fitted.block_features(X)]
    fitted.set_params(device="cuda")
    for of_gpu, expected in zip([fitted.predict_proba(X), *fitted.block_features(X)], of_cpu, strict=True):
        np.testing.assert_allclose(of_gpu, expected, rtol=0, atol=2e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gpu_gives_the_same_bits_again_and_in_float64_those_of_the_cpu_up_to_rounding(dtype):
    X, y = data()
    learner = small("bfc", dtype=dtype, device="cuda", learning_rate=(0.02, 0.1))
    (seen, first), again = states(clone(learner), X, y), clone(learner).fit(X, y)
    assert_same_net(first, again)
    if dtype == "float32":
        return
    on_cpu = clone(learner).set_params(device="cpu").fit(X, y)
    np.testing.assert_allclose(first.predict_proba(X), on_cpu.predict_proba(X), rtol=0, atol=1e-8)
    for of_gpu, of_cpu in zip(first.block_features(X), on_cpu.block_features(X), strict=True):
        np.testing.assert_allclose(of_gpu, of_cpu, rtol=0, atol=1e-8)
    assert_same_net(seen[3], first)


# data and parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("d", [1, 3])
def test_few_rows_and_few_inputs(n, d):
    X = np.random.default_rng(0).standard_normal((n, d))
    learner = small("layerwise", steps=3, learning_rate=(0.02, 0.1))
    for y in (np.arange(n) % 2, np.full(n, "same"), np.arange(n)):
        fitted = clone(learner).fit(X, y)
        assert np.isfinite(fitted.predict_proba(X)).all()
        assert set(fitted.predict(X)) <= set(y)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"shape": (1, 40)}, r"shape = (1, 40): allowed are shapes of 10 numbers, as many as a row of X has"),
        ({"shape": (10,)}, "shape = (10,): allowed are (channels, length) and (channels, height, width)"),
        ({"shape": (1, -10)}, "shape = (1, -10): allowed are (channels, length)"),
        ({"depth": 9}, "depth = 9: allowed are 6 m + 2 from 8 to 110: 8, 14, 20, ..."),
        ({"depth": 2}, "depth = 2: allowed are 6 m + 2 from 8"),
        ({"depth": 116}, "depth = 116: allowed are 6 m + 2 from 8 to 110"),
        ({"depth": 10**5000}, "depth = an integer of"),
        ({"width": 0}, "width = 0: allowed are integers from 1"),
        (
            {"training": "layer-wise"},
            "training = 'layer-wise': allowed are end_to_end, ",
        ),
        ({"budget": "all"}, "budget = 'all': allowed are total, each"),
        ({"growth": (1, 3)}, "growth = (1, 3): allowed is a value of None where training = 'end_to_end'"),
        (
            {"training": "grown", "growth": (2, 1)},
            "growth = (2, 1): allowed are integers from 1 to 3, none below the last one",
        ),
        ({"training": "grown", "growth": (1, 4)}, "growth = (1, 4): allowed are integers from 1 to 3"),
        ({"training": "grown", "growth": ()}, "growth = (): allowed are integers from 1 to 3"),
        ({"training": "grown", "steps": 2}, "steps = 2: allowed are integers from 3, and None"),
        ({"unfrozen": -1}, "unfrozen = -1: allowed are integers from 0"),
        ({"batch_size": 1}, "batch_size = 1: allowed are integers from 2"),
        ({"optimizer": "lbfgs"}, "optimizer = 'lbfgs': allowed are sgd, adam"),
        ({"momentum": 1.0}, "momentum = 1.0: allowed are numbers in [0, 1)"),
        ({"learning_rate": (0.1, 0.0)}, "learning_rate = 0.0: allowed are finite numbers > 0"),
        ({"learning_rate": ()}, "learning_rate = (): allowed are numbers, one or several"),
        ({"weight_decay": -0.1}, "weight_decay = -0.1: allowed are finite numbers >= 0"),
        ({"dtype": "float16"}, "dtype = 'float16': allowed are float32, float64"),
        ({"device": "tpu"}, "device = 'tpu': allowed are cpu"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, says):
    with pytest.raises(ValueError, match="^" + re.escape(says)) as caught:
        small(**parameters).fit(*data())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", sorted(set(inspect.signature(ConvResNetClassifier).parameters) & set(LARGEST))
)
def test_numbers_have_bounds(name):
    for value in (10**5000, math.inf, [2 * int(LARGEST[name])]):
        with pytest.raises(ValueError, match=f"^{name} = "):
            small(**{name: value}).fit(*data())


def test_bad_data_are_refused():
    X, y = data()
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        small().fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"largest \|X\| = 1e\+200: allowed are numbers up to 1e\+150"):
        small().fit(np.where(X == X[0, 0], 1e200, X), y)


def test_it_is_a_learner_by_import_path():
    learner = make_learner("hierbench.learners.convolutional.resnet:ConvResNetClassifier", training="grown")
    assert isinstance(learner, ConvResNetClassifier)


def cases():
    """Estimator and check; one of them asks for a score, and its repeats are slow."""
    for estimator, check in estimator_checks_generator(small(batch_size=32, width=2)):
        scored = check.func is check_classifiers_train
        longer = clone(estimator).set_params(steps=25, width=3) if scored else estimator
        marks = pytest.mark.slow if scored and check.keywords else ()
        yield pytest.param(longer, check, id="-".join([check.func.__name__, *check.keywords]), marks=marks)


@pytest.mark.parametrize(("estimator", "check"), list(cases()))
def test_estimator_checks(estimator, check):
    check(estimator)
