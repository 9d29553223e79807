"""Which figures an experiment's measurements are drawn in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from hierbench.benchmarks.units.measurement import Measurement
from hierbench.plots.correction import (
    features,
    floors,
    growth,
    planes,
    real_depth,
    real_growth,
    real_visualisation,
    rounds,
    sgd,
)
from hierbench.plots.data import Measured, Provenance
from hierbench.plots.style import FigureWriter, figure_style

Draw = Callable[[Sequence[Measured]], Figure]

FIGURES: Mapping[str, tuple[Draw, tuple[str, ...]]] = {
    "rounds": (rounds.rounds, ("exact-trace", "exact-trace-control")),
    "powers": (
        rounds.powers,
        ("exact-trace", "exact-trace-squares"),
    ),
    "variants": (rounds.variants, ("exact-trace", "exact-trace-variants")),
    "sgd": (sgd.trace, ("sgd-trace", "sgd-trace-control")),
    "sgd_learners": (
        sgd.learners,
        (
            "sgd-trace",
            "sgd-trace-densenet",
            "sgd-trace-densenet-adam",
            "sgd-trace-bfc1",
            "sgd-trace-layerwise",
        ),
    ),
    "simultaneous": (sgd.together, ("sgd-trace-densenet", "sgd-trace-squares")),
    "kernel_features": (sgd.kernels, ("kernel-features",)),
    "growth": (growth.growth, ("growth", "growth-control", "growth-squares")),
    "real_growth": (real_growth.real_growth, ("real-growth", "real-growth-digits")),
    "real_depth": (real_depth.real_depth, ("real-depth",)),
    "real_visualisation": (real_visualisation.real_visualisation, ("real-visualisation",)),
    "features": (features.features, ("features-algorithm1",)),
    "features_densenet": (features.features, ("features-densenet",)),
    "alignments": (
        features.alignments,
        ("features-densenet", "features-algorithm1", "adversarial"),
    ),
    "attacks": (features.attacks, ("adversarial",)),
    "contraction": (planes.contraction, ("exact-contraction",)),
    "plane": (planes.alpha_n, ("plane",)),
    "width_rows": (planes.width_rows, ("width", "width-and-rows")),
    "floors_exact": (
        floors.exact,
        ("exact-floors", "exact-floors-twice", "exact-floors-wide", "exact-sequential"),
    ),
    "floors_in_n": (
        floors.against_n,
        ("floors-in-n", "floors-in-n-cycling", "floors-in-n-kernels"),
    ),
    "three_levels": (rounds.three_levels, ("exact-trace-three-levels",)),
}
"""By name of the figure: the function in ``plots`` and the labels of the experiments it shows. It is
drawn where one of them has been measured."""


def write(measured: Mapping[str, Sequence[Measurement]], folder: Path, provenance: Provenance) -> list[Path]:
    """Write the figures that ``measured`` (by the experiments' labels) has data for; their paths."""
    count = sum(len(records) for records in measured.values())
    writer = FigureWriter(folder, dataclasses.replace(provenance, n_rows=count))
    with figure_style():
        for name, (draw, labels) in FIGURES.items():
            records = [
                Measured(label, m.labels, m.values) for label in labels for m in measured.get(label, ())
            ]
            if not records:
                continue
            writer.write(draw(records), "correction", name)
    return writer.paths
