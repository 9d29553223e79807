"""A suite on a device: every learner that takes one, and the others where they are."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable

from hierbench.benchmarks.provenance.modules import default_of, takes
from hierbench.benchmarks.suites.suite import LearnerEntry, Suite
from hierbench.benchmarks.units.vocabulary import LearnerSpec
from hierbench.errors import UserError, refusal
from hierbench.learners.registry import resolve

CPU = "cpu"
PARAMETER = "device"
"""What learners call it."""


def checked(device: str) -> str:
    """The name of a device.

    Raises
    ------
    UserError
        It is none that there may be.
    """
    if not re.fullmatch(r"cpu|cuda(:\d{1,4})?", device):
        raise UserError(refusal("--device", device, "cpu, cuda, and cuda:1 for the second GPU"))
    return device


def on_device(suite: Suite, device: str) -> Suite:
    """The suite with the device set for every learner that has that parameter.

    The default of a learner is not set: it would be another key for the same numbers.
    """
    return dataclasses.replace(suite, learners=tuple(_placed(entry, device) for entry in suite.learners))


def _placed(entry: LearnerEntry, device: str) -> LearnerEntry:
    default = _default(entry)
    if default is None:
        return entry
    params = {name: value for name, value in entry.params.items() if name != PARAMETER}
    return dataclasses.replace(entry, params=params if device == default else {**params, PARAMETER: device})


def takers(suite: Suite) -> dict[str, bool]:
    """Whether each learner that a suite runs has the parameter, by label."""
    return {entry.label: _default(entry) is not None for entry in _run(suite)}


def libraries(suite: Suite) -> set[str]:
    """What the learners of ours that take a device compute with: jax for nets of dense layers, else torch."""
    paths = [resolve(entry.learner).path for entry in _run(suite) if _default(entry) is not None]
    ours = [path for path in paths if path.startswith("hierbench.learners.")]
    return {"jax" if path.startswith("hierbench.learners.nets.") else "torch" for path in ours}


def _run(suite: Suite) -> list[LearnerEntry]:
    run = {learner for one in suite.runs for learner in one.learners}
    return [entry for entry in suite.learners if entry.label in run]


def _default(entry: LearnerEntry) -> str | None:
    """The device that a learner is on unless told otherwise; None where it takes none."""
    path = resolve(entry.learner).path
    return str(default_of(path, PARAMETER, "")) if takes(path, PARAMETER) else None


def as_run(suite: Suite, specs: Iterable[LearnerSpec]) -> Suite:
    """The suite on the device on which most of its units were computed, of which these are the learners.

    So that what reads results of ``hierbench run --device`` finds them, whose keys are those of the device.
    """
    named = {resolve(entry.learner).name for entry in suite.learners if _default(entry) is not None}
    counts = Counter(spec["parameters"].get(PARAMETER) for spec in specs if spec["name"] in named)
    (device, most), *others = [*counts.most_common(2), (None, 0)]
    own = device is None or most == others[0][1]
    return suite if own else on_device(suite, str(device))
