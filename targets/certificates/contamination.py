"""Contamination of a level: how far its best features for y alone are from its true ones.

A level l reads u, the features h_j of the levels j in J_l below it (h_0 = x). With the levels
below exactly known and subtracted, the quadratic form in u that is best, in the population,
for the rest of y is E-least-squares over 1, u_i and u_i u_j. Were there nothing above level
l, its form would be W_l^T diag(a) W_l, and its leading eigenspace the row space of
W_l = [W_{l,j}]; what the levels above add to it turns that space away.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged
from hierbench.targets.base import Estimate
from hierbench.targets.laws.measures import Measure, Sphere
from hierbench.targets.laws.sampling import BATCH, batches, jackknife

MAX_PRODUCTS = 1000
"""Largest number of products u_i u_j in a least-squares problem."""
MAX_SAMPLED_PRODUCTS = 400
"""The same where the problem is sampled."""
MAX_ENTRIES = 30_000_000
"""Largest table of coefficients, functions times terms, of the exact problem."""
SAMPLES = 2**19
_STREAM = 105

FeaturesAndRest = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From w, shape (n, m), to u, shape (n, q), and what is left of y, shape (n,)."""


def subspace_sine(form: np.ndarray, rows: np.ndarray, constant_norm: bool = False) -> float:
    """Root mean square sine between span(rows) and the leading eigenspace of ``form``.

    Parameters
    ----------
    form : array of shape (m, m), symmetric
        Its k eigenvectors of largest absolute eigenvalue span the other space.
    rows : array of shape (k, m)
    constant_norm : bool
        Whether |x|^2 never varies, so that the form is known up to a multiple of I only: then
        the sine is that of the multiple which favours the rows most.
    """
    values, vectors = np.linalg.eigh(form)
    k = len(rows)
    if constant_norm:
        # Whatever eigenvalues count from, those nearest to it are neighbours in their order.
        left_out = [slice(i, i + len(values) - k) for i in range(k + 1)]
        tops = [np.delete(vectors, part, axis=1) for part in left_out]
    else:
        tops = [vectors[:, np.argsort(-np.abs(values))[:k]]]
    q = np.linalg.qr(rows.T)[0]
    # The residual keeps digits that 1 - cos^2 would lose near zero.
    return min(float(np.linalg.norm(q - top @ (top.T @ q)) / math.sqrt(k)) for top in tops)


def exact_sine(u: Polynomial, rest: Polynomial, rows: np.ndarray, measure: Measure) -> float:
    """Contamination from the polynomials themselves.

    Parameters
    ----------
    u : Polynomial of q functions
    rest : Polynomial of one function
        What is left of y.
    rows : array of shape (k, q)
        W_l.

    Raises
    ------
    TooManyTermsError
        Past the reach of the algebra.
    """
    i, j = np.triu_indices(u.coefficients.shape[1])
    if len(i) > MAX_PRODUCTS or len(i) * len(u.exponents) ** 2 > MAX_ENTRIES:
        raise TooManyTermsError(f"{len(i)} products of {u.n_terms} terms")
    eye = np.eye(u.coefficients.shape[1])
    products = mapped(u, eye[i]) * mapped(u, eye[j])
    n = len(i) + len(eye)
    # Only parts of the degrees that products have meet them in an inner product.
    left = measure.expand(rest)
    low = left.degrees <= int(products.degrees.max())
    left = dataclasses.replace(left, exponents=left.exponents[low], coefficients=left.coefficients[low])
    if (n + 1) * (products.n_terms + left.n_terms) > MAX_ENTRIES:
        raise TooManyTermsError(f"{n} functions of {products.n_terms} terms")
    place = np.eye(n + 1)
    features = merged([mapped(products, place[:, : len(i)]), mapped(u, place[:, len(i) : n])])
    gram = merged([measure.expand(features), mapped(left, place[:, n:])]).gram()
    return _sine(gram, len(i), rows, measure, None)


def sampled_form_sine(
    functions: FeaturesAndRest, rows: np.ndarray, measure: Measure, basis: np.ndarray | None = None
) -> Estimate:
    """Contamination by least squares on fixed-seed samples, with its jackknife standard error.

    Parameters
    ----------
    functions : callable
    rows : array of shape (k, q)
    measure : Measure
    basis : array of shape (q, d), optional
        Where u = basis x: the forms are compared in x.
    """
    moments = []
    q = rows.shape[1]
    i, j = np.triu_indices(q)
    for W in batches(SAMPLES, measure, _STREAM):
        u, rest = functions(W)
        columns = np.concatenate([np.ones((BATCH, 1)), u[:, i] * u[:, j], u, rest[:, None]], axis=1)
        moments.append(columns.T @ columns / BATCH)

    def sine(moment: np.ndarray) -> np.ndarray:
        gram = moment[1:, 1:] - np.outer(moment[0, 1:], moment[0, 1:])
        return np.array([_sine(gram, len(i), rows, measure, basis)])

    value, stderr = jackknife(np.stack(moments), sine)
    return Estimate(float(value[0]), float(stderr[0]))


def _sine(
    gram: np.ndarray, n_products: int, rows: np.ndarray, measure: Measure, basis: np.ndarray | None
) -> float:
    """Solve the normal equations of (products, linear terms) for the last function."""
    q = rows.shape[1]
    n = n_products + q
    scale = np.sqrt(np.maximum(np.diag(gram)[:n], 1e-300))
    normal = gram[:n, :n] / np.outer(scale, scale)
    # A feature that is itself a quadratic form in the others would make the form ambiguous: its
    # linear term is left out.
    products = normal[:n_products, :n_products]
    solved = np.linalg.lstsq(products, normal[:n_products, n_products:], rcond=1e-10)[0]
    left = np.diag(normal[n_products:, n_products:]) - np.einsum(
        "ij,ij->j", normal[:n_products, n_products:], solved
    )
    kept = np.concatenate([np.arange(n_products), n_products + np.flatnonzero(left > 1e-8)])
    solution = np.linalg.lstsq(normal[np.ix_(kept, kept)], gram[kept, n] / scale[kept], rcond=1e-10)[0]
    coefficients = solution[:n_products] / scale[:n_products]
    form = np.zeros((q, q))
    i, j = np.triu_indices(q)
    form[i, j] += coefficients / 2.0
    form[j, i] += coefficients / 2.0
    if basis is not None:
        return subspace_sine(basis.T @ form @ basis, rows @ basis, isinstance(measure, Sphere))
    # What never varies among the features (on a sphere the sum of all squares) tells no form
    # from another.
    values, vectors = np.linalg.eigh(gram[n_products:n, n_products:n])
    varies = vectors[:, values > 1e-10 * values[-1]]
    return subspace_sine(varies.T @ form @ varies, rows @ varies)


def independent_form(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Batch estimate of the form in u_i = (z_i^2 - 1) / sqrt(2), z standard Gaussian; shape (m, m).

    The u_i are independent: no equations to solve, at any m. u^2 - 2 sqrt(2) u - 1 =
    sqrt(6) He_4 / sqrt(24), see ``ProductSeries.form_in_squares``.
    """
    u = (np.square(z) - 1.0) / math.sqrt(2.0)
    form = u.T @ (y[:, None] * u) / len(z)
    diagonal = (np.diag(form) - 2.0 * math.sqrt(2.0) * (y @ u) / len(z) - y.mean()) / 6.0
    form = form / 2.0
    np.fill_diagonal(form, diagonal)
    return np.asarray(form)


def sampled_independent_sine(batches_of: Sequence[np.ndarray], rows: np.ndarray) -> Estimate:
    """Contamination from the forms of ``independent_form``, one a batch."""
    value, stderr = jackknife(np.stack(batches_of), lambda form: np.array([subspace_sine(form, rows)]))
    return Estimate(float(value[0]), float(stderr[0]))
