"""The phase diagram of layer-wise training: n* over that of joint training, over alpha and width."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from hierbench.plots.data import FigureData, PhaseDiagram
from hierbench.plots.n_star import epsilon_title
from hierbench.plots.style import COLUMN_WIDTH, text

FEWER, EQUAL, MORE = "#E69F00", "#FFFFFF", "#0072B2"
"""Okabe & Ito's orange and blue. In grey the blue is darker: numbers tell the rest."""
_SIZE = 6.0
_DARK = 0.95
"""Share of the scale above which white is read more easily than black."""


def colors() -> Colormap:
    """Orange where layer-wise training needs fewer samples, white where as many, blue where more."""
    return LinearSegmentedColormap.from_list("ratio", (FEWER, EQUAL, MORE)).with_extremes(bad="0.9")


def phase_figure(data: FigureData, target: str) -> Figure | None:
    """Heat map a d; None where ``target`` is not the first of a diagram."""
    diagrams = [p for p in data.phases if p.target == target]
    if not diagrams:
        return None
    values = [c.log2_ratio for p in diagrams for c in p.cells if c.log2_ratio is not None]
    end = float(max([1, *(math.ceil(abs(v)) for v in values)]))
    figure = Figure(figsize=(COLUMN_WIDTH * len(diagrams), 2.75))
    axes = figure.subplots(1, len(diagrams), squeeze=False)[0]
    image = None
    for ax, diagram in zip(axes, diagrams, strict=True):
        alphas = sorted({c.alpha for c in diagram.cells})
        widths = sorted({c.width for c in diagram.cells})
        image = ax.imshow(
            grid(diagram), origin="lower", aspect="auto", cmap=colors(), vmin=-end, vmax=end,
        )  # fmt: skip
        for cell in diagram.cells:
            dark = cell.log2_ratio is not None and cell.log2_ratio > _DARK * end
            ax.text(
                alphas.index(cell.alpha), widths.index(cell.width), cell.text or "–", ha="center",
                va="center", fontsize=_SIZE, color="white" if dark else "black",
                fontweight="bold" if cell.apart else "normal",
            )  # fmt: skip
        ax.set_xticks(range(len(alphas)), [f"{alpha:g}" for alpha in alphas])
        ax.set_yticks(range(len(widths)), [f"{width}" for width in widths])
        ax.grid(False)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.set(xlabel="α, size of level 2", ylabel="neurons a level")
        ax.set_title(f"{text(diagram.family)}, d = {diagram.d}, {epsilon_title(diagram.epsilon)}")
    assert image is not None
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("n*, layer by layer over joint")
    ticks = (np.linspace(-end, end, 5) if end < 3 else np.arange(-end, end + 1)).tolist()
    names = [f"1/{2.0**-t:g}" if t < 0 and t == round(t) else f"{2.0**t:.2g}" for t in ticks]
    bar.set_ticks(ticks, labels=names)
    bar.outline.set_visible(False)
    return figure


def grid(diagram: PhaseDiagram) -> np.ndarray:
    """Log2 of the ratios, shape (widths, alphas), increasing; NaN where there is none."""
    alphas = sorted({c.alpha for c in diagram.cells})
    widths = sorted({c.width for c in diagram.cells})
    values = np.full((len(widths), len(alphas)), math.nan)
    for cell in diagram.cells:
        if cell.log2_ratio is not None:
            values[widths.index(cell.width), alphas.index(cell.alpha)] = cell.log2_ratio
    return values
