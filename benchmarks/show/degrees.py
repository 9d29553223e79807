"""How n* grows with d as the degree of the target grows: targets that are alike but for their depth."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.show.families import families_of
from hierbench.benchmarks.show.table import format_exponent
from hierbench.benchmarks.statistics.exponents import Exponent, dimension_slope
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, summarise
from hierbench.benchmarks.units.rows import Row
from hierbench.plots.data import DegreePanel, Growth, NStarPoint
from hierbench.targets.base import polynomial_dimension

KERNELS = ("fixed kernel", "kernel of a net", "compositional kernel")
"""Families of rotation-invariant kernels: n* grows like the dimension of the polynomials."""
SIZED = ("depth", "width")
"""Parameters in which targets of one class may differ."""


def degree_panels(
    rows: Sequence[Row],
    certificates: Certificates,
    stars: Sequence[NStar],
    slopes: Mapping[tuple[str, str, str], Exponent],
    success: Mapping[str, str],
) -> dict[str, tuple[DegreePanel, ...]]:
    """Panels by the target of the lowest degree, lowest degree first.

    Targets make a class where they have one family and the same parameters but for depth and width; of
    several of one degree the first counts. A class has n* at two degrees or more.

    Parameters
    ----------
    slopes : mapping of (target, learner, label of epsilon) to Exponent
    success : mapping
        Label of the epsilon at which a target counts as learned.
    """
    classes: dict[str, dict[int, str]] = defaultdict(dict)
    parameters: dict[str, Mapping[str, object]] = {}
    for row in rows:
        if row.target in parameters or not row.target_spec:
            continue
        parameters[row.target] = row.target_spec["parameters"]
        degrees = {c.degree for (name, _, _), c in certificates.items() if name == row.target}
        if len(degrees) == 1 and row.target in success:
            shared = {k: v for k, v in parameters[row.target].items() if k not in SIZED}
            classes[digest([row.target_spec["family"], shared])].setdefault(degrees.pop(), row.target)
    found = {}
    for targets in classes.values():
        panels = []
        for degree, target in sorted(targets.items()) if len(targets) > 1 else ():
            of_target = [s for s in stars if s.target == target and s.epsilon.label == success[target]]
            panel = _panel(degree, [row for row in rows if row.target == target], of_target, slopes)
            if panel is not None:
                panels.append((panel, parameters[target]))
        if len(panels) > 1:
            (first, base), *others = panels
            found[first.target] = (first, *(_set(panel, own, base) for panel, own in others))
    return found


def _set(panel: DegreePanel, own: Mapping[str, object], base: Mapping[str, object]) -> DegreePanel:
    """The panel with the width k, where it is not that of the first target."""
    width = own.get("width")
    return panel if width == base.get("width") else dataclasses.replace(panel, setting=f"k = {width}")


def _panel(
    degree: int,
    rows: Sequence[Row],
    stars: Sequence[NStar],
    slopes: Mapping[tuple[str, str, str], Exponent],
) -> DegreePanel | None:
    dims = Counter(d for _, d in {(s.learner, s.d) for s in stars if s.informative})
    asked = Counter(s.degree_needed for s in stars if s.degree_needed)
    if not dims or not asked:
        return None
    target, epsilon, inputs = stars[0].target, stars[0].epsilon.label, stars[0].inputs
    d = max(dims, key=lambda d: (dims[d], d))
    p = max(asked, key=lambda p: (asked[p], p))
    drawn = {(s.d, s.replicate.target) for s in stars}
    undefined = {(s.d, s.replicate.target) for s in stars if s.censoring == "undefined"}
    families = families_of(rows)
    of_kernels = {s.d for s in stars if families[s.learner] in KERNELS} or {s.d for s in stars}
    growths = []
    for learner in dict.fromkeys(row.learner for row in rows):
        slope = slopes[target, learner, epsilon]
        if slope.kind != "unidentified":
            by_dimension = dimension_slope([s for s in stars if s.learner == learner])
            text = format_exponent(by_dimension) if by_dimension.kind == "estimate" else ""
            growths.append(Growth(learner, slope.kind, slope.value, slope.low, slope.high, text))
    return DegreePanel(
        target=target,
        degree=degree,
        epsilon=epsilon,
        asks_for=f"degree {p}" if len(asked) == 1 else f"degree {min(asked)}-{max(asked)}, most often {p}",
        defined=(len(drawn - undefined), len(drawn)),
        setting="",
        growths=tuple(growths),
        d=d,
        n_stars=tuple(
            NStarPoint(s.learner, s.target, s.d, epsilon, s.value, s.low, s.high, s.censoring)
            for s in summarise(s for s in stars if s.d == d)
            if s.value is not None
        ),
        polynomials=float(polynomial_dimension(d, p, inputs)),
        rotations=d * (d - 1) / 2,
        polynomial_exponent=polynomial_exponent(sorted(of_kernels), p, inputs),
    )


def polynomial_exponent(dims: Sequence[int], degree: int, inputs: str) -> float | None:
    """Slope of log N_p in log d over these d, p = ``degree``, by least squares; None for a single d."""
    if len(dims) < 2:
        return None
    sizes = [float(polynomial_dimension(d, degree, inputs)) for d in dims]
    return float(np.polyfit(np.log(dims), np.log(sizes), 1)[0])
