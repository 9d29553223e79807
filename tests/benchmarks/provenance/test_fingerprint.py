"""An edit of code never silently reuses a stale row; an edit of a comment or docstring does."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path

import pytest

from hierbench.benchmarks.provenance import fingerprint as fp
from hierbench.benchmarks.provenance import modules
from hierbench.benchmarks.suites.plan import key_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A researcher's package of three modules, the third imported inside a function."""
    folder = tmp_path / "mylab"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "learner.py").write_text(
        '"""Docs."""\nfrom mylab import engine\nimport scipy\n\n\ndef f():\n    """Docs."""\n'
        "    from .deep import g\n\n    return engine.x + g()\n"
    )
    (folder / "engine.py").write_text("x = 1  # one\n")
    (folder / "deep.py").write_text("import json\n\n\ndef g():\n    return 2\n")
    (folder / "unrelated.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    fp.forget()
    yield folder
    fp.forget()


def code() -> str:
    fp.forget()
    return fp.fingerprint("mylab.learner")[0]


def test_each_package_name_resolves_to_this_checkout():
    homes = {"hierbench": "benchmarks/package"}
    for name in (
        "hierbench",
        *(f"hierbench.{top}" for top in ("benchmarks", "learners", "plots", "targets")),
    ):
        home = ROOT / homes.get(name, name.rpartition(".")[2])
        found = modules.source_of(name)
        assert found is not None and found.resolve().parent == home
        assert Path(importlib.import_module(name).__file__).resolve().parent == home


@pytest.mark.parametrize("module", ["learner", "engine", "deep", "__init__"])
def test_editing_code_changes_it(package, module):
    before = code()
    path = package / f"{module}.py"
    path.write_text(path.read_text() + "\nz = 3\n")
    assert code() != before


def test_editing_docstrings_comments_and_layout_does_not(package):
    before = code()
    path = package / "learner.py"
    path.write_text(
        '"""Other docs."""\n# A comment.\nfrom mylab import engine\nimport scipy\n\ndef f():\n'
        '    """Longer\n    docs."""\n    from .deep import g\n    return (engine.x +\n            g())\n'
    )
    (package / "engine.py").write_text('x = 1\n"""About x."""\n')
    assert code() == before


def test_editing_a_module_that_is_not_imported_does_not(package):
    before = code()
    (package / "unrelated.py").write_text("y = 2\n")
    assert code() == before


def test_a_changed_string_that_is_no_docstring_counts(package):
    (package / "engine.py").write_text("x = 'a'\n")
    before = code()
    (package / "engine.py").write_text("x = 'b'\n")
    assert code() != before


def test_versions_are_those_of_what_is_imported(package):
    versions = fp.fingerprint("mylab.learner")[1]
    assert set(versions) == {"python", "numpy", "scipy"}


def test_sklearn_learner_is_covered_by_its_version():
    digest, versions = fp.fingerprint("sklearn.linear_model")
    assert "scikit-learn" in versions
    assert digest == fp.digest([])


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_what_is_installed_for_a_user_or_a_system_is_not_ours(tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "installed_there.py").write_text("x = 1\n")
    (tmp_path / "researchers_own.py").write_text("x = 1\n")
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path / folder), str(tmp_path)])
    fp.forget()
    assert not modules.is_ours("installed_there") and modules.is_ours("researchers_own")
    fp.forget()


def test_registries_do_not_count():
    # Adding a learner must not make the rows of the others stale.
    names, _ = fp.closure(["hierbench.benchmarks.units.compute_curves"])
    assert "hierbench.benchmarks.units.metric" in names and "hierbench.targets.base" in names
    assert not {"hierbench.learners.registry", "hierbench.targets.registry"} & set(names)


@pytest.mark.parametrize("kind", ["curves", "certificate"])
@pytest.mark.parametrize("module", ["seeds", "draw"])
def test_the_code_that_draws_counts_for_curves_and_certificates(monkeypatch, kind, module):
    # Other seeds are other targets: a certificate of the old ones must not stand beside the new rows.
    axes = {"kind": kind, "target": {"family": "squares", "parameters": {}}, "d": 8, "index": 0}
    if kind == "curves":
        axes["learner"] = {"name": "stub_learners:Mean", "parameters": {}}
    fp.forget()
    before = key_of(axes)[0]
    edited = ROOT / "benchmarks" / "units" / f"{module}.py"
    read = fp.without_docstrings
    monkeypatch.setattr(fp, "without_docstrings", lambda path: read(path) + "x" * (path.resolve() == edited))
    fp.fingerprint.cache_clear()
    assert key_of(axes)[0] != before
    fp.fingerprint.cache_clear()


@pytest.mark.parametrize("name", sorted(fp.NEUTRAL))
def test_what_is_neutral_exists_and_stays_out_of_closures(name):
    assert modules.source_of(name) is not None
    assert name not in fp.closure(["hierbench.benchmarks.units.compute_curves"])[0]


def test_other_families_do_not_count():
    names, _ = fp.closure(["hierbench.targets.quadratic.projected"])
    assert "hierbench.targets.quadratic.squares" not in names


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("stub_learners:Mean", {"seconds": "0.0", "offset": "0.0", "random_state": "None"}),
        ("stub_learners:Raises", {"seconds": "0.0", "offset": "0.0", "random_state": "None"}),
        ("stub_learners:Missing", None),
        ("no_such_module:Missing", None),
    ],
)
def test_constructor_parameters_are_read_from_the_source(path, expected):
    assert modules.constructor_parameters(path) == expected


def test_constructor_parameters_follow_reexports():
    import inspect

    from sklearn.linear_model import Ridge

    empty = inspect.Parameter.empty
    assert modules.constructor_parameters("sklearn.linear_model:Ridge") == {
        name: "" if p.default is empty else repr(p.default)
        for name, p in inspect.signature(Ridge).parameters.items()
    }


def test_constructor_parameters_without_a_default(tmp_path, monkeypatch):
    (tmp_path / "bare.py").write_text("class It:\n    def __init__(self, a, b=(1, 2), *, c, e=3): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    expected = {"a": "", "b": "(1, 2)", "c": "", "e": "3"}
    assert modules.constructor_parameters("bare:It") == expected


DIAMOND = """
class Root:
    def __init__(self, root=0): ...
class Left(Root): ...
class Right(Root):
    def __init__(self, right=1): ...
class Bottom(Left, Right): ...
class Loop(Loop): ...
"""


def test_constructor_parameters_of_several_bases_are_those_that_python_finds(tmp_path, monkeypatch):
    import inspect

    (tmp_path / "diamond.py").write_text(DIAMOND)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert modules.constructor_parameters("diamond:Bottom") == {"right": "1"}
    assert modules.constructor_parameters("diamond:Loop") is None
    from hierbench.benchmarks.studies import wide_search

    for name, twin in vars(wide_search).items():
        if isinstance(twin, type) and issubclass(twin, wide_search.Wide):
            read = modules.constructor_parameters(f"{wide_search.__name__}:{name}")
            assert list(read or ()) == list(inspect.signature(twin).parameters), name


UNSHOWN = """
import collections
from typing import Generic
class Mixin:
    def __init__(self, mixed=0): ...
class Plain(Generic[int], Mixin): ...
class Dotted(collections.UserDict, Mixin): ...
class BuiltIn(dict, Mixin): ...
class Behind(BuiltIn, Mixin): ...
class Assigned(Mixin):
    __init__ = lambda self, other=1: None
class Conditional(Mixin):
    if True:
        def __init__(self, other=1): ...
class Own(collections.UserDict, Mixin):
    def __init__(self, own=2): ...
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Plain", {"mixed": "0"}),
        ("Own", {"own": "2"}),
        *((name, None) for name in ("Dotted", "BuiltIn", "Behind", "Assigned", "Conditional")),
    ],
)
def test_constructor_parameters_are_not_guessed_past_what_a_source_does_not_show(
    name, expected, tmp_path, monkeypatch
):
    (tmp_path / "unshown.py").write_text(UNSHOWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert modules.constructor_parameters(f"unshown:{name}") == expected


@pytest.mark.parametrize("module", [fp, ast, pytest])
def test_the_canonical_text_is_that_of_ast(module):
    """Of sources with and without strings among their statements."""
    source = inspect.getsource(module)
    bare = ast.parse(source)
    for node in ast.walk(bare):
        if isinstance(body := getattr(node, "body", None), list):
            text = [isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in body]
            strings = [t and isinstance(s.value.value, str) for t, s in zip(text, body, strict=True)]
            node.body = [s for s, string in zip(body, strings, strict=True) if not string]
    empty = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    assert fp.canonical(ast.parse(source)) == ast.dump(bare, annotate_fields=False, **empty)
