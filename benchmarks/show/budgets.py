"""What the learners of a suite spent on a fit, and whose choices lie at the end of what was tried."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from hierbench.benchmarks.show.table import Section
from hierbench.benchmarks.units.rows import FITTED, Row

COLUMNS = ("learner", "fits", "candidates", "steps", "core-seconds", "Gflop", "at an edge")
LEGEND = (
    "medians over the fits, all tuning counted; steps: minibatch steps of nets, factorisations of kernels.",
    "candidates: settings of rate, decay and network that a net tried; the lattice of a kernel is walked.",
    "at an edge: fits in which a net's last step beyond its grid still lowered its inner error by 5 %, or a "
    "kernel's choice lies at an end of its lattice (that the ridge is the smallest is no end).",
)
OFTEN = 0.25
"""Share of a learner's fits at an edge from which a run warns."""
SMALLEST_RIDGE = 1e-10


def budgets(rows: Sequence[Row]) -> Section:
    """One line a learner, in the order of the rows."""
    cells = []
    for learner, fits in by_learner(rows).items():
        edges = f"{share_at_edge(fits):.0%}" if any("edges_of_grid" in row.health for row in fits) else "-"
        seconds = _median(fits, lambda row: row.fit_seconds, "{:.2g}")
        cells.append(
            (
                learner,
                str(len(fits)),
                _median(fits, lambda row: row.health.get("candidates"), "{:.0f}"),
                _median(fits, lambda row: row.steps, "{:.0f}"),
                seconds,
                _median(fits, lambda row: None if row.flops is None else row.flops / 1e9, "{:.2g}"),
                edges,
            )
        )
    return Section("budgets: what a fit takes", COLUMNS, tuple(cells))


def edge_warnings(rows: Sequence[Row]) -> list[str]:
    """Lines about learners whose grid ended too early in more than ``OFTEN`` of their fits.

    Of nets: they say how many candidates they tried. The lattices of kernels end where kernels do.
    """
    nets = by_learner(row for row in rows if "candidates" in row.health)
    shares = {learner: share_at_edge(fits) for learner, fits in nets.items()}
    return [
        f"{learner}: a step beyond its grid still paid in {share:.0%} of its fits: a wider one may do better"
        for learner, share in shares.items()
        if share > OFTEN
    ]


def by_learner(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Fits that came to an end, in the order of the rows."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.status in FITTED:
            found.setdefault(row.learner, []).append(row)
    return found


def share_at_edge(fits: Sequence[Row]) -> float:
    """How many of the fits ended where one step beyond still paid, or at an end of a lattice."""
    return sum(_edges(row) > 0 for row in fits) / len(fits)


def _edges(row: Row) -> float:
    ridge = row.hyperparameters.get("ridge")
    natural = isinstance(ridge, float) and ridge <= SMALLEST_RIDGE
    return row.health.get("edges_of_grid", 0.0) - natural


def _median(fits: Sequence[Row], of: Callable[[Row], float | None], form: str) -> str:
    values = [value for row in fits if (value := of(row)) is not None]
    return form.format(statistics.median(values)) if values else "-"
