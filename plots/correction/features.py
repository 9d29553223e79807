"""Looking at features: what neurons respond to most, beside what they should see; and attacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hierbench.plots.data import Measured
from hierbench.plots.style import PAGE_WIDTH

REGULARISATIONS = {
    "sphere": "norm fixed",
    "gaussian": "density penalty",
    "none": "no regularisation,\n200 steps",
    "none-short": "no regularisation,\n20 steps",
}
SHOWN = 3


def features(measured: Sequence[Measured]) -> Figure:
    """Forms of level 1 and the inputs that activate neurons most, of one net before and after correction."""
    first = measured[0].labels["seed"]
    of_net = [m for m in measured if m.labels["seed"] == first]
    forms = {str(m.labels["when"]): m for m in of_net if m.labels["kind"] == "form"}
    figure = Figure(figsize=(PAGE_WIDTH, 4.6))
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=[2, 3]))
    _forms(top, forms)
    rows = [("before", 1), ("after", 1), ("after", 2)]
    axes = bottom.subplots(len(rows), 1 + len(REGULARISATIONS), sharex=True, sharey=True)
    for row, (when, level) in zip(axes, rows, strict=True):
        records = [
            m
            for m in of_net
            if m.labels["kind"] == "neuron" and (m.labels["when"], m.labels["level"]) == (when, level)
        ]
        _bars(row[0], [m for m in records if m.labels["regularisation"] == "sphere"], "true_input")
        for ax, name in zip(row[1:], REGULARISATIONS, strict=True):
            _bars(ax, [m for m in records if m.labels["regularisation"] == name], "input")
        row[0].set_ylabel(f"level {level},\n{when}", fontsize=6)
    for ax, name in zip(axes[0], ["what it should see", *REGULARISATIONS.values()], strict=True):
        ax.set_title(name)
    axes[-1, 2].set_xlabel("coordinate of x, in a basis whose first two span the true level 1")
    figure.suptitle(
        "What have neurons learned, before and after correction? (inputs that activate the strongest three)"
    )
    return figure


def _forms(figure: Figure, forms: dict[str, Measured]) -> None:
    pictures = [("the true form of level 1", next(iter(forms.values())), "true")]
    pictures += [(f"learned, {when} correction", m, "learned") for when, m in forms.items()]
    axes = figure.subplots(1, len(pictures) + len(forms))
    image = None
    for ax, (title, m, name) in zip(axes, pictures, strict=False):
        image = _matrix(ax, m, name)
        angle = m.values["angle"]
        ax.set_title(title if name == "true" else f"{title}\nsine of the angle {angle:.1e}", fontsize=6)
    # what is wrong is too small for the eye beside the form itself
    for ax, (when, m) in zip(axes[len(pictures) :], forms.items(), strict=True):
        wrong = _square(m, "learned") - _square(m, "true") * np.sum(
            _square(m, "learned") * _square(m, "true")
        )
        ax.imshow(10 * wrong, cmap="RdBu", vmin=-0.7, vmax=0.7)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        ax.set_title(f"its error, {when},\n10 times enlarged", fontsize=6)
    if image is not None:
        figure.colorbar(image, ax=axes, label="entry of the form", shrink=0.8, pad=0.01)


def _square(m: Measured, name: str) -> np.ndarray:
    values = np.array(m.values[name])
    d = round(len(values) ** 0.5)
    matrix = values.reshape(d, d)
    return matrix * (1.0 if np.trace(matrix) >= 0 else -1.0)


def _matrix(ax: Axes, m: Measured, name: str):  # type: ignore[no-untyped-def]
    image = ax.imshow(_square(m, name), cmap="RdBu", vmin=-0.7, vmax=0.7)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    return image


def _bars(ax: Axes, records: Sequence[Measured], name: str) -> None:
    chosen = sorted(records, key=lambda m: int(m.labels["neuron"]))[:SHOWN]
    for k, m in enumerate(chosen):
        x = np.array(m.values[name])
        reference = np.array(m.values["true_input"])
        x = x if x @ reference >= 0 else -x
        ax.bar(np.arange(len(x)) + 0.27 * (k - 1), x, width=0.25, color=f"C{k}")
    if name == "input":
        alignment = [m.values["alignment"] for m in chosen]
        shown = ", ".join(f"{a:.2f}" for a in alignment if isinstance(a, float))
        ax.text(0.98, 0.02, f"|cos| {shown}", transform=ax.transAxes, fontsize=5, ha="right", va="bottom")
    ax.axhline(0, color="0.5", lw=0.5)
    ax.set_ylim(-1.25, 1.05)
    ax.set_xticks(range(0, 10, 2))


def alignments(measured: Sequence[Measured]) -> Figure:
    """How well what is seen agrees with what should be, by regularisation, level and net."""
    nets = [(name, learner) for name, learner in _nets(measured)]
    figure = Figure(figsize=(PAGE_WIDTH, 2.5))
    axes = figure.subplots(1, max(len(nets), 1), sharey=True, squeeze=False)[0]
    for ax, (experiment, when) in zip(axes, nets, strict=True):
        for level, color in ((1, "C0"), (2, "C1")):
            for k, name in enumerate(REGULARISATIONS):
                cosines: dict[object, list[float]] = defaultdict(list)
                chance = []
                for m in measured:
                    if m.experiment != experiment or m.labels["kind"] != "neuron" or m.labels["when"] != when:
                        continue
                    if (m.labels["level"], m.labels["regularisation"]) == (level, name):
                        cosines[m.labels["seed"]].append(float(m.values["alignment"]))  # type: ignore[arg-type]
                        chance.append(float(m.values["chance"]))  # type: ignore[arg-type]
                if not cosines:
                    continue
                medians = [float(np.median(v)) for v in cosines.values()]
                x = k + 0.16 * (2 * level - 3)
                ax.plot([x] * len(medians), medians, ".", color=color, alpha=0.6)
                ax.plot(x, np.mean(medians), "_", color=color, markersize=11, markeredgewidth=1.5)
                ax.plot(x, np.mean(chance), "x", color="0.6")
        ax.set_xticks(range(len(REGULARISATIONS)), list(REGULARISATIONS.values()), fontsize=5, rotation=60)
        ax.set_title(f"{experiment.removeprefix('features-')}: {when}")
    axes[0].set_ylabel("|cosine| to the true input\n(median over neurons, dot: a net)")
    axes[0].set_ylim(0, 1.05)
    figure.suptitle(
        "How well a neuron can be looked at: level 1 blue, level 2 orange; cross: a random direction"
    )
    return figure


def _nets(measured: Sequence[Measured]) -> list[tuple[str, str]]:
    nets = dict.fromkeys(
        (m.experiment, str(m.labels["when"])) for m in measured if m.labels["kind"] == "neuron"
    )
    return [(experiment, when) for experiment, when in nets if when != "before"]


def attacks(measured: Sequence[Measured]) -> Figure:
    """Mean squared error under attack: plain net, adversarially trained net, and the target's own change."""
    records = [m for m in measured if m.labels["kind"] == "attack"]
    figure = Figure(figsize=(PAGE_WIDTH, 2.6))
    axes = figure.subplots(1, 2)
    looks = {
        "plain": ("C0", "o", "trained as usual"),
        "adversarial": ("C1", "s", "adversarially trained"),
        "target": ("0.4", "^", "the target itself"),
    }
    panels = {
        "label_kept": "label kept: the target itself changes too",
        "label_moved": "against the target where the input has gone",
    }
    for ax, (value, title) in zip(axes, panels.items(), strict=True):
        for net, (color, marker, name) in looks.items():
            points: dict[float, list[float]] = defaultdict(list)
            for m in records:
                number = m.values[value]
                if m.labels["net"] == net and isinstance(number, float) and number > 0:
                    points[float(m.labels["radius"])].append(number)
            if points:
                radii = sorted(points)
                means = [float(np.exp(np.mean(np.log(points[r])))) for r in radii]
                ax.plot(radii, means, color=color, marker=marker, ls="-", label=name)
        ax.set_yscale("log")
        ax.set_xscale("log")
        radii = sorted({float(m.labels["radius"]) for m in records})
        ax.set_xticks(radii, [f"{r:g}" for r in radii])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("radius of the perturbation over the norm of an input")
        ax.set_title(title)
    axes[0].set_ylabel("mean squared error / Var y")
    axes[0].legend()
    figure.suptitle(
        "Adversarial perturbations: how much worse does a net get, beside the target's own change?"
    )
    return figure
