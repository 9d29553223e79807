"""Learning curves of a target: bands over replicates, floors of kernels, numbers of parameters."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from hierbench.benchmarks.report.columns import Data, rounded
from hierbench.benchmarks.show.figure_data import curve_points, median_floor
from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.units.rows import Row
from hierbench.plots.bands import band, replicates
from hierbench.plots.error_curves import error_limits


def curves(rows: Sequence[Row], certificates: Certificates, learners: Mapping[str, int]) -> list[Data]:
    """One entry a dimension of one target: the band of each learner, limits, the floor of kernels.

    Bands are the medians of the figures: extremes of up to seven replicates, quartiles from eight.
    """
    target = rows[0].target
    points = curve_points(rows)
    entries = []
    for d in sorted({row.d for row in rows}):
        here = [p for p in points if p.d == d]
        bands = []
        for learner in dict.fromkeys(p.learner for p in here):
            measured = band(replicates(p for p in here if p.learner == learner))
            if measured is not None:
                columns = {"n": measured.n, "median": measured.median, "low": measured.low}
                numbers = {
                    name: [rounded(float(v)) for v in values]
                    for name, values in {**columns, "high": measured.high}.items()
                }
                bands.append({"learner": learners[learner], **numbers})
        counts = [
            c.n_parameters for (name, size, _), c in certificates.items() if (name, size) == (target, d)
        ]
        entries.append(
            {
                "d": d,
                "bands": bands,
                "limits": [rounded(x) for x in error_limits(here)],
                "floor": [[rounded(n), rounded(e)] for n, e in median_floor(target, d, certificates)],
                "parameters": round(statistics.median(counts)) if any(counts) else None,
            }
        )
    return entries
