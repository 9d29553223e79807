"""What Algorithm 1 does along training: levels switched on, distillation, decay that shrinks."""

from __future__ import annotations

import dataclasses
import math
from collections import deque

import numpy as np

from hierbench.learners.nets.algorithm1_network import Algorithm1Network

_LOOKS = 128
"""Looks at the running loss a training, each of which waits for the device."""


@dataclasses.dataclass(frozen=True)
class Switching:
    """When a level goes on, and its distillation, from the running loss of the net alone.

    Level 1 is on from the first step. The distillation of the newest level goes on once the
    running loss is at its plateau: it fell by less than ``settled`` over the last ``patience``
    and is below ``fallen`` of the plateau before (at first ``chance``); or at
    the latest after l / L of the share ``deadline``, since a training set may be fitted without
    ever pausing. One ``patience`` later the next level goes on. Nothing ever goes off again.

    Parameters
    ----------
    patience, deadline : float in (0, 1], shares of the steps of one training
    settled, fallen : float in (0, 1]
    distillation : float
        Factor of the regulariser, at least 0.
    chance : float
        Loss of a net that has learned nothing: the labels' variance, or log 2 for the logistic loss.
    """

    patience: float = 0.05
    deadline: float = 0.6
    settled: float = 0.2
    fallen: float = 0.7
    distillation: float = 0.1
    chance: float = 1.0


class LevelSwitch:
    """The engine's control of one group of nets (see ``hierbench.learners.engines.sgd_engine.Control``).

    It puts the fresh parameters of the levels above the first aside, and back, net by net, when a level
    goes on.

    Attributes
    ----------
    every : int
        Steps between two looks at the running loss.
    on_at, distilled_at : (n_nets, L) float
        First step at which a level, and its distillation, is on; infinite until then.
    """

    def __init__(self, network: Algorithm1Network, rule: Switching, steps: int, n_nets: int) -> None:
        self._network, self._rule, self._steps = network, rule, steps
        L = network.depth
        self.on_at, self.distilled_at = np.full((2, n_nets, L), np.inf)
        self.on_at[:, 0] = 0
        self._plateau = np.full(n_nets, rule.chance)
        self.every = max(1, steps // _LOOKS)
        self._patience = max(self.every, round(rule.patience * steps))
        self._history: deque[np.ndarray] = deque(maxlen=1 + self._patience // self.every)

    def begin(self, flat: np.ndarray) -> np.ndarray:
        """Return parameters with all levels off but the first."""
        self._fresh = self._network.parts(flat)
        sizes = [math.prod(shape) for shape in self._network.blocks()]
        begun = flat.copy()
        begun[:, sizes[0] : sum(sizes)] = 0.0
        return begun

    def weights(self) -> np.ndarray:
        """Factor on each level's distillation, (n_nets, L)."""
        return self._rule.distillation * np.isfinite(self.distilled_at)

    def look(self, step: int, loss: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """Decide what goes on now; gives (net, part, its fresh parameters) for every level that does."""
        rule, L = self._rule, self._network.depth
        self._history.append(loss.copy())
        before = self._history[0]
        changes = []
        for net in range(len(loss)):
            top = int(np.isfinite(self.on_at[net]).sum()) - 1
            if np.isinf(self.distilled_at[net, top]):
                waited = step - self.on_at[net, top] >= self._patience
                still = loss[net] > (1.0 - rule.settled) * before[net]
                settled = waited and still and loss[net] < rule.fallen * self._plateau[net]
                if settled or step >= rule.deadline * self._steps * (top + 1) / L:
                    self.distilled_at[net, top] = step
                    self._plateau[net] = loss[net]
            elif top + 1 < L and step - self.distilled_at[net, top] >= self._patience:
                self.on_at[net, top + 1] = step
                changes.append((net, top + 1, self._fresh[top + 1][net]))
        return changes

    def notes(self) -> dict[str, np.ndarray]:
        """First steps of the levels above the first (all steps: never on), for the fit report."""
        first = np.minimum(self.on_at, self._steps)
        return {f"level_{i + 1}_on": first[:, i] for i in range(1, self._network.depth)}
