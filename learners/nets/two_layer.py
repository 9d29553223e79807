"""Two-layer nets: the shallow baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.checks import integer, is_real, one_of, real
from hierbench.learners.engines.network import ACTIVATIONS, DenseNetwork
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.learners.parameters import integer_between


class TwoLayerRegressor(SGDRegressorBase):
    r"""Two-layer net :math:`f = c + x a_0 + a^T \phi(b + W x)`, both layers trained by SGD.

    The shallow counterpart of the DenseNet: with ``phi`` a power of the target's degree it can
    represent the target, and Allen-Zhu & Li (arXiv 2001.04413) argue that it needs about
    d^(2^L) neurons or samples to do so. The direct linear term is a skip connection that the
    deep net has as well.

    Parameters
    ----------
    activation : {"power", "relu"}
        Centred and scaled to unit variance on a standard Gaussian.
    width : int
    degree : int, 2 to 16
        Exponent of the activation "power"; a suite sets it to the target's degree.
    truncation : float
        Where a power is continued by its tangent, in units of the pre-activation.
    learning_rate : float, sequence of float or None
        None means what does best for the activation: 0.01 and 0.03 for powers, 0.1 and 0.3 for ReLU.
    restarts : int, default 1
        Initialisations of the final training, of which the least training loss is kept.

    The other parameters are those of SGDRegressorBase.
    """

    activation: str
    width: int
    degree: int
    truncation: float

    def __init__(
        self,
        activation: str = "power",
        width: int = 256,
        *,
        degree: int = 4,
        truncation: float = 5.0,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] | None = None,
        weight_decay: float | Sequence[float] = (0.0, 0.1),
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

    def _learning_rate(self) -> float | Sequence[float]:
        if self.learning_rate is not None:
            return self.learning_rate
        return (0.1, 0.3) if self.activation == "relu" else (0.01, 0.03)

    def _network(self, d: int) -> DenseNetwork:
        far = self.truncation
        return DenseNetwork(
            d=d,
            depth=1,
            width=integer("width", self.width, 1),
            activation=one_of("activation", self.activation, ACTIVATIONS),
            power=integer_between("degree", self.degree, 2, 16),
            truncation=real("truncation", far, "numbers > 0", is_real(far) and far > 0),
        )
