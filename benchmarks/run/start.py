"""The first thing that a fresh worker does, before it loads what makes numbers."""

from __future__ import annotations

import os
import sys

from hierbench.benchmarks.isolation.orphans import when_orphaned
from hierbench.benchmarks.provenance import loaded


def start(parent: int, path: list[str]) -> None:
    """Record what is loaded from now on, find what the parent finds, and die with it."""
    sys.path[:] = path
    loaded.record()
    when_orphaned(parent, lambda: os._exit(1))  # else it keeps a core busy to the end of its unit
