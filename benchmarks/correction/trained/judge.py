"""Errors of every level of a trained net, on fresh samples of its target."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from hierbench.benchmarks.correction.exact.population import trained_levels
from hierbench.benchmarks.correction.trained.feature_error import (
    Pair,
    VacuousReadOut,
    feature_error,
    pre_activation_error,
    subspace_angle,
)
from hierbench.benchmarks.correction.trained.trained_levels import (
    Level,
    direction_error,
    first_level_form,
    is_on,
    levels_of,
    narrow_mismatch,
    passed_up_form,
    tangent,
)
from hierbench.benchmarks.units.measurement import Value

ROWS = 4000
"""A read-out is fitted on that many, and scored on as many more."""


class Judge:
    """Two samples of a target that no learner sees, and the true features on them.

    Level l of a net is judged by level l of the target; level 1 of "squares" is given and not judged.

    Parameters
    ----------
    target : Hierarchy
        "projected" or "squares".
    rng : of the two samples.
    """

    def __init__(self, target: Any, rng: np.random.Generator) -> None:
        self.levels = trained_levels(target)
        self.d = target.d
        self.X, self.y = target.sample(2 * ROWS, rng)
        truth = target.hidden_features(self.X)
        self.truth = {level: np.asarray(truth[level - 1], dtype=np.float64) for level in self.levels}
        self.rows = target.weight_matrices[1, 0] if self.levels[0] == 1 else None

    def relative_mse(self, estimator: Any) -> float:
        """On both samples, relative to the variance of y in them."""
        return float(np.mean(np.square(estimator.predict(self.X) - self.y)) / self.y.var())

    def tangent(self, estimator: Any) -> np.ndarray | None:
        """``trained_levels.tangent`` of level 1 of "projected"."""
        return None if self.rows is None else tangent(first_level_form(estimator), self.rows)

    def errors(
        self, estimator: Any, at_start: Mapping[tuple[int, str], float] | None = None
    ) -> dict[int, dict[str, Value]]:
        """Errors by level.

        Parameters
        ----------
        estimator : fitted DenseNet, layer-wise net or Algorithm 1
        at_start : of ``at_start``

        Returns
        -------
        mapping of level to values
            ``on``: 1 once the level adds to the output; nothing else is told before. ``angle``: of level 1 of
            "projected" ``feature_error.subspace_angle``, else ``trained_levels.direction_error``.
            ``angle_passed``: the same of the narrow half of level 1 of Algorithm 1. ``mismatch``:
            ``trained_levels.narrow_mismatch``. ``feature_error`` and ``span_error``:
            ``feature_error.feature_error`` and ``pre_activation_error``, each with ``_stderr`` and
            ``_start``; absent where the width makes them vacuous.
        """
        nets, by_level = levels_of(estimator, self.X), dict[int, dict[str, Value]]()
        for level in self.levels:
            if not is_on(estimator, level):
                by_level[level] = {"on": 0.0}
                continue
            values: dict[str, Value] = {"on": 1.0, "mismatch": narrow_mismatch(estimator, level)}
            if self.rows is not None and level == 1:
                values["angle"] = subspace_angle(first_level_form(estimator), self.rows)
                passed = passed_up_form(estimator)
                values["angle_passed"] = None if passed is None else subspace_angle(passed, self.rows)
            else:
                values["angle"] = direction_error(self.truth[level], nets[level - 1])
                for name, (value, stderr) in self._read_outs(nets, level).items():
                    start = None if at_start is None else at_start.get((level, name))
                    values |= {name: value, f"{name}_stderr": stderr, f"{name}_start": start}
            by_level[level] = values
        return by_level

    def at_start(self, estimator: Any, rng: np.random.Generator) -> dict[tuple[int, str], float]:
        """The read-outs of a net of the same shape with fresh weights: what its width alone expresses."""
        fresh = copy.copy(estimator)
        fresh.parameters_ = fresh.network_.initial(rng)
        nets = levels_of(fresh, self.X)
        return {
            (level, name): value
            for level in self.levels
            if 1 < level <= len(nets)
            for name, (value, _) in self._read_outs(nets, level).items()
        }

    def _read_outs(self, nets: list[Level], level: int) -> dict[str, tuple[float, float]]:
        """Value and standard error of both read-outs of a level."""
        read_outs = dict[str, tuple[float, float]]()
        truth = _halves(self.truth[level])
        below = [_halves(h.passed) for h in nets[:level]]
        try:
            passed = ([h[0] for h in below], [h[1] for h in below])
            error = feature_error(truth, passed, _halves(self.X))
            read_outs["feature_error"] = (error.value, error.stderr)
        except VacuousReadOut:
            pass
        try:
            error = pre_activation_error(truth, _halves(nets[level - 1].squared), self.d, level)
            read_outs["span_error"] = (error.value, error.stderr)
        except VacuousReadOut:
            pass
        return read_outs


def _halves(values: np.ndarray) -> Pair:
    return values[:ROWS], values[ROWS:]
