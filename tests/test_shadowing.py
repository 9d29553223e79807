"""Nothing in a working directory or in PYTHONPATH is taken for one of our packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from strangers import NAMES, ROOT, fill, run

COMMAND = Path(sys.executable).with_name("hierbench")
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
    assert "krr_rbf" in run(COMMAND, "list", "learners", **place)


@pytest.mark.slow
def test_rows_are_computed_and_stay_current_beside_strangers(kind, tmp_path):
    fill(tmp_path, kind)
    beside = {"cwd": tmp_path, "path": tmp_path}
    smoke = ("smoke", "--results", tmp_path / "results")
    run(COMMAND, "run", *smoke, "--learner", "ridge", "--d", "4", "--workers", "1", **beside)
    status = run(COMMAND, "status", *smoke, **beside)
    assert status == run(COMMAND, "status", *smoke, cwd=ROOT)
    assert "ridge on squares-L2, d = 4: 1 done" in status and "stale" not in status
