"""The errors that a suite asks for."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

from hierbench.benchmarks.suites.suite import Suite
from hierbench.targets.base import Certificate


class Scale(enum.StrEnum):
    """What an error is compared with; the value is what tables call it."""

    VARIANCE = "eps"
    """The variance of y (a rate of misclassification, where that is the metric, is compared with 1)."""
    UPPER_HALF = "eps_rel"
    """The share of variance above half the top degree, which no low-degree approximation reaches."""
    TOP = "eps_top"
    """The share of variance of the top degree. A perfect fit of all lower degrees has eps_top = 1, where the
    same fit may have an eps_rel of 0.1: success at a degree is eps_top <= 0.3."""
    WEAKEST = "eps_weak"
    """The share of variance that is lost with the weakest direction of any weight matrix: a fit that has all
    others and lacks this one has an eps_weak of about 1."""


FIELDS = {
    Scale.VARIANCE: "epsilons",
    Scale.UPPER_HALF: "relative_epsilons",
    Scale.TOP: "top_epsilons",
    Scale.WEAKEST: "weakest_epsilons",
}
"""What suites and claims call the errors of a scale."""


def epsilons_of(suite: Suite) -> list[Epsilon]:
    """The suite's epsilons, scale by scale."""
    return [Epsilon(e, scale) for scale in Scale for e in getattr(suite, FIELDS[scale])]


@dataclasses.dataclass(frozen=True, order=True)
class Epsilon:
    """An error to be reached: an MSE of ``value`` times what ``scale`` says."""

    value: float
    scale: Scale = Scale.VARIANCE

    @property
    def label(self) -> str:
        """How tables call it: eps, eps_rel, eps_top or eps_weak."""
        return f"{self.scale} = {self.value:g}"

    def threshold(self, certificate: Certificate | None) -> float | None:
        """Error asked for; None where it is undefined (classification too) or its certificate missing."""
        if self.scale == Scale.VARIANCE:
            return self.value
        if certificate is None or certificate.classes:
            return None
        shares: dict[Scale, Callable[[], float | None]] = {
            Scale.UPPER_HALF: certificate.top_half_share,
            Scale.TOP: certificate.top_share,
            Scale.WEAKEST: certificate.weakest_direction_share,
        }
        share = shares[self.scale]()
        return None if share is None else self.value * share


EPSILONS = (
    *(Epsilon(value) for value in (0.3, 0.1, 0.03, 0.01)),
    *(Epsilon(value, Scale.UPPER_HALF) for value in (0.5, 0.1, 0.01)),
)
