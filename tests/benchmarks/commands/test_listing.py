"""``hierbench list``: one line an entry, or everything about one."""

from __future__ import annotations

import re

import pytest

from hierbench.benchmarks.commands.listing import KINDS, print_list
from hierbench.benchmarks.provenance.modules import constructor_parameters
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite, summaries
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS
from hierbench.targets.modifiers.modifiers import MODIFIERS
from hierbench.targets.registry import FAMILIES

NAMES = {"learners": LEARNERS, "targets": FAMILIES, "suites": known_suites()}


@pytest.fixture
def listed(capsys):
    def call(name=None):
        print_list(name)
        return capsys.readouterr().out

    return call


def on_one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("columns", ["110", "80"])
def test_each_entry_is_one_line_that_fits(listed, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    out = listed()
    assert max(map(len, out.splitlines())) <= int(columns)
    for kind, names in NAMES.items():
        part = out[out.index(f"{kind}:") :].partition("\n\n")[0]
        starts = [line.split()[0] for line in part.splitlines()[1:]]
        assert [start for start in starts if start != "or"] == list(names), kind


def test_a_summary_is_cut_only_where_it_has_to_be(listed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cut = re.search(r"^  smoke +(.+)$", listed("suites"), re.M)[1]
    assert cut.endswith(" ...") and summaries()["smoke"].startswith(cut.removesuffix(" ..."))
    monkeypatch.setenv("COLUMNS", "200")
    assert summaries()["smoke"] in listed("suites")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_alone(listed, kind):
    out = listed(kind)
    assert [other for other in KINDS if f"{other}:" in out] == [kind]
    assert all(f"  {name} " in out for name in NAMES[kind])


@pytest.mark.parametrize("name", LEARNERS)
def test_everything_about_a_learner(listed, name):
    x = LEARNERS[name]
    out = on_one_line(listed(name))
    for part in (x.summary, x.learns, str(x.cost), str(x.memory), x.source, x.path):
        assert on_one_line(part) in out
    for parameter, default in constructor_parameters(x.path).items():
        assert f"{parameter} = {on_one_line(default)}" in out
    assert (" sets " in out.partition(" parameters ")[0]) == bool(x.parameters)


def test_a_learner_is_listed_with_what_its_name_sets(listed):
    assert "sets rounds = 2 " in on_one_line(listed("layerwise_cycling"))
    assert "sets correction = 1 " in on_one_line(listed("bfc1"))


@pytest.mark.parametrize("name", FAMILIES)
def test_everything_about_a_target(listed, name):
    family = FAMILIES[name]
    out = on_one_line(listed(name))
    for part in (family.summary, family.formula, family.source, family.path, *family.refused_inputs.values()):
        assert on_one_line(part) in out
    assert f"degree {family.degree}" in out
    assert ("parameters that every target takes as well" in out) == family.modifiers
    for parameter, (_, line) in {**family.parameters, **(MODIFIERS if family.modifiers else {})}.items():
        assert f"{parameter} {on_one_line(line)} (default" in out


def test_the_laws_of_inputs_that_a_target_admits_and_refuses(listed):
    assert "inputs gaussian, mixture, cube, sphere; not hypercube: x_i^2 = 1 there" in on_one_line(
        listed("squares")
    )


def test_everything_about_a_suite(listed):
    suite = load_suite("acceptance")
    out = on_one_line(listed("acceptance"))
    for part in (suite.summary, f"{suite.timeout_seconds:g} s a unit", f"{suite.test.min} points"):
        assert part in out
    for target in suite.targets:
        assert f"target {target.label}: {target.family}" in out
        assert all(f"{key} = {value}" in out for key, value in target.params.items())
    for learner in suite.learners:
        assert f"learner {learner.label}" in out
    for run in suite.runs:
        assert (
            f"run {', '.join(run.learners)} on {', '.join(run.targets)} d {', '.join(map(str, run.d))}" in out
        )
        assert f"at most {run.sizes.max}" in out and f"replicates {len(run.replicates)}" in out
    for bar in suite.bars:
        assert f"n = {bar.n} at most {bar.max:g}" in out


def test_errors_sizes_and_replicates_of_a_suite(listed):
    out = on_one_line(listed("crossed"))
    assert "errors eps = 0.1; eps_rel = 0.1" in out
    assert (
        "sizes 3 from about 60 in steps of 5, at most 2000; brackets of n* narrowed to a ratio of 1.2" in out
    )
    assert "replicates 16: 4 targets x 2 samples x 2 initialisations" in out
    out = on_one_line(listed("smoke"))
    assert "errors eps = 0.3, 0.1; eps_rel = 0.1 " in out
    assert "sizes 4 from about 1.5 d^2 in steps of 2, at most 1000 " in out
    assert "replicates 4, each with its own target, sample and initialisation" in out


def test_a_run_with_test_sets_of_its_own(listed):
    out = on_one_line(listed("real"))
    assert "test sets 4000 points timeout" in out and "test sets 360 points replicates 4" in out


def test_a_suite_of_experiments(listed):
    out = on_one_line(listed("correction"))
    assert "experiment sgd-trace: sgd_trace, rho = 0.5; seed over 1, 2, 3" in out
    assert "test sets" not in out


def test_a_suite_file_of_ones_own(listed, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(known_suites()["smoke"].read_text().replace('name = "smoke"', 'name = "mine"'))
    assert listed(str(path)).startswith("suite mine: seconds:")


def test_a_name_of_two_kinds_gives_both(listed):
    assert "layerwise" in LEARNERS and "layerwise" in known_suites()
    learner, suite = listed("layerwise").split("\n\n")
    assert learner.startswith("learner layerwise: ") and suite.startswith("suite layerwise: ")


def test_a_suite_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "bad.toml").write_text("name = 1\n")
    with pytest.raises(UserError, match=r"bad\.toml"):
        print_list(str(tmp_path / "bad.toml"))
