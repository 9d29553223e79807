"""What needs a GPU to be checked, in some minutes and one table: ``python benchmarks/speed/gpu_checks.py``.

Right numbers first: sums of jax, products in full float32, nets and kernels as on the CPU, the same bits twice.
Then the times that docs/performance.md names, each after a first run that compiles.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch
from sklearn.base import clone

from hierbench.learners import make_learner
from hierbench.learners.base import Curve
from hierbench.learners.engines import canary
from hierbench.learners.engines.kernel_engine import Axis, PrefixSolver
from hierbench.learners.engines.linear_algebra import cholesky
from hierbench.learners.kernels.classical import PolynomialKernel
from hierbench.targets import make_target

NETS = ("densenet", "resnet", "relu_mlp", "two_layer", "layerwise", "bfc1", "algorithm1")
KERNELS = (
    "krr_polynomial",
    "krr_rbf",
    "krr_laplace",
    "krr_matern",
    "nngp",
    "ntk_erf",
    "ntk_densenet",
    "compositional",
)
STEPS = 1024
"""Of the trainings that are timed."""

Check = Callable[[str], Iterator[tuple[str, str, str]]]


def squares(d: int, n: int, seed: int = 0, depth: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Draw n samples of a rotated-squares target."""
    target = make_target("squares", d=d, depth=depth, width=3, alpha=0.5, rho=0.5, seed=seed)
    return target.sample(n, np.random.default_rng(seed))


def relative(found: np.ndarray, right: np.ndarray) -> float:
    """Root mean square of the difference over that of what is right."""
    return float(np.sqrt(np.square(found - right).mean() / np.square(right).mean()))


def seconds(run: Callable[[], object]) -> float:
    """Wall time of a run."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def sums(device: str) -> Iterator[tuple[str, str, str]]:
    """Sums that some releases of jax get wrong, and products in full float32."""
    with jax.default_device(jax.devices("cuda")[0]):
        yield "jax's sums (canary)", canary.wrong_sums() or "right", "right"
        A = np.random.default_rng(0).standard_normal((1024, 1024))
        for precision, bar in (("highest", "1e-06"), ("default", "(for comparison)")):
            with jax.default_matmul_precision(precision):
                product = np.asarray(jnp.asarray(A, jnp.float32) @ jnp.asarray(A, jnp.float32), np.float64)
            yield (
                f"float32 product, precision {precision}: relative error",
                f"{relative(product, A @ A):.1e}",
                bar,
            )


def same_as_on_a_cpu(device: str) -> Iterator[tuple[str, str, str]]:
    """Predictions of every kind of net after 50 steps in float64, and of every kernel, tuned."""
    X, y = squares(6, 600)
    for name in NETS:
        steps = {
            "steps": 50,
            "learning_rate": 0.01,
            "weight_decay": 1e-4,
            "dtype": "float64",
            "random_state": 0,
        }
        here = make_learner(name, **steps)
        fits = [
            clone(here).set_params(device=where).fit(X[:500], y[:500]).predict(X) for where in ("cpu", device)
        ]
        yield f"{name}, float64, 50 steps: GPU against CPU", f"{relative(fits[1], fits[0]):.1e}", "1e-08"
    for name in KERNELS:
        here = make_learner(name)
        fitted = [clone(here).set_params(device=where).fit(X[:500], y[:500]) for where in ("cpu", device)]
        same = fitted[0].hyperparameters_ == fitted[1].hyperparameters_
        difference = relative(fitted[1].predict(X), fitted[0].predict(X))
        yield f"{name}: GPU against CPU{'' if same else ' (another choice)'}", f"{difference:.1e}", "1e-06"


def same_bits(device: str) -> Iterator[tuple[str, str, str]]:
    """The same tuned fit twice."""
    X, y = squares(16, 2304)
    for name, learner in (
        ("densenet", make_learner("densenet", steps=500, random_state=0, device=device)),
        ("krr_polynomial", make_learner("krr_polynomial", device=device)),
    ):
        first, second = (clone(learner).fit(X, y).predict(X) for _ in range(2))
        yield f"{name} twice: the same bits", "yes" if np.array_equal(first, second) else "no", "yes"


def steps(device: str) -> Iterator[tuple[str, str, str]]:
    """Microseconds a step and net of ``DenseNetRegressor.fit_curves``."""
    for d, width, nets in ((16, 24, 16), (16, 24, 256), (16, 24, 1024), (32, 48, 256), (64, 96, 256)):
        data = [squares(d, 2304, seed) for seed in range(4)]
        curves = [Curve(*data[seed % 4], (2304,), seed) for seed in range(nets)]
        learner = make_learner(
            "densenet",
            width=width,
            learning_rate=0.01,
            weight_decay=0.0,
            device=device,
            steps=STEPS,
            batch_size=256,
        )
        learner.set_params(steps=128).fit_curves(curves)
        short, long = (
            seconds(lambda n=n: learner.set_params(steps=n).fit_curves(curves)) for n in (128, 128 + STEPS)
        )
        bar = "1" if (d, nets) == (16, 256) else ""
        yield (
            f"d = {d}, width {width}, {nets} nets: us a step and net",
            f"{(long - short) / STEPS / nets * 1e6:.2f}",
            bar,
        )


def densenet(device: str) -> Iterator[tuple[str, str, str]]:
    """Tuned, d = 64, degree 4, n = 9 d^2, four replicates."""
    d, n, seeds = 64, 9 * 64**2, range(4)
    data = [squares(d, n + 20000, seed) for seed in seeds]
    curves = [Curve(X[:n], y[:n], (n,), seed) for seed, (X, y) in zip(seeds, data, strict=True)]
    learner = make_learner(
        "densenet", restarts=1, tuning_share=0.25, tol=0.0003, max_lengthening=8, device=device
    )
    first = seconds(lambda: learner.fit_curves(curves))
    begin = time.perf_counter()
    fitted = learner.fit_curves(curves)
    then = time.perf_counter() - begin
    errors = [
        np.square(f.predict(X[n:])[0] - y[n:]).mean() / np.var(y[n:])
        for f, (X, y) in zip(fitted, data, strict=True)
    ]
    yield "densenet, d = 64, n = 9 d^2, 4 replicates, tuned: first run, s", f"{first:.1f}", ""
    yield "  compiled, s", f"{then:.1f}", "15"
    yield (
        "  relative MSE, geometric mean and largest",
        f"{np.exp(np.log(errors).mean()):.2g}, {max(errors):.2g}",
        "0.01",
    )


def kernel(device: str) -> Iterator[tuple[str, str, str]]:
    """Polynomial kernel of degree 4 at d = 32, past the number of its polynomials."""
    n = 64795
    free, _ = torch.cuda.mem_get_info(device)
    if free < 2.8 * 8 * n**2:
        yield (
            f"krr_polynomial, n = {n}",
            f"needs {2.8 * 8 * n**2 / 2**30:.0f} GiB, {free / 2**30:.0f} are there",
            "",
        )
        n = 45000
    X, y = squares(32, n + 4000)
    solver = PrefixSolver(
        PolynomialKernel(4), [Axis.listed("c", [1.0]), Axis.listed("r", [1e-9])], X[:n], y[:n], [n], device
    )
    for _ in range(2):
        torch.cuda.synchronize(device)
        gram = seconds(
            lambda: (solver.forget_matrices(), solver._gram((1.0,), n), torch.cuda.synchronize(device))
        )
    yield f"Gram matrix, n = {n}, s", f"{gram:.2f}", ""
    K = solver._gram((1.0,), n)
    K.diagonal().add_(1e-6)
    out = torch.empty_like(K)
    yield "Cholesky, s", f"{seconds(lambda: cholesky(K, out)):.2f}", ""
    del K, out, solver
    torch.cuda.empty_cache()
    learner = make_learner("krr_polynomial", degree=4, device=device)
    took = seconds(lambda: learner.fit(X[:n], y[:n]))
    error = np.square(learner.predict(X[n:]) - y[n:]).mean() / np.var(y[n:])
    report = learner.fit_report_
    yield (
        f"krr_polynomial, d = 32, n = {n}, tuned ({report.steps} factorisations): s",
        f"{took:.1f}",
        "60" if n > 50000 else "30",
    )
    yield "  relative MSE", f"{error:.1e}", "1e-09"
    yield "  largest memory, GiB", f"{torch.cuda.max_memory_allocated(device) / 2**30:.0f}", ""


CHECKS: dict[str, Check] = {
    "sums": sums, "cpu": same_as_on_a_cpu, "bits": same_bits, "steps": steps, "densenet": densenet, "kernel": kernel
}  # fmt: skip


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", default=list(CHECKS), metavar="CHECK")
    parser.add_argument("--device", default="cuda")
    chosen = parser.parse_args()
    print(f"{torch.cuda.get_device_name(chosen.device)}, torch {torch.__version__}, jax {jax.__version__}")
    print(f"| {'what':<72} | {'measured':>20} | {'bar':>16} |\n|{'-' * 74}|{'-' * 22}|{'-' * 18}|")
    for name in chosen.checks:
        try:
            for what, measured, bar in CHECKS[name](chosen.device):
                print(f"| {what:<72} | {measured:>20} | {bar:>16} |", flush=True)
        except Exception as error:  # one that fails does not hide the others
            print(f"| {name:<72} | {type(error).__name__ + ': ' + str(error)[:300]} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
