"""Labels as they are shown: in one line, short, and still told apart."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from hierbench.benchmarks.units.plain import one_line
from hierbench.benchmarks.units.rows import Row

LONGEST = 40
_Value = TypeVar("_Value")


def shown_labels(labels: Iterable[str]) -> dict[str, str]:
    """What is shown for each label.

    Returns
    -------
    dict
        Of at most 40 characters without line breaks and escape sequences; of a longer label its start and its
        end; labels that would look alike get a number.
    """
    shown: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        line = one_line(label, 10 * LONGEST) or "(no label)"
        if len(line) > LONGEST:
            line = f"{line[: LONGEST - 15]}...{line[-12:]}"
        numbered = itertools.chain([line], (f"{line} ({k})" for k in itertools.count(2)))
        shown[label] = next(text for text in numbered if text not in shown.values())
    return shown


def relabelled(
    rows: Sequence[Row], certificates: Mapping[tuple[str, int, int], _Value]
) -> tuple[list[Row], dict[tuple[str, int, int], _Value]]:
    """Rows and certificates under the labels that are shown."""
    learners = shown_labels(row.learner for row in rows)
    targets = shown_labels([*(row.target for row in rows), *(target for target, _, _ in certificates)])
    return (
        [dataclasses.replace(r, learner=learners[r.learner], target=targets[r.target]) for r in rows],
        {(targets[target], d, index): one for (target, d, index), one in certificates.items()},
    )
