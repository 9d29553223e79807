"""Second moments of quadratic forms, and of products of two, from traces: exact in any dimension."""

from __future__ import annotations

import numpy as np

from hierbench.targets.laws.inputs import Reduction
from hierbench.targets.laws.measures import Product


def second_order(
    forms: np.ndarray, linear: np.ndarray, quadratic: np.ndarray
) -> tuple[float, np.ndarray, float]:
    """Mean, degree-2 part and variance in degree 4 of b . s + s^T B s, s_k = t^T F_k t, t ~ N(0, I).

    With M = sum_kl B_kl F_k (x) F_l, the part of degree 4 is the Hermite tensor of Sym M, whose
    variance 4! |Sym M|^2 = 8 (<M, M_ij,kl> + 2 <M, M_ik,jl>); contracting M once over each of the four
    pairs across its factors leaves the quadratic form 4 sum_kl B_kl F_k F_l, and contracting it twice
    the mean 2 sum_kl B_kl tr(F_k F_l).

    Parameters
    ----------
    forms : array of shape (r, d, d)
        Symmetric and traceless.
    linear : array of shape (r,)
        b.
    quadratic : array of shape (r, r)
        B, symmetric.

    Returns
    -------
    mean : float
    form : array of shape (d, d)
        G of the part of degree 2, t^T G t - tr G; its variance is 2 |G|^2.
    variance : float
        Of the part of degree 4.
    """
    flat = forms.reshape(len(forms), -1)
    gram = flat @ flat.T
    mixed = np.tensordot(quadratic, forms, 1)
    middle = np.einsum("kab,kbc->ac", forms, mixed)
    form = np.tensordot(linear, forms, 1) + 2.0 * (middle + middle.T)
    aligned = float(np.sum((quadratic @ gram) * (gram @ quadratic)))
    products = np.einsum("kab,lbc->klac", forms, forms, optimize=True)
    # <M, M_ik,jl> = sum B_kl B_mn tr(F_k F_n F_l F_m), F_k F_n and F_l F_m from the same table.
    traces = np.einsum("knab,lmba->klmn", products, products, optimize=True)
    crossed = float(np.einsum("kl,mn,klmn->", quadratic, quadratic, traces))
    return 2.0 * float(np.sum(quadratic * gram)), form, 8.0 * (aligned + 2.0 * crossed)


def covariance_of_forms(matrices: np.ndarray, reduction: Reduction) -> np.ndarray:
    """Covariance of t^T A_i t for symmetric A_i, shapes (r, q, q) -> (r, r).

    For independent w of variance 1, Cov(w^T A w, w^T B w) = 2 tr(A B) + sum_i (E w_i^4 - 3) A_ii B_ii;
    on the sphere of radius sqrt(d), 2 d / (d + 2) (tr(A B) - tr A tr B / d).
    """
    forms = reduction.matrix.T @ matrices @ reduction.matrix
    flat = forms.reshape(len(forms), -1)
    diagonals = np.diagonal(forms, axis1=1, axis2=2)
    measure = reduction.measure
    if isinstance(measure, Product):
        fourth = np.array([f.norms[2] ** 2 + f.a[1] ** 2 + 1.0 for f in measure.factors])
        return np.asarray(2.0 * flat @ flat.T + (diagonals * (fourth - 3.0)) @ diagonals.T)
    d, traces = reduction.coordinates.shape[1], diagonals.sum(axis=1)
    return np.asarray(2.0 * d / (d + 2.0) * (flat @ flat.T - np.outer(traces, traces) / d))
