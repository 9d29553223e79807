"""The correction trace: levels fitted one on the other, and lower ones corrected by upper ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hierbench.benchmarks.correction.exact.nested import narrow_features
from hierbench.benchmarks.correction.exact.population import (
    Population,
    population,
    products,
    span_sine,
    trained_levels,
)
from hierbench.benchmarks.correction.exact.variants import SCHEDULES, Stage
from hierbench.errors import UserError, refusal, unknown
from hierbench.targets.registry import make_target

if TYPE_CHECKING:
    from hierbench.targets.quadratic.hierarchy import Hierarchy

VARIANTS: Mapping[str, str] = {name: summary for name, (_, summary) in SCHEDULES.items()}
"""What follows each fit of the top level, by name; what each is, in a line."""


@dataclasses.dataclass(frozen=True)
class TraceRecord:
    """Errors of one level after one stage.

    Attributes
    ----------
    alpha : float
    round : int
        From 1; counted on when a level is added.
    stage : str
        ``"lower"`` or ``"upper"``, see ``hierbench.benchmarks.correction``.
    level : int
        Of the target: 1, ..., L ("projected"), 2, ..., L ("squares").
    angle : float
        Root mean square sine of the principal angles between the true s_l and the learned narrow
        features, spans of functions under the population. For level 1 of "projected" that is the
        angle between the row spaces. Exact whatever the width of both is.
    feature_error : float
        Amplitude. Lowest trained level: the angle. Others: root mean square residual of the true s_l on
        the products of the learned narrow S_1, ..., S_l (within each level), relative to what the
        base alone leaves of it; see ``hierbench.benchmarks.correction.trained.feature_error``.
    relative_mse : float
        Of the whole model, relative to Var y.
    """

    alpha: float
    round: int
    stage: str
    level: int
    angle: float
    feature_error: float
    relative_mse: float


def trace(
    family: str,
    parameters: Mapping[str, Any],
    alphas: Sequence[float],
    rounds: Sequence[int] = (4,),
    variant: str = "corrected",
) -> list[TraceRecord]:
    """Rounds at exact population, for each alpha.

    Parameters
    ----------
    family : {"projected", "squares"}
    parameters : mapping
        Of the target, ``d`` and ``seed`` (0 by default) among them; ``depth`` is set from ``rounds``
        where absent.
    alphas : sequence of float
    rounds : sequence of int
        Rounds with each upper level on top, lowest first; fewer than the target has levels leave the
        highest out.
    variant : str
        One of ``VARIANTS``.

    Raises
    ------
    UserError
        Unknown names, parameters that the family refuses, a target too large for a quadrature, or
        rounds that do not fit the target or the variant.
    """
    if variant not in SCHEDULES:
        raise UserError(unknown("variant of the correction rounds", variant, SCHEDULES))
    run, _ = SCHEDULES[variant]
    records: list[TraceRecord] = []
    for alpha in alphas:
        target = exact_target(family, parameters, alpha, len(rounds))
        levels = trained_levels(target)
        _check_rounds(rounds, len(levels), variant)
        data = population(target)
        for number, stage in _numbered(run(data, target.k, tuple(rounds))):
            records.extend(_records(data, stage, alpha, number, levels))
    return records


def exact_target(family: str, parameters: Mapping[str, Any], alpha: float, uppers: int) -> Hierarchy:
    """The target of ``trace`` at one alpha; deep enough for so many upper levels where depth is absent.

    Raises
    ------
    UserError
        As ``trace``.
    """
    settings = dict(parameters)
    d, seed = settings.pop("d", None), settings.pop("seed", 0)
    if family not in ("projected", "squares"):
        raise UserError(unknown("family with an exact population", family, ("projected", "squares")))
    if d is None:
        raise UserError(refusal("d", d, "integers from 1", "give it among the target's parameters"))
    if "alpha" in settings:
        raise UserError("alpha is what the trace runs over: give it in alphas, not among the parameters")
    settings.setdefault("depth", uppers + (1 if family == "projected" else 2))
    if family == "squares":
        settings.setdefault("rotated", False)
    try:
        made: Any = make_target(family, d, seed, alpha=alpha, **settings)
    except ValueError as error:
        raise UserError(str(error)) from None
    return made  # type: ignore[no-any-return]


def _check_rounds(rounds: Sequence[int], levels: int, variant: str) -> None:
    if not rounds or min(rounds) < 1 or len(rounds) > levels - 1:
        raise UserError(
            refusal("rounds", tuple(rounds), f"1 to {levels - 1} integers from 1, one for each upper level")
        )
    if len(rounds) > 1 and variant not in ("corrected", "frozen", "strict"):
        raise UserError(refusal("rounds", tuple(rounds), f"one number where variant = {variant!r}"))


def _numbered(stages: Iterator[Stage]) -> Iterator[tuple[int, Stage]]:
    number = 0
    for stage in stages:
        number += stage.name == "lower"
        yield number, stage


def _records(
    data: Population, stage: Stage, alpha: float, number: int, levels: range
) -> Iterator[TraceRecord]:
    learned = narrow_features(data, stage.narrow)
    shown: Sequence[int] = range(len(learned)) if stage.name == "lower" else [len(learned) - 1]
    for i in shown:
        angle = span_sine(data.features[i] * data.root, learned[i] * data.root)
        error = angle if i == 0 else exact_feature_error(data, data.features[i], learned[: i + 1])
        yield TraceRecord(alpha, number, stage.name, levels[i], angle, error, stage.mse)


def exact_feature_error(data: Population, truth: np.ndarray, learned: Sequence[np.ndarray]) -> float:
    """Feature error of a level at exact population.

    Parameters
    ----------
    truth : array of shape (N, k)
        s_l.
    learned : arrays of shape (N, k)
        Narrow S_1, ..., S_l.
    """
    affine = np.concatenate([np.ones((len(data.base), 1)), data.base], axis=1)
    columns = np.concatenate([affine, *(products(S) for S in learned)], axis=1)
    left = _residual(truth * data.root, columns * data.root)
    baseline = _residual(truth * data.root, affine * data.root)
    return float(np.sqrt(np.mean(left / baseline)))


def _residual(targets: np.ndarray, columns: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(columns, axis=0)
    scaled = columns / np.where(norms > 0, norms, 1.0)
    rest = targets
    for _ in range(2):
        rest = rest - scaled @ np.linalg.lstsq(scaled, rest, rcond=1e-12)[0]
    return np.asarray(np.square(rest).sum(axis=0))
