"""Learners and targets that other packages and one's own modules bring."""

import sys

import pytest
from machinery import ROOT

from hierbench import plugins
from hierbench.errors import UserError
from hierbench.learners import registry
from hierbench.targets import registry as targets


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package on the path whose entry points name a learner and a target."""
    package = tmp_path / "mylab-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[hierbench.learners]\nmy_mean = stub_learners:Mean\nnot a path = stub_learners\n"
        "[hierbench.targets]\nmy_pair = stub_targets:Pair\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()


def test_entry_points_are_found_by_name(installed):
    assert plugins.installed(plugins.LEARNERS) == {"my_mean": "stub_learners:Mean"}
    descriptor = registry.resolve("my_mean")
    assert (descriptor.name, descriptor.path) == ("my_mean", "stub_learners:Mean")
    assert registry.make_learner("my_mean", offset=2.0).offset == 2.0
    assert targets.make_target("my_pair", 5, 0).degree == 2
    with pytest.raises(ValueError, match="did you mean 'my_mean'"):
        registry.resolve("my_meen")
    with pytest.raises(ValueError, match="did you mean 'my_pair'"):
        targets.family("my_pairs")


def test_list_shows_what_is_installed(installed, capsys):
    from hierbench.benchmarks import completion
    from hierbench.benchmarks.commands.listing import print_list

    print_list(None)
    shown = capsys.readouterr().out
    assert "my_mean" in shown and "Mean of stub_learners, by import path" in shown and "my_pair" in shown
    print_list("my_pair")
    assert "gaussian" in capsys.readouterr().out
    assert [name for name, _ in completion.targets("my_")] == ["my_pair"]


def test_a_name_of_ours_stays_ours(monkeypatch):
    monkeypatch.setattr(plugins, "installed", lambda group: {"krr_rbf": "stub_learners:Mean"})
    assert registry.resolve("krr_rbf").path.startswith("hierbench.learners.")


def test_an_installed_learner_is_run_by_its_name(installed):
    from hierbench.benchmarks.suites.choices import choose
    from hierbench.benchmarks.suites.plan import make_plan
    from hierbench.benchmarks.suites.suite_file import load_suite

    plan = make_plan(choose(load_suite("smoke"), ["my_mean"])[0])
    assert {u.learner for u in plan.curves} == {"my_mean"} and all(u.is_foreign for u in plan.curves)
    with pytest.raises(UserError, match="did you mean 'my_mean'"):
        choose(load_suite("smoke"), ["my_mea"])


def test_a_target_by_import_path():
    spec = targets.family("stub_targets:Pair")
    assert dict(spec.parameters) == {"inputs": ("gaussian", spec.parameters["inputs"][1])}
    assert targets.make_target("stub_targets:Pair", 5, 0, inputs="cube").law.name == "cube"
    with pytest.raises(ValueError, match="unknown parameter of stub_targets:Pair 'inptus': did you mean"):
        targets.make_target("stub_targets:Pair", 5, 0, inptus="cube")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere:Pair", "module 'nowhere' of a target cannot be read"),
        ("stub_targets:Pear", "allowed is a class that the source"),
        ("math:sqrt", "cannot be read"),
        ("pair", "the import path of a class of targets"),
        (":Pair", "unknown target family"),
        ("stub_targets:Pair:x", "unknown target family"),
    ],
)
def test_what_is_no_target_is_one_line(name, says):
    with pytest.raises(ValueError, match=says) as error:
        targets.family(name)
    assert "\n" not in str(error.value)


def test_a_module_that_fails_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_target.py").write_text("class T:\n    a: int = 1\nraise RuntimeError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="cannot import target 'broken_target:T': RuntimeError: no"):
        targets.make_target("broken_target:T", 4, 0)
    assert "broken_target" not in sys.modules


TARGET = """
import dataclasses
import numpy as np
from own_weight import WEIGHT
from hierbench.targets.polynomials.monomials import MonomialTarget

@dataclasses.dataclass(frozen=True)
class Pair(MonomialTarget):
    d: int
    seed: int
    inputs: str = "gaussian"

    monomials = property(lambda self: (((WEIGHT, ((0, 1), (1, 1))),),))
    n_forms = property(lambda self: 2)
    directions = property(lambda self: np.eye(2, self.d))
"""


FORMS = {
    "relative": ("from .base import Mine\n\nclass T(Mine):\n    extra: int = 1\n", {"inputs", "extra"}),
    "alias": ("from stub_targets import Pair as P\nclass T(P):\n    extra: int = 1\n", {"inputs", "extra"}),
    "module": ("import stub_targets as s\nclass T(s.Pair):\n    extra: int = 1\n", {"inputs", "extra"}),
    "public": (
        "from hierbench.targets import Staircase\nclass T(Staircase): pass\n",
        {"levels", "leap", "inputs"},
    ),
    "computed": (
        "import math\nfrom stub_targets import Pair\nclass T(Pair):\n    s: float = math.pi\n",
        {"s"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_parameters_are_read_however_the_base_is_imported(form, tmp_path, monkeypatch):
    text, names = FORMS[form]
    package = tmp_path / f"own_{form}"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('nobody imports this to read a source')\n")
    (package / "base.py").write_text("from stub_targets import Pair as Mine\n")
    (package / "t.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert names <= set(targets.family(f"own_{form}.t:T").parameters)


@pytest.mark.parametrize("error", ["RuntimeError('a\\nb')", "KeyError('x')"])
def test_a_target_that_cannot_be_made_is_one_line(error, tmp_path, monkeypatch):
    name = f"own_{error[:3].lower()}"
    (tmp_path / f"{name}.py").write_text(
        "import dataclasses\nfrom stub_targets import Pair\n@dataclasses.dataclass(frozen=True)\n"
        f"class T(Pair):\n    def __post_init__(self):\n        raise {error}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="cannot be made") as caught:
        targets.make_target(f"{name}:T", 4, 0)
    assert "\n" not in str(caught.value)


def test_what_is_stored_is_known_by_the_path_behind_a_name(installed, monkeypatch):
    from hierbench.benchmarks.commands.check_target import small_suite
    from hierbench.benchmarks.suites.choices import choose
    from hierbench.benchmarks.suites.suite_file import load_suite

    (entry,) = (e for e in choose(load_suite("smoke"), ["my_mean"])[0].learners if e.label == "my_mean")
    assert entry.learner == "stub_learners:Mean"
    assert {t.family for t in small_suite("my_pair", {}).targets} == {"stub_targets:Pair"}


def test_numbers_of_a_target_by_import_path_depend_on_its_source_and_on_what_it_imports(
    tmp_path, monkeypatch
):
    from hierbench.benchmarks.provenance import fingerprint
    from hierbench.benchmarks.suites.plan import make_plan
    from hierbench.benchmarks.suites.suite_file import load_suite

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_target.py").write_text(TARGET)
    suite = (ROOT / "benchmarks" / "suites" / "smoke.toml").read_text()
    changed = suite.replace(
        'family = "squares"\nparams = {depth = 2, width = 2}', 'family = "own_target:Pair"'
    )
    assert changed != suite
    (tmp_path / "own.toml").write_text(changed)

    def keys(weight, comment=""):
        (tmp_path / "own_weight.py").write_text(f"WEIGHT = {weight}{comment}\n")
        fingerprint.forget()
        plan = make_plan(load_suite(str(tmp_path / "own.toml")))
        return {u.key for u in (*plan.curves, *plan.certificates)}

    first = keys(1.0)
    assert keys(1.0, "  # said") == first
    assert not keys(-1.0) & first
    (tmp_path / "own_target.py").write_text(TARGET.replace("(0, 1)", "(0, 2)"))
    assert not keys(1.0) & first
