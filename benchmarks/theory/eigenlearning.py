r"""What kernel ridge regression should learn from n samples, from the kernel's spectrum alone.

Notation of J. Simon, M. Dickens, D. Karkada & M. DeWeese, *The eigenlearning framework*, arXiv 2110.03922;
the same equations are in B. Bordelon, A. Canatar & C. Pehlevan, arXiv 2002.02561, and A. Canatar, B. Bordelon
& C. Pehlevan, Nature Communications 12, 2914 (2021). With eigenvalues :math:`\lambda_i` of the kernel under
the law of the inputs, powers :math:`v_i` of the target in their eigenspaces and the ridge :math:`\delta` of
:math:`(K + \delta I)^{-1} y`, absolute as in ``hierbench.learners.kernels.kernel_ridge`` (not multiplied by
n),

.. math::
    n = \sum_i \frac{\lambda_i}{\lambda_i + \kappa} + \frac{\delta}{\kappa}, \qquad
    L_i = \frac{\lambda_i}{\lambda_i + \kappa}, \qquad
    E_0 = \frac{n}{n - \sum_i L_i^2}, \qquad
    \text{MSE} = E_0 \Big( \sum_i (1 - L_i)^2 v_i + \sigma^2 \Big).

The derivation takes the eigenfunctions at random inputs for independent Gaussian variables. That is an
approximation at finite d, and a bad one where inputs have heavy tails: docs/theory.md has the deviations.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy

from hierbench.errors import refusal


@dataclasses.dataclass(frozen=True)
class Modes:
    """Eigenspaces of a kernel, one entry each; a degenerate eigenvalue stands once.

    Attributes
    ----------
    eigenvalues : (m,), >= 0
    multiplicities : (m,), as floats: up to 1e12 and past it.
    powers : (m,), >= 0
        Of the target: E of the square of its part in the whole eigenspace.
    tail : float
        Trace of what is not listed: eigenvalues far below the implicit regularisation, which
        act as ridge.
    unlearnable : float
        Power of the target outside all the eigenspaces listed.
    """

    eigenvalues: np.ndarray
    multiplicities: np.ndarray
    powers: np.ndarray
    tail: float = 0.0
    unlearnable: float = 0.0


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Kernel ridge regression at one n.

    Attributes
    ----------
    kappa : float
        Implicit regularisation; modes with larger eigenvalues are learned.
    learnability : (m,)
        L_i of each eigenspace, in [0, 1].
    overfitting : float
        E_0, by how much sampling inflates every error; 1 for n without bounds.
    mse : float
        Expected squared test error against noise-free labels.
    """

    kappa: float
    learnability: np.ndarray
    overfitting: float
    mse: float


def predict(modes: Modes, n: float, ridge: float, noise: float = 0.0) -> Prediction:
    """Expected test error of kernel ridge regression on n samples.

    Parameters
    ----------
    n : number of samples, > 0.
    ridge : delta >= 0 of (K + delta I)^-1 y.
    noise : variance of the noise on training labels. Test labels have none.

    Raises
    ------
    ValueError
        On n <= 0, or a negative ridge, noise or eigenvalue.
    """
    if not n > 0 or not ridge >= 0 or not noise >= 0:
        raise ValueError(f"need n > 0, ridge >= 0, noise >= 0; got n = {n}, ridge = {ridge}, noise = {noise}")
    kappa = implicit_regularisation(modes, n, ridge)
    value = modes.eigenvalues
    total = np.where(value > 0, value + kappa, 1.0)
    learned, missed = value / total, np.where(value > 0, kappa / total, 1.0)
    # n - sum L^2 from n = sum L + delta / kappa, without the cancellation
    if kappa > 0:
        left = (ridge + modes.tail) / kappa + float(modes.multiplicities @ (learned * missed))
    else:
        left = n - float(modes.multiplicities[value > 0].sum())
    overfitting = n / left if left > 0 else math.inf
    bias = float(missed**2 @ modes.powers) + modes.unlearnable
    inflated = overfitting * (bias + noise) if bias + noise > 0 else 0.0
    return Prediction(kappa, learned, overfitting, inflated - noise)


def implicit_regularisation(modes: Modes, n: float, ridge: float) -> float:
    """kappa, the root of sum_i lambda_i / (lambda_i + kappa) + (ridge + tail) / kappa = n.

    0 where there is neither a ridge nor a tail and n is at least the rank of the kernel.

    Raises
    ------
    ValueError
        On a negative eigenvalue.
    """
    if modes.eigenvalues.size and modes.eigenvalues.min() < 0:
        raise ValueError(refusal("smallest eigenvalue", float(modes.eigenvalues.min()), "numbers >= 0"))
    positive = modes.eigenvalues > 0
    value, count = modes.eigenvalues[positive], modes.multiplicities[positive]
    delta = ridge + modes.tail
    if delta == 0 and count.sum() <= n:
        return 0.0

    def excess(log_kappa: float) -> float:
        kappa = math.exp(log_kappa)
        return float(count @ (value / (value + kappa))) + delta / kappa - n

    # lambda / (lambda + kappa) <= lambda / kappa bounds the root above, delta / kappa <= n below
    high = math.log((float(count @ value) + delta) / n)
    low = math.log(delta / n) if delta > 0 else high
    while excess(low) < 0 and low > -700:
        low -= 5.0
    if excess(high) >= 0:
        return math.exp(high)
    return math.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-13, rtol=1e-14))
