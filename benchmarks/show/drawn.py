"""Which figures and tables there are, and of what: those that would come out the same are not made again."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hierbench import plots, targets
from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.files import replace_file
from hierbench.learners import catalogue

NAME = ".drawn.json"
_CODE = (Path(__file__).parents[1], *(Path(str(m.__file__)).parent for m in (plots, targets, catalogue)))
_LIBRARIES = ("matplotlib", "numpy", "rich", "scipy")


def state_of(*data: Any) -> str:
    """Digest of what is shown: data, by their ``repr``, code, style and library versions."""
    files = sorted(
        path for folder in _CODE for path in folder.rglob("*") if path.suffix in (".py", ".mplstyle")
    )
    versions = [importlib.metadata.version(name) for name in _LIBRARIES]
    return digest([[_hash(path) for path in files], versions, [repr(part) for part in data]])


def unchanged(folder: Path, state: str) -> list[Path]:
    """Figures that were drawn of ``state`` and are as they were; empty unless all are."""
    try:
        kept = json.loads((folder / NAME).read_text())
        if kept["state"] != state:
            return []
        paths = [folder / name for name in kept["files"]]
        return paths if [_hash(path) for path in paths] == list(kept["files"].values()) else []
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return []


def keep(folder: Path, state: str, paths: Sequence[Path]) -> None:
    """Remember what was drawn of ``state``; what was drawn before, is as it was and is no more goes."""
    for path in _before(folder).difference(paths):
        path.unlink(missing_ok=True)
    files = {str(path.relative_to(folder)): _hash(path) for path in paths}
    replace_file(folder / NAME, json.dumps({"state": state, "files": files}, indent=1).encode())


def _before(folder: Path) -> set[Path]:
    """Figures that were drawn here and that nobody has changed since."""
    try:
        kept = json.loads((folder / NAME).read_text())["files"]
        there = {folder / name: digest for name, digest in kept.items() if (folder / name).is_file()}
        return {path for path, digest in there.items() if _hash(path) == digest}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return set()


def text_of(path: Path, state: str) -> str | None:
    """Return the text that was made of ``state``; None if there is none."""
    try:
        kept = json.loads(path.read_text())
        return str(kept["text"]) if kept["state"] == state else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


def keep_text(path: Path, state: str, text: str) -> None:
    """Remember the text that was made of ``state``, where that is possible."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"state": state, "text": text}).encode())


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
