"""``hierbench check-target``: what a target keeps, what is known of it, and how kernels do on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from hierbench import plugins
from hierbench.benchmarks.commands.contract import SECONDS, show_contract
from hierbench.benchmarks.commands.describe import parsed, print_certificate
from hierbench.benchmarks.commands.run import execute
from hierbench.benchmarks.isolation.outcomes import outcomes
from hierbench.benchmarks.suites.suite import Suite, TargetEntry
from hierbench.benchmarks.suites.suite_file import check_target, load_suite
from hierbench.errors import UserError
from hierbench.targets.registry import FAMILIES, family

SUITE = "smoke"


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
        for size in {d, *(x for run in suite.runs for x in run.d)}:
            check_target(name, size, params)
    except ValueError as error:
        raise UserError(str(error)) from error
    print(f"{name} ({family(name).path})")
    kept = show_contract(outcomes(name, params, SECONDS, d))
    if not kept:
        return 1  # numbers of a target that is none would mean nothing
    print_certificate(name, d, settings, 0)
    return execute(suite, suite, results, [], workers, wait=True, figures=False)


def small_suite(name: str, params: dict[str, object]) -> Suite:
    """The small suite on this target alone."""
    suite = load_suite(SUITE)
    path = plugins.located(plugins.TARGETS, name, FAMILIES)
    target = TargetEntry(name.rpartition(":")[2], path, params)
    runs = tuple(dataclasses.replace(run, targets=(target.label,)) for run in suite.runs)
    return dataclasses.replace(suite, targets=(target,), runs=runs)
