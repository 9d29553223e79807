"""What ``fit`` settles before the final training, on a held-out fifth: rate, decay and number of steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.nets.cells import Cell, Choice

FINALISTS = 2
"""Candidates that are trained on where training is lengthened: the best of a short run need not stay it."""
GAIN = 0.8
"""Doubled steps have paid where they bring the held-out error below this share of what it was."""

Pair = tuple[float, float]
"""A learning rate and a weight decay."""


class Tunes(Protocol):
    """What tuning asks of its learner."""

    steps: int | None
    step_factor: float
    max_lengthening: float
    tol: float
    tuning_share: float

    def _grid(self) -> list[Pair]: ...

    def _scaling(self, X: np.ndarray, y: np.ndarray) -> Any: ...

    def _schedule(self, steps: int) -> Schedule: ...

    def _total_steps(self, steps: int) -> int: ...

    def _held_out_error(self, outputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]: ...

    def _train(
        self, network: Any, jobs: Sequence[Job], initial: np.ndarray, schedule: Schedule, hook: None
    ) -> Trained: ...


@dataclasses.dataclass
class _Contest:
    """Candidates of one cell on one split, the best first; their last steps, and what all runs took."""

    seed: tuple[int, int]
    source: ShuffledEpochs
    held: tuple[np.ndarray, np.ndarray]
    start: np.ndarray
    candidates: list[Pair]
    error: float = math.inf
    steps: int = 0
    spent: int = 0

    def jobs(self) -> list[Job]:
        """Make a run of every candidate, all of them with the same minibatches."""
        return [Job(self.source, generator(self.seed, Purpose.TUNING), *pair) for pair in self.candidates]


def choose(learner: Tunes, network: DenseNetwork, cells: Sequence[Cell], steps: int) -> list[Choice]:
    """Settle the final training of every cell, where ``steps`` are those of the learner's law.

    All candidates run for ``tuning_share`` of the steps. Where the learner's own steps are None, the steps
    are then doubled and the two best run anew, again and again while that brings the held-out error below
    ``GAIN`` of what it was, while it is above ``tol``, and up to ``max_lengthening`` times the law. With a
    ``step_factor`` the final training is so many times longer than what was settled, and the two best are
    compared once more for so many times as long.
    """
    grid = learner._grid()
    settled = learner.steps is not None
    if settled and len(grid) == 1:
        return [Choice(*grid[0], steps, 0)] * len(cells)
    contests = [_contest(learner, network, cell, grid) for cell in cells]
    _run(learner, network, contests, steps)
    racing = [] if settled else [c for c in contests if c.error > learner.tol]
    length = 2 * steps
    while racing and length <= learner.max_lengthening * steps:
        before = [c.error for c in racing]
        _run(learner, network, racing, length)
        racing = [c for c, e in zip(racing, before, strict=True) if learner.tol < c.error < GAIN * e]
        length *= 2
    if not settled and learner.step_factor != 1.0:
        for length in sorted({c.steps for c in contests}):
            alike = [c for c in contests if c.steps == length]
            _run(learner, network, alike, math.ceil(learner.step_factor * length))
    return [Choice(*c.candidates[0], c.steps, c.spent) for c in contests]


def _contest(learner: Tunes, network: DenseNetwork, cell: Cell, grid: Sequence[Pair]) -> _Contest:
    order = generator(cell.seed, Purpose.SPLIT).permutation(len(cell.X))
    held, kept = np.split(order, [max(1, len(order) // 5)])
    scaling = learner._scaling(cell.X[kept], cell.y[kept])
    return _Contest(
        seed=cell.seed,
        source=ShuffledEpochs(*scaling.both(cell.X[kept], cell.y[kept])),
        held=scaling.both(cell.X[held], cell.y[held]),
        start=network.initial(generator(cell.seed, Purpose.INITIALISATION)),
        candidates=list(grid),
    )


def _run(learner: Tunes, network: DenseNetwork, contests: Sequence[_Contest], steps: int) -> None:
    """Train the candidates of all contests as for a final training of ``steps``, and sort them.

    Of contests that have run before only the best ones go on.
    """
    length = max(1, round(learner.tuning_share * steps))
    for contest in contests:
        if contest.steps:
            contest.candidates = contest.candidates[:FINALISTS]
    jobs = [job for contest in contests for job in contest.jobs()]
    initial = np.stack([contest.start for contest in contests for _ in contest.candidates])
    trained = iter(learner._train(network, jobs, initial, learner._schedule(length), None).flat)
    for contest in contests:
        X, y = contest.held
        outputs = [outputs_of(network, next(trained), X) for _ in contest.candidates]
        errors = [learner._held_out_error(of_one, y) for of_one in outputs]
        order = sorted(range(len(errors)), key=errors.__getitem__)
        contest.spent += len(errors) * learner._total_steps(length)
        contest.candidates = [contest.candidates[i] for i in order]
        contest.error, contest.steps = errors[order[0]][0], steps
