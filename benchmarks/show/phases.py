"""Where layer-wise training needs more samples than joint training: n* over alpha and width."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.show.ratios import ratio_cells
from hierbench.benchmarks.statistics.ranks import compare
from hierbench.benchmarks.statistics.sample_complexity import NStar
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.vocabulary import LearnerSpec
from hierbench.plots.data import PhaseDiagram, RatioCell

JOINT, LAYERWISE = "densenet", "layerwise"
"""Registered names of the two ways to train the same net."""
LEVEL = 0.05
"""P-value below which the two are told apart in a cell."""


def phase_diagrams(
    rows: Sequence[Row], stars: Sequence[NStar], success: Mapping[str, str]
) -> tuple[PhaseDiagram, ...]:
    """One diagram a d, of targets that differ in alpha alone and nets of a fixed width.

    A cell pairs replicates (``hierbench.benchmarks.statistics.ranks.compare``). There is a diagram where two
    alphas and two widths have both nets, and one error counts as success on all targets.

    Parameters
    ----------
    success : mapping
        Label of the epsilon at which a target counts as learned.
    """
    classes: dict[str, dict[str, float]] = defaultdict(dict)
    families = {row.target: row.target_spec.get("family", "") for row in rows}
    nets: dict[tuple[str, int], str] = {}
    for row in rows:
        parameters = row.target_spec.get("parameters", {})
        if "alpha" in parameters and row.target in success:
            shared = {k: v for k, v in parameters.items() if k != "alpha"}
            name = digest([row.target_spec["family"], shared])
            classes[name].setdefault(row.target, float(parameters["alpha"]))
        width = width_of(row.learner_spec)
        if width is not None:
            nets.setdefault((row.learner_spec["name"], width), row.learner)
    widths = [w for name, w in nets if name == JOINT and (LAYERWISE, w) in nets]
    by_curve: dict[tuple[str, str, int], list[NStar]] = defaultdict(list)
    for star in stars:
        if star.epsilon.label == success.get(star.target):
            by_curve[star.target, star.learner, star.d].append(star)
    diagrams = []
    for targets in classes.values():
        labels = {success[target] for target in targets}
        for d in sorted({d for target, _, d in by_curve if target in targets}) if len(labels) == 1 else ():
            cells = []
            for target, alpha in targets.items():
                for width in widths:
                    joint, layerwise = (by_curve[target, nets[n, width], d] for n in (JOINT, LAYERWISE))
                    if joint and layerwise:
                        cells.append(_cell(alpha, width, joint, layerwise))
            if len({c.alpha for c in cells}) > 1 and len({c.width for c in cells}) > 1:
                first = next(iter(targets))
                diagrams.append(PhaseDiagram(first, families[first], d, success[first], tuple(cells)))
    return tuple(diagrams)


def width_of(spec: LearnerSpec) -> int | None:
    """The width of a net of which joint and layer-wise training are compared; None where it is not one."""
    parameters = spec.get("parameters", {})
    name = spec.get("name")
    width = parameters.get("width")
    if name == LAYERWISE and parameters.get("first_width") is not None:
        width = parameters["first_width"]
    return width if name in (JOINT, LAYERWISE) and isinstance(width, int) else None


def _cell(alpha: float, width: int, joint: Sequence[NStar], layerwise: Sequence[NStar]) -> RatioCell:
    found = compare(joint, layerwise)
    text, _ = ratio_cells(found)
    ends = [-end for end in (found.high, found.low) if math.isfinite(end)]  # equal where it is no bound
    value = ends[0] / math.log(2) if ends else None
    return RatioCell(alpha, width, value, text if ends else "", bool(ends) and found.p < LEVEL)
