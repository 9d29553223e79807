"""A convolutional ResNet grown block by block on data: what its blocks come to, and the ways to train it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

NAMES = {"real-growth": "MNIST-1D", "real-growth-digits": "handwritten digits"}
WAYS = {
    "end-to-end": "end to end, from the first step",
    "grown": "a block added, all trained",
    "bfc-1": "a block added, one below trained on",
    "frozen-long": "below frozen, steps as end to end for each",
    "frozen": "below frozen, steps of one stage",
}
"""From path to what is said of it, best first as the claim has it."""
_STYLES = {"grown": "-", "waiting": ":", "frozen": "--"}
_COLORS = ("C0", "C1", "C2", "C3", "C4", "C5")


def real_growth(measured: Sequence[Measured]) -> Figure:
    """How well a linear probe reads each block after each stage, and the test accuracy of each way."""
    labels = [name for name in NAMES if any(m.experiment == name for m in measured)]
    figure = Figure(figsize=(PAGE_WIDTH, 2.3 * len(labels) + 1.1))
    axes = figure.subplots(len(labels), 2, squeeze=False, width_ratios=[3, 2])
    blocks = max(int(m.labels["block"]) for m in measured)
    for row, name in enumerate(labels):
        records = [m for m in measured if m.experiment == name]
        _probes(axes[row, 0], records)
        _ways(axes[row, 1], records)
        axes[row, 0].set_title(NAMES[name])
        axes[row, 0].set_ylabel("probe's test accuracy (%)")
    axes[-1, 0].set_xlabel("stage: a block is added in each")
    axes[-1, 1].set_xlabel("test accuracy (%), runs and mean")
    handles = [legend_entry(f"block {b + 1}", _COLORS[b % len(_COLORS)], "", "-") for b in range(blocks)]
    handles += [
        legend_entry("all trained", "0.3", "", _STYLES["grown"]),
        legend_entry("as long without the new block", "0.3", "", _STYLES["waiting"]),
        legend_entry("below frozen", "0.3", "", _STYLES["frozen"]),
    ]
    figure.suptitle("Does adding a block and training all of them improve the blocks below?")
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _probes(ax: Axes, records: Sequence[Measured]) -> None:
    found: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for m in records:
        key = str(m.labels["path"]), int(m.labels["block"]), int(m.labels["stage"])
        found[key].append(100 * float(str(m.values["probe"])))
    means = {key: float(np.mean(values)) for key, values in found.items()}
    last = max(stage for path, _, stage in means if path == "grown")
    for path in ("grown", "frozen"):
        for block in range(1, last + 1):
            stages = [s for s in range(block, last + 1) if (path, block, s) in means]
            ax.plot(
                stages,
                [means[path, block, s] for s in stages],
                color=_COLORS[(block - 1) % len(_COLORS)],
                ls=_STYLES[path],
                marker="o",
                ms=3,
            )
    for path, block, stage in means:
        below = path.removeprefix("waiting-")
        if below != path and stage == int(below) + 1:  # from where the two part
            ax.plot(
                [stage - 1, stage],
                [means[path, block, stage - 1], means[path, block, stage]],
                color=_COLORS[(block - 1) % len(_COLORS)],
                ls=_STYLES["waiting"],
                marker="o",
                ms=3,
            )
    ax.set_xticks(range(1, last + 1))


def _ways(ax: Axes, records: Sequence[Measured]) -> None:
    runs: dict[str, dict[object, float]] = defaultdict(dict)
    for m in records:
        if m.labels["last"]:
            runs[str(m.labels["path"])][m.labels["seed"]] = 100 * float(str(m.values["accuracy"]))
    shown = [way for way in WAYS if way in runs]
    for place, way in enumerate(reversed(shown)):
        values = list(runs[way].values())
        ax.plot(values, [place] * len(values), ls="", marker=".", color="0.6", ms=4)
        ax.plot([np.mean(values)], [place], ls="", marker="D", color="0.1", ms=4)
    ax.set_yticks(range(len(shown)), [WAYS[way] for way in reversed(shown)], fontsize=6)
    ax.set_ylim(-0.6, len(shown) - 0.4)
