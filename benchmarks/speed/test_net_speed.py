"""Steps of SGD against their peers, side by side in one run: ``make speed``.

Each group trains the same nets on the same data for the same steps: what trains all nets here; a bare scan of
the same step, jitted by jax and vectorised over nets, with nothing around it; one plain PyTorch loop a net.
sgemm says what the core can do.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from hierbench.learners.engines.minibatches import ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork, split
from hierbench.learners.engines.sgd_engine import Job, Schedule, train

STEPS, BATCH, ROWS = 128, 256, 4096
SHAPES = {"d = 20, width 30": (20, 30, 64), "d = 64, width 96": (64, 96, 8)}
"""Inputs, width, nets."""


@functools.cache
def problem(shape):
    """Network, initial parameters and data of nets that learn a product and a square."""
    d, width, n_nets = SHAPES[shape]
    network = DenseNetwork(d, depth=2, width=width)
    rng = np.random.default_rng(0)
    initial = np.stack([network.initial(rng) for _ in range(n_nets)])
    X = rng.standard_normal((n_nets, ROWS, d)).astype(np.float32)
    return network, initial, X, X[:, :, 0] * X[:, :, 1] + 0.5 * X[:, :, 2] ** 2


def engine(shape):
    network, initial, X, y = problem(shape)
    jobs = [
        Job(ShuffledEpochs(a, b), np.random.default_rng(i), learning_rate=0.01)
        for i, (a, b) in enumerate(zip(X, y, strict=True))
    ]
    train(network, initial, jobs, Schedule(steps=STEPS, batch_size=BATCH))


@functools.cache
def bare(shape):
    """Return the scan as a function without arguments: Adam on minibatches that are drawn beforehand."""
    network, initial, X, y = problem(shape)
    shapes = network.shapes()

    def loss(flat, X, y):
        return jnp.mean(jnp.square(network.forward(split(flat, shapes), X).output[:, 0] - y))

    def one(flat, X, y, rows):
        def step(state, at):
            flat, first, second = state
            slope = jax.grad(loss)(flat, X[at], y[at])
            first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
            return (flat - 0.01 * first / (jnp.sqrt(second) + 1e-8), first, second), None

        return jax.lax.scan(step, (flat, 0.0 * flat, 0.0 * flat), rows)[0][0]

    nets = jax.jit(jax.vmap(one))
    rows = np.random.default_rng(0).integers(ROWS, size=(len(X), STEPS, BATCH)).astype(np.int32)
    together = 4  # as many as the engine trains at once: all of them at once take longer
    data = [jnp.asarray(part, dtype=p) for part, p in
            ((initial, "float32"), (X, "float32"), (y, "float32"), (rows, "int32"))]  # fmt: skip

    def run():
        for i in range(0, len(X), together):
            nets(*(part[i : i + together] for part in data)).block_until_ready()

    return run


def plain(shape, n_nets):
    """So many of the nets, one after the other."""
    network, initial, X, y = problem(shape)
    for i in range(n_nets):
        flat = torch.tensor(initial[i], dtype=torch.float32, requires_grad=True)
        data, labels = torch.from_numpy(X[i]), torch.from_numpy(y[i])
        optimizer = torch.optim.Adam([flat], lr=0.01, betas=(0.9, 0.99))
        for _ in range(STEPS):
            rows = torch.randint(ROWS, (BATCH,))
            out = network.forward(network.parts(flat), data[rows]).output[:, 0]
            optimizer.zero_grad()
            (out - labels[rows]).square().mean().backward()
            torch.nn.utils.clip_grad_norm_([flat], 1.0)
            optimizer.step()


@pytest.mark.parametrize("way", ["engine", "bare jitted scan", "plain PyTorch loop"])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps(benchmark, shape, way):
    """Bar: the engine takes at most 1.15 times as long as the bare scan."""
    benchmark.group = f"{shape}, depth 2, batch {BATCH}, {STEPS} steps, one core"
    network, _, X, _ = problem(shape)
    n_nets = len(X) if way != "plain PyTorch loop" else 2
    call = {
        "engine": lambda: engine(shape),
        "bare jitted scan": lambda: bare(shape)(),
        "plain PyTorch loop": lambda: plain(shape, n_nets),
    }[way]
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)
    seconds = benchmark.stats.stats.min / n_nets / STEPS
    products = sum(a * b for a, b in (s for s in network.shapes() if len(s) == 2))
    benchmark.extra_info["microseconds a step and net"] = round(1e6 * seconds, 1)
    benchmark.extra_info["gigaflops, of the products"] = round(6e-9 * BATCH * products / seconds, 2)


def test_sgemm(benchmark):
    """What the core can do: 1024 x 1024 in float32, two billion operations."""
    a = torch.randn(1024, 1024)
    benchmark(lambda: a @ a)
    benchmark.extra_info["gigaflops"] = round(2e-9 * 1024**3 / benchmark.stats.stats.min, 1)
