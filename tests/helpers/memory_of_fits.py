"""Peak memory of one fit of each learner, beyond its data: run as a program, JSON on standard output.

A process of its own, because the peak is that of a process; one for all learners, because
importing torch and jax takes longer than most of the fits.

    python tests/helpers/memory_of_fits.py N D NAME...
"""

import ctypes
import gc
import json
import sys

import numpy as np
import psutil

from hierbench.benchmarks.provenance import machine
from hierbench.learners.registry import LEARNERS, load

STEPS = 8
"""Of the nets: what they hold does not grow with their steps."""


def growth(name, n, d):
    """Bytes by which the resident memory grew at its highest during ``fit``."""
    spec = LEARNERS[name]
    known = {spec.knows_degree: 4, spec.knows_depth: 2}
    learner = load(spec.path)(**dict(spec.parameters) | {k: v for k, v in known.items() if k})
    if "steps" in learner.get_params():
        learner.set_params(steps=STEPS)
    if "random_state" in learner.get_params():
        learner.set_params(random_state=0)
    X = np.random.default_rng(0).standard_normal((n, d))
    y = X[:, 0] * X[:, 1] + 0.5 * X[:, 2] ** 2
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else a fit lives on what an earlier one gave back
    before = psutil.Process().memory_info().rss
    machine.reset_peak_memory()
    learner.fit(X, y)
    return machine.peak_memory() - before


if __name__ == "__main__":
    machine.one_thread()
    n, d = map(int, sys.argv[1:3])
    found = {}
    for name in sys.argv[3:]:
        growth(name, 100, d)  # code compiled and pools of threads are no memory of a fit
        found[name] = growth(name, n, d)
    print(json.dumps(found))
