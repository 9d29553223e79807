"""What is written below a figure of learning curves: what is shown, and how to read its marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hierbench.plots.bands import QUARTILES_FROM
from hierbench.plots.data import DegreePanel, FigureData
from hierbench.plots.fixed_sizes import drawn_sizes, size_panels
from hierbench.plots.small_multiples import shows_families

REPLICATES = "Lines are medians over replicates, each with a target and a sample of its own"


def caption(data: FigureData, kind: str, subject: str) -> str:
    """Caption of one figure, of a target or of an error, in sentences, its source last."""
    by_epsilon = kind.startswith("n_star_by_target")
    said = _by_target(data, subject) if by_epsilon else f"Target {subject}. {_of_target(data, kind, subject)}"
    behind = ", ".join(name for name in data.learners if name in data.reference)
    grey = f" Grey: reference results ({behind})." if behind else ""
    return f"{said}{grey} Source: {data.provenance.sentence()}.\n"


def _by_target(data: FigureData, epsilon: str) -> str:
    stars = [s for s in data.n_stars if s.epsilon == epsilon]
    lines = "the best learner of each family at each d" if shows_families(stars) else "learners"
    asked = "; ".join(
        f"on {p.target} it asks for {p.asks_for}" for p in data.panels if p.epsilon == epsilon and p.asks_for
    )
    degrees = f" ({asked})" if asked else ""
    return (
        f"Samples n* to reach {epsilon} against the dimension d, a panel for each target{degrees}. "
        f"Lines are {lines}, at most six a panel; marks are geometric means over replicates. Open marks with "
        "an arrow are bounds: upwards where some replicate did not get there with the samples that were run, "
        "downwards where one was there at the fewest. Dotted lines grow like powers of d, dashed ones are "
        "the target's number of parameters."
    )


def _of_target(data: FigureData, kind: str, target: str) -> str:
    metric = next((m.metric for m in data.metrics if m.target == target), "relative MSE")
    epsilon = data.success.get(target, "")
    asks = next((p.asks_for for p in data.panels if (p.target, p.epsilon) == (target, epsilon)), "")
    success = f"{epsilon}, which asks for {asks}" if asks else epsilon
    counts = Counter(
        (p.learner, p.d) for p in {(p.learner, p.d, p.replicate): p for p in data.curves}.values()
    )
    many = max(counts.values(), default=0) >= QUARTILES_FROM
    bands = "bands reach from quartile to quartile" if many else "bands are their range"
    bars = "bars reach from quartile to quartile" if many else "bars are their range"
    families = (
        f"Samples n* to reach {success}, against the dimension d; a line joins the best learner of a family "
        "at each d, the others are thin behind it. Open marks with an arrow are bounds: upwards where some "
        "replicate did not get there with the samples that were run, downwards where one was there at the "
        "fewest. Dotted lines grow like powers of d, the dashed one is the target's number of parameters."
    )
    degrees = degrees_text(data.degrees.get(target, ()))
    panels = size_panels(data, target)
    best = max(panels, key=lambda one: len(one.values), default=None)
    budget = f"Also the {metric} on test points at one number of samples, against d"
    budget += f", {drawn_sizes([best])}." if best else "."
    texts = {
        "degrees": degrees,
        "degrees_column": degrees,
        "phase": phase_text(success),
        "families": f"{families} {budget} Below, {metric} against samples n at two d, "
        f"medians over replicates; {bands}.",
        "families_column": f"{families} {budget}",
        "error_against_n": f"{metric} on test points against samples n, by dimension d. {REPLICATES}; "
        f"{bands}. Hollow marks are errors that are not known to 10 %.",
        "n_star_against_d": "Samples n* to reach an error, against the dimension d, with the exponent of n* "
        "in d and its 95 % interval. Marks are geometric means over replicates; bars reach from the smallest "
        "lower to the largest upper end. Arrows mark bounds.",
        "error_against_d": f"{metric} on test points against the dimension d at fixed numbers of samples, "
        f"{drawn_sizes(panels)}. {REPLICATES}; {bars}. A learner whose largest size is "
        "below one of these is not run at it.",
    }
    return texts[kind][0].upper() + texts[kind][1:]


def phase_text(success: str) -> str:
    """What the phase diagram shows."""
    return (
        "With the targets that differ from it in alpha alone: samples n* of the DenseNet trained layer by "
        "layer over those of the same net, all levels trained together, on the same targets and samples. A "
        "cell is the geometric mean of the paired ratios, over alpha and the neurons of a level, to reach "
        f"{success}. > and < mark bounds: one of the two did not get there "
        "with the samples that were run, or was there at the fewest; - where neither got there. Bold: told "
        "apart from 1 at p < 0.05 (paired t, each cell for itself)."
    )


def degrees_text(panels: Sequence[DegreePanel]) -> str:
    """What the figure of degrees shows, with the slope of log n* in log N_p of each learner and degree."""
    success, slopes = [], []
    for p in panels:
        target = f"{p.target}, {p.setting}" if p.setting else p.target
        some = f" and is defined on {p.defined[0]} of {p.defined[1]} targets" * (p.defined[0] < p.defined[1])
        success.append(f"degree {p.degree} ({target}): {p.epsilon}, which asks for {p.asks_for}{some}")
        known = ", ".join(f"{g.learner} {g.in_polynomials}" for g in p.growths if g.in_polynomials)
        slopes.append(f"degree {p.degree}: {known or 'none'}")
    width = " k is the target's width." if any(p.setting for p in panels) else ""
    return (
        "First panel: exponent of n* in d with its 95 % interval, against the degree of the target, over the "
        "d that each learner was run at. A family is shown by the learner that needs the fewest samples (of "
        "those within 5 %, by the one whose exponent is known best), the others are faint. Hollow marks with "
        "an arrow are lower bounds, which no line joins. Dotted: 2, the "
        "exponent of the d (d - 1) / 2 parameters of a rotation; dashed: slope of log N_p in log d over the "
        "d at which kernels were run, N_p the number of polynomials of the degree p that the error asks for. "
        "Second panel: n* at the largest d that most learners have in common at each degree, lines from the "
        "smallest lower to the largest upper end over replicates; hatched bars with an arrow are bounds; "
        "dotted and dashed: d (d - 1) / 2 and N_p there. "
        f"Success: {'; '.join(success)}.{width} "
        "Slope of log n* in log N_p (1 is what rotation-invariant kernels pay) with its 95 % interval: "
        f"{'; '.join(slopes)}."
    )
