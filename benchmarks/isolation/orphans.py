"""Processes that end with the one that started them, which cannot end them when it is killed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

SECONDS = 0.2
"""Between two looks."""


def when_orphaned(parent: int, act: Callable[[], object]) -> None:
    """Call ``act``, in a thread, once the parent of this process is another than ``parent``."""

    def watch() -> None:
        # asking who the parent is works on every Unix
        while os.getppid() == parent:
            time.sleep(SECONDS)
        act()

    threading.Thread(target=watch, daemon=True).start()
