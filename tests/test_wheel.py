"""What is built: a wheel holds all code and data, works alone, and leaves nothing behind."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from strangers import NAMES, ROOT, fill, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
UNPACKAGED = {ROOT / "benchmarks" / name for name in ("packaging", "speed")}
FINDER = {"_hierbench_first.py", "hierbench.pth"}
WHERE = "import hierbench.learners as l; print(l.__file__)"


def homes() -> dict[str, Path]:
    """Folder of each declared package: the longest prefix that is mapped, and the rest below it."""
    found = {}
    for package in PROJECT["packages"]:
        prefix = max((p for p in PROJECT["package-dir"] if f"{package}.".startswith(f"{p}.")), key=len)
        rest = package.removeprefix(prefix).strip(".").split(".")
        found[package] = ROOT.joinpath(PROJECT["package-dir"][prefix], *rest)
    return found


def is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and path.name[0] != "."


def test_every_folder_of_code_is_declared():
    code = {path.parent for name in NAMES[1:] for path in (ROOT / name).rglob("*.py")}
    assert sorted(homes().values()) == sorted(code - UNPACKAGED)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the sources, in a folder called hierbench as a clone is; an older build left a file."""
    copy = tmp_path_factory.mktemp("parent") / "hierbench"
    for name in NAMES[1:]:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, copy)
    stale = copy / "build" / "lib" / "hierbench" / "benchmarks" / "moved_away.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    return copy


def pip(*arguments: object) -> None:
    # No network, and nothing of the user's configuration of pip.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", *map(str, arguments)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def wheel(checkout):
    folder = checkout.parent / "wheels"
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", folder, checkout)
    (built,) = folder.iterdir()
    return built


def environment(folder: Path) -> Path:
    """An environment without pip; its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=300)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    return site_packages


def see_dependencies(site_packages: Path) -> None:
    # As plain entries of the path: the hierbench that is installed there is not activated.
    installed = [path for path in sys.path if path.endswith("-packages")]
    (site_packages / "zz_dependencies.pth").write_text("\n".join(installed))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Folder of the commands of an environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("environment")
    site_packages = environment(folder)
    pip("--python", folder / "bin" / "python", "install", "--no-index", "--no-deps", wheel)
    see_dependencies(site_packages)
    return folder / "bin"


@pytest.mark.slow
def test_a_wheel_holds_all_code_and_data_and_nothing_more(wheel):
    expected = set(FINDER)
    for package, folder in homes().items():
        expected |= {
            f"{package.replace('.', '/')}/{path.name}" for path in folder.iterdir() if is_source(path)
        }
    # Data may be in folders that are no packages: suites, baselines.
    packaged = {*homes().values(), *UNPACKAGED}
    for name in NAMES[1:]:
        for path in filter(is_source, (ROOT / name).rglob("*")):
            if path.parent not in packaged:
                expected.add(f"hierbench/{path.relative_to(ROOT)}")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == expected


@pytest.mark.slow
def test_the_record_of_a_wheel_is_right(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        lines = {
            name: (digest, size) for name, digest, size in csv.reader(archive.read(record).decode().split())
        }
        assert set(lines) == set(archive.namelist()) and lines.pop(record) == ("", "")
        for name, (digest, size) in lines.items():
            content = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(content))), name


@pytest.mark.slow
def test_a_wheel_works_from_an_empty_folder(installed, tmp_path):
    assert "krr_rbf" in run(installed / "hierbench", "list", cwd=tmp_path)
    assert "error: hierbench table smoke" in run(installed / "hierbench", "run", "smoke", cwd=tmp_path)
    assert list(tmp_path.glob("results/**/*.pdf"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "package", "module"])
def test_a_wheel_works_beside_strangers(installed, tmp_path, kind):
    fill(tmp_path, kind)
    assert "krr_rbf" in run(installed / "hierbench", "list", cwd=tmp_path, path=tmp_path)
    home = run(installed / "python", "-c", WHERE, cwd=tmp_path, path=tmp_path)
    assert Path(home.strip()).is_relative_to(installed.parent)
    if kind == "folder":
        command = ("run", "smoke", "--learner", "ridge", "--d", "4")
        run(installed / "hierbench", *command, cwd=tmp_path, path=tmp_path)
        assert list(tmp_path.glob("results/**/*.pdf"))


@pytest.mark.slow
def test_two_checkouts_each_run_their_own_code(checkout, tmp_path):
    site_packages = environment(tmp_path)
    see_dependencies(site_packages)
    before = sorted(site_packages.iterdir())
    python = tmp_path / "bin" / "python"
    pip("--python", python, "install", "--no-index", "--no-deps", "--no-build-isolation", "-e", checkout)
    for cwd in (checkout.parent, checkout, ROOT):  # in the first, the checkout is a folder "hierbench"
        assert run(python, "-c", WHERE, cwd=cwd) == f"{checkout / 'learners' / '__init__.py'}\n"
        assert run(sys.executable, "-c", WHERE, cwd=cwd) == f"{ROOT / 'learners' / '__init__.py'}\n"
    pip("--python", python, "uninstall", "-y", "hierbench")
    assert sorted(site_packages.iterdir()) == before
