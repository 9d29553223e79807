"""A block of curves while it is trained: which net stands for which prefix, and what is shown on the way."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from hierbench.learners.base import Curve, FittedCurve, TraceCallback
from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.nets.cells import Cell, Choice

NetworkHook = Callable[[int, DenseNetwork, np.ndarray], None]
"""``hook(step, network, flat)`` along training; the network may still be growing."""


class TrainsCells(Protocol):
    """What a block asks of its learner."""

    restarts: int

    def _scaling(self, X: np.ndarray, y: np.ndarray) -> Any: ...

    def _steps(self, n: int) -> int: ...

    def _total_steps(self, steps: int) -> int: ...

    def _schedule(self, steps: int) -> Schedule: ...

    def _tune(self, networks: Any, cells: Sequence[Cell], steps: int) -> list[Choice]: ...

    def _train(
        self,
        network: Any,
        jobs: Sequence[Job],
        initial: np.ndarray,
        schedule: Schedule,
        hook: NetworkHook | None,
    ) -> Trained: ...

    def _fitted(
        self, network: Any, trained: Trained, k: int, scaling: Any, choice: Choice, final: bool
    ) -> Any: ...


class Group:
    """Cells of one network and as many steps, trained together: all restarts of all of them as one model."""

    def __init__(self, learner: TrainsCells, cells: Sequence[Cell], choices: Sequence[Choice]) -> None:
        self.learner, self.cells, self.choices = learner, cells, choices
        self.network = choices[0].network
        # Until the training is over the first initialisation stands for all.
        self.kept = np.arange(len(cells))

    def train(self, hook: NetworkHook | None) -> None:
        """Train all restarts and put the nets with the least loss into the cells."""
        jobs, initial = [], []
        for restart in range(self.learner.restarts):
            for cell, choice in zip(self.cells, self.choices, strict=True):
                source = ShuffledEpochs(*cell.scaling.both(cell.X, cell.y))
                rng = generator(cell.seed, Purpose.MINIBATCHES, restart)
                jobs.append(Job(source, rng, choice.learning_rate, choice.weight_decay))
                initial.append(self.network.initial(generator(cell.seed, Purpose.INITIALISATION, restart)))
        schedule = self.learner._schedule(self.choices[0].steps)
        trained = self.learner._train(self.network, jobs, np.stack(initial), schedule, hook)
        self.kept = trained.least_loss(len(self.cells))
        self.fill(self.network, trained, final=True)

    def fill(self, network: DenseNetwork, trained: Trained, *, final: bool) -> None:
        """Put fitted learners with these parameters into the cells."""
        nets = trained.take(self.kept)
        for m, (cell, choice) in enumerate(zip(self.cells, self.choices, strict=True)):
            cell.fitted = self.learner._fitted(network, nets, m, cell.scaling, choice, final)


class Block:
    """All curves of one call of ``fit_curves``, and what is shown of them along training.

    The callback wants all curves of a step at once, with the nets that are kept in the end. Where all
    cells train together and each has one net, it is called on the way; otherwise the frames wait until
    everything is trained, and are then shown in the order of their steps.
    """

    def __init__(
        self,
        learner: TrainsCells,
        networks: Sequence[DenseNetwork],
        curves: Sequence[Curve],
        callback: TraceCallback | None,
    ) -> None:
        self.learner, self.networks, self.callback = learner, networks, callback
        self.n_curves = len(curves)
        self.cells = [self._cell(i, curve, n) for i, curve in enumerate(curves) for n in curve.sizes]
        self.live = False
        self.frames: list[tuple[int, Group, DenseNetwork, Trained]] = []

    def _cell(self, index: int, curve: Curve, n: int) -> Cell:
        X, y = curve.X[:n], np.asarray(curve.y[:n], dtype=np.float64)
        scaling, steps = self.learner._scaling(X, y), self.learner._steps(n)
        return Cell(index, X, y, (curve.random_state, n), scaling, steps)

    def train(self) -> list[FittedCurve]:
        """Train every cell and return the fitted curves, in the order in which they came."""
        groups = self._groups()
        self.live = len(groups) == 1 and self.learner.restarts == 1
        for group in groups:
            group.train(functools.partial(self._show, group) if self.callback else None)
        fitted = self._curves()
        self._show_frames()
        return fitted

    def _groups(self) -> list[Group]:
        """Tune cells of as many steps together, and put those together that are then trained alike."""
        alike: dict[tuple[int, DenseNetwork], list[tuple[Cell, Choice]]] = {}
        for steps in sorted({cell.steps for cell in self.cells}):
            cells = [cell for cell in self.cells if cell.steps == steps]
            for cell, choice in zip(cells, self.learner._tune(self.networks, cells, steps), strict=True):
                alike.setdefault((choice.steps, choice.network), []).append((cell, choice))
        return [Group(self.learner, *zip(*group, strict=True)) for group in alike.values()]

    def _show(self, group: Group, step: int, network: DenseNetwork, flat: np.ndarray) -> None:
        """Show the nets at a step of the training of a group, or keep them until they can be shown."""
        frame = (step, group, network, Trained.along(flat))
        self.frames.append(frame)
        if self.live:
            self._show_frames()

    def _show_frames(self) -> None:
        frames = sorted(self.frames, key=lambda frame: frame[0])
        self.frames = []
        for step, of_step in itertools.groupby(frames, key=lambda frame: frame[0]):
            for _, group, network, trained in of_step:
                group.fill(network, trained, final=False)
            assert self.callback is not None
            self.callback(step, self._curves())

    def _curves(self) -> list[FittedCurve]:
        return [
            FittedCurve([cell.fitted for cell in self.cells if cell.curve == i]) for i in range(self.n_curves)
        ]
