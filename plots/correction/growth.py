"""Holistic growth: a net grown level by level, with what is below frozen or trained on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

PATHS = {
    "common": ("level 1 alone", "0.3", "-"),
    "no-growth": ("no level added", "0.6", ":"),
    "no-third-level": ("no third level added", "0.6", ":"),
    "frozen": ("each level above frozen ones", "C1", "-"),
    "last-frozen": ("third level above frozen ones", "C4", "--"),
    "all": ("all levels trained on", "C0", "-"),
}
NAMES = {
    "growth": "projected, degree 8, ρ = 0.5",
    "growth-control": "control, ρ = 0",
    "growth-squares": "squares, degree 8",
}


def growth(measured: Sequence[Measured]) -> Figure:
    """Error of the net, and of the features below, along three phases."""
    labels = [name for name in NAMES if any(m.experiment == name for m in measured)]
    figure = Figure(figsize=(PAGE_WIDTH, 4.4))
    axes = figure.subplots(2, len(labels), sharex="col", squeeze=False, height_ratios=[3, 2])
    for column, name in enumerate(labels):
        records = [m for m in measured if m.experiment == name]
        lowest = min(int(m.labels["level"]) for m in records if m.values["feature_error"] is not None)
        _panel(axes[0, column], records, "relative_mse", lowest)
        _panel(axes[1, column], records, "feature_error", lowest)
        axes[0, column].set_title(NAMES[name])
        axes[1, column].set_xlabel("training step")
        axes[1, column].set_ylabel(f"feature error of level {lowest}")
    axes[0, 0].set_ylabel("relative MSE (geometric mean)")
    handles = [
        legend_entry(name, color, "", style)
        for key, (name, color, style) in PATHS.items()
        if key != "no-growth"
    ]
    figure.suptitle(
        "Does adding a level and training all of them improve what is below, though it had converged?"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, records: Sequence[Measured], value: str, level: int) -> None:
    lines: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    ends: dict[int, int] = {}
    for m in records:
        number = m.values[value]
        wanted = level if value == "feature_error" else 1
        if m.labels["level"] == wanted and isinstance(number, float) and number > 0:
            path, phase = str(m.labels["path"]), int(m.labels["phase"])
            lines[path, phase][int(m.labels["step"])].append(math.log(number))
            ends[phase] = max(ends.get(phase, 0), int(m.labels["step"]))
    for (path, _), points in lines.items():
        steps = sorted(points)
        _, color, style = PATHS[path]
        ax.plot(steps, [float(np.exp(np.mean(points[s]))) for s in steps], color=color, ls=style, marker="")
    ax.set_yscale("log")
    for phase in sorted(ends)[:-1]:
        ax.axvline(ends[phase], color="0.5", lw=0.7, ls="--")
        if value == "relative_mse":
            ax.text(
                ends[phase],
                0.99,
                f" level {phase + 1}\n added",
                transform=ax.get_xaxis_transform(),
                fontsize=5.5,
                va="top",
            )
