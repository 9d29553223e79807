"""The source texts that this process has loaded: what a number was made by, whatever the disk says later."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

_texts: dict[str, bytes] = {}
_records = False


def record() -> None:
    """From now on, keep the source text of every module that is loaded and belongs to no distribution.

    Such a module is compiled from the text that is kept, never from a cached ``.pyc``, so that both are
    the same whatever happens to the file. Of modules that are loaded already the text on disk is taken:
    call this first. A second call changes nothing.
    """
    global _records
    if _records:
        return
    _records = True
    for module in list(sys.modules.values()):
        source = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(source, str) and source.endswith(".py") and _is_watched(source):
            _texts.setdefault(source, Path(source).read_bytes())
    loader = importlib.machinery.SourceFileLoader
    usual = loader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        path = self.get_filename(name)
        if not _is_watched(path):
            return usual(self, name)
        text = self.get_data(path)
        _texts[path] = text
        return self.source_to_code(text, path)

    loader.get_code = get_code  # type: ignore[assignment, method-assign]


def _is_watched(path: str) -> bool:
    folders = Path(path).parts
    return not {"site-packages", "dist-packages"}.intersection(folders) and not path.startswith(_LIBRARY)


_LIBRARY = str(Path(importlib.machinery.__file__).parents[1])  # of the standard modules


def texts() -> Mapping[str, bytes]:
    """Source text of every recorded module by the path of its file."""
    return _texts


@contextmanager
def also(elsewhere: Mapping[str, bytes]) -> Iterator[None]:
    """Take the texts of another process, which computed for this one, into account."""
    before = dict(_texts)
    _texts.update({path: text for path, text in elsewhere.items() if path not in before})
    try:
        yield
    finally:
        _texts.clear()
        _texts.update(before)


def content(source: Path) -> bytes:
    """Text of a source file: as this process has loaded it, else as the disk has it now."""
    loaded = _texts.get(str(source))
    return source.read_bytes() if loaded is None else loaded


def edited() -> list[Path]:
    """Files whose text on disk is another than the one that was loaded (or that are gone)."""
    return [Path(p) for p, text in _texts.items() if not Path(p).is_file() or Path(p).read_bytes() != text]
