"""Rows in, figures out. Imports no learner and no target."""

from __future__ import annotations

from pathlib import Path

from hierbench.plots.data import FigureData

__all__ = ["FigureData", "write_figures"]


def write_figures(data: FigureData, out_dir: Path) -> list[Path]:
    """Write all figures of ``data`` as PDF and PNG, and return their paths.

    For each target: the best learners of each family, test error against n, n* against d, test error against
    d at a fixed n. The same data give the same bytes. Earlier figures of the same names are replaced,
    each only once its successor is complete.
    """
    # matplotlib is slow to import, and most commands draw nothing
    from hierbench.plots.error_curves import error_against_d, error_against_n
    from hierbench.plots.families import family_figure
    from hierbench.plots.n_star import n_star_against_d
    from hierbench.plots.style import FigureWriter, figure_style

    with figure_style():
        writer = FigureWriter(Path(out_dir), data.provenance)
        for target in data.targets:
            writer.write(family_figure(data, target), "families", target)
            writer.write(error_against_n(data, target), "error_against_n", target)
            writer.write(n_star_against_d(data, target), "n_star_against_d", target)
            writer.write(error_against_d(data, target), "error_against_d", target)
        return writer.paths
