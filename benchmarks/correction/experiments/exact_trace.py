"""Rounds of correction at exact population, as an experiment of a suite."""

from __future__ import annotations

from collections.abc import Sequence

from hierbench.benchmarks.correction.exact.rounds import trace
from hierbench.benchmarks.units.measurement import Measurement


def run(
    *,
    family: str = "projected",
    d: int,
    width: int,
    rho: float,
    seed: int,
    alphas: Sequence[float],
    rounds: Sequence[int] = (4,),
    variant: str = "corrected",
) -> list[Measurement]:
    """Errors of every level after every stage, for each alpha: see ``correction.exact.rounds.trace``.

    Parameters
    ----------
    family : {"projected", "squares"}
    d, width, rho, seed
        Of the target: dimension, k, obliqueness, seed.
    alphas : sequence of float
    rounds : sequence of int
        Rounds with each upper level on top, lowest first.
    variant : str
        One of ``rounds.VARIANTS``.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``variant``, ``alpha``, ``round``, ``stage``, ``level``; values: ``angle``,
        ``feature_error``, ``relative_mse`` (see ``rounds.TraceRecord``).

    Raises
    ------
    UserError
        As ``trace``.
    """
    parameters = {"d": d, "width": width, "rho": rho, "seed": seed}
    return [
        Measurement(
            {
                "seed": seed,
                "rho": rho,
                "variant": variant,
                "alpha": r.alpha,
                "round": r.round,
                "stage": r.stage,
                "level": r.level,
            },
            {"angle": r.angle, "feature_error": r.feature_error, "relative_mse": r.relative_mse},
        )
        for r in trace(family, parameters, tuple(alphas), tuple(rounds), variant)
    ]
