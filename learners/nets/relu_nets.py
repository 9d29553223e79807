"""Deep ReLU nets, end to end: the perceptron and the densely connected net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.checks import integer
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.learners.parameters import integer_between


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

    The other parameters are those of SGDRegressorBase.

    References
    ----------
    Yarotsky, "Error bounds for approximations with deep ReLU networks", arXiv 1610.01145.
    """

    levels: int
    depth: int | None
    width: int

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
        depth = self._depth()
        chain = tuple((level,) for level in range(depth))
        return DenseNetwork(d, depth, int(self.width), activation="relu", skips=chain, top_readout=True)

    def _depth(self) -> int:
        """Count the hidden layers; ValueError on bad sizes."""
        levels = integer("levels", self.levels, 1)
        integer("width", self.width, 1)
        return integer_between("depth", levels + 1 if self.depth is None else self.depth, 1, 16)


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

    The other parameters are those of SGDRegressorBase.
    """

    def _network(self, d: int) -> DenseNetwork:
        return DenseNetwork(d, self._depth(), int(self.width), activation="relu")
