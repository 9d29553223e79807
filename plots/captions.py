"""What is written below a figure of learning curves: what is shown, and how to read its marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hierbench.plots.bands import QUARTILES_FROM
from hierbench.plots.data import DegreePanel, FigureData

REPLICATES = "Lines are medians over replicates, each with a target and a sample of its own"


def caption(data: FigureData, kind: str, target: str) -> str:
    """Caption of one figure, in sentences, its source last."""
    metric = next((m.metric for m in data.metrics if m.target == target), "relative MSE")
    epsilon = data.success.get(target, "")
    asks = next((p.asks_for for p in data.panels if (p.target, p.epsilon) == (target, epsilon)), "")
    success = f"{epsilon}, which asks for {asks}" if asks else epsilon
    counts = Counter(
        (p.learner, p.d) for p in {(p.learner, p.d, p.replicate): p for p in data.curves}.values()
    )
    many = max(counts.values(), default=0) >= QUARTILES_FROM
    bands = "bands reach from quartile to quartile" if many else "bands are their range"
    families = (
        f"Samples n* to reach {success}, against the dimension d; a line joins the best learner of a family "
        "at each d, the others are thin behind it. Open marks with an arrow are bounds: upwards where some "
        "replicate did not get there with the samples that were run, downwards where one was there at the "
        "fewest. Dotted lines grow like powers of d, the dashed one is the target's number of parameters."
    )
    budget = f"Also the {metric} on test points at one number of samples, against d."
    degrees = degrees_text(data.degrees.get(target, ()))
    texts = {
        "degrees": degrees,
        "degrees_column": degrees,
        "phase": "Samples n* of the DenseNet trained layer by layer over those of the same net, all levels "
        "together, on the same targets and samples: geometric mean of the paired ratios, over alpha and the "
        f"neurons of a level, to reach {success}. > and < mark bounds, where one of the two did not get there "
        "with the samples that were run or was there at the fewest; - where neither got there. Bold: told "
        "apart from 1 at p < 0.05 (paired t, each cell for itself).",
        "families": f"{families} {budget} Below, {metric} against samples n at two d, "
        f"medians over replicates; {bands}.",
        "families_column": f"{families} {budget}",
        "error_against_n": f"{metric} on test points against samples n, by dimension d. {REPLICATES}; "
        f"{bands}. Hollow marks are errors that are not known to 10 %.",
        "n_star_against_d": "Samples n* to reach an error, against the dimension d, with the exponent of n* "
        "in d and its 95 % interval. Marks are geometric means over replicates; bars reach from the smallest "
        "lower to the largest upper end. Arrows mark bounds.",
        "error_against_d": f"{metric} on test points against the dimension d at fixed numbers of samples. "
        f"{REPLICATES}.",
    }
    behind = ", ".join(name for name in data.learners if name in data.reference)
    grey = f" Grey: reference results ({behind})." if behind else ""
    text = texts[kind][0].upper() + texts[kind][1:]
    return f"Target {target}. {text}{grey} Source: {data.provenance.sentence()}.\n"


def degrees_text(panels: Sequence[DegreePanel]) -> str:
    """What the figure of degrees shows, with the slope of log n* in log N_p of each learner and degree."""
    success = "; ".join(
        f"degree {p.degree} ({', '.join(part for part in (p.target, p.setting) if part)}): {p.epsilon}, which "
        f"asks for {p.asks_for}"
        for p in panels
    )
    slopes = "; ".join(
        f"degree {p.degree}: "
        + (", ".join(f"{g.learner} {g.in_polynomials}" for g in p.growths if g.in_polynomials) or "none")
        for p in panels
    )
    return (
        f"First panel: exponent of n* in d with its 95 % interval, against the degree of the target, over the "
        "d that each learner was run at; a line joins, of each family, the learner that needs the fewest "
        "samples, the others are faint. Hollow marks with an arrow are lower bounds. Dotted: 2, the exponent "
        "of the d (d - 1) / 2 parameters of a rotation; dashed: slope of log N_p in log d over the d at which "
        "kernels were run, N_p the number of polynomials of the degree p that the error asks for. Second "
        "panel: n* at the largest d that most learners have in common at each degree, lines from the smallest "
        "lower to the largest upper end over replicates; hatched bars with an arrow are bounds; dotted and "
        f"dashed: d (d - 1) / 2 and N_p there. Success: {success}. Slope of log n* in log N_p (1 is what "
        f"rotation-invariant kernels pay) with its 95 % interval: {slopes}."
    )
