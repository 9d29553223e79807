"""Shares of variance by degree of a function on a list of sentences, all equally probable."""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

MAX_ENTRIES = 2**19
"""Entries of the largest design matrix that the least squares may form (a few seconds)."""

TOLERANCE = 1e-12
"""Of the least squares, relative. An exact fit that ended at 1e-10 could miss ``GRADIENT``."""

GRADIENT = 1e-8
"""Of the squares that are left, relative, where they have converged. An error of this size in the fit is of
its square in a share."""

MAX_ITERATIONS = 4000

_NEGLIGIBLE = 1e-12  # a share, past which the rest is rounding


def degree_shares(leaves: np.ndarray, labels: np.ndarray, vocabulary: int) -> dict[int, float] | None:
    """Share of Var y by degree: of P_{<=k} y - P_{<=k-1} y, under the uniform law on the rows.

    P_{<=k} projects on the sums of functions of k leaves, which are the polynomials of degree k
    in the one-hot leaves. Where the rows are all strings over the vocabulary, the leaves are
    independent and the label is expanded in products of functions of one leaf (Efron & Stein,
    Ann. Statist. 9, 1981). Else by least squares on the indicators of all values of all k
    leaves, of what lower degrees have left.

    Parameters
    ----------
    leaves : int array of shape (n, k)
        Distinct rows, entries below ``vocabulary``.
    labels : array of shape (n,)
        Of mean 0.
    vocabulary : int

    Returns
    -------
    shares : mapping degree -> share
        Up to the last degree that has any; sums to 1. None past the reach of least squares.
    """
    n, k = leaves.shape
    if n == vocabulary**k:
        shares = _of_independent_leaves(leaves, labels, vocabulary)
    elif max(math.comb(k, p) for p in range(1, k + 1)) * n > MAX_ENTRIES:
        return None
    else:
        fitted = _by_least_squares(leaves, labels, vocabulary)
        if fitted is None:
            return None
        shares = fitted
    top = max(p for p, share in enumerate(shares) if share > _NEGLIGIBLE)
    return {p: shares[p] for p in range(1, top + 1)}


def _of_independent_leaves(leaves: np.ndarray, labels: np.ndarray, v: int) -> list[float]:
    k = leaves.shape[1]
    # Orthonormal functions on the vocabulary, the constant first.
    basis = np.linalg.qr(np.column_stack([np.ones(v), np.eye(v)[:, 1:]]))[0]
    expansion = np.empty(len(labels))
    expansion[leaves @ v ** np.arange(k - 1, -1, -1)] = labels
    degrees = np.zeros(1, dtype=np.int64)
    for _ in range(k):  # each turn transforms the leading leaf and makes it the last
        expansion = (expansion.reshape(v, -1).T @ basis).ravel()
        degrees = np.add.outer(degrees, np.arange(v) > 0).ravel()
    powers = np.bincount(degrees, weights=expansion**2, minlength=k + 1)
    return [float(p) for p in powers / powers.sum()]


def _by_least_squares(leaves: np.ndarray, labels: np.ndarray, v: int) -> list[float] | None:
    k = leaves.shape[1]
    rest = np.asarray(labels, dtype=np.float64)
    total = float(rest @ rest)
    shares = [0.0] * (k + 1)
    for degree in range(1, k + 1):
        if float(rest @ rest) <= _NEGLIGIBLE * total:
            break
        if degree == k:  # every label is a function of all leaves
            shares[k] = float(rest @ rest) / total
            break
        design = _indicators(leaves, degree, v)
        solution = scipy.sparse.linalg.lsqr(
            design, rest, atol=TOLERANCE, btol=TOLERANCE, conlim=0.0, iter_lim=MAX_ITERATIONS
        )
        part = design @ solution[0]
        rest = rest - part
        if np.linalg.norm(design.T @ rest) > GRADIENT * math.sqrt(total):
            return None  # not converged: no number rather than a wrong one
        shares[degree] = float(part @ part) / total
    return shares


def _indicators(leaves: np.ndarray, degree: int, v: int) -> scipy.sparse.csr_matrix:
    """Matrix of indicators of the values of every ``degree`` leaves, columns of norm 1."""
    n, k = leaves.shape
    columns, width = [], 0
    for chosen in itertools.combinations(range(k), degree):
        codes = leaves[:, chosen] @ v ** np.arange(degree)
        number = np.unique(codes, return_inverse=True)[1]
        columns.append(number + width)
        width += int(number.max()) + 1
    indices = np.stack(columns, axis=1).ravel()
    scale = 1.0 / np.sqrt(np.bincount(indices))
    starts = np.arange(0, len(indices) + 1, len(columns))
    return scipy.sparse.csr_matrix((scale[indices], indices, starts), shape=(n, width))
