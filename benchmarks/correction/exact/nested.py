"""Nested quadratic levels on a population, with exact derivatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hierbench.benchmarks.correction.exact.population import Population, products


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """What a level reads, and how it moves with the trained narrow weights.

    u : (N, p); du : (N, p, P), or None where nothing below is trained.
    """

    u: np.ndarray
    du: np.ndarray | None


def narrow_features(population: Population, K: Sequence[np.ndarray]) -> list[np.ndarray]:
    """S_1, S_2, ... of shape (N, k): S_l = K_l u_l, with u_l as in ``level_inputs``."""
    inputs = level_inputs(population, K)
    return [level.u @ k.T for level, k in zip(inputs, K, strict=False)]


def level_inputs(population: Population, K: Sequence[np.ndarray], trained: bool = False) -> list[Inputs]:
    r"""u_1, ..., u_{t+1} for narrow weights K_1, ..., K_t.

    .. math:: u_1 = b, \quad u_{l+1} = (u_l, \{S_i S_j - E S_i S_j\}_{i \le j}), \quad S_l = K_l u_l

    Products of the narrow features, so that it does not matter in which basis they came; centred,
    because a constant in a square would be told from the quadratic form below it by nothing.

    Parameters
    ----------
    population : Population
    K : arrays of shape (k, p_l)
    trained : bool
        Whether derivatives by the entries of all K, row by row and level by level, are wanted.
    """
    n = len(population.base)
    total = sum(k.size for k in K)
    u = population.base
    du = np.zeros((n, u.shape[1], total)) if trained else None
    inputs, start = [Inputs(u, du)], 0
    for k in K:
        S = u @ k.T
        i, j = np.triu_indices(len(k))
        new = centred(products(S), population.weights)
        if du is not None:
            dS = np.einsum("kp,npt->nkt", k, du)
            for row in range(len(k)):
                dS[:, row, start : start + u.shape[1]] += u
                start += u.shape[1]
            dnew = S[:, i, None] * dS[:, j] + S[:, j, None] * dS[:, i]
            du = np.concatenate([du, centred(dnew, population.weights)], axis=1)
        u = np.concatenate([u, new], axis=1)
        inputs.append(Inputs(u, du))
    return inputs


def centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values minus their weighted mean."""
    return np.asarray(values - np.tensordot(weights, values, 1))


def squares(inputs: Inputs, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """F = |W u|^2 with its derivatives by W (row by row) and by the narrow weights.

    Returns
    -------
    F : (N,); by_W : (N, k p); by_K : (N, P) or None
    """
    s = inputs.u @ W.T
    by_W = 2.0 * (s[:, :, None] * inputs.u[:, None, :]).reshape(len(s), -1)
    by_K = None
    if inputs.du is not None:
        by_K = 2.0 * np.einsum("np,npt->nt", s @ W, inputs.du)
    return np.square(s).sum(axis=1), by_W, by_K
