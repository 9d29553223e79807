"""Every learner by name, as static descriptors: importing this imports no torch and no jax."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
from pathlib import PurePath
from typing import Any

from hierbench import plugins
from hierbench.errors import refusal, unknown
from hierbench.learners.base import Descriptor
from hierbench.learners.catalogue import adaptive, kernels, nets

LEARNERS: dict[str, Descriptor] = {
    d.name: d
    for descriptors in (
        nets.DESCRIPTORS,
        kernels.DESCRIPTORS,
        adaptive.DESCRIPTORS,
    )
    for d in descriptors
}


def known() -> dict[str, Descriptor]:
    """Learners by name: those registered here, and those of installed packages under names of their own."""
    return {**{name: resolve(name) for name in plugins.installed(plugins.LEARNERS)}, **LEARNERS}


def resolve(name: str) -> Descriptor:
    """Find the descriptor of a registered name, or of any estimator by import path ``module:Class``.

    A name may also be that of an entry point ``hierbench.learners`` of an installed package.

    Raises
    ------
    ValueError
        Unknown name, with the nearest known one; nothing is imported to find out.
    """
    if name in LEARNERS:
        return LEARNERS[name]
    if ":" not in name and name in (others := plugins.installed(plugins.LEARNERS)):
        return dataclasses.replace(resolve(others[name]), name=name)
    module, colon, attribute = name.partition(":")
    if module.endswith(".py"):
        example = f"{PurePath(module).stem}:{attribute or 'MyRegressor'}"
        raise ValueError(
            refusal("learner", name, f"a file of the current folder without folder and .py, as in {example}")
        )
    if colon and module and attribute:
        return Descriptor(
            name=attribute,
            path=name,
            summary=f"{attribute} of {module}, by import path",
            learns="unknown",
            source=module,
        )
    foreign = "or the import path of any scikit-learn estimator, as in sklearn.linear_model:Ridge"
    raise ValueError(unknown("learner", name, {*LEARNERS, *plugins.installed(plugins.LEARNERS)}, foreign))


def make_learner(name: str, **parameters: Any) -> Any:
    """Make a learner, not fitted: what the name sets, changed by ``parameters``.

    Parameters
    ----------
    name : str
        A registered name, or the import path ``module:Class`` of any scikit-learn estimator.

    Raises
    ------
    ValueError
        No such learner, with the nearest known name.
    """
    descriptor = resolve(name)
    return load(name)(**{**descriptor.parameters, **parameters})


def load(name: str) -> type[Any]:
    """Import the estimator class of a registered name, or at an import path ``module:Class``.

    Raises
    ------
    ValueError
        The module cannot be imported, whatever it raises; the class does not exist, with the
        nearest name that the module has; or it has no ``fit`` and ``predict``.
    """
    path = resolve(name).path
    module, _, attribute = path.partition(":")
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # anything may happen in a researcher's own module
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot import learner {path!r}: {kind}{error}") from error
    if not hasattr(imported, attribute):
        nearest = difflib.get_close_matches(attribute, dir(imported), n=1, cutoff=0.6)
        hint = f", did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"cannot import learner {path!r}: {module} has no {attribute!r}{hint}")
    loaded = getattr(imported, attribute)
    if not (inspect.isclass(loaded) and hasattr(loaded, "fit") and hasattr(loaded, "predict")):
        raise ValueError(refusal("learner", path, "a class with fit and predict"))
    return loaded
