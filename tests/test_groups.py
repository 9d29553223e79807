"""Tests that share a fixture of their module run in one worker of pytest-xdist, so that it is made once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import os
import pytest

@pytest.fixture(scope="module")
def made(request):
    with open("made", "a") as file:
        file.write(f"{os.getpid()}\\n")

@pytest.mark.parametrize("k", range(6))
def test_it(made, k):
    pass
"""


@pytest.mark.slow
def test_a_fixture_of_a_module_is_made_once(tmp_path):
    """What pytest 9.2 breaks in pytest-xdist 3.8 without a word."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_one.py").write_text(MODULE)
    options = ["-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=tmp_path, env=own, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len((tmp_path / "made").read_text().split()) == 1
