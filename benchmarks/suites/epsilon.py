"""The errors that a suite asks for."""

from __future__ import annotations

import dataclasses

from hierbench.benchmarks.suites.suite import Suite
from hierbench.targets.base import Certificate


def epsilons_of(suite: Suite) -> list[Epsilon]:
    """The suite's epsilons, those relative to the share of the top degrees last."""
    relative = [Epsilon(e, relative=True) for e in suite.relative_epsilons]
    return [Epsilon(e) for e in suite.epsilons] + relative


@dataclasses.dataclass(frozen=True, order=True)
class Epsilon:
    """An error to be reached.

    It is a relative MSE (a rate of misclassification, where that is the metric), or where it is ``relative``
    the MSE over the share of variance above half the top degree, which no low-degree approximation reaches.
    """

    value: float
    relative: bool = False

    @property
    def label(self) -> str:
        """How tables call it: eps or eps_rel."""
        return f"{'eps_rel' if self.relative else 'eps'} = {self.value:g}"

    def threshold(self, certificate: Certificate | None) -> float | None:
        """Error asked for; None where it is undefined (classification too) or its certificate missing."""
        if not self.relative:
            return self.value
        share = None if certificate is None or certificate.classes else certificate.top_half_share()
        return None if share is None else self.value * share


EPSILONS = (
    *(Epsilon(value) for value in (0.3, 0.1, 0.03, 0.01)),
    *(Epsilon(value, relative=True) for value in (0.5, 0.1, 0.01)),
)
