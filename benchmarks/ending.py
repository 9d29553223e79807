"""How a command ends: what the user or the environment did is one line and an exit status, no traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from hierbench.benchmarks.isolation import signals
from hierbench.errors import UserError

USER = 2
"""Exit status where the user or the environment is to change something."""
PIPE = 141
"""Exit status where the reader of the output has gone: that of a program which SIGPIPE ended."""
SAFE = "what was finished before is kept"

NO_MEMORY = ("cannot allocate memory", "failed to map segment", "unable to allocate", "can't allocate")
NO_THREAD = ("can't start new thread", "cannot create thread", "pthread_create")


def status_of(command: Callable[[], int]) -> int:
    """Exit status of a command, whatever ends it; said in one line where it is not the command that ends.

    Raises
    ------
    Exception
        What nobody but us can be the cause of.
    """
    try:
        status = command()
        sys.stdout.flush()
        return status
    except BaseException as error:
        if _is_closed_pipe(error):
            return PIPE
        if isinstance(error, SystemExit):
            raise
        if number := signals.received() or _interrupt(error):
            return _say(signals.farewell(number), 128 + number)
        if (line := explained(error)) is None:
            raise
        return _say(f"error: {' '.join(line.split())}", USER)
    finally:
        _let_go(sys.stdout)


def explained(error: BaseException) -> str | None:
    """What went wrong, if it was the user or the environment; None for a defect of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, sqlite3.OperationalError):  # the disk is full, the file went away, ...
        return f"the store cannot be used: {error}; {SAFE}"
    if type(error) is sqlite3.DatabaseError:  # none of its kinds, which are defects of ours
        return f"the store is damaged: {error}; restore it, or give another --results folder"
    if isinstance(error, UnicodeError):
        return f"text cannot be written or read in this encoding (see PYTHONIOENCODING, LANG): {error}"
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, MemoryError) or any(sign in text.lower() for sign in NO_MEMORY):
            return f"out of memory: {SAFE}"
        if any(sign in text for sign in NO_THREAD):
            return f"no thread or process can be started (too many, or too little memory): {SAFE}"
        if isinstance(cause, OSError):
            where = f": {cause.filename}" if cause.filename else ""
            return f"the system refuses: {cause.strerror or text or type(cause).__name__}{where}; {SAFE}"
    if isinstance(error, ImportError) and not (error.name or "").startswith("hierbench"):
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return f"the installation is incomplete: {first}: hierbench doctor says more"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that led to it; of what a library makes anew only the texts say so."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _interrupt(error: BaseException) -> int:
    """Number of the signal that an exception stands for; 0 for none."""
    for cause in _causes(error):
        if isinstance(cause, signals.StoppedError):
            return cause.number
        if isinstance(cause, KeyboardInterrupt):
            return int(signals.STOPPING[0])
    return 0


def _is_closed_pipe(error: BaseException) -> bool:
    # the parser of the command line turns it into SystemExit
    return isinstance(error, (BrokenPipeError, SystemExit)) and any(
        isinstance(cause, OSError) and cause.errno == errno.EPIPE for cause in _causes(error)
    )


def _say(text: str, status: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        print(f"hierbench: {text}", file=sys.stderr, flush=True)
    return status


def _let_go(stream: TextIO) -> None:
    """Let what a stream cannot write go nowhere: it would be tried, and fail, when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
        stream.flush()


def mend_streams() -> None:
    """Make the standard streams such that using them never fails for what has nothing to do with numbers.

    Closed ones lead nowhere, so that no file and no pipe gets their descriptors; letters that the
    encoding of standard output lacks are replaced; what standard error cannot take is dropped.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest descriptor that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr = io.TextIOWrapper(_Forgiving(), encoding, "backslashreplace", write_through=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


class _Forgiving(io.RawIOBase):
    """Standard error; a terminal that has gone or a full disk ends no run."""

    def write(self, content: object) -> int:
        view = memoryview(content)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            written = 0
            while written < len(view):
                written += os.write(2, view[written:])
        return len(view)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)
