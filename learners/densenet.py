"""The deep quadratic DenseNet, trained end to end by SGD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.network import DenseNetwork
from learners.sgd_estimator import SGDRegressorBase


class DenseNetRegressor(SGDRegressorBase):
    r"""Deep quadratic DenseNet; all layers are trained together from the first step.

    .. math::
        z_l = b_l + x W_{l,0} + \sum_{1 \le j < l} h_j W_{l,j}, \qquad
        h_l = (z_l^2 - 1) / \sqrt 2, \qquad f = c + x a_0 + \sum_l h_l a_l

    The square is continued linearly far out. This is the plain end-to-end form of the
    learner of Allen-Zhu & Li, "Backward Feature Correction" (arXiv 2001.04413), without
    their distillation and switching-on of layers.

    Parameters
    ----------
    depth : int, default 2
        Number of quadratic levels L; the output has degree 2^L.
    width : int or None
        Neurons a level; None means max(24, ceil(1.5 d)).
    skips : sequence of sequence of int, or None
        The skip sets J_1, ..., J_L: which lower levels every level reads, 0 being x; None is all
        of them. The output reads x and every level in any case.
    steps : int or None
        Minibatch steps of the final training. None is a law of n: 3000 up to 4096 samples,
        doubled at every fourfold of them, so that the error goes on falling with n.
    batch_size : int
        Rows a minibatch.
    learning_rate, weight_decay : float or sequence of float
        Peak rate of the one-cycle schedule and decoupled decay; a sequence is tuned inside
        ``fit`` on a held-out fifth (see SGDRegressorBase).
    optimizer : {"adam", "sgd"}
    tuning_share : float in (0, 1]
        Length of a tuning run as a share of ``steps``.
    restarts : int, default 2
        Initialisations of the final training, of which the least training loss is kept.
    loss : {"square", "logistic"}
        The logistic loss is for labels of two values: predictions are then a score, and the
        class is the label value nearest to it.
    random_state : int, RandomState or None
    dtype : {"float32", "float64"}
        Arithmetic of the training; predictions are computed in float64.
    device : str
        A torch device.
    """

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        skips: Sequence[Sequence[int]] | None = None,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.01, 0.03),
        weight_decay: float | Sequence[float] = (0.03, 0.3),
        optimizer: str = "adam",
        tuning_share: float = 0.5,
        restarts: int = 2,
        loss: str = "square",
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.depth = depth
        self.width = width
        self.skips = skips
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.tuning_share = tuning_share
        self.restarts = restarts
        self.loss = loss
        self.random_state = random_state
        self.dtype = dtype
        self.device = device

    def _network(self, d: int) -> DenseNetwork:
        return quadratic_densenet(d, self.depth, self.width, self.skips)


def quadratic_densenet(
    d: int, depth: int, width: int | None, skips: Sequence[Sequence[int]] | None = None
) -> DenseNetwork:
    """The network of the densely connected learners; raises ValueError on bad sizes."""
    check_depth(depth)
    width = checked_width(d, width)
    return DenseNetwork(d=d, depth=int(depth), width=width, skips=_skip_sets(skips, int(depth)))


def check_depth(depth: int) -> None:
    """Raises ValueError on a number of levels that no quadratic net here has."""
    if not (isinstance(depth, (int, np.integer)) and 1 <= depth <= 6):
        raise ValueError(f"depth is {depth!r}: an integer from 1 to 6 is needed")


def checked_width(d: int, width: int | None) -> int:
    """Neurons a level: those given, or what squares of d coordinates ask for."""
    if width is None:
        return max(24, -(-3 * d // 2))
    if not (isinstance(width, (int, np.integer)) and width >= 1):
        raise ValueError(f"width is {width!r}: an integer >= 1, or None, is needed")
    return int(width)


def _skip_sets(skips: Sequence[Sequence[int]] | None, depth: int) -> tuple[tuple[int, ...], ...] | None:
    """Skip sets in increasing order; raises ValueError where they are none."""
    if skips is None:
        return None
    if not isinstance(skips, Sequence) or len(skips) != depth:
        raise ValueError(f"skips is {skips!r}: one set for each of the {depth} levels is needed")
    for level, own in enumerate(skips, 1):
        allowed = range(level)
        if (
            not isinstance(own, Sequence)
            or not own
            or any(not isinstance(j, (int, np.integer)) or j not in allowed for j in own)
        ):
            raise ValueError(f"skips is {skips!r}: level {level} needs one or more of 0, ..., {level - 1}")
    return tuple(tuple(sorted({int(j) for j in own})) for own in skips)
