"""Every learner by name, as static descriptors: importing this imports no torch and no jax."""

from __future__ import annotations

import difflib
import importlib
import inspect
from pathlib import PurePath
from typing import Any

from learners import catalogue_adaptive, catalogue_kernels, catalogue_nets
from learners.base import Descriptor

LEARNERS: dict[str, Descriptor] = {
    d.name: d
    for descriptors in (
        catalogue_nets.DESCRIPTORS,
        catalogue_kernels.DESCRIPTORS,
        catalogue_adaptive.DESCRIPTORS,
    )
    for d in descriptors
}


def resolve(name: str) -> Descriptor:
    """Descriptor of a registered name, or of any estimator by import path ``module:Class``.

    Raises
    ------
    ValueError
        Unknown name, with the nearest known one; nothing is imported to find out.
    """
    if name in LEARNERS:
        return LEARNERS[name]
    module, colon, attribute = name.partition(":")
    if module.endswith(".py"):
        raise ValueError(
            f"learner {name!r}: a file in the current folder is named without folder and .py, "
            f"as in {PurePath(module).stem}:{attribute or 'MyRegressor'}"
        )
    if colon and module and attribute:
        return Descriptor(
            name=attribute,
            path=name,
            summary=f"{attribute} of {module}, by import path",
            learns="unknown",
            source=module,
        )
    nearest = difflib.get_close_matches(name, LEARNERS, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise ValueError(
        f"unknown learner {name!r}: {hint}known are {', '.join(sorted(LEARNERS))}, "
        "or the import path of any scikit-learn estimator, as in sklearn.linear_model:Ridge"
    )


def load(name: str) -> type[Any]:
    """The estimator class of a registered name, or at an import path ``module:Class``.

    Raises
    ------
    ValueError
        The module cannot be imported, whatever it raises; the class does not exist, with the
        nearest name that the module has; or it has no ``fit`` and ``predict``.
    """
    path = resolve(name).path
    module, _, attribute = path.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # anything may happen in a researcher's own module
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot import learner {path!r}: {kind}{error}") from error
    if not hasattr(found, attribute):
        nearest = difflib.get_close_matches(attribute, dir(found), n=1, cutoff=0.6)
        hint = f", did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"cannot import learner {path!r}: {module} has no {attribute!r}{hint}")
    loaded = getattr(found, attribute)
    if not (inspect.isclass(loaded) and hasattr(loaded, "fit") and hasattr(loaded, "predict")):
        raise ValueError(f"{path!r} is no learner: a class with fit and predict is needed")
    return loaded
