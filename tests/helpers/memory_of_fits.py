"""Peak memory of one fit of each learner, beyond its data: run as a program, JSON on standard output.

A process of its own, because the peak is that of a process; one for all learners, because
importing torch and jax takes longer than most of the fits.

    python tests/helpers/memory_of_fits.py N,D[:N,D...] NAME...
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
TUNED = {
    **{"ridge": (1e-4, 1e-2), "length_scale": (1.0, 2.0), "offset": (0.3, 3.0), "bias": (0.1, 0.3)},
    **{"share": (0.3, 0.6), "homogeneity": (0.0, 1.0), "nu": (0.5, 1.5), "scale": (0.5, 1.0)},
    **{"depth": (1, 3), "decay": (0.5, 1.0)},
}
"""Two values each: the best and the present one are held, however many are tried."""
ROUNDS = {"iterations": 3, "n_candidates": 2}
"""For the same reason."""


def growth(name, n, d):
    """Bytes by which the resident memory grew at its highest during ``fit``."""
    spec = LEARNERS[name]
    known = {spec.knows_degree: 4, spec.knows_depth: 2}
    learner = load(spec.path)(**dict(spec.parameters) | {k: v for k, v in known.items() if k})
    params = learner.get_params()
    fewer = {key: values for key, values in TUNED.items() if params.get(key, 0) is None}
    if "steps" in params:
        fewer.pop("depth", None)  # of a net: one, that of the target
    fewer |= {"steps": STEPS, "random_state": 0, **ROUNDS}
    learner.set_params(**{key: value for key, value in fewer.items() if key in params})
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
    cells = [tuple(map(int, cell.split(","))) for cell in sys.argv[1].split(":")]
    found = {name: [] for name in sys.argv[2:]}
    for n, d in cells:
        for name in found:
            growth(name, 100, d)  # code compiled and pools of threads are no memory of a fit
            found[name].append(growth(name, n, d))
    print(json.dumps(found))
