"""What Algorithm 1 does along training: levels switched on, distillation, decay that shrinks."""

from __future__ import annotations

import dataclasses
from collections import deque

import numpy as np
import torch
from torch import Tensor

from hierbench.learners.nets.algorithm1_network import Algorithm1Network

_CHECKS = 256
"""Looks at the running loss a training, each of which may wait for an accelerator."""


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


def distillation(block: Tensor, k: int) -> tuple[Tensor, Tensor]:
    r"""Return the regulariser of one level and its gradient, for blocks (n_nets, inputs, k + m).

    .. math:: \sum_{i,j} \|K_i^T K_j - W_i^T W_j\|_F^2

    over all pairs of blocks is the squared norm of P J P^T, P = [K, W], J = diag(1, -1), which
    needs no more than the small Gram matrix of P.
    """
    sign = torch.ones(block.shape[2], dtype=block.dtype, device=block.device)
    sign[k:] = -1.0
    gram = torch.bmm(block.mT, block)
    signed = gram * (sign[:, None] * sign)
    return (signed * gram).sum((1, 2)), torch.bmm(block, signed).mul_(4.0)


class LevelSwitch:
    """The engine's control of one group of nets (see ``hierbench.learners.engines.sgd_engine.Control``).

    Made with the fresh parameters of all levels; it puts those of the levels above the first
    aside, and back, net by net, when a level goes on.

    Attributes
    ----------
    on_at, distilled_at : (n_nets, L) float
        First step at which a level, and its distillation, is on; infinite until then.
    """

    def __init__(
        self, network: Algorithm1Network, rule: Switching, steps: int, flat: Tensor, gradient: Tensor
    ) -> None:
        self._network, self._rule, self._steps, self._flat = network, rule, steps, flat
        self._blocks = network.views(flat)[: network.depth]
        self._gradients = network.views(gradient)[: network.depth]
        self._slices = network.block_slices()
        self._fresh = flat.clone()
        # neither R, which is not trained, nor the read-outs decay
        self._decayed = torch.zeros_like(flat[:1])
        self._decayed[:, : self._slices[-1].stop] = 1.0
        flat[:, self._slices[0].stop : self._slices[-1].stop] = 0.0
        n_nets, L = len(flat), network.depth
        self.on_at = np.full((n_nets, L), np.inf)
        self.on_at[:, 0] = 0
        self.distilled_at = np.full((n_nets, L), np.inf)
        self._plateau = np.full(n_nets, rule.chance)
        self._every = max(1, steps // _CHECKS)
        self._patience = max(self._every, round(rule.patience * steps))
        self._history: deque[np.ndarray] = deque(maxlen=1 + self._patience // self._every)

    def __call__(self, step: int, loss: Tensor) -> Tensor:
        """After the backward pass: regularise, switch; the factor on the weight decay."""
        if self._rule.distillation:
            for i, k in enumerate(self._network.narrow):
                on = self.distilled_at[:, i] <= step
                if on.any():
                    strength = torch.as_tensor(self._rule.distillation * on, dtype=self._flat.dtype)
                    pull = distillation(self._blocks[i], k)[1]
                    self._gradients[i].addcmul_(pull, strength.to(pull.device)[:, None, None])
        if step % self._every == 0:
            self._switch(step, loss.cpu().double().numpy())
        return self._decayed * loss.clamp(max=1.0)[:, None]

    def _switch(self, step: int, loss: np.ndarray) -> None:
        """Decide what goes on from the next step; ``loss`` (n_nets,)."""
        rule, L = self._rule, self._network.depth
        self._history.append(loss.copy())
        before = self._history[0]
        for net in range(len(loss)):
            top = int(np.isfinite(self.on_at[net]).sum()) - 1
            if np.isinf(self.distilled_at[net, top]):
                waited = step - self.on_at[net, top] >= self._patience
                still = loss[net] > (1.0 - rule.settled) * before[net]
                settled = waited and still and loss[net] < rule.fallen * self._plateau[net]
                if settled or step >= rule.deadline * self._steps * (top + 1) / L:
                    self.distilled_at[net, top] = step + 1
                    self._plateau[net] = loss[net]
            elif top + 1 < L and step - self.distilled_at[net, top] >= self._patience:
                self.on_at[net, top + 1] = step + 1
                part = self._slices[top + 1]
                self._flat[net, part] = self._fresh[net, part]

    def notes(self) -> dict[str, np.ndarray]:
        """First steps of the levels above the first (all steps: never on), for the fit report."""
        first = np.minimum(self.on_at, self._steps)
        return {f"level_{i + 1}_on": first[:, i] for i in range(1, self._network.depth)}
