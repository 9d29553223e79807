"""What the store has of a suite: rows, certificates, measurements, and what of it is missing."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.provenance.modules import default_of
from hierbench.benchmarks.results.prices import prices_of
from hierbench.benchmarks.results.readings import apart, suite_certificates, suite_measurements, suite_rows
from hierbench.benchmarks.results.stages import resolved
from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.devices import PARAMETER, as_run, on_device
from hierbench.benchmarks.suites.fixed_sizes import STAGE
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.benchmarks.units.vocabulary import LearnerSpec
from hierbench.learners.registry import resolve

Missing = Mapping[tuple[str, str, int | None], int]
"""Number of units that are not done, by learner, target and d; None where it is not known at which d."""
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}


@dataclasses.dataclass(frozen=True)
class SuiteResults:
    """What the store has of one suite, adaptive stages included, under the suite's labels.

    Attributes
    ----------
    rows : sequence of Row
        In the order of the plan.
    certificates : mapping of (target, d, target index) to Certificate
    missing : mapping of (learner, target, d) to int
        Units of the cell that are not done; cells with none are left out.
    optimizers : mapping of str to str
        By learner; those that are not trained by gradient descent are left out.
    measurements : mapping of str to sequence of Measurement
        By the label of the experiment.
    missing_experiments : mapping of str to int
        Units of the experiment that are not done; those with none are left out.
    reference : frozenset of str
        Learners whose rows are all reference results.
    reference_source : str
        Where these come from.
    fixed : sequence of Row
        Those at sizes that all replicates share (``hierbench.benchmarks.suites.fixed_sizes``): n* is not
        taken from them, and ``rows`` has none of them.
    prices : mapping of (learner, target, d) to float
        Core-seconds of what is missing, as a dry run estimates them.
    experiment_prices : mapping of str to float
        Core-seconds of the experiment's units that are missing, by its cost alone.
    shipped : str
        Where they come from, if not from a store.
    plan : Plan or None
        The units, later stages included; None where results do not come from a store.
    """

    rows: Sequence[Row]
    certificates: Certificates
    missing: Missing = dataclasses.field(default_factory=dict)
    optimizers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measurements: Mapping[str, Sequence[Measurement]] = dataclasses.field(default_factory=dict)
    missing_experiments: Mapping[str, int] = dataclasses.field(default_factory=dict)
    reference: frozenset[str] = frozenset()
    reference_source: str = ""
    fixed: Sequence[Row] = ()
    prices: Mapping[tuple[str, str, int | None], float] = dataclasses.field(default_factory=dict)
    experiment_prices: Mapping[str, float] = dataclasses.field(default_factory=dict)
    shipped: str = ""
    plan: Plan | None = None

    def __bool__(self) -> bool:
        """Whether there is anything: a row, or a measurement."""
        return bool(self.rows or self.measurements)

    @classmethod
    def read(cls, suite: Suite | str, store: Store) -> SuiteResults:
        """Read what a store has of a suite.

        Parameters
        ----------
        suite : Suite or str
            A suite, or the name or path of one.
        store : Store

        Raises
        ------
        UserError
            From the suite file, or from the store.
        """
        chosen = load_suite(suite) if isinstance(suite, str) else suite
        return cls.of(make_plan(on_its_device(chosen, store)), store)

    @classmethod
    def of(cls, plan: Plan, store: Store) -> SuiteResults:
        """Read what a store has of a plan, and of the later stages that its rows ask for."""
        whole, plan = plan, resolved(plan, store)
        done = store.done()
        grids = [u for u in whole.curves if u.stage != STAGE]
        begun = {(u.learner, u.target, u.block, u.d) for u in plan.curves if u.stage != STAGE}
        # a d of an adaptive block has no units of its own before the smaller ones are through
        waiting = [u for u in grids if (u.learner, u.target, u.block, u.d) not in begun]
        missing: dict[tuple[str, str, int | None], int] = Counter(
            (u.learner, u.target, u.d) for u in (*plan.curves, *waiting) if u.key not in done
        )
        uncertified = {(u.target, u.d, u.target_index) for u in plan.certificates if u.key not in done}
        needed: dict[tuple[str, str, int], set[tuple[str, int, int]]] = defaultdict(set)
        for u in plan.curves:
            needed[u.learner, u.target, u.d] |= {(u.target, u.d, r.target) for r in u.replicates}
        for cell, targets in needed.items():
            if absent := len(targets & uncertified):
                missing[cell] += absent
        rows, fixed = apart(suite_rows(plan, store))
        took = {unit.key: unit.seconds for unit in store.units() if unit.key in done}
        experiments: dict[str, float] = defaultdict(float)
        for one in plan.experiments:
            if one.key not in done:
                experiments[one.experiment] += one.cost
        return cls(
            rows=rows,
            fixed=fixed,
            certificates=suite_certificates(plan, store),
            missing=missing,
            optimizers=optimizers_of(plan),
            measurements=suite_measurements(plan, store),
            missing_experiments=Counter(u.experiment for u in plan.experiments if u.key not in done),
            prices=prices_of((*plan.curves, *waiting), took),
            experiment_prices=experiments,
            plan=plan,
        )


def on_its_device(suite: Suite, store: Store) -> Suite:
    """The suite on the device on which the store has most of its units, those of other code left aside."""
    units = [unit for unit in store.units() if unit.suite == suite.name and unit.status == UnitStatus.DONE]
    specs = {unit.key: unit.axes["learner"] for unit in units if "learner" in unit.axes}
    devices = {spec["parameters"].get(PARAMETER) for spec in specs.values()} - {None}
    if not devices:
        return suite
    places = [suite, *(on_device(suite, str(device)) for device in devices)]
    keys = {unit.key for place in places for unit in make_plan(place).curves}
    return as_run(suite, (spec for key, spec in specs.items() if key in keys))


def optimizers_of(plan: Plan) -> dict[str, str]:
    """Optimisers of the learners of a plan that are trained by gradient descent."""
    named = {unit.learner: _optimizer(unit.learner_spec) for unit in plan.curves}
    return {learner: name for learner, name in named.items() if name}


def _optimizer(spec: LearnerSpec) -> str | None:
    """The optimiser that a learner is trained by, given or by default; from the source, unimported."""
    default = default_of(resolve(spec["name"]).path, "optimizer")
    chosen = spec["parameters"].get("optimizer", default)
    return None if chosen is None else OPTIMIZERS.get(str(chosen), str(chosen))
