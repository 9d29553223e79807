"""What the numbers depend on besides parameters: code and library versions."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hierbench.benchmarks.provenance import loaded, modules

NEUTRAL = frozenset(
    {
        "hierbench",
        "hierbench.errors",
        "hierbench.benchmarks.provenance.fingerprint",
        "hierbench.benchmarks.provenance.loaded",
        "hierbench.benchmarks.provenance.machine",
        "hierbench.benchmarks.provenance.modules",
        "hierbench.learners",
        "hierbench.learners.catalogue.bounds",
        "hierbench.learners.registry",
        "hierbench.targets",
        "hierbench.targets.registry",
    }
)
"""Modules that no number depends on. What the registries say about a learner or a target is in
the key already, and a new entry must not make every stored row stale. Bounds only refuse. ``hierbench``,
``learners`` and ``targets`` themselves only say where public names are."""

_DISTRIBUTIONS = {
    "sklearn": ("scikit-learn", "scipy"),
    "jax": ("jax", "jaxlib"),
    "neural_tangents": ("neural-tangents", "jax", "jaxlib"),
}


def digest(value: Any) -> str:
    """32 hexadecimal digits for any JSON-serialisable value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def without_docstrings(source: Path) -> str:
    """Canonical text of a module's syntax tree: comments, layout, free-standing strings do not show."""
    return _without_docstrings(source, loaded.content(source))


@functools.cache
def _without_docstrings(source: Path, text: bytes) -> str:
    return canonical(modules.tree_of(source))


def canonical(tree: ast.AST) -> str:
    """``ast.dump(tree, annotate_fields=False, show_empty=True)``, without free-standing strings.

    In one pass, which takes a third of the time of taking them out and dumping what is left. Empty lists
    show, as they did in Python 3.11 and 3.12, which have no ``show_empty``.
    """
    kind, parts, name_it = type(tree), [], False
    for name in kind._fields:
        value = getattr(tree, name, None)
        if value is None and getattr(kind, name, ...) is None:
            name_it = True
            continue
        if isinstance(value, ast.AST):
            text = canonical(value)
        elif isinstance(value, list):
            items = [v for v in value if not _is_text(v)] if name == "body" else value
            text = f"[{', '.join([canonical(v) if isinstance(v, ast.AST) else repr(v) for v in items])}]"
        else:
            text = repr(value)
        parts.append(f"{name}={text}" if name_it else text)
    return f"{kind.__name__}({', '.join(parts)})"


def _is_text(node: Any) -> bool:
    """Whether a statement is a string alone."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def closure(roots: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Our modules that ``roots`` import, transitively, and the foreign packages they import.

    Returns
    -------
    code : dict
        Canonical syntax tree of each of our modules, the packages' ``__init__`` included.
    foreign : set of str
        Top-level names of all other modules outside the standard library.
    """
    code: dict[str, str] = {}
    foreign: set[str] = set()
    waiting = list(roots)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if not name or name in seen or name in NEUTRAL:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        if not modules.is_ours(name):
            if top not in sys.stdlib_module_names:
                foreign.add(top)
            continue
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append(parent)
        source = modules.source_of(name)
        if source is not None:
            code[name] = without_docstrings(source)
            waiting.extend(modules.imported_by(name))
    return code, foreign


@functools.cache
def _version(package: str) -> dict[str, str]:
    versions = {}
    for name in _DISTRIBUTIONS.get(package, (package,)):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            for distribution in importlib.metadata.packages_distributions().get(package, ()):
                versions[distribution] = importlib.metadata.version(distribution)
    return versions


@functools.cache
def fingerprint(*roots: str) -> tuple[str, dict[str, str]]:
    """Code fingerprint and library versions of modules with all that they import.

    The fingerprint is a sha256 over the syntax trees, without docstrings, of the modules and
    of every module of this project (or of the researcher's own) that they import, inside
    functions too: any edit of code shows, an edit of a comment or docstring does not. What
    belongs to an installed distribution is covered by its version.

    Returns
    -------
    code : str
    versions : dict
        Python (major.minor), numpy, and every installed distribution imported on the way.
    """
    code, foreign = closure(roots)
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in sorted({"numpy"} | foreign):
        versions.update(_version(package))
    return digest(sorted(code.items())), versions


def followed(*roots: str) -> set[Path]:
    """Sources of the modules that ``roots`` import, transitively: those in their fingerprint."""
    return {source for name in closure(roots)[0] if (source := modules.source_of(name))}


def forget() -> None:
    """Forget what was read: sources on disk may have changed."""
    fingerprint.cache_clear()
    modules.forget()
