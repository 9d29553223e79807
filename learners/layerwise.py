"""The same DenseNet trained layer by layer, with x levels of backward correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.densenet import quadratic_densenet
from learners.network import DenseNetwork
from learners.sgd_engine import Job, Schedule, Trained, train
from learners.sgd_estimator import TORCH_DTYPES, NetworkHook, SGDRegressorBase, after_steps


class LayerwiseDenseNetRegressor(SGDRegressorBase):
    """Deep quadratic DenseNet, level by level: BFC-x.

    Phase l = 1..L adds level l with fresh weights and trains levels l-x..l together with the
    read-outs of all levels; the levels below l-x stay as they are. ``correction`` is x: 0 is
    layer-wise training, depth - 1 is growth in stages with nothing ever frozen. Every phase
    has ``steps`` steps and its own one-cycle schedule, so that the whole costs L times what
    end-to-end training with the same ``steps`` costs.

    Layer-wise training is what Allen-Zhu & Li (arXiv 2001.04413) contrast with backward
    feature correction; in this form, each layer trained through an auxiliary linear read-out,
    it is that of Belilovsky et al. (arXiv 1812.11446).

    Parameters
    ----------
    depth, width : as for DenseNetRegressor
    correction : int, default 0
        How many levels below the newest one go on being trained.
    refit_readouts : bool, default True
        Whether the read-outs of frozen levels are refitted; False is strict freezing.
    steps : int
        Minibatch steps of a phase.

    The other parameters are those of DenseNetRegressor.
    """

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        correction: int = 0,
        refit_readouts: bool = True,
        steps: int = 3000,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.006, 0.02),
        weight_decay: float | Sequence[float] = (0.03, 0.3),
        optimizer: str = "adam",
        tuning_share: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.depth = depth
        self.width = width
        self.correction = correction
        self.refit_readouts = refit_readouts
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.tuning_share = tuning_share
        self.random_state = random_state
        self.dtype = dtype
        self.device = device

    def _network(self, d: int) -> DenseNetwork:
        if not (isinstance(self.correction, (int, np.integer)) and self.correction >= 0):
            raise ValueError(f"correction is {self.correction!r}: an integer >= 0 is needed")
        return quadratic_densenet(d, self.depth, self.width)

    def _total_steps(self, steps: int) -> int:
        return self.depth * steps

    def _train(
        self,
        network: DenseNetwork,
        jobs: Sequence[Job],
        initial: np.ndarray,
        schedule: Schedule,
        hook: NetworkHook | None,
    ) -> Trained:
        trained: Trained | None = None
        for level in range(1, network.depth + 1):
            phase = network.first_levels(level)
            start = network.restrict(initial, level)
            if trained is not None:
                start = phase.grow(trained.flat, start)
            lowest = max(1, level - self.correction)
            trained = train(
                phase, start, jobs, schedule,
                trainable=phase.trainable(lowest, self.refit_readouts), lowest=lowest,
                dtype=TORCH_DTYPES[self.dtype], device=self.device,
                hook=after_steps(hook, phase, (level - 1) * schedule.steps),
            )  # fmt: skip
        assert trained is not None
        return trained
