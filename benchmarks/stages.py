"""Adaptive runs: the stages that the rows of earlier ones ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.plan import Plan, later_stage
from benchmarks.refine import next_sizes
from benchmarks.report import epsilons_of, suite_certificates
from benchmarks.rows import Replicate, Row
from benchmarks.sample_complexity import Certificates, Epsilon, decides
from benchmarks.store import Store
from benchmarks.work import CurveUnit

MOST_STAGES = 6
"""A bracket of the coarsest grid in use is halved to its ratio in fewer."""


def resolved(plan: Plan, store: Store) -> Plan:
    """The plan with the later stages that finished units ask for.

    A stage follows from the rows of the stages before it and from nothing else, so that
    a run that is interrupted, or drawn again later, finds the same ones.

    Stopping rule: a block has no further stage where the bracket of n* of each of its replicates, at every
    epsilon of the suite, is as narrow as ``refine`` or open at an end of the grid; where the last
    stage is not finished; or after ``MOST_STAGES``.
    """
    ratios = {cell: run.sizes.refine for run in plan.suite.runs if run.sizes.refine for cell in run.cells()}
    if not ratios:
        return plan
    certificates = suite_certificates(plan, store)
    epsilons = epsilons_of(plan.suite)
    done = {key for key, status in store.statuses().items() if status == "done"}
    found = []
    for unit in plan.curves:
        found.append(unit)
        ratio = ratios.get((unit.learner, unit.target, unit.d))
        chain = [unit]
        while ratio and chain[-1].key in done and len(chain) < MOST_STAGES:
            rows = store.rows(u.key for u in chain)
            thresholds = {r: _thresholds(unit, r, certificates, epsilons) for r in unit.replicates}
            following = _next(chain, rows, thresholds, ratio)
            if following is None:
                break
            chain.append(following)
        found.extend(chain[1:])
    return dataclasses.replace(plan, curves=tuple(found))


def _thresholds(
    unit: CurveUnit, replicate: Replicate, certificates: Certificates, epsilons: Sequence[Epsilon]
) -> list[float]:
    """Errors that the epsilons ask for; those that the certificate leaves undefined are left out."""
    certificate = certificates.get((unit.target, unit.d, replicate.target))
    return [t for t in (e.threshold(certificate) for e in epsilons) if t is not None]


def _next(
    chain: Sequence[CurveUnit], rows: Sequence[Row], thresholds: Mapping[Replicate, list[float]], ratio: float
) -> CurveUnit | None:
    wanted = {}
    for replicate in chain[0].replicates:
        own = [
            r
            for r in rows
            if (r.target_index, r.sample_index, r.init_index) == dataclasses.astuple(replicate)
        ]
        taken = [
            n for u in chain for r, s in zip(u.replicates, u.sizes, strict=True) if r == replicate for n in s
        ]
        # A row counts for the thresholds of which it says on which side it lies.
        sizes: set[int] = set()
        for threshold in thresholds[replicate]:
            measured = [(r.n, r.error or 0.0) for r in own if decides(r, threshold)]
            sizes.update(next_sizes(measured, taken, [threshold], ratio))
        if sizes:
            wanted[replicate] = tuple(sorted(sizes))
    if not wanted:
        return None
    return later_stage(chain[0], len(chain), tuple(wanted), tuple(wanted.values()))
