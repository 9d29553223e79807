"""The exact tier of the gate: cells so small that nothing but rounding may differ between two machines.

Every registered learner is fitted to a few dozen noisy points, through the same units of work as any suite.
Noise keeps the chosen ridges away from zero, and with them the condition numbers. What is recorded
is compared within a tolerance that follows from the arithmetic, so that the tier
survives another CPU and still sees a change that a tuned fit would hide in its statistics.
Beside it stand the data of the gated suite as its units see them, and the certificates of its targets.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hierbench.benchmarks.gate.baseline_files import Cells
from hierbench.benchmarks.provenance.modules import takes
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite import (
    LearnerEntry,
    Run,
    SizePlan,
    Suite,
    TargetEntry,
    TestPlan,
    plain_replicates,
)
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit
from hierbench.benchmarks.units.vocabulary import CertificateFields
from hierbench.learners.registry import LEARNERS

SHORT = {"steps": 40, "dtype": "float64", "batch_size": 32, "max_iter": 40, "n_candidates": 4}
"""Nets: float64 and few steps, before rounding has grown. Trees: a short search."""

EPSILON = 2.0**-52

NETS = 1e-8
"""Absolute, of root mean squared errors where labels have variance 1. 40 to 240 steps amplify rounding of
2e-16: to 6e-14 as measured between instruction sets (docs/gate.md), to 1e-8 as allowed."""

KERNELS = 64 * math.sqrt(EPSILON)
"""About 1e-6. A distance between equal points has rounding sqrt(2e-16) = 1.5e-8, and kernels with a kink
there see it; chosen ridges leave condition numbers up to 1e10. Measured: to 1e-7, with another BLAS."""

DATA = 1e-10
"""Relative: sums of a few thousand products, in another order."""

CHOICES = 1e-5
"""Relative, of chosen hyperparameters: lattice values are equal, rounding aside."""

OPTIMISED = {"krr_dot_product": (0.02, 1e-4)}
"""Tolerances of choices and errors for learners that minimise over a continuum: a minimum is flat, and the
descent stops after so many looks. Between two CPUs the weights of this kernel and its ridge moved by up to
0.3 %; with another BLAS one error moved by 1.1e-5, and by 6e-6 where inputs changed by 2e-16, relatively."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One recorded value that is another now; ``size`` in tolerances, infinite for what is no number."""

    cell: str
    name: str
    before: object
    after: object
    size: float

    def __str__(self) -> str:
        how = f" ({self.size:.3g} tolerances)" if math.isfinite(self.size) else ""
        return f"{self.cell}: {self.name} was {_text(self.before)}, is {_text(self.after)}{how}"


def exact_suite(learners: Iterable[str] | None = None, first: int = 0) -> Suite:
    """Tiny cells of these learners (all that are registered).

    Parameters
    ----------
    learners : names, optional
    first : int
        Index of the first of the two replicates.
    """
    names = tuple(LEARNERS if learners is None else learners)
    entries = []
    for name in names:
        short = {k: v for k, v in SHORT.items() if takes(LEARNERS[name].path, k)}
        entries.append(LearnerEntry(name, name, short))
    target = TargetEntry("squares-noisy", "squares", {"depth": 2, "width": 2, "noise": 0.3})
    replicates = plain_replicates(2, first)
    sizes = SizePlan(scale=10, power=1, ratio=3, count=2, max=400)
    run = Run((target.label,), names, (4,), sizes, replicates)
    return Suite(
        name="exact",
        summary="tiny cells of every learner",
        test=TestPlan(512, 512),
        timeout_seconds=120,
        epsilons=(0.1,),
        relative_epsilons=(),
        top_epsilons=(),
        traces=False,
        targets=(target,),
        learners=tuple(entries),
        runs=(run,),
    )


def learner_records(rows: Iterable[Row]) -> Cells:
    """What is recorded of every row, by cell."""
    return {
        f"{row.learner}, target {row.target_index}, n = {row.n}": {
            "status": row.status,
            "rms_error": _root(row.error),
            "rms_train_error": _root(row.train_error),
            "steps": row.steps,
            "hyperparameters": row.hyperparameters,
        }
        for row in rows
    }


def data_records(plan: Plan) -> Cells:
    """Moments of the data of every target and d of a suite, for its first replicate, as units see them.

    A test set of the wrong variance, noise that has slipped into the labels, another law of inputs: each
    changes one of them. The errors of rows would not tell the first from a worse learner, since they
    are relative to a variance of 1 that the certificate promises.
    """
    from hierbench.benchmarks.units.compute_curves import (
        Block,  # what units hand to learners, not what they should
        draw_targets,
    )

    records: dict[str, dict[str, float]] = {}
    for unit in _first_units(plan):
        one = dataclasses.replace(unit, replicates=unit.replicates[:1], sizes=unit.sizes[:1])
        block = Block(one, draw_targets(one), classifier=False)
        curve = block.curves[0]
        index = one.replicates[0].target
        X_test, y_test, weights = block.test_piece(index, 0)
        records[f"data of {unit.target}, d = {unit.d}, target {index}"] = {
            "train_inputs_mean_square": float((curve.X**2).mean()),
            "train_labels_mean": float(curve.y.mean()),
            "train_labels_mean_square": float((curve.y**2).mean()),
            "train_labels_first": float(curve.y[0]),
            "test_inputs_mean_square": float((weights[:, None] * X_test**2).mean()),
            "test_labels_mean": float((weights * y_test).mean()),
            "test_labels_mean_square": float((weights * y_test**2).mean()),
            "test_labels_first": float(y_test[0]),
        }
    return records


def certificate_units(plan: Plan) -> tuple[CertificateUnit, ...]:
    """The certificates that are recorded: of the first target at every d."""
    first = {(u.target, u.d, u.replicates[0].target) for u in _first_units(plan)}
    return tuple(u for u in plan.certificates if (u.target, u.d, u.target_index) in first)


def certificate_records(certificates: Mapping[str, CertificateFields]) -> Cells:
    """Moments and shares of variance, from certificates (``to_json``) by cell."""
    fields = ("mean", "variance", "kurtosis", "degree_share", "level_share")
    return {cell: _numbers({k: one[k] for k in fields}) for cell, one in certificates.items()}


def tolerance_of(cell: str) -> float:
    """Absolute tolerance of root mean squared errors in a learner's cell."""
    learner = cell.partition(",")[0]
    if learner in OPTIMISED:
        return OPTIMISED[learner][1]
    if learner in LEARNERS and takes(LEARNERS[learner].path, "steps"):
        return NETS
    return KERNELS


def differences(before: Cells, after: Cells) -> tuple[list[Difference], list[str], list[str]]:
    """Recorded values that are others now.

    Returns
    -------
    changed : list of Difference
    new, gone : list of str
        Cells of one side only.
    """
    changed = []
    for cell in [c for c in before if c in after]:
        old, new = _flat(before[cell]), _flat(after[cell])
        for name in sorted(old.keys() | new.keys()):
            a, b = old.get(name), new.get(name)
            size = _distance(cell, name, a, b)
            if size > 1:
                changed.append(Difference(cell, name, a, b, size))
    return changed, [c for c in after if c not in before], [c for c in before if c not in after]


def comparable(before: Cells, after: Cells) -> int:
    """How many cells have a measured number on both sides (steps and choices alone are none)."""
    return sum(
        _has_number(before[cell]) and _has_number(after[cell]) for cell in before.keys() & after.keys()
    )


def _has_number(record: Mapping[str, Any]) -> bool:
    return record.get("rms_error") is not None if "rms_error" in record else bool(_flat(record))


def _distance(cell: str, name: str, a: Any, b: Any) -> float:
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, (int, float)):
        return 0.0 if a == b else math.inf
    if not isinstance(b, (int, float)):
        return math.inf
    if name.startswith("rms_"):
        return abs(a - b) / tolerance_of(cell)
    choices, _ = OPTIMISED.get(cell.partition(",")[0], (CHOICES, None))
    relative = choices if name.startswith("hyperparameters") else DATA
    # the means of data, and shares that vanish, are held to the unit scale of inputs and labels
    scale = max(abs(a), abs(b)) if name.startswith("hyperparameters") else max(abs(a), abs(b), 1.0)
    return abs(a - b) / (relative * scale) if a != b else 0.0


def _first_units(plan: Plan) -> Sequence[CurveUnit]:
    """One unit of work for each target and d."""
    first: dict[tuple[str, int], CurveUnit] = {}
    for unit in plan.curves:
        first.setdefault((unit.target, unit.d), unit)
    return list(first.values())


def _numbers(value: Any) -> Any:
    """Estimates as their values, keys as text."""
    if isinstance(value, Mapping):
        if set(value) == {"value", "stderr"}:
            return value["value"]
        return {str(k): _numbers(v) for k, v in value.items()}
    return value


def _flat(value: Any, prefix: str = "") -> dict[str, object]:
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = dict(enumerate(value)).items()
    else:
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, inner in items:
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(square)


def _text(value: Any) -> str:
    return f"{value:.8g}" if isinstance(value, float) else "absent" if value is None else str(value)


def exact_plan() -> Plan:
    """Units of the tiny cells of every learner; their certificates are not needed."""
    return dataclasses.replace(make_plan(exact_suite()), certificates=())
