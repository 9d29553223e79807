"""What a worker process does before and around a unit."""

from __future__ import annotations

import os
import sys
import threading
import time

from hierbench.benchmarks.units.tasks import ExperimentUnit, Task
from hierbench.benchmarks.units.unit import CertificateUnit, Result


def start(parent: int, path: list[str]) -> None:
    """Set a fresh worker up: find what the parent finds, and die with it."""
    sys.path[:] = path
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    # A killed parent cannot stop its workers, and an orphan would keep a core busy to the end
    # of its unit; asking who the parent is works on every Unix.
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def compute(unit: Task) -> Result:
    """Compute one unit. The imports are here, after the environment has been set."""
    if isinstance(unit, ExperimentUnit):
        # after the environment has been set, and in workers only: torch and jax start slowly
        from hierbench.benchmarks.units.compute_experiment import run_experiment

        return run_experiment(unit)
    from hierbench.benchmarks.units.compute_curves import run_certificate, run_curves

    return run_certificate(unit) if isinstance(unit, CertificateUnit) else run_curves(unit)
