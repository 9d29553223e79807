"""What needs a GPU to be checked, in five minutes and one table: ``python benchmarks/speed/gpu_checks.py``.

Right numbers first: jax's sums, products in full float32, nets and kernels as on the CPU, the same bits
twice. Then the times that docs/performance.md names, each after a first run that compiles.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from sklearn.base import clone

from hierbench.learners import make_learner
from hierbench.learners.base import Curve
from hierbench.learners.engines import canary
from hierbench.learners.engines.linear_algebra import cholesky
from hierbench.learners.kernels.classical import PolynomialKernel
from hierbench.targets import make_target

NETS = ("densenet", "resnet", "relu_mlp", "two_layer", "layerwise", "bfc1", "algorithm1")
KERNELS = (
    "krr_polynomial", "krr_rbf", "krr_laplace", "krr_matern", "nngp", "ntk_erf", "ntk_densenet",
    "compositional",
)  # fmt: skip
STEPS = 1024
"""Of the trainings that are timed."""


class Line(NamedTuple):
    """What, what was measured (a number or a word), and its bar: at most that number, or that word."""

    what: str
    measured: float | str
    bar: float | str = ""

    @property
    def met(self) -> bool:
        """Whether it is what it should be."""
        if isinstance(self.bar, str) or isinstance(self.measured, str):
            return self.bar in ("", self.measured)
        return self.measured <= self.bar

    def __str__(self) -> str:
        """Make a row of the table."""
        measured, bar = (f"{x:.2g}" if isinstance(x, float) else x for x in (self.measured, self.bar))
        return f"| {self.what:<78} | {measured:>9} | {bar:>6} | {'' if self.met else 'MISSED':<6} |"


def squares(d: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw n samples of a rotated-squares target of degree 4."""
    target = make_target("squares", d=d, depth=2, width=3, alpha=0.5, rho=0.5, seed=seed)
    return target.sample(n, np.random.default_rng(seed))


def relative(found: np.ndarray, right: np.ndarray) -> float:
    """Root mean square of the difference over that of what is right."""
    return float(np.sqrt(np.square(found - right).mean() / np.square(right).mean()))


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of a run."""
    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def sums(device: str) -> Iterator[Line]:
    """Sums that some releases of jax get wrong, and products in full float32."""
    with jax.default_device(jax.devices("cuda")[0]):
        yield Line("jax's sums (canary)", canary.wrong_sums() or "right", "right")
        A = np.random.default_rng(0).standard_normal((1024, 1024))
        for precision, bar in (("highest", 1e-6), ("default", "")):
            with jax.default_matmul_precision(precision):
                product = jnp.asarray(A, jnp.float32) @ jnp.asarray(A, jnp.float32)
            error = relative(np.asarray(product, np.float64), A @ A)
            yield Line(f"float32 product, precision {precision}: relative error", error, bar)


def as_on_a_cpu(device: str) -> Iterator[Line]:
    """Predictions of every kind of net after 50 steps in float64, and of every kernel, tuned."""
    X, y = squares(6, 600)
    short = {"steps": 50, "learning_rate": 0.01, "weight_decay": 1e-4, "dtype": "float64", "random_state": 0}
    for name in (*NETS, *KERNELS):
        net = name in NETS
        learner = make_learner(name, **(short if net else {}))
        here, there = (
            clone(learner).set_params(device=where).fit(X[:500], y[:500]) for where in ("cpu", device)
        )
        what = f"{name}, float64, 50 steps" if net else f"{name}, tuned"
        if not net and here.hyperparameters_ != there.hyperparameters_:
            what += ", another choice"
        error = relative(there.predict(X), here.predict(X))
        yield Line(f"{what}: GPU against CPU", error, 1e-8 if net else 1e-6)


def same_bits(device: str) -> Iterator[Line]:
    """The same tuned fit twice."""
    X, y = squares(16, 2304)
    net = {"steps": 500, "random_state": 0}
    for name, parameters in (("densenet", net), ("krr_polynomial", {})):
        learner = make_learner(name, device=device, **parameters)
        first, second = (clone(learner).fit(X, y).predict(X) for _ in range(2))
        yield Line(f"{name} twice: the same bits", "yes" if np.array_equal(first, second) else "no", "yes")


def steps(device: str) -> Iterator[Line]:
    """Microseconds a step and net of ``DenseNetRegressor.fit_curves``."""
    for d, width, nets in ((16, 24, 16), (16, 24, 256), (16, 24, 1024), (32, 48, 256), (64, 96, 64)):
        data = [squares(d, 2304, seed) for seed in range(4)]
        curves = [Curve(*data[seed % 4], (2304,), seed) for seed in range(nets)]
        fixed = {"width": width, "learning_rate": 0.01, "weight_decay": 0.0, "batch_size": 256}
        learner = make_learner("densenet", device=device, **fixed)
        times = [_training(learner, curves, count) for count in (128, 128, 128 + STEPS)]
        each = (times[2] - times[1]) / STEPS / nets * 1e6
        yield Line(f"d = {d}, width {width}, {nets} nets: us a step and net", each, _bar(d, nets))


def _training(learner: Any, curves: Sequence[Curve], count: int) -> float:
    return seconds(functools.partial(learner.set_params(steps=count).fit_curves, curves))


def _bar(d: int, nets: int) -> float | str:
    return 1.0 if (d, nets) == (16, 256) else ""


def densenet(device: str) -> Iterator[Line]:
    """Tuned, d = 64, degree 4, n = 9 d^2, four replicates."""
    n = 9 * 64**2
    data = [squares(64, n + 20000, seed) for seed in range(4)]
    curves = [Curve(X[:n], y[:n], (n,), seed) for seed, (X, y) in enumerate(data)]
    tuned = {"restarts": 1, "tuning_share": 0.25, "tol": 0.0003, "max_lengthening": 8}
    learner = make_learner("densenet", device=device, **tuned)
    first = seconds(functools.partial(learner.fit_curves, curves))
    begin = time.perf_counter()
    fitted = learner.fit_curves(curves)
    again = time.perf_counter() - begin
    errors = [
        np.square(f.predict(X[n:])[0] - y[n:]).mean() / np.var(y[n:])
        for f, (X, y) in zip(fitted, data, strict=True)
    ]
    yield Line("densenet, d = 64, n = 9 d^2, 4 replicates, tuned: first run, s", first)
    yield Line("  compiled, s", again, 15.0)
    yield Line("  relative MSE, the largest of four", max(errors), 0.01)


def kernel(device: str) -> Iterator[Line]:
    """Polynomial kernel of degree 4 past the number of its polynomials, at the largest d that fits."""
    free, _ = torch.cuda.mem_get_info(device)
    for d in (32, 28, 24):
        n = math.ceil(1.1 * math.comb(d + 4, 4))
        if 24 * n**2 <= free:
            break
        there = f"{free / 2**30:.0f} GiB there"
        yield Line(f"krr_polynomial, d = {d}, n = {n}: needs {24 * n**2 / 2**30:.0f} GiB, skipped", there)
    else:
        return
    X, y = squares(d, n + 4000)
    points = torch.from_numpy(X[:n]).to(device)
    K, factor = (torch.empty((n, n), dtype=torch.float64, device=device) for _ in range(2))
    gram = functools.partial(PolynomialKernel(4).gram, points, None, (1.0,), K)
    gram()
    yield Line(f"Gram matrix, n = {n}, s", seconds(gram))
    K.diagonal().add_(1e-6)
    yield Line("Cholesky, s", seconds(functools.partial(cholesky, K, factor)))
    del K, factor, gram
    torch.cuda.empty_cache()
    learner = make_learner("krr_polynomial", degree=4, device=device)
    took = seconds(functools.partial(learner.fit, X[:n], y[:n]))
    error = np.square(learner.predict(X[n:]) - y[n:]).mean() / np.var(y[n:])
    what = f"krr_polynomial, d = {d}, n = {n}, tuned, {learner.fit_report_.steps} factorisations: s"
    yield Line(what, took, 60.0)
    yield Line("  relative MSE", error, 1e-9)
    yield Line(
        "  largest memory, GiB, of the law", torch.cuda.max_memory_reserved(device) / 2**30, 24 * n**2 / 2**30
    )


CHECKS: dict[str, Callable[[str], Iterator[Line]]] = {
    "sums": sums, "cpu": as_on_a_cpu, "bits": same_bits, "steps": steps, "densenet": densenet,
    "kernel": kernel,
}  # fmt: skip


def main() -> int:
    """Print the table, a line as soon as it is known; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", help=f"some of {', '.join(CHECKS)} (default: all)")
    parser.add_argument("--device", default="cuda")
    chosen = parser.parse_args()
    if unknown := set(chosen.checks) - set(CHECKS):
        parser.error(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    name, failed = torch.cuda.get_device_name(chosen.device), 0
    print(f"{name}, torch {torch.__version__}, jax {jax.__version__}")
    print(f"| {'what':<78} | measured  | bar    |        |")
    print(f"|{'-' * 80}|{'-' * 11}|{'-' * 8}|{'-' * 8}|")
    for check in chosen.checks or CHECKS:
        try:
            for line in CHECKS[check](chosen.device):
                print(line, flush=True)
                failed |= not line.met
        except Exception as error:  # one that fails does not hide the others
            failed = 1
            print(f"| {check:<78} | {type(error).__name__}: {str(error)[:300]} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
