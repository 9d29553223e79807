"""The deep quadratic DenseNet, trained end to end by SGD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hierbench.errors import refusal
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.learners.parameters import integer_between, integer_or_none, integers, is_integer


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
    width : int, sequence of int or None
        Neurons a level, of several the one that does best on the held-out fifth; None means
        max(24, ceil(1.5 d)). Near n* wider levels have smaller errors (docs/results.md), at their price.
    skips : sequence of sequence of int, or None
        The skip sets J_1, ..., J_L: which lower levels every level reads, 0 being x; None is all
        of them. The output reads x and every level in any case.
    learning_rate : default (0.005, 0.015, 0.04)
    weight_decay : default (0.003, 0.03, 0.3)
    restarts : default 2

    The other parameters are those of SGDRegressorBase.
    """

    depth: int
    width: int | Sequence[int] | None
    skips: Sequence[Sequence[int]] | None

    def __init__(
        self,
        depth: int = 2,
        width: int | Sequence[int] | None = None,
        *,
        skips: Sequence[Sequence[int]] | None = None,
        steps: int | None = None,
        batch_size: int = 256,
        learning_rate: float | Sequence[float] = (0.005, 0.015, 0.04),
        weight_decay: float | Sequence[float] = (0.003, 0.03, 0.3),
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

    def _network(self, d: int) -> DenseNetwork:
        return self._networks(d)[0]

    def _networks(self, d: int) -> Sequence[DenseNetwork]:
        if isinstance(self.width, Sequence):
            widths = dict.fromkeys(integers("width", self.width, 1))
            return [quadratic_densenet(d, self.depth, width, self.skips) for width in widths]
        return [quadratic_densenet(d, self.depth, self.width, self.skips)]

    def _said(self, network: DenseNetwork) -> dict[str, float]:
        return {"width": network.width} if isinstance(self.width, Sequence) else {}


def quadratic_densenet(
    d: int, depth: int, width: int | None, skips: Sequence[Sequence[int]] | None = None
) -> DenseNetwork:
    """Make the network of the densely connected learners.

    Raises
    ------
    ValueError
        Bad sizes.
    """
    check_depth(depth)
    width = checked_width(d, width)
    return DenseNetwork(d=d, depth=int(depth), width=width, skips=_skip_sets(skips, int(depth)))


def check_depth(depth: int) -> None:
    """Refuse a number of levels that no quadratic net here has, with a ValueError."""
    integer_between("depth", depth, 1, 6)


def checked_width(d: int, width: int | None) -> int:
    """Return the neurons of a level: ``width``, or where it is None what squares of d coordinates ask for."""
    return integer_or_none("width", width, 1) or max(24, -(-3 * d // 2))


def _skip_sets(skips: Sequence[Sequence[int]] | None, depth: int) -> tuple[tuple[int, ...], ...] | None:
    """Bring the skip sets into increasing order; ValueError where they are none."""
    if skips is None:
        return None
    if not isinstance(skips, Sequence) or len(skips) != depth:
        raise ValueError(refusal("skips", skips, f"lists of {depth} sets, one for each level"))
    for level, lower in enumerate(skips, 1):
        below = range(level)
        if (
            not isinstance(lower, Sequence)
            or not lower
            or any(not is_integer(j) or j not in below for j in lower)
        ):
            allowed = f"one or more of 0, ..., {level - 1}"
            raise ValueError(refusal(f"skips of level {level}", lower, allowed))
    return tuple(tuple(sorted({int(j) for j in lower})) for lower in skips)
