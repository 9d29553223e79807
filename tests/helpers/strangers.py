"""What the tests of packaging share: strangers that are called as we are, and a call beside them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
# Also what the four packages would be called without the prefix.
NAMES = ("hierbench", "benchmarks", "learners", "plots", "targets")


def fill(folder: Path, kind: str) -> None:
    """Make a folder, package or module of each of our names; the last two fail if imported."""
    for name in NAMES:
        fill_one(folder, name, kind)


def fill_one(folder: Path, name: str, kind: str) -> None:
    """Make a folder, package or module of one name."""
    if kind == "module":
        (folder / f"{name}.py").write_text("raise RuntimeError('a stranger')\n")
        return
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
