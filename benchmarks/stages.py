"""Adaptive runs: the stages that the rows of earlier ones ask for."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.plan import Plan, later_stage
from benchmarks.refine import expected, next_sizes, starting_sizes
from benchmarks.report import epsilons_of, suite_certificates
from benchmarks.rows import Replicate, Row
from benchmarks.sample_complexity import Certificates, Epsilon, NStar, decides, n_stars
from benchmarks.store import Store
from benchmarks.suite import SizePlan
from benchmarks.work import CurveUnit

MOST_STAGES = 8
"""A bracket of the coarsest grid in use is halved to its ratio in fewer."""


def resolved(plan: Plan, store: Store) -> Plan:
    """The plan with the later stages that finished units ask for.

    The smallest d of a block starts with the plan's own grid. The next d waits until that is through, and
    starts where n* is to be expected from there (``refine.expected``). A stage follows from the
    rows of the stages and dimensions before it and from nothing else, so that a run that is interrupted, or
    drawn again later, finds the same ones.

    Stopping rule: a block has no further stage where the bracket of n* of each of its replicates, at every
    epsilon of the suite, is as narrow as ``refine`` or open at an end of the plan's grid; where the last
    stage is not finished; or after ``MOST_STAGES``.
    """
    plans = {cell: run.sizes for run in plan.suite.runs if run.sizes.refine for cell in run.cells()}
    if not plans:
        return plan
    look = _Look(store, suite_certificates(plan, store), epsilons_of(plan.suite))
    chains: dict[tuple[str, str, int], list[CurveUnit]] = defaultdict(list)
    for unit in plan.curves:
        if (unit.learner, unit.target, unit.d) in plans:
            chains[unit.learner, unit.target, unit.block].append(unit)
    stages = {}
    for units in chains.values():
        stars: list[NStar] = []
        for unit in sorted(units, key=lambda u: u.d):
            sizes = plans[unit.learner, unit.target, unit.d]
            chain, through = look.chain(_first(unit, stars, sizes), unit, sizes)
            stages[unit.key] = chain
            if not through:
                break
            stars += look.stars(chain)
    plain = [u for u in plan.curves if (u.learner, u.target, u.d) not in plans]
    curves = [u for unit in plan.curves for u in ([unit] if unit in plain else stages.get(unit.key, []))]
    return dataclasses.replace(plan, curves=tuple(curves))


def _first(unit: CurveUnit, stars: Sequence[NStar], plan: SizePlan) -> CurveUnit:
    """The first stage of a block: the plan's grid, or the part of it where n* is expected."""
    where = expected(stars, unit.d, plan.power) if stars else None
    if where is None or plan.refine is None:
        return unit
    sizes = tuple(starting_sizes(where, min(s), max(s), plan.refine) for s in unit.sizes)
    return later_stage(unit, 0, unit.replicates, sizes)


class _Look:
    """What the store knows of a plan's units."""

    def __init__(self, store: Store, certificates: Certificates, epsilons: Sequence[Epsilon]) -> None:
        self.store, self.certificates, self.epsilons = store, certificates, epsilons
        self.done = {key for key, status in store.statuses().items() if status == "done"}

    def rows(self, chain: Sequence[CurveUnit]) -> list[Row]:
        """Of a block, under the labels of its first unit."""
        found = self.store.rows(u.key for u in chain)
        return [dataclasses.replace(r, learner=chain[0].learner, target=chain[0].target) for r in found]

    def stars(self, chain: Sequence[CurveUnit]) -> list[NStar]:
        return n_stars(self.rows(chain), self.certificates, self.epsilons)

    def thresholds(self, unit: CurveUnit, replicate: Replicate) -> list[float]:
        """Errors that the epsilons ask for; those that the certificate leaves undefined are left out."""
        certificate = self.certificates.get((unit.target, unit.d, replicate.target))
        return [t for t in (e.threshold(certificate) for e in self.epsilons) if t is not None]

    def chain(self, first: CurveUnit, whole: CurveUnit, plan: SizePlan) -> tuple[list[CurveUnit], bool]:
        """The stages of a block, and whether all that it asks for are finished."""
        chain = [first]
        while chain[-1].key in self.done:
            following = self.following(chain, whole, plan.refine or plan.ratio)
            if following is None or len(chain) == MOST_STAGES:
                return chain, True
            chain.append(following)
        return chain, False

    def following(self, chain: Sequence[CurveUnit], whole: CurveUnit, ratio: float) -> CurveUnit | None:
        rows = self.rows(chain)
        wanted = {}
        for replicate, grid in zip(whole.replicates, whole.sizes, strict=True):
            own = [
                r
                for r in rows
                if (r.target_index, r.sample_index, r.init_index) == dataclasses.astuple(replicate)
            ]
            taken = [
                n
                for u in chain
                for r, s in zip(u.replicates, u.sizes, strict=True)
                if r == replicate
                for n in s
            ]
            # A row counts for the thresholds of which it says on which side it lies.
            sizes: set[int] = set()
            for threshold in self.thresholds(whole, replicate):
                measured = [(r.n, r.error or 0.0) for r in own if decides(r, threshold)]
                sizes.update(next_sizes(measured, taken, [threshold], ratio, (min(grid), max(grid))))
            if sizes:
                wanted[replicate] = tuple(sorted(sizes))
        if not wanted:
            return None
        return later_stage(whole, len(chain), tuple(wanted), tuple(wanted.values()))
