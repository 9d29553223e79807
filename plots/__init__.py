"""Rows in, figures out. Imports no learner and no target."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench.plots.data import FigureData
from hierbench.processes import spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureData", "write_figures"]

KINDS = (
    "degrees",
    "degrees_column",
    "phase",
    "families",
    "families_column",
    "error_against_n",
    "n_star_against_d",
    "error_against_d",
)
"""Figures of one target."""
EPSILON_KINDS = ("n_star_by_target", "n_star_by_target_column")
"""Figures of all targets at one error."""


def write_figures(data: FigureData, out_dir: Path, processes: int = 1) -> list[Path]:
    """Write all figures of ``data`` as PDF and PNG, their captions beside them, and return the paths.

    For each target: the best learners of each family, as wide as a page and as a column, test error against
    n, n* against d, test error against d at a fixed n. For each class of targets that differ in depth: the
    exponent of n* against the degree. For targets that differ in alpha, and nets of fixed widths: the phase
    diagram of layer-wise over joint training. These two are named after the first target of their class. For
    each error: n* against d, a panel for each target, as wide as a page and as a column. The same data give
    the same bytes, in however many processes. Earlier figures of the same names are replaced, each only once
    its successor is complete.

    Parameters
    ----------
    processes : int
        Figures that are drawn at a time.
    """
    # matplotlib is slow to import, and most commands draw nothing
    from hierbench.plots.style import FigureWriter

    writer = FigureWriter(Path(out_dir), data.provenance)
    figures = [(kind, target) for target in data.targets for kind in KINDS]
    figures += [(kind, e) for e in dict.fromkeys(p.epsilon for p in data.panels) for kind in EPSILON_KINDS]
    drawn = spread(_drawn, [(data, *figure) for figure in figures], processes)
    for figure, contents in zip(figures, drawn, strict=True):
        if contents:
            writer.keep(contents, *figure)
    return writer.paths


def _drawn(data: FigureData, kind: str, subject: str) -> dict[str, bytes]:
    """One figure of a target, or of an error, and its caption by suffix; empty where nothing is to show."""
    # as above
    from hierbench.plots.captions import caption
    from hierbench.plots.degrees import degrees_figure
    from hierbench.plots.error_curves import error_against_d, error_against_n
    from hierbench.plots.families import family_figure
    from hierbench.plots.n_star import n_star_against_d
    from hierbench.plots.phase import phase_figure
    from hierbench.plots.small_multiples import n_star_by_target
    from hierbench.plots.style import figure_style, rendered

    draw: dict[str, Callable[[FigureData, str], Figure | None]] = {
        "degrees": degrees_figure,
        "degrees_column": functools.partial(degrees_figure, column=True),
        "phase": phase_figure,
        "families": family_figure,
        "families_column": functools.partial(family_figure, column=True),
        "error_against_n": error_against_n,
        "n_star_against_d": n_star_against_d,
        "error_against_d": error_against_d,
        "n_star_by_target": n_star_by_target,
        "n_star_by_target_column": functools.partial(n_star_by_target, column=True),
    }
    with figure_style():
        figure = draw[kind](data, subject)
        if figure is None:
            return {}
        below = caption(data, kind, subject).encode()
        shown = subject if kind in EPSILON_KINDS else f"target {subject}"
        return {**rendered(figure, kind, shown, data.provenance), "txt": below}
