"""Build backend: setuptools', and two files more in every wheel, so that nothing shadows ``hierbench``.

Python asks the finders in ``sys.meta_path`` one after another, and its own walk over ``sys.path``
comes before the finder of an editable install of setuptools: any folder called ``hierbench`` in the
working directory, the parent of a checkout say, then hides this package, and a package of that name
in PYTHONPATH hides an ordinary installation as well. The line of ``hierbench.pth`` runs when the
interpreter starts and puts a finder of this one name before all others. An editable install gets it
with the places of the checkout, instead of the finder of setuptools.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  the hooks that stay as they are

ROOT = Path(__file__).resolve().parents[2]
FINDER = Path(__file__).with_name("hierbench_first.py")


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    # setuptools would put modules in the wheel that an earlier build left there and a move took away.
    """PEP 517 hook: the wheel of setuptools, with the finder."""
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return _with_finder(Path(wheel_directory, name), FINDER.read_text())


def build_editable(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """PEP 660 hook: the editable wheel of setuptools, with the finder in place of its own."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    # Two places: hierbench.errors is in the first, the four folders are in the second.
    places = (str(ROOT / "benchmarks" / "package"), str(ROOT))
    source = f"{FINDER.read_text()}\nFinder.places = {places!a}\n"
    return _with_finder(Path(wheel_directory, name), source)


def _with_finder(wheel: Path, source: str) -> str:
    """Write the wheel anew with the finder, and with a RECORD that says so; its name."""
    with zipfile.ZipFile(wheel) as archive:
        files = [(entry, archive.read(entry)) for entry in archive.infolist()]
    files = [(entry, data) for entry, data in files if not entry.filename.startswith("__editable__")]
    (record,) = (entry for entry, _ in files if entry.filename.endswith(".dist-info/RECORD"))
    files = [(entry, data) for entry, data in files if entry is not record]
    # Underscored, as nobody's module is called; dated like the rest, so that builds are alike.
    for name, text in (("_hierbench_first.py", source), ("hierbench.pth", "import _hierbench_first\n")):
        files.append((zipfile.ZipInfo(name, record.date_time), text.encode()))
    lines = [f"{entry.filename},{_digest(data)},{len(data)}" for entry, data in files]
    files.append((record, "\n".join([*lines, f"{record.filename},,", ""]).encode()))
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in files:
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return wheel.name


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
