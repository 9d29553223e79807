"""Test error against the number of samples, and against the dimension at a fixed number."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from hierbench.plots.bands import QUARTILES_FROM, band, drawable, replicates
from hierbench.plots.data import CurvePoint, FigureData, KernelFloor
from hierbench.plots.fixed_sizes import Spread, size_panels
from hierbench.plots.style import (
    PAGE_WIDTH,
    Look,
    dimension_axis,
    dodges,
    legend_below,
    legend_entry,
    looks,
    text,
)

_LOST = ("diverged", "failed", "timeout")
_FLOOR_COLOR = "0.55"
_PREDICTED = (0, (2.4, 1.1))
_HIGHEST_LIMIT = 10.0  # relative MSE: predicting the mean already gets 1
_LOWEST_LIMIT = 1e-7  # below is exact recovery; a scale down to rounding would flatten the rest


def _points(data: FigureData, target: str) -> list[CurvePoint]:
    return [p for p in data.curves if p.target == target]


def error_name(data: FigureData, target: str) -> str:
    """Name of a target's error on an axis."""
    metric = next((m.metric for m in data.metrics if m.target == target), "relative MSE")
    return {"relative MSE": "relative test MSE", "misclassification": "test misclassification rate"}[metric]


def error_limits(points: Iterable[CurvePoint]) -> tuple[float, float]:
    """Limits that hold the ok errors, and below the unreliable ones, which end good curves.

    A diverged learner cannot flatten the others.
    """
    errors: dict[str, list[float]] = {"ok": [], "unreliable": []}
    for p in points:
        if p.status in errors and drawable(p) and p.error is not None:
            errors[p.status].append(p.error)
    both = [*errors["ok"], *errors["unreliable"]] or [0.1, 1.0]
    top = min(max(float(np.quantile(errors["ok"] or both, 0.99)), 1.0), _HIGHEST_LIMIT)
    bottom = min(max(min(both), _LOWEST_LIMIT), 0.5 * top)
    margin = max((top / bottom) ** 0.04, 1.3)
    return bottom / margin, top * margin * (top / bottom) ** 0.08  # room for what was lost


def size_limits(spreads: Sequence[Spread]) -> tuple[float, float]:
    """Limits that all sizes of a target share; an error above them is off the scale."""
    bottom = max(min(1.0, *(low for low, _, _ in spreads)), _LOWEST_LIMIT)
    top = max(min(max(high for _, _, high in spreads), _HIGHEST_LIMIT), 2 * bottom)
    margin = max((top / bottom) ** 0.06, 1.3)
    return bottom / margin, top * margin


def error_against_n(data: FigureData, target: str) -> Figure | None:
    """One panel a dimension: medians, bands and, faintly, every replicate's points."""
    points = _points(data, target)
    dims = sorted({p.d for p in points})
    if not any(drawable(p) for p in points):
        return None
    style = looks(data.learners, data.greyed)
    n_cols = min(3, len(dims))
    n_rows = math.ceil(len(dims) / n_cols)
    figure = Figure(figsize=(PAGE_WIDTH * (0.4 + 0.2 * n_cols), 1.75 * n_rows + 0.75))
    axes = figure.subplots(n_rows, n_cols, squeeze=False, sharex=True, sharey=True).ravel()
    limits = error_limits(points)
    axes[0].set(xscale="log", yscale="log", ylim=limits)
    lost = False
    for ax, d in zip(axes, dims, strict=False):
        here = [p for p in points if p.d == d]
        for learner, look in style.items():
            _draw_curve(ax, [p for p in here if p.learner == learner], look, len(style), limits)
        lost |= _draw_lost(ax, here, style, limits)
        ax.set_title(f"d = {d}")
    predicted = [p for p in data.predictions if p.target == target and p.d in dims]
    for ax, d in zip(axes, dims, strict=False):
        _draw_predictions(ax, [p for p in predicted if p.d == d], style)
    floors = [f for f in data.kernel_floors if f.target == target and f.d in dims]
    for floor in floors:
        _draw_floor(axes[dims.index(floor.d)], floor, limits)
    axes[0].yaxis.set_major_locator(LogLocator(numticks=8))
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    for k, ax in enumerate(axes):
        ax.set_visible(k < len(dims))
        if k % n_cols == 0:
            ax.set_ylabel(error_name(data, target))
        if k + n_cols >= len(dims):
            ax.set_xlabel("samples n")
            ax.tick_params(labelbottom=True)
    unreliable = any(p.status == "unreliable" for p in points)
    _legend(figure, {p.learner for p in points}, style, lost, unreliable, bool(floors), bool(predicted))
    figure.suptitle(f"{text(target)}: error against samples (median, {_spread_text(points)})")
    return figure


def _draw_curve(
    ax: Axes, points: Sequence[CurvePoint], look: Look, n_learners: int, limits: tuple[float, float]
) -> None:
    for status, fill in (("ok", look.color), ("unreliable", "none")):
        chosen = [p for p in points if p.status == status and drawable(p) and (p.error or 0) <= limits[1]]
        if chosen:
            ax.plot(
                [p.n for p in chosen],
                [p.error for p in chosen if p.error is not None],
                linestyle="none",
                marker=look.marker,
                markersize=2.2,
                color=look.color,
                markerfacecolor=fill,
                markeredgewidth=0 if status == "ok" else 0.5,
                alpha=0.35 if status == "ok" else 0.8,
            )
    measured = band(replicates(points))
    if measured is None:
        return
    ax.fill_between(measured.n, measured.low, measured.high, color=look.color, alpha=0.13, linewidth=0)
    # Every learner marks its line at places of its own, so that no marker hides another.
    first = round(look.index * 7 / max(n_learners, 1))
    ax.plot(
        measured.n,
        measured.median,
        color=look.color,
        marker=look.marker,
        linestyle=look.linestyle,
        markevery=(first, 8),
        markeredgecolor="white",
        markeredgewidth=0.4,
    )


def _draw_lost(
    ax: Axes, points: Sequence[CurvePoint], style: Mapping[str, Look], limits: tuple[float, float]
) -> bool:
    """Crosses along the top for runs without a usable error, a line for each learner."""
    lost = [p for p in points if p.status in _LOST or (drawable(p) and (p.error or 0) > limits[1])]
    for height, learner in enumerate(dict.fromkeys(p.learner for p in lost)):
        ax.plot(
            [p.n for p in lost if p.learner == learner],
            [0.975 - 0.04 * height] * sum(p.learner == learner for p in lost),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="x",
            markersize=3,
            color=style[learner].color,
            clip_on=False,
        )
    return bool(lost)


def _draw_predictions(ax: Axes, points: Sequence[CurvePoint], style: Mapping[str, Look]) -> None:
    """Draw the median over replicates of what theory expects, without markers, over the measured curves."""
    for learner, look in style.items():
        predicted = band(replicates(p for p in points if p.learner == learner))
        if predicted is not None:
            ax.plot(
                predicted.n,
                predicted.median,
                color=look.color,
                linewidth=0.6,
                linestyle=_PREDICTED,
                marker="",
                zorder=2.6,
                # Where theory is right the line lies on the measured one, of the same colour.
                path_effects=[withStroke(linewidth=1.1, foreground="white")],
            )


def _draw_floor(ax: Axes, floor: KernelFloor, limits: tuple[float, float]) -> None:
    """Draw a staircase behind the curves, over the sizes that they cover and no further."""
    x_limits = ax.get_xlim()
    n = [n for n, _ in floor.steps]
    # No logarithm has room for a floor of 0: the staircase leaves through the bottom.
    heights = [max(height, limits[0] * 1e-3) for _, height in floor.steps]
    ax.step(
        [*n, max(n[-1], x_limits[1]) * 2],
        [*heights, heights[-1]],
        where="post",
        color=_FLOOR_COLOR,
        linewidth=0.7,
        linestyle="-",
        marker="",
        zorder=1.5,
    )
    ax.set_xlim(x_limits)


def _spread_text(points: Sequence[CurvePoint]) -> str:
    most = max(
        len({p.replicate for p in points if (p.learner, p.d) == key})
        for key in {(p.learner, p.d) for p in points}
    )
    return f"{'quartiles' if most >= QUARTILES_FROM else 'range'} over replicates"


def _legend(
    figure: Figure,
    present: Collection[str],
    style: Mapping[str, Look],
    lost: bool,
    unreliable: bool = False,
    floor: bool = False,
    predicted: bool = False,
    between: bool = False,
) -> None:
    handles = [
        legend_entry(name, look.color, look.marker, look.linestyle)
        for name, look in style.items()
        if name in present
    ]
    if between:
        handles.append(legend_entry("interpolated", marker="o", hollow=True))
    if unreliable:
        handles.append(legend_entry("unreliable", marker="o", hollow=True))
    if lost:
        handles.append(legend_entry("diverged, failed or off the scale", marker="x"))
    if floor:
        handles.append(legend_entry("predicted kernel floor", _FLOOR_COLOR, linestyle="-"))
    if predicted:
        handles.append(legend_entry("kernel's prediction (eigenlearning)", linestyle=_PREDICTED))
    legend_below(figure, handles)


def error_against_d(data: FigureData, target: str) -> Figure | None:
    """Test error at fixed sizes, one panel each; open marks are interpolated, never beyond the sizes run."""
    panels = size_panels(data, target)
    if not panels:
        return None
    style = looks(data.learners, data.greyed)
    dims = sorted({d for panel in panels for _, d in panel.values})
    limits = size_limits([values for panel in panels for values in panel.values.values()])

    n_cols = min(2, len(panels))
    n_rows = math.ceil(len(panels) / n_cols)
    figure = Figure(figsize=(PAGE_WIDTH * (0.35 + 0.3 * n_cols), 2.2 * n_rows + 0.8))
    axes = figure.subplots(n_rows, n_cols, squeeze=False, sharey=True).ravel()
    # Before anything is drawn: matplotlib cannot scale itself to errors near rounding.
    axes[0].set(yscale="log", ylim=limits)
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    present = [name for name in style if any(name == learner for p in panels for learner, _ in p.values)]
    shifts = dodges(present, dims)
    lost = False
    for k, ax in enumerate(axes):
        ax.set_visible(k < len(panels))
        if k % n_cols == 0:
            ax.set_ylabel(error_name(data, target))
    for ax, panel in zip(axes, panels, strict=False):
        for learner in present:
            covered = {d: panel.values[learner, d] for d in dims if (learner, d) in panel.values}
            open_marks = [bool(panel.measured) and (learner, d) in panel.between for d in covered]
            x = [d * shifts[learner] for d in covered]
            lost |= _draw_spread(ax, x, list(covered.values()), style[learner], limits, open_marks)
        dimension_axis(ax, dims)
        ax.set_title(panel.title)
    mixed = any(panel.measured and panel.between for panel in panels)
    _legend(figure, present, style, lost, between=mixed)
    measured = any(panel.measured for panel in panels)
    how = "" if measured else ", interpolated in log-log"
    figure.suptitle(f"{text(target)}: error at a fixed number of samples{how}")
    return figure


def _draw_spread(
    ax: Axes,
    x: Sequence[float],
    values: Sequence[tuple[float, float, float]],
    look: Look,
    limits: tuple[float, float],
    open_marks: Sequence[bool],
) -> bool:
    """Medians with their range, some marks open; a cross at the top for each that is off the scale."""
    if not values:
        return False
    low, median, high = np.minimum(np.array(values).T, 100 * limits[1])  # far off is as good as farther
    ax.errorbar(
        x,
        median,
        yerr=[median - low, high - median],
        color=look.color,
        marker=look.marker,
        linestyle=look.linestyle,
        linewidth=0.9,
        elinewidth=0.7,
        markeredgecolor="white",
        markeredgewidth=0.4,
    )
    hollow = np.flatnonzero(open_marks)
    ax.plot(
        np.asarray(x)[hollow],
        median[hollow],
        color=look.color,
        marker=look.marker,
        markerfacecolor="white",
        linestyle="none",
        zorder=3,
    )
    off = np.asarray(x)[median > limits[1]]
    top = ax.get_xaxis_transform()
    ax.plot(off, np.full(off.shape, 0.975), "x", transform=top, markersize=3, color=look.color)
    return off.size > 0
