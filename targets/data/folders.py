"""Data sets in folders that the user has: where they are, and whether they are what they are called."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from hierbench.errors import refusal

VARIABLE = "HIERBENCH_DATA"
"""Environment variable that names the folder with a sub-folder for each data set."""
DIGITS = 16
"""Hexadecimal digits of a checksum of one's own files."""

WHERE = "see docs/data.md"

Stamp = tuple[tuple[str, int, int], ...]
"""Path, bytes and time of the last change of each file: what was read is read again when it changes."""


def files(folder: str, names: Sequence[str]) -> Stamp:
    """Files of a data set, each as it is or compressed (``.gz``).

    Parameters
    ----------
    folder : str
        Below the folder that ``HIERBENCH_DATA`` names.
    names : sequence of str
        Without ``.gz``.

    Raises
    ------
    ValueError
        The variable is not set, there is no such folder, or a file is missing.
    """
    root = os.environ.get(VARIABLE, "")
    if not root:
        allowed = f"a folder that has a folder {folder!r}"
        raise ValueError(refusal(VARIABLE, root, allowed, f"set the environment variable; {WHERE}"))
    if Path(folder).is_absolute() or ".." in Path(folder).parts or not folder:
        raise ValueError(refusal("folder", folder, f"names of folders below {VARIABLE}"))
    path = Path(root, folder)
    try:
        if not path.is_dir():
            raise ValueError(refusal(VARIABLE, root, f"a folder that has a folder {folder!r}", WHERE))
        found = [_present(path, name) for name in names]
        stats = [(file, file.stat()) for file in found]
    except OSError as error:
        raise ValueError(f"folder {folder!r} of {VARIABLE} cannot be read: {error.strerror}") from error
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)


def _present(path: Path, name: str) -> Path:
    for file in (path / name, path / f"{name}.gz"):
        if file.is_file():
            return file
    raise ValueError(f"no file {name}, nor {name}.gz, in {path}: a part of the data is missing; {WHERE}")


def content(file: str) -> bytes:
    """Bytes of a file, uncompressed.

    Raises
    ------
    ValueError
        It cannot be read, or is compressed and damaged.
    """
    try:
        data = Path(file).read_bytes()
        return gzip.decompress(data) if file.endswith(".gz") else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is truncated or damaged: {error}; get it again") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error


def check_sums(
    paths: Sequence[str], contents: Sequence[bytes], known: Mapping[str, Sequence[str]], checksum: str
) -> None:
    """Refuse files that are not those of the data set, or the user's own, that ``checksum`` names.

    Parameters
    ----------
    paths : sequence of str
    contents : sequence of bytes
        Uncompressed.
    known : mapping of str to sequence of str
        MD5 of each uncompressed file, by the name of the data set.
    checksum : str
        Name of a known data set, or the checksum of the user's own files.

    Raises
    ------
    ValueError
        With the data set that they are; or the file that differs, and the checksum that declares all of
        them as the user's own.
    """
    sums = [hashlib.md5(data, usedforsecurity=False).hexdigest() for data in contents]
    of_all = hashlib.sha256("".join(sums).encode()).hexdigest()[:DIGITS]
    if checksum == of_all:
        return
    is_called = next((name for name, theirs in known.items() if sums == list(theirs)), None)
    if is_called is not None and checksum != is_called:
        allowed = f"one value, {is_called}, for the files in {Path(paths[0]).parent}"
        remedy = f"they are those of {is_called}: give checksum = {is_called!r}, or another folder"
        raise ValueError(refusal("checksum", checksum, allowed, remedy))
    if checksum not in known:
        allowed = f"{', '.join(known)} and, for the files there, {of_all}"
        raise ValueError(refusal("checksum", checksum, allowed))
    different = [i for i, theirs in enumerate(known[checksum]) if sums[i] != theirs]
    if different:
        i = different[0]
        remedy = f"get it again, or give checksum = {of_all!r} if these are data of your own"
        raise ValueError(refusal(f"MD5 of {paths[i]}", sums[i], f"one value, that of {checksum}", remedy))
