"""A ResNet grown on real data: which blocks stay as they are, what is compared with what."""

import numpy as np
import pytest

from hierbench.benchmarks.correction.experiments import real_growth as module
from hierbench.benchmarks.correction.experiments.real_growth import paths, probe, run
from hierbench.benchmarks.correction.quantities import real_growth as quantities
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.plots.correction.real_growth import real_growth
from hierbench.plots.data import Measured


@pytest.fixture(scope="module")
def records():
    return run(seed=1, data="digits", n=100, width=8, steps=5, frozen_rate=0.1)


@pytest.fixture(scope="module")
def grown(records):
    """By (path, stage, block): accuracy and probe."""
    return {
        (m.labels["path"], m.labels["stage"], m.labels["block"]): (m.values["accuracy"], m.values["probe"])
        for m in records
    }


def test_the_figure_shows_what_was_measured(records, grown):
    figure = real_growth([Measured("real-growth-digits", m.labels, m.values) for m in records])
    left, right = figure.axes
    assert left.get_title() == "handwritten digits" and len(right.get_yticklabels()) == 5
    lines = [(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in left.get_lines()]
    wanted = {
        ("grown", (1, 2, 3), 1): [("grown", 1), ("grown", 2), ("grown", 3)],
        ("waiting", (2, 3), 2): [("waiting-2", 2), ("waiting-2", 3)],
    }
    for (_, stages, block), points in wanted.items():
        assert (stages, tuple(100 * grown[path, s, block][1] for path, s in points)) in lines


def test_every_way_is_looked_at_after_every_stage(grown):
    stages = {path: max(stage for p, stage, _ in grown if p == path) for path, _, _ in grown}
    wanted = {"grown": 3, "frozen": 3, "bfc-1": 3, "waiting-1": 2, "waiting-2": 3, "frozen-long": 3}
    assert stages == {**wanted, "end-to-end": 1}
    assert [block for path, stage, block in grown if (path, stage) == ("waiting-2", 3)] == [1, 2]


def test_frozen_blocks_keep_their_probes_and_the_others_do_not(grown):
    assert grown["frozen", 3, 1][1] == grown["frozen", 2, 1][1] == grown["frozen", 1, 1][1]
    assert grown["grown", 3, 1] != grown["grown", 1, 1]
    assert grown["bfc-1", 3, 1][1] == grown["bfc-1", 2, 1][1] != grown["bfc-1", 1, 1][1]


def test_ways_are_one_net_as_far_as_they_do_the_same(grown):
    assert grown["grown", 1, 1] == grown["frozen", 1, 1] == grown["waiting-1", 1, 1]
    assert grown["grown", 2, 2] == grown["waiting-2", 2, 2] == grown["bfc-1", 2, 2]


def test_steps_are_those_of_all_stages_together():
    assert {p["steps"] for name, p in paths(6, 10) if name in {"frozen-long", "end-to-end"}} == {60}
    assert [name for name, _ in paths(6, 10) if name.startswith("bfc")] == [
        "bfc-1",
        "bfc-2",
        "bfc-3",
        "bfc-4",
    ]


def test_a_probe_is_linear_and_judged_on_other_points():
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((2, 400, 2))
    assert probe(X, X[:, 0] > 0, Z, Z[:, 0] > 0) > 0.95
    assert probe(X, X[:, 0] * X[:, 1] > 0, Z, Z[:, 0] * Z[:, 1] > 0) < 0.65


def test_a_probe_does_not_know_the_scale_of_a_feature():
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((2, 200, 6))
    truth = [(f @ np.arange(6) + f[:, 0] * f[:, 1] > 0) for f in (X, Z)]
    scales = np.array([1e-3, 1.0, 0.1, 30.0, 1.0, 1e-2])
    assert probe(X * scales, truth[0], Z * scales, truth[1]) == probe(X, truth[0], Z, truth[1])


def test_other_data_are_refused_in_a_line():
    with pytest.raises(ValueError, match="allowed are mnist1d, digits"):
        run(seed=1, data="cifar10")


def measured(path, stage, block, accuracy, probed, *, seed=1, last=False):
    labels = {"seed": seed, "path": path, "stage": stage, "block": block, "last": last}
    return Measurement(labels, {"accuracy": accuracy, "probe": probed})


def test_quantities_are_what_their_names_say():
    rows = []
    for seed, extra in ((1, 0.0), (2, 0.01), (3, 0.02)):
        rows += [
            measured("grown", 1, 1, 0.5, 0.4, seed=seed),
            measured("grown", 2, 1, 0.6, 0.5 + extra, seed=seed),
            measured("grown", 2, 2, 0.6, 0.6, seed=seed),
            measured("grown", 3, 1, 0.7, 0.5 + extra, seed=seed, last=True),
            measured("grown", 3, 2, 0.7, 0.7, seed=seed, last=True),
            measured("waiting-1", 2, 1, 0.5, 0.47, seed=seed, last=True),
            measured("waiting-2", 3, 1, 0.5, 0.5, seed=seed, last=True),
            measured("waiting-2", 3, 2, 0.5, 0.64, seed=seed, last=True),
            measured("frozen", 3, 1, 0.65 + extra, 0.4, seed=seed, last=True),
            measured("frozen-long", 3, 1, 0.66 + extra, 0.4, seed=seed, last=True),
            measured("end-to-end", 1, 1, 0.8 + extra, 0.4, seed=seed, last=True),
        ]
    found = {
        name: getattr(quantities, name)(rows, 0.95).value
        for name in ("real_feature_gain", "real_feature_gain_over_waiting")
    }
    # mean over extra 0, 1, 2 of additions (2, 1), (3, 1), (3, 2)
    assert found["real_feature_gain"] == pytest.approx(np.mean([10 + 1, 0, 10]))
    assert found["real_feature_gain_over_waiting"] == pytest.approx(np.mean([3 + 1, 1, 6]))
    assert quantities.real_inner_feature_gain_over_waiting(rows, 0.95).value == pytest.approx(1)
    assert quantities.real_holistic_gain(rows, 0.95).value == pytest.approx(3)
    assert quantities.real_holistic_gain_in_equal_steps(rows, 0.95).value == pytest.approx(4)
    assert quantities.real_joint_gain(rows, 0.95).value == pytest.approx(14)


def test_ways_that_freeze_blocks_have_a_rate_of_their_own(records):
    other = run(seed=1, data="digits", n=100, width=8, steps=5, frozen_rate=0.2)
    for before, after in zip(records, other, strict=True):
        if before.labels["last"]:
            same = not str(before.labels["path"]).startswith(("frozen", "bfc"))
            assert (before.values == after.values) == same, before.labels


def test_what_begins_like_another_way_has_the_records_of_a_training_of_its_own(records, monkeypatch):
    monkeypatch.setattr(module, "begins_as", lambda path: ("", 0))
    assert run(seed=1, data="digits", n=100, width=8, steps=5, frozen_rate=0.1) == records
