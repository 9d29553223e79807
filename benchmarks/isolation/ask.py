"""Questions about a foreign learner that only its module can answer, which is imported elsewhere."""

from __future__ import annotations

import sys

from hierbench.benchmarks.isolation.host import Process
from hierbench.benchmarks.units.fitting import LearnerGoneError
from hierbench.benchmarks.units.plain import DescribedError

SECONDS = 60.0


def parameters_of(name: str) -> tuple[str, ...] | None:
    """Parameters of the constructor of a learner, given by its import path.

    Returns
    -------
    tuple of str, or None
        None where it takes any name (``**kwargs``).

    Raises
    ------
    ValueError
        No such module or class, or no learner; with the reason in one line.
    """
    try:
        with Process(SECONDS) as process:
            answer, _ = process.ask({"ask": "parameters", "name": name, "path": sys.path})
    except (LearnerGoneError, DescribedError) as error:
        raise ValueError(str(error).removeprefix("ValueError: ")) from error
    return None if answer["parameters"] is None else tuple(map(str, answer["parameters"]))
