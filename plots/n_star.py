"""The number of samples needed, n*, against the dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from plots.data import EpsilonPanel, FigureData, NStarPoint
from plots.style import PAGE_WIDTH, Look, dimension_axis, dodge, legend_entry, looks, n_columns, text

_REFERENCE_SLOPES = (1, 2, 4)


def epsilon_title(label: str) -> str:
    """``eps_rel = 0.1`` in mathematics."""
    for name, symbol in (("eps_rel", r"$\varepsilon_{\mathrm{rel}}$"), ("eps", r"$\varepsilon$")):
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
    style = looks(data.learners)
    dims = sorted({s.d for s in stars})
    counts = {c.d: c.count for c in data.parameter_counts if c.target == target}
    limits = _limits(stars, list(counts.values()))
    n_cols = min(2, len(panels))
    n_rows = math.ceil(len(panels) / n_cols)
    figure = Figure(figsize=(PAGE_WIDTH * (0.55 if n_cols == 1 else 1.0), 1.8 * n_rows + 0.6))
    axes = figure.subplots(n_rows, n_cols, squeeze=False).ravel()
    for k, ax in enumerate(axes):
        ax.set_visible(k < len(panels))
    for ax, panel in zip(axes, panels, strict=False):
        ax.set(yscale="log", ylim=limits)
        dimension_axis(ax, dims)
        _draw_references(ax, dims, counts, limits)
        _draw_panel(ax, data, panel, style, dims)
        ax.set_ylabel("samples n*")
        ax.yaxis.set_major_locator(LogLocator(numticks=8))
        ax.yaxis.set_minor_formatter(NullFormatter())
        asks = f" ({panel.asks_for})" if panel.asks_for else ""
        ax.set_title(epsilon_title(panel.epsilon) + asks)
    _legend(figure, stars, bool(counts))
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
    known = [d for d in dims if d in counts]
    ax.plot(known, [counts[d] for d in known], color="0.25", linestyle=(0, (4, 2)), linewidth=0.9, zorder=1.5)
    if len(dims) < 2:
        return
    start, anchor = min(dims), limits[0] * 1.4
    for slope in _REFERENCE_SLOPES:
        stop = min(max(dims) * 1.06, start * (limits[1] / 1.6 / anchor) ** (1 / slope))
        x = np.array([start, stop])
        y = anchor * (x / start) ** slope
        ax.plot(x, y, color="0.72", linewidth=0.7, linestyle=":", zorder=1.2)
        ax.annotate(
            f"$d^{slope}$",
            (x[1], y[1]),
            xytext=(1.5, 1),
            textcoords="offset points",
            color="0.5",
            fontsize=6,
            zorder=1.2,
        )


def _draw_panel(
    ax: Axes, data: FigureData, panel: EpsilonPanel, style: dict[str, Look], dims: Sequence[int]
) -> None:
    handles = []
    here = [s for s in data.n_stars if s.target == panel.target and s.epsilon == panel.epsilon]
    lines = {e.learner: e for e in data.exponents if e.target == panel.target and e.epsilon == panel.epsilon}
    for learner, look in style.items():
        shift = dodge(look, len(style), dims)
        own = sorted((s for s in here if s.learner == learner), key=lambda s: s.d)
        for star in own:
            _draw_star(ax, star, star.d * shift, look)
        line = lines.get(learner)
        if line is None:
            continue
        if line.slope is not None and line.intercept is not None and own:
            x = np.array([own[0].d, max(s.d for s in own if s.censoring == "bracketed" or s.high < math.inf)])
            y = np.exp(line.intercept) * x**line.slope
            ax.plot(x * shift, y, color=look.color, linestyle=look.linestyle, linewidth=0.8, alpha=0.7)
        handles.append(legend_entry(f"{learner}  {line.text}", look.color, look.marker))
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.02),
        borderaxespad=0.2,
        handlelength=1.0,
        handletextpad=0.4,
        fontsize=5.8,
        title="exponent of n* in d",
        title_fontsize=5.8,
        alignment="left",
    )


def _draw_star(ax: Axes, star: NStarPoint, x: float, look: Look) -> None:
    """Filled with its bracket; hollow with an arrow where the value is only a bound."""
    low, high = (v if 0 < v < math.inf else star.value for v in (star.low, star.high))
    ax.plot([x, x], [low, high], color=look.color, linewidth=0.8, solid_capstyle="butt")
    bounded = star.censoring != "bracketed"
    ax.plot(
        [x],
        [star.value],
        linestyle="none",
        marker=look.marker,
        markersize=3.4,
        color=look.color,
        markerfacecolor="white" if bounded else look.color,
        zorder=3,
    )
    if bounded:
        ax.annotate(
            "",
            (x, star.value),
            xytext=(0, 9 if star.censoring == "right" else -9),
            textcoords="offset points",
            arrowprops={
                "arrowstyle": "<-",
                "color": look.color,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 1.8,
                "mutation_scale": 5,
            },
            zorder=2.5,
        )


def _legend(figure: Figure, stars: Sequence[NStarPoint], counts: bool) -> None:
    kinds = {s.censoring for s in stars}
    handles = [legend_entry("n* (geometric mean, bracket)", marker="o", linestyle="-")]
    if "right" in kinds:
        handles.append(legend_entry("arrow up: n* is above", marker="o", hollow=True))
    if "left" in kinds:
        handles.append(legend_entry("arrow down: n* is below", marker="o", hollow=True))
    if counts:
        handles.append(legend_entry("parameters of the target", "0.25", linestyle=(0, (4, 2))))
    handles.append(legend_entry("reference slopes", "0.6", linestyle=":"))
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns(figure, handles))
