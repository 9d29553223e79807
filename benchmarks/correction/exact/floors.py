"""Layer-wise floors at exact population: a plain two-level net, by width."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.correction.exact.nested import centred
from hierbench.benchmarks.correction.exact.population import Population, orthonormal, population
from hierbench.benchmarks.correction.exact.rounds import exact_target
from hierbench.benchmarks.correction.exact.solve import minimise, minimised, packed, project, unpacked
from hierbench.errors import UserError, refusal

METHODS: Mapping[str, str] = {
    "strict": "level 2 is fitted to what level 1, its read-out too, leaves of y",
    "refitted": "level 1's features are frozen, all read-outs are fitted with level 2",
    "joint": "from there on everything is trained together",
}
MAX_WIDTH = 32


@dataclasses.dataclass(frozen=True)
class FloorRecord:
    """Error that n to infinity leaves to one way of training.

    Attributes
    ----------
    alpha : float
    width : int
        m, neurons of each level.
    method : str
        One of ``METHODS``.
    start : int
        Seed of the initialisation.
    relative_mse : float
    converged : bool
        Else ``relative_mse`` is an upper bound: it was still falling. So it is, slowly, where neurons are
        to spare (the minimum is degenerate), and where weights grow without bound: large neurons that
        cancel in x^2 leave products x h, which make up for some of what a frozen level lacks.
    """

    alpha: float
    width: int
    method: str
    start: int
    relative_mse: float
    converged: bool


def floors(
    family: str,
    parameters: Mapping[str, Any],
    alphas: Sequence[float],
    widths: Sequence[int],
    starts: Sequence[int] = (0, 1, 2),
) -> list[FloorRecord]:
    r"""Train a plain net on the exact population, level by level and then together.

    .. math::
        h = (W x)^2 - E (W x)^2, \quad y \approx c + b \cdot x + a \cdot h + |V (x, h)|^2

    Level 1 is trained with a = 1 and nothing above it, by Levenberg-Marquardt from Gaussian weights;
    then level 2, from Gaussian weights, in the two layer-wise ways; last everything, from the layer-wise
    solution with read-outs refitted. Level 2 reads the m squares and not their products, so that a
    rotation of the neurons of level 1, which level 1 alone cannot tell, costs it. It has no constant: next to
    a linear read-out of x and h a neuron (C + s)^2 with C without bound would be a linear function.

    Parameters
    ----------
    family, parameters, alphas : as ``hierbench.benchmarks.correction.exact.rounds.trace``
        Of a target with two trained levels.
    widths : sequence of int
    starts : sequence of int
        Seeds of the initialisation.

    Raises
    ------
    UserError
        As ``trace``; widths outside 1..``MAX_WIDTH``.
    """
    if not widths or min(widths) < 1 or max(widths) > MAX_WIDTH:
        raise UserError(refusal("widths", tuple(widths), f"integers from 1 to {MAX_WIDTH}"))
    records = []
    for alpha in alphas:
        data = population(exact_target(family, parameters, alpha, 1))
        if len(data.features) != 2:
            raise UserError(refusal("number of trained levels", len(data.features), "2"))
        for width in widths:
            for start in starts:
                trained = _train(data, width, np.random.default_rng(start))
                for method, (mse, converged) in trained.items():
                    records.append(FloorRecord(alpha, width, method, start, mse, converged))
    return records


def _train(data: Population, m: int, rng: np.random.Generator) -> dict[str, tuple[float, bool]]:
    x, root = data.base, data.root
    n, q = x.shape
    ones = np.ones((n, 1))
    affine = orthonormal(np.concatenate([ones, x], axis=1) * root)
    target = project(data.y[:, None] * root, affine)[:, 0]

    def first(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = x @ theta.reshape(m, q).T
        jacobian = 2.0 * (z[:, :, None] * x[:, None, :]).reshape(n, -1)
        both = project(
            np.concatenate([np.square(z).sum(axis=1, keepdims=True), jacobian], axis=1) * root, affine
        )
        return both[:, 0] - target, both[:, 1:]

    W = minimise(first, rng.standard_normal(m * q) / np.sqrt(m * q)).reshape(m, q)
    left = -first(W.ravel())[0]
    u = np.concatenate([x, centred(np.square(x @ W.T), data.weights)], axis=1)
    V = rng.standard_normal((m, u.shape[1])) * (0.3 * np.linalg.norm(left) / np.sqrt(m * u.shape[1])) ** 0.5
    constant = root / np.linalg.norm(root)
    _, error, done = _second(u, V, left, constant, root)
    fits = {"strict": (error, done)}
    both_linear = np.concatenate([ones, u], axis=1)
    V, error, done = _second(u, V, data.y * root[:, 0], orthonormal(both_linear * root), root)
    fits["refitted"] = (error, done)
    # What the read-out of h became is where the joint fit begins.
    rest = data.y - np.square(u @ V.T).sum(axis=1)
    a = np.linalg.lstsq(both_linear * root, rest * root[:, 0], rcond=1e-12)[0][1 + q :]

    def everything(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w, a, v = unpacked(theta, [(m, q), (m,), V.shape])
        z = x @ w.T
        h = centred(np.square(z), data.weights)
        u = np.concatenate([x, h], axis=1)
        s = u @ v.T
        dh = centred(2.0 * z[:, :, None] * x[:, None, :], data.weights)
        by_h = a + 2.0 * s @ v[:, q:]
        columns = [
            (h @ a + np.square(s).sum(axis=1))[:, None],
            (by_h[:, :, None] * dh).reshape(n, -1),
            h,
            2.0 * (s[:, :, None] * u[:, None, :]).reshape(n, -1),
        ]
        both = project(np.concatenate(columns, axis=1) * root, affine)
        return both[:, 0] - target, both[:, 1:]

    theta, done = minimised(everything, packed([W, a, V]))
    fits["joint"] = (float(np.square(everything(theta)[0]).sum()), done)
    return {method: (error / data.variance, done) for method, (error, done) in fits.items()}


def _second(
    u: np.ndarray, start: np.ndarray, labels: np.ndarray, span: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, float, bool]:
    """Least squares of weighted labels on |V u|^2 and a linear span: V, squared error, converged."""
    target = project(labels[:, None], span)[:, 0]

    def evaluate(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s = u @ theta.reshape(start.shape).T
        jacobian = 2.0 * (s[:, :, None] * u[:, None, :]).reshape(len(u), -1)
        both = project(
            np.concatenate([np.square(s).sum(axis=1, keepdims=True), jacobian], axis=1) * root, span
        )
        return both[:, 0] - target, both[:, 1:]

    V, converged = minimised(evaluate, start.ravel())
    return V.reshape(start.shape), float(np.square(evaluate(V)[0]).sum()), converged
