"""Heat maps: success of learners over the plane (alpha, n), and over width and rows of R."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

SUCCESS = 1e-3
_COLORS = mpl.colormaps["RdYlBu_r"].with_extremes(bad="0.9")
LEARNERS = ("end to end", "read-outs refitted", "strictly frozen")


def _cells(
    measured: Sequence[Measured], x: str, y: str, value: Callable[[Measured], float]
) -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    """Values of x and y; median of log10 of the value, and share of values at most 1, shape (y, x)."""
    cells: dict[tuple[float, float], list[float]] = defaultdict(list)
    for m in measured:
        cells[float(m.labels[x]), float(m.labels[y])].append(value(m))
    xs, ys = sorted({key[0] for key in cells}), sorted({key[1] for key in cells})
    median, share = np.full((len(ys), len(xs)), math.nan), np.full((len(ys), len(xs)), math.nan)
    for (a, b), values in cells.items():
        place = ys.index(b), xs.index(a)
        median[place] = np.median(np.log10(np.maximum(values, 1e-300)))
        share[place] = np.mean(np.array(values) <= 1)
    return xs, ys, median, share


def _relative(m: Measured) -> float:
    """MSE over a tenth of the variance above half the top degree: at most 1 where degree 4 is learned."""
    error, share = m.values["relative_mse"], m.values["share_above"]
    assert isinstance(share, float)
    return math.inf if error is None else float(error) / (0.1 * share)  # type: ignore[arg-type]


def _paint(
    ax: Axes,
    xs: list[float],
    ys: list[float],
    values: np.ndarray,
    share: np.ndarray,
    ends: tuple[float, float] = (-4, 0),
) -> mpl.cm.ScalarMappable:
    image = ax.imshow(values, origin="lower", aspect="auto", cmap=_COLORS, vmin=ends[0], vmax=ends[1])
    for (i, j), s in np.ndenumerate(share):
        if not math.isnan(s):
            place = (values[i, j] - ends[0]) / (ends[1] - ends[0])
            color = "black" if 0.2 < place < 0.88 else "white"
            ax.text(j, i, f"{s:.0%}".replace("%", ""), ha="center", va="center", fontsize=4.6, color=color)
    ax.set_xticks(range(len(xs)), [f"{x:.2g}" for x in xs], fontsize=5.5, rotation=45)
    ax.set_yticks(range(len(ys)), [f"{y:g}" for y in ys], fontsize=5.5)
    ax.grid(False)
    return image


def alpha_n(measured: Sequence[Measured]) -> Figure:
    """Phase diagram over (alpha, n), by way of training and width."""
    widths = sorted({int(m.labels["width"]) for m in measured})
    learners = [name for name in LEARNERS if any(m.labels["learner"] == name for m in measured)]
    figure = Figure(figsize=(PAGE_WIDTH, 1.85 * len(learners) + 0.5))
    axes = figure.subplots(len(learners), len(widths), sharex=True, sharey=True, squeeze=False)
    image = None
    for row, learner in zip(axes, learners, strict=True):
        for ax, width in zip(row, widths, strict=True):
            records = [m for m in measured if (m.labels["learner"], m.labels["width"]) == (learner, width)]
            if not records:
                ax.set_axis_off()
                continue
            xs, ys, median, share = _cells(records, "alpha", "n", _relative)
            image = _paint(ax, xs, ys, median + math.log10(0.1), share)
            ax.set_title(f"{learner}, width {width}")
        row[0].set_ylabel("training samples n")
    for ax in axes[-1]:
        ax.set_xlabel("α, size of level 2")
    figure.suptitle(
        "Is degree 4 learned? Colour: error over the variance above degree 2 (median); "
        "numbers: % of runs below 0.1"
    )
    assert image is not None
    figure.colorbar(image, ax=axes, label="log10 of eps_rel (blue: learned)", shrink=0.6, pad=0.01)
    return figure


def width_rows(measured: Sequence[Measured]) -> Figure:
    """Over-parameterisation: Algorithm 1 over width and rows of R, and the plain net over width."""
    grid = [m for m in measured if m.labels["learner"] == "algorithm1"]
    plain = [m for m in measured if m.labels["learner"] == "densenet"]
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = list(figure.subplots(1, bool(grid) + bool(plain), squeeze=False)[0])
    if grid:
        left = axes.pop(0)
        xs, ys, median, share = _cells(grid, "ratio", "rows", _success)
        image = _paint(left, xs, ys, median + math.log10(SUCCESS), share, (-8, -2))
        left.set_xlabel("neurons of the wide half over the true width k")
        left.set_ylabel("rows of R over the minimum k(k + 1)/2\n(0: the k squares themselves)")
        left.set_title("Algorithm 1: % of runs under 1e-3")
        figure.colorbar(image, ax=left, label="log10 of the relative MSE (median)")
    if plain:
        right = axes.pop()
        xs, _, _, share = _cells(plain, "ratio", "rows", _success)
        for x in xs:
            values = [m.values["relative_mse"] for m in plain if m.labels["ratio"] == x]
            errors = sorted(error for error in values if isinstance(error, float))
            jitter = x * np.geomspace(0.93, 1.07, len(errors))
            right.plot(jitter, errors, ".", color="C0", markersize=2.5)
        for x, s in zip(xs, share[0], strict=True):
            right.text(x, 0.35, f"{s:.0%}", ha="center", fontsize=6)
        right.axhline(SUCCESS, color="0.4", ls="--", lw=0.8)
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_ylim(top=1.2)
        right.set_xticks(xs, [f"{x:g}" for x in xs])
        right.minorticks_off()
        right.set_xlabel("neurons over the true width k")
        right.set_ylabel("relative MSE, one dot a run")
        right.set_title("plain net, end to end: share of runs under 1e-3 above")
    figure.suptitle("Do nets need more neurons and rows than the target has?")
    return figure


def _success(m: Measured) -> float:
    error = m.values["relative_mse"]
    return math.inf if error is None else float(error) / SUCCESS  # type: ignore[arg-type]


def contraction(measured: Sequence[Measured]) -> Figure:
    """Factor by which a round changes level 1's error, against alpha."""
    angles: dict[tuple[object, float], dict[int, float]] = defaultdict(dict)
    for m in measured:
        angle = m.values["angle"]
        if (
            (m.labels["level"], m.labels["stage"]) == (1, "lower")
            and isinstance(angle, float)
            and angle > 1e-13
        ):
            angles[m.labels["seed"], float(m.labels["alpha"])][int(m.labels["round"])] = angle
    figure = Figure(figsize=(0.55 * PAGE_WIDTH, 2.6))
    ax = figure.subplots()
    points: dict[float, list[float]] = defaultdict(list)
    for (_, alpha), by_round in angles.items():
        rounds = sorted(by_round)
        if len(rounds) > 1:
            points[alpha].append(by_round[rounds[-1]] / by_round[rounds[-2]])
    alphas = sorted(points)
    for alpha in alphas:
        ax.plot([alpha] * len(points[alpha]), points[alpha], ".", color="C0", alpha=0.5, markersize=3)
    means = [float(np.exp(np.mean(np.log(points[alpha])))) for alpha in alphas]
    ax.plot(alphas, means, "-", marker="", color="C0")
    ax.axhline(1, color="0.4", ls="--", lw=0.8)
    ax.text(alphas[0], 1.06, "above: a round makes it worse", fontsize=6, va="bottom")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("α, size of level 2")
    ax.set_ylabel("error of level 1 after a round / before")
    ax.set_title("Up to which α does a round of correction help?")
    ax.legend(handles=[legend_entry("a target", "C0", ".")], loc="lower right")
    return figure
