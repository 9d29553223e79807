"""Gram matrices of composed kernels, as the learners compute them and fused, side by side: ``make speed``.

Three rivals of what is there: the elementwise functions as one program of jax over the matrix of inner
products; the same block by block, where one triangle is computed and mirrored; and such blocks in PyTorch.
Each line printed is a ratio: CPU seconds of what is there over those of a rival, the least of several rounds
that take turns. Compilation, on top of the first call, is apart.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from hierbench.learners.base import Curve
from hierbench.learners.engines.linear_algebra import product
from hierbench.learners.kernels import dot_product_weights
from hierbench.learners.kernels.dot_product import DotProductKernel
from hierbench.learners.net_kernels import dual_activations
from hierbench.learners.net_kernels.compositional import CompositionalKernel
from hierbench.learners.net_kernels.infinite_width import DenseKernel, DenseNetKernel, InfiniteWidthKernel
from hierbench.learners.net_kernels.ntk import NeuralTangentKernel
from hierbench.learners.registry import make_learner
from hierbench.targets.registry import make_target

D, SIDE = 12, 256
"""Inputs; rows and columns of a block."""
_ONE = torch.ones((1, 1), dtype=torch.float64)


# duals in operations of jax: those of ``dual_activations`` line by line ------------------------------


def relu(s, a, b):
    norms = jnp.maximum(jnp.sqrt(a * b), 1e-300)
    cosine = jnp.clip(s / norms, -1, 1)
    slope = 1 - jnp.arccos(cosine) / math.pi
    return norms * (jnp.sqrt((1 - cosine) * (1 + cosine)) / math.pi + slope * cosine), slope


def erf(s, a, b):
    norms, scale = (1 + 2 * a) * (1 + 2 * b), 1 / math.asin(2 / 3)
    value = jnp.arcsin(jnp.clip(2 * s / jnp.sqrt(norms), -1, 1))
    return scale * value, 2 * scale / jnp.sqrt(norms - 4 * s * s)


def quadratic(s, a, b):
    return (a * b + 2 * s * s) / 3, 4 * s / 3


def centred_square(s, a, b):
    return (a - 1) * (b - 1) / 2 + s * s, 2 * s


DUALS = {"relu": relu, "erf": erf, "quadratic": quadratic}
COSINE_DUALS = {
    "relu": lambda c: relu(c, 1.0, 1.0)[0],
    "quadratic": lambda c: (1 + 2 * c * c) / 3,
    "quartic": lambda c: (9 + 72 * c**2 + 24 * c**4) / 105,
    "exponential": lambda c: jnp.exp(c - 1),
}


def dense(s, a, b, depth, bias, *, dual, tangent):
    shift = bias**2
    norm = 1 / (1 + shift)
    s, a, b = (s + shift) * norm, (a + shift) * norm, (b + shift) * norm
    t = s
    for _ in range(depth):
        value, slope = dual(s, a, b)
        t = (value + shift + slope * t) * norm if tangent else t
        s = (value + shift) * norm
        a, b = ((dual(q, q, q)[0] + shift) * norm for q in (a, b))
    return t if tangent else s


def relu_ntk(s, a, b, depth, bias, *, dual=relu):
    s, a, b = (2 * q + bias**2 for q in (s, a, b))
    t = s
    for _ in range(depth):
        value, slope = dual(s, a, b)
        s, a, b = value + bias**2, a + bias**2, b + bias**2
        t = s + slope * t
    return t


@dataclasses.dataclass(frozen=True)
class ReluNTK(InfiniteWidthKernel):
    """What ``NeuralTangentKernel`` computes with neural-tangents, in closed form; shape = (depth, bias)."""

    intercept: float

    def block(self, s, a, b, shape):
        return relu_ntk(s, a, b, int(shape[0]), shape[1], dual=dual_activations.relu)


def densenet(s, a, b, depth, bias, share):
    shift = bias**2
    norm, features, tangents = 1 / (1 + shift), [0 * s, 0 * a, 0 * b], 0 * s
    for level in range(1, depth + 1):
        first, weight = (1.0, 0.0) if level == 1 else (share, (1 - share) / (level - 1))
        S, p, q = ((shift + first * x + weight * h) * norm for x, h in zip((s, a, b), features, strict=True))
        value, slope = centred_square(S, p, q)
        tangents = tangents + slope * (S + weight * norm * tangents)
        new = (value, centred_square(p, p, p)[0], centred_square(q, q, q)[0])
        features = [h + more for h, more in zip(features, new, strict=True)]
    return 1 + s + features[0] + tangents


def compositional(s, a, b, depth, bias, homogeneity, *, dual):
    shift = bias**2
    a, b = (jnp.sqrt(q + shift) for q in (a, b))
    c = jnp.clip((s + shift) / a / b, -1, 1)
    for _ in range(depth):
        c = dual(c)
    return c * a**homogeneity * b**homogeneity


def power_series(s, a, b, depth, *weights):
    result = weights[depth] + 0 * s
    for weight in weights[depth - 1 :: -1] if depth else ():
        result = result * s + weight
    return result


@functools.cache
def jitted(kernel, depth, which):
    """The kernel of a block as one program, ``program(s, a, b, scale, intercept, *shape[1:])``."""
    block: Callable[..., Any]
    if isinstance(kernel, CompositionalKernel):
        block = functools.partial(compositional, dual=COSINE_DUALS[kernel.activations[which]])
    elif isinstance(kernel, DenseNetKernel):
        block = densenet
    elif isinstance(kernel, ReluNTK):
        block = relu_ntk
    elif isinstance(kernel, DenseKernel):
        dual = DUALS[kernel.activations[which]]
        block = functools.partial(dense, dual=dual, tangent=kernel.tangent)
    else:
        block = power_series
    return jax.jit(lambda s, a, b, scale, intercept, *p: block(s, a, b, depth, *p) * scale + intercept)


def fused(kernel, shape):
    """The program with its numbers, ``f(s, a, b)``."""
    if isinstance(kernel, DotProductKernel):
        program, numbers, scale, intercept = jitted(kernel, len(shape) - 1, 0), shape, 1.0, 0.0
    else:
        place = 2 if isinstance(kernel, DenseKernel) else 3  # of what picks the activation
        which = int(shape[place]) if len(shape) > place else 0
        program, numbers = jitted(kernel, int(shape[0]), which), shape[1:place]
        scale, intercept = 1 / float(kernel.block(_ONE, _ONE, _ONE, shape)), kernel.intercept
    return lambda s, a, b: program(s, a, b, scale, intercept, *numbers)


def plain_block(kernel, shape):
    """The same in PyTorch."""
    if isinstance(kernel, DotProductKernel):

        def horner(s, a, b):
            result = torch.full_like(s, shape[-1])
            for weight in shape[-2::-1]:
                result.mul_(s).add_(weight)
            return result

        return horner
    scale = 1 / float(kernel.block(_ONE, _ONE, _ONE, shape))
    return lambda s, a, b: kernel.block(s, a, b, shape) * scale + kernel.intercept


# ways to a Gram matrix k(A, A) ------------------------------------------------------------------------


def squares(A):
    return A.square().sum(1, keepdim=True) / A.shape[1]


def whole(kernel, A, shape, out):
    """One program over the whole matrix; to jax and back without a copy, then into ``out``."""
    a, s = squares(A), product(A / A.shape[1], A.T)
    with jax.enable_x64(True):
        result = fused(kernel, shape)(jnp.from_dlpack(s), a.numpy(), a.numpy().T)
        out.copy_(torch.from_dlpack(result))
    out.diagonal().copy_(plain_block(kernel, shape)(a, a, a)[:, 0])


def triangle(block, A, a, out):
    """Compute square blocks of one shape up to the diagonal, and mirror them."""
    n = len(A)
    filled = np.ones((-(-n // SIDE) * SIDE, A.shape[1] + 1))
    filled[:n, :-1], filled[:n, -1:] = A.numpy(), a.numpy()
    parts = [filled[i : i + SIDE] for i in range(0, n, SIDE)]
    for i, left in enumerate(parts):
        rows, scaled = slice(i * SIDE, min(n, (i + 1) * SIDE)), left[:, :-1] / A.shape[1]
        for j, right in enumerate(parts[: i + 1]):
            columns = slice(j * SIDE, min(n, (j + 1) * SIDE))
            part = block(scaled @ right[:, :-1].T, left[:, -1:], right[:, -1:].T)
            part = part[: rows.stop - rows.start, : columns.stop - columns.start]
            out[rows, columns] = part
            if i != j:
                out[columns, rows] = part.T


def fused_triangle(kernel, A, shape, out):
    a, block = squares(A), fused(kernel, shape)
    with jax.enable_x64(True):
        triangle(lambda *inputs: np.asarray(block(*inputs)), A, a, out.numpy())
    out.diagonal().copy_(plain_block(kernel, shape)(a, a, a)[:, 0])


def plain_triangle(kernel, A, shape, out):
    a, block = squares(A), plain_block(kernel, shape)
    triangle(lambda *inputs: block(*map(torch.from_numpy, inputs)), A, a, out)
    out.diagonal().copy_(block(a, a, a)[:, 0])


RIVALS = {"jax, whole": whole, "jax, triangle": fused_triangle, "torch, triangle": plain_triangle}


def side_by_side(ways, rounds):
    """Least seconds of each way, in rounds that take turns; and seconds of the first call."""
    first, least = {}, dict.fromkeys(ways, math.inf)
    for done in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds = time.process_time() - start
            if done:
                least[name] = min(least[name], seconds)
            else:
                first[name] = seconds
    return least, first


def report(benchmark, capsys, title, least, first):
    """Print the ratios, and keep them with the benchmark."""
    present, *rivals = least
    ratios = {name: round(least[present] / least[name], 2) for name in rivals}
    benchmark.extra_info.update(ratios, milliseconds=round(1e3 * least[present], 2))
    compiled = {name: first[name] - least[name] for name in rivals}
    with capsys.disabled():
        words = "; ".join(
            f"{name} {r:.2f} (first call + {compiled[name]:.2f} s)" for name, r in ratios.items()
        )
        print(f"\n{title}: {1e3 * least[present]:.1f} ms; over {words}", end="")


CASES: dict[str, tuple[Any, Any, tuple[float, ...]]] = {
    # neural-tangents in triangular blocks of 256, under jax.jit, is what is there
    "ntk": (NeuralTangentKernel(1.0), ReluNTK(1.0), (3, 0.3)),
    "ntk_erf": (None, DenseKernel(("erf",), True, 1.0), (3, 0.3)),
    "ntk_quadratic": (None, DenseKernel(("quadratic",), True, 1.0), (3, 0.3)),
    "ntk_densenet": (None, DenseNetKernel(1.0), (2, 0.3, 0.5)),
    "nngp, relu": (None, DenseKernel(("relu",), False, 1.0), (3, 0.3)),
    "nngp, quadratic": (None, DenseKernel(("quadratic",), False, 1.0), (3, 0.3)),
    "compositional, relu": (None, CompositionalKernel(("relu",), 1.0), (3, 0.3, 1.0, 0)),
    "compositional, quadratic": (None, CompositionalKernel(("quadratic",), 1.0), (3, 0.3, 1.0, 0)),
    "compositional, exponential": (None, CompositionalKernel(("exponential",), 1.0), (3, 0.3, 1.0, 0)),
    "krr_dot_product": (None, DotProductKernel(), tuple(np.full(9, 1 / 9).tolist())),
}
"""What the learner computes with, where that is another; the kernel; its shape."""


@pytest.mark.parametrize("n", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("case", CASES)
def test_gram(benchmark, capsys, case, n):
    there, kernel, shape = CASES[case]
    A = torch.from_numpy(np.random.default_rng(0).standard_normal((n, D)))
    out, expected = torch.empty((n, n), dtype=torch.float64), torch.empty((n, n), dtype=torch.float64)
    (there or kernel).gram(A, None, shape, expected)
    for rival in RIVALS.values():
        rival(kernel, A, shape, out.fill_(math.nan))
        np.testing.assert_allclose(out, expected, rtol=1e-13, atol=0)
    jitted.cache_clear()
    ways = {"there": lambda: (there or kernel).gram(A, None, shape, out)}
    ways |= {name: functools.partial(rival, kernel, A, shape, out) for name, rival in RIVALS.items()}
    rounds = 7 if n < 2048 else 4
    found = benchmark.pedantic(side_by_side, (ways, rounds), rounds=1)
    report(benchmark, capsys, f"{case}, n = {n}", *found)


# whole fits ---------------------------------------------------------------------------------------------


@functools.cache
def curve(n):
    """Four prefixes up to n of rotated squares, each sqrt(2) times as long as the one before."""
    target = make_target("squares", d=D, seed=0, depth=2, width=3)
    sizes = tuple(round(n / 2 ** (i / 2)) for i in range(3, -1, -1))
    return Curve(*target.sample(n, np.random.default_rng(0)), sizes, 0)


def with_gram(rival, there, A, B, shape, out):
    """``gram`` of a learner's kernel by a rival where it is symmetric."""
    kernel = ReluNTK(there.intercept) if isinstance(there, NeuralTangentKernel) else there
    rival(kernel, A, shape, out)


def timed(gram, spent):
    def gram_timed(*args):
        start = time.process_time()
        gram(*args)
        spent.append(time.process_time() - start)

    return gram_timed


@pytest.mark.parametrize("n", [512, 2048, 4096])
@pytest.mark.parametrize("name", ["ntk", "ntk_erf", "ntk_quadratic", "ntk_densenet", "nngp", "compositional"])
def test_fit(benchmark, capsys, monkeypatch, name, n):
    """Bar: a rival that makes a whole tuned fit 1.3 times faster takes the place of what is there."""
    owner = NeuralTangentKernel if name == "ntk" else InfiniteWidthKernel
    present, spent, shares = owner.gram, list[float](), list[float]()
    curve(n)

    def fit(gram):
        monkeypatch.setattr(owner, "gram", gram)
        spent.clear()
        make_learner(name).fit_curves([curve(n)])

    def there():
        start = time.process_time()
        fit(timed(present, spent))
        shares.append(sum(spent) / (time.process_time() - start))

    ways = {"there": there}
    for rival in ("jax, triangle", "torch, triangle"):
        gram = functools.partialmethod(functools.partial(with_gram, RIVALS[rival]))
        ways[rival] = functools.partial(fit, gram)
    least, first = benchmark.pedantic(side_by_side, (ways, 2 if n < 2048 else 1), rounds=1)
    report(benchmark, capsys, f"{name}, fit to n = {n}, Gram {100 * shares[-1]:.0f} %", least, first)


@pytest.mark.parametrize("n", [512, 2048])
def test_dot_product_fit(benchmark, capsys, monkeypatch, n):
    """The share of the kernel matrices, computed once more beside the search, and the least of its gain."""
    spent, search = list[float](), dot_product_weights.log_leave_one_out

    def again(theta, T, *rest, **more):
        block = plain_block(DotProductKernel(), tuple(np.exp(theta[:-1]).tolist()))
        timed(block, spent)(T, None, None)
        return search(theta, T, *rest, **more)

    monkeypatch.setattr(dot_product_weights, "log_leave_one_out", again)
    learner = make_learner("krr_dot_product")
    start = time.process_time()
    benchmark.pedantic(learner.fit_curves, ([curve(n)],), rounds=1)
    seconds = time.process_time() - start - sum(spent)
    share = sum(spent) / seconds
    benchmark.extra_info["share"] = round(share, 3)
    words = f"{1e3 * seconds:.1f} ms; over a Gram matrix that costs nothing {1 / (1 - share):.2f}"
    with capsys.disabled():
        print(f"\nkrr_dot_product, fit to n = {n}, Gram {100 * share:.0f} %: {words}", end="")
