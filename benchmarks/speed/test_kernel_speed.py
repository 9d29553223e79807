"""A learning curve of kernel ridge regression against its peers, side by side in one run: ``make speed``."""

import functools

import numpy as np
import pytest
from scipy.linalg import cholesky
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV

from hierbench.learners.base import Curve
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.targets.registry import make_target

D, DEGREE, SIZES, TEST = 16, 4, (512, 724, 1024, 1448, 2048, 2896, 3500, 4096), 2000
RIDGES = (1e-8, 1e-6, 1e-4, 1e-2, 1.0)


@functools.cache
def data():
    """Inputs and labels of noisy rotated squares, and test inputs."""
    target = make_target("squares", d=D, seed=0, depth=2, width=3)
    rng = np.random.default_rng(0)
    X, y = target.sample(SIZES[-1], rng)
    return X, y + 0.1 * rng.standard_normal(len(y)), target.sample_inputs(TEST, rng)


def engine():
    X, y, X_test = data()
    learner = KernelRidgePolynomial(degree=DEGREE, offset=1.0, ridge=RIDGES)
    learner.fit_curves([Curve(X, y, SIZES, 0)])[0].predict(X_test)


def bare():
    """The kernel matrix and a Cholesky factor a ridge, at the largest size: neither solved nor compared."""
    X, _, _ = data()
    K = X @ (X.T / (2 * D))
    K += 0.5
    for _ in range(2):  # to the fourth power
        K *= K
    for ridge in RIDGES:
        shifted = K.T.copy(order="F")
        shifted.flat[:: len(K) + 1] += ridge
        cholesky(shifted, lower=True, overwrite_a=True, check_finite=False)


def grid_search():
    """Cross-validation in five parts, size by size."""
    X, y, X_test = data()
    kernel = KernelRidge(kernel="poly", degree=DEGREE, gamma=1 / (2 * D), coef0=0.5)
    for n in SIZES:
        GridSearchCV(kernel, {"alpha": RIDGES}).fit(X[:n], y[:n]).predict(X_test)


@pytest.mark.parametrize("way", [engine, bare, grid_search], ids=lambda way: way.__name__)
def test_curve(benchmark, way):
    """Bars: at most 0.7 times as long as the bare factors, and a twelfth of the grid search."""
    benchmark.group = f"polynomial kernel, 8 sizes to {SIZES[-1]}, {len(RIDGES)} ridges, {TEST} predictions"
    benchmark.pedantic(
        way, rounds=1 if way is grid_search else 3, warmup_rounds=0 if way is grid_search else 1
    )


def test_dgemm(benchmark):
    """What the core can do: 1024 x 1024 in float64, two billion operations."""
    a = np.random.default_rng(0).standard_normal((1024, 1024))
    benchmark(lambda: a @ a)
    benchmark.extra_info["gigaflops"] = round(2e-9 * 1024**3 / benchmark.stats.stats.min, 1)
