"""What claims ask of the traces in SGD: was level 1 corrected, and were levels learned together."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, mean_estimate, share_estimate
from hierbench.benchmarks.units.measurement import Measurement

FACTOR = 3.0
"""A fall that counts, as the issue and the claim fix it."""


@dataclasses.dataclass(frozen=True)
class Fall:
    """Level 1's angle in one run of Algorithm 1 (root mean square over its nets).

    Attributes
    ----------
    before : float
        At the last look before level 2 came on in any net.
    after : float
        At the end.
    alone : float
        At the end of the twin, the same nets on the same minibatches without level 2.
    contamination : float
        The part of ``alone`` that the nets have in common; 0 where they do not tell it from none. Shown,
        and decides nothing.
    """

    before: float
    after: float
    alone: float
    contamination: float

    @property
    def fell(self) -> bool:
        """By ``FACTOR`` since level 2 came on, whatever the reason."""
        return self.after <= self.before / FACTOR

    @property
    def corrected(self) -> bool:
        """``fell``, and ends ``FACTOR`` below ``alone`` too.

        The angle before is mostly noise: level 2's part of y is noise to a level 1 that trains alone,
        and goes when level 2 learns it, at rho = 0 as well. So the fall has to be one below what level
        1 alone comes to at the end of the same schedule.
        """
        return self.fell and self.after <= self.alone / FACTOR


def falls(measurements: Sequence[Measurement]) -> dict[int, Fall]:
    """The fall of level 1's angle in every run of Algorithm 1, by seed."""
    runs: dict[int, list[Measurement]] = defaultdict(list)
    for m in measurements:
        runs[int(m.labels["seed"])].append(m)
    by_seed = {}
    for seed, records in runs.items():
        algorithm1 = _common(records, "algorithm1")
        twin = _common(records, "level1")
        if not algorithm1 or not twin:
            continue
        on_at = min(
            _number(m, "on_at")
            for m in records
            if m.labels["kind"] == "switch" and (m.labels["learner"], m.labels["level"]) == ("algorithm1", 2)
        )
        before = [m for m in algorithm1 if int(m.labels["step"]) <= on_at][-1]
        by_seed[seed] = Fall(
            before=_number(before, "total"),
            after=_number(algorithm1[-1], "total"),
            alone=_number(twin[-1], "total"),
            contamination=_number(twin[-1], "systematic"),
        )
    return by_seed


def corrected_share(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Share of Algorithm 1's runs in which level 1 was corrected threefold (``Fall.corrected``)."""
    return _share([fall.corrected for fall in falls(measurements).values()], confidence, "")


def fallen_share(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Share of runs in which the angle as it stands fell threefold, noise and all (``Fall.fell``)."""
    return _share([fall.fell for fall in falls(measurements).values()], confidence, "noise included")


def gain_over_alone(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """log10 of the angle that level 1 comes to alone, less that of the run: both noise and all."""
    gains = [math.log10(fall.alone / fall.after) for fall in falls(measurements).values()]
    return mean_estimate("log10", gains, confidence, len(gains))


def _share(outcomes: Sequence[bool], confidence: float, label: str) -> IntervalEstimate:
    if not outcomes:
        return IntervalEstimate(label, note="no run of Algorithm 1 with its twin")
    return share_estimate(label, outcomes, confidence)


def fall_after_next_level(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """Share of the fall of the lowest level's log feature error after the next one's has fallen by half.

    Feature errors of upper levels are those that every level below helps to read out: that of level 2
    falls as soon as level 1 is about right. ``fall_after_next_level_learned`` is stricter.
    """
    return _fall_after(measurements, "feature_error", confidence)


def fall_after_next_level_learned(measurements: Sequence[Measurement], confidence: float) -> IntervalEstimate:
    """The same after the next level's own k leading directions are half right (their ``angle``)."""
    return _fall_after(measurements, "angle", confidence)


def _fall_after(measurements: Sequence[Measurement], name: str, confidence: float) -> IntervalEstimate:
    nets: dict[tuple[int, int], list[Measurement]] = defaultdict(list)
    for m in measurements:
        if m.labels["kind"] == "trace":
            nets[int(m.labels["seed"]), int(m.labels["net"])].append(m)
    shares: dict[int, list[float]] = defaultdict(list)
    for (seed, _), records in nets.items():
        share = share_after(records, name)
        if share is not None:
            shares[seed].append(share)
    note = "half of the next level's" if name == "feature_error" else "half of the next level's own angle"
    return mean_estimate(note, [float(np.mean(s)) for s in shares.values()], confidence, len(nets))


def share_after(records: Sequence[Measurement], name: str) -> float | None:
    """Of one net: 1 - log(e(0) / e(t)) / log(e(0) / e(T)), e of the lowest judged level.

    t is the first look at which the value ``name`` of the level above is at most half of its own at the
    first look; 0 is the share where that never happens. None where e did not fall, and where a value is
    not told: no read-out judges a level above so many features that they express it untrained.
    """
    low = min(int(m.labels["level"]) for m in records)
    lowest = "angle" if low == 1 else "feature_error"
    e, upper = _series(records, low, lowest), _series(records, low + 1, name)
    if not e or upper is None:
        return None
    first, last = e[min(e)], e[max(e)]
    if not 0.0 < last < first:
        return None
    halved = [step for step in sorted(upper) if upper[step] <= upper[min(upper)] / 2.0]
    return math.log(e[halved[0]] / last) / math.log(first / last) if halved else 0.0


def _series(records: Sequence[Measurement], level: int, name: str) -> dict[int, float] | None:
    """A value of a level by step, from where the level is on; None unless it is told at each of them."""
    looks = [m for m in records if m.labels["level"] == level and m.values["on"] == 1.0]
    values = {int(m.labels["step"]): m.values.get(name) for m in looks}
    numbers = {step: value for step, value in values.items() if isinstance(value, float)}
    return numbers if len(numbers) == len(values) else None


def _common(records: Sequence[Measurement], learner: str) -> list[Measurement]:
    common = [m for m in records if m.labels["kind"] == "common" and m.labels["learner"] == learner]
    return sorted(common, key=lambda m: int(m.labels["step"]))


def _number(m: Measurement, name: str) -> float:
    value = m.values[name]
    assert isinstance(value, float)
    return value
