"""Floors: what ways of training that do not correct leave, at exact population and against n."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH, legend_entry

METHODS = {
    "strict": ("strictly frozen", "C1", "s"),
    "refitted": ("read-outs refitted", "C2", "D"),
    "joint": ("all together", "C0", "o"),
}
LEARNERS = {
    "end to end": ("C0", "o"),
    "strictly frozen": ("C1", "s"),
    "read-outs refitted": ("C2", "D"),
    "residual cycling": ("C3", "v"),
    "BFC-1": ("C4", "p"),
    "sequential kernels, directions": ("0.25", "^"),
    "sequential kernels, fits": ("0.6", "P"),
}
_ROUNDING = 1e-24  # anything less is drawn here


def exact(measured: Sequence[Measured]) -> Figure:
    """Relative MSE that n to infinity leaves, against alpha: by width, and for kernels in sequence."""
    nets = [m for m in measured if "method" in m.labels]
    kernels = [m for m in measured if "reading" in m.labels]
    widths = sorted({int(m.labels["width"]) for m in nets})
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = figure.subplots(1, len(widths) + bool(kernels), sharey=True, squeeze=False)[0]
    for ax, width in zip(axes, widths, strict=False):
        for method, (_, color, marker) in METHODS.items():
            records = [m for m in nets if (m.labels["width"], m.labels["method"]) == (width, method)]
            _line(ax, records, color, marker)
        ax.set_title(f"nets of {width} neurons a level")
    handles = [legend_entry(name, color, marker, "-") for name, color, marker in METHODS.values()]
    if kernels:
        for k, r in enumerate(sorted({int(m.labels["directions"]) for m in kernels})):
            records = [m for m in kernels if m.labels["directions"] == r]
            name = f"{r} directions" if r else "kernels on fits"
            shade = str(0.65 - 0.15 * k) if r else "C4"
            _line(axes[-1], records, shade, "^" if r else "p")
            handles.append(legend_entry(name, shade, "^" if r else "p", "-"))
        axes[-1].set_title("kernels in sequence")
    for ax in axes:
        ax.set_xlabel("α, size of level 2")
        shown = [float(m.labels["alpha"]) for m in (kernels if kernels and ax is axes[-1] else nets)]
        ax.set_xlim(min(shown) / 1.25, max(shown) * 1.25)
        ticks = [t for t in (0.01, 0.03, 0.1, 0.3, 1.0) if min(shown) <= t <= max(shown)]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.set_xticks([], minor=True)
    axes[0].set_ylabel("relative MSE (exact population)")
    figure.suptitle(
        "What is left with infinitely many samples where levels are not trained together? (k = 2)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _line(ax: Axes, records: Sequence[Measured], color: str, marker: str) -> None:
    """Of several starts the best; geometric mean over targets, each target a dot; the slope beside it."""
    best: dict[tuple[float, object], float] = {}
    for m in records:
        error = m.values["relative_mse"]
        key = float(m.labels["alpha"]), m.labels["seed"]
        if isinstance(error, float):
            best[key] = min(best.get(key, math.inf), max(error, _ROUNDING))
    alphas = sorted({alpha for alpha, _ in best})
    if not alphas:
        return
    means = [
        float(np.exp(np.mean([math.log(e) for (a, _), e in best.items() if a == alpha]))) for alpha in alphas
    ]
    ax.plot([a for a, _ in best], list(best.values()), ".", color=color, markersize=2, alpha=0.5)
    ax.plot(alphas, means, color=color, marker=marker, ls="-")
    ax.set_xscale("log")
    ax.set_yscale("log")
    if len(alphas) > 2 and min(means) > 1e-13:
        slope = np.polyfit(np.log(alphas), np.log(means), 1)[0]
        ax.annotate(
            f"α^{slope:.1f}",
            (alphas[0], means[0]),
            xytext=(4, 5 if marker in "sp" else -10),
            textcoords="offset points",
            color=color,
            fontsize=6,
        )


def against_n(measured: Sequence[Measured]) -> Figure:
    """Relative MSE against n, by way of training, one panel a width; kernels in all of them."""
    widths = sorted({int(m.labels["width"]) for m in measured} - {0})
    figure = Figure(figsize=(PAGE_WIDTH, 2.9))
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False)[0]
    shown = [name for name in LEARNERS if any(m.labels["learner"] == name for m in measured)]
    for ax, width in zip(axes, widths, strict=True):
        for name in shown:
            color, marker = LEARNERS[name]
            by_n: dict[int, list[float]] = defaultdict(list)
            for m in measured:
                error = m.values["relative_mse"]
                if (
                    m.labels["learner"] == name
                    and m.labels["width"] in (width, 0)
                    and isinstance(error, float)
                ):
                    by_n[int(m.labels["n"])].append(error)
            sizes = sorted(by_n)
            if not sizes:
                continue
            ax.plot(sizes, [float(np.median(by_n[n])) for n in sizes], color=color, marker=marker, ls="-")
            for n in sizes:
                ax.plot([n, n], [min(by_n[n]), max(by_n[n])], color=color, lw=0.6, marker="", ls="-")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("training samples n")
        ax.set_title(f"{width} neurons a level")
    axes[0].set_ylabel("relative MSE, median and range")
    handles = [legend_entry(name, *LEARNERS[name], "-") for name in shown]
    figure.suptitle(
        "Where does the error stop falling with n? Nets of 1 to 20 times the true width (α = 0.3, d = 8)"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
