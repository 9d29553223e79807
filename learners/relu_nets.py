"""Deep ReLU nets, end to end: the perceptron and the densely connected net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.network import DenseNetwork
from learners.sgd_estimator import SGDRegressorBase


class ReLUMLPRegressor(SGDRegressorBase):
    r"""Deep ReLU perceptron :math:`h_l = \phi(b_l + h_{l-1} W_l)`, :math:`f = c + h_D a`, h_0 = x.

    ``phi`` is the ReLU, centred and scaled to unit variance on a standard Gaussian, so that
    levels start on one scale (as in He et al., arXiv 1502.01852). All layers are trained together.

    Parameters
    ----------
    levels : int, default 2
        Levels L of the target; a suite fills it in.
    depth : int or None
        Hidden layers D; None means L + 1: one more than the target has levels, because a ReLU
        only approximates a square.
    width : int
        Neurons a layer.

    The other parameters are those of DenseNetRegressor.

    References
    ----------
    Yarotsky, "Error bounds for approximations with deep ReLU networks", arXiv 1610.01145.
    """

    def __init__(
        self,
        levels: int = 2,
        depth: int | None = None,
        width: int = 128,
        *,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.003, 0.01),
        weight_decay: float | Sequence[float] = (0.1, 0.5),
        optimizer: str = "adam",
        tuning_share: float = 0.5,
        restarts: int = 1,
        loss: str = "square",
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.levels = levels
        self.depth = depth
        self.width = width
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
        depth = self._depth()
        chain = tuple((level,) for level in range(depth))
        return DenseNetwork(d, depth, int(self.width), activation="relu", skips=chain, top_readout=True)

    def _depth(self) -> int:
        """Hidden layers; raises ValueError on bad sizes."""
        for name in ("levels", "width"):
            value = getattr(self, name)
            if not (isinstance(value, (int, np.integer)) and value >= 1):
                raise ValueError(f"{name} is {value!r}: an integer >= 1 is needed")
        depth = self.levels + 1 if self.depth is None else self.depth
        if not (isinstance(depth, (int, np.integer)) and 1 <= depth <= 16):
            raise ValueError(f"depth is {depth!r}: an integer from 1 to 16, or None, is needed")
        return int(depth)


class ReLUDenseNetRegressor(ReLUMLPRegressor):
    r"""Deep ReLU DenseNet: every layer reads x and all lower layers, and so does the output.

    .. math::
        h_l = \phi\Big(b_l + x W_{l,0} + \sum_{1 \le j < l} h_j W_{l,j}\Big), \qquad
        f = c + x a_0 + \sum_l h_l a_l

    The wiring of the quadratic DenseNet (after Huang et al., arXiv 1608.06993) with ``phi`` the
    ReLU, centred and scaled as in ReLUMLPRegressor.

    Parameters
    ----------
    levels, depth, width : as for ReLUMLPRegressor

    The other parameters are those of DenseNetRegressor.
    """

    def _network(self, d: int) -> DenseNetwork:
        return DenseNetwork(d, self._depth(), int(self.width), activation="relu")
