"""The static registry against the classes it describes."""

import dataclasses
import subprocess
import sys

import pytest

from hierbench import targets
from hierbench.targets.base import Target
from hierbench.targets.registry import FAMILIES, load_family, make_target

BUILT = [name for name, spec in FAMILIES.items() if spec.modifiers]
"""Families that are not made of data, which fix their dimension: those have tests in tests/targets/data."""


@pytest.mark.parametrize("name", FAMILIES)
def test_static_parameters_are_the_fields_and_defaults_of_the_class(name):
    fields = dataclasses.fields(load_family(name))
    assert [f.name for f in fields[:2]] == ["d", "seed"]
    assert [(f.name, f.default) for f in fields[2:]] == [
        (key, default) for key, (default, _) in FAMILIES[name].parameters.items()
    ]


@pytest.mark.parametrize("name", BUILT)
def test_a_parameter_is_declared_once_and_shown_from_there(name, capsys):
    """With its one line below the field: the docstring of the class does not say it again."""
    from hierbench.benchmarks.commands.describe import print_certificate

    for definition in load_family(name).__mro__[:-1]:
        assert "Parameters\n" not in (definition.__doc__ or "")
    print_certificate(name, 8, [], 0)
    shown = " ".join(capsys.readouterr().out.split())
    for key, (_, line) in FAMILIES[name].parameters.items():
        assert line and "\n" not in line
        assert f"{key} {line} (default" in shown, key


@pytest.mark.parametrize("name", FAMILIES)
def test_descriptors_are_complete_and_classes_are_targets(name):
    spec = FAMILIES[name]
    assert spec.name == name
    assert all([spec.summary, spec.formula, spec.source, spec.degree])
    assert all(line for _, line in spec.parameters.values())
    assert issubclass(load_family(name), Target)
    assert name not in BUILT or isinstance(make_target(name, 8, 0), load_family(name))


def test_importing_the_registry_imports_no_numerics():
    """Listing targets answers at once."""
    code = (
        "import sys, hierbench.targets.registry\n"
        "heavy = {'numpy', 'scipy', 'torch', 'jax', 'hierbench.targets.base'}\n"
        "heavy |= {'hierbench.targets.quadratic.hierarchy'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_public_names_of_the_package_are_loaded_at_first_use():
    code = (
        "import sys, targets\n"
        "names = dir(targets)\n"
        "heavy = {'numpy', 'scipy', 'hierbench.targets.base'} & set(sys.modules)\n"
        "assert not heavy, f'imported {sorted(heavy)}'\n"
        "from hierbench.targets import Certificate, Projected, Squares, Target, make_target\n"
        "assert issubclass(Projected, Target) and type(make_target('squares', 8, 0)) is Squares\n"
        "assert {'Certificate', 'Projected', 'Squares', 'Target', 'make_target'} <= set(names)\n"
        "assert all(getattr(targets, name) is not None for name in names)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'Projekted'"):
        targets.Projekted  # noqa: B018


def test_targets_know_neither_learners_nor_the_runner():
    code = (
        "import sys\n"
        "from hierbench.targets.registry import FAMILIES, load_family\n"
        "[load_family(name) for name in FAMILIES]\n"
        "others = {'hierbench.learners', 'hierbench.benchmarks', 'hierbench.plots', 'torch', 'jax'}\n"
        "seen = others & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(seen)}' if seen else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("sqares", {}, "did you mean 'squares'"),
        ("squares", {"alfa": 0.1}, "did you mean 'alpha'"),
        ("projected", {"rotated": True}, "unknown parameter of projected 'rotated'"),
        ("projected", {"width": 0}, "target projected: width = 0"),
        ("squares", {"depth": 3, "width": 5}, "d = 8: allowed are integers from 10, twice the width"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(name, params, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_target(name, 8, 0, **params)
    assert "\n" not in str(caught.value)


def test_what_can_be_built_is_accepted():
    for name in BUILT:
        make_target(name, 8, 0, **{key: default for key, (default, _) in FAMILIES[name].parameters.items()})
    make_target("projected", 8, 0, skips=[[0, 1]], width="sqrt")
