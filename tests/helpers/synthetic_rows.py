"""Rows as a suite would store them, from made-up learning curves: for tables and figures."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping

import numpy as np

from hierbench.benchmarks.units.rows import Row
from hierbench.targets.base import Certificate, Estimate

DIMENSIONS = (8, 12, 16, 24, 32)
REPLICATES = 4
LEARNERS = {  # constant and exponent of the scale on which a learner gets there, its rate
    "densenet": (8.0, 2.0, 2.2),
    "layerwise": (14.0, 2.3, 1.4),
    "two_layer": (12.0, 3.0, 1.2),
    "krr_rbf": (1.5, 4.0, 0.8),
    "krr_polynomial": (0.5, 3.6, 1.6),
    "ntk": (1.5, 4.2, 0.6),
    "sequential_kernel": (10.0, 2.5, 1.0),
}
TARGETS = {
    "squares-L2": {2: 0.55, 4: 0.45},
    "squares-L3": {2: 0.72, 4: 0.25, 6: 0.027, 8: 0.003},
    "projected-k3": {2: 0.93, 4: 0.07},
}


def certificate(d: int, degree_share: Mapping[int, float]) -> Certificate:
    """A certificate with nothing in it but shares and a parameter count."""
    one = Estimate(1.0)
    return Certificate(
        degree=max(degree_share),
        n_parameters=d * (d - 1) // 2 + 3 * d,
        method="exact",
        mean=Estimate(0.0),
        variance=one,
        kurtosis=Estimate(9.0),
        degree_share={p: Estimate(share) for p, share in degree_share.items()},
        level_share={1: one},
        level_covariance=((1.0,),),
        contamination={},
        condition_numbers={},
    )


def row(n: int, error: float | None, d: int = 8, r: int = 0, status: str = "ok", **other: object) -> Row:
    """A row of replicate (r, r, r) with everything else made up."""
    fields: dict = {
        **{"key": "k", "unit": "u", "suite": "demo", "learner": "densenet", "learner_spec": {}},
        **{"target": "t", "target_spec": {}, "d": d, "block": r // 4, "stage": 0},
        **{"target_index": r, "sample_index": r, "init_index": r, "n": n},
        **{
            "status": status,
            "reason": "",
            "metric": "relative MSE",
            "error": error,
            "error_se": None if error is None else 0.02 * error,
        },
        **{"top10_share": 0.01, "n_test": 10000, "train_error": error, "steps": 100, "flops": 1e9},
        **{"hyperparameters": {}, "health": {}, "fit_seconds": 1.0, "predict_seconds": 0.1},
        **{"timing": "standalone", "peak_memory_bytes": 1, "code": "c0de", "versions": {}, "machine": {}},
    }
    fields |= other
    if "learner_spec" not in other:
        fields["learner_spec"] = {"name": fields["learner"], "parameters": {}}
    return Row(**fields)


@functools.cache
def suite() -> tuple[tuple[Row, ...], dict[tuple[str, int, int], Certificate]]:
    """Seven learners, three targets, five dimensions, four replicates on staggered grids.

    With censored curves, unreliable rows, a learner that diverges and one that stops early.
    """
    rng = np.random.default_rng(0)
    rows = []
    for target, learner, d, r in itertools.product(TARGETS, LEARNERS, DIMENSIONS, range(REPLICATES)):
        constant, power, rate = LEARNERS[learner]
        easier = 1.0 if target.startswith("squares") else d**-0.6
        scale = constant * easier * d**power * math.exp(0.15 * rng.normal())
        floor = 0.02 if learner == "layerwise" else 1e-6
        for k in range(8 if learner not in ("ntk", "krr_rbf") else 7):
            n = round(64 * 2.0 ** (k + 0.618 * r % 1))
            error = 1 / (1 + (2 * n / scale) ** rate) ** 1.5 + floor
            error *= math.exp(0.12 * rng.normal())
            status = "ok"
            if target == "squares-L3" and rng.random() < 0.06:
                status, error = "unreliable", error * math.exp(0.8 * rng.normal())
            if learner == "two_layer" and d >= 24 and rng.random() < 0.2:
                status, error = "diverged", error * 10 ** rng.uniform(1, 6)
            found = None if status == "diverged" and rng.random() < 0.3 else error
            rows.append(row(n, found, d, r, status, learner=learner, target=target, code=learner[:4] * 2))
    certificates = {
        (target, d, r): certificate(d, shares)
        for (target, shares), d, r in itertools.product(TARGETS.items(), DIMENSIONS, range(REPLICATES))
    }
    return tuple(rows), certificates
