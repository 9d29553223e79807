"""The quadratic ResNet: additive skips in place of dense ones, trained end to end by SGD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.learners.nets.densenet import check_depth, checked_width
from hierbench.learners.nets.residual_network import ResidualNetwork
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.learners.parameters import integer_or_none


class ResNetRegressor(SGDRegressorBase):
    r"""Quadratic ResNet; one residual stream, all levels trained together.

    .. math::
        s_0 = x P, \qquad h_l = \phi(b_l + s_{l-1} W_l), \qquad s_l = s_{l-1} + h_l V_l, \qquad
        f = c + s_L a

    with :math:`\phi(z) = (z^2 - 1) / \sqrt 2`, continued linearly far out. Residual learning is
    that of He et al. (arXiv 1512.03385); that such nets learn compositions of quadratic levels
    where kernels do not is argued by Allen-Zhu & Li (arXiv 1905.10337).

    Parameters
    ----------
    depth : int, default 2
        Number of quadratic levels L; the output has degree 2^L.
    width : int or None
        Neurons a level; None means max(24, ceil(1.5 d)), as in the DenseNet.
    stream : int or None
        Coordinates of the stream; None means d + (L - 1) width + 1, room for all that the
        DenseNet of this width passes on.

    The other parameters are those of SGDRegressorBase.
    """

    depth: int
    width: int | None
    stream: int | None

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        stream: int | None = None,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.003, 0.01),
        weight_decay: float | Sequence[float] = (0.03, 0.3),
        optimizer: str = "adam",
        tuning_share: float = 0.5,
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

    def _network(self, d: int) -> ResidualNetwork:
        check_depth(self.depth)
        width = checked_width(d, self.width)
        stream = integer_or_none("stream", self.stream, 1) or d + (self.depth - 1) * width + 1
        return ResidualNetwork(d=d, depth=int(self.depth), width=width, stream=stream)
