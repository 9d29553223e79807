"""What is known of a target family without importing it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

INPUTS = (
    "gaussian",
    "law of x: gaussian[:condition=10], mixture[:separation=0.8,weight=0.5], cube, sphere, hypercube",
)
"""Default and one line of the parameter that every family on vectors has."""


@dataclasses.dataclass(frozen=True)
class FamilySpec:
    """What is known of a family without importing it.

    Attributes
    ----------
    name : str
    path : str
        "module:Class".
    summary, formula, source, degree : str
        For people.
    parameters : mapping name -> (default, one line)
        The fields of the class after ``d`` and ``seed``.
    refused_inputs : mapping law -> reason
        Laws of the inputs that the family does not admit, as in the class.
    """

    name: str
    path: str
    summary: str
    formula: str
    source: str
    degree: str
    parameters: Mapping[str, tuple[Any, str]]
    refused_inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
