"""The NTK learner against closed forms, finite nets, and the scikit-learn contract."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from fair_grid import best_on_the_test_set
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.net_kernels.ntk import BLOCK, NeuralTangentKernel, NTKRegressor
from hierbench.targets.registry import make_target


def arc_cosine_kernels(A, B, depth, bias):
    """NNGP and NTK of a ReLU net with W_std = sqrt(2): the arc-cosine recursion of Cho & Saul (2009)."""
    d = A.shape[1]
    S = 2 * A @ B.T / d + bias**2
    a = 2 * np.square(A).sum(1)[:, None] / d + bias**2
    b = 2 * np.square(B).sum(1)[None, :] / d + bias**2
    T = S.copy()
    for _ in range(depth):
        norms = np.sqrt(a * b)
        cosine = np.clip(S / norms, -1, 1)
        angle = np.arccos(cosine)
        sine = np.sqrt(1 - cosine**2)
        S = norms * (sine + (np.pi - angle) * cosine) / np.pi + bias**2
        T = S + T * (np.pi - angle) / np.pi
        a, b = a + bias**2, b + bias**2
    return S, T


def ours(A, B, depth, bias, intercept=0.0):
    out = torch.empty((len(A), len(A if B is None else B)), dtype=torch.float64)
    B = None if B is None else torch.from_numpy(B)
    NeuralTangentKernel(intercept).gram(torch.from_numpy(A), B, (float(depth), bias), out)
    return out.numpy()


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_kernel_is_the_arc_cosine_recursion(depth, bias):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((BLOCK + 7, 6)), rng.standard_normal((30, 6))
    unit = np.ones((1, 6))
    _, scale = arc_cosine_kernels(unit, unit, depth, bias)
    _, T = arc_cosine_kernels(A, B, depth, bias)
    np.testing.assert_allclose(ours(A, B, depth, bias, 0.3), T / scale + 0.3, rtol=1e-8, atol=1e-8)
    # arccos loses digits on the diagonal of the twin, so that is compared through its square root of eps.
    _, T = arc_cosine_kernels(A, A, depth, bias)
    off = ~np.eye(len(A), dtype=bool)
    found = ours(A, None, depth, bias)
    np.testing.assert_allclose(found[off], (T / scale)[off], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(np.diag(found), np.diag(T / scale), rtol=1e-6)
    np.testing.assert_array_equal(found, found.T)


def test_diagonal_is_the_limit_of_the_closed_form():
    """At equal points the angle is 0: S <- S + b^2, T <- S + T."""
    x = np.random.default_rng(1).standard_normal((5, 4))
    S = T = 2 * np.square(x).mean(1) + 0.49
    for _ in range(3):
        S = S + 0.49
        T = T + S
    S1 = T1 = 2 + 0.49
    for _ in range(3):
        S1 = S1 + 0.49
        T1 = T1 + S1
    np.testing.assert_allclose(np.diag(ours(x, None, 3, 0.7)), T / T1, rtol=1e-14)


@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_neural_tangents_kernels_are_the_closed_forms(which):
    import jax

    from hierbench.learners.net_kernels.neural_tangents_compat import load

    stax = load().stax
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((20, 6)), rng.standard_normal((30, 6))
    layers = [stax.Dense(1, W_std=2**0.5, b_std=0.4)]
    for _ in range(3):
        layers += [stax.Relu(), stax.Dense(1, W_std=2**0.5, b_std=0.4)]
    expected = dict(zip(("nngp", "ntk"), arc_cosine_kernels(A, B, 3, 0.4), strict=True))[which]
    with jax.enable_x64(True):
        found = np.asarray(stax.serial(*layers)[2](A, B, which))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_finite_nets_approach_the_kernel():
    """Empirical NTK (Jacobian contraction) of 200 nets of width 512, within its own standard error."""
    import jax

    from hierbench.learners.net_kernels.neural_tangents_compat import load

    nt = load()
    X = np.random.default_rng(2).standard_normal((4, 5))
    width, nets = 512, 200
    layers = []
    for _ in range(2):
        layers += [nt.stax.Dense(width, W_std=2**0.5, b_std=0.3), nt.stax.Relu()]
    init, apply, _ = nt.stax.serial(*layers, nt.stax.Dense(1, W_std=2**0.5, b_std=0.3))
    empirical = nt.empirical_ntk_fn(apply, implementation=nt.NtkImplementation.JACOBIAN_CONTRACTION)
    with jax.enable_x64(True):
        one = jax.jit(lambda key: empirical(X, None, init(key, (-1, 5))[1]))
        draws = np.stack([np.asarray(one(jax.random.key(i))) for i in range(nets)])
    error = draws.std(0, ddof=1) / np.sqrt(nets)
    _, expected = arc_cosine_kernels(X, X, 2, 0.3)
    # The bias of finite width is O(1 / width) of the kernel.
    assert np.all(np.abs(draws.mean(0) - expected) < 4 * error + 2 / width * np.abs(expected).max())


def test_curves_are_fits_size_by_size():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(500)
    estimator = NTKRegressor()
    [curve] = estimator.fit_curves([Curve(X, y, (30, 150, 400), 0)])
    for n, fast, predicted in zip((30, 150, 400), curve.estimators, curve.predict(X[400:]), strict=True):
        slow = clone(estimator).fit(X[:n], y[:n])
        assert slow.hyperparameters_ == fast.hyperparameters_
        assert slow.fit_report_.flops == fast.fit_report_.flops
        np.testing.assert_allclose(slow.predict(X[400:]), predicted, atol=1e-8)
    mse = np.mean((predicted - y[400:]) ** 2)
    assert mse < 0.5 * np.var(y[400:])


def test_fixed_parameters_stay():
    X = np.random.default_rng(0).standard_normal((40, 3))
    model = NTKRegressor(depth=2, bias=0.1, ridge=1e-3).fit(X, X[:, 0])
    assert model.hyperparameters_ == {"depth": 2.0, "bias": 0.1, "ridge": 1e-3}
    for bad in ({"depth": 0}, {"depth": 1.5}, {"bias": -1.0}, {"ridge": -1.0}, {"intercept": -1.0}):
        with pytest.raises(ValueError, match="allowed are"):
            NTKRegressor(**bad).fit(X, X[:, 0])


SCRIPT = """
import json, sys
import hierbench.learners.net_kernels.ntk
heavy = [m for m in ("jax", "tensorflow", "neural_tangents") if m in sys.modules]
import numpy as np
rng = np.random.default_rng(0)
X = rng.standard_normal((300, 4))
model = hierbench.learners.net_kernels.ntk.NTKRegressor(depth=[1, 3], bias=0.1).fit(X, X[:, 0] * X[:, 1])
print(json.dumps([heavy, "tensorflow" in sys.modules, model.predict(X).tobytes().hex()]))
"""


@pytest.mark.slow
def test_importing_is_cheap_and_two_processes_give_the_same_bits():
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(2)
    ]
    assert runs[0][0] == []
    assert runs[0][1] is False
    assert runs[0][2] == runs[1][2]


@pytest.mark.slow
def test_tuning_is_within_a_tenth_of_the_best_of_a_ten_times_larger_grid():
    """A check of ours, never used for fitting; see test_kernel_ridge.py for its twin."""
    n, ridges, ratios = 300, np.geomspace(1e-10, 1e2, 25), []
    shapes = [(depth, bias) for depth in range(1, 7) for bias in (0.0, 0.03, 0.1, 0.3, 0.6, 1.0, 1.7, 3.0)]
    for seed in range(3):
        target = make_target("squares", d=6, seed=seed, depth=2, width=3)
        X, y = target.sample(n + 1200, np.random.default_rng(seed))
        tuned = NTKRegressor().fit(X[:n], y[:n])
        assert len(shapes) * len(ridges) >= 10 * tuned.fit_report_.steps
        mse = np.mean((tuned.predict(X[n:]) - y[n:]) ** 2)
        best = best_on_the_test_set(tuned._kernel(), shapes, ridges, X[:n], y[:n], X[n:], y[n:])
        ratios.append(mse / best)
    assert np.exp(np.mean(np.log(ratios))) <= 1.1, ratios
