"""What a process has loaded: sources without a version, installed distributions, files beside them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hierbench import benchmarks, learners, plots, targets
from hierbench.benchmarks.provenance import loaded

MOST_FILES = 1000
_OURS = tuple(
    os.path.realpath(folder) + os.sep for p in (benchmarks, learners, plots, targets) for folder in p.__path__
)


def sources() -> dict[str, str]:
    """Text of every module that no version stands for, by path; one that is no text is left out."""
    return {path: text.decode("utf-8", "surrogateescape") for path, text in loaded.texts().items()}


def distributions() -> dict[str, str]:
    """Version of every installed distribution that a loaded module belongs to."""
    tops = {name.partition(".")[0] for name in list(sys.modules)}
    by_package = importlib.metadata.packages_distributions()
    names = {d for top in tops for d in by_package.get(top, ())}
    return {name: importlib.metadata.version(name) for name in sorted(names) if name != "hierbench"}


def unnamed(texts: Mapping[str, bytes], followed: Iterable[Path]) -> dict[str, str]:
    """Sha256 by path of sources that are loaded, neither ours nor found by following imports.

    Parameters
    ----------
    texts : mapping
        Text of what is loaded, by path.
    followed : iterable of Path
        Sources that are in the key.
    """
    known = {os.path.realpath(path) for path in followed}
    by_path = {os.path.realpath(path): text for path, text in texts.items()}
    return {
        path: hashlib.sha256(text).hexdigest()
        for path, text in by_path.items()
        if path not in known and not path.startswith(_OURS)
    }


class Files:
    """Files that are opened for reading, with what they held when they were first opened.

    Left out: what a distribution installs, sources that are imported (see ``sources``), what this process
    wrote before, what the system makes up (``/proc``), what jax has compiled, and temporary files unless they
    lie beside a source.
    """

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._written: set[str] = set()
        self._watches = self._busy = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch until the end of the block."""
        if not hasattr(self, "_aside"):
            self.watch()
        self._watches = True
        try:
            yield
        finally:
            self._watches = False

    def watch(self) -> None:
        """Begin; the end is that of the process."""
        paths = (sysconfig.get_path(p) for p in ("stdlib", "platstdlib", "purelib", "platlib"))
        compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR", "/proc")
        self._aside = _OURS + tuple(
            os.path.realpath(p) + os.sep
            for p in {*paths, sys.prefix, sys.base_prefix, compiled, "/proc", "/sys", "/dev", "/etc"}
        )
        self._watches = True
        sys.addaudithook(self._hear)

    def digests(self) -> dict[str, str]:
        """Content, as sha256, by path."""
        imported = {os.path.realpath(path) for path in loaded.texts()}
        return {path: content for path, content in self._digests.items() if path not in imported}

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event != "open" or self._busy or not self._watches:
            return
        self._busy = True  # what follows opens files too
        try:
            self._note(details)
        except (OSError, ValueError, TypeError):
            pass
        finally:
            self._busy = False

    def _note(self, details: tuple[Any, ...]) -> None:
        file, mode, flags = details
        if isinstance(file, int):
            return
        path = os.path.realpath(os.fsdecode(file))
        if path in self._digests or path in self._written or path.startswith(self._aside):
            return
        temporary = path.startswith(os.path.realpath(tempfile.gettempdir()) + os.sep)
        if temporary and not any(path.startswith(os.path.dirname(s) + os.sep) for s in loaded.texts()):
            return
        writes = any(m in (mode or "") for m in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
        if writes:
            self._written.add(path)
        elif not path.endswith(".pyc") and os.path.isfile(path) and len(self._digests) < MOST_FILES:
            with open(path, "rb") as stream:
                self._digests[path] = hashlib.file_digest(stream, "sha256").hexdigest()
