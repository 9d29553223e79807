"""Adaptive runs: the stages that the rows of earlier ones ask for."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence, Set

from hierbench.benchmarks.results.readings import of_one_machine, suite_certificates
from hierbench.benchmarks.results.refine import expected, next_sizes, starting_sizes
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, decides, n_stars
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.epsilon import epsilons_of
from hierbench.benchmarks.suites.fixed_sizes import STAGE
from hierbench.benchmarks.suites.plan import Plan, later_stage
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CurveUnit

MOST_STAGES = 10
"""Open brackets are followed 1, 2, 4, ... sizes of the fine grid at a time, and wide ones halved: that takes
fewer on any grid of some hundred sizes."""


def resolved(plan: Plan, store: Store) -> Plan:
    """The plan with the later stages that finished units ask for: see ``Stages``."""
    return Stages(plan, store).resolved()


class Stages:
    """A plan that grows with its store.

    The smallest d of a block starts with the plan's own grid. The next d waits until that is through, and
    starts where n* is to be expected from there (``refine.expected``), with one size for each epsilon. A
    stage follows from the rows of the stages and dimensions before it, and from their certificates, and
    from nothing else, so that a run that is interrupted, or drawn again later, finds the same ones.

    Stopping rule: a block has no further stage where the bracket of n* of each of its replicates, at every
    epsilon of the suite, is as narrow as ``refine`` or open at an end of the plan's grid; where the last
    stage, or a certificate, is not finished; or after ``MOST_STAGES``.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self.epsilons = epsilons_of(plan.suite)
        self.sizes = {cell: r.sizes for r in plan.suite.runs if r.sizes.refine for cell in r.cells()}
        self.blocks: dict[tuple[str, str, int], list[CurveUnit]] = defaultdict(list)
        for unit in plan.curves:
            if self._grows(unit):
                self.blocks[unit.learner, unit.target, unit.block].append(unit)
        self.certificates: Certificates = {}
        # what follows from finished units does not change, and is looked up once
        self.next_stages: dict[tuple[str, ...], CurveUnit | None] = {}
        self.stars: dict[tuple[str, ...], list[NStar]] = {}

    def _grows(self, unit: CurveUnit) -> bool:
        return unit.stage != STAGE and _cell(unit) in self.sizes

    @property
    def adaptive(self) -> bool:
        """Whether it can grow at all."""
        return bool(self.sizes)

    def resolved(self) -> Plan:
        """The plan, with all units that what is in the store now asks for."""
        if not self.adaptive:
            return self.plan
        done = self.store.done()
        if len(self.certificates) < len(self.plan.certificates):
            self.certificates = suite_certificates(self.plan, self.store)
        stages: dict[str, list[CurveUnit]] = {}
        adaptive = {(target, d) for _, target, d in self.sizes}
        urgent = {u.key: math.inf for u in self.plan.certificates if (u.target, u.d) in adaptive}
        for units in self.blocks.values():
            stars: list[NStar] = []
            left = sum(u.cost for u in units)
            for unit in sorted(units, key=lambda u: u.d):
                chain, through = self._chain(unit, stars, done)
                stages[unit.key] = chain
                if not through:
                    urgent[chain[-1].key] = left
                    break
                left -= unit.cost
                stars = stars + self._stars(chain)
        curves = []
        for unit in self.plan.curves:
            curves += stages.get(unit.key, []) if self._grows(unit) else [unit]
        return dataclasses.replace(self.plan, curves=tuple(curves), urgent=urgent)

    def _chain(
        self, whole: CurveUnit, stars: Sequence[NStar], done: Set[str]
    ) -> tuple[list[CurveUnit], bool]:
        """The stages of a block, and whether all that it asks for are finished."""
        plan = self.sizes[_cell(whole)]
        where = expected(stars, whole.d, plan.power) if stars else []
        chain = [whole]
        if where and plan.refine:
            sizes = tuple(starting_sizes(where, min(s), max(s), plan.refine) for s in whole.sizes)
            chain = [later_stage(self.plan.suite, whole, 0, whole.replicates, sizes)]
        certified = all((whole.target, whole.d, r.target) in self.certificates for r in whole.replicates)
        while certified and chain[-1].key in done:
            keys = tuple(u.key for u in chain)
            if keys not in self.next_stages:
                self.next_stages[keys] = self._following(chain, whole, plan.refine or plan.ratio)
            following = self.next_stages[keys]
            if following is None or len(chain) == MOST_STAGES:
                return chain, True
            chain.append(following)
        return chain, False

    def _rows(self, chain: Sequence[CurveUnit]) -> list[Row]:
        """Of a block, under the labels of its first unit."""
        rows = of_one_machine(self.store.rows(u.key for u in chain))
        return [dataclasses.replace(r, learner=chain[0].learner, target=chain[0].target) for r in rows]

    def _stars(self, chain: Sequence[CurveUnit]) -> list[NStar]:
        keys = tuple(u.key for u in chain)
        if keys not in self.stars:
            self.stars[keys] = n_stars(self._rows(chain), self.certificates, self.epsilons)
        return self.stars[keys]

    def _following(self, chain: Sequence[CurveUnit], whole: CurveUnit, ratio: float) -> CurveUnit | None:
        rows = self._rows(chain)
        wanted = {}
        for replicate, grid in zip(whole.replicates, whole.sizes, strict=True):
            replicate_rows = [r for r in rows if r.replicate == replicate]
            taken = [
                n
                for u in chain
                for r, s in zip(u.replicates, u.sizes, strict=True)
                if r == replicate
                for n in s
            ]
            certificate = self.certificates[whole.target, whole.d, replicate.target]
            sizes: set[int] = set()
            for epsilon in self.epsilons:
                threshold = epsilon.threshold(certificate)
                if threshold is None:
                    continue
                # A row counts for the thresholds of which it says on which side it lies.
                measured = [(r.n, r.error or 0.0) for r in replicate_rows if decides(r, threshold)]
                step = 2 ** (len(chain) - 1)
                sizes.update(next_sizes(measured, taken, [threshold], ratio, (min(grid), max(grid)), step))
            if sizes:
                wanted[replicate] = tuple(sorted(sizes))
        if not wanted:
            return None
        suite = self.plan.suite
        return later_stage(suite, whole, len(chain), tuple(wanted), tuple(wanted.values()))


def _cell(unit: CurveUnit) -> tuple[str, str, int]:
    return unit.learner, unit.target, unit.d
