"""Accuracy of a convolutional ResNet on data against its depth, for each way of training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

WAYS = {
    "end-to-end": ("end to end: all blocks together", "C0", "o", "-"),
    "layerwise-long": ("layer by layer, below frozen: as many steps for each block", "C1", "s", "--"),
    "layerwise": ("layer by layer, below frozen: as many steps in all", "C2", "^", ":"),
}
"""By path: name, colour, marker and dashes."""
PANELS = {"accuracy": "test accuracy (%)", "training_accuracy": "training accuracy (%)"}


def real_depth(measured: Sequence[Measured]) -> Figure:
    """Test and training accuracy against the number of layers: every run, and the mean of each way."""
    figure = Figure(figsize=(PAGE_WIDTH, 3.4))
    for ax, (value, name) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        _panel(ax, measured, value)
        ax.set_xlabel("depth (layers with weights)")
        ax.set_ylabel(name)
    handles = [legend_entry(name, color, marker, style) for name, color, marker, style in WAYS.values()]
    n = "/".join(str(size) for size in sorted({int(m.labels["n"]) for m in measured}))
    figure.suptitle(f"Does depth pay if layers are not trained together? MNIST-1D, n = {n}")
    figure.legend(handles=handles, loc="outside lower center", ncols=1)
    return figure


def _panel(ax: Axes, measured: Sequence[Measured], value: str) -> None:
    """Every seed thin, the mean over seeds thick."""
    runs: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for m in measured:
        place = str(m.labels["path"]), int(m.labels["seed"])
        runs[place][int(m.labels["depth"])] = 100 * float(str(m.values[value]))
    for way, (_, color, marker, style) in WAYS.items():
        together: dict[int, list[float]] = defaultdict(list)
        for (path, _), points in runs.items():
            if path == way:
                ax.plot(*zip(*sorted(points.items()), strict=True), color=color, ls="-", lw=0.6, alpha=0.4, marker="")
                for depth, accuracy in points.items():
                    together[depth].append(accuracy)
        depths = sorted(together)
        means = [float(np.mean(together[depth])) for depth in depths]
        ax.plot(depths, means, color=color, ls=style, lw=1.8, marker=marker, zorder=4)
    ax.set_xticks(sorted({int(m.labels["depth"]) for m in measured}))
