"""Growing a net, looking at its neurons, attacking it: closed forms, nets set to the target, quantities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hierbench.benchmarks.correction.experiments.adversarial import output_of
from hierbench.benchmarks.correction.experiments.adversarial import run as adversarial
from hierbench.benchmarks.correction.experiments.growth import PATHS
from hierbench.benchmarks.correction.experiments.growth import run as grow
from hierbench.benchmarks.correction.experiments.visualise import form_record, true_basis, views
from hierbench.benchmarks.correction.experiments.visualise import run as visualise
from hierbench.benchmarks.correction.quantities import growth
from hierbench.benchmarks.correction.trained.ascent import ascend, attack
from hierbench.benchmarks.correction.trained.neurons import (
    net_levels,
    target_levels,
    target_output,
)
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.learners.engines.network import outputs_of
from hierbench.learners.nets.algorithm1_network import Algorithm1Network
from hierbench.learners.nets.densenet import quadratic_densenet
from hierbench.plots.correction import features as correction_features
from hierbench.plots.correction import growth as correction_growth
from hierbench.plots.data import Measured, Provenance
from hierbench.plots.style import FigureWriter, figure_style
from hierbench.targets.registry import make_target


def gaussian(n, d, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


# --- ascent ----------------------------------------------------------------------------------------


def test_the_maximiser_of_a_quadratic_form_on_the_sphere_is_its_leading_eigenvector():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((6, 6))
    A = A @ A.T
    form = torch.from_numpy(A)
    x = ascend(lambda X: ((X @ form) * X).sum(1), gaussian(5, 6), "sphere", 400).numpy()
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), math.sqrt(6))
    leading = np.linalg.eigh(A)[1][:, -1]
    np.testing.assert_allclose(np.abs(x @ leading), math.sqrt(6), rtol=1e-4)


def test_the_maximiser_of_a_square_times_the_density_has_norm_root_two():
    """(w.x)^2 exp(-|x|^2/2), |w| = 1: x = +-sqrt(2) w."""
    w = np.array([0.6, 0.0, 0.8])
    x = ascend(lambda X: (X @ torch.from_numpy(w)).square(), gaussian(4, 3), "gaussian", 400).numpy()
    np.testing.assert_allclose(np.abs(x @ w), math.sqrt(2), rtol=1e-2)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), math.sqrt(2), rtol=1e-2)


def test_without_regularisation_it_goes_as_far_as_its_steps():
    start = gaussian(3, 4)
    w = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    x = ascend(lambda X: X @ w, start, "none", 10, 0.1)
    moved = (x - start).norm(dim=1).numpy()
    np.testing.assert_allclose(moved, 2.0 * sum(0.1 * (1 - t / 10) for t in range(10)))
    with pytest.raises(ValueError, match="unknown regularisation 'l2': known are gaussian, none, sphere"):
        ascend(lambda X: X @ w, start, "l2")


def test_attack_on_a_linear_loss_is_the_gradient_s_direction():
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)
    delta = attack(lambda X: X @ w, gaussian(5, 2), 0.3, 20)
    np.testing.assert_allclose(delta.numpy(), np.tile([0.18, 0.24], (5, 1)))
    delta = attack(lambda X: X @ w, gaussian(5, 2), 0.3, 20, gaussian(5, 2, 1))
    assert (delta @ w >= 0.98 * 0.3 * 5).all()  # from any start nearly as much
    assert (attack(lambda X: X @ w, gaussian(5, 2), 0.3).norm(dim=1) <= 0.3 + 1e-12).all()


# --- neurons ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [
    quadratic_densenet(5, 3, 4),
    Algorithm1Network(d=5, depth=2, width=4, narrow=(3, 2), rows=(6,)),
])  # fmt: skip
def test_levels_that_autograd_follows_are_those_of_the_net(network):
    flat = network.initial(np.random.default_rng(0)) * 1.5
    X = gaussian(20, 5)
    levels = net_levels(network, flat)(X)
    parts = network.parts(flat)
    out, features, _ = network.forward(parts, X.numpy())
    if isinstance(network, Algorithm1Network):
        squares = [z.square().sum(1).numpy() for z in levels]
        total = parts[-1] + sum(a * s for a, s in zip(parts[-2][:, 0], squares, strict=True))
        np.testing.assert_allclose(total[0], out[:, 0], rtol=1e-10)
    else:
        for z, h in zip(levels, features[1:], strict=True):
            inner = z.clip(-network.truncation, network.truncation)
            np.testing.assert_allclose(((2 * z - inner) * inner - 1) / math.sqrt(2), h)
        f = output_of(network, torch.from_numpy(flat))(X)
        np.testing.assert_allclose(f, outputs_of(network, flat, X.numpy()), rtol=1e-10)


def test_target_as_torch_is_the_target():
    target = make_target("projected", 6, 3, depth=3, width=2, rho=0.5, alpha=0.4)
    X = target.sample_inputs(50, np.random.default_rng(0))
    np.testing.assert_allclose(target_output(target)(torch.from_numpy(X)), target.evaluate(X), rtol=1e-8)
    for found, true in zip(
        target_levels(target)(torch.from_numpy(X)), target.hidden_features(X), strict=True
    ):
        np.testing.assert_allclose(found, true, rtol=1e-8)


def test_a_net_whose_neurons_are_the_target_s_is_seen_as_it_is():
    target = make_target("projected", 6, 2, depth=2, width=2, rho=0.5, alpha=0.4)
    levels, rows = target_levels(target), target.weight_matrices[1, 0]
    for level in (1, 2):
        found = views({}, target, levels, np.ones(2), level, 2, 6, 300, 0.1, 0)
        for m in found:
            if m.labels["regularisation"] == "sphere":
                assert m.values["alignment"] == pytest.approx(1.0, abs=1e-3)
                assert m.values["reached"] == pytest.approx(1.0, abs=1e-3)
    true = rows.T @ (rows / target.sd[1][:, None])
    record = form_record({}, target, true, {})
    np.testing.assert_allclose(record.values["learned"], record.values["true"], atol=1e-12)
    assert record.values["angle"] < 1e-12
    basis = true_basis(rows)
    np.testing.assert_allclose(basis @ basis.T, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(basis[2:] @ rows.T, 0, atol=1e-12)


# --- the experiments, small ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    found = {
        "growth": grow(seed=0, d=4, width=3, nets=1, steps=40, frames=2, batch_size=64),
        "features-algorithm1": [
            m
            for seed in (0, 1)
            for m in visualise(
                seed=seed,
                learner="algorithm1",
                d=5,
                n=500,
                width=4,
                steps=400,
                neurons=3,
                starts=2,
                ascent_steps=20,
            )
        ],
        "adversarial": adversarial(
            seed=0, d=5, n=200, width=4, steps=30, radii=[0.1, 0.2], neurons=3, starts=2, batch_size=64
        ),
    }
    return found


@pytest.mark.slow
def test_every_record_names_the_optimiser(small):
    assert {m.labels["optimiser"] for found in small.values() for m in found} == {"Adam"}


@pytest.mark.slow
def test_growth_has_every_path_and_frozen_levels_stay(small):
    found = small["growth"]
    assert {m.labels["path"] for m in found} == {"common", *PATHS}
    ends = {
        (m.labels["path"], m.labels["phase"], m.labels["level"]): m.values for m in found if m.labels["last"]
    }
    assert ends["frozen", 2, 2]["feature_error"] == ends["frozen", 3, 2]["feature_error"]
    assert ends["all", 2, 2]["feature_error"] != ends["all", 3, 2]["feature_error"]
    assert all(m.values["relative_mse"] > 0 for m in found)


@pytest.mark.slow
def test_records_of_features_and_attacks(small):
    kinds = {(m.labels["kind"], m.labels["when"]) for m in small["features-algorithm1"]}
    assert kinds == {(k, w) for k in ("form", "neuron") for w in ("before", "after")}
    attacks = [m for m in small["adversarial"] if m.labels["kind"] == "attack"]
    assert {m.labels["net"] for m in attacks} == {"plain", "adversarial", "target"}
    for m in attacks:
        assert m.values["label_kept"] >= m.values["clean"]
    with pytest.raises(
        ValueError, match="unknown learner of the visualisation 'dense': did you mean 'densenet'"
    ):
        visualise(seed=0, learner="dense", d=5, n=100, steps=10)


@pytest.mark.slow
def test_figures(small, tmp_path):
    records = {name: [Measured(name, m.labels, m.values) for m in own] for name, own in small.items()}
    with figure_style():
        writer = FigureWriter(tmp_path, Provenance("s", "s", 1, ("c",), "1"))
        writer.write(correction_growth.growth(records["growth"]), "growth", "x")
        writer.write(correction_features.features(records["features-algorithm1"]), "features", "x")
        both = records["features-algorithm1"] + records["adversarial"]
        writer.write(correction_features.alignments(both), "alignments", "x")
        writer.write(correction_features.attacks(records["adversarial"]), "attacks", "x")
    assert len(writer.paths) == 8 and all(p.stat().st_size > 5000 for p in writer.paths)


# --- quantities ----------------------------------------------------------------------------------------


def end(seed, path, phase, level, mse, error):
    labels = {"seed": seed, "net": 0, "path": path, "phase": phase, "level": level, "last": True, "step": 1}
    return Measurement(labels, {"relative_mse": mse, "feature_error": error})


def test_gains_of_growth():
    found = []
    for seed in range(4):
        tilt = 10 ** (0.01 * seed)
        found += [end(seed, "common", 1, 1, 1e-1, 1e-1 * tilt)]
        found += [end(seed, "no-growth", 2, 1, 1e-1, 5e-2), end(seed, "frozen", 2, 1, 2e-2, 1e-1)]
        found += [end(seed, "all", 2, level, 1e-2, 1e-2) for level in (1, 2)]
        found += [end(seed, "last-frozen", 3, 1, 1e-3 * tilt, 1e-2)]
        found += [end(seed, "no-third-level", 3, level, 1e-2, 1e-2) for level in (1, 2)]
        found += [end(seed, "all", 3, level, 1e-5, 1e-3) for level in (1, 2, 3)]
    gain = growth.holistic_gain(found, 0.95)
    assert gain.value == pytest.approx(2.015) and gain.low < gain.value < gain.high
    assert growth.holistic_gain_second(found, 0.95).value == pytest.approx(math.log10(2))
    assert growth.feature_gain(found, 0.95).value == pytest.approx(1.005)
    waiting = (math.log10(5) + 1 + 1) / 3
    assert growth.feature_gain_over_waiting(found, 0.95).value == pytest.approx(waiting)


def seen(seed, level, regularisation, alignment, when="after"):
    labels = {"kind": "neuron", "seed": seed, "level": level, "regularisation": regularisation, "when": when}
    return Measurement(labels, {"alignment": alignment})


def test_alignments():
    found = [Measurement({"kind": "form", "seed": 0, "when": "after"}, {})]
    for seed in range(4):
        for level, strong, none in ((1, 1.0, 0.98), (2, 0.9 + 0.01 * seed, 0.5)):
            found += [seen(seed, level, "sphere", strong)] * 3 + [seen(seed, level, "none", none)] * 3
        found += [seen(seed, 1, "sphere", 0.0, "before")] * 9
    strong = growth.alignment_regularised(found, 0.95)
    assert strong.value == pytest.approx(np.mean([(1.9 + 0.01 * s) / 2 for s in range(4)]))
    second = growth.alignment_regularised_second(found, 0.95)
    assert second.value == pytest.approx(0.915) and "level 2" in second.label
    assert growth.alignment_gain(found, 0.95).value == pytest.approx(strong.value - 0.74)
    assert growth.alignment_gain_second(found, 0.95).value == pytest.approx(0.415)
