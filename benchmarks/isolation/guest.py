"""The process of a foreign learner: fits and predicts what it is sent, and knows no test label."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hierbench.benchmarks.isolation.orphans import when_orphaned
from hierbench.benchmarks.provenance import loaded

Answer = tuple[dict[str, Any], list[Any]]


def main(incoming: int, outgoing: int) -> None:
    """Answer messages until the last one, or until the process that asked is gone.

    Parameters
    ----------
    incoming, outgoing : int
        File descriptors of messages to and from this process.
    """
    loaded.record()
    # its children with it
    when_orphaned(os.getppid(), lambda: os.killpg(os.getpgid(0), signal.SIGKILL))
    # after the recording
    from hierbench.benchmarks.isolation import footprint, messages
    from hierbench.benchmarks.isolation.service import Service
    from hierbench.benchmarks.units.plain import one_line_of

    files = footprint.Files()
    service = Service(files)
    this = os.getpid()
    with open(incoming, "rb") as requests:
        while True:
            head, arrays = messages.decoded(_exactly(requests.read))
            answer: Answer
            try:
                answer = service.answer(head, arrays)
            except BaseException as error:  # whatever a learner raises is described, and nothing more
                answer = {"failed": one_line_of(error)}, []
            if os.getpid() != this:
                os._exit(0)  # a child that a learner forked, and that returned from its call
            sys.stdout.flush()
            sys.stderr.flush()
            for piece in messages.encoded(*answer):
                _write(outgoing, piece)
            if head["ask"] == "end":
                os._exit(0)  # neither exit handlers nor threads of a learner hold this up


def _exactly(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def exact(size: int) -> bytes:
        content = read(size)
        if len(content) < size:
            os._exit(1)  # the other side is gone
        return content

    return exact


def _write(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
