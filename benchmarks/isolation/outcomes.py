"""What becomes of the contract of a foreign learner or target, each check held to in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from hierbench.benchmarks.isolation.host import Process
from hierbench.benchmarks.units.fitting import LateError, LearnerGoneError
from hierbench.benchmarks.units.plain import DescribedError

CONTRACT = ("hierbench.benchmarks.isolation.contract",)
"""Loaded in the processes that ask for it, with torch: this one does without."""


def checks_of(target: bool, seconds: float) -> list[str]:
    """Names of the checks of a target, or of a learner."""
    with Process(seconds, CONTRACT) as process:
        answer, _ = process.ask({"ask": "checks", "target": target})
    return list(map(str, answer["checks"]))


def outcomes(
    name: str, parameters: Mapping[str, Any], seconds: float, d: int | None = None
) -> Iterator[tuple[str, str, str, float]]:
    """Hold a learner, or a target of dimension ``d``, to its contract: a process for each check.

    Parameters
    ----------
    name : str
        Registered name or import path.
    seconds : float
        That a check may take.

    Yields
    ------
    check, outcome, reason : str
        Outcomes are "holds", "skipped" and "fails".
    seconds : float
    """
    late = False
    for check in checks_of(d is not None, seconds):
        if late:
            yield check, "skipped", "a check before it did not end", 0.0
            continue
        began = time.perf_counter()
        question = {"ask": "check", "name": name, "parameters": dict(parameters), "check": check, "d": d}
        try:
            with Process(seconds, CONTRACT) as process:
                answer, _ = process.ask({**question, "path": sys.path})
            found, reason = str(answer["outcome"]), str(answer["reason"])
        except (LearnerGoneError, LateError, DescribedError) as error:
            found, reason, late = "fails", str(error), isinstance(error, LateError)
        yield check, found, reason, time.perf_counter() - began
