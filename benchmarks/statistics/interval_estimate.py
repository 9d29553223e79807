"""A number with its interval, and the few ways to one: difference, mean, share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy

from hierbench.benchmarks.suites.epsilon import Epsilon


@dataclasses.dataclass(frozen=True)
class IntervalEstimate:
    """A number with its interval; an infinite end is one that the rows leave open.

    Attributes
    ----------
    label : str
        Learner, target, epsilon.
    value : float or None
        None where there is a bound only, or nothing.
    n_rows : int
        Rows that it stands on.
    note : str
        Why there is no value.
    cells : tuple of (learner, target)
        What it is made of, where it is made of learning curves.
    dims : tuple of int
        At which d; empty: at all.
    epsilons : tuple of Epsilon
        At which errors, where it is about n*.
    """

    label: str
    value: float | None = None
    low: float = -math.inf
    high: float = math.inf
    n_rows: int = 0
    note: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    dims: tuple[int, ...] = ()
    epsilons: tuple[Epsilon, ...] = ()

    def text(self) -> str:
        """The number with its interval, or the bound, or the reason why there is neither."""
        if self.value is None:
            bounded = [f">= {self.low:.3g}"] * math.isfinite(self.low)
            bounded += [f"<= {self.high:.3g}"] * math.isfinite(self.high)
            return " and ".join(bounded) or self.note or "unidentified"
        low = f"{self.low:.3g}" if math.isfinite(self.low) else "-inf"
        high = f"{self.high:.3g}" if math.isfinite(self.high) else "inf"
        return f"{self.value:.3g} [{low}, {high}]"


def difference(label: str, a: IntervalEstimate, b: IntervalEstimate) -> IntervalEstimate:
    """A - b with its interval, from those of a and b.

    Method: each half-length is the root of the sum of squares of the two half-lengths that push the
    difference that way (method of variance estimates recovery: Zou & Donner, Statist. Med. 27, 2008),
    which keeps asymmetric intervals. It takes a and b as independent; data in common, which correlates
    them positively, makes it too wide. Where one of them has no value the ends are subtracted.
    """
    low, high = a.low - b.high, a.high - b.low
    value = None
    if a.value is not None and b.value is not None:
        value = a.value - b.value
        low = value - math.hypot(a.value - a.low, b.high - b.value)
        high = value + math.hypot(a.high - a.value, b.value - b.low)
    note = "; ".join(f"{f.label}: {f.note}" for f in (a, b) if f.note)
    cells, dims = (*a.cells, *b.cells), tuple(sorted({*a.dims, *b.dims}))
    epsilons = tuple(dict.fromkeys((*a.epsilons, *b.epsilons)))
    return IntervalEstimate(label, value, low, high, a.n_rows + b.n_rows, note, cells, dims, epsilons)


def mean_estimate(label: str, values: Sequence[float], confidence: float, n_rows: int) -> IntervalEstimate:
    """Mean over independent replicates with Student's interval; three of them at least."""
    if len(values) < 3:
        note = f"{len(values)} of the 3 replicates that an interval needs"
        return IntervalEstimate(label, n_rows=n_rows, note=note)
    centre = float(np.mean(values))
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, len(values) - 1) * scipy.stats.sem(values))
    return IntervalEstimate(label, centre, centre - half, centre + half, n_rows)


def paired_estimate(
    label: str, ours: Mapping[object, float], theirs: Mapping[object, float], confidence: float
) -> IntervalEstimate:
    """Mean of ours less theirs over the replicates that both have, by name."""
    differences = [ours[name] - theirs[name] for name in ours if name in theirs]
    return mean_estimate(label, differences, confidence, len(differences))


def share_estimate(label: str, outcomes: Sequence[bool], confidence: float) -> IntervalEstimate:
    """A share of independent runs with its exact interval (Clopper & Pearson, Biometrika 26, 1934)."""
    interval = scipy.stats.binomtest(sum(outcomes), len(outcomes)).proportion_ci(confidence, method="exact")
    return IntervalEstimate(
        label, sum(outcomes) / len(outcomes), float(interval.low), float(interval.high), len(outcomes)
    )
