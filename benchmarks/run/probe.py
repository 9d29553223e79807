"""What can be known before the first unit: whether foreign learners are learners, and a device is there."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from collections.abc import Iterable

from hierbench.benchmarks.isolation.host import Process, There
from hierbench.benchmarks.suites.devices import CPU
from hierbench.benchmarks.units.fitting import LearnerGoneError
from hierbench.benchmarks.units.plain import DescribedError, one_line
from hierbench.benchmarks.units.rows import Metric
from hierbench.benchmarks.units.unit import CurveUnit
from hierbench.errors import UserError, refusal

KINDS = ("", "regressor", "classifier")
"""Of estimators, as scikit-learn calls them; empty for one that it does not know."""
SECONDS = 60.0
DEVICE = """
import sys
import jax
platform, _, index = sys.argv[1].partition(":")
try:
    jax.devices(platform)[int(index or 0)]
except IndexError:
    sys.exit(f"jax finds {len(jax.devices(platform))} of them")
except RuntimeError as error:
    sys.exit(f"jax: {error}")
"""
"""Run in a process of its own, since jax keeps a GPU that it has looked at."""


def refuse_device(device: str) -> None:
    """Look for the device that units are to be computed on.

    Raises
    ------
    UserError
        jax does not find it.
    """
    if device != CPU and (why := unusable(device)):
        raise UserError(
            f"--device {device}: there is none to compute on ({why}); docs/gpu.md has what it takes"
        )


def unusable(device: str) -> str:
    """Why jax cannot compute on a device, in one line; empty where it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", DEVICE, device], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"jax did not find it within {SECONDS:.0f} s"
    return one_line(done.stderr.strip().rpartition("\n")[2] or "jax ended", 300) if done.returncode else ""


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
