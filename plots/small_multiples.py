"""n* against d at one error, a panel for each target: few lines in each, and the same axes for all."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from hierbench.plots.data import FigureData, NStarPoint
from hierbench.plots.families import best_of, draw_line, draw_slopes
from hierbench.plots.n_star import epsilon_title, signs
from hierbench.plots.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Look,
    dimension_axis,
    legend_below,
    legend_entry,
    looks,
    text,
)

MOST_SERIES = 6
"""Lines of one panel."""
_PANEL_HEIGHT = 1.75  # inches
_LETTERS = 14.0  # of a title, an inch


def n_star_by_target(data: FigureData, epsilon: str, column: bool = False) -> Figure | None:
    """Samples to reach one error against d, a panel for each target; None without two of them.

    Lines are learners where there are six or fewer; else the best member of each family at each d. A target
    with more than six of these has further panels. ``column`` is as wide as a column of a paper.
    """
    stars = [s for s in data.n_stars if s.epsilon == epsilon]
    targets = [t for t in data.targets if any(s.target == t for s in stars)]
    if len(targets) < 2:
        return None
    series, style = _series(data, stars)
    panels = []
    for target in targets:
        parts = _parts([name for name in style if (target, name) in series])
        for k, shown in enumerate(parts, start=1):
            which = f", {k} of {len(parts)}" if len(parts) > 1 else ""
            degree = "" if column else _degree(data, target, epsilon)
            panels.append((target, shown, target + degree + which))
    dims = sorted({s.d for s in stars})
    values = [s.value for s in stars]
    limits = min(values) / 1.8, max(values) * 2.2
    n_cols = (1 if len(panels) < 4 else 2) if column else 2 if len(panels) in (2, 4) else 3
    n_rows = math.ceil(len(panels) / n_cols)
    width = COLUMN_WIDTH if column else PAGE_WIDTH
    figure = Figure(figsize=(width, _PANEL_HEIGHT * n_rows + 0.75))
    axes = figure.subplots(n_rows, n_cols, squeeze=False, sharex=True, sharey=True).ravel()
    axes[0].set(yscale="log", ylim=limits)
    dimension_axis(axes[0], dims)
    axes[0].yaxis.set_major_locator(LogLocator(numticks=8))
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    counts = {(c.target, c.d): c.count for c in data.parameter_counts if c.d in dims}
    for k, ax in enumerate(axes):
        ax.set_visible(k < len(panels))
        if k % n_cols == 0:
            ax.set_ylabel("samples n*")
        if k + n_cols >= len(panels):
            ax.set_xlabel("dimension d")
            ax.tick_params(labelbottom=True)
        else:
            ax.set_xlabel("")
    for ax, (target, shown, title) in zip(axes, panels, strict=False):
        of_target = sorted((d, count) for (name, d), count in counts.items() if name == target)
        if of_target:
            ax.plot(*zip(*of_target, strict=True), color="0.25", linestyle=(0, (4, 2)), marker="", zorder=1.1)
        draw_slopes(ax, dims, limits)
        for name in shown:
            draw_line(ax, series[target, name], style[name])
        ax.set_title(text(textwrap.fill(title, int(_LETTERS * width / n_cols))))
    in_sight = any(limits[0] < count < limits[1] for count in counts.values())
    _legend(figure, stars, style, in_sight, len(dims) > 1)
    figure.suptitle(f"samples to {epsilon_title(epsilon)}")
    return figure


def _series(
    data: FigureData, stars: Sequence[NStarPoint]
) -> tuple[dict[tuple[str, str], list[NStarPoint]], dict[str, Look]]:
    """Points of each (target, name) in the order of d, and the looks of the names: learners, or families."""
    by_family = shows_families(stars)
    order = data.family_order if by_family else data.learners
    points: dict[tuple[str, str], dict[int, list[NStarPoint]]] = {}
    for star in stars:
        name = data.families[star.learner] if by_family else star.learner
        points.setdefault((star.target, name), {}).setdefault(star.d, []).append(star)
    series = {key: [best_of(some) for _, some in sorted(by_d.items())] for key, by_d in points.items()}
    present = {name for _, name in series}
    return series, {name: look for name, look in looks(order, data.greyed).items() if name in present}


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    """The names in as few parts of at most ``MOST_SERIES`` as can be, of about the same length."""
    count = math.ceil(len(names) / MOST_SERIES)
    ends = [round(k * len(names) / count) for k in range(count + 1)]
    return [names[a:b] for a, b in itertools.pairwise(ends)]


def shows_families(stars: Sequence[NStarPoint]) -> bool:
    """Whether lines are families: learners are too many."""
    return len({s.learner for s in stars}) > MOST_SERIES


def _degree(data: FigureData, target: str, epsilon: str) -> str:
    asks = next((p.asks_for for p in data.panels if (p.target, p.epsilon) == (target, epsilon)), "")
    return f" ({asks})" if asks else ""


def _legend(
    figure: Figure, stars: Sequence[NStarPoint], style: Mapping[str, Look], counts: bool, slopes: bool
) -> None:
    handles = [legend_entry(name, look.color, look.marker, look.linestyle) for name, look in style.items()]
    legend_below(figure, [*handles, *signs(stars, counts, slopes)])
