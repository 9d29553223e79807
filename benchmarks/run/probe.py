"""What can be known of foreign learners before the first unit: whether they are learners at all."""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Iterable

from hierbench.benchmarks.isolation.host import Process, There
from hierbench.benchmarks.units.fitting import LearnerGoneError
from hierbench.benchmarks.units.plain import DescribedError
from hierbench.benchmarks.units.rows import Metric
from hierbench.benchmarks.units.unit import CurveUnit
from hierbench.errors import UserError, refusal

KINDS = ("", "regressor", "classifier")
"""Of estimators, as scikit-learn calls them; empty for one that it does not know."""
SECONDS = 60.0


def refuse_unfit(units: Iterable[CurveUnit], processes: int) -> None:
    """Make every foreign learner of these units once, in a process of its own.

    Parameters
    ----------
    processes : int
        How many at a time.

    Raises
    ------
    UserError
        One cannot be made, or neither regresses nor classifies; or no unit would have a number.
    """
    units = list(units)
    foreign = {u.learner: u for u in units if u.is_foreign}
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        classifiers = dict(zip(foreign, pool.map(_is_classifier, foreign.values()), strict=True))
    skipped = [u for u in units if classifiers.get(u.learner) and u.metric != Metric.MISCLASSIFICATION]
    if units and len(skipped) == len(units):
        names = ", ".join(sorted({u.learner for u in skipped}))
        raise UserError(
            f"nothing to measure: {names} would classify, and the labels of "
            f"{', '.join(sorted({u.target for u in skipped}))} are real numbers; add a regressor, or targets "
            "with classify = true"
        )


def _is_classifier(unit: CurveUnit) -> bool:
    spec = unit.learner_spec
    try:
        with Process(SECONDS) as process:
            learner = There(process, spec["name"], spec["parameters"], sys.path)
    except (LearnerGoneError, DescribedError) as error:
        raise UserError(f"learner {unit.learner} ({spec['name']}) cannot be made: {error}") from error
    if learner.kind not in KINDS:
        allowed = "a regressor or a classifier, as scikit-learn calls them"
        raise UserError(refusal(f"learner {unit.learner}", learner.kind, allowed))
    return learner.is_classifier
