"""The correction story in SGD: errors of every level along training, with and without a level above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.correction.rounds import LEVEL_COLORS
from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

_ALONE = "0.45"
_RIVALS = {
    "sgd-trace": ("Algorithm 1", "C0", "-"),
    "sgd-trace-densenet": ("plain net, end to end", "C2", "-"),
    "sgd-trace-densenet-adam": ("plain net, with Adam", "C2", "--"),
    "sgd-trace-bfc1": ("level by level, lower one trained along (BFC-1)", "C4", "-"),
    "sgd-trace-layerwise": ("level by level, lower one frozen", "C3", "-"),
}
"""By experiment: name, colour and dashes."""

Series = dict[int, list[tuple[float, float]]]
"""By seed: (step, value), in order."""


def _number(m: Measured, name: str) -> float | None:
    value = m.values.get(name)
    return value if isinstance(value, float) and value > 0.0 else None


def _series(
    measured: Sequence[Measured],
    name: str,
    kind: str,
    learner: str | None = None,
    level: int | None = None,
) -> Series:
    """Value along training, run by run: root mean square over the nets of a run."""
    values_by_step: dict[tuple[int, int], list[float]] = defaultdict(list)
    for m in measured:
        wanted = m.labels["kind"] == kind and (learner is None or m.labels["learner"] == learner)
        if wanted and (level is None or m.labels["level"] == level):
            value = _number(m, name)
            if value is not None:
                values_by_step[int(m.labels["seed"]), int(m.labels["step"])].append(value)
    runs: Series = defaultdict(list)
    for (seed, step), values in sorted(values_by_step.items()):
        runs[seed].append((step, float(np.sqrt(np.mean(np.square(values))))))
    return runs


def _draw(ax: Axes, runs: Series, color: str, style: str = "-", thin: bool = True) -> None:
    """Every run thin, the geometric mean over runs thick."""
    together: dict[float, list[float]] = defaultdict(list)
    for points in runs.values():
        if thin:
            ax.plot(*zip(*points, strict=True), color=color, lw=0.5, alpha=0.35, ls="-", marker="")
        for step, value in points:
            together[step].append(value)
    full = [
        (s, float(np.exp(np.mean(np.log(v))))) for s, v in sorted(together.items()) if 2 * len(v) > len(runs)
    ]
    if full:
        ax.plot(*zip(*full, strict=True), color=color, lw=1.8, ls=style, marker="", zorder=4)


def _marks(measured: Sequence[Measured]) -> list[tuple[float, str]]:
    """Median steps at which stages of Algorithm 1 began, with their names."""
    records = [m for m in measured if m.labels["learner"] == "algorithm1"]
    on = [
        value
        for m in records
        if m.labels["kind"] == "switch" and m.labels["level"] == 2
        for value in [_number(m, "on_at")]
        if value is not None
    ]
    marks = [(float(np.median(on)), "level 2 on")] if on else []
    for level in (1, 2):
        starts = []
        for runs in _by_net(records, level).values():
            first = runs[0][1]
            starts += [step for step, value in runs if value < 0.8 * first][:1]
        if starts:
            marks.append((float(np.median(starts)), f"level {level}\ndistilled"))
    return sorted(marks)


def _by_net(measured: Sequence[Measured], level: int) -> dict[tuple[int, int], list[tuple[int, float]]]:
    nets: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for m in measured:
        if m.labels["kind"] == "trace" and m.labels["level"] == level:
            value = _number(m, "mismatch")
            if value is not None:
                nets[int(m.labels["seed"]), int(m.labels["net"])].append((int(m.labels["step"]), value))
    return {key: sorted(points) for key, points in nets.items()}


def _contamination(measured: Sequence[Measured]) -> float | None:
    """Error of the twins without level 2 at their end, root mean square over runs."""
    last: dict[int, tuple[int, float]] = {}
    for m in measured:
        if m.labels["kind"] == "common" and m.labels["learner"] == "level1":
            step, value = int(m.labels["step"]), m.values["square"]
            assert isinstance(value, float)
            last[int(m.labels["seed"])] = max(last.get(int(m.labels["seed"]), (-1, 0.0)), (step, value))
    mean = float(np.mean([value for _, value in last.values()])) if last else 0.0
    return float(np.sqrt(mean)) if mean > 0 else None


def trace(measured: Sequence[Measured]) -> Figure:
    """Algorithm 1 along training, beside its twin without level 2, at rho = 0.5 and rho = 0."""
    parts = [
        ("sgd-trace", "levels overlap (ρ = 0.5): level 2 contaminates level 1"),
        ("sgd-trace-control", "control (ρ = 0): noise only, nothing to correct"),
    ]
    shown = [(title, [m for m in measured if m.experiment == label]) for label, title in parts]
    shown = [(title, records) for title, records in shown if records]
    figure = Figure(figsize=(PAGE_WIDTH, 5.0))
    axes = figure.subplots(
        3, len(shown), sharex=True, sharey="row", squeeze=False, height_ratios=[1.5, 1.0, 1.0]
    )
    for column, (title, records) in enumerate(shown):
        top, middle, bottom = axes[:, column]
        top.set_title(title)
        _draw(top, _series(records, "angle", "trace", "level1", 1), _ALONE, "--")
        _draw(top, _series(records, "angle", "trace", "algorithm1", 1), LEVEL_COLORS[1])
        _draw(middle, _series(records, "feature_error", "trace", "algorithm1", 2), LEVEL_COLORS[2])
        _draw(bottom, _series(records, "relative_mse", "trace", "level1", 1), _ALONE, "--")
        _draw(bottom, _series(records, "relative_mse", "trace", "algorithm1", 1), "black")
        for ax in (top, middle, bottom):
            for step, _ in _marks(records):
                ax.axvline(step, color="0.55", lw=0.7, ls=":", zorder=1)
        for step, name in _marks(records):
            right = name.startswith("level 1")
            top.text(
                step, 0.97, f"{name} " if right else f" {name}", fontsize=5.5, va="top", color="0.25",
                ha="right" if right else "left", transform=top.get_xaxis_transform(),
            )  # fmt: skip
        floor = _contamination(records) if column == 0 else None
        if floor is not None:
            top.axhline(floor, color=LEVEL_COLORS[1], lw=0.7, ls=(0, (1, 1)))
            top.annotate(
                f"contamination\n{floor:.2g}", (0.015, floor), xycoords=top.get_yaxis_transform(),
                xytext=(0, -3), textcoords="offset points", va="top", fontsize=5.5, color=LEVEL_COLORS[1],
            )  # fmt: skip
        bottom.set_xlabel("step of SGD")
    names = ["angle of level 1 (sine)", "feature error of level 2", "relative MSE"]
    for row, name in zip(axes, names, strict=True):
        row[0].set_ylabel(name)
        row[0].set_yscale("log")
    handles = [
        legend_entry("level 1 in Algorithm 1", LEVEL_COLORS[1], "", "-"),
        legend_entry("level 1 alone: same nets, same minibatches", _ALONE, "", "--"),
        legend_entry("level 2", LEVEL_COLORS[2], "", "-"),
        legend_entry("whole model", "black", "", "-"),
    ]
    figure.suptitle(
        "Does level 1 get below what it reaches alone, once level 2 is learned? "
        "(α = 0.1; thin: runs, thick: their geometric mean)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def learners(measured: Sequence[Measured]) -> Figure:
    """Level 1, level 2 and the model along the training of several learners, at rho = 0.5."""
    shown = {
        label: [m for m in measured if m.experiment == label and m.labels["learner"] != "level1"]
        for label in _RIVALS
    }
    shown = {label: records for label, records in shown.items() if records}
    figure = Figure(figsize=(PAGE_WIDTH, 3.0))
    axes = figure.subplots(1, 3)
    panels = [
        ("level 1: angle (sine)", "angle", 1),
        ("level 2: feature error", "feature_error", 2),
        ("whole model: relative MSE", "relative_mse", 1),
    ]
    for ax, (title, name, level) in zip(axes, panels, strict=True):
        for label, records in shown.items():
            _, color, style = _RIVALS[label]
            _draw(ax, _series(records, name, "trace", level=level), color, style)
        ax.set_yscale("log")
        ax.set_title(title)
        ax.set_xlabel("step")
    floor = _contamination([m for m in measured if m.experiment == "sgd-trace"])
    if floor is not None:
        axes[0].axhline(floor, color="0.3", lw=0.7, ls=(0, (1, 1)))
        axes[0].annotate(
            "contamination", (0.99, floor), xycoords=axes[0].get_yaxis_transform(), xytext=(0, 6),
            textcoords="offset points", ha="right", va="bottom", fontsize=5.5, color="0.3",
        )  # fmt: skip
    handles = [legend_entry(_RIVALS[label][0], _RIVALS[label][1], "", _RIVALS[label][2]) for label in shown]
    figure.suptitle(
        "Which learners correct level 1, and what do they make of level 2? (α = 0.1, ρ = 0.5; thin: runs)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def together(measured: Sequence[Measured]) -> Figure:
    """Two neighbouring levels of the plain net: what is learned below once the upper one is half right."""
    parts = [
        ("sgd-trace-densenet", "projected, degree 4 (SGD)"),
        ("sgd-trace-squares", "rotated squares, degree 8 (Adam)"),
    ]
    shown = [(title, [m for m in measured if m.experiment == label]) for label, title in parts]
    shown = [(title, records) for title, records in shown if records]
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for ax, (title, records) in zip(axes, shown, strict=True):
        low = min(int(m.labels["level"]) for m in records if m.labels["kind"] == "trace")
        lower = "angle" if low == 1 else "feature_error"
        below = _series(records, lower, "trace", "densenet", low)
        above = _series(records, "feature_error", "trace", "densenet", low + 1)
        learned = _series(records, "angle", "trace", "densenet", low + 1)
        for runs, color, style in (
            (below, LEVEL_COLORS[1], "-"),
            (above, LEVEL_COLORS[2], "-"),
            (learned, LEVEL_COLORS[2], "--"),
        ):
            _draw(ax, {k: [p for p in v if p[0] > 0] for k, v in runs.items()}, color, style)
        for runs, style in ((above, "-"), (learned, "--")):
            half = [s for s in map(_halved, runs.values()) if s is not None]
            if half:
                ax.axvline(float(np.median(half)), color=LEVEL_COLORS[2], lw=0.8, ls=style, zorder=1)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(f"{title}: levels {low} and {low + 1}")
        ax.set_xlabel("step")
    axes[0].set_ylabel("error of a level (amplitude)")
    handles = [
        legend_entry("lower level", LEVEL_COLORS[1], "", "-"),
        legend_entry("next level: read out of all levels up to it", LEVEL_COLORS[2], "", "-"),
        legend_entry("next level: its own leading directions", LEVEL_COLORS[2], "", "--"),
        legend_entry("has fallen by half", LEVEL_COLORS[2], "|"),
    ]
    figure.suptitle(
        "Does the lower level go on getting better after the next one is half learned? (plain net)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _halved(points: Sequence[tuple[float, float]]) -> float | None:
    return next((step for step, value in points if value <= points[0][1] / 2.0), None)


def kernels(measured: Sequence[Measured]) -> Figure:
    """Angle of level 1 and error of the model against n: kernel methods with features, and the nets."""
    names = {
        "rfm": ("recursive feature machine (AGOP)", "C3", "s"),
        "sequential_kernels": ("sequential kernels", "C4", "p"),
        "densenet": ("plain net, end to end", "C2", "D"),
        "algorithm1": ("Algorithm 1", "C0", "o"),
    }
    records = [m for m in measured if m.experiment == "kernel-features"]
    figure = Figure(figsize=(PAGE_WIDTH, 2.7))
    axes = figure.subplots(1, 2)
    panels = [("angle", "level 1: angle (sine)"), ("relative_mse", "whole model: relative MSE")]
    for ax, (value, title) in zip(axes, panels, strict=True):
        for name, (_, color, marker) in names.items():
            points: dict[int, list[float]] = defaultdict(list)
            for m in records:
                number = _number(m, value)
                if m.labels["learner"] == name and number is not None:
                    points[int(m.labels["n"])].append(number)
            if not points:
                continue
            sizes = sorted(points)
            ax.plot(
                [n for n in sizes for _ in points[n]], [v for n in sizes for v in points[n]],
                marker, color=color, alpha=0.35, markersize=2.5, ls="none",
            )  # fmt: skip
            ax.plot(
                sizes,
                [float(np.exp(np.mean(np.log(points[n])))) for n in sizes],
                marker=marker,
                color=color,
                ls="-",
            )
        ax.set_xscale("log")
        shown = sorted({int(m.labels["n"]) for m in records})
        ax.set_xticks(shown, [f"{n}" for n in shown])
        ax.set_xticks([], minor=True)
        ax.set_yscale("log")
        ax.set_title(title)
        ax.set_xlabel("training samples n")
    levels = [v for m in records for v in [_number(m, "contamination")] if v is not None]
    if levels:
        axes[0].axhline(float(np.mean(levels)), color="0.3", lw=0.7, ls=(0, (1, 1)))
        axes[0].annotate(
            "contamination:\nthe best quadratic of y alone", (0.02, float(np.mean(levels))),
            xycoords=axes[0].get_yaxis_transform(), xytext=(0, -3), textcoords="offset points",
            va="top", fontsize=5.5, color="0.3",
        )  # fmt: skip
    handles = [legend_entry(text, color, marker, "-") for text, color, marker in names.values()]
    figure.suptitle(
        "Do feature-learning kernels find level 1 uncontaminated? (d = 10, k = 2, degree 4, α = 0.1, ρ = 0.5)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
