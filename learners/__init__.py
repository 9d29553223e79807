"""Who learns it: one learner a file, over engines that they share.

Everything public is here by name, and imported when it is asked for: the classes of the registered learners
(``from hierbench.learners import DenseNetRegressor``), what a learner is made of (``Curve``, ``FittedCurve``,
``FitReport``, ``Descriptor``), ``make_learner``, ``save`` and ``load_learner``. Importing this package
imports neither torch nor jax.
"""

from importlib import import_module as _module
from typing import Any

_BASE = (
    "Cost",
    "Curve",
    "Descriptor",
    "FitReport",
    "FittedCurve",
    "FitsCurves",
    "HasLevelFeatures",
    "Memory",
    "Term",
)
_PLACES = {
    **{name: ("base", name) for name in _BASE},
    "LEARNERS": ("registry", "LEARNERS"),
    "make_learner": ("registry", "make_learner"),
    "save": ("persist", "save"),
    "load_learner": ("persist", "load"),
    "LearnerContract": ("testing", "LearnerContract"),
}
"""Public name: module of this package, and the name there."""


def _registered() -> dict[str, str]:
    """Return the import path of every registered learner by the name of its class."""
    learners = _module(f"{__name__}.registry").LEARNERS
    return {d.path.partition(":")[2]: d.path for d in learners.values()}


def place_of(name: str) -> str | None:
    """Return where a public name is, as ``module:attribute``; None for a name that is not public."""
    if name in _PLACES:
        module, attribute = _PLACES[name]
        return f"{__name__}.{module}:{attribute}"
    return _registered().get(name) if name[:1].isupper() else None


def __getattr__(name: str) -> Any:
    place = place_of(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    return getattr(_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES, *_registered()})
