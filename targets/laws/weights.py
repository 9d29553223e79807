"""Random weights of hierarchical targets: Haar matrices, conditioned blocks, oblique rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stream(seed: int, level: int, source: int) -> np.random.Generator:
    """Return the generator of the block that feeds ``source`` into ``level``.

    Each block has a stream of its own, so that neither a deeper target nor another skip set
    changes the blocks that two targets of equal seed have in common.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(level, source))))


def haar(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Orthonormal columns, uniform on the Stiefel manifold; shape (n, k), k <= n.

    QR of a Gaussian matrix is Haar only once the signs of R's diagonal are divided out
    (Mezzadri, Notices of the AMS 54, 2007).
    """
    q, r = np.linalg.qr(rng.standard_normal((n, k)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def identity_rows(indices: Sequence[int] | np.ndarray, d: int) -> np.ndarray:
    """Rows of the identity, shape (len(indices), d), without the d by d identity itself."""
    rows = np.zeros((len(indices), d))
    rows[np.arange(len(indices)), indices] = 1.0
    return rows


def singular_values(k: int, kappa: float) -> np.ndarray:
    """Return k values even in log between 1/kappa and kappa (their geometric mean 1 for k = 1)."""
    return np.ones(1) if k == 1 else np.geomspace(1.0 / kappa, kappa, k)


def conditioned(k: int, n: int, kappa: float, rng: np.random.Generator) -> np.ndarray:
    """W = U diag(s) V^T of shape (k, n), k <= n, with U, V Haar and s as ``singular_values``."""
    u = haar(k, k, rng)
    v = haar(n, k, rng)
    return (u * singular_values(k, kappa)) @ v.T


def row_space(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows spanning those of ``rows``; shape (rank, n)."""
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(vt[s > 1e-10 * max(s.max(initial=0.0), 1e-300)])


def extend(basis: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Append to the orthonormal ``basis`` (r, n) what ``rows`` (k, n) add to its span."""
    residual = rows - (rows @ basis.T) @ basis
    residual -= (residual @ basis.T) @ basis
    _, s, vt = np.linalg.svd(residual, full_matrices=False)
    return np.concatenate([basis, vt[s > 1e-10 * np.linalg.norm(rows)]])


def oblique(
    reference: np.ndarray, earlier: list[np.ndarray], rho: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that overlap the span of ``reference`` by the dial ``rho``.

    W = rho B W_ref + sqrt(1 - rho^2) F with B Haar orthogonal and F orthonormal rows,
    orthogonal to ``reference`` and, while the dimension has room for it, to ``earlier``.

    Parameters
    ----------
    reference : array of shape (k, n)
    earlier : list of arrays of shape (k, n)
        The F of the levels before.
    rho : float in [0, 1]

    Returns
    -------
    W, F : arrays of shape (k, n)
        F is zero where n leaves no room for it, which families allow at rho = 1 only.
    """
    k, n = reference.shape
    b = haar(k, k, rng)
    gaussian = rng.standard_normal((k, n))
    avoid = row_space(reference)
    if n - len(avoid) < k:
        return rho * b @ reference, np.zeros((k, n))
    if earlier:
        wider = extend(avoid, np.concatenate(earlier))
        if n - len(wider) >= k:
            avoid = wider
    # Twice is enough: one projection leaves a rounding error of the size of the input.
    for _ in range(2):
        gaussian = gaussian - (gaussian @ avoid.T) @ avoid
    q, r = np.linalg.qr(gaussian.T)
    fresh = (q * np.where(np.diag(r) < 0, -1.0, 1.0)).T
    return rho * b @ reference + np.sqrt(1.0 - rho**2) * fresh, fresh
