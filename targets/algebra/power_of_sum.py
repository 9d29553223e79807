"""Variance by degree of a power of a sum of many independent coordinates, exactly."""

from __future__ import annotations

import math

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.algebra.orthogonal import Univariate


def variances_of_power(weights: np.ndarray, factor: Univariate, power: int) -> tuple[float, np.ndarray]:
    """Mean of z^p, z = sum_i w_i x_i, and the variance of its part of each degree.

    For x and x' such that E pi_j(x_i) pi_j(x_i') = t^j ||pi_j||^2 and independent across i,
    E z^p z'^p = sum_k t^k ||part of degree k||^2, which is p!^2 times the coefficient of a^p b^p of

        prod_i E exp(a w_i x_i + b w_i x_i')
            = prod_i sum_{a, b, j} w_i^(a+b) / (a! b!) T[a, j] T[b, j] ||pi_j||^2 t^j a^a b^b,

    T the coefficients of powers in the monic orthogonal polynomials. No term is negative
    for a symmetric law, so that nothing cancels.

    Parameters
    ----------
    weights : array of shape (m,)
    factor : Univariate
        Law of each coordinate, symmetric.
    power : int
        p.

    Returns
    -------
    mean : float
    variances : array of shape (p + 1,)
        By degree; the entry of degree 0 is 0.
    """
    if not factor.symmetric:
        raise ValueError(refusal("factor", factor.name, "laws symmetric about 0"))
    shape = (power + 1,) * 3
    total = np.zeros(shape)
    total[0, 0, 0] = 1.0
    steps = [
        (
            a,
            b,
            j,
            factor.powers[a, j]
            * factor.powers[b, j]
            * factor.norms[j] ** 2
            / math.factorial(a)
            / math.factorial(b),
        )
        for a in range(power + 1)
        for b in range(a % 2, power + 1, 2)
        for j in range(a % 2, min(a, b) + 1, 2)
    ]
    steps = [step for step in steps if step[3] > 0.0]
    for w in np.abs(weights):
        product = np.zeros(shape)
        for a, b, j, value in steps:
            product[a:, b:, j:] += (
                value * w ** (a + b) * total[: shape[0] - a, : shape[1] - b, : shape[2] - j]
            )
        total = product
    squares = total[power, power] * float(math.factorial(power)) ** 2
    mean = math.sqrt(squares[0])
    squares[0] = 0.0
    return mean, squares
