"""Pictures of a net's units on real data: what is recorded, what the quantities take of it, the figure."""

import numpy as np
import pytest

from hierbench.benchmarks.correction.experiments.real_visualisation import run
from hierbench.benchmarks.correction.quantities import real_visualisation as quantities
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.plots.correction.real_visualisation import real_visualisation
from hierbench.plots.data import Measured

CHEAP = {
    "seed": 1,
    "n": 200,
    "width": 4,
    "steps": 15,
    "attack_steps": 1,
    "starts": 2,
    "ascent_steps": 8,
    "blur": 0.2,
}


@pytest.fixture(scope="module")
def records():
    return run(**CHEAP)


def units(records, **labels):
    return [m for m in records if labels.items() <= m.labels.items() and m.labels["kind"] == "unit"]


def test_every_unit_is_looked_at_with_every_regularisation(records):
    assert len({tuple(sorted(m.labels.items())) for m in records}) == len(records)
    logits = units(records, layer=0)
    assert len(logits) == 2 * 6 * 10 and len(units(records)) == 2 * 6 * (10 + 3 * 3)
    assert {m.labels["regularisation"] for m in logits if "picture" in m.values} == {"none", "strong"}
    assert all(-1 <= m.values["own"] <= m.values["nearest"] + 1e-9 <= 1 for m in logits)


def test_similarity_of_a_logit_is_that_of_its_picture_to_the_mean_of_its_class():
    records = run(**{**CHEAP, "starts": 1})
    means = {m.labels["unit"]: np.array(m.values["picture"]) for m in records if m.labels["kind"] == "class"}
    shown = [m for m in units(records, layer=0) if "picture" in m.values]
    assert len(shown) == 2 * 2 * 10
    for m in shown:
        cosines = {unit: float(mean @ np.array(m.values["picture"])) for unit, mean in means.items()}
        assert m.values["own"] == pytest.approx(cosines[m.labels["unit"]], abs=0.01)  # of rounded pictures
        assert m.values["nearest"] == pytest.approx(max(cosines.values()), abs=0.01)
        assert m.values["agreement"] == 1.0


def test_regularised_pictures_are_those_of_their_arm(records):
    """Neighbouring pixels differ less where pictures were blurred, and chance is higher."""

    def of_logits(how):
        return units(records, layer=0, regularisation=how)

    def roughness(how):
        pictures = np.array([m.values["picture"] for m in of_logits(how)]).reshape(-1, 8, 8)
        return np.square(np.diff(pictures, axis=1)).mean() + np.square(np.diff(pictures, axis=2)).mean()

    assert roughness("strong") < 0.8 * roughness("none")
    assert of_logits("strong")[0].values["chance"] > 1.2 * of_logits("none")[0].values["chance"]


def test_class_means_are_centred_pictures_of_norm_1(records):
    means = np.array([m.values["picture"] for m in records if m.labels["kind"] == "class"])
    assert means.shape == (10, 64)
    assert np.linalg.norm(means, axis=1) == pytest.approx(np.ones(10), abs=0.01)


def test_the_figure_shows_what_was_measured(records):
    figure = real_visualisation([Measured("real-visualisation", m.labels, m.values) for m in records])
    *pictures, own, _, probe = figure.axes
    assert sum(bool(ax.images) for ax in pictures) == 50
    for ax, value in ((own, "own"), (probe, "probe")):
        drawn = {round(float(y), 9) for line in ax.get_lines() for y in line.get_ydata()}
        for how in ("none", "decay", "blur", "jitter", "strong", "all"):
            shown = units(records, layer=0, net="plain", regularisation=how)
            assert round(float(np.mean([m.values[value] for m in shown])), 9) in drawn


def test_signals_are_looked_at_too():
    signals = run(**CHEAP | {"data": "mnist1d", "starts": 1, "steps": 3, "ascent_steps": 2, "points": 50})
    assert {len(m.values["picture"]) for m in signals if "picture" in m.values} == {40}
    figure = real_visualisation([Measured("real-visualisation", m.labels, m.values) for m in signals])
    assert not any(ax.images for ax in figure.axes)


def test_other_data_are_refused_in_a_line():
    with pytest.raises(ValueError, match="allowed are mnist1d, digits"):
        run(seed=1, data="cifar10")


def measured(net, regularisation, own, probe, *, seed, layer=0):
    labels = {"kind": "unit", "seed": seed, "net": net, "regularisation": regularisation, "layer": layer}
    return Measurement(labels, {"own": own, "probe": probe})


def test_quantities_are_what_their_names_say():
    rows = []
    for seed, extra in ((1, 0.0), (2, 0.03), (3, 0.06)):
        rows += [
            measured("plain", "none", 0.1, 0.2, seed=seed),
            measured("plain", "strong", 0.5 + extra, 0.9, seed=seed),
            measured("plain", "strong", 0.7 + extra, 1.0, seed=seed),
            measured("plain", "strong", -1.0, -1.0, seed=seed, layer=1),
            measured("adversarial", "none", 0.4, 0.5, seed=seed),
            measured("adversarial", "strong", 0.6 + extra, 0.5, seed=seed),
        ]
    wanted = {
        "real_picture_probe": 95,
        "real_picture_probe_gain": 75,
        "real_picture_similarity": 0.63,
        "real_picture_similarity_gain": 0.53,
        "real_picture_gain_adversarial": 0.3,
        "real_picture_similarity_gain_adversarial": 0.23,
    }
    for name, value in wanted.items():
        estimate = getattr(quantities, name)(rows, 0.95)
        assert estimate.value == pytest.approx(value) and estimate.n_rows == 3
