"""Fits need the memory that their descriptors declare."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hierbench.learners.base import Memory
from hierbench.learners.registry import LEARNERS

PROGRAM = Path(__file__).parents[1] / "helpers" / "memory_of_fits.py"
CELLS = ((800, 6), (400, 24))
PARTS = 4
"""Processes: they can run side by side."""
QUICKLY = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
"""Compiled so, code has the same peaks to a few MB, in two thirds of the time; the first part is not."""
NOISE = 8e6
"""Bytes that allocator and interpreter come and go by: below them a law cannot be held from below."""


def measured(names, quickly):
    """Peaks in every cell, by name."""
    command = [sys.executable, str(PROGRAM), ":".join(f"{n},{d}" for n, d in CELLS), *names]
    folder = PROGRAM.parents[2]
    steady = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}  # else glibc learns to keep what is freed
    single = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": QUICKLY if quickly else ""}
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=os.environ | steady | single, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux starts a new peak")
@pytest.mark.slow(60)
@pytest.mark.parametrize("part", range(PARTS))
def test_peak_memory_is_what_the_descriptors_declare(part):
    """At most, and within a factor of five in the cell that comes closest."""
    names = list(LEARNERS)[part::PARTS]
    peaks = measured(names, quickly=part > 0)
    for name in names:
        spec = LEARNERS[name]
        assert spec.memory is not None, f"{name} declares no memory law"
        slack = []
        for cell, peak in zip(CELLS, peaks[name], strict=True):
            declared = spec.memory(*cell)
            assert peak <= declared, f"{name} at n, d = {cell}: {peak / 1e6:.1f} MB of {declared / 1e6:.1f}"
            slack.append(declared / max(peak, NOISE))
        assert min(slack) <= 5, f"{name} declares {min(slack):.1f} times what it needs"


def test_a_memory_law_says_what_it_computes():
    law = Memory(per_pair=24.0, per_entry=16.0, fixed=3e7)
    assert law(1000, 10) == 24e6 + 160e3 + 30e6
    assert str(law) == "24 n^2 + 16 n d bytes + 30 MB"
    assert str(Memory(per_row=6000.0)) == "6000 n bytes"
    assert str(Memory(per_input=5e5, fixed=4e6)) == "0.5 d MB + 4 MB"
