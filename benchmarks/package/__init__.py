"""Sample complexity of learners on hierarchical targets, as the input dimension grows.

``from hierbench import read_results`` gives the rows of a results folder. Learners and targets are in
``hierbench.learners`` and ``hierbench.targets``. Importing this package imports nothing else.
"""

from importlib import import_module as _module
from typing import Any

_PLACES = {"read_results": "benchmarks.results.read_results", "Row": "benchmarks.units.rows"}
"""Public name: module below this package. A table and no import, so that nobody's fingerprint grows."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
