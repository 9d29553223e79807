"""Where the source of a module is, found without importing it."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hierbench import learners, targets
from hierbench.benchmarks.provenance import loaded

OUR_PACKAGES = ("hierbench",)
_PUBLIC = {package.__name__: package for package in (learners, targets)}


class UnreadableSourceError(ValueError):
    """A source file that is not Python: where and why, in one line."""


@functools.cache
def _top(name: str) -> tuple[Path | None, tuple[Path, ...]]:
    """Source file of a top-level module, and the folders in which its submodules are."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None, ()
    if spec is None:
        return None, ()
    origin = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    return origin, tuple(Path(p) for p in spec.submodule_search_locations or ())


@functools.cache
def source_of(module: str) -> Path | None:
    """Source file of ``module``; None for a module that is missing or not written in Python."""
    top, *rest = module.split(".")
    origin, folders = _top(top)
    if not rest:
        return origin
    for folder in folders:
        base = folder.joinpath(*rest)
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def _parse(path: Path, text: bytes) -> ast.Module:
    try:
        return ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:  # the latter for a null character
        line = getattr(error, "lineno", 1)
        raise UnreadableSourceError(
            f"{path}:{line}: not valid Python: {getattr(error, 'msg', error)}"
        ) from error


_shared_tree = functools.cache(_parse)


def tree_of(path: Path) -> ast.Module:
    """Syntax tree of a source file, shared.

    Raises
    ------
    UnreadableSourceError
    """
    return _shared_tree(path, loaded.content(path))


def forget() -> None:
    """Drop what was read, for sources that may have changed since."""
    for cached in (_top, source_of, _imported_by):
        cached.cache_clear()


def can_be_found(module: str) -> bool:
    """Whether the package or file of a module is on the path."""
    return _top(module.partition(".")[0]) != (None, ())


def is_ours(module: str) -> bool:
    """Whether no version number stands for this module's code.

    That is the case for hierbench and for every module that belongs neither to the
    standard library nor to an installed distribution (a researcher's own file).
    """
    top = module.partition(".")[0]
    if top in OUR_PACKAGES:
        return True
    if top in sys.stdlib_module_names:
        return False
    origin, folders = _top(top)
    places = ([origin] if origin else []) + list(folders)
    return bool(places) and not any(map(_is_installed, places))


def _is_installed(place: Path) -> bool:
    # By name besides: a user's own packages, and those of a system below a virtual environment, are
    # in folders that sysconfig does not name.
    real = place.resolve()
    if not {"site-packages", "dist-packages"}.isdisjoint(real.parts):
        return True
    return any(
        real.is_relative_to(Path(sysconfig.get_path(p)).resolve()) for p in ("purelib", "platlib", "stdlib")
    )


def absolute(module: str, node: ast.ImportFrom) -> str:
    """Absolute name of the module that ``from ... import`` names inside ``module``."""
    if not node.level:
        return node.module or ""
    source = source_of(module)
    is_package = source is not None and source.name == "__init__.py"
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join(parts + ([node.module] if node.module else []))


def imported_by(module: str) -> tuple[str, ...]:
    """Names of the modules that ``module`` imports anywhere in its source, functions included.

    ``import_module("a.b")`` counts when its argument is a literal.
    """
    source = source_of(module)
    return () if source is None else _imported_by(module, source, loaded.content(source))


@functools.cache
def _imported_by(module: str, source: Path, text: bytes) -> tuple[str, ...]:
    return tuple(_imports(module, _import_nodes(source, text)))


@functools.cache
def _import_nodes(source: Path, text: bytes) -> tuple[ast.Import | ast.ImportFrom | ast.Call, ...]:
    """Nodes that may import something; of the text alone, and so kept when it is read anew."""
    nodes = ast.walk(_shared_tree(source, text))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom | ast.Call))


def _imports(module: str, nodes: Iterable[ast.Import | ast.ImportFrom | ast.Call]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            yield base
            for alias in node.names:
                if source_of(f"{base}.{alias.name}") is not None:
                    yield f"{base}.{alias.name}"
                elif (package := _PUBLIC.get(base)) and (place := package.place_of(alias.name)):
                    yield place.partition(":")[0]  # the package has its public names from its modules
        elif node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if called == "import_module" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def find_class(module: str, name: str, depth: int = 0) -> tuple[str, ast.ClassDef] | None:
    """Definition of a class and the module that it is in, re-exports followed; None if not found."""
    source = source_of(module)
    if source is None or depth > 8:
        return None
    for node in tree_of(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find_class(absolute(module, node), alias.name, depth + 1)
    return None


def constructor_parameters(path: str) -> dict[str, str] | None:
    """Parameters of the constructor of the class at ``module:Class``, from its source.

    Returns
    -------
    dict of str to str, or None
        Name to default, as the source writes it ("" for none). None when the source does not show the
        parameters (no such class, a dataclass, ``**kwargs``, a base that is no name of a module's).
    """
    module, _, name = path.partition(":")
    located_class = find_class(module, name)
    for _, definition in _resolution_order(located_class) if located_class else ():
        if not isinstance(definition, ast.ClassDef):
            return None
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return None if node.args.kwarg or node.args.vararg else _defaults(node.args)
        if definition.decorator_list or any(map(_may_name_init, definition.body)):
            return None
    return None


def takes(path: str, parameter: str) -> bool:
    """Whether the constructor at ``module:Class`` has a parameter, as far as its source shows."""
    return parameter in (constructor_parameters(path) or {})


def default_of(path: str, parameter: str, otherwise: Any = None) -> Any:
    """Default of a parameter of the constructor at ``module:Class``, where its source writes a literal."""
    written = (constructor_parameters(path) or {}).get(parameter)
    try:
        return ast.literal_eval(written) if written else otherwise
    except (ValueError, SyntaxError):  # no literal
        return otherwise


def _may_name_init(node: ast.stmt) -> bool:
    """Whether a statement of a class, no method of it, gives it a constructor."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(
        (isinstance(part, ast.Name) and part.id == "__init__")
        or (isinstance(part, ast.FunctionDef) and part.name == "__init__")
        for part in ast.walk(node)
    )


_Located = tuple[str, ast.ClassDef | ast.expr]
_WITHOUT_INIT = ("object", "Generic", "Protocol")


def _located_base(located: _Located, base: ast.expr) -> _Located:
    """Where a base of a class is defined; the base as it is written where sources do not show it."""
    named = base.value if isinstance(base, ast.Subscript) else base
    found = find_class(located[0], named.id) if isinstance(named, ast.Name) else None
    return found if found and found != located else (located[0], base)


def _resolution_order(located: _Located) -> list[_Located]:
    """Classes in the order in which Python looks for a method, and what sources do not show in its place."""
    written = located[1].bases if isinstance(located[1], ast.ClassDef) else []
    bases = [
        _located_base(located, base)
        for base in written
        if ast.unparse(base).partition("[")[0] not in _WITHOUT_INIT
    ]
    waiting = [*(_resolution_order(base) for base in bases), bases]
    order = [located]
    while waiting := [line for line in waiting if line]:
        # first that no other line has further back; where there is none Python refuses the class
        free = (line[0] for line in waiting if not any(line[0] in other[1:] for other in waiting))
        first = next(free, waiting[0][0])
        order.append(first)
        waiting = [[one for one in line if one != first] for line in waiting]
    return order


def _defaults(arguments: ast.arguments) -> dict[str, str]:
    """Arguments but the first, ``self``, with their defaults."""
    positional = [*arguments.posonlyargs, *arguments.args]
    lacking = [None] * (len(positional) - len(arguments.defaults))
    pairs = [
        *zip(positional, [*lacking, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {argument.arg: ast.unparse(value) if value else "" for argument, value in pairs[1:]}
