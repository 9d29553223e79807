"""What a worker process does before and around a unit."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time

from hierbench.benchmarks.units.experiment_unit import ExperimentUnit
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Result, Unit


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


@functools.singledispatch
def compute(unit: Unit) -> Result:
    """Compute one unit, by its kind."""
    raise TypeError(f"no way to compute a {type(unit).__name__}")


@compute.register
def _(unit: CurveUnit) -> Result:
    # after the environment has been set, and in workers only: torch and jax start slowly
    from hierbench.benchmarks.units.compute_curves import run_curves

    return run_curves(unit)


@compute.register
def _(unit: CertificateUnit) -> Result:
    # as above
    from hierbench.benchmarks.units.compute_curves import run_certificate

    return run_certificate(unit)


@compute.register
def _(unit: ExperimentUnit) -> Result:
    # as above
    from hierbench.benchmarks.units.compute_experiment import run_experiment

    return run_experiment(unit)
