"""``hierbench check-target``: what a target keeps, what is known of it, and how kernels do on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench import plugins
from hierbench.benchmarks.commands.contract import SECONDS, show_contract
from hierbench.benchmarks.commands.describe import parsed, print_certificate
from hierbench.benchmarks.commands.run import execute
from hierbench.benchmarks.isolation.outcomes import outcomes
from hierbench.benchmarks.suites.finite import points_of
from hierbench.benchmarks.suites.suite import SizePlan, Suite, TargetEntry, TestPlan
from hierbench.benchmarks.suites.suite_file import check_target, load_suite
from hierbench.errors import UserError
from hierbench.targets.registry import FAMILIES, family

if TYPE_CHECKING:
    from hierbench.targets.base import Target

SUITE = "smoke"
DOUBLINGS = 4
"""Sizes that learners get of a target made of data."""
MOST = 1024
"""The largest."""


def check(name: str, d: int, settings: Sequence[str], results: Path, workers: int | None) -> int:
    """Print whether a target keeps the contract, its certificate, and n* of the learners of a small suite.

    Parameters
    ----------
    name : str
        Registered name, or import path of a class of targets.
    d : int
        Dimension of the contract and the certificate; the suite has its own.
    settings : sequence of str
        ``parameter=value``.

    Returns
    -------
    int
        Exit status: 1 if a check of the contract fails, or as of ``hierbench run``.

    Raises
    ------
    UserError
        No such target or parameter, or a dimension that it cannot have.
    """
    params = parsed(settings)
    suite = small_suite(name, params)
    try:
        suite = fitted(suite, check_target(name, d, params))
        for size in {x for run in suite.runs for x in run.d} - {d}:
            check_target(name, size, params)
    except ValueError as error:
        raise UserError(str(error)) from error
    print(f"{name} ({family(name).path})")
    kept = show_contract(outcomes(name, params, SECONDS, d))
    if not kept:
        return 1  # numbers of a target that is none would mean nothing
    print_certificate(name, d, settings, 0)
    if (sizes := sorted({x for run in suite.runs for x in run.d})) != [d]:
        print(
            f"n* is measured at d = {', '.join(map(str, sizes))}: --d is that of the contract and certificate"
        )
    return execute(suite, suite, results, [], workers, wait=True, figures=False)


def fitted(suite: Suite, target: Target) -> Suite:
    """The suite as it is; on a target made of data with its d, and with no more points than there are."""
    points = points_of(target)
    if points is None:
        return suite
    most, n_test = min(points.train or MOST, MOST), points.test or suite.test.max
    sizes = SizePlan(scale=max(most / 2**DOUBLINGS, 2.0), power=0, ratio=2, count=DOUBLINGS, max=most)
    test = TestPlan(points.test or suite.test.min, n_test)
    runs = tuple(dataclasses.replace(run, d=(target.d,), sizes=sizes) for run in suite.runs)
    return dataclasses.replace(suite, test=test, runs=runs)


def small_suite(name: str, params: dict[str, object]) -> Suite:
    """The small suite on this target alone."""
    suite = load_suite(SUITE)
    path = plugins.located(plugins.TARGETS, name, FAMILIES)
    target = TargetEntry(name.rpartition(":")[2], path, params)
    runs = tuple(dataclasses.replace(run, targets=(target.label,)) for run in suite.runs)
    return dataclasses.replace(suite, targets=(target,), runs=runs)
