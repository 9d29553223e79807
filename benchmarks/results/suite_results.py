"""What the store holds for the claims: a suite's rows, what of it is missing, and with which optimiser."""

from __future__ import annotations

import ast
import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.provenance.modules import find_class
from hierbench.benchmarks.results.readings import suite_certificates, suite_measurements, suite_rows
from hierbench.benchmarks.results.stages import resolved
from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Row
from hierbench.learners.registry import resolve

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Rows and certificates of one suite.

    Attributes
    ----------
    missing : mapping of (learner, target) to int
        Units of the pair that are not done; pairs with none are left out.
    optimizers : mapping of str to str
        By learner; those that are not trained by gradient descent are left out.
    measurements : mapping of str to sequence of Measurement
        By the label of the experiment.
    missing_experiments : mapping of str to int
        Units of the experiment that are not done; those with none are left out.
    """

    rows: Sequence[Row]
    certificates: Certificates
    missing: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    optimizers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measurements: Mapping[str, Sequence[Measurement]] = dataclasses.field(default_factory=dict)
    missing_experiments: Mapping[str, int] = dataclasses.field(default_factory=dict)


def gather(name: str, store: Store) -> Evidence:
    """Evidence of the suite called ``name``, adaptive stages included.

    Raises
    ------
    UserError
        From the suite file, or from the store.
    """
    plan = resolved(make_plan(load_suite(name)), store)
    done = store.done()
    missing = Counter((u.learner, u.target) for u in plan.curves if u.key not in done)
    labels: dict[str, list[str]] = {}
    for unit in plan.certificates:
        if unit.key not in done:
            labels.setdefault(unit.target, []).append(unit.key)
    for learner, target in {(u.learner, u.target) for u in plan.curves}:
        if waiting := len(labels.get(target, ())):
            missing[learner, target] += waiting
    specs = {u.learner: u.learner_spec for u in plan.curves}
    known = {learner: _optimizer(spec) for learner, spec in specs.items()}
    return Evidence(
        rows=suite_rows(plan, store),
        certificates=suite_certificates(plan, store),
        missing=missing,
        optimizers={learner: name for learner, name in known.items() if name},
        measurements=suite_measurements(plan, store),
        missing_experiments=Counter(u.experiment for u in plan.experiments if u.key not in done),
    )


def _optimizer(spec: Mapping[str, object]) -> str | None:
    """The optimiser that a learner is trained by, given or by default; from the source, unimported."""
    parameters = spec["parameters"]
    assert isinstance(parameters, dict)
    chosen = parameters.get("optimizer", _default(resolve(str(spec["name"])).path, "optimizer"))
    return None if chosen is None else OPTIMIZERS.get(str(chosen), str(chosen))


def _default(path: str, parameter: str) -> object:
    """Default of a keyword of the constructor of ``module:Class``, inherited or not; None without one."""
    module, _, name = path.partition(":")
    found = find_class(module, name)
    while found is not None:
        module, definition = found
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                defaults = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                known = {a.arg: value.value for a, value in defaults if isinstance(value, ast.Constant)}
                return known.get(parameter)
        bases = (find_class(module, b.id) for b in definition.bases if isinstance(b, ast.Name))
        found = next((base for base in bases if base is not None), None)
    return None
