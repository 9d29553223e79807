"""Names at the ends of lines, in their colours: a reader need not look them up in a legend."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from hierbench.plots.style import text

SIZE = 6.0
"""Of the text, in points."""
LINE = 0.055
"""Room that a name takes, as a share of an axis."""
Name = tuple[float, float, str, str]
"""Where a line ends, its colour and its name."""


def write_names(ax: Axes, lines: Sequence[Name], at: float = 1.03, room: float = LINE) -> None:
    """Write names level with the ends (x, y) of their lines where there is room; limits must be set.

    Parameters
    ----------
    at : float
        Where the names begin, as a share of the axis: to its right.
    room : float
        Height of a name, as a share of the axis.
    """
    low, high = ax.get_ylim()
    inside = [(x, min(max(y, low), high), color, name) for x, y, color, name in lines]
    to_share = ax.transData + ax.transAxes.inverted()
    order = sorted(inside, key=lambda line: line[1])
    wanted = [float(to_share.transform((x, y))[1]) for x, y, _, _ in order]
    for (x, y, color, name), height in zip(order, apart(wanted, room), strict=True):
        ax.annotate(
            text(name), (x, y), xycoords="data",
            xytext=(at, height), textcoords="axes fraction", color=color, fontsize=SIZE, va="center",
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.35, "shrinkA": 1, "shrinkB": 2,
                "relpos": (0, 0.5)},
            annotation_clip=False, zorder=5, bbox={"facecolor": "white", "linewidth": 0, "pad": 0.4},
        )  # fmt: skip


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Move increasing heights in [0, 1] as little as it takes for each to be ``gap`` above the one before."""
    heights = list(wanted)
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    excess = heights[-1] - 1.0 if heights else 0.0
    for i in range(len(heights) - 1, -1, -1):
        ceiling = 1.0 if i == len(heights) - 1 else heights[i + 1] - gap
        heights[i] = min(heights[i], ceiling) if excess > 0 else heights[i]
    return heights
