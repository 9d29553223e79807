"""The correction story in SGD: what is read off a net, what counts as corrected, and the trace itself."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
from scipy import linalg

from hierbench.benchmarks.correction.experiments import kernel_features, sgd_trace
from hierbench.benchmarks.correction.experiments.sgd_trace import run, spread
from hierbench.benchmarks.correction.quantities import sgd_trace as quantities
from hierbench.benchmarks.correction.trained.feature_error import form_of, subspace_angle
from hierbench.benchmarks.correction.trained.judge import Judge
from hierbench.benchmarks.correction.trained.trained_levels import (
    Level,
    direction_error,
    first_level_form,
    is_on,
    levels_of,
    narrow_mismatch,
    passed_up_form,
    systematic,
    tangent,
)
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import UserError
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.nets.algorithm1_network import Algorithm1Network
from hierbench.learners.nets.scaling import Scaling
from hierbench.learners.sequential.sequential_kernels import SequentialKernelsRegressor
from hierbench.plots.correction.sgd import kernels, learners, together, trace
from hierbench.plots.data import Measured
from hierbench.targets.registry import make_target

D = 5
DENSE = DenseNetwork(d=D, depth=2, width=6)
TWO_HALVES = Algorithm1Network(d=D, depth=2, width=6, narrow=(3, 2), rows=(8,))


def fitted(network: DenseNetwork, parameters: np.ndarray, X: np.ndarray | None = None) -> Any:
    """A stand-in for a fitted learner: the parameters on the scale of X."""
    data = np.array([[-1.0] * network.d, [1.0] * network.d]) if X is None else X
    scaling = Scaling(data, np.array([-1.0, 1.0]) if X is None else X[:, 0])
    return types.SimpleNamespace(
        network_=network,
        parameters_=parameters,
        scaling_=scaling,
        predict=lambda X: outputs_of(network, parameters, scaling.inputs(X)),
    )


def random_net(network: DenseNetwork, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return fitted(network, network.initial(rng), rng.standard_normal((50, D)) * np.arange(1, D + 1) + 0.3)


@pytest.mark.parametrize("network", [DENSE, TWO_HALVES], ids=["plain", "algorithm1"])
def test_form_of_level_1_is_that_of_its_part_of_the_output(network: DenseNetwork) -> None:
    estimator = random_net(network)
    views = dict(enumerate(network.shapes()))
    ends = np.cumsum([0, *(int(np.prod(s)) for s in views.values())])
    # without its read-out, level 2 is silent
    silent = len(views) - 2 if network is DENSE else 1
    estimator.parameters_[ends[silent] : ends[silent + 1]] = 0.0
    expected = form_of(estimator.predict, D)
    found = first_level_form(estimator)
    found *= np.trace(expected) / np.trace(found)
    np.testing.assert_allclose(found, expected, atol=1e-10 * np.abs(expected).max())


def test_levels_of_a_plain_net_rebuild_its_output() -> None:
    estimator, X = random_net(DENSE), np.random.default_rng(1).standard_normal((40, D))
    levels = levels_of(estimator, X)
    for level in levels:
        np.testing.assert_allclose(level.passed, (level.squared**2 - 1.0) / np.sqrt(2.0), atol=1e-10)
    views = estimator.parameters_[-(1 + 2 * 6 + D) :]
    linear = estimator.scaling_.inputs(X) @ views[:D] + views[-1]
    rebuilt = linear + sum(level.passed @ level.readout for level in levels)
    np.testing.assert_allclose(rebuilt, estimator.predict(X), atol=1e-10)


def test_levels_of_algorithm_1_rebuild_its_output() -> None:
    estimator, X = random_net(TWO_HALVES), np.random.default_rng(1).standard_normal((40, D))
    levels = levels_of(estimator, X)
    rebuilt = sum(level.squared**2 @ level.readout for level in levels) + estimator.parameters_[-1]
    np.testing.assert_allclose(rebuilt, estimator.predict(X), atol=1e-10)
    assert [level.passed.shape[1] for level in levels] == [6, 3]  # products of 3 and of 2


def test_a_level_of_zeros_is_off() -> None:
    estimator = random_net(TWO_HALVES)
    assert is_on(estimator, 2)
    TWO_HALVES.parts(estimator.parameters_)[1][:] = 0.0
    assert is_on(estimator, 1) and not is_on(estimator, 2) and not is_on(estimator, 3)


def test_mismatch_is_zero_where_the_narrow_half_equals_the_wide_one() -> None:
    network = Algorithm1Network(d=D, depth=1, width=3, narrow=(3,))
    estimator = random_net(network)
    block = network.parts(estimator.parameters_)[0]
    assert 0.3 < float(narrow_mismatch(estimator, 1) or 0.0) <= 1.0
    turn = linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    block[:, 3:] = block[:, :3] @ turn
    assert narrow_mismatch(estimator, 1) == pytest.approx(0.0, abs=1e-12)
    passed, own = passed_up_form(estimator), first_level_form(estimator)
    np.testing.assert_allclose(passed, own, atol=1e-12)
    assert narrow_mismatch(random_net(DENSE), 1) is None and passed_up_form(random_net(DENSE)) is None


def test_directions_of_level_1_are_the_eigenspace_of_its_form() -> None:
    rng = np.random.default_rng(3)
    W, a, rows = rng.standard_normal((D, 8)), rng.standard_normal(8), rng.standard_normal((2, D))
    X = rng.standard_normal((100_000, D))
    X = (X - X.mean(axis=0)) @ linalg.inv(linalg.cholesky(np.cov(X.T, bias=True)))  # exactly isotropic
    found = direction_error(X @ rows.T, Level(X @ W, a, X))
    assert found == pytest.approx(subspace_angle((W * a) @ W.T, rows), abs=1e-9)


def test_direction_error_is_zero_of_the_truth_in_any_basis_and_one_of_noise() -> None:
    rng = np.random.default_rng(4)
    s = rng.standard_normal((5000, 2)) ** 2
    turned = np.concatenate([s @ rng.standard_normal((2, 3)), np.zeros((5000, 1))], axis=1)
    assert direction_error(s, Level(turned, np.array([1.0, 2.0, 0.5, 1.0]), s)) == pytest.approx(
        0.0, abs=1e-7
    )
    noise = Level(rng.standard_normal((5000, 4)), np.ones(4), s)
    assert direction_error(s, noise) == pytest.approx(1.0, abs=2e-3)
    assert direction_error(s, Level(np.zeros((5000, 4)), np.ones(4), s)) is None


def test_tangent_has_the_principal_angles_and_no_basis() -> None:
    rng = np.random.default_rng(5)
    rows, V = rng.standard_normal((2, D)), linalg.qr(rng.standard_normal((D, 2)), mode="economic")[0]
    turn = linalg.qr(rng.standard_normal((2, 2)))[0]
    found = tangent(V @ np.diag([3.0, -2.0]) @ V.T, rows)
    other = tangent((V @ turn) @ np.diag([1.0, 4.0]) @ (V @ turn).T, rows)
    np.testing.assert_allclose(found, other, atol=1e-10)
    expected = np.tan(linalg.subspace_angles(rows.T, V))
    np.testing.assert_allclose(np.sort(linalg.svdvals(found)), np.sort(expected), rtol=1e-9)


def test_common_part_is_unbiased_and_the_test_keeps_its_level() -> None:
    rng = np.random.default_rng(6)
    common = 0.02 * rng.standard_normal((8, 2))
    truth, squares, alarms = float(np.square(common).sum() / 2), [], 0
    for _ in range(2000):
        noise = 0.03 * rng.standard_normal((3, 8, 2))
        squares.append(systematic(list(common + noise)).square)
        alarms += systematic(list(noise)).resolved
    mean, stderr = np.mean(squares), np.std(squares) / np.sqrt(len(squares))
    assert abs(mean - truth) < 4 * stderr and stderr < 0.02 * truth
    assert abs(alarms / 2000 - 0.025) < 4 * np.sqrt(0.025 * 0.975 / 2000)
    with pytest.raises(ValueError, match="number of nets = 1: allowed are integers from 2"):
        systematic([common])


def planted(target: Any) -> Any:
    """The plain net whose weights are the target's."""
    W, k = target.weight_matrices, target.k
    network = DenseNetwork(d=target.d, depth=2, width=k)
    parts = [W[1, 0].T, np.zeros(k), W[2, 0].T, W[2, 1].T, np.zeros(k)]
    parts += [np.zeros(target.d), np.ones(k), np.ones(k), np.zeros(1)]
    return fitted(network, np.concatenate([np.ravel(p) for p in parts]))


def test_all_errors_are_zero_on_a_net_with_the_weights_of_the_target() -> None:
    target = make_target("projected", 6, 0, depth=2, width=2, alpha=0.1, rho=0.5)
    judge = Judge(target, np.random.default_rng(0))
    errors = judge.errors(planted(target))
    assert errors[1]["angle"] == pytest.approx(0.0, abs=1e-10)
    for name in ("angle", "feature_error", "span_error"):
        assert errors[2][name] == pytest.approx(0.0, abs=1e-10), name
    assert judge.tangent(planted(target)) == pytest.approx(0.0, abs=1e-10)
    fresh = judge.at_start(planted(target), np.random.default_rng(1))
    assert 0.5 < fresh[2, "feature_error"] < 1.05 and 0.5 < fresh[2, "span_error"] < 1.05


@pytest.fixture(scope="module")
def short() -> list[Measurement]:
    return run(seed=900, d=6, n=4000, nets=2, steps=640, batch_size=64, points=8)


def test_a_run_has_every_level_of_every_net_at_every_step(short: list[Measurement]) -> None:
    for name, levels in (("algorithm1", {1, 2}), ("level1", {1, 2})):
        own = [m for m in short if m.labels["learner"] == name and m.labels["kind"] == "trace"]
        steps = {m.labels["step"] for m in own}
        assert {0, 640} <= steps and len(steps) >= 8
        assert {(m.labels["net"], m.labels["level"]) for m in own} == {(n, i) for n in (0, 1) for i in levels}
        assert len(own) == 2 * 2 * len(steps)
    last = [m for m in short if m.labels.get("step") == 640 and m.labels["kind"] == "trace"]
    on = {(m.labels["learner"], m.labels["level"]): m.values["on"] for m in last}
    assert on == {("algorithm1", 1): 1.0, ("algorithm1", 2): 1.0, ("level1", 1): 1.0, ("level1", 2): 0.0}


def test_every_record_names_the_optimiser(short: list[Measurement]) -> None:
    assert {m.labels["optimiser"] for m in short} == {"SGD"}
    small: dict[str, Any] = {"d": 6, "n": 300, "nets": 2, "steps": 32, "batch_size": 32, "points": 2}
    other = run(seed=900, learner="densenet", optimizer="adam", **small)
    assert {m.labels["optimiser"] for m in other} == {"Adam"}


def test_the_twin_is_the_same_net_until_level_2_comes_on(short: list[Measurement]) -> None:
    on_at = min(
        float(m.values["on_at"] or 0)
        for m in short
        if m.labels["kind"] == "switch" and m.labels["level"] == 2
    )
    assert 0 < on_at < 640

    def angles(name: str) -> dict[Any, Any]:
        return {
            (m.labels["step"], m.labels["net"]): m.values["angle"]
            for m in short
            if m.labels["kind"] == "trace" and m.labels["learner"] == name and m.labels["level"] == 1
        }

    own, twin = angles("algorithm1"), angles("level1")
    early = [key for key in own if key[0] <= on_at]
    assert len(early) >= 6 and all(own[key] == pytest.approx(twin[key], rel=0.02) for key in early)
    assert all(own[640, net] != twin[640, net] for net in (0, 1))


def test_a_run_is_deterministic() -> None:
    small: dict[str, Any] = {"d": 6, "n": 500, "nets": 2, "steps": 40, "batch_size": 32, "points": 3}
    first = run(seed=900, learner="bfc1", **small)
    assert first == run(seed=900, learner="bfc1", **small)
    assert first != run(seed=901, learner="bfc1", **small)


def test_level_by_level_the_net_is_the_plain_one_and_level_2_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Layer-wise training by itself tries a first level that expresses level 2 untrained."""
    small: dict[str, Any] = {"n": 300, "nets": 2, "steps": 16, "batch_size": 32, "points": 2}
    made: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(sgd_trace, "_trace", lambda learner, *_: made.append(learner) or [])
        for neurons, expected in ((0, [10, 24, 24]), (7, [10, 7, 7])):
            for name in ("densenet", "layerwise", "refitted", "bfc1"):
                run(seed=900, learner=name, d=10, neurons=neurons, **small)
                assert [network.sizes() for network in made[-1]._networks(10)] == [expected], name
    found = run(seed=900, learner="layerwise", d=8, **small)
    last = [m.values for m in found if m.labels["kind"] == "trace" and m.labels["level"] == 2][-1]
    assert last["on"] == 1.0 and "feature_error" in last


def test_bad_requests_are_told_in_a_line() -> None:
    with pytest.raises(UserError, match="algorithm1"):
        run(seed=0, learner="algoritm1")
    with pytest.raises(UserError, match="nets = 1: allowed are integers from 2"):
        run(seed=0, nets=1)
    with pytest.raises(UserError, match="rho"):
        run(seed=0, rho=2.0)


def test_looks_are_denser_in_the_first_half() -> None:
    steps = spread(5000, 40)
    assert steps[0] == 0 and steps[-1] == 5000 and steps == sorted(set(steps))
    late = sum(s > 2500 for s in steps)
    assert 1.8 * late < sum(s <= 2500 for s in steps) <= 2.8 * late


# quantities ---------------------------------------------------------------------------------------


def told(seed: int, before: float, after: float, alone: float, common: float) -> list[Measurement]:
    """What a run says of level 1: level 2 comes on between steps 10 and 20."""

    def at(learner: str, step: int, total: float, common: float) -> Measurement:
        labels = {"seed": seed, "kind": "common", "learner": learner, "step": step}
        return Measurement(labels, {"total": total, "systematic": common, "square": common**2})

    switch = {"seed": seed, "kind": "switch", "learner": "algorithm1", "level": 2, "net": 0}
    return [
        at("algorithm1", 0, 1.0, 0.0),
        at("algorithm1", 10, before, 0.0),
        at("algorithm1", 20, after * 9, 0.0),
        at("algorithm1", 30, after, 0.0),
        at("level1", 10, before, 0.0),
        at("level1", 30, alone, common),
        Measurement(switch, {"on_at": 15.0}),
    ]


def test_a_fall_counts_as_correction_only_below_a_third_of_what_level_1_comes_to_alone() -> None:
    runs = [
        *told(0, before=0.02, after=0.002, alone=0.013, common=0.012),  # corrected
        *told(1, before=0.02, after=0.005, alone=0.013, common=0.012),  # fell, to a noise that hides it
        *told(2, before=0.02, after=0.0005, alone=0.0006, common=0.0),  # noise that goes without level 2 too
        *told(3, before=0.005, after=0.003, alone=0.013, common=0.012),  # did not fall
        *told(4, before=0.02, after=0.0005, alone=0.013, common=0.0),  # no gate
    ]
    found = quantities.falls(runs)
    assert {seed: fall.corrected for seed, fall in found.items()} == {
        0: True, 1: False, 2: False, 3: False, 4: True,
    }  # fmt: skip
    assert {seed: fall.fell for seed, fall in found.items()} == {
        0: True, 1: True, 2: True, 3: False, 4: True,
    }  # fmt: skip
    share = quantities.corrected_share(runs, 0.95)
    assert (share.value, share.n_rows) == (0.4, 5)
    assert 0.05 < share.low < 0.06 and 0.85 < share.high < 0.86
    assert quantities.fallen_share(runs, 0.95).value == 0.8
    gain = quantities.gain_over_alone(runs, 0.95)
    expected = np.mean(np.log10([13 / 2, 13 / 5, 6 / 5, 13 / 3, 26]))
    assert gain.value == pytest.approx(expected)
    assert quantities.corrected_share([], 0.95).value is None


def net_trace(seed: int, lower: list[float], upper: list[float]) -> list[Measurement]:
    found = []
    for step, (e, f) in enumerate(zip(lower, upper, strict=True)):
        labels = {"seed": seed, "kind": "trace", "net": 0, "step": step}
        found.append(Measurement(labels | {"level": 1}, {"on": 1.0, "angle": e}))
        found.append(Measurement(labels | {"level": 2}, {"on": 1.0, "feature_error": f, "angle": f**0.5}))
    return found


def test_share_of_the_fall_that_comes_after_the_next_level_is_half_right() -> None:
    trace_of = net_trace(0, [1.0, 0.1, 0.01, 0.001], [0.8, 0.4, 0.2, 0.1])
    assert quantities.share_after(trace_of, "feature_error") == pytest.approx(2 / 3)
    assert quantities.share_after(trace_of, "angle") == pytest.approx(1 / 3)
    never = net_trace(1, [1.0, 0.1, 0.01, 0.001], [0.8, 0.7, 0.7, 0.6])
    assert quantities.share_after(never, "feature_error") == 0.0
    assert quantities.share_after(net_trace(2, [0.1, 0.2], [1.0, 0.1]), "feature_error") is None
    third = net_trace(3, [1.0, 0.1, 0.01, 0.001], [0.8, 0.7, 0.4, 0.1])
    figure = quantities.fall_after_next_level(trace_of + never + third, 0.95)
    assert figure.value == pytest.approx((2 / 3 + 0.0 + 1 / 3) / 3) and figure.n_rows == 3
    wide = net_trace(4, [1.0, 0.1], [0.8, 0.1])
    for m in wide:
        m.values.pop("feature_error", None)  # so many neurons that no read-out judges the level
    assert quantities.share_after(wide, "feature_error") is None
    assert quantities.fall_after_next_level(trace_of + never + third + wide, 0.95).value == figure.value
    assert quantities.share_after(wide, "angle") is not None
    stricter = quantities.fall_after_next_level_learned(trace_of + never + third, 0.95)
    assert stricter.value == pytest.approx((1 / 3 + 0.0 + 0.0) / 3) and stricter.n_rows == 3


def test_figures_show_every_run(short: list[Measurement]) -> None:
    again = [Measurement({**m.labels, "seed": 1}, m.values) for m in short]
    measured = [Measured("sgd-trace", m.labels, m.values) for m in short + again]
    measured += [Measured("sgd-trace-control", m.labels, m.values) for m in short]
    figure = trace(measured)
    assert len(figure.axes) == 6
    thick = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 1.8]
    thin = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 0.5]
    assert len(thick) == 2 and len(thin) == 4  # the run and its twin, two seeds
    net = run(seed=900, learner="densenet", d=6, n=500, nets=2, steps=64, batch_size=32, points=4)
    plain = [Measured("sgd-trace-densenet", m.labels, m.values) for m in net]
    assert len(learners(measured + plain).axes) == 3
    assert len(together(plain).axes) == 1


# kernels that learn features ----------------------------------------------------------------------


@pytest.mark.slow
def test_kernels_keep_the_contaminated_level_1_and_their_own_form_is_read_off() -> None:
    found = kernel_features.run(seed=900, sizes=(600,), learners=("sequential_kernels", "rfm"), d=6)
    for m in found:
        angle, floor = m.values["angle"], m.values["contamination"]
        assert isinstance(angle, float) and isinstance(floor, float)
        assert 0.5 * floor < angle < 3.0 * floor  # near what the best quadratic has, neither far nor near 0
        assert isinstance(m.values["relative_mse"], float) and m.values["relative_mse"] < 1e-3
    assert [m.labels["learner"] for m in found] == ["sequential_kernels", "rfm"]
    measured = [Measured("kernel-features", m.labels, m.values) for m in found]
    figure = kernels(measured)
    assert [len(ax.get_lines()) for ax in figure.axes] == [5, 4]  # points and line of each; the reference
    with pytest.raises(UserError, match="rfm"):
        kernel_features.run(seed=0, learners=("rmf",))


def test_form_of_sequential_kernels_has_the_leading_directions_first() -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((800, 4)) * np.array([1.0, 2.0, 0.5, 1.0]) + 1.0
    w, v = np.array([1.0, -0.5, 2.0, 0.3]), np.array([0.2, 0.4, 0.1, -1.0])
    y = 3.0 * (X @ w) ** 2 + (X @ v) ** 2
    learner = SequentialKernelsRegressor(2, n_directions=2).fit(X, y)
    form = kernel_features._of_first_kernel(learner)
    scaled = np.linalg.eigh(
        np.diag(X.std(axis=0)) @ (3.0 * np.outer(w, w) + np.outer(v, v)) @ np.diag(X.std(axis=0))
    )[1][:, -1]
    expected = scaled / X.std(axis=0)  # the leading eigenvector where coordinates have variance 1
    assert subspace_angle(form, expected[None]) < 1e-3
    assert subspace_angle(form, np.stack([w, v])) < 1e-3
