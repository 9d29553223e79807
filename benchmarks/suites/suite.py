"""What a suite asks for, as plain typed data. ``suite_file`` reads it from TOML."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.suites.fixed_sizes import Cell, FixedSizes
from hierbench.benchmarks.units.rows import REPLICATES_PER_BLOCK, Replicate
from hierbench.benchmarks.units.seeds import derive
from hierbench.benchmarks.units.vocabulary import LearnerSpec, Parameters, TargetSpec
from hierbench.learners import registry as learner_registry
from hierbench.targets import registry as target_registry

STATISTICS = ("median_error",)
"""What a bar may be set on."""

_GOLDEN = 0.618


@dataclasses.dataclass(frozen=True)
class SizePlan:
    """Geometric grid of training-set sizes, staggered from replicate to replicate and from d to d.

    n_i = scale d^power ratio^(i + u(d, r)), i = 0..count-1, rounded, cut at ``max``, where r is the
    replicate's sample index; u is in ``stagger``. Without the stagger the bracket of n* would have the
    same two ends in every replicate, and width zero.

    With ``refine`` this is the first stage only: further sizes are put into the brackets of n*
    that are wider than this ratio, stage by stage (``hierbench.benchmarks.results.stages``). The stagger is
    then by refine^u: the grid that sizes end up on is the fine one, and all replicates cover the same range:
    what the stagger alone would put beyond ``max`` is at ``max``.
    """

    scale: float
    power: float
    ratio: float
    count: int
    max: int
    refine: float | None = None

    def stagger(self, d: int, sample: int) -> float:
        """u(d, r) = frac(h_d + 0.618 r), h_d in [0, 1) a hash of d, scale, power and the grid's ratio.

        That ratio is ``refine`` where it is given. Replicates stay apart, however many there are, and share
        every step of the grid out among them. Were h the same at every d, where the curve lies between
        sizes would follow from its exponent, and so would whether the exponent's interval holds it. With h
        uniform, and independent from d to d, a curve may be moved up, or tilted, and lies between sizes by
        the same law: a location model, in which flat priors on level and slope are exact at a known scatter
        (Pitman, Biometrika 30, 1939). Neither ``count``, ``max`` nor any other d enters: what is added
        changes no existing size.
        """
        step = float(self.ratio if self.refine is None else self.refine)
        seed = derive("sizes", scale=float(self.scale), power=float(self.power), step=step, d=d)
        return math.modf(seed / 2**63 + _GOLDEN * sample)[0]

    def sizes(self, d: int, sample: int) -> tuple[int, ...]:
        """Strictly increasing sizes of the replicate with this sample index."""
        shift, fine = self.stagger(d, sample), self.refine
        sizes = set()
        for i in range(self.count):
            try:
                base = self.scale * d**self.power * self.ratio**i
                if round(base) > self.max:  # as will be all that follow
                    break
            except OverflowError:  # of a power, or of the product: nothing infinite is rounded
                break
            if fine is None:
                sizes.add(round(base * self.ratio**shift))
            else:
                sizes.add(min(round(base * fine**shift), self.max))
        return tuple(sorted(n for n in sizes if n <= self.max))


@dataclasses.dataclass(frozen=True)
class TestPlan:
    """Test sets start at ``min`` points and double, at most to ``max``, until the error is known to 10 %."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    min: int
    max: int


@dataclasses.dataclass(frozen=True)
class TargetEntry:
    """A target family with its parameters, under a label that is unique in the suite."""

    label: str
    family: str
    params: Parameters

    def spec(self) -> TargetSpec:
        """Family and parameters, as keys and rows have them."""
        return {"family": self.family, "parameters": dict(self.params)}


@dataclasses.dataclass(frozen=True)
class LearnerEntry:
    """A learner (registered name or import path) with its parameters, under a unique label.

    ``seconds``: what a fit with these parameters takes, to an order of magnitude; None is what the learner's
    cost law says, which is of its default parameters, or unknown where it has none.
    """

    label: str
    learner: str
    params: Parameters
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """Cells of the suite: every learner on every target at every d, with one size plan.

    ``test`` : of its cells; None is that of the suite.
    """

    targets: tuple[str, ...]
    learners: tuple[str, ...]
    d: tuple[int, ...]
    sizes: SizePlan
    replicates: tuple[Replicate, ...]
    test: TestPlan | None = None

    def cells(self) -> Iterator[tuple[str, str, int]]:
        """(learner, target, d), in a fixed order."""
        return itertools.product(self.learners, self.targets, self.d)

    def blocks(self) -> list[tuple[Replicate, ...]]:
        """The replicates four by four: a block is always computed whole."""
        step = REPLICATES_PER_BLOCK
        return [self.replicates[i : i + step] for i in range(0, len(self.replicates), step)]


@dataclasses.dataclass(frozen=True)
class ExperimentEntry:
    """An experiment (``hierbench.benchmarks.units.experiments``) under a unique label.

    Attributes
    ----------
    params : dict
        The same in all its units.
    over : dict of str to tuple
        There is one unit for each combination of these values.
    seconds : float
        What a unit takes, to an order of magnitude.
    """

    label: str
    experiment: str
    params: Parameters
    over: dict[str, tuple[Any, ...]]
    seconds: float

    def units(self) -> Iterator[Parameters]:
        """Parameters of each unit, the last of ``over`` running fastest."""
        for values in itertools.product(*self.over.values()):
            yield {**self.params, **dict(zip(self.over, values, strict=True))}


@dataclasses.dataclass(frozen=True)
class Bar:
    """An acceptance bar: ``statistic`` of the replicates at exactly this cell may be at most ``max``."""

    label: str
    target: str
    learner: str
    d: int
    n: int
    statistic: str
    max: float


@dataclasses.dataclass(frozen=True)
class Suite:
    """A suite, checked: every name resolves and every cell can be computed."""

    name: str
    summary: str
    test: TestPlan
    timeout_seconds: float
    epsilons: tuple[float, ...]
    relative_epsilons: tuple[float, ...]
    top_epsilons: tuple[float, ...]
    traces: bool
    targets: tuple[TargetEntry, ...]
    learners: tuple[LearnerEntry, ...]
    runs: tuple[Run, ...]
    bars: tuple[Bar, ...] = ()
    experiments: tuple[ExperimentEntry, ...] = ()
    weakest_epsilons: tuple[float, ...] = ()
    fixed: tuple[FixedSizes, ...] = ()

    def target(self, label: str) -> TargetEntry:
        """The target of that label."""
        return next(t for t in self.targets if t.label == label)

    def learner(self, label: str) -> LearnerEntry:
        """The learner of that label."""
        return next(e for e in self.learners if e.label == label)

    def test_of(self, run: Run) -> TestPlan:
        """Test sets of one of the runs."""
        return run.test or self.test

    def largest_sizes(self) -> dict[Cell, int]:
        """``max`` of the size plan of every cell."""
        return {cell: run.sizes.max for run in self.runs for cell in run.cells()}


def plain_replicates(count: int, first: int = 0) -> tuple[Replicate, ...]:
    """Replicates (r, r, r) from ``first`` on."""
    return tuple(Replicate(r, r, r) for r in range(first, first + count))


def crossed_replicates(targets: int, samples: int, inits: int) -> tuple[Replicate, ...]:
    """All triples, the initialisation running fastest."""
    return tuple(
        Replicate(*triple) for triple in itertools.product(range(targets), range(samples), range(inits))
    )


def learner_spec(entry: LearnerEntry, target: TargetEntry, d: int) -> LearnerSpec:
    """What a learner is known by: its name (or import path) and its constructor parameters.

    What it may know of the target is filled in. A registered learner has no module here, so that a file
    that moves changes no identity.
    """
    descriptor = learner_registry.resolve(entry.learner)
    from_target: Parameters = {}
    if descriptor.knows_degree or descriptor.knows_depth:
        degree = facts_of(target.family, d, target.params).degree
        if descriptor.knows_degree and degree:  # 0: nobody knows it, and the learner keeps its default
            from_target[descriptor.knows_degree] = degree
        if descriptor.knows_depth and degree:
            from_target[descriptor.knows_depth] = (degree - 1).bit_length()
    return {"name": entry.learner, "parameters": {**descriptor.parameters, **from_target, **entry.params}}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What targets of a family with the same parameters share; ``nominal``: classes without an order."""

    degree: int
    classes: tuple[float, ...]
    nominal: bool


_KNOWN: dict[str, Facts] = {}


def facts_of(family: str, d: int, params: Mapping[str, Any]) -> Facts:
    """Facts about the targets of this family, found on one of them."""
    key = digest([family, d, dict(params)])
    if key not in _KNOWN:
        target = target_registry.make_target(family, d, 0, **params)
        _KNOWN[key] = Facts(target.degree, target.classes, target.nominal)
    return _KNOWN[key]
