"""Inputs that activate the logits of a net most, plain and adversarially trained, and what they are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

REGULARISATIONS = {
    "none": "none",
    "decay": "decay",
    "blur": "blur",
    "jitter": "jitter",
    "strong": "decay,\nblur",
    "all": "all",
}
NETS = {"plain": ("C0", "o", "trained as usual"), "adversarial": ("C1", "s", "adversarially trained")}
_ROWS = [
    (net, regularisation, f"{name},\n{how}")
    for regularisation, how in (("none", "no regularisation"), ("strong", "decay and blur"))
    for net, name in (("plain", "plain"), ("adversarial", "adversarial"))
]


def real_visualisation(measured: Sequence[Measured]) -> Figure:
    """Pictures of all logits of the first run, and similarity, probe and accuracy of all runs."""
    figure = Figure(figsize=(PAGE_WIDTH, 5.6))
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=[3.3, 2.3]))
    first = measured[0].labels["seed"]
    _pictures(top, [m for m in measured if m.labels["seed"] == first])
    axes = bottom.subplots(1, 3)
    units = [m for m in measured if m.labels["kind"] == "unit"]
    logits = [m for m in units if m.labels["layer"] == 0]
    channels = [m for m in units if m.labels["layer"] != 0]
    _by_regularisation(axes[0], logits, "own", "own_chance")
    axes[0].set_title("logits: cosine to the class's mean")
    _by_regularisation(axes[1], channels, "nearest", "chance")
    axes[1].set_title("channels: cosine to the nearest mean")
    _by_regularisation(axes[2], logits, "probe", None)
    axes[2].set_title("logits: share that a probe gets right")
    for ax in axes:
        ax.set_ylim(-0.05, 1.05)
        ax.set_xlabel("regularisation")
    handles = [
        legend_entry(f"{name}{_accuracy(measured, net)}", color, marker)
        for net, (color, marker, name) in NETS.items()
    ]
    handles.append(
        legend_entry("random pictures: left 95th percentile, middle mean, right one class", "0.55", "x")
    )
    bottom.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle("Does the input that activates a unit most show what it has learned? (points: runs)")
    return figure


def _accuracy(measured: Sequence[Measured], net: str) -> str:
    """Test accuracy in words, without and under attack."""
    records = [m for m in measured if m.labels["kind"] == "net" and m.labels["net"] == net]
    if not records:
        return ""
    clean, attacked = (
        np.mean([100 * float(str(m.values[name])) for m in records]) for name in ("accuracy", "attacked")
    )
    return f" ({clean:.0f} % right, {attacked:.0f} % under attack)"


def _pictures(figure: Figure, records: Sequence[Measured]) -> None:
    classes = {int(m.labels["unit"]): m for m in records if m.labels["kind"] == "class"}
    shown = {
        (str(m.labels["net"]), str(m.labels["regularisation"]), int(m.labels["unit"])): m
        for m in records
        if m.labels["kind"] == "unit" and m.labels["layer"] == 0 and "picture" in m.values
    }
    axes = figure.subplots(len(_ROWS) + 1, len(classes), squeeze=False)
    for column, (number, mean) in enumerate(sorted(classes.items())):
        axes[0, column].set_title(f"{number}")
        _picture(axes[0, column], mean)
        for row, (net, regularisation, _) in enumerate(_ROWS, start=1):
            if (net, regularisation, number) in shown:
                _picture(axes[row, column], shown[net, regularisation, number])
    for row, name in enumerate(["mean of the class", *(name for _, _, name in _ROWS)]):
        axes[row, 0].set_ylabel(name, fontsize=6, rotation=0, ha="right", va="center")


def _picture(ax: Axes, m: Measured) -> None:
    values = np.array(m.values["picture"])
    side = round(len(values) ** 0.5)
    if side * side == len(values):
        most = np.abs(values).max()
        ax.imshow(values.reshape(side, side), cmap="RdBu_r", vmin=-most, vmax=most)
    else:
        ax.plot(values, color="C0", lw=0.8)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _by_regularisation(ax: Axes, records: Sequence[Measured], value: str, chance: str | None) -> None:
    found: dict[tuple[str, str], dict[object, list[float]]] = defaultdict(lambda: defaultdict(list))
    random: dict[str, list[float]] = defaultdict(list)
    classes = len({m.labels["unit"] for m in records})
    for m in records:
        key = str(m.labels["net"]), str(m.labels["regularisation"])
        found[key][m.labels["seed"]].append(float(str(m.values[value])))
        if chance is not None:
            random[key[1]].append(float(str(m.values[chance])))
    for place, regularisation in enumerate(REGULARISATIONS):
        for net, (color, marker, _) in NETS.items():
            means = [float(np.mean(values)) for values in found[net, regularisation].values()]
            x = place + (0.15 if net == "adversarial" else -0.15)
            ax.plot([x] * len(means), means, ls="", marker=marker, color=color, alpha=0.6)
            if means:
                ax.plot(x, np.mean(means), "_", color=color, markersize=11, markeredgewidth=1.5)
        level = np.mean(random[regularisation]) if random[regularisation] else 1 / classes
        ax.plot(place, level, "x", color="0.55")
    ax.set_xticks(range(len(REGULARISATIONS)), list(REGULARISATIONS.values()))
