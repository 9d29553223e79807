"""Suites on targets made of data: no more points than there are, and rows like any others."""

import dataclasses
from pathlib import Path

import pytest
from machinery import run, stored

from hierbench.benchmarks.cli import main
from hierbench.benchmarks.commands.check_target import fitted, small_suite
from hierbench.benchmarks.gate.baseline_files import definitions
from hierbench.benchmarks.suites.choices import choose
from hierbench.benchmarks.suites.finite import Points, check_points, points_of
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import TestPlan, crossed_replicates, learner_spec
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError
from hierbench.targets import registry
from hierbench.targets.registry import load_family, make_target

SUITE = """
name = "data"
summary = "targets made of data"
{replicates}
test = {{min = {test[0]}, max = {test[1]}}}
timeout_seconds = 60
epsilons = [0.3]
target = [
  {{label = "digits", family = "digits", params = {{labels = {labels}}}}},
  {{label = "fresh", family = "mnist1d", params = {{labels = "parity"}}}},
]
learner = [
  {{learner = "krr_polynomial"}}, {{learner = "densenet"}},
  {{label = "logistic", learner = "sklearn.linear_model:LogisticRegression", params = {{max_iter = 500}}}},
]

[[run]]
targets = ["digits"]
learners = {learners}
d = [64]
sizes = {{scale = 20, power = 0, ratio = 2, count = 2, max = {largest}}}

[[run]]
targets = ["fresh"]
learners = {learners}
d = [40]
sizes = {{scale = 20, power = 0, ratio = 2, count = 2, max = 5000}}
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    def write(
        test=(360, 360),
        labels='"all"',
        learners='["krr_polynomial"]',
        largest=1437,
        replicates="replicates = 4",
    ):
        path = tmp_path_factory.mktemp("suite") / "data.toml"
        path.write_text(
            SUITE.format(test=test, labels=labels, learners=learners, largest=largest, replicates=replicates)
        )
        return str(path)

    return write


def test_points_of_data_and_of_functions():
    assert points_of(make_target("digits", 64, 0)) == Points(1437, 360)
    assert points_of(make_target("mnist1d", 40, 0, draws="published")) == Points(4000, 1000)
    assert points_of(make_target("mnist1d", 40, 0)) == Points(None, None)
    assert points_of(make_target("squares", 8, 0)) is None


@dataclasses.dataclass(frozen=True)
class Counts(load_family("squares")):
    """A function with parameters of these names, whatever they mean to it."""

    n_train: int = 5
    n_test: int = 7


def test_a_function_with_such_parameters_is_no_data():
    assert points_of(Counts(8, 0)) is None
    check_points(Counts(8, 0), TestPlan(16, 64), 10**6, crossed_replicates(4, 1, 1))


def test_targets_are_built_once_when_a_suite_is_read(suite, monkeypatch):
    built = []
    monkeypatch.setattr(registry, "load_family", lambda name: built.append(name) or load_family(name))
    load_suite(suite())
    assert sorted(built) == ["digits", "mnist1d"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"largest": 1438}, "max of the sizes = 1438: allowed are integers up to 1437; the training pool"),
        (
            {"test": (180, 360)},
            "test = {min = 180, max = 360}: allowed is min = max, up to 360; its held-out",
        ),
        ({"test": (361, 361)}, "{min = 360, max = 360} is all of it"),
        ({"labels": "[3, 8]", "largest": 285}, "{min = 72, max = 72} is all of it"),
        (
            {"replicates": "crossed = {targets = 2, samples = 2, inits = 1}"},
            "targets in crossed = 2: allowed is one value, 1; data are one target, whatever its seed",
        ),
        ({"labels": "[3, 8]", "test": (72, 72)}, "max of the sizes = 1437: allowed are integers up to 285"),
    ],
)
def test_more_points_than_there_are_are_refused_when_the_suite_is_read(suite, options, says):
    with pytest.raises(UserError) as refused:
        load_suite(suite(**options))
    assert says in str(refused.value) and "data.toml" in str(refused.value) and "\n" not in str(refused.value)


def test_data_of_no_end_are_one_target_too(suite):
    crossed = load_suite(suite(replicates="crossed = {targets = 1, samples = 2, inits = 2}"))
    with pytest.raises(ValueError, match="targets in crossed = 4"):
        check_points(make_target("mnist1d", 40, 0), crossed.test, 5000, crossed_replicates(4, 1, 1))


def test_a_part_of_the_held_out_set_may_be_asked_for(suite):
    assert load_suite(suite(test=(100, 100))).test.max == 100


def test_a_run_may_have_test_sets_of_its_own(suite, tmp_path):
    text = Path(suite(test=(1000, 4000), learners='["logistic"]')).read_text()
    path = tmp_path / "own.toml"

    def plan(test):
        path.write_text(text.replace("max = 1437}", f"max = 1437}}\ntest = {test}"))
        return make_plan(load_suite(str(path)))

    units = plan("{min = 360, max = 360}").curves
    assert [(u.target, u.test_min, u.test_max) for u in units] == [
        ("digits", 360, 360),
        ("fresh", 1000, 4000),
    ]
    assert [u.axes["test"] for u in units] == [{"min": 360, "max": 360}, {"min": 1000, "max": 4000}]
    assert {c["test"]["max"] for c in definitions(plan("{min = 64, max = 64}")).values()} == {64, 4000}
    with pytest.raises(UserError, match=r"\{min = 360, max = 360\} is all of it"):
        plan("{min = 361, max = 361}")
    with pytest.raises(UserError, match="max = 16: allowed are integers from min = 32"):
        plan("{min = 32, max = 16}")


def test_a_parameter_set_on_the_command_line_is_held_to_it(suite):
    choose(load_suite(suite(test=(72, 72), largest=285)), settings=["digits.labels=[3, 8]"])
    with pytest.raises(UserError, match="allowed is min = max, up to 72"):
        choose(load_suite(suite(largest=285)), settings=["digits.labels=[3, 8]"])


def test_a_learner_is_told_no_degree_that_nobody_knows(suite):
    read = load_suite(suite(learners='["krr_polynomial", "densenet"]'))
    for label, parameter in (("krr_polynomial", "degree"), ("densenet", "depth")):
        spec = learner_spec(read.learner(label), read.target("digits"), 64)
        assert parameter not in spec["parameters"]


@pytest.fixture(scope="module")
def finished(suite, tmp_path_factory):
    """A suite with its results."""
    folder = tmp_path_factory.mktemp("finished")
    path = suite()
    run(path, folder)
    return path, folder


def test_rows_of_data(finished):
    rows = stored(finished[1])
    assert len(rows) == 16 and all(r.status in ("ok", "unreliable") for r in rows)
    assert {r.n_test for r in rows if r.target == "digits"} == {360}
    assert {r.metric for r in rows} == {"misclassification"}


COMMANDS = [
    "table",
    "status",
    "compare",
    "report",
    pytest.param("figures", marks=pytest.mark.slow(20)),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_rows_of_data_are_shown_as_any_others(finished, capsys, command):
    path, results = finished
    with pytest.raises(SystemExit) as end:
        main([command, path, "--results", str(results)])
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    assert command != "table" or "eps_rel = 0.1 (undefined for this target)" in said.out


@pytest.mark.parametrize(("name", "d", "params"), [("digits", 64, {"labels": (3, 8)}), ("mnist1d", 40, {})])
def test_check_target_asks_for_no_more_points_than_there_are(name, d, params):
    asked = fitted(small_suite(name, params), make_target(name, d, 0, **params))
    points = points_of(make_target(name, d, 0, **params))
    for one in asked.runs:
        assert one.d == (d,)
        for replicate in one.replicates:
            sizes = one.sizes.sizes(d, replicate.sample)
            assert len(sizes) > 1 and sizes[-1] <= (points.train or 10**9)
    assert points.test is None or asked.test.min == asked.test.max == points.test
    assert fitted(small_suite("squares", {}), make_target("squares", 8, 0)) == small_suite("squares", {})


@pytest.mark.slow(20)
def test_a_classifier_of_scikit_learn_learns_the_digits(suite, tmp_path):
    run(suite(learners='["logistic"]'), tmp_path / "results")
    rows = [r for r in stored(tmp_path / "results") if r.target == "digits"]
    assert len(rows) == 8 and all(r.error < 0.7 for r in rows)
