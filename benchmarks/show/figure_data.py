"""From stored rows to what figures show."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Sequence

from hierbench.benchmarks.show.degrees import degree_panels
from hierbench.benchmarks.show.families import families_of
from hierbench.benchmarks.show.labels import relabelled, shown_labels
from hierbench.benchmarks.show.phases import phase_diagrams
from hierbench.benchmarks.show.slopes import exponents_of
from hierbench.benchmarks.show.table import format_exponent
from hierbench.benchmarks.show.takeaway import success
from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, n_stars, summarise
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.fixed_sizes import FixedSizes
from hierbench.benchmarks.theory.overlays import predictions
from hierbench.benchmarks.units.rows import Row, RowStatus
from hierbench.learners.catalogue.families import FAMILIES
from hierbench.plots.data import (
    CurvePoint,
    EpsilonPanel,
    ErrorMetric,
    ExponentLine,
    FigureData,
    FixedPoint,
    KernelFloor,
    NStarPoint,
    ParameterCount,
    Provenance,
)


def figure_data(
    rows: Sequence[Row],
    certificates: Certificates,
    epsilons: Sequence[Epsilon],
    provenance: Provenance,
    reference: Collection[str] = (),
    fixed: Sequence[Row] = (),
    declared: Sequence[FixedSizes] = (),
) -> FigureData:
    """What the figures of ``rows`` show; learners and targets in the order of the rows.

    Learners of ``reference`` stand behind the others. Of the rows at ``fixed`` sizes those are shown that are
    at one of the sizes ``declared``.
    """
    behind = shown_labels(row.learner for row in rows)
    at_size = at_declared_sizes(fixed, declared)
    every, certificates = relabelled([*rows, *(row for _, row in at_size)], certificates)
    rows, relabelled_fixed = every[: len(rows)], every[len(rows) :]
    stars = n_stars(rows, certificates, epsilons)
    degrees: dict[tuple[str, str], set[int]] = defaultdict(set)
    for star in stars:
        if star.degree_needed is not None:
            degrees[star.target, star.epsilon.label].add(star.degree_needed)
    groups: dict[tuple[str, str, Epsilon], list[NStar]] = defaultdict(list)
    for star in stars:
        groups[star.target, star.learner, star.epsilon].append(star)
    targets = tuple(dict.fromkeys(row.target for row in rows))
    counts: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (target, d, _), certificate in certificates.items():
        counts[target, d].append(certificate.n_parameters)

    families = families_of(rows)
    exponents = dict(zip(groups, exponents_of(list(groups.values())), strict=True))
    learned = {
        target: epsilon.label
        for target in targets
        if (epsilon := success([s for s in stars if s.target == target])) is not None
    }
    slopes = {(target, learner, eps.label): e for (target, learner, eps), e in exponents.items()}
    return FigureData(
        learners=tuple(dict.fromkeys(row.learner for row in rows)),
        targets=targets,
        curves=curve_points(rows),
        n_stars=tuple(
            NStarPoint(s.learner, s.target, s.d, s.epsilon.label, s.value, s.low, s.high, s.censoring)
            for s in summarise(stars)
            if s.value is not None
        ),
        exponents=tuple(
            ExponentLine(learner, target, eps.label, format_exponent(e), e.value, e.intercept)
            for (target, learner, eps), e in exponents.items()
        ),
        panels=tuple(
            EpsilonPanel(target, epsilon.label, _asks_for(degrees[target, epsilon.label]))
            for target in targets
            for epsilon in epsilons
        ),
        parameter_counts=tuple(
            ParameterCount(target, d, round(statistics.median(n_parameters)))
            for (target, d), n_parameters in sorted(counts.items())
            if target in targets and any(n_parameters)  # 0: nobody knows
        ),
        metrics=tuple(
            ErrorMetric(target, next(row.metric for row in rows if row.target == target))
            for target in targets
        ),
        kernel_floors=tuple(
            KernelFloor(target, d, steps)
            for target, d in sorted(counts)
            if target in targets and (steps := median_floor(target, d, certificates))
        ),
        provenance=provenance,
        families=families,
        family_order=tuple(dict.fromkeys([*FAMILIES, *families.values()])),
        success=learned,
        degrees=degree_panels(rows, certificates, stars, slopes, learned),
        phases=phase_diagrams(rows, stars, learned),
        reference=frozenset(behind[name] for name in reference),
        fixed=tuple(
            FixedPoint(size, point)
            for (size, _), row in zip(at_size, relabelled_fixed, strict=True)
            for point in curve_points([row])
        ),
        predictions=tuple(_predicted(row, error) for row, error in predictions(rows, certificates)),
    )


def at_declared_sizes(rows: Sequence[Row], declared: Sequence[FixedSizes]) -> list[tuple[str, Row]]:
    """Rows with what is fixed in their size, in the order of the declarations."""
    found = []
    for size in dict.fromkeys(size for entry in declared for size in entry.at(1)):
        for row in rows:
            sizes = (entry.at(row.d) for entry in declared if entry.holds(row.target, row.d))
            if any(of_entry.get(size) == row.n for of_entry in sizes):
                found.append((size, row))
    return found


def curve_points(rows: Sequence[Row]) -> tuple[CurvePoint, ...]:
    """Points of learning curves, skipped ones left out."""
    return tuple(
        CurvePoint(
            row.learner,
            row.target,
            row.d,
            (row.target_index, row.sample_index, row.init_index),
            row.n,
            row.error,
            row.status,
        )
        for row in rows
        if row.status != RowStatus.SKIPPED
    )


def _predicted(row: Row, error: float) -> CurvePoint:
    replicate = (row.target_index, row.sample_index, row.init_index)
    return CurvePoint(row.learner, row.target, row.d, replicate, row.n, error, "ok")


def median_floor(target: str, d: int, certificates: Certificates) -> tuple[tuple[float, float], ...]:
    """Predicted floor of rotation-invariant kernels, the median over the targets drawn.

    Empty where it is no theorem: for other laws of the inputs, for classification (it is about
    mean squared errors), and where a certificate has no shares of variance.
    """
    cell_certificates = [c for (name, size, _), c in certificates.items() if (name, size) == (target, d)]
    floors = [c.kernel_floor(d) for c in cell_certificates]
    if not all(floors) or not all(c.rotation_invariant and not c.classes for c in cell_certificates):
        return ()

    def at(steps: Sequence[tuple[float, float]], n: float) -> float:
        return next(floor for start, floor in reversed(steps) if start <= n)

    sizes = sorted({n for steps in floors for n, _ in steps})
    return tuple((n, statistics.median(at(steps, n) for steps in floors)) for n in sizes)


def _asks_for(degrees: set[int]) -> str:
    if not degrees:
        return ""
    low, high = min(degrees), max(degrees)
    return f"degree {low}" if low == high else f"degree {low}-{high}"
