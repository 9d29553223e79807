"""Nothing in a working directory or in PYTHONPATH is taken for one of our packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("hierbench")
# Also what the four packages would be called without the prefix.
NAMES = ("hierbench", "benchmarks", "learners", "plots", "targets")
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


def fill(folder: Path, kind: str) -> None:
    """Make a folder, package or module of each of our names; the last two fail if imported."""
    for name in NAMES:
        if kind == "module":
            (folder / f"{name}.py").write_text("raise RuntimeError('a stranger')\n")
            continue
        (folder / name).mkdir()
        if kind == "package":
            (folder / name / "__init__.py").write_text("raise RuntimeError('a stranger')\n")


def run(*command: object, cwd: Path, path: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path:
        environment["PYTHONPATH"] = str(path)
    ended = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


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
