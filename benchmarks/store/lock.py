"""One writer at a time, and everybody else told who it is."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from hierbench.errors import UserError


@contextlib.contextmanager
def writer(folder: Path, wait: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the results folder for writing.

    The lock is the operating system's, so a killed writer releases it; the file that names the
    holder is only read by those who wait.

    Raises
    ------
    UserError
        The folder cannot be written, or another process holds it and ``wait`` is False.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "hierbench.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            held = f"results folder {folder} is being written by {holder(folder)}"
            if not wait:
                raise UserError(f"{held}: try again when it has finished, or leave out --no-wait") from None
            say(f"waiting: {held}")
            lock.acquire()
    except OSError as error:
        raise UserError(f"results folder {folder} cannot be written: {error}") from error
    note = folder / "hierbench.lock.json"
    try:
        with contextlib.suppress(OSError):
            note.write_text(
                json.dumps(
                    {
                        "pid": os.getpid(),
                        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
                        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                    }
                )
            )
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> str:
    """Who holds the folder, in words."""
    try:
        note = json.loads((folder / "hierbench.lock.json").read_text())
        return f"process {note['pid']} ({note['command']}) since {note['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
