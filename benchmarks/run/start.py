"""The first thing that a fresh worker does, before it loads what makes numbers."""

from __future__ import annotations

import os
import sys
import threading
import time

from hierbench.benchmarks.provenance import loaded


def start(parent: int, path: list[str]) -> None:
    """Record what is loaded from now on, find what the parent finds, and die with it."""
    sys.path[:] = path
    loaded.record()
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    # after the recording
    from hierbench.benchmarks.isolation.host import adopt_orphans

    adopt_orphans()


def _die_with(parent: int) -> None:
    # A killed parent cannot stop its workers, and an orphan would keep a core busy to the end
    # of its unit; asking who the parent is works on every Unix.
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
