"""What a process has loaded: sources without a version, installed distributions, files beside them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import sysconfig
import tempfile
import threading
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
        self._read: dict[str, tuple[str, tuple[int, int]]] = {}
        self._written: set[str] = set()
        self._busy = threading.local()
        self._watches = self._of_targets = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch until the end of the block what is opened on behalf of sources that are not ours."""
        if not hasattr(self, "_aside"):
            self.watch()
        self._watches = self._of_targets = True
        try:
            yield
        finally:
            self._watches = False

    def watch(self) -> None:
        """Begin; the end is that of the process."""
        paths = (sysconfig.get_path(p) for p in ("stdlib", "platstdlib", "purelib", "platlib"))
        compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR") or "/proc"
        system = ("/proc", "/sys", "/dev", "/etc", "/usr/share", "/usr/lib")
        self._aside = _OURS + tuple(
            os.path.realpath(p) + os.sep for p in {*paths, sys.prefix, sys.base_prefix, compiled, *system}
        )
        self._watches = True
        sys.addaudithook(self._hear)

    def digests(self) -> dict[str, str]:
        """Content, as sha256, by path; without what this process has changed after reading it."""
        imported = {os.path.realpath(path) for path in list(loaded.texts())}
        return {
            path: content
            for path, (content, _) in list(self._read.items())
            if os.path.realpath(path) not in imported
            and not (path in self._written and _digest(path) != content)
        }

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event != "open" or not self._watches or getattr(self._busy, "now", False):
            return
        self._busy.now = True  # what follows opens files too
        try:
            self._note(details)
        except Exception:  # of whatever kind: the file is not ours to refuse
            pass
        finally:
            self._busy.now = False

    def _note(self, details: tuple[Any, ...]) -> None:
        file, mode, flags = details
        if isinstance(file, int):
            return
        path = os.path.abspath(os.fsdecode(file))
        real = os.path.realpath(path)
        sources = list(loaded.texts())
        if real.startswith(self._aside) or (self._of_targets and not _asked_by_others(sources)):
            return
        temporary = real.startswith(os.path.realpath(tempfile.gettempdir()) + os.sep)
        beside = (os.path.dirname(os.path.realpath(source)) + os.sep for source in sources)
        if temporary and not real.startswith(tuple(beside)):
            return
        of_its_own = path in self._written
        anew = any(m in (mode or "") for m in "wax")
        if anew or "+" in (mode or "") or (flags or 0) & (os.O_WRONLY | os.O_RDWR):
            self._written.add(path)
        if anew or path.endswith(".pyc") or not os.path.isfile(path):
            return
        about = os.stat(path)
        seen = about.st_mtime_ns, about.st_size
        known = self._read.get(path)
        if known is None and of_its_own:
            return
        if (known is None and len(self._read) < MOST_FILES) or (known is not None and known[1] != seen):
            self._read[path] = _digest(path), seen


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _asked_by_others(sources: Iterable[str]) -> bool:
    """Whether one of these sources that is not ours is among the callers."""
    others = {path for path in sources if not os.path.realpath(path).startswith(_OURS)}
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename in others:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
