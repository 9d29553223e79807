"""Timings, side by side in one run: ``make speed``. Tests hold no timings, this holds no tests."""

import numpy as np
import pytest
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.learners.nets.two_layer import TwoLayerRegressor
from hierbench.targets.registry import make_target

NETS = DenseNetRegressor(steps=128, learning_rate=0.02, weight_decay=0.03, random_state=0)


def block(d: int, sizes: tuple[int, ...]) -> list[Curve]:
    """Four replicates of one learning curve on rotated squares."""
    targets = [make_target("squares", d=d, seed=s, depth=2, width=3) for s in range(4)]
    return [Curve(*t.sample(sizes[-1], np.random.default_rng(s)), sizes, s) for s, t in enumerate(targets)]


def one_by_one(learner, curves: list[Curve]) -> None:
    for curve in curves:
        for n in curve.sizes:
            clone(learner).fit(curve.X[:n], curve.y[:n])


@pytest.mark.benchmark(group="DenseNet, d = 16, 12 nets x 128 steps")
@pytest.mark.parametrize("way", ["batched", "one by one"])
def test_nets(benchmark, way):
    curves = block(16, (500, 1000, 2000))
    if way == "batched":
        benchmark(clone(NETS).fit_curves, curves)
    else:
        benchmark(one_by_one, NETS, curves)


@pytest.mark.benchmark(group="two-layer net of width 256, d = 16, 4 nets x 128 steps")
@pytest.mark.parametrize("activation", ["power", "relu"])
def test_two_layer(benchmark, activation):
    learner = TwoLayerRegressor(activation, steps=128, learning_rate=0.02, weight_decay=0.0)
    benchmark(learner.fit_curves, block(16, (1000,)))


@pytest.mark.benchmark(group="Gaussian kernel, 5 sizes up to 1600, tuned")
@pytest.mark.parametrize("way", ["prefixes of one factorisation", "one by one"])
def test_kernels(benchmark, way):
    curves = block(8, (100, 200, 400, 800, 1600))[:1]
    learner = KernelRidgeRBF()
    if way == "one by one":
        benchmark.pedantic(one_by_one, (learner, curves), rounds=3)
    else:
        benchmark.pedantic(learner.fit_curves, (curves,), rounds=3)


def plain_formula(target, X: np.ndarray) -> np.ndarray:
    """The definition of a hierarchy line by line: its matrix products and element-wise passes."""
    weights, constants = target.weight_matrices, target.constants
    y = np.zeros(len(X))
    for start in range(0, len(X), 2048):
        rows = slice(start, start + 2048)
        h = [X[rows]]
        for level in range(1, target.depth + 1):
            sources = [(j, w) for (i, j), w in weights.items() if i == level]
            s = sum(h[j] @ w.T for j, w in sources) if sources else h[0] @ target.rotation.T
            c = constants.levels[level]
            mean, sd = (np.array([e.value for e in v]) for v in (c.mean, c.sd))
            h.append((np.square(s) - mean) / sd)
            if level in target.alphas:
                y[rows] += target.alphas[level] / constants.scale.value / c.sum_sd.value * h[-1].sum(axis=1)
    return y


@pytest.mark.parametrize("inputs", ["gaussian", "sphere", "cube"])
@pytest.mark.parametrize("family", ["projected", "squares"])
@pytest.mark.parametrize("what", ["sample", "inputs and plain formula"])
def test_sampling(benchmark, family, inputs, what):
    """Bar: the first at most 1.5 times the second."""
    benchmark.group = f"10^5 rows of {family}, degree 8, d = 100, {inputs}"
    target = make_target(family, d=100, seed=0, depth=3, width=3, inputs=inputs)
    X, y = target.sample(1000, np.random.default_rng(0))  # constants are computed at first use
    np.testing.assert_allclose(plain_formula(target, X), y, rtol=1e-6, atol=1e-6)
    if what == "sample":
        benchmark(lambda: target.sample(100_000, np.random.default_rng(0)))
    else:
        benchmark(lambda: plain_formula(target, target.sample_inputs(100_000, np.random.default_rng(0))))
