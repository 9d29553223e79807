"""Algorithm 1 of the backward feature correction paper: distillation, levels switched on by the loss."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hierbench.checks import is_real, real
from hierbench.errors import refusal
from hierbench.learners.base import steps_law
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained, train
from hierbench.learners.nets.algorithm1_network import Algorithm1Network
from hierbench.learners.nets.algorithm1_switching import LevelSwitch, Switching
from hierbench.learners.nets.densenet import quadratic_densenet
from hierbench.learners.nets.sgd_block import NetworkHook
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase, after_steps
from hierbench.learners.parameters import not_negative, share


class Algorithm1Regressor(SGDRegressorBase):
    r"""The learner of the backward feature correction paper, trained by its Algorithm 1.

    Every level has a narrow half S_l, passed up, and a wide half F_l, read out:

    .. math::
        u_l &= (x, 1, s(R_1 S_1), \dots, s(R_{l-1} S_{l-1})), \\
        S_l &= K_l u_l \in R^{k_l}, \qquad F_l = (W_l u_l)^2 \in R^m, \\
        F &= c + \sum_l a_l \mathrm{Sum}(F_l)

    Here :math:`s(z) = (z^2 - 1) \sqrt{2 / r_l}`, coordinate by coordinate, for the r_l rows of
    R_l, so that all levels come on one scale; the squares are continued linearly far out. The
    rows of R_l are standard Gaussian and stay as they were drawn. K, W, a and c are trained on

    .. math::
        (F - y)^2 + \mathrm{distillation} \sum_l \sum_{i, j}
        \| K_{l,i}^T K_{l,j} - W_{l,i}^T W_{l,j} \|_F^2 ,

    the last sum over all pairs of blocks of u_l, and with a decay of K and W by ``weight_decay``
    times the running loss (1 at most; the labels have variance 1). Level 1 is on from the first
    step. When the running loss has come to a plateau, well below the one before, the distillation
    of the newest level goes on, and one ``patience`` later the next level with fresh K and W; a loss
    that never pauses is waited for until a set share of the steps (Switching in
    hierbench.learners.nets.algorithm1_switching). The sizes of the target's levels are never used. What is on
    is never frozen, so upper levels go on correcting lower ones.

    The algorithm is that of Allen-Zhu & Li, "Backward Feature Correction" (arXiv 2001.04413), for
    a first level that has to be learned too; the constants are this suite's own. The paper's claims
    are about SGD. That is ``optimizer="sgd"``; the default is Adam, as for the other nets here,
    because it needs several times fewer steps on targets whose first level is as wide as x.

    Parameters
    ----------
    depth : int, default 2
        Number of quadratic levels L; the output has degree 2^L.
    width : int or None
        m, the wide neurons of a level; None means max(24, ceil(1.5 d)).
    narrow : int, sequence of int, or None
        k_1, ..., k_L, or one k for all. None is 2 d for the first level, the span of which may be
        all of x, and max(4, 2 ceil(sqrt d)) for the others. With k_1 = d, training on rotated
        squares often ends at an error near 0.01, with 2 d seldom; distillation leaves S_l no more
        directions than the target needs. A target of few directions is learned faster, from fewer
        samples at large d, with a small k.
    r_rows : float, default 2
        Rows of R_l for each of the k (k + 1) / 2 monomials of S_l, k its dimension: min(k_1, d)
        for l = 1. 0 puts the identity for R_l.
    distillation : float, default 0.1
        Factor of the regulariser; 0 is none.
    patience : float in (0, 1], default 0.05
        How long a loss has to stand still, and a level waits, as a share of the steps.
    steps : int or None
        Minibatch steps of the final training. None begins with twice what DenseNetRegressor begins
        with: an upper level begins only when those below it have come to their plateau.
    weight_decay : float or sequence of float
        Decay for a running loss of 1; a sequence is tuned.
    momentum : float in [0, 1), default 0.9
        Of ``optimizer="sgd"``.
    restarts : int, default 2
        Initialisations of the final training, of which the least training loss is kept.

    The other parameters are those of SGDRegressorBase.
    """

    depth: int
    width: int | None
    narrow: int | Sequence[int] | None
    r_rows: float
    distillation: float
    patience: float
    momentum: float

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        narrow: int | Sequence[int] | None = None,
        r_rows: float = 2.0,
        distillation: float = 0.1,
        patience: float = 0.05,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.01, 0.03),
        weight_decay: float | Sequence[float] = (0.3, 3.0),
        optimizer: str = "adam",
        momentum: float = 0.9,
        tuning_share: float = 0.25,
        step_factor: float = 1.0,
        max_lengthening: float = 16.0,
        tol: float = 1e-6,
        restarts: int = 2,
        loss: str = "square",
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self._keep(locals())

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Compute the narrow features S_1, ..., S_L, each of shape (n, k_l)."""
        return super().level_features(X)

    def _network(self, d: int) -> Algorithm1Network:
        plain = quadratic_densenet(d, self.depth, self.width)
        self._check_regularisers()
        narrow = self._narrow(d)
        dimensions = [min(narrow[0], d), *narrow[1:-1]]
        rows = [math.ceil(self.r_rows * k * (k + 1) / 2) for k in dimensions[: self.depth - 1]]
        return Algorithm1Network(d=d, depth=plain.depth, width=plain.width, narrow=narrow, rows=tuple(rows))

    def _narrow(self, d: int) -> tuple[int, ...]:
        if self.narrow is None:
            return (2 * d, *[max(4, 2 * math.ceil(math.sqrt(d)))] * (self.depth - 1))
        sizes = np.asarray(self.narrow)
        whole = np.issubdtype(sizes.dtype, np.integer) and (sizes >= 1).all()
        if not (whole and (sizes.ndim == 0 or sizes.shape == (self.depth,))):
            allowed = f"integers from 1, one or one for each of the {self.depth} levels, and None"
            raise ValueError(refusal("narrow", self.narrow, allowed))
        return tuple(int(k) for k in np.broadcast_to(sizes, self.depth))

    def _check_regularisers(self) -> None:
        not_negative("r_rows", self.r_rows)
        not_negative("distillation", self.distillation)
        share("patience", self.patience)
        real(
            "momentum", self.momentum, "numbers in [0, 1)", is_real(self.momentum) and 0 <= self.momentum < 1
        )

    def _schedule(self, steps: int) -> Schedule:
        return dataclasses.replace(super()._schedule(steps), momentum=self.momentum)

    def _steps(self, n: int) -> int:
        return 2 * steps_law(n) if self.steps is None else self.steps

    def _train(
        self,
        network: DenseNetwork,
        jobs: Sequence[Job],
        initial: np.ndarray,
        schedule: Schedule,
        hook: NetworkHook | None,
    ) -> Trained:
        assert isinstance(network, Algorithm1Network)
        rule = Switching(
            patience=self.patience,
            distillation=self.distillation,
            chance=math.log(2.0) if self.loss == "logistic" else 1.0,
        )
        return train(
            network, initial, jobs, schedule,
            dtype=self.dtype, device=self.device,
            hook=after_steps(hook, network, 0),
            control=functools.partial(LevelSwitch, network, rule, schedule.steps),
        )  # fmt: skip
