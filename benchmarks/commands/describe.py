"""``hierbench describe``."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hierbench.benchmarks.commands.listing import print_parameters, value_text
from hierbench.benchmarks.suites.choices import check_given_once, parse_value
from hierbench.benchmarks.suites.suite_file import check_target
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import UserError, refusal
from hierbench.targets.registry import FAMILIES
from hierbench.targets.registry import family as spec_of

if TYPE_CHECKING:
    from hierbench.targets.base import Certificate, Estimate, Size

DESCRIBED_ERRORS = (0.3, 0.1, 0.03, 0.01, 0.001)
"""Relative MSEs that ``describe`` names the degree for."""
LARGEST_CERTIFICATE = 2**27
"""Numbers that ``describe`` holds at a time: 1 GiB in float64."""
OPERATIONS_A_SECOND = 1e10
"""Of one core, to about a factor of three."""
SAID_AFTER = 2.0
"""Seconds after which a certificate that is still being computed says what it may take."""


def print_certificate(family: str, d: int | None, settings: Sequence[str], index: int) -> None:
    """Everything that is known about one target, independent of any learner.

    ``d`` may be None if it is among the ``settings``.
    """
    try:
        spec = spec_of(family)
    except ValueError as error:
        raise UserError(str(error)) from error
    d, params = _dimension(d, parsed(settings))
    try:
        check_target(family, d, params)
    except ValueError as error:
        raise UserError(str(error)) from error

    # numerics start slowly, and a refusal does without them
    from hierbench.benchmarks.units.draw import draw_target

    target = draw_target({"family": family, "parameters": params}, d, index)
    try:
        with _cost_said(family, d, target.size):
            certificate = target.certificate()
    except UserError:  # too large
        raise
    except ValueError as error:  # what shows only once constants are computed
        raise UserError(f"target {family}: {error}") from error
    except Exception as error:  # anything may happen in a researcher's own class
        if family in FAMILIES:
            raise
        raise UserError(f"target {family} has no certificate: {one_line_of(error)}") from error
    shown = ", ".join(f"{key} = {value_text(value)}" for key, value in params.items()) or "default parameters"
    lines = [("target", f"{family}, d = {d}, {shown}, number {index}"), *_certificate_lines(certificate, d)]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {value}")
    if certificate.level_covariance:
        print("covariance of the levels, each of variance 1")
        for row in certificate.level_covariance:
            print("  " + "  ".join(f"{x:6.3f}" for x in row))
    print("+- is one standard error of a sampled number; numbers without it are exact up to rounding")
    print_parameters(f"parameters of {family}", spec.parameters)


@contextlib.contextmanager
def _cost_said(family: str, d: int, size: Size) -> Iterator[None]:
    """Refuse a certificate past the memory there is for it; of one that takes long say what it may take."""
    mebibytes, most = size.certificate / 2**17, LARGEST_CERTIFICATE / 2**17
    if mebibytes > most:
        what, allowed = f"MiB of the certificate of {family} at d = {d}", f"numbers up to {most:.0f}"
        raise UserError(refusal(what, round(mebibytes), allowed, "lower d or the widths"))
    seconds = max(size.operations / OPERATIONS_A_SECOND, SAID_AFTER)
    line = (
        f"hierbench: the certificate of {family} at d = {d} takes up to about {seconds:.0f} s and "
        f"{mebibytes:.0f} MiB; an interrupt ends it"
    )
    timer = threading.Timer(SAID_AFTER, print, [line], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def parsed(settings: Sequence[str]) -> Parameters:
    """Parameters of ``--set parameter=value``."""
    check_given_once(settings)
    params = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UserError(refusal("--set", setting, "parameter=value"))
        params[name.strip()] = parse_value(value.strip())
    return params


def _dimension(d: int | None, params: Parameters) -> tuple[int, Parameters]:
    """The dimension, from ``--d`` or among the settings, and the other settings."""
    others = {name: value for name, value in params.items() if name != "d"}
    dimension = params.get("d", d)
    if dimension is None:
        raise UserError(refusal("d", None, "integers from 1", "give --d 40, or --set d=40"))
    if isinstance(dimension, bool) or not isinstance(dimension, int):
        raise UserError(refusal("d", dimension, "a whole number"))
    if d is not None and dimension != d:
        raise UserError(f"--d {d} and --set d={dimension}: two dimensions, give one")
    return dimension, others


def _certificate_lines(c: Certificate, d: int) -> list[tuple[str, str]]:
    def text(e: Estimate) -> str:
        if not e.known and e is c.bayes_error:
            return "unknown"
        if not e.known:
            return f"unknown: tails too heavy, {e.value:.3g} in a sample"
        exact = 0.0 if abs(e.value) < 1e-12 else e.value  # rounding
        return f"{exact:.6g}" if e.exact else f"{e.value:.4g} +- {e.stderr:.1g}"

    def per(values: Mapping[int, Estimate], what: str) -> list[tuple[str, str]]:
        return [(f"{what} {k}", text(v)) for k, v in values.items()]

    share = c.top_half_share()
    no_share = "under 0.001: eps_rel undefined" if c.degree_share else "unknown: eps_rel undefined"
    of = " of G" if c.classes else ""  # shares and floors are those of the function under the sign
    theorem = "" if c.rotation_invariant else " (a theorem for rotation-invariant inputs only)"
    return [
        ("degree", str(c.degree) if c.degree else "unknown"),
        ("parameters", str(c.n_parameters) if c.n_parameters else "unknown"),
        ("inputs", c.inputs),
        ("method", c.method),
        *([("classes", ", ".join(f"{v:.6g}" for v in c.classes))] if c.classes else []),
        ("mean", text(c.mean)),
        ("variance", text(c.variance)),
        ("kurtosis", text(c.kurtosis)),
        ("Bayes error", text(c.bayes_error)),
        *per(c.degree_share, "share of variance at degree"),
        *([] if c.degree_share else [("share of variance by degree", "unknown")]),
        *(
            [(f"share above degree {c.degree // 2}", no_share if share is None else f"{share:.4g}")]
            if c.degree
            else []
        ),
        *per(c.level_share, "share of variance of level"),
        *per(c.contamination, "contamination of level"),
        *([("share of the weakest direction", text(c.weakest_share))] if c.weakest_share else []),
        *(
            (f"condition number of {k}", f"{a:.3g} before, {b:.3g} after normalisation")
            for k, (a, b) in c.condition_numbers.items()
        ),
        *(
            (f"relative MSE{of} {e:g} needs", _degree(c.degree_needed(e)))
            for e in (DESCRIBED_ERRORS if c.degree else ())
        ),
        *(
            (f"kernel floor{of} from n = {n:.6g}", f"{floor:.4g}{theorem}")
            for n, floor in _falls(c.kernel_floor(d))
        ),
    ]


def _falls(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The steps at which a floor is lower than before, and the first."""
    return [s for k, s in enumerate(steps) if k == 0 or s[1] < steps[k - 1][1] - 1e-12]


def _degree(needed: int | None) -> str:
    return "an unknown degree" if needed is None else f"degree {needed}"
