"""What is known of a target family without importing it."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


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
    refused_inputs : mapping law -> reason
        Laws of the inputs that the family does not admit, as in the class.
    """

    name: str
    path: str
    summary: str
    formula: str
    source: str
    degree: str
    refused_inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def parameters(self) -> Mapping[str, tuple[Any, str]]:
        """Parameter -> (default, one line), as the class declares them."""
        return declared_parameters(self.path)


def declared_parameters(path: str) -> dict[str, tuple[Any, str]]:
    """Parameters of a family, read from the source of its class: nothing is imported.

    A parameter is a field of the dataclass that has a default, and the string below the field is its
    line; a field without one has the line of the base class that declares a field of this name.

    Parameters
    ----------
    path : str
        "module:Class".

    Returns
    -------
    dict name -> (default, one line)
        In the order of the fields.
    """
    defaults: dict[str, Any] = {}
    lines: dict[str, str] = {}
    for definition in reversed(list(_definitions(*path.split(":")))):  # bases first, as dataclasses have it
        for field, below in itertools.pairwise([*definition.body, ast.Pass()]):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            if "ClassVar" in ast.dump(field.annotation):
                continue
            if field.value is not None:
                defaults[field.target.id] = ast.literal_eval(field.value)
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                lines[field.target.id] = str(below.value.value)
    return {name: (default, lines.get(name, "")) for name, default in defaults.items()}


def _definitions(module: str, name: str) -> Iterator[ast.ClassDef]:
    """Definition of the class and, after it, its bases."""
    for node in _source(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield from _definitions(module, base.id)
        elif isinstance(node, ast.ImportFrom) and node.module and name in {a.name for a in node.names}:
            yield from _definitions(node.module, name)


@functools.cache
def _source(module: str) -> ast.Module:
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise ValueError("there is no such module of Python source")
        return ast.parse(Path(spec.origin).read_bytes(), filename=spec.origin)
    except (ImportError, ValueError, SyntaxError, OSError) as error:
        raise ValueError(f"module {module!r} of a target cannot be read: {error}") from error
