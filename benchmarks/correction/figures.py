"""Which figures an experiment's measurements are drawn in."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from hierbench.benchmarks.measurement import Measurement
from hierbench.plots.data import Measured, Provenance

FIGURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "rounds": ("correction_rounds:rounds", ("exact-trace", "exact-trace-control")),
    "powers": (
        "correction_rounds:powers",
        ("exact-trace", "exact-trace-squares"),
    ),
    "variants": ("correction_rounds:variants", ("exact-trace", "exact-trace-variants")),
    "sgd": ("correction_sgd:trace", ("sgd-trace", "sgd-trace-control")),
    "sgd_learners": (
        "correction_sgd:learners",
        (
            "sgd-trace",
            "sgd-trace-densenet",
            "sgd-trace-densenet-adam",
            "sgd-trace-bfc1",
            "sgd-trace-layerwise",
        ),
    ),
    "simultaneous": ("correction_sgd:together", ("sgd-trace-densenet", "sgd-trace-squares")),
    "kernel_features": ("correction_sgd:kernels", ("kernel-features",)),
    "growth": ("correction_growth:growth", ("growth", "growth-control", "growth-squares")),
    "features": ("correction_features:features", ("features-algorithm1",)),
    "features_densenet": ("correction_features:features", ("features-densenet",)),
    "alignments": (
        "correction_features:alignments",
        ("features-densenet", "features-algorithm1", "adversarial"),
    ),
    "attacks": ("correction_features:attacks", ("adversarial",)),
    "contraction": ("correction_planes:contraction", ("exact-contraction",)),
    "plane": ("correction_planes:alpha_n", ("plane",)),
    "width_rows": ("correction_planes:width_rows", ("width", "width-and-rows")),
    "floors_exact": (
        "correction_floors:exact",
        ("exact-floors", "exact-floors-twice", "exact-floors-wide", "exact-sequential"),
    ),
    "floors_in_n": (
        "correction_floors:against_n",
        ("floors-in-n", "floors-in-n-cycling", "floors-in-n-kernels"),
    ),
    "three_levels": ("correction_rounds:three_levels", ("exact-trace-three-levels",)),
}
"""By name of the figure: the function in ``plots`` and the labels of the experiments it shows. It is
drawn where one of them has been measured."""


def write(measured: Mapping[str, Sequence[Measurement]], folder: Path, provenance: Provenance) -> list[Path]:
    """Write the figures that ``measured`` (by the experiments' labels) has data for; their paths."""
    from hierbench.plots.style import FigureWriter, figure_style

    count = sum(len(records) for records in measured.values())
    writer = FigureWriter(folder, dataclasses.replace(provenance, n_rows=count))
    with figure_style():
        for name, (path, labels) in FIGURES.items():
            records = [
                Measured(label, m.labels, m.values) for label in labels for m in measured.get(label, ())
            ]
            if not records:
                continue
            module, _, function = path.partition(":")
            draw = getattr(importlib.import_module(f"hierbench.plots.{module}"), function)
            writer.write(draw(records), "correction", name)
    return writer.paths
