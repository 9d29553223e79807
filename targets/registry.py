"""Every target family by name, as static descriptors: importing this imports no numerics."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hierbench import plugins
from hierbench.checks import LARGEST_DIMENSION, integer, plain
from hierbench.errors import refusal, unknown
from hierbench.targets.catalogue import data, dense, discrete, polynomials
from hierbench.targets.catalogue.spec import FamilySpec
from hierbench.targets.modifiers.modifiers import MODIFIERS, in_use, modified

if TYPE_CHECKING:
    from hierbench.targets.base import Target

FAMILIES: Mapping[str, FamilySpec] = {
    spec.name: spec
    for specs in (dense.SPECS, polynomials.SPECS, discrete.SPECS, data.SPECS)
    for spec in specs
}


LAWS = ("gaussian", "mixture", "cube", "sphere", "hypercube")
"""Laws of the inputs that the parameter ``inputs`` names; a test holds this to
``hierbench.targets.laws.inputs``."""


def known() -> dict[str, FamilySpec]:
    """Families by name: those registered here, and those of installed packages as far as they can be read."""
    found: dict[str, FamilySpec] = {}
    for name in plugins.installed(plugins.TARGETS):
        with contextlib.suppress(ValueError):
            found[name] = family(name)
    return {**found, **FAMILIES}


def family(name: str) -> FamilySpec:
    """Find the descriptor of a registered family, or of any class of targets by import path ``module:Class``.

    A name may also be that of an entry point ``hierbench.targets`` of an installed package.

    Raises
    ------
    ValueError
        Unknown name, with the nearest known one; no such module or class, or its source does not show it.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    others = plugins.installed(plugins.TARGETS)
    path = name if ":" in name else others.get(name, "")
    module, _, attribute = path.partition(":")
    if not (module and attribute) or ":" in attribute:
        foreign = "or the import path of a class of targets, as in mine:MyTarget"
        raise ValueError(unknown("target family", name, {*FAMILIES, *others}, foreign))
    spec = FamilySpec(
        name=name,
        path=path,
        summary=f"{attribute} of {module}, by import path",
        formula="",
        source=module,
        degree="",
    )
    if not spec.is_defined:
        raise ValueError(refusal("target family", path, "a class that the source of a module defines"))
    return spec


def load_family(name: str) -> type[Target]:
    """Import and return the class of a family; ValueError if that fails, whatever it raises."""
    module, attribute = family(name).path.split(":")
    try:
        with _aside():
            loaded: type[Target] = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # anything may happen in a researcher's own module
        raise ValueError(f"cannot import target {name!r}: {type(error).__name__}: {error}") from error
    return loaded


def _aside() -> contextlib.AbstractContextManager[object]:
    """Send what a researcher's own module prints to the stream of errors: the other one may be a table."""
    return contextlib.redirect_stdout(sys.stderr)


def parameters(name: str) -> Mapping[str, tuple[Any, str]]:
    """Parameters that ``make_target`` takes for a family: its own, and the modifiers where it admits them."""
    spec = family(name)
    return {**(MODIFIERS if spec.modifiers else {}), **spec.parameters}


def make_target(name: str, d: int, seed: int, **params: Any) -> Target:
    """One target of a family. Cheap: constants are computed at first use.

    Parameters
    ----------
    name : str
    d : int
        Input dimension; with ``classify`` it counts x_0.
    seed : int
    **params
        Parameters of the family, and modifiers (``hierbench.targets.modifiers.modifiers.MODIFIERS``).

    Raises
    ------
    ValueError
        One line: unknown family or parameter (with the nearest known name), what the
        family refuses, or a target of more numbers than ``hierbench.targets.base.LARGEST_TARGET``.
    """
    of_family, of_any = family(name).parameters, parameters(name)
    for key in params:
        if key not in of_any:
            raise ValueError(unknown(f"parameter of {name}", key, of_any))
    try:
        integer("d", d, 1, LARGEST_DIMENSION)
        integer("seed", seed, 0)
        for key, value in params.items():
            plain(key, value)
    except ValueError as error:
        raise ValueError(f"target {name}: {error}") from None
    fields = {key: value for key, value in params.items() if key in of_family}
    modifiers = {key: value for key, value in params.items() if key not in of_family}
    loaded = load_family(name)
    if in_use(modifiers) and not getattr(loaded, "admits_modifiers", True):
        used = next(key for key in modifiers if in_use({key: modifiers[key]}))
        default = MODIFIERS[used][0]
        remedy = "the data are taken as they are"
        refused = refusal(used, modifiers[used], f"one value, {default}, for this family", remedy)
        raise ValueError(f"target {name}: {refused}")
    # the registry imports no numerics
    from hierbench.targets import held

    def build(size: int) -> Target:
        if name in FAMILIES:
            return loaded(size, seed, **fields)  # type: ignore[call-arg]
        with _aside():
            own: Target = held.held(loaded)(size, seed, **fields)  # type: ignore[call-arg]
            held.check(own, size)
            return own

    try:
        target = modified(build, d, modifiers)
        drawn = target.size.drawn
    except ValueError as error:
        raise ValueError(f"target {name}: {error}") from None
    except (Exception, SystemExit) as error:  # anything may happen in a researcher's own class
        if name in FAMILIES:
            raise
        said = " ".join(str(error).split())
        raise ValueError(f"target {name} cannot be made: {type(error).__name__}: {said}") from error
    from hierbench.targets.base import LARGEST_TARGET  # as above

    if drawn > LARGEST_TARGET:
        allowed = f"integers up to {LARGEST_TARGET} ({8 * LARGEST_TARGET / 2**30:g} GiB)"
        remedy = "lower d, widths or numbers of directions"
        raise ValueError(f"target {name}: {refusal('numbers to draw', round(drawn), allowed, remedy)}")
    return target
