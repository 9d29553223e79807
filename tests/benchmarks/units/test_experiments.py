"""Experiments of a suite: the file, the units, the store, failures, claims and figures."""

from __future__ import annotations

import dataclasses
import importlib
import math

import numpy as np
import pytest
from machinery import Silent

from hierbench.benchmarks.claims.criteria import Bounds, Criterion
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.claims.verdicts import judge_criterion
from hierbench.benchmarks.commands import status
from hierbench.benchmarks.correction.exact.rounds import trace
from hierbench.benchmarks.correction.quantities import exact_trace as powers
from hierbench.benchmarks.results.readings import suite_measurements
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.run import runner
from hierbench.benchmarks.show.correction_figures import FIGURES, write
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.choices import choose
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite
from hierbench.benchmarks.units import experiment_parameters, experiments
from hierbench.benchmarks.units.compute_experiment import run_experiment
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import UserError
from hierbench.plots.data import Provenance

HEAD = 'name = "tiny"\nsummary = "two experiments"\ntimeout_seconds = 60\n'
ENTRY = """
[[experiment]]
label = "{label}"
experiment = "exact_trace"
params = {{ d = 4, width = 1, rho = 0.5, alphas = [0.3, 0.1], rounds = [1] }}
over = {{ seed = [0, 1], variant = {variants} }}
seconds = 1
"""


def tiny(folder, text=None):
    path = folder / "tiny.toml"
    both = ENTRY.format(label="one", variants='["corrected"]') + ENTRY.format(
        label="two", variants='["frozen", "strict"]'
    )
    path.write_text(HEAD + (both if text is None else text))
    return load_suite(str(path))


def run(suite, results):
    with Store.writable(results) as store:
        return runner.run(make_plan(suite), store, Silent(), workers=1)


def measured(suite, results):
    with Store.readable(results) as store:
        return suite_measurements(make_plan(suite), store)


def test_units_are_all_combinations_and_what_they_measure_is_stored(tmp_path):
    suite = tiny(tmp_path)
    plan = make_plan(suite)
    assert [u.over for u in plan.experiments[2:]] == [
        {"seed": s, "variant": v} for s in (0, 1) for v in ("frozen", "strict")
    ]
    assert len({u.key for u in plan.units}) == 6
    outcome = run(suite, tmp_path)
    assert (outcome.computed, outcome.failed) == (6, ())
    found = measured(suite, tmp_path)
    expected = trace("projected", {"d": 4, "width": 1, "rho": 0.5, "seed": 1}, (0.3, 0.1), (1,), "strict")
    own = [m for m in found["two"] if (m.labels["seed"], m.labels["variant"]) == (1, "strict")]
    assert [(m.values["angle"], m.values["relative_mse"]) for m in own] == [
        (r.angle, r.relative_mse) for r in expected
    ]
    assert run(suite, tmp_path).computed == 0, "a second run computes nothing"


def test_only_one_experiment_and_status(tmp_path, capsys):
    suite = tiny(tmp_path)
    to_run, to_show = choose(suite, experiments=["two"])
    assert [e.label for e in to_run.experiments] == [e.label for e in to_show.experiments] == ["two"]
    with pytest.raises(UserError, match="unknown experiment of the suite 'tow': did you mean 'two'"):
        choose(suite, experiments=["tow"])
    for wrong in ({"learners": ["densenet"]}, {"d": [8]}, {"settings": ["densenet.steps=1"]}):
        with pytest.raises(UserError, match="suite tiny has experiments only"):
            choose(suite, **wrong)
    with pytest.raises(UserError, match="suite smoke has none"):
        choose(load_suite("smoke"), experiments=["two"])
    assert run(to_run, tmp_path).computed == 4
    status.show_status(str(tmp_path / "tiny.toml"), tmp_path)
    printed = capsys.readouterr().out
    assert "experiment one: 2 missing" in printed and "experiment two: 4 done" in printed
    with Store.readable(tmp_path) as store:
        assert not any(map(status.is_stale, store.units()))
        gone = dataclasses.replace(
            store.units()[0], axes={**store.units()[0].axes, "experiment": "forgotten"}
        )
        assert status.is_stale(gone)


def test_an_edit_of_the_code_or_of_a_target_makes_another_key(tmp_path, monkeypatch):
    suite = tiny(tmp_path)
    before = make_plan(suite).experiments[0].key
    entry = dataclasses.replace(
        experiments.EXPERIMENTS["exact_trace"], code=("hierbench.targets.quadratic.projected",)
    )
    monkeypatch.setitem(experiments.EXPERIMENTS, "exact_trace", entry)
    assert make_plan(suite).experiments[0].key != before


def test_an_experiment_that_fails_says_why_and_is_tried_again(tmp_path):
    text = ENTRY.format(label="one", variants='["corrected"]').replace("width = 1", "width = 3")
    suite = tiny(tmp_path, text)  # d >= 2k is needed
    outcome = run(suite, tmp_path)
    assert len(outcome.failed) == 2 and "UserError" in outcome.failed[0][1].reason
    assert measured(suite, tmp_path) == {}
    assert run(suite, tmp_path).computed == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("exact_trace", "exact_trcae"), "unknown experiment 'exact_trcae': did you mean"),
        (
            ENTRY.replace("rho = 0.5", "roh = 0.5"),
            "unknown parameter of exact_trace 'roh': did you mean 'rho'",
        ),
        (ENTRY.replace("rho = 0.5, ", ""), "exact_trace needs rho, in params or in over"),
        (ENTRY.replace("rho = 0.5", "seed = 3, rho = 0.5"), "seed is in params too"),
        (ENTRY.replace("[0, 1]", "[0, 0]"), "allowed is a list of different values"),
        (ENTRY.replace("[0, 1]", "[]"), "allowed is a list of different values"),
        (ENTRY + ENTRY, "is used twice"),
        (ENTRY.replace("seconds = 1", "seconds = 0"), "allowed is a number > 0"),
        (ENTRY.replace("seconds", "secnods"), "unknown key 'secnods'"),
        (ENTRY.replace("rho = 0.5", "rho = 1e300"), "rho = 1e+300: allowed are numbers of size up to 1e+06"),
        (ENTRY.replace("rho = 0.5", 'rho = "much"'), "rho = 'much': allowed are numbers of size up to 1e+06"),
        (ENTRY.replace("[0, 1]", "[0, 1.5]"), "seed = 1.5: allowed are integers from 0"),
        (ENTRY.replace("[0, 1]", "[-1]"), "seed = -1: allowed are integers from 0"),
        (ENTRY.replace("rounds = [1]", "rounds = [1000000]"), "integers from 0 to 64"),
        (ENTRY.replace("rounds = [1]", "rounds = 4"), "rounds = 4: allowed are lists"),
        (ENTRY.replace("rho = 0.5", "rho = 0.5, family = 3"), "family = 3: allowed are texts"),
    ],
)
def test_bad_entries_are_refused_with_file_and_line(tmp_path, text, message):
    with pytest.raises(UserError, match=r"tiny\.toml:\d+: ") as error:
        tiny(tmp_path, text.format(label="one", variants='["corrected"]'))
    assert message in str(error.value)


def test_what_is_not_finite_is_undefined_and_numpy_becomes_plain(tmp_path, monkeypatch):
    unit = make_plan(tiny(tmp_path)).experiments[0]
    odd = Measurement(
        {"n": np.int64(3), "alpha": np.float64(0.5), "learner": "net"},
        {"a": math.nan, "b": np.float32(0.25), "c": np.arange(3), "d": [1.0, math.inf], "e": None},
    )
    monkeypatch.setattr(experiments, "compute", lambda name, parameters: [odd])
    found = run_experiment(unit).measurements[0]
    assert found.labels == {"n": 3, "alpha": 0.5, "learner": "net"} and type(found.labels["n"]) is int
    assert found.values == {"a": None, "b": 0.25, "c": [0.0, 1.0, 2.0], "d": None, "e": None}
    monkeypatch.setattr(experiments, "compute", lambda name, parameters: [])
    with pytest.raises(ValueError, match="returned no measurement"):
        run_experiment(unit)


KINDS = {"int", "float", "str", "Sequence[int]", "Sequence[float]", "Sequence[str]"}


def test_every_registered_experiment_and_figure_is_there():
    for name, experiment in experiments.EXPERIMENTS.items():
        module, _, function = experiment.path.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), name
        for parameter in experiment_parameters.parameters_of(module, function).values():
            assert parameter.kind.partition(" | ")[0] in KINDS, name
    labels = {e.label for s in known_suites() for e in load_suite(s).experiments}
    for draw, shown in FIGURES.values():
        assert callable(draw)
        assert set(shown) <= labels


# --- powers of alpha, on records whose truth is known -------------------------------------------------


def records(power, scale=0.2, seeds=range(4), alphas=(0.3, 0.1, 0.03, 0.01), noise=0.0, **labels):
    rng = np.random.default_rng(0)
    found = []
    for seed in seeds:
        exponent = power + noise * rng.standard_normal()
        for alpha in alphas:
            error = scale * alpha**exponent
            found.append(
                Measurement(
                    {"seed": seed, "alpha": alpha, "variant": "corrected", **labels},
                    {"angle": error, "feature_error": error, "relative_mse": error**2},
                )
            )
    return found


@pytest.mark.parametrize(
    ("quantity", "place", "added"),
    [
        ("first_level_slope_before", {"round": 1, "stage": "lower", "level": 1}, 0),
        ("first_level_slope_after", {"round": 2, "stage": "lower", "level": 1}, 0),
        ("second_level_slope_before", {"round": 1, "stage": "upper", "level": 2}, 1),
        ("second_level_slope_after", {"round": 2, "stage": "upper", "level": 2}, 1),
        ("second_level_own_slope_before", {"round": 1, "stage": "upper", "level": 2}, 0),
        ("second_level_own_slope_after", {"round": 2, "stage": "upper", "level": 2}, 0),
    ],
)
def test_powers_of_alpha(quantity, place, added):
    elsewhere = records(7.0, round=3, stage="lower", level=1)
    evidence = SuiteResults([], {}, measurements={"x": [*elsewhere, *records(1.5, noise=0.1, **place)]})
    criterion = Criterion("C09", "a power", "tiny", quantity, Bounds(0, 9), (), (), experiments=("x",))
    QUANTITIES[quantity].check(criterion)
    (figure,) = QUANTITIES[quantity].estimates(evidence, criterion, 0.95)
    assert figure.label == "x" and figure.low < figure.value < figure.high
    assert figure.value == pytest.approx(1.5 + added, abs=0.15)
    assert judge_criterion(criterion, evidence).state == "supported"
    with pytest.raises(ValueError, match="allowed are labels of experiments"):
        QUANTITIES[quantity].check(dataclasses.replace(criterion, experiments=(), targets=("t",)))
    waiting = dataclasses.replace(evidence, missing_experiments={"x": 2})
    assert "2 of its units are missing" in judge_criterion(criterion, waiting).reason


def test_rounding_has_no_power():
    place = {"round": 1, "stage": "lower", "level": 1}
    figure = powers.first_level_before(records(0.0, scale=1e-15, **place), 0.95)
    assert figure.value is None and "rounding" in figure.note


@pytest.mark.slow
def test_the_figures_are_drawn_from_measurements_alone(tmp_path):
    suite = tiny(
        tmp_path,
        (ENTRY.format(label="exact-trace", variants='["corrected"]') * 1)
        + ENTRY.format(label="exact-trace-variants", variants='["frozen", "strict"]'),
    )
    run(suite, tmp_path)
    paths = write(measured(suite, tmp_path), tmp_path / "drawn", Provenance("tiny", "s", 0, ("c",), "1"))
    names = {p.stem for p in paths if p.suffix == ".png"}
    assert names == {"correction_rounds", "correction_powers", "correction_variants"}
    assert all(p.stat().st_size > 10_000 for p in paths)
