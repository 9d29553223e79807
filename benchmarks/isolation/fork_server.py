"""A process that has loaded what every learner's process needs, and forks them: 0.1 s each instead of 2.5 s.

Every learner's process is a fresh fork of one that has run no learner: what one of them does stays with it.
Processes that leave its process group become children of the server, which ends them with it.

Linux only: elsewhere a process of many libraries cannot be forked safely, and ``Child`` is a new interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Protocol

from hierbench.benchmarks.isolation import signals
from hierbench.benchmarks.provenance import loaded, machine

FORKS = sys.platform == "linux"

_LOADED = ("sklearn.base", "hierbench.benchmarks.isolation.service")
_START = (
    "import sys; from hierbench.benchmarks.isolation.fork_server import main; "
    "main(int(sys.argv[1]), *sys.argv[2:])"
)
_ALONE = "import sys; from hierbench.benchmarks.isolation.guest import main; main(*map(int, sys.argv[1:]))"
_NUMBER = struct.Struct("<q")
_ENDED = 1 << 40  # no exit status
_LOOK = 0.02
"""Seconds between two looks whether a process lives."""


class Child(Protocol):
    """A learner's process, as the one that asks it sees it."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""

    def end(self) -> None:
        """Kill it, and what it has left behind."""


def start(descriptors: Sequence[int], output: int, also: tuple[str, ...] = ()) -> Child:
    """Start a process that answers on ``descriptors`` (requests, answers) and prints to ``output``.

    It has a session of its own, so that neither a terminal's signals nor its own kills reach others. Modules
    named in ``also`` it may find loaded: those that it will import before anything of a learner's.

    Raises
    ------
    OSError
        It cannot be started.
    """
    # deaf to Ctrl-C as a worker is, from its first moment on
    with signals.blocked():
        return _server(also).fork(descriptors, output) if FORKS else _Alone(descriptors, output)


class _Alone:
    """A new interpreter."""

    def __init__(self, descriptors: Sequence[int], output: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _ALONE, *map(str, descriptors)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=descriptors,
            start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def end(self) -> None:
        _kill(self.pid)
        self._process.wait()


class _Server:
    """The server of this process, as its one client sees it."""

    def __init__(self, also: tuple[str, ...]) -> None:
        self.also = also
        self._here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(there.fileno()), *also],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno()], start_new_session=True,
                env=os.environ | machine.of_worker(),
            )  # fmt: skip
        self._owner = os.getpid()
        self.busy = False

    def fork(self, descriptors: Sequence[int], output: int) -> _Forked:
        """Let it fork a process."""
        place: dict[str, dict[str, str] | str] = {"environment": dict(os.environ)}
        with contextlib.suppress(OSError):  # the folder has been deleted
            place["folder"] = os.getcwd()
        text = json.dumps(place).encode()
        self.busy = True
        socket.send_fds(self._here, [_NUMBER.pack(len(text))], [*descriptors, output])
        self._here.sendall(text)
        return _Forked(self, self.receive())

    def receive(self, wait: bool = True) -> int | None:
        """Return the next number; None if there is none (yet)."""
        if not self.lives or (not wait and not select.select([self._here], [], [], 0)[0]):
            return None
        with contextlib.suppress(OSError):
            if number := _exactly(self._here, _NUMBER.size):
                return int(_NUMBER.unpack(number)[0])
        self.close()
        return None

    def end_child(self) -> None:
        """Ask for the end of the process that it has forked."""
        with contextlib.suppress(OSError):
            self._here.sendall(b"e")

    @property
    def lives(self) -> bool:
        """Whether it can be asked, by this process."""
        return self._here.fileno() >= 0 and self._process.poll() is None and self._owner == os.getpid()

    def close(self) -> None:
        """End it: it ends where its client is gone."""
        self._here.close()
        self._process.wait()


class _Forked:
    """A fork of the server. If the server is gone, so is this."""

    def __init__(self, server: _Server, pid: int | None) -> None:
        if pid is None:
            raise OSError("the server of learners' processes has ended")
        self._server, self.pid = server, pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._server.receive(wait=False)
            if self._status is None and not self._server.lives:
                self._status = -signal.SIGKILL
        return self._status

    def end(self) -> None:
        self._server.end_child()
        while self._server.lives:
            number = self._server.receive()
            if number in (None, _ENDED):
                break
            self._status = number
        if not self._server.lives:
            _kill(self.pid)
        self._server.busy = False


_servers: list[_Server] = []


def _server(also: tuple[str, ...]) -> _Server:
    """Return a server of this process that has loaded these and has no process out; if need be a new one."""
    if not _servers:
        atexit.register(_close)
    for server in list(_servers):
        if not server.lives:
            server.close()
            _servers.remove(server)
        elif not server.busy and server.also == also:
            return server
    _servers.append(_Server(also))
    return _servers[-1]


def _close() -> None:
    for server in _servers:
        server.close()


def main(descriptor: int, *also: str) -> None:
    """Serve: fork a process when asked, say its number and how it ends, and end it when asked.

    Parameters
    ----------
    descriptor : int
        Socket to the client. When that is gone, all ends.
    also : str
        Further modules to load.
    """
    loaded.record()
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    # scikit-learn imports pandas if it is there, which imports pyarrow, which starts a thread
    sys.modules["pandas"] = None  # type: ignore[assignment]
    for name in (*_LOADED, *also):
        importlib.import_module(name)
    del sys.modules["pandas"]
    with socket.socket(fileno=descriptor) as client:
        while True:
            head, descriptors, _, _ = socket.recv_fds(client, _NUMBER.size, 3)
            if len(head) < _NUMBER.size:
                return
            place = json.loads(_exactly(client, _NUMBER.unpack(head)[0]))
            pid = os.fork()
            if pid == 0:
                client.close()
                _become_a_learners(place, descriptors)
            for inherited in descriptors:
                os.close(inherited)
            _say(client, pid)
            _attend(client, pid)


def _become_a_learners(place: dict[str, dict[str, str] | str], descriptors: Sequence[int]) -> None:
    """Be, in the fork, what a new interpreter would be; does not return."""
    status = 1
    try:
        os.setsid()
        incoming, outgoing, output = descriptors
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(place["environment"])  # type: ignore[arg-type]
        if "folder" in place:
            with contextlib.suppress(OSError):
                os.chdir(str(place["folder"]))
        # loaded by now, but for the client of this module
        from hierbench.benchmarks.isolation import guest

        guest.main(incoming, outgoing)
        status = 0
    finally:
        os._exit(status)


def _attend(client: socket.socket, pid: int) -> None:
    """Say how a process ends; end it, and what it has left behind, when asked or when the client is gone."""
    status = None
    while not select.select([client], [], [], _LOOK)[0]:
        if status is None:
            status = _status(pid, os.WNOHANG)
            if status is not None:
                _say(client, status)
    with contextlib.suppress(OSError):
        client.recv(1)
    if status is None:
        _kill(pid)
        _say(client, _status(pid, 0) or 0)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # its own number may be another's by now
    _end_orphans()
    _say(client, _ENDED)


def _say(client: socket.socket, number: int) -> None:
    """Send a number; where the client is gone there is still something to end."""
    with contextlib.suppress(OSError):
        client.sendall(_NUMBER.pack(number))


def _status(pid: int, options: int) -> int | None:
    ended, status = os.waitpid(pid, options)
    return os.waitstatus_to_exitcode(status) if ended else None


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # it may not have its group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _end_orphans() -> None:
    """End all children of this process, and theirs."""
    import psutil  # the server only, and not before it forks

    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = psutil.Process().children(recursive=True)
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_LOOK)


def _exactly(source: socket.socket, size: int) -> bytes:
    """So many bytes; fewer where the other side is gone."""
    content = b""
    while len(content) < size:
        piece = source.recv(size - len(content))
        if not piece:
            return b""
        content += piece
    return content
