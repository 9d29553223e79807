"""Seconds of compilation are counted where there are any."""

from __future__ import annotations

import jax
import numpy as np

from hierbench.learners.engines import compiling


def test_a_new_program_counts_and_a_known_one_does_not():
    compiling.count()
    compiling.count()  # once is enough
    before = compiling.seconds()
    program = jax.jit(lambda x: x * 3.0 + 1.0)
    program(np.ones(3))
    first = compiling.seconds() - before
    program(np.ones(3))
    assert 0.0 < first < 60.0 and compiling.seconds() - before == first
