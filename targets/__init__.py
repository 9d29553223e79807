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
    """Class name -> family."""
    specs = importlib.import_module(f"{__name__}.registry").FAMILIES
    return {spec.path.rpartition(":")[2]: name for name, spec in specs.items()}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    # Names of modules are lower case; what asks for one must not wait for the registry.
    if name[:1].isupper() and name in (families := _families()):
        return importlib.import_module(f"{__name__}.registry").load_family(families[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_families()})
