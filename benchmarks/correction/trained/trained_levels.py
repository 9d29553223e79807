"""What the levels of a trained quadratic net have learned: forms, directions, what is passed up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from hierbench.benchmarks.correction.exact.population import orthonormal
from hierbench.benchmarks.correction.trained.feature_error import narrow_products
from hierbench.errors import refusal
from hierbench.learners.nets.algorithm1_network import Algorithm1Network

_SIGNIFICANT = 0.975


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of one net on a sample.

    Attributes
    ----------
    squared : (n, m)
        What is squared and read out: z_l of the plain net, the wide W_l u_l of Algorithm 1.
    readout : (m,)
        Weights of the squares in the output.
    passed : (n, r)
        What the levels above can use, linearly: h_l of the plain net, products of the narrow S_l.
    """

    squared: np.ndarray
    readout: np.ndarray
    passed: np.ndarray


def is_on(estimator: Any, level: int) -> bool:
    """Whether a level adds to the output yet: it is built, and of Algorithm 1 switched on."""
    network = estimator.network_
    if level > network.depth:
        return False
    if isinstance(network, Algorithm1Network):
        return bool(np.any(_parts(estimator)[level - 1]))
    return True


def first_level_form(estimator: Any) -> np.ndarray:
    """sum_j a_j w_j w_j^T of level 1 in the coordinates of the data, (d, d).

    The quadratic part of what level 1 adds to the output, up to a factor. Of Algorithm 1 it is that of
    the wide half.
    """
    w, a = _first_rows(estimator)
    return np.asarray((w * a) @ w.T)


def passed_up_form(estimator: Any) -> np.ndarray | None:
    """K_1^T K_1 of Algorithm 1, (d, d): of what level 1 passes up. None for a net that has no such half."""
    network = estimator.network_
    if not isinstance(network, Algorithm1Network):
        return None
    K = _parts(estimator)[0][: network.d, : network.narrow[0]] / estimator.scaling_.x_scale[:, None]
    return np.asarray(K @ K.T)


def narrow_mismatch(estimator: Any, level: int) -> float | None:
    """How far a level of Algorithm 1 is from distilled: |K K' - W W'| over hypot(|K K'|, |W W'|).

    Near 1 before its distillation is on, 0 where the narrow half tells all that the wide one does. None
    for a net without a narrow half.
    """
    network = estimator.network_
    if not isinstance(network, Algorithm1Network):
        return None
    block = _parts(estimator)[level - 1]
    K, W = np.split(block, [network.narrow[level - 1]], axis=1)
    narrow, wide = K @ K.T, W @ W.T
    return float(np.linalg.norm(narrow - wide) / math.hypot(np.linalg.norm(narrow), np.linalg.norm(wide)))


def _first_rows(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    network, parts = estimator.network_, _parts(estimator)
    if isinstance(network, Algorithm1Network):
        w, a = parts[0][: network.d, network.narrow[0] :], np.full(network.width, parts[-2][0, 0])
    else:
        w, a = parts[0], parts[-(network.depth + 1)][:, 0]
    return w / estimator.scaling_.x_scale[:, None], a


def _parts(estimator: Any) -> list[np.ndarray]:
    """Parameters of the net, part by part."""
    parts: list[np.ndarray] = estimator.network_.parts(np.asarray(estimator.parameters_))
    return parts


def levels_of(estimator: Any, X: np.ndarray) -> list[Level]:
    """The levels of a fitted net on X (n, d), in float64, lowest first; those that exist."""
    network, parts = estimator.network_, _parts(estimator)
    _, features, squared = network.forward(parts, estimator.scaling_.inputs(X))
    if isinstance(network, Algorithm1Network):
        readouts = [np.full(network.width, a) for a in parts[-2][:, 0]]
        passed = [narrow_products([S])[0] for S in features[1:]]
    else:
        readouts = [a[:, 0] for a in parts[-network.depth - 1 : -1]]
        passed = features[1:]
    return [Level(*level) for level in zip(squared, readouts, passed, strict=True)]


def leading_directions(level: Level, k: int) -> np.ndarray | None:
    """Orthonormal columns (n, k): the k functions that a level squares and reads out with most weight.

    Eigenfunctions of sum_j a_j z_j z_j', leading by absolute value, z_j the centred pre-activations as
    functions of x: for level 1 of Gaussian inputs the eigenspace of its quadratic form. None where the
    level says nothing (it is off, or of rank below k).
    """
    z = level.squared - level.squared.mean(axis=0)
    q, r = np.linalg.qr(z)
    values, vectors = np.linalg.eigh((r * level.readout) @ r.T)
    order = np.argsort(-np.abs(values))[:k]
    if len(order) < k or not abs(values[order[-1]]) > 1e-12 * abs(values[order[0]]):
        return None
    return np.asarray(q @ vectors[:, order])


def direction_error(truth: np.ndarray, level: Level) -> float | None:
    """Root mean square sine of the principal angles between the true s_l (n, k) and ``leading_directions``.

    The angle of level 1, for any level: k functions against k functions, so that no width makes it
    vacuous. Chance is close to 1.
    """
    directions = leading_directions(level, truth.shape[1])
    if directions is None:
        return None
    true = orthonormal(truth - truth.mean(axis=0))
    return float(np.linalg.norm(true - directions @ (directions.T @ true)) / math.sqrt(true.shape[1]))


# the part of an angle that is no noise ------------------------------------------------------------


def tangent(form: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where the leading eigenspace of a form (d, d) points off the row space of ``rows`` (k, d).

    The graph of the eigenspace over the row space, Q' V (Q V)^-1 with Q and Q' orthonormal rows of the row
    space and of its complement, (d - k, k); its norm over sqrt(k) is the tangent of the angle. It does not
    depend on the basis of the eigenspace, so that nets can be averaged.
    """
    k = len(rows)
    full = np.linalg.qr(rows.T, mode="complete")[0]
    values, vectors = np.linalg.eigh((form + form.T) / 2.0)
    top = vectors[:, np.argsort(-np.abs(values))[:k]]
    return np.asarray(np.linalg.solve((full[:, :k].T @ top).T, (full[:, k:].T @ top).T).T)


@dataclasses.dataclass(frozen=True)
class SystematicAngle:
    """What several nets' angles have in common.

    Attributes
    ----------
    square : float
        Mean inner product of two nets' tangents over k: the square of the common part, without bias,
        negative where there is none.
    total : float
        Root mean square of the nets' own, noise and all.
    p_value : float
        Of no common part (F test, the noise taken as the same in all directions).
    """

    square: float
    total: float
    p_value: float

    @property
    def value(self) -> float:
        """The common angle; 0 where the nets do not tell it from none."""
        return math.sqrt(self.square) if self.resolved else 0.0

    @property
    def resolved(self) -> bool:
        """Whether the nets tell the common angle from none."""
        return self.square > 0.0 and self.p_value < 1.0 - _SIGNIFICANT


def systematic(tangents: Sequence[np.ndarray]) -> SystematicAngle:
    """Split the angles of nets that share the target, and neither data nor initialisation.

    Noise of sampling and of SGD points elsewhere in every net; contamination is the same in all.

    Parameters
    ----------
    tangents : two or more of ``tangent``

    Raises
    ------
    ValueError
        Fewer than two.
    """
    if len(tangents) < 2:
        raise ValueError(
            refusal(
                "number of nets", len(tangents), "integers from 2", "one has nothing in common with others"
            )
        )
    D = np.stack([np.asarray(t, dtype=np.float64).ravel() for t in tangents])
    k, (n_nets, p) = tangents[0].shape[1], D.shape
    mean = D.mean(axis=0)
    within = float(np.square(D - mean).sum()) / (n_nets - 1)
    between = n_nets * float(mean @ mean)
    p_value = float(stats.f.sf(between / within, p, p * (n_nets - 1))) if within > 0 else 0.0
    square = (between - within) / n_nets / k
    return SystematicAngle(square, float(np.sqrt(np.square(D).sum() / n_nets / k)), p_value)
