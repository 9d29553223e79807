"""The estimates that decide claims: from rows to numbers with their intervals.

Every quantity takes the evidence of one suite, a criterion and a confidence level, and gives one
estimate for every cell that the criterion names. Where the rows do not identify it, its ends are infinite.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

from hierbench.benchmarks.claims.criteria import Criterion
from hierbench.benchmarks.claims.curve_quantities import (
    exponent_excess,
    exponent_growth,
    exponent_in_d,
    final_slope,
    n_star_ratios,
    share_beyond_dimension,
    share_falling,
    share_reached,
    slope_in_dimension,
)
from hierbench.benchmarks.correction.quantities import (
    exact_trace,
    growth,
    plane,
    real_depth,
    real_growth,
    real_visualisation,
    sgd_trace,
)
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate
from hierbench.benchmarks.suites.epsilon import FIELDS
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import refusal


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A quantity, and what a criterion has to give it.

    Attributes
    ----------
    meaning : str
        In words, for tables.
    epsilons : bool
        Whether it is about n*.
    compares : str
        "nothing"; "reference": with another learner; "pair": the last of two (target, epsilon) with the
        first; "either": one of the two.
    measured : callable or None
        For what is about experiments, and not about learning curves: its function of their measurements.
    """

    meaning: str
    estimates: Callable[[SuiteResults, Criterion, float], list[IntervalEstimate]]
    epsilons: bool = True
    compares: Literal["nothing", "reference", "pair", "either"] = "nothing"
    measured: OfExperiment | None = None

    def check(self, criterion: Criterion) -> None:
        """ValueError where the criterion does not give what is needed."""
        where = f"where quantity = {criterion.quantity!r}"
        if bool(criterion.experiments) != (self.measured is not None):
            allowed = "labels of experiments" if self.measured else "an empty list"
            raise ValueError(refusal("experiments", list(criterion.experiments), f"{allowed} {where}"))
        if bool(criterion.epsilons) != self.epsilons:
            allowed = f"values of {', '.join(FIELDS.values())}" if self.epsilons else "an empty list"
            raise ValueError(refusal("epsilons", [e.label for e in criterion.epsilons], f"{allowed} {where}"))
        n_pairs = len(criterion.targets) * len(criterion.epsilons)
        comparison = "reference" if criterion.reference else "pair" if n_pairs == 2 else "nothing"
        if self.compares == "nothing" and criterion.reference:
            allowed = f"a criterion without it {where}"
            raise ValueError(refusal("reference", criterion.reference, allowed))
        if self.compares == "reference" and comparison != "reference":
            raise ValueError(refusal("reference", criterion.reference, f"labels of learners {where}"))
        lacks_pair = self.compares == "pair" and comparison != "pair"
        if lacks_pair or (self.compares == "either" and comparison == "nothing"):
            allowed = "2, or any with reference," if self.compares == "either" else "2, without reference,"
            raise ValueError(refusal("pairs of target and epsilon", n_pairs, f"{allowed} {where}"))


OfExperiment = Callable[[Sequence[Measurement], float], IntervalEstimate]
"""From the measurements of one experiment and a confidence level to one estimate."""


def _measured(meaning: str, function: OfExperiment) -> Quantity:
    """A quantity of each experiment by itself."""

    def estimates(evidence: SuiteResults, criterion: Criterion, confidence: float) -> list[IntervalEstimate]:
        named = []
        for label in criterion.experiments:
            estimate = function(evidence.measurements[label], confidence)
            full = f"{label}: {estimate.label}" if estimate.label else label
            named.append(dataclasses.replace(estimate, label=full))
        return named

    return Quantity(meaning, estimates, epsilons=False, measured=function)


QUANTITIES = {
    "exponent": Quantity("exponent of n* in d", exponent_in_d),
    "exponent_excess": Quantity(
        "exponent of n* in d, minus that of the reference, over the d that both have",
        exponent_excess,
        compares="reference",
    ),
    "exponent_growth": Quantity(
        "exponent of n* in d, minus that at the first of two cells, over the d that both have",
        exponent_growth,
        compares="pair",
    ),
    "dimension_slope": Quantity("slope of log n* in log C(d+p, p)", slope_in_dimension),
    "n_star_ratio": Quantity(
        "n* over that of the reference, or over that at the first of two cells",
        n_star_ratios,
        compares="either",
    ),
    "reached": Quantity("share of curves that reach epsilon", share_reached),
    "beyond_dimension": Quantity("share of replicates whose n* is beyond N_p", share_beyond_dimension),
    "falling": Quantity(
        "share of curves whose error falls to 0.6 of itself at every fourfold step of n",
        share_falling,
        epsilons=False,
    ),
    "final_slope": Quantity(
        "slope of log error in log n over the last decade of n", final_slope, epsilons=False
    ),
    "final_slope_excess": Quantity(
        "slope over the last decade minus that of the reference, paired by replicate",
        final_slope,
        epsilons=False,
        compares="reference",
    ),
    "first_level_slope_before": _measured(
        "power of alpha in level 1's angle, first round", exact_trace.first_level_before
    ),
    "first_level_slope_after": _measured(
        "power of alpha in level 1's angle, corrected once", exact_trace.first_level_after
    ),
    "second_level_slope_before": _measured(
        "power of alpha in the error of level 2, first round", exact_trace.second_level_before
    ),
    "second_level_slope_after": _measured(
        "power of alpha in the error of level 2, corrected once", exact_trace.second_level_after
    ),
    "second_level_own_slope_before": _measured(
        "power of alpha in level 2's error relative to itself, first round",
        exact_trace.second_level_own_before,
    ),
    "second_level_own_slope_after": _measured(
        "power of alpha in level 2's error relative to itself, corrected once",
        exact_trace.second_level_own_after,
    ),
    "contraction_with_gap": _measured(
        "factor of a round in level 1's angle, alpha = 0.1", plane.contraction_with_gap
    ),
    "contraction_without_gap": _measured(
        "factor of a round in level 1's angle, alpha = 1.5", plane.contraction_without_gap
    ),
    "contraction_slope": _measured(
        "power of alpha in the factor of a round, alpha = 0.03 to 0.5", plane.contraction_slope
    ),
    "layerwise_floor_slope_in_alpha": _measured(
        "power of alpha in the floor of nets, read-outs refitted", plane.layerwise_floor
    ),
    "sequential_directions_floor_slope": _measured(
        "power of alpha in the floor of kernels on products of k directions",
        plane.directions_floor,
    ),
    "sequential_all_directions_floor_slope": _measured(
        "the same on products of as many directions as the target has",
        plane.all_directions_floor,
    ),
    "sequential_fits_floor_slope": _measured(
        "power of alpha in the floor of kernels on the first fit", plane.fits_floor
    ),
    "corrected_share": _measured(
        "share of runs of Algorithm 1 that correct level 1", sgd_trace.corrected_share
    ),
    "corrected_share_control": _measured("the same share at rho = 0", sgd_trace.corrected_share),
    "fallen_share": _measured("share of runs whose angle of level 1 falls threefold", sgd_trace.fallen_share),
    "gain_over_alone": _measured(
        "log10 of the ratio of level 1's angle without level 2 to that with it", sgd_trace.gain_over_alone
    ),
    "fall_after_next_level": _measured(
        "share of the fall of the lowest level's log error after the next one's halved",
        sgd_trace.fall_after_next_level,
    ),
    "fall_after_next_level_learned": _measured(
        "the same by the next level's own directions", sgd_trace.fall_after_next_level_learned
    ),
    "holistic_gain": _measured(
        "log10 of the error with the third level above frozen ones, minus that with all trained",
        growth.holistic_gain,
    ),
    "holistic_gain_second": _measured("the same at the second level", growth.holistic_gain_second),
    "feature_gain": _measured(
        "log10 of lower levels' feature error before a level is added, minus that after training all",
        growth.feature_gain,
    ),
    "feature_gain_over_waiting": _measured(
        "the same against equally long training without the added level",
        growth.feature_gain_over_waiting,
    ),
    "real_feature_gain": _measured(
        "points of accuracy of lower blocks' probes once a block is added and all are trained, less before",
        real_growth.real_feature_gain,
    ),
    "real_feature_gain_over_waiting": _measured(
        "the same, less after equally long training without the new block",
        real_growth.real_feature_gain_over_waiting,
    ),
    "real_inner_feature_gain_over_waiting": _measured(
        "the same of blocks that have another above them in both nets",
        real_growth.real_inner_feature_gain_over_waiting,
    ),
    "real_holistic_gain": _measured(
        "points of accuracy of a net grown with all trained, less with blocks frozen after as many steps",
        real_growth.real_holistic_gain,
    ),
    "real_holistic_gain_in_equal_steps": _measured(
        "the same, less with blocks frozen after the steps of a stage",
        real_growth.real_holistic_gain_in_equal_steps,
    ),
    "real_joint_gain": _measured(
        "points of accuracy trained end to end, less layer by layer with as many steps for each block",
        real_growth.real_joint_gain,
    ),
    "real_deepest_joint_gain": _measured(
        "points of accuracy at the largest depth trained end to end, less layer by layer with as many steps"
        " for each block",
        real_depth.deepest_joint_gain,
    ),
    "real_deepest_joint_gain_in_equal_steps": _measured(
        "the same, less layer by layer with as many steps in all",
        real_depth.deepest_joint_gain_in_equal_steps,
    ),
    "real_depth_gain": _measured(
        "points of accuracy at the largest depth, less at the smallest, trained end to end",
        real_depth.depth_gain,
    ),
    "real_depth_gain_layerwise": _measured(
        "the same layer by layer, with as many steps for each block", real_depth.depth_gain_layerwise
    ),
    "alignment_regularised": _measured(
        "|cosine| between what neurons show and what they should show, norm fixed",
        growth.alignment_regularised,
    ),
    "alignment_regularised_second": _measured(
        "the same of level 2 alone", growth.alignment_regularised_second
    ),
    "alignment_gain": _measured("that less the same without regularisation", growth.alignment_gain),
    "alignment_gain_second": _measured("the same of level 2 alone", growth.alignment_gain_second),
    "real_picture_probe": _measured(
        "percentage of strongly regularised pictures of logits that a probe puts into their class",
        real_visualisation.real_picture_probe,
    ),
    "real_picture_probe_gain": _measured(
        "that less the same without regularisation, in points", real_visualisation.real_picture_probe_gain
    ),
    "real_picture_similarity": _measured(
        "cosine of strongly regularised pictures of logits to the mean of their class",
        real_visualisation.real_picture_similarity,
    ),
    "real_picture_similarity_gain": _measured(
        "that less the same without regularisation", real_visualisation.real_picture_similarity_gain
    ),
    "real_picture_gain_adversarial": _measured(
        "cosine without regularisation of an adversarially trained net, less that of a plain one",
        real_visualisation.real_picture_gain_adversarial,
    ),
    "real_picture_similarity_gain_adversarial": _measured(
        "gain of strong regularisation in cosine, of an adversarially trained net",
        real_visualisation.real_picture_similarity_gain_adversarial,
    ),
    "success_gain_width": _measured(
        "share of successes at width 8 k minus that at k", plane.success_gain_width
    ),
    "success_gain_rows": _measured(
        "share of successes with 4 times the minimal rows of R minus that with the minimum",
        plane.success_gain_rows,
    ),
}
"""By the names that ``claims.toml`` calls them."""
