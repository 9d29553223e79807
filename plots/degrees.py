"""The figure of suite paper: the exponent of n* in d against the degree of the target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, LogLocator, NullFormatter, NullLocator

from hierbench.plots.data import DegreePanel, FigureData, Growth, NStarPoint
from hierbench.plots.n_star import ARROWS, epsilon_title
from hierbench.plots.names import SIZE, Name, write_names
from hierbench.plots.style import COLUMN_WIDTH, PAGE_WIDTH, Look, looks, text

ROTATIONS = 2.0
"""Exponent of the number of parameters of a rotation, d (d - 1) / 2, as d grows."""
_ROW = 0.128
"""Height of a bar and what is around it, in inches."""
_FEWEST = 13
"""Rows that the second panel has room for beside the first: fewer bars grow no thicker."""
_BEYOND = 1.5
"""Of an interval, as far above the highest exponent it is drawn."""
_THEORY = "0.35"
_DASHES = (0, (4, 2))
_BAR = 0.66
"""Share of its row that a bar takes."""


def degrees_figure(data: FigureData, target: str, column: bool = False) -> Figure | None:
    """Exponent of n* in d against the degree, and n* at one d of each degree.

    ``column`` has one below the other, as wide as a column of a paper. A family is shown by the member that
    needs the fewest samples at each degree, the others are faint; lines join estimates, never bounds. None
    where ``target`` is not the first of a class of targets of several degrees.
    """
    panels = data.degrees.get(target)
    if panels is None:
        return None
    learners = [g.learner for p in panels for g in p.growths] + [s.learner for p in panels for s in p.n_stars]
    present = {data.families[name] for name in learners}
    style = {name: look for name, look in looks(data.family_order, data.greyed).items() if name in present}
    bars = _ROW * sum(len(p.n_stars) + 1.4 for p in panels)
    # names reach out of their axes
    layout = ConstrainedLayoutEngine(rect=(0.01, 0, 0.975, 1))
    if column:
        figure = Figure(figsize=(COLUMN_WIDTH, 2.5 + bars + 0.5), layout=layout)
        parts = figure.subfigures(2, 1, height_ratios=(2.5, bars + 0.5), squeeze=False)
    else:
        figure = Figure(figsize=(PAGE_WIDTH, max(2.8, bars + 0.5)), layout=layout)
        parts = figure.subfigures(1, 2, squeeze=False)
    left, right = (part.subplots() for part in parts.flat)
    height = 2.5 if column else figure.get_figheight()
    _draw_exponents(left, data, panels, style, SIZE * 1.25 / 72 / (height - 0.6))
    _draw_bars(right, data, panels, style, 0 if column else _FEWEST)
    return figure


def best_growth(panel: DegreePanel, members: Sequence[Growth]) -> Growth:
    """The member of a family that needs the fewest samples at the panel's d, one with an exponent first.

    Of those that need up to 5 % more, the one whose exponent is known best.
    """
    needed = {s.learner: s for s in panel.n_stars}

    def place(growth: Growth) -> tuple[bool, bool, float]:
        star = needed.get(growth.learner)
        unknown = star is None or star.censoring == "right"
        return growth.value is None, unknown, math.inf if star is None else star.value

    *kind, fewest = min(map(place, members))
    near = [m for m in members if place(m) <= (*kind, 1.05 * fewest)]
    return min(near, key=lambda m: m.high - m.low)


def _draw_exponents(
    ax: Axes, data: FigureData, panels: Sequence[DegreePanel], style: Mapping[str, Look], room: float
) -> None:
    degrees = [p.degree for p in panels]
    exponents = [g.shown for p in panels for g in p.growths]
    exponents += [ROTATIONS, *(p.polynomial_exponent for p in panels if p.polynomial_exponent is not None)]
    ends = [g.high for p in panels for g in p.growths if math.isfinite(g.high)]
    top = min(max([*ends, *exponents]) + 0.3, max(exponents) + _BEYOND)
    ax.set(ylim=(0, top), ylabel="exponent of n* in d")
    _degree_axis(ax, degrees)
    ax.axhline(ROTATIONS, color=_THEORY, linestyle=":", linewidth=0.9, zorder=1.1)
    last = max(degrees) * 1.3
    names: dict[int, list[Name]] = {degrees[-1]: [(last, ROTATIONS, _THEORY, "rotations, d²/2")]}
    theory = [(p.degree, p.polynomial_exponent) for p in panels if p.polynomial_exponent is not None]
    if theory:
        ax.plot(
            *zip(*theory, strict=True), color=_THEORY, linestyle=_DASHES, linewidth=0.9, marker="", zorder=1.1
        )
        names.setdefault(theory[-1][0], []).append((*theory[-1], _THEORY, "polynomials, Nₚ"))
    members = {
        family: {p: of_family for p in panels if (of_family := _of_family(data, p, family))}
        for family in style
    }
    lines = {f: {p: best_growth(p, of_family) for p, of_family in m.items()} for f, m in members.items() if m}
    # in the order of their exponents, so that lines to the names do not cross
    shifts = _shifts(sorted(lines, key=lambda f: next(iter(lines[f].values())).shown))
    for family, line in lines.items():
        look, shift = style[family], shifts[family]
        for learner in dict.fromkeys(g.learner for of_family in members[family].values() for g in of_family):
            _draw_member(ax, learner, members[family], shift, look)
        known = [(p.degree * shift, g.value) for p, g in line.items() if g.value is not None]
        x, y = [x for x, _ in known], [y for _, y in known]
        ax.plot(x, y, color=look.color, linestyle=look.linestyle, marker="", zorder=3)
        for panel, growth in line.items():
            _draw_growth(ax, panel.degree * shift, growth, look)
        names.setdefault(panel.degree, []).append((panel.degree * shift, growth.shown, look.color, family))
    _write(ax, names, degrees, room)


def _shifts(families: Sequence[str]) -> dict[str, float]:
    """Factors on the degree that set families side by side."""
    step = min(0.07, 0.4 / max(len(families), 1))  # octaves
    return {name: 2.0 ** (step * (k - (len(families) - 1) / 2)) for k, name in enumerate(families)}


def _degree_axis(ax: Axes, degrees: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xlim(min(degrees) / 1.3, max(degrees) * 1.3)
    ax.xaxis.set_major_locator(FixedLocator(list(degrees)))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{degree}" for degree in degrees]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("degree of the target")


def _of_family(data: FigureData, panel: DegreePanel, family: str) -> list[Growth]:
    return [g for g in panel.growths if data.families[g.learner] == family]


def _draw_member(
    ax: Axes, learner: str, members: Mapping[DegreePanel, Sequence[Growth]], shift: float, look: Look
) -> None:
    """The exponents of one learner, thin."""
    known = [
        (p.degree * shift, g.value)
        for p, found in members.items()
        for g in found
        if g.learner == learner and g.value is not None
    ]
    ax.plot(
        [x for x, _ in known], [y for _, y in known], color=look.color, linewidth=0.5, alpha=0.4,
        marker=look.marker, markersize=2, markeredgewidth=0.3, zorder=2,
    )  # fmt: skip


def _draw_growth(ax: Axes, x: float, growth: Growth, look: Look) -> None:
    """An exponent with its interval, full; a bound hollow with an arrow."""
    if growth.value is not None:
        ax.vlines(x, growth.low, growth.high, color=look.color, linewidth=0.8, zorder=3)
    else:
        ax.plot(
            x, growth.low, marker=ARROWS["right"], color=look.color, markersize=16, fillstyle="none",
            markeredgewidth=0.7, zorder=3,
        )  # fmt: skip
    fill = "white" if growth.value is None else look.color
    ax.plot(x, growth.shown, marker=look.marker, color=look.color, markerfacecolor=fill, zorder=4)


def _write(ax: Axes, names: Mapping[int, Sequence[Name]], degrees: Sequence[int], room: float) -> None:
    """Write names right of the degree at which their lines end."""
    for degree, of_degree in names.items():
        low, high = (math.log(x) for x in ax.get_xlim())
        at = 1.02 if degree == degrees[-1] else (math.log(degree * 1.24) - low) / (high - low)
        write_names(ax, of_degree, at, room)


def _rows(panels: Sequence[DegreePanel]) -> Iterator[tuple[float, DegreePanel, NStarPoint | None]]:
    """Heights from the top: a line of text for each degree, below it its bars, fewest samples first."""
    y = 0.0
    for panel in panels:
        yield y, panel, None
        for star in sorted(panel.n_stars, key=lambda s: (s.censoring == "right", s.value)):
            y -= 1.0
            yield y, panel, star
        y -= 1.4


def _draw_bars(
    ax: Axes, data: FigureData, panels: Sequence[DegreePanel], style: Mapping[str, Look], fewest: int
) -> None:
    stars = [s for p in panels for s in p.n_stars]
    ends = [v for s in stars for v in (s.low, s.value, s.high) if 0 < v < math.inf]
    counts = [c for p in panels for c in (p.rotations, p.polynomials)]
    limits = min([*ends, *counts]) / 1.6, max([*ends, *counts]) * 1.8
    ax.set(xscale="log", xlim=limits, xlabel="samples n*")
    ax.xaxis.set_major_locator(LogLocator(numticks=8))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    rows = list(_rows(panels))
    ax.set_ylim(min(rows[-1][0] - 0.7, 0.6 - fewest), 0.6)
    ax.set_yticks(
        [y for y, _, star in rows if star], [text(star.learner) for _, _, star in rows if star], fontsize=SIZE
    )
    for y, panel, star in rows:
        if star is not None:
            _draw_bar(ax, y, star, style[data.families[star.learner]], limits[0])
            continue
        also = "".join(f", {part}" for part in (f"d = {panel.d}", panel.setting) if part)
        ax.annotate(
            f"degree {panel.degree}{also}, {epsilon_title(panel.epsilon)}", (0, y),
            xycoords=("axes fraction", "data"), va="center", fontsize=SIZE, fontweight="bold",
        )  # fmt: skip
        bottom = y - len(panel.n_stars) - 0.5
        for count, dashes in ((panel.rotations, ":"), (panel.polynomials, _DASHES)):
            ax.vlines(count, bottom, y - 0.5, color=_THEORY, linestyle=dashes, linewidth=0.9, zorder=2.5)


def _draw_bar(ax: Axes, y: float, star: NStarPoint, look: Look, start: float) -> None:
    """A bar to n*, its bracket across its end; hatched, with an arrow, where it is a bound."""
    bound = star.censoring != "bracketed"
    ax.barh(
        y, star.value - start, _BAR, start, facecolor="white" if bound else look.color,
        edgecolor=look.color, linewidth=0.6, hatch="/////" if bound else None, alpha=1.0 if bound else 0.75,
    )  # fmt: skip
    low, high = (v if 0 < v < math.inf else star.value for v in (star.low, star.high))
    ax.hlines(y, low, high, color="black", linewidth=0.8, zorder=3)
    if bound:
        towards = 12 if star.censoring == "right" else -12
        ax.annotate(
            "", (star.value, y), xytext=(towards, 0), textcoords="offset points",
            arrowprops={"arrowstyle": "<-", "color": look.color, "linewidth": 0.9, "shrinkA": 0,
                "shrinkB": 0},
            annotation_clip=False,
        )  # fmt: skip
