"""What ``fit`` settles before the final training, on a held-out fifth: network, rate, decay and steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.outputs import outputs_on
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.nets.cells import Cell, Choice

STEP = 3.0
"""Step beyond the largest decay where the only other is 0."""
FINALISTS = 2, 3
"""Candidates that are trained on where training is lengthened, least and most: the best of each decay, since
a strong decay is ahead early and ends early."""
GAIN = 0.8
"""Doubled steps have paid where they bring the held-out error below this share of what it was when they last
paid, and are given back where they bring it above the inverse."""
EDGE = 0.95
"""A grid ends too early where one step beyond it brings the held-out error below this share."""

Pair = tuple[float, float]
"""A learning rate and a weight decay."""

Candidate = tuple[DenseNetwork, float, float]
"""A network, a learning rate and a weight decay."""


class Tunes(Protocol):
    """What tuning asks of its learner."""

    steps: int | None
    step_factor: float
    max_lengthening: float
    tol: float
    tuning_share: float
    device: str

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
    """Candidates of one cell on one split, the best first; their last steps, and what all runs took.

    stands : what to come back to; failed, since : doublings that ended hope, and all, since one paid;
    errors : of each candidate at its last steps; edges : whether the last step beyond the grid paid.
    """

    seed: tuple[int, int]
    source: ShuffledEpochs
    held: tuple[np.ndarray, np.ndarray]
    candidates: list[Candidate]
    tried: set[Candidate] = dataclasses.field(default_factory=set)
    error: float = math.inf
    steps: int = 0
    spent: int = 0
    work: float = 0.0
    stands: tuple[list[Candidate], float, int, int] = ([], math.inf, 0, 0)
    failed: int = 0
    since: int = 0
    errors: dict[Candidate, float] = dataclasses.field(default_factory=dict)
    promising: bool = False
    edges: int = 0

    def lengthened(self, tol: float) -> bool:
        """Judge a run for doubled steps; return whether to double again.

        It pays, or a candidate that is not ahead would come to pay if it fell once more as it did. A net of L
        levels waits for L - 1 doublings of which neither holds: its error falls in stairs, one a level. The
        first that does not pay stands, unless it is much worse.
        """
        error = self.stands[1]
        paid = self.error < GAIN * error
        self.since = 0 if paid else self.since + 1
        self.failed = 0 if paid else self.failed + (not self.promising)
        if paid or (self.since == 1 and not self.error > error / GAIN):
            self.stands = (self.candidates, self.error if paid else error, self.steps, self.edges)
        return self.error > tol and self.failed < max(1, self.candidates[0][0].depth - 1)

    def finalists(self) -> list[Candidate]:
        """Return the best candidates, of different decays as far as there are such."""
        first = list({c[2]: c for c in reversed(self.candidates)}.values())
        of_decays = sorted(first, key=self.candidates.index)
        others = [c for c in self.candidates if c not in of_decays]
        least, most = FINALISTS
        return [*of_decays, *others][: min(max(len(of_decays), least), most)]

    def note(self, errors: dict[Candidate, float]) -> None:
        """Keep errors, the best first, and whether another would come to pay if it fell on as it did."""
        others = list(errors.items())[1:]
        falling = [error**2 / self.errors[c] for c, error in others if self.errors.get(c, 0.0) > 0]
        self.promising = any(error < GAIN * self.stands[1] for error in falling)
        self.errors = errors

    def come_back(self) -> None:
        """Take what stands."""
        self.candidates, self.error, self.steps, self.edges = self.stands

    def beyond(self) -> list[Candidate]:
        """Return the best, its rate or decay one step beyond those tried where it is at their end.

        No decay has none below it.
        """
        network, rate, decay = self.candidates[0]
        of_network = [c for c in self.tried if c[0] == network]
        rates, decays = (_further(v, {c[i] for c in of_network}) for i, v in ((1, rate), (2, decay)))
        return [(network, r, decay) for r in rates] + [(network, rate, w) for w in decays]

    def settled(self) -> Choice:
        """Return the best, and what finding it took."""
        return Choice(*self.candidates[0], self.steps, self.spent, self.work, self.edges, len(self.tried))

    def job(self, rate: float, decay: float) -> Job:
        """Make a run; all of them have the same minibatches."""
        return Job(self.source, generator(self.seed, Purpose.TUNING), rate, decay)


def _further(value: float, tried: set[Any]) -> list[float]:
    """Return what lies one step beyond ``value``, if it is the first or the last of several."""
    values = sorted(tried)
    if len(values) < 2:
        return []
    ends = ((values[0], values[1]), (values[-1], values[-2]))
    return [end * (end / inner if inner > 0 else STEP) for end, inner in ends if value == end > 0]


def choose(
    learner: Tunes, networks: Sequence[DenseNetwork], cells: Sequence[Cell], steps: int
) -> list[Choice]:
    """Settle the final training of every cell, where ``steps`` are those of the learner's law.

    All candidates run for ``tuning_share`` of the steps. Where the learner's own steps are None, the steps
    are then doubled and the best of each decay run anew, again and again while that brings the held-out error
    below ``GAIN`` of what it was, or promises to, while it is above ``tol``, and up to ``max_lengthening``
    times the law. Where the best rate or decay is at the end of what was tried, each of these runs has one
    beyond it as well. With a ``step_factor`` the final training is so many times longer than what was
    settled, and the best are compared once more for so many times as long.
    """
    grid = [(network, *pair) for network in dict.fromkeys(networks) for pair in learner._grid()]
    settled = learner.steps is not None
    fixed = settled or (learner.max_lengthening < 2 and learner.step_factor == 1.0)
    if fixed and len(grid) == 1:
        return [Choice(*grid[0], steps, 0, 0.0, 0, 1)] * len(cells)
    contests = [_contest(learner, cell, grid) for cell in cells]
    _run(learner, contests, steps)
    for contest in contests:
        contest.stands = (contest.candidates, contest.error, contest.steps, 0)
    racing = [] if settled else [c for c in contests if c.error > learner.tol]
    length = 2 * steps
    while racing and length <= learner.max_lengthening * steps:
        _run_on(learner, racing, length, beyond=True)
        racing = [c for c in racing if c.lengthened(learner.tol)]
        length *= 2
    for contest in contests:
        contest.come_back()
    if not settled and learner.step_factor != 1.0:
        # all lengths are known before one changes: what is stretched may be as long as another was
        by_length = {n: [c for c in contests if c.steps == n] for n in sorted({c.steps for c in contests})}
        for length, alike in by_length.items():
            stretched = math.ceil(learner.step_factor * length)
            _run_on(learner, alike, stretched)
            for contest in alike:
                contest.steps = stretched
    return [c.settled() for c in contests]


def _contest(learner: Tunes, cell: Cell, grid: Sequence[Candidate]) -> _Contest:
    order = generator(cell.seed, Purpose.SPLIT).permutation(len(cell.X))
    held, kept = np.split(order, [max(1, len(order) // 5)])
    scaling = learner._scaling(cell.X[kept], cell.y[kept])
    return _Contest(
        seed=cell.seed,
        source=ShuffledEpochs(*scaling.both(cell.X[kept], cell.y[kept])),
        held=scaling.both(cell.X[held], cell.y[held]),
        candidates=list(grid),
    )


def _run_on(learner: Tunes, contests: Sequence[_Contest], steps: int, *, beyond: bool = False) -> None:
    """Run the best of all contests anew, as for a final training of ``steps``.

    ``beyond`` adds what lies one step beyond the best.
    """
    for contest in contests:
        contest.candidates = contest.finalists() + (contest.beyond() if beyond else [])
    _run(learner, contests, steps)


def _run(learner: Tunes, contests: Sequence[_Contest], steps: int) -> None:
    """Train the candidates of all contests as for a final training of ``steps``, and sort them.

    Nets of one network train together.
    """
    length = max(1, round(learner.tuning_share * steps))
    for contest in contests:
        total = learner._total_steps(length)
        contest.spent += len(contest.candidates) * total
        contest.work += sum(c[0].flops_per_sample() for c in contest.candidates) * total
        contest.steps = steps
    errors: list[dict[Candidate, tuple[float, float]]] = [{} for _ in contests]
    schedule = learner._schedule(length)
    for network in dict.fromkeys(c[0] for contest in contests for c in contest.candidates):
        runs = [(k, c) for k, contest in enumerate(contests) for c in contest.candidates if c[0] == network]
        jobs = [contests[k].job(*candidate[1:]) for k, candidate in runs]
        initial = [network.initial(generator(contests[k].seed, Purpose.INITIALISATION)) for k, _ in runs]
        trained = learner._train(network, jobs, np.stack(initial), schedule, None)
        for (k, candidate), flat in zip(runs, trained.flat, strict=True):
            X, y = contests[k].held
            errors[k][candidate] = learner._held_out_error(outputs_on(learner.device, network, flat, X), y)
    for contest, of_one in zip(contests, errors, strict=True):
        contest.candidates.sort(key=of_one.__getitem__)
        contest.error = of_one[contest.candidates[0]][0]
        contest.note({candidate: of_one[candidate][0] for candidate in contest.candidates})
        within = [error for candidate, (error, _) in of_one.items() if candidate in contest.tried]
        if 0 < len(within) < len(of_one):  # something beyond the grid was tried
            contest.edges = int(contest.error < EDGE * min(within))
        contest.tried.update(contest.candidates)
