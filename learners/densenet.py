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
    steps, batch_size : int
        Minibatch steps of the final training, and rows a minibatch.
    learning_rate, weight_decay : float or sequence of float
        Peak rate of the one-cycle schedule and decoupled decay; a sequence is tuned inside
        ``fit`` on a held-out fifth (see SGDRegressorBase).
    optimizer : {"adam", "sgd"}
    tuning_share : float in (0, 1]
        Length of a tuning run as a share of ``steps``.
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
        steps: int = 3000,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.01, 0.03),
        weight_decay: float | Sequence[float] = (0.03, 0.3),
        optimizer: str = "adam",
        tuning_share: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.depth = depth
        self.width = width
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
        return quadratic_densenet(d, self.depth, self.width)


def quadratic_densenet(d: int, depth: int, width: int | None) -> DenseNetwork:
    """The network of the densely connected learners; raises ValueError on bad sizes."""
    if not (isinstance(depth, (int, np.integer)) and 1 <= depth <= 6):
        raise ValueError(f"depth is {depth!r}: an integer from 1 to 6 is needed")
    if width is None:
        width = max(24, -(-3 * d // 2))
    if not (isinstance(width, (int, np.integer)) and width >= 1):
        raise ValueError(f"width is {width!r}: an integer >= 1, or None, is needed")
    return DenseNetwork(d=d, depth=int(depth), width=int(width))
