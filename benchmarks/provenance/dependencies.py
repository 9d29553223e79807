"""Whether what a unit's process had loaded besides our code is still what is there."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from collections.abc import Mapping


def change(dependencies: Mapping[str, Mapping[str, str]]) -> str:
    """What has changed since these were recorded, in words.

    Parameters
    ----------
    dependencies : mapping
        ``versions`` by distribution, sha256 of ``files`` by path; see ``Result.dependencies``.

    Returns
    -------
    str
        Empty where nothing has: ``torch 2.12.0 was loaded, installed is 2.13.0``.
    """
    for name, version in dependencies.get("versions", {}).items():
        if (installed := _version(name)) != version:
            there = f"installed is {installed}" if installed else "it is no longer installed"
            return f"{name} {version} was loaded, {there}"
    for path, digest in dependencies.get("files", {}).items():
        if (present := _digest_of(path)) != digest:
            return f"{path}, which it read, {'has changed' if present else 'is not there any more'}"
    return ""


@functools.cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def _digest_of(path: str) -> str:
    try:
        about = os.stat(path)
        return _digest(path, about.st_mtime_ns, about.st_size)
    except (OSError, ValueError):
        return ""


@functools.cache
def _digest(path: str, changed: int, size: int) -> str:
    # time and size are there for the cache: a file that is written again is read again
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
