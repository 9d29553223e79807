"""The number of samples needed, n*, against the dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path as MarkerPath
from matplotlib.ticker import LogLocator, NullFormatter

from hierbench.plots.data import EpsilonPanel, FigureData, NStarPoint
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

_REFERENCE_SLOPES = (1, 2, 4)


def _arrow(side: float) -> MarkerPath:
    """Marker of half its size, from the point upwards (1) or downwards (-1)."""
    points = [(0, 0), (0, 1), (-0.13, 0.72), (0, 1), (0.13, 0.72)]
    move, draw = MarkerPath.MOVETO, MarkerPath.LINETO
    return MarkerPath([(x, side * y) for x, y in points], [move, draw, move, draw, draw])


ARROWS = {"right": _arrow(1), "left": _arrow(-1)}
"""Marker of a bound: upwards where n* is above ("right"), downwards where it is below ("left")."""


def epsilon_title(label: str) -> str:
    """``eps_rel = 0.1`` in mathematics."""
    scales = {f"eps_{part}": rf"$\varepsilon_{{\mathrm{{{part}}}}}$" for part in ("rel", "top", "weak")}
    for name, symbol in (scales | {"eps": r"$\varepsilon$"}).items():
        if label.startswith(f"{name} "):
            return symbol + label.removeprefix(name)
    return text(label)


def n_star_against_d(data: FigureData, target: str) -> Figure | None:
    """One panel an epsilon: n* with its bracket, arrows where it is only bounded.

    Beside each panel the exponents; behind the points the number of parameters of the target
    and lines of slope 1, 2 and 4.
    """
    stars = [s for s in data.n_stars if s.target == target]
    panels = [p for p in data.panels if p.target == target and any(s.epsilon == p.epsilon for s in stars)]
    if not panels:
        return None
    present = {s.learner for s in stars}
    style = {name: look for name, look in looks(data.learners, data.greyed).items() if name in present}
    dims = sorted({s.d for s in stars})
    counts = {c.d: c.count for c in data.parameter_counts if c.target == target}
    limits = _limits(stars, list(counts.values()))
    n_cols = min(2, len(panels))
    n_rows = math.ceil(len(panels) / n_cols)
    # The legend beside a panel has two lines for each learner.
    row_height = max(1.9, 0.65 + 0.195 * len(style))
    figure = Figure(figsize=(PAGE_WIDTH * (0.55 if n_cols == 1 else 1.0), row_height * n_rows + 0.6))
    axes = figure.subplots(n_rows, n_cols, squeeze=False).ravel()
    for k, ax in enumerate(axes):
        ax.set_visible(k < len(panels))
    for ax, panel in zip(axes, panels, strict=False):
        ax.set(yscale="log", ylim=limits)
        dimension_axis(ax, dims)
        ax.set_xlim(right=max(dims) * 1.3)  # room for the names of the slopes
        _draw_references(ax, dims, counts, limits)
        _draw_panel(ax, data, panel, style, dims)
        ax.set_ylabel("samples n*")
        ax.yaxis.set_major_locator(LogLocator(numticks=8))
        ax.yaxis.set_minor_formatter(NullFormatter())
        asks = f" (asks for {panel.asks_for})" if panel.asks_for else ""
        ax.set_title(epsilon_title(panel.epsilon) + asks)
    _legend(figure, stars, bool(counts), len(dims) > 1)
    figure.suptitle(f"{text(target)}: samples needed against dimension")
    return figure


def _limits(stars: Sequence[NStarPoint], counts: Sequence[int]) -> tuple[float, float]:
    """Limits that hold brackets and bounds; parameter counts only where they are near."""
    ends = [v for s in stars for v in (s.low, s.value, s.high) if 0 < v < math.inf]
    low, high = min(ends), max(ends)
    near = [c for c in counts if low / 10 < c < high * 10]
    low, high = min([low, *near]), max([high, *near])
    return low / 1.5, high * 2.5  # room for the arrows


def _draw_references(
    ax: Axes, dims: Sequence[int], counts: dict[int, int], limits: tuple[float, float]
) -> None:
    counted = [d for d in dims if d in counts]
    ax.plot(counted, [counts[d] for d in counted], color="0.25", linestyle=(0, (4, 2)), marker="", zorder=1.5)
    start, anchor = min(dims), limits[0] * 1.4
    middle = anchor * (limits[1] / anchor) ** 0.55  # above it is where censored points crowd
    for slope in _REFERENCE_SLOPES if len(dims) > 1 else ():
        stop = min(max(dims) * 1.1, start * (middle / anchor) ** (1 / slope))
        x = np.array([start, stop])
        y = anchor * (x / start) ** slope
        ax.plot(x, y, color="0.7", linewidth=0.7, linestyle=":", marker="", zorder=1.2)
        ax.annotate(
            f"$d^{slope}$",
            (x[1], y[1]),
            xytext=(1.5, 0),
            textcoords="offset points",
            va="center",
            color="0.45",
            fontsize=5.8,
            zorder=1.2,
        )


def _draw_panel(
    ax: Axes, data: FigureData, panel: EpsilonPanel, style: dict[str, Look], dims: Sequence[int]
) -> None:
    handles = []
    shifts = dodges(list(style), dims)
    here = [s for s in data.n_stars if s.target == panel.target and s.epsilon == panel.epsilon]
    lines = {e.learner: e for e in data.exponents if e.target == panel.target and e.epsilon == panel.epsilon}
    for learner, look in style.items():
        shift = shifts[learner]
        stars = sorted((s for s in here if s.learner == learner), key=lambda s: s.d)
        _draw_stars(ax, stars, shift, look)
        line = lines.get(learner)
        if line is None:
            continue
        reached = [s.d for s in stars if s.high < math.inf]
        if line.slope is not None and line.intercept is not None and len(reached) > 1:
            x = np.array([min(reached), max(reached)])
            y = math.exp(line.intercept) * x**line.slope
            ax.plot(
                x * shift, y, color=look.color, linestyle=look.linestyle, linewidth=0.8, marker="", alpha=0.6
            )
        label = f"{learner}\n{line.text.replace('>= ', '≥ ')}"
        handles.append(legend_entry(label, look.color, look.marker))
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.04),
        borderaxespad=0.2,
        handlelength=0.9,
        handletextpad=0.4,
        labelspacing=0.5 if len(style) < 9 else 0.15,
        fontsize=5.6,
        title="exponent of n* in d",
        title_fontsize=5.6,
        alignment="left",
    )


def _draw_stars(ax: Axes, stars: Sequence[NStarPoint], shift: float, look: Look) -> None:
    """Draw values, filled with their bracket; hollow with an arrow where one is only a bound."""

    def ends(star: NStarPoint) -> tuple[float, float]:
        low, high = (v if 0 < v < math.inf else star.value for v in (star.low, star.high))
        return low, high

    x = [s.d * shift for s in stars]
    ax.vlines(x, [ends(s)[0] for s in stars], [ends(s)[1] for s in stars], color=look.color, linewidth=0.8)
    for kind, fill in (("bracketed", look.color), ("right", "white"), ("left", "white")):
        chosen = [s for s in stars if s.censoring == kind]
        where = [s.d * shift for s in chosen], [s.value for s in chosen]
        if chosen and kind in ARROWS:
            arrow = ARROWS[kind]
            ax.plot(*where, color=look.color, linestyle="none", marker=arrow, markersize=18, fillstyle="none")
        if chosen:
            ax.plot(
                *where,
                color=look.color,
                linestyle="none",
                marker=look.marker,
                markersize=3.0,
                markerfacecolor=fill,
                markeredgewidth=0.6,
                zorder=3,
            )


def _legend(figure: Figure, stars: Sequence[NStarPoint], counts: bool, references: bool) -> None:
    bracket = legend_entry("n* (geometric mean, bracket)", marker="o", linestyle="-")
    legend_below(figure, [bracket, *signs(stars, counts, references)])


def signs(stars: Sequence[NStarPoint], counts: bool, references: bool) -> list[Line2D]:
    """Legend entries of what stands in the panels besides the learners: bounds, parameter counts, slopes."""
    kinds = {s.censoring for s in stars}
    handles = []
    if "right" in kinds:
        handles.append(legend_entry("arrow up: n* is above", marker="o", hollow=True))
    if "left" in kinds:
        handles.append(legend_entry("arrow down: n* is below", marker="o", hollow=True))
    if counts:
        handles.append(legend_entry("parameters of the target", "0.25", linestyle=(0, (4, 2))))
    if references:
        handles.append(legend_entry("reference slopes", "0.6", linestyle=":"))
    return handles
