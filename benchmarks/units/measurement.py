"""What an experiment measured: labels that say of what, and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

Label = str | int | float | bool
Value = float | list[float] | None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One record of an experiment.

    Attributes
    ----------
    labels : mapping
        What was measured: the parameters that tell this record from the others of its experiment.
    values : mapping
        The numbers, by name; a list where it is a vector (flattened where a matrix); None where it is
        undefined.
    """

    labels: Mapping[str, Label]
    values: Mapping[str, Value]
