"""What the parameters of experiments may be: kinds from their annotations, and bounds past which is a slip.

Nothing is imported for it: an experiment's signature is read from its source.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any

from hierbench.benchmarks.provenance import modules
from hierbench.checks import LARGEST_INTEGER, LARGEST_SCALE, integer, is_real, plain, real
from hierbench.errors import refusal, unknown

MOST: Mapping[str, int] = {
    "d": 2**10,
    "depth": 6,
    "rounds": 64,
    "attack_steps": 10**4,
    "ascent_steps": 10**6,
    "steps": 10**7,
    "batch_size": 10**6,
    "n": 10**7,
    "sizes": 10**7,
    "seed": LARGEST_INTEGER,
    "seeds": LARGEST_INTEGER,
    "starts": 10**4,
}
"""Integers: parameter -> the largest. All are at least 0; what else is needed the experiment says."""
MOST_OTHERS = 10**4
"""Of integers that are not named: neurons, directions, nets, points."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A keyword parameter of an experiment: what it is annotated with, and whether it has a default."""

    kind: str
    needed: bool


def parameters_of(module: str, function: str) -> dict[str, Parameter]:
    """Read the keyword parameters of a function from its source.

    Raises
    ------
    ValueError
        There is no such module or function.
    """
    source = modules.source_of(module)
    if source is None:
        raise ValueError(f"module {module} is missing")
    for node in modules.tree_of(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            return {
                a.arg: Parameter(ast.unparse(a.annotation or ast.Name("Any")), d is None) for a, d in pairs
            }
    raise ValueError(f"module {module} has no function {function}")


def check(experiment: str, parameters: Mapping[str, Parameter], values: Mapping[str, list[Any]]) -> None:
    """Refuse an unknown parameter, one that is missing, and a value of the wrong kind or past its bounds.

    Parameters
    ----------
    experiment : str
    parameters : of the experiment.
    values : of every parameter that is set, all that it takes.

    Raises
    ------
    ValueError
        With one clear line.
    """
    for name, several in values.items():
        if name not in parameters:
            raise ValueError(unknown(f"parameter of {experiment}", name, parameters))
        for value in several:
            _check_value(name, value, parameters[name].kind)
    if lacking := [name for name, p in parameters.items() if p.needed and name not in values]:
        raise ValueError(f"{experiment} needs {' and '.join(lacking)}, in params or in over")


def _check_value(name: str, value: Any, kind: str) -> None:
    plain(name, value)
    kind, _, optional = kind.partition(" | ")
    if kind.startswith("Sequence["):
        if not isinstance(value, list) or not value:
            raise ValueError(refusal(name, value, "lists of one value or more"))
        for entry in value:
            _check_value(name, entry, kind[len("Sequence[") : -1])
    elif value is None and optional:
        return
    elif kind == "int":
        integer(name, value, 0, MOST.get(name, MOST_OTHERS))
    elif kind == "float":
        real(
            name,
            value,
            f"numbers of size up to {LARGEST_SCALE:g}",
            is_real(value) and abs(value) <= LARGEST_SCALE,
        )
    elif kind == "str" and not isinstance(value, str):
        raise ValueError(refusal(name, value, "texts"))
