"""Timings, side by side in one run: ``make speed``. Tests hold no timings, this holds no tests."""

import numpy as np
import pytest
from sklearn.base import clone

from learners.base import Curve
from learners.densenet import DenseNetRegressor
from learners.kernel_ridge import KernelRidgeRBF
from learners.two_layer import TwoLayerRegressor
from targets.registry import make_target

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


@pytest.mark.benchmark(group="10^5 rows of a degree-8 target, d = 100")
@pytest.mark.parametrize("what", ["inputs only", "inputs and labels"])
def test_sampling(benchmark, what):
    target = make_target("projected", d=100, seed=0, depth=3, width=3)
    target.sample(10, np.random.default_rng(0))  # constants are computed at first use
    draw = target.sample_inputs if what == "inputs only" else target.sample
    benchmark(lambda: draw(100_000, np.random.default_rng(0)))
