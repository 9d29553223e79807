"""What applies to every family: noise, an agnostic remainder, negative controls, classification.

The order is fixed, from the inside: the family, made flat or with its levels re-randomised; the
remainder; noise; the sign; and shuffled labels outermost, so that nothing in them can be learned.
Importing this imports no numerics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hierbench.checks import LARGEST_DIMENSION, flag, integer, is_real, one_of, real, scale
from hierbench.errors import refusal

if TYPE_CHECKING:
    from hierbench.targets.base import Target

CONTROLS = ("none", "flat", "shuffled", "rerandomised")

MODIFIERS: Mapping[str, tuple[Any, str]] = {
    "noise": (
        0.0,
        "standard deviation of Gaussian noise on training labels, >= 0 (the label has 1); errors are excess "
        "errors, on noise-free labels",
    ),
    "remainder": (
        0.0,
        "agnostic remainder: share of variance, in [0, 1), orthogonal to all polynomials of the degree",
    ),
    "control": (
        "none",
        "negative control: flat (same variance by degree, no hierarchy), shuffled (labels of other inputs), "
        "rerandomised (every level on its own independent lower levels; projected and squares)",
    ),
    "classify": (
        False,
        "labels sgn(offset x_0 + G(x_1, ..., x_(d-1))), x_0 ~ N(0, 1) counted in d; error: misclassification",
    ),
    "margin": (0.0, "of classify, >= 0: inputs with |offset x_0 + G| below it are drawn again"),
    "offset": (0.1, "of classify, >= 0: scale of x_0"),
}
"""Parameter -> (default, one line); a default changes nothing."""

RERANDOMISED = ("projected", "squares")
"""Families whose levels are drawn one by one; a test holds this to the classes."""


def in_use(params: Mapping[str, Any]) -> bool:
    """Whether any of ``params`` is a modifier that changes the target."""
    return any(name in params and params[name] != default for name, (default, _) in MODIFIERS.items())


def modified(build: Callable[[int], Target], d: int, modifiers: Mapping[str, Any]) -> Target:
    """Build the target that ``build`` makes at a dimension, with ``modifiers`` around it.

    Raises
    ------
    ValueError
        One line: a modifier that is not allowed, or not on this target.
    """
    values = {name: modifiers.get(name, default) for name, (default, _) in MODIFIERS.items()}
    noise = scale("noise", values["noise"], zero=True)
    remainder = values["remainder"]
    remainder = real("remainder", remainder, "a number in [0, 1)", is_real(remainder) and 0 <= remainder < 1)
    # The command line reads none as nothing.
    control = one_of("control", "none" if values["control"] is None else values["control"], CONTROLS)
    classify = flag("classify", values["classify"])
    margin, offset = (scale(name, values[name], zero=True) for name in ("margin", "offset"))
    for name, value in (("margin", margin), ("offset", offset)):
        if not classify and value != MODIFIERS[name][0]:
            allowed = f"one value, {MODIFIERS[name][0]:g}, in regression"
            raise ValueError(refusal(name, value, allowed, "give classify = true as well"))
    target = _beside_x_0(build, d) if classify else build(d)
    target = _controlled(target, control)
    if remainder > 0:
        # numerics start slowly, and the registry, which imports this file, does without them
        from hierbench.targets.modifiers.remainder import WithRemainder

        target = WithRemainder(target, remainder)
    if classify:
        from hierbench.targets.modifiers.sign import Sign

        target = Sign(target, offset, margin, noise)
    elif noise > 0:
        from hierbench.targets.modifiers.noise import Noisy

        target = Noisy(target, noise)
    if control == "shuffled":
        from hierbench.targets.modifiers.shuffled import Shuffled

        target = Shuffled(target)
    return target


def _beside_x_0(build: Callable[[int], Target], d: int) -> Target:
    d = integer("d", d, 2, LARGEST_DIMENSION)
    try:
        return build(d - 1)
    except ValueError as error:
        raise ValueError(f"{error} (classify takes one of the {d} coordinates for x_0)") from None


def _controlled(target: Target, control: str) -> Target:
    if control == "flat":
        # numerics start slowly: see above
        from hierbench.targets.modifiers.flat import Flat

        return Flat(target)
    if control == "rerandomised":
        from hierbench.targets.quadratic.hierarchy import Hierarchy
        from hierbench.targets.quadratic.rerandomised import Rerandomised

        if not isinstance(target, Hierarchy):
            allowed = ", ".join(c for c in CONTROLS if c != control) + " for this family"
            remedy = f"{' and '.join(RERANDOMISED)} have levels that are drawn one by one"
            raise ValueError(refusal("control", control, allowed, remedy))
        return Rerandomised(target)
    return target
