"""What is to be learned: hierarchical target functions with known structure.

``make_target``, the contract (``Target``, ``Certificate``, ``Estimate``) and the class of every
registered family can be imported from here. Each is loaded at first use: importing this imports no
numerics.
"""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {"Certificate": "base", "Estimate": "base", "Target": "base", "make_target": "registry"}


def _families() -> dict[str, str]:
    """Class name -> import path."""
    specs = importlib.import_module(f"{__name__}.registry").FAMILIES
    return {spec.path.rpartition(":")[2]: spec.path for spec in specs.values()}


def place_of(name: str) -> str | None:
    """Return where a public name is, as ``module:attribute``; None for a name that is not public."""
    if name in _EXPORTS:
        return f"{__name__}.{_EXPORTS[name]}:{name}"
    # Names of modules are lower case; what asks for one must not wait for the registry.
    return _families().get(name) if name[:1].isupper() else None


def __getattr__(name: str) -> Any:
    place = place_of(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_families()})
