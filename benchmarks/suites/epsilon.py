"""The errors that a suite asks for."""

from __future__ import annotations

import dataclasses
import enum

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


def epsilons_of(suite: Suite) -> list[Epsilon]:
    """The suite's epsilons, those relative to the share of the top degrees last."""
    relative = [Epsilon(e, Scale.UPPER_HALF) for e in suite.relative_epsilons]
    return [*map(Epsilon, suite.epsilons), *relative, *(Epsilon(e, Scale.TOP) for e in suite.top_epsilons)]


@dataclasses.dataclass(frozen=True, order=True)
class Epsilon:
    """An error to be reached: an MSE of ``value`` times what ``scale`` says."""

    value: float
    scale: Scale = Scale.VARIANCE

    @property
    def label(self) -> str:
        """How tables call it: eps, eps_rel or eps_top."""
        return f"{self.scale} = {self.value:g}"

    def threshold(self, certificate: Certificate | None) -> float | None:
        """Error asked for; None where it is undefined (classification too) or its certificate missing."""
        if self.scale == Scale.VARIANCE:
            return self.value
        if certificate is None or certificate.classes:
            return None
        top = self.scale == Scale.TOP
        share = certificate.top_share() if top else certificate.top_half_share()
        return None if share is None else self.value * share


EPSILONS = (
    *(Epsilon(value) for value in (0.3, 0.1, 0.03, 0.01)),
    *(Epsilon(value, Scale.UPPER_HALF) for value in (0.5, 0.1, 0.01)),
)
