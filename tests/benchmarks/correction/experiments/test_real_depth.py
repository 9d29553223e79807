"""Accuracy against depth on real data: what the ways of training share, and what is compared with what."""

import numpy as np
import pytest

from hierbench.benchmarks.correction.experiments import real_depth as experiment
from hierbench.benchmarks.correction.quantities import real_depth as quantities
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.plots.correction.real_depth import real_depth
from hierbench.plots.data import Measured
from hierbench.targets.registry import make_target


@pytest.fixture
def fits(monkeypatch):
    """Learners that were fitted, with their samples; they know the training points by heart."""
    made = []

    class Memory(experiment.ConvResNetClassifier):
        def fit(self, X, y):
            made.append((self, X, y))
            self.known, self.fit_report_ = {tuple(x): label for x, label in zip(X, y, strict=True)}, Report
            return self

        def predict(self, X):
            return np.array([self.known.get(tuple(x), 3) for x in X])

    class Report:
        steps = 7

    monkeypatch.setattr(experiment, "ConvResNetClassifier", Memory)
    return made


def test_ways_differ_in_nothing_but_how_blocks_are_trained(fits):
    found = experiment.run(seed=5, data="digits", n=50) + experiment.run(
        seed=5, data="digits", n=50, blocks=3
    )
    parameters = [net.get_params() for net, _, _ in fits]
    assert [p.pop("learning_rate") for p in parameters[:3]] == [
        p.pop("learning_rate") for p in parameters[3:]
    ]
    ways = [(p.pop("training"), p.pop("budget"), p.pop("depth")) for p in parameters]
    assert ways == [
        (training, budget, depth)
        for depth in (20, 8)
        for training, budget in (("end_to_end", "total"), ("layerwise", "total"), ("layerwise", "each"))
    ]
    assert all(p == parameters[0] for p in parameters) and parameters[0]["random_state"] == 5
    assert all(np.array_equal(X, fits[0][1]) and np.array_equal(y, fits[0][2]) for _, X, y in fits)
    held_out = make_target("digits", 64, 0).sample_test(360, np.random.default_rng([5, 44]))[1]
    threes = pytest.approx(np.mean(held_out == 3))
    assert [m.values for m in found] == [{"accuracy": threes, "training_accuracy": 1.0}] * 6


def test_steps_are_those_of_all_stages_together():
    found = experiment.run(seed=1, blocks=3, data="digits", n=60, width=4, steps=6, points=30)
    steps = {m.labels["path"]: m.labels["steps"] for m in found}
    assert steps == {"end-to-end": 6, "layerwise": 6, "layerwise-long": 18}
    assert {(m.labels["depth"], m.labels["n"], m.labels["seed"]) for m in found} == {(8, 60, 1)}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data": "cifar10"}, "allowed are mnist1d, digits"),
        ({"blocks": 4}, "blocks = 4: allowed are multiples"),
    ],
)
def test_what_there_is_not_is_refused_in_a_line(options, says):
    with pytest.raises(ValueError, match=says):
        experiment.run(seed=1, **options)


def measured(path, depth, accuracy, seed):
    labels = {"seed": seed, "data": "digits", "n": 100, "path": path, "depth": depth}
    return Measurement(labels, {"accuracy": accuracy, "training_accuracy": (1 + accuracy) / 2})


@pytest.fixture(scope="module")
def records():
    rows = []
    for seed, extra in ((1, 0.0), (2, 0.01), (3, 0.02)):
        rows += [
            measured("end-to-end", 8, 0.80, seed),
            measured("end-to-end", 14, 0.10, seed),
            measured("end-to-end", 20, 0.90 + extra, seed),
            measured("layerwise-long", 8, 0.76, seed),
            measured("layerwise-long", 20, 0.78, seed),
            measured("layerwise", 8, 0.50, seed),
            measured("layerwise", 20, 0.60 + 2 * extra, seed),
        ]
    return [*rows, measured("end-to-end", 20, 0.0, seed=4)]


def test_quantities_are_what_their_names_say(records):
    values = {
        "deepest_joint_gain": 13,
        "deepest_joint_gain_in_equal_steps": 29,
        "depth_gain": 11,
        "depth_gain_layerwise": 2,
    }
    for name, value in values.items():
        estimate = getattr(quantities, name)(records, 0.95)
        assert estimate.value == pytest.approx(value), name  # the fourth seed has no pair
    assert quantities.deepest_joint_gain(records, 0.95).label == "depth 20"
    assert quantities.depth_gain(records, 0.95).label == "depth 20 less 8"


def test_the_figure_shows_every_run_and_the_means(records):
    figure = real_depth([Measured("real-depth", m.labels, m.values) for m in records[:-1]])
    test, error, training = figure.axes
    for ax, expected in ((test, (80, 10, 91)), (error, (20, 90, 9)), (training, (90, 55, 95.5))):
        lines = [(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in ax.get_lines()]
        assert len(lines) == 3 * 3 + 3
        assert all(ax.get_ylim()[0] < min(ys) and max(ys) < ax.get_ylim()[1] for _, ys in lines)
        assert any(xs == (8, 14, 20) and ys == pytest.approx(expected) for xs, ys in lines)
    assert {(8, 14, 20), (8, 20)} == {tuple(line.get_xdata()) for line in test.get_lines()}
    assert len(figure.legends[0].get_texts()) == 4 and "handwritten digits, n = 100" in figure.get_suptitle()
