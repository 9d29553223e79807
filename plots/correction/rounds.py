"""Rounds of backward correction at exact population: traces, powers of alpha, and what does not correct."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

ROUNDING = 1e-13
"""Amplitudes below this are rounding errors."""
_BOTTOM = 1e-33
_SHOWN = 3e-17  # of amplitudes
LEVEL_COLORS = {1: "#0072B2", 2: "#D55E00", 3: "#009E73"}
LEVEL_MARKERS = {1: "o", 2: "s", 3: "D"}
VARIANTS = {
    "corrected": "backward correction",
    "frozen": "layer-wise, read-outs refitted",
    "strict": "layer-wise, strictly frozen",
    "residual": "each level on the other's residual",
    "frozen-top": "level 1 trained through a frozen level 2",
    "tied": "narrow net, block descent",
    "wide": "wide level 2, not distilled",
    "joint": "all weights together (second order)",
}


def _number(m: Measured, name: str) -> float:
    value = m.values[name]
    return math.nan if value is None else float(value)  # type: ignore[arg-type]


def _mean(values: Sequence[float]) -> float:
    """Geometric mean over targets."""
    return float(np.exp(np.mean(np.log(np.maximum(values, _BOTTOM)))))


def _by_stage(
    measured: Sequence[Measured], level: int, alpha: float, value: str = "feature_error"
) -> dict[tuple[int, str], float]:
    values_by_stage: dict[tuple[int, str], list[float]] = defaultdict(list)
    for m in measured:
        if m.labels["level"] == level and m.labels["alpha"] == alpha:
            values_by_stage[int(m.labels["round"]), str(m.labels["stage"])].append(_number(m, value))
    return {key: _mean(values) for key, values in values_by_stage.items()}


def _alphas(measured: Sequence[Measured]) -> list[float]:
    return sorted({float(m.labels["alpha"]) for m in measured}, reverse=True)


def _shades(alphas: Sequence[float]) -> dict[float, Any]:
    colors = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(alphas)))
    return dict(zip(alphas, colors, strict=True))


def rounds(measured: Sequence[Measured]) -> Figure:
    """Feature errors stage by stage, beside the negative control, with the error of the whole model below."""
    parts = [
        ("exact-trace", "the levels overlap (ρ = 0.5): level 2 contaminates level 1"),
        ("exact-trace-control", "control (ρ = 0): nothing to correct"),
    ]
    shown = [(title, [m for m in measured if m.experiment == label]) for label, title in parts]
    shown = [(title, records) for title, records in shown if records]
    figure = Figure(figsize=(PAGE_WIDTH, 4.3))
    axes = figure.subplots(2, len(shown), sharex="col", sharey="row", squeeze=False, height_ratios=[3, 2])
    last = 0
    for column, (title, records) in enumerate(shown):
        _zigzag(axes[0, column], records)
        _models(axes[1, column], records)
        axes[0, column].set_title(title)
        last = max(last, *(int(m.labels["round"]) for m in records))
    names = []
    for number in range(1, last + 1):
        names += ["level 1\nalone" if number == 1 else f"corrected\n({number - 1})", "level 2\nfitted"]
    for ax in axes[1]:
        ax.set_xticks(range(2 * last), names, fontsize=5.5)
    axes[0, 0].set_ylabel("feature error (amplitude)")
    axes[1, 0].set_ylabel("relative MSE of the model")
    shades = _shades(_alphas(measured))
    handles = [legend_entry(f"α = {alpha:.2g}", color, "", "-") for alpha, color in shades.items()]
    handles += [legend_entry("level 1", marker="o"), legend_entry("level 2", marker="s")]
    figure.suptitle("Does each round of backward correction gain a power of α? (exact population, k = 2)")
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _zigzag(ax: Axes, records: Sequence[Measured]) -> None:
    shades = _shades(_alphas(records))
    for alpha, color in shades.items():
        points = []
        for level, stage, shift in ((1, "lower", 0), (2, "upper", 1)):
            for (number, where), value in _by_stage(records, level, alpha).items():
                if where == stage:
                    points.append((2 * (number - 1) + shift, max(value, _SHOWN), level))
        points.sort()
        ax.plot([p[0] for p in points], [p[1] for p in points], color=color, marker="", zorder=2)
        for level in (1, 2):
            of_level = [p for p in points if p[2] == level]
            ax.plot(
                [p[0] for p in of_level],
                [p[1] for p in of_level],
                LEVEL_MARKERS[level],
                color=color,
                ls="none",
                zorder=3,
            )
    ax.set_yscale("log")
    ax.axhspan(_SHOWN / 3, ROUNDING, color="0.93", zorder=0)
    ax.text(0.99, 0.02, "rounding", transform=ax.transAxes, ha="right", va="bottom", color="0.45", fontsize=6)


def _models(ax: Axes, records: Sequence[Measured]) -> None:
    for alpha, color in _shades(_alphas(records)).items():
        points = [
            (2 * (number - 1) + (stage == "upper"), value)
            for level, stage in ((1, "lower"), (2, "upper"))
            for (number, where), value in _by_stage(records, level, alpha, "relative_mse").items()
            if where == stage
        ]
        points.sort()
        ax.plot([p[0] for p in points], [p[1] for p in points], ".-", color=color)
    ax.set_yscale("log")


def powers(measured: Sequence[Measured]) -> Figure:
    """Error against alpha, round by round, with the fitted powers."""
    parts = [
        ("exact-trace", "projected, degree 4", (1, "lower", "angle"), "error of level 1"),
        ("exact-trace-squares", "squares, degree 8", (2, "lower", "angle"), "lowest trained level"),
    ]
    shown = [(p, [m for m in measured if m.experiment == p[0]]) for p in parts]
    shown = [(p, records) for p, records in shown if records]
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = figure.subplots(1, len(shown) + 1, squeeze=False, width_ratios=[*[5] * len(shown), 6])[0]
    for ax, ((_, title, (level, stage, value), name), records) in zip(axes, shown, strict=False):
        _against_alpha(ax, records, level, stage, value)
        ax.set_title(f"{title}:\n{name}")
        ax.set_xlabel("α, the size of the level above")
    axes[0].set_ylabel("sine of the angle to the true features")
    _found_powers(axes[-1], [records for _, records in shown], [p[1] for p, _ in shown])
    figure.suptitle("By which power of α does the lower level's error fall, round by round?")
    return figure


def _slopes(
    records: Sequence[Measured], level: int, stage: str, value: str, number: int
) -> tuple[list[float], list[tuple[float, float]]]:
    """Slope for each target, and the points of all."""
    by_seed: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for m in records:
        if (m.labels["level"], m.labels["stage"], m.labels["round"]) == (level, stage, number):
            error = _number(m, value)
            if error > ROUNDING:
                by_seed[m.labels["seed"]].append((float(m.labels["alpha"]), error))
    lines = [np.log(np.array(points)) for points in by_seed.values() if len(points) >= 3]
    return [float(np.polyfit(p[:, 0], p[:, 1], 1)[0]) for p in lines], [
        p for points in by_seed.values() for p in points
    ]


def _against_alpha(ax: Axes, records: Sequence[Measured], level: int, stage: str, value: str) -> None:
    numbers = sorted({int(m.labels["round"]) for m in records})
    for number, color in zip(
        numbers, mpl.colormaps["plasma"](np.linspace(0, 0.8, len(numbers))), strict=True
    ):
        slopes, points = _slopes(records, level, stage, value, number)
        if not slopes:
            continue
        alphas = sorted({p[0] for p in points})
        means = [_mean([e for a, e in points if a == alpha]) for alpha in alphas]
        ax.plot(*zip(*points, strict=True), ".", color=color, alpha=0.4, markersize=2.5)
        ax.plot(alphas, means, "-", color=color)
        ax.annotate(
            f"round {number}: α^{np.mean(slopes):.2f}",
            (alphas[0], means[0]),
            xytext=(2, -7),
            textcoords="offset points",
            color=color,
            fontsize=6,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")


def _found_powers(ax: Axes, groups: Sequence[Sequence[Measured]], names: Sequence[str]) -> None:
    for k, (records, name) in enumerate(zip(groups, names, strict=True)):
        low = min(int(m.labels["level"]) for m in records)
        for level, stage, marker in ((low, "lower", "o"), (low + 1, "upper", "s")):
            numbers = sorted({int(m.labels["round"]) for m in records})
            for number in numbers:
                slopes, _ = _slopes(records, level, stage, "feature_error", number)
                if not slopes:
                    continue
                half = 0.0
                if len(slopes) > 2:
                    half = float(scipy.stats.sem(slopes) * scipy.stats.t.ppf(0.975, len(slopes) - 1))
                ax.errorbar(
                    number + 0.16 * k + (0.08 if stage == "upper" else 0),
                    np.mean(slopes),
                    yerr=half,
                    fmt=marker,
                    color=f"C{k}",
                    capsize=2,
                    markerfacecolor="white" if stage == "upper" else f"C{k}",
                    label=f"{name}, {'upper' if stage == 'upper' else 'lower'} level"
                    if number == 1
                    else None,
                )
    ax.plot(
        [1, 2], [1, 2], "_", color="0.4", markersize=16, markeredgewidth=1.4, label="the talk, lower level"
    )
    ax.set_xticks([1, 2, 3, 4])
    ax.set_xlabel("round")
    ax.set_ylabel("power of α")
    ax.set_ylim(0.2, 4.4)
    ax.set_title("fitted powers of α\n(intervals: 95 % over targets)")
    ax.legend(loc="lower right", borderaxespad=0.1)


def variants(measured: Sequence[Measured]) -> Figure:
    """Error of level 1 and of the model under other rounds, at the alpha nearest to 0.1."""
    alpha = min(_alphas(measured), key=lambda a: abs(math.log(a / 0.1)))
    here = [m for m in measured if m.labels["alpha"] == alpha]
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    panels: list[tuple[int, str, str, str]] = [
        (1, "lower", "angle", "sine of the angle of level 1"),
        (2, "upper", "relative_mse", "relative MSE of the model"),
    ]
    axes = figure.subplots(1, 2)
    handles = []
    for k, (variant, name) in enumerate(VARIANTS.items()):
        records = [m for m in here if m.labels["variant"] == variant]
        if not records:
            continue
        style: dict[str, Any] = {
            "color": "0.45" if variant == "joint" else f"C{k}",
            "marker": "osDvph^P"[k],
            "ls": "-",
            "zorder": 3 if k == 0 else 2,
        }
        for ax, (level, stage, value, _) in zip(axes, panels, strict=True):
            errors = sorted(
                (number, error)
                for (number, where), error in _by_stage(records, level, alpha, value).items()
                if where == stage
            )
            ax.plot(*zip(*errors, strict=True), lw=1.8 if k == 0 else 1.0, **style)
        handles.append(legend_entry(name, style["color"], style["marker"], "-"))
    for ax, (_, _, _, title) in zip(axes, panels, strict=True):
        ax.set_yscale("log")
        ax.set_xlabel("round")
        ax.set_xticks(sorted({int(m.labels["round"]) for m in here}))
        ax.set_title(title)
    figure.suptitle(
        "Do other rounds than backward correction get rid of what level 2 puts into level 1? "
        f"(exact population, α = {alpha:.2g})"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def three_levels(measured: Sequence[Measured]) -> Figure:
    """Errors of three levels: correction stalls until the next level is added."""
    alphas = _alphas(measured)[:4]
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = figure.subplots(1, len(alphas), sharey=True, squeeze=False)[0]
    added = _first_round_with(measured, 3)
    order = _order(measured)
    for ax, alpha in zip(axes, alphas, strict=True):
        for level in (1, 2, 3):
            errors = _by_stage(measured, level, alpha)
            points = sorted((order[key], value) for key, value in errors.items())
            ax.plot(
                *zip(*points, strict=True), color=LEVEL_COLORS[level], marker=LEVEL_MARKERS[level], ls="-"
            )
        where = order[added, "lower"] - 0.5
        ax.axvline(where, color="0.4", lw=0.8, ls="--")
        ax.text(where, 0.02, " level 3 added", transform=ax.get_xaxis_transform(), fontsize=5.5)
        ax.set_yscale("log")
        ax.set_title(f"α = {alpha:.2g}")
        ax.set_xlabel("stage")
        ax.set_xticks(range(0, len(order), 2))
    axes[0].set_ylabel("feature error (amplitude)")
    handles = [legend_entry(f"level {i}", LEVEL_COLORS[i], LEVEL_MARKERS[i], "-") for i in (1, 2, 3)]
    figure.suptitle(
        "Does the correction go on when a third level is added? (k = 1, degree 8, exact population)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _order(measured: Sequence[Measured]) -> dict[tuple[int, str], int]:
    keys = sorted({(int(m.labels["round"]), str(m.labels["stage"])) for m in measured})
    return {key: position for position, key in enumerate(keys)}


def _first_round_with(measured: Sequence[Measured], level: int) -> int:
    return min(int(m.labels["round"]) for m in measured if m.labels["level"] == level)
