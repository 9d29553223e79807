"""One spectral level: whitening, the second moment of the labels, and its leading directions."""

from __future__ import annotations

import dataclasses

import numpy as np

SHRINKS = tuple(10.0 ** np.arange(-4, 5, 1.0)) + (np.inf,)
"""Ridges of the linear part, in units of the sample size, in whitened coordinates; inf: the mean alone."""
FLOOR = 1e-8
"""Variances below this share of the largest are rounding: the level does not see them."""


@dataclasses.dataclass(frozen=True)
class SpectralLevel:
    """p = (z - centre) directions, with W = covariance^(-1/2) of z contained in ``directions``.

    centre : (D,); directions : (D, r), W times orthonormal columns; spectrum : eigenvalues of the second
    moment in the order of the columns, largest absolute value first.
    """

    centre: np.ndarray
    directions: np.ndarray
    spectrum: np.ndarray

    def project(self, z: np.ndarray) -> np.ndarray:
        """Whitened projections, (n, r)."""
        return (z - self.centre) @ self.directions


def whitening(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and the (D, rank) map under which the sample has unit covariance.

    Where nothing varies, one direction stands for all.
    """
    centre = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov(z.T, bias=True).reshape(z.shape[1], z.shape[1]))
    kept = values > max(FLOOR * values[-1], np.finfo(float).tiny)
    if not kept.any():
        return centre, vectors[:, -1:]
    root = vectors[:, kept] / np.sqrt(values[kept])
    # Symmetric where nothing is left out, so that white inputs keep their axes.
    return centre, root @ vectors.T if kept.all() else root


def linear_part(w: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear ridge regression on white w: coefficients (D,), and exact leave-one-out residuals (n,).

    White columns share one shrinkage s = 1 / (1 + ridge), chosen by the leave-one-out error: the fit is
    mean(y) + s w.b with b = mean(w y), the leverage (1 + s |w|^2) / n.
    """
    n = len(y)
    b = w.T @ (y - y.mean()) / n
    fitted, norms = w @ b, np.square(w).sum(1)
    best, chosen = np.inf, (0.0 * b, y - y.mean())
    for ridge in SHRINKS:
        s = 1 / (1 + ridge)
        left = 1 - (1 + s * norms) / n
        if left.min() <= 1e-9:
            continue
        residuals = (y - y.mean() - s * fitted) / left
        error = float(np.mean(np.square(residuals)))
        if error < best:
            best, chosen = error, (s * b, residuals)
    return chosen


def second_moment(w: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Mean of e (w w^T - I), half the second Hermite coefficient's tensor for Gaussian w; (D, D)."""
    return (w.T * e) @ w / len(e) - e.mean() * np.eye(w.shape[1])


def spectral_level(z: np.ndarray, y: np.ndarray, linear: bool) -> SpectralLevel:
    """All directions of z, the leading ones of the second moment of what is not linear first.

    linear : the direction of the linear part comes first of all (its entry of ``spectrum`` is its length),
    and the others are orthogonal to it.
    """
    centre, W = whitening(z)
    w = (z - centre) @ W
    b, residuals = linear_part(w, y)
    moment = second_moment(w, residuals)
    first = np.empty((len(b), 0))
    length = float(np.linalg.norm(b))
    if linear and length > 0:
        first = (b / length)[:, None]
        rest = np.eye(len(b)) - first @ first.T
        moment = rest @ moment @ rest
    values, vectors = np.linalg.eigh(moment)
    order = np.argsort(-np.abs(values), kind="stable")[: len(b) - first.shape[1]]
    vectors = vectors[:, order]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    vectors = np.hstack([first, vectors * np.where(signs == 0, 1.0, signs)])
    return SpectralLevel(centre, W @ vectors, np.concatenate([[length] * first.shape[1], values[order]]))
