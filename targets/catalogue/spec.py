"""What is known of a target family without importing it."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import importlib
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
    modifiers : bool
        Whether noise, controls and the like go on top of it, as in the class.
    """

    name: str
    path: str
    summary: str
    formula: str
    source: str
    degree: str
    refused_inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    modifiers: bool = True

    @property
    def is_defined(self) -> bool:
        """Whether the source of the module has the class, or imports it by that name."""
        return next(_definitions(*self.path.split(":")), None) is not None

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
                defaults[field.target.id] = _value(field.value)
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                lines[field.target.id] = str(below.value.value)
    return {name: (default, lines.get(name, "")) for name, default in defaults.items()}


def _value(node: ast.expr) -> Any:
    """Default of a field; of one that is computed its source."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _definitions(module: str, name: str) -> Iterator[ast.ClassDef]:
    """Definition of the class and, after it, its bases."""
    for node in _source(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node
            for base in node.bases:
                with contextlib.suppress(ValueError):  # nothing is known of what cannot be read
                    if isinstance(base, ast.Name):
                        yield from _definitions(module, base.id)
                    elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
                        if (home := _module_named(module, base.value.id)) is not None:
                            yield from _definitions(home, base.attr)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    yield from _definitions(*_public(_absolute(module, node), alias.name))


def _public(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined that a module has; the package of targets has its own from its modules."""
    if module == "hierbench.targets":
        # the package asks the registry, which asks this module
        place = importlib.import_module(module).place_of(name)
        if place is not None:
            home, _, attribute = place.partition(":")
            return home, attribute
    return module, name


def _absolute(module: str, node: ast.ImportFrom) -> str:
    """Module that a statement of ``module`` imports from."""
    if not node.level:
        return str(node.module)
    path = _path(module)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    parent = package[: len(package) - node.level + 1]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _module_named(module: str, name: str) -> str | None:
    """The module that ``module`` calls ``name``, if it imports one by that name."""
    for node in _source(module).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return f"{_absolute(module, node)}.{alias.name}"
    return None


@functools.cache
def _source(module: str) -> ast.Module:
    try:
        path = _path(module)
        return ast.parse(path.read_bytes(), filename=str(path))
    except (ImportError, ValueError, SyntaxError, OSError) as error:
        raise ValueError(f"module {module!r} of a target cannot be read: {error}") from error


def _path(module: str) -> Path:
    """Source file of a module; its packages are not imported, which finding it by its whole name would do."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top) if top else None
    if spec is not None and not rest and spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        base = Path(folder).joinpath(*rest)
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    raise ValueError("there is no such module of Python source")
