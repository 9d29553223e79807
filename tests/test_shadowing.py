"""Nothing in a working directory or in PYTHONPATH is taken for one of our packages."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from strangers import NAMES, ROOT, fill, fill_one, run

SCRIPT = Path(sys.executable).with_name("hierbench")
ENTRY = "from hierbench.benchmarks.entry import main; main()"
# what is in that script, where it has not been installed
COMMAND = (
    [SCRIPT]
    if SCRIPT.is_file()
    else [sys.executable, "-P", "-c", "from hierbench.benchmarks.entry import main; main()"]
)
HOMES = {"hierbench": ROOT / "benchmarks" / "package"} | {f"hierbench.{n}": ROOT / n for n in NAMES[1:]}
IMPORTS = f"""
import importlib
for name in {list(HOMES)}:
    print(importlib.import_module(name).__file__)
"""
# pkgutil's function, since a worker does not see those of a program given by -c.
WORKER = f"""
import multiprocessing, pkgutil
with multiprocessing.get_context("spawn").Pool(1) as pool:
    for name in {list(HOMES)}:
        print(pool.apply(pkgutil.resolve_name, (name + ":__file__",)))
"""


@pytest.fixture(params=["folder", "package", "module"])
def kind(request):
    return request.param


@pytest.fixture(params=["working directory", "PYTHONPATH"])
def place(request, kind, tmp_path):
    """Where to call from: strangers of our names are there, or in PYTHONPATH."""
    strangers, empty = tmp_path / "strangers", tmp_path / "empty"
    strangers.mkdir()
    empty.mkdir()
    fill(strangers, kind)
    return {"cwd": strangers} if request.param == "working directory" else {"cwd": empty, "path": strangers}


@pytest.mark.parametrize("program", [IMPORTS, WORKER], ids=["python", "spawned worker"])
def test_what_is_imported_is_ours(place, program):
    files = [str(home / "__init__.py") for home in HOMES.values()]
    assert run(sys.executable, "-c", program, **place).splitlines() == files


def test_the_command_is_ours(place):
    assert "krr_rbf" in run(*COMMAND, "list", "learners", **place)


@pytest.mark.slow
def test_rows_are_computed_and_stay_current_beside_strangers(kind, tmp_path):
    fill(tmp_path, kind)
    beside = {"cwd": tmp_path, "path": tmp_path}
    smoke = ("smoke", "--results", tmp_path / "results")
    run(*COMMAND, "run", *smoke, "--learner", "ridge", "--d", "4", "--workers", "1", "--no-figures", **beside)
    status = run(*COMMAND, "status", *smoke, **beside)
    assert status == run(*COMMAND, "status", *smoke, cwd=ROOT)
    assert "ridge on squares-L2, d = 4: 1 done" in status and "stale" not in status


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_one_stranger_alone_is_not_taken_either(name, kind, tmp_path):
    """As above with one name at a time: another stranger might hide that this one gets in."""
    strangers, empty = tmp_path / "strangers", tmp_path / "empty"
    strangers.mkdir()
    empty.mkdir()
    fill_one(strangers, name, kind)
    files = [str(home / "__init__.py") for home in HOMES.values()]
    for place in ({"cwd": strangers}, {"cwd": empty, "path": strangers}):
        assert run(sys.executable, "-c", IMPORTS, **place).splitlines() == files
        assert "krr_rbf" in run(*COMMAND, "list", "learners", **place)


@pytest.fixture(scope="module")
def other_checkout(tmp_path_factory):
    """A checkout in a folder called hierbench, as a clone is, whose every learner and target fails."""
    other = tmp_path_factory.mktemp("clones") / "hierbench"
    for name in NAMES[1:]:
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", other)
    for source in [*(other / "learners").rglob("*.py"), *(other / "targets").rglob("*.py")]:
        source.write_text("raise RuntimeError('of the other checkout')\n")
    return other


@pytest.mark.slow
@pytest.mark.parametrize("inside", ["parent", "checkout", "benchmarks", "its path", "its parent's path"])
def test_inside_another_checkout_our_code_runs_and_its_rows_are_current(inside, other_checkout, tmp_path):
    places = {
        "parent": {"cwd": other_checkout.parent},
        "checkout": {"cwd": other_checkout},
        "benchmarks": {"cwd": other_checkout / "benchmarks"},
        "its path": {"cwd": tmp_path, "path": other_checkout},
        "its parent's path": {"cwd": tmp_path, "path": other_checkout.parent},
    }
    smoke = ("smoke", "--results", tmp_path / "results")
    run(*COMMAND, "run", *smoke, "--learner", "krr_rbf", "--d", "4", "--no-figures", **places[inside])
    assert "krr_rbf on squares-L2, d = 4: 1 done" in run(*COMMAND, "status", *smoke, cwd=ROOT)
