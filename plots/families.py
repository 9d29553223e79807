"""The figure that a suite is run for: families of learners, named at their lines, against d and samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter

from hierbench.plots.bands import Band, band, replicates
from hierbench.plots.data import CurvePoint, FigureData, NStarPoint
from hierbench.plots.error_curves import error_limits, error_name
from hierbench.plots.fixed_sizes import size_panels
from hierbench.plots.n_star import ARROWS, epsilon_title
from hierbench.plots.names import SIZE, Name, write_names
from hierbench.plots.style import COLUMN_WIDTH, PAGE_WIDTH, Look, dimension_axis, looks, text

_SLOPES = (2, 4)
_RECOVERED = 1e-5
"""Errors below are recovery, and not drawn."""


def family_figure(data: FigureData, target: str, column: bool = False) -> Figure | None:
    """Samples against d, error against d at a fixed number of samples, and error against n at two d.

    ``column`` is the first two, one below the other, as wide as a column of a paper.

    A family's line joins its best member at each d; members are thin behind it. Arrows mark bounds: upwards
    where the samples needed are above. None without two learners and an error that counts as success.
    """
    epsilon = data.success.get(target)
    stars = [s for s in data.n_stars if s.target == target and s.epsilon == epsilon]
    if epsilon is None or len({s.learner for s in stars}) < 2:
        return None
    points = [p for p in data.curves if p.target == target]
    present = {data.families[s.learner] for s in stars}
    style = {name: look for name, look in looks(data.family_order, data.greyed).items() if name in present}
    # names reach out of their axes
    layout = ConstrainedLayoutEngine(rect=(0, 0, 0.985, 1))
    figure = Figure(figsize=(COLUMN_WIDTH, 4.4) if column else (PAGE_WIDTH, 5.0), layout=layout)
    axes = figure.subplot_mosaic("s;b" if column else "sb;12")
    _draw_samples(axes["s"], data, target, stars, style)
    asks = next((p.asks_for for p in data.panels if (p.target, p.epsilon) == (target, epsilon)), "")
    axes["s"].set_title(f"samples to {epsilon_title(epsilon)}" + (f" ({asks})" if asks else ""))
    _draw_budget(axes["b"], data, points, style)
    if column:
        return figure
    dims = _two_dims(points)
    axes["2"].set_visible(len(dims) > 1)
    for name, d in zip("12", dims, strict=False):
        _draw_errors(axes[name], data, [p for p in points if p.d == d], style)
        axes[name].set_title(f"error against samples, d = {d}")
        axes[name].set_ylabel(error_name(data, target))
    figure.suptitle(f"{text(target)}: the best learner of each family")
    return figure


def best_of(stars: Iterable[NStarPoint]) -> NStarPoint:
    """The member of a family that needs the fewest samples at one d; a bound only where all are bounds."""
    return min(stars, key=lambda s: (s.censoring == "right", s.value))


def _draw_samples(
    ax: Axes, data: FigureData, target: str, stars: Sequence[NStarPoint], style: Mapping[str, Look]
) -> None:
    dims = sorted({s.d for s in stars})
    values = [s.value for s in stars]
    limits = min(values) / 1.8, max(values) * 2.2
    ax.set(yscale="log", ylim=limits, ylabel="samples n*")
    dimension_axis(ax, dims)
    counts = {c.d: c.count for c in data.parameter_counts if c.target == target and c.d in dims}
    ax.plot(list(counts), list(counts.values()), color="0.25", linestyle=(0, (4, 2)), marker="", zorder=1.1)
    names: list[Name] = [
        (d, count, "0.35", "parameters of the target") for d, count in list(counts.items())[-1:]
    ]
    draw_slopes(ax, dims, limits)
    for learner in dict.fromkeys(s.learner for s in stars):
        look = style[data.families[learner]]
        of_one = sorted((s for s in stars if s.learner == learner), key=lambda s: s.d)
        ax.plot(
            [s.d for s in of_one],
            [s.value for s in of_one],
            color=look.color,
            linewidth=0.5,
            alpha=0.4,
            marker="",
        )
    for family, look in style.items():
        members = [s for s in stars if data.families[s.learner] == family]
        best = [best_of(s for s in members if s.d == d) for d in sorted({s.d for s in members})]
        draw_line(ax, best, look)
        names.append((best[-1].d, best[-1].value, look.color, family))
    write_names(ax, names)


def draw_line(ax: Axes, best: Sequence[NStarPoint], look: Look) -> None:
    """Draw n* at each d and a line through them, bounds hollow and with an arrow."""
    ax.plot(
        [s.d for s in best],
        [s.value for s in best],
        color=look.color,
        linestyle=look.linestyle,
        marker="",
        zorder=3,
    )
    for star in best:
        bound = star.censoring != "bracketed"
        fill = "white" if bound else look.color
        ax.plot(star.d, star.value, marker=look.marker, color=look.color, markerfacecolor=fill, zorder=4)
        if bound:
            ax.plot(
                star.d, star.value, marker=ARROWS[star.censoring], color=look.color, markersize=16,
                fillstyle="none", markeredgewidth=0.7, zorder=3,
            )  # fmt: skip


def draw_slopes(ax: Axes, dims: Sequence[int], limits: tuple[float, float]) -> None:
    """Draw dotted lines that grow like powers of d, from the lower left."""
    if len(dims) < 2:
        return
    start = limits[0] * 1.15
    for slope in _SLOPES:
        x = np.array([dims[0], min(dims[-1], dims[0] * (limits[1] / 1.4 / start) ** (1 / slope))])
        ax.plot(
            x, start * (x / dims[0]) ** slope, color="0.7", linewidth=0.7, linestyle=":", marker="", zorder=1
        )
        where = (x[1], start * float(x[1] / dims[0]) ** slope)
        ax.annotate(
            f"$d^{slope}$",
            where,
            xytext=(2, -2),
            textcoords="offset points",
            color="0.45",
            fontsize=SIZE,
        )


def _limits(points: Sequence[CurvePoint]) -> tuple[float, float]:
    low, high = error_limits(points)
    return max(low, _RECOVERED), high


def _draw_budget(ax: Axes, data: FigureData, points: Sequence[CurvePoint], style: Mapping[str, Look]) -> None:
    panels = size_panels(data, points[0].target)
    if not panels:
        ax.set_visible(False)
        return
    panel = max(panels, key=lambda one: len(one.values))
    ax.set(yscale="log", ylim=_limits(points), ylabel=error_name(data, points[0].target))
    ax.yaxis.set_minor_formatter(NullFormatter())
    dimension_axis(ax, sorted({p.d for p in points}))
    ax.set_title(f"error at {panel.title}")
    names: list[Name] = []
    for family, look in style.items():
        best: dict[int, tuple[float, bool]] = {}
        for (learner, d), (_, median, _) in panel.values.items():
            if data.families[learner] == family:
                between = bool(panel.measured) and (learner, d) in panel.between
                best[d] = min((median, between), best.get(d, (math.inf, between)))
        if best:
            x = sorted(best)
            medians = [best[d][0] for d in x]
            ax.plot(x, medians, color=look.color, marker=look.marker, linestyle=look.linestyle)
            hollow = [d for d in x if best[d][1]]
            ax.plot(
                hollow, [best[d][0] for d in hollow], color=look.color, marker=look.marker,
                markerfacecolor="white", linestyle="none", zorder=3,
            )  # fmt: skip
            names.append((x[-1], medians[-1], look.color, family))
    write_names(ax, names)


def _draw_errors(ax: Axes, data: FigureData, points: Sequence[CurvePoint], style: Mapping[str, Look]) -> None:
    limits = _limits(points)
    ax.set(xscale="log", yscale="log", ylim=limits, xlabel="samples n")
    ax.yaxis.set_major_locator(LogLocator(numticks=8))
    ax.yaxis.set_minor_formatter(NullFormatter())
    names: list[Name] = []
    for family, look in style.items():
        bands = _bands(p for p in points if data.families[p.learner] == family)
        for one in bands:
            ax.plot(one.n, one.median, color=look.color, linewidth=0.5, alpha=0.4, marker="")
        if bands:
            best = min(bands, key=_place)
            ax.plot(best.n, best.median, color=look.color, linestyle=look.linestyle, marker="")
            ax.fill_between(best.n, best.low, best.high, color=look.color, alpha=0.12, linewidth=0)
            above = np.flatnonzero(best.median > limits[0])
            last = above[-1] if above.size else 0
            names.append((best.n[last], best.median[last], look.color, family))
    write_names(ax, names)


def _bands(points: Iterable[CurvePoint]) -> list[Band]:
    by_learner: dict[str, list[CurvePoint]] = {}
    for point in points:
        by_learner.setdefault(point.learner, []).append(point)
    found = (band(replicates(of_one)) for of_one in by_learner.values())
    return [one for one in found if one is not None]


def _place(one: Band) -> float:
    """The curve that is farthest down and to the left has the smallest."""
    return float(np.min(np.log(one.median) + np.log(one.n)))


def _two_dims(points: Sequence[CurvePoint]) -> list[int]:
    """The two d at which most learners were run, the smaller one first."""
    learners = {d: len({p.learner for p in points if p.d == d}) for d in {p.d for p in points}}
    return sorted(sorted(learners, key=lambda d: (learners[d], d))[-2:])
