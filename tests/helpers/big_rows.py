"""Rows as of a large suite: many learners and targets, made up, for the size of what shows them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import synthetic_rows

from hierbench.benchmarks.units.rows import Row
from hierbench.learners.catalogue.families import FAMILIES

DIMENSIONS = (8, 12, 16, 24, 32)
REPLICATES = 4


def big_suite(learners: int, targets: int, rows: int) -> tuple[list[Row], dict]:
    """Rows in about that number, with hyperparameters, and certificates for all."""
    rng = np.random.default_rng(0)
    names = [name for family in FAMILIES.values() for name in family][:learners]
    sizes = round(rows / (len(names) * targets * len(DIMENSIONS) * REPLICATES))
    made: list[Row] = []
    for t, (k, name), d in itertools.product(range(targets), enumerate(names), DIMENSIONS):
        for r in range(REPLICATES):
            scale = (2 + k) * d ** (1.5 + 0.1 * k) * np.exp(0.15 * rng.normal())
            for step in range(sizes):
                n = round(32 * 1.3 ** (step + 0.618 * r % 1))
                error = (1 + (n / scale) ** (1 + 0.05 * k)) ** -1.5 * np.exp(0.1 * rng.normal())
                one = synthetic_rows.row(n, float(error), d, r, learner=name, target=f"target-{t}")
                chosen = {"ridge": float(rng.lognormal()), "steps": 4000, "width": 64 * (1 + k % 3)}
                seconds = float(rng.lognormal())
                made.append(
                    dataclasses.replace(one, hyperparameters=chosen, fit_seconds=seconds, steps=len(made))
                )
    certificates = {
        (f"target-{t}", d, r): synthetic_rows.certificate(d, {2: 0.6, 4: 0.4})
        for t, d, r in itertools.product(range(targets), DIMENSIONS, range(REPLICATES))
    }
    return made, certificates
