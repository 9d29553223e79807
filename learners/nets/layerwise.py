"""The same DenseNet trained layer by layer, with backward correction or cycling over residuals."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained, train
from hierbench.learners.nets.densenet import quadratic_densenet
from hierbench.learners.nets.sgd_block import NetworkHook
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase, after_steps
from hierbench.learners.parameters import integers

MOST_PRODUCTS = 4096
"""Neurons of a first level that is made wide for the products of the inputs, at most."""


class LayerwiseDenseNetRegressor(SGDRegressorBase):
    r"""Deep quadratic DenseNet, level by level: BFC-x, or layer-wise with residual cycling.

    Phase l = 1..L adds level l with fresh weights and trains levels l-x..l together with the
    read-outs of all levels; the levels below l-x stay as they are. ``correction`` is x: 0 is
    layer-wise training, depth - 1 is growth in stages with nothing ever frozen. Every phase
    has ``steps`` steps and its own one-cycle schedule, so that the whole costs L times what
    end-to-end training with the same ``steps`` costs.

    With ``rounds`` > 0 the phases l = 1..L are gone through again, every level starting from
    where it was: in phase l the levels above l are frozen as the functions of x that they were
    at the end of the last round, and level l is refitted to what they leave of y,

    .. math:: y - \sum_{j > l} h_j(x) a_j ,

    the levels below l frozen as before. So the bottom is refitted on the residual of the top, then
    the top on new features, and so on; no gradient passes from one level to another, and this
    is no backward feature correction.

    Layer-wise training is what Allen-Zhu & Li (arXiv 2001.04413) contrast with backward
    feature correction; in this form, each layer trained through an auxiliary linear read-out,
    it is that of Belilovsky et al. (arXiv 1812.11446).

    Parameters
    ----------
    depth : as for DenseNetRegressor
    width : int or None
        Neurons of every level, or of every level but the first; None means max(24, ceil(1.5 d)).
    first_width : int, sequence of int, or None
        Neurons of level 1; several are tuned. None is ``width`` where that is given, and otherwise a choice
        of max(24, ceil(1.5 d)) and 4 d (d + 1), or 4096 where that is less: a frozen first level hands on
        what the levels above need only if it holds the d (d + 1) / 2 products of the inputs several times
        over.
    correction : int, default 0
        How many levels below the newest one go on being trained.
    refit_readouts : bool, default True
        Whether the read-outs of frozen levels are refitted; False is strict freezing.
    rounds : int, default 0
        How often the phases are gone through again; needs ``correction`` = 0.
    steps : int or None
        Minibatch steps of a phase.
    restarts : int, default 1
        Initialisations of the final training, of which the least training loss is kept.

    The other parameters are those of SGDRegressorBase.
    """

    depth: int
    width: int | None
    first_width: int | Sequence[int] | None
    correction: int
    refit_readouts: bool
    rounds: int

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        first_width: int | Sequence[int] | None = None,
        correction: int = 0,
        refit_readouts: bool = True,
        rounds: int = 0,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.003, 0.006),
        weight_decay: float | Sequence[float] = (0.003, 0.03),
        optimizer: str = "adam",
        tuning_share: float = 0.25,
        step_factor: float = 1.0,
        max_lengthening: float = 16.0,
        tol: float = 1e-6,
        restarts: int = 1,
        loss: str = "square",
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self._keep(locals())

    def _network(self, d: int) -> DenseNetwork:
        return self._networks(d)[0]

    def _networks(self, d: int) -> Sequence[DenseNetwork]:
        integer("correction", self.correction, 0)
        integer("rounds", self.rounds, 0)
        if self.rounds and self.correction:
            remedy = "the two exclude each other"
            raise ValueError(
                refusal("rounds", self.rounds, f"a value of 0 where correction = {self.correction}", remedy)
            )
        if self.rounds and self.loss != "square":
            remedy = "a residual of classes is no class"
            raise ValueError(
                refusal("rounds", self.rounds, f"a value of 0 where loss = {self.loss!r}", remedy)
            )
        plain = quadratic_densenet(d, self.depth, self.width)
        if self.first_width is not None:
            first = integers("first_width", self.first_width, 1)
        elif self.width is not None:
            return [plain]
        else:
            first = (plain.width, max(plain.width, min(4 * d * (d + 1), MOST_PRODUCTS)))
        return [dataclasses.replace(plain, first_width=width) for width in dict.fromkeys(first)]

    def _said(self, network: DenseNetwork) -> dict[str, float]:
        return {"first_width": network.sizes()[1]} if len(self._networks(network.d)) > 1 else {}

    def _total_steps(self, steps: int) -> int:
        return (1 + self.rounds) * self.depth * steps

    def _train(
        self,
        network: DenseNetwork,
        jobs: Sequence[Job],
        initial: np.ndarray,
        schedule: Schedule,
        hook: NetworkHook | None,
    ) -> Trained:
        current, trained = initial, None
        for turn in range((1 + self.rounds) * network.depth):
            repeated, below = divmod(turn, network.depth)
            level = below + 1
            if level == 1:
                if trained is not None:
                    current = trained.flat
                last_round, trained = current, None
            phase = network.first_levels(level)
            start = network.restrict(current, level)
            if trained is not None:
                start = phase.grow(trained.flat, start)
            phase_jobs, traced = jobs, hook
            if repeated and level < network.depth:
                above = network.upper_part(last_round, level)
                traced = None  # alone, a level that is fitted to a residual predicts nothing
                phase_jobs = [
                    dataclasses.replace(
                        job, source=job.source.minus(functools.partial(outputs_of, network, one))
                    )
                    for job, one in zip(jobs, above, strict=True)
                ]
            lowest = max(1, level - self.correction)
            trained = train(
                phase, start, phase_jobs, schedule,
                trainable=phase.trainable(lowest, self.refit_readouts),
                dtype=self.dtype, device=self.device,
                hook=after_steps(traced, phase, turn * schedule.steps),
            )  # fmt: skip
        assert trained is not None
        return trained
