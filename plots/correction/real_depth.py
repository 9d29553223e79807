"""Accuracy of a convolutional ResNet on data against its depth, for each way of training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, ScalarFormatter

from hierbench.plots.data import Measured
from hierbench.plots.style import GREY, PAGE_WIDTH, legend_entry

WAYS = {
    "end-to-end": ("end to end: all blocks together", "C0", "o", "-"),
    "layerwise-long": ("layer by layer, below frozen: as many steps for each block", "C1", "s", "--"),
    "layerwise": ("layer by layer, below frozen: as many steps in all", "C2", "^", ":"),
}
"""By path: name, colour, marker and dashes."""

DATA = {"mnist1d": "MNIST-1D", "digits": "handwritten digits"}


def real_depth(measured: Sequence[Measured]) -> Figure:
    """Accuracy against the number of layers: every run, and the mean of each way.

    The test error on a log scale beside it tells apart what is near 100 %.
    """
    figure = Figure(figsize=(PAGE_WIDTH, 3.3))
    accuracy, error, training = figure.subplots(1, 3)
    training.sharey(accuracy)
    _panel(accuracy, measured, "accuracy")
    _panel(error, measured, "accuracy", wrong=True)
    _panel(training, measured, "training_accuracy")
    error.set_yscale("log")
    error.yaxis.set_major_formatter(ScalarFormatter())
    error.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    names = "test accuracy (%)", "test error (%)", "training accuracy (%)"
    for ax, name in zip((accuracy, error, training), names, strict=True):
        ax.set_xlabel("depth (layers)")
        ax.set_ylabel(name)
    handles = [legend_entry(name, color, marker, style) for name, color, marker, style in WAYS.values()]
    handles.append(legend_entry("thin: a run, thick: mean of the runs", GREY, "", "-"))
    n = "/".join(str(size) for size in sorted({int(m.labels["n"]) for m in measured}))
    data = ", ".join(DATA[name] for name in sorted({str(m.labels["data"]) for m in measured}))
    figure.suptitle(f"Is a deeper ResNet better if its layers are not trained together? {data}, n = {n}")
    figure.legend(handles=handles, loc="outside lower center", ncols=1)
    return figure


def _panel(ax: Axes, measured: Sequence[Measured], value: str, wrong: bool = False) -> None:
    """Every seed thin, the mean over seeds thick; ``wrong``: what is missing to 100 %."""
    runs: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for m in measured:
        place = str(m.labels["path"]), int(m.labels["seed"])
        share = float(str(m.values[value]))
        runs[place][int(m.labels["depth"])] = 100 * (1 - share if wrong else share)
    for way, (_, color, marker, style) in WAYS.items():
        together: dict[int, list[float]] = defaultdict(list)
        for (path, _), points in runs.items():
            if path == way:
                line = zip(*sorted(points.items()), strict=True)
                ax.plot(*line, color=color, ls="-", lw=0.6, alpha=0.4, marker="")
                for depth, accuracy in points.items():
                    together[depth].append(accuracy)
        depths = sorted(together)
        means = [float(np.mean(together[depth])) for depth in depths]
        ax.plot(depths, means, color=color, ls=style, lw=1.8, marker=marker, zorder=4)
    ax.set_xticks(sorted({int(m.labels["depth"]) for m in measured}))
