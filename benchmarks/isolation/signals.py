"""Signals that ask a command to end: the first ends it in order, a later one at once; no traceback."""

from __future__ import annotations

import _thread
import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ONE_REQUEST = 1.0
"""Seconds within which several signals are one request: systems send two, people press a key twice."""


class StoppedError(BaseException):
    """A signal asked the command to end. No KeyboardInterrupt, which parsers of command lines swallow."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = int(number)


_received: list[tuple[float, int]] = []
"""When the first signal came, and which; empty before it."""


def received() -> int:
    """Number of the signal that asked this command to end; 0 for none."""
    return _received[0][1] if _received else 0


@contextlib.contextmanager
def heard(act: Callable[[int], None] | None = None) -> Iterator[None]:
    """Call ``act`` with the number of the first signal, by default raise StoppedError.

    Those that follow within a second belong to the first; a later one ends the process at once, since
    what is under way may take long. A signal that is ignored (nohup) stays so. Where contexts are
    nested, the innermost acts, and the outermost forgets what it received when it ends.

    Outside the main thread signals cannot be heard, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    ours = {number: h for number, h in before.items() if h not in (signal.SIG_IGN, None)}
    is_outermost = not any(isinstance(handler, _Handler) for handler in ours.values())
    hook = sys.unraisablehook
    if is_outermost:
        _received.clear()
        sys.unraisablehook = _once_more(hook)
    try:
        for number in ours:
            signal.signal(number, _Handler(act or _raise))
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if is_outermost:
            sys.unraisablehook = hook
            _received.clear()


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Block them in this thread, and so in the processes and threads that it starts now; not SIGTERM.

    Processes that inherit this leave Ctrl-C, and the end of a terminal, to the one that started them;
    SIGTERM is what they are ended by.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPPING} - {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def as_by_default() -> None:
    """Let signals end the process without a word: nothing is left to be kept."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def farewell(number: int, kept: str = "what was finished before is kept") -> str:
    """One line for a command that a signal has ended."""
    again = shlex.join(["hierbench", *sys.argv[1:]])
    return f"stopped by {signal.Signals(number).name}: {kept}; resume with: {again}"


class _Handler:
    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act

    def __call__(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if not _received:
            _received.append((now, number))
            self.act(number)
        elif now - _received[0][0] > ONE_REQUEST:
            with contextlib.suppress(OSError):
                os.write(2, f"hierbench: {farewell(number)}\n".encode(errors="replace"))
            os._exit(128 + number)


def _raise(number: int) -> None:
    raise StoppedError(number)


def _once_more(hook: Callable[[Any], object]) -> Callable[[Any], None]:
    """A hook for exceptions that nobody can catch: a signal in a destructor is sent again."""

    def unraisable(lost: Any) -> None:
        if not isinstance(lost.exc_value, StoppedError):
            hook(lost)
            return
        _received.clear()
        # from another thread: here it would be raised, and lost, once more
        threading.Timer(0.01, _send_to_main_thread, [lost.exc_value.number]).start()

    return unraisable


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):  # wakes it, too
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(signal.Signals(number))
