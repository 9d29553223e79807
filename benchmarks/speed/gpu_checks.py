"""What needs a GPU to be checked, in minutes: ``python benchmarks/speed/gpu_checks.py``.

Right numbers first: jax's sums, products in full float32, nets and kernels as on the CPU, the same bits
twice. Then the times that docs/performance.md names, each after a first run that compiles. jax takes memory
as it needs it and XLA is in its deterministic mode, as in a worker; steps once more without it.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from hierbench.benchmarks.provenance import machine
from hierbench.learners import make_learner
from hierbench.learners.base import Curve
from hierbench.learners.convolutional import network, stages
from hierbench.learners.convolutional.descent import Descent
from hierbench.learners.convolutional.resnet import ConvResNetClassifier
from hierbench.learners.engines import canary
from hierbench.learners.engines.linear_algebra import cholesky
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.outputs import jax_device, outputs_on
from hierbench.learners.kernels.classical import PolynomialKernel
from hierbench.learners.registry import LEARNERS
from hierbench.targets import make_target

NETS = ("densenet", "resnet", "relu_mlp", "two_layer", "layerwise", "bfc1", "algorithm1")
KERNELS = (
    "krr_polynomial", "krr_rbf", "krr_laplace", "krr_matern", "nngp", "ntk_erf", "ntk_densenet",
    "compositional",
)  # fmt: skip
STEPS = 1024
"""Of the trainings that are timed."""
IMAGES = {"signals": ((1, 40), 64), "digits": ((1, 8, 8), 64), "colour images": ((3, 32, 32), 128)}
"""Shape of an image, and rows of a minibatch."""


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
    """Wall time of a run, to the end of what it has started on the GPU."""
    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def tried(what: str, line: Callable[[], Line]) -> Line:
    """Give a line, or what was raised instead of it: it does not hide those that follow."""
    try:
        return line()
    except Exception as error:
        return raised(what, error)


def raised(what: str, error: Exception) -> Line:
    """Make a line of an error, which misses any bar."""
    return Line(what, f"{type(error).__name__}: {str(error)[:300]}", "none")


def sums(device: str) -> Iterator[Line]:
    """Sums that some releases of jax get wrong, and products in full float32."""
    with jax.default_device(jax_device(device)):
        yield Line("jax's sums (canary)", canary.wrong_sums() or "right", "right")
        A = np.random.default_rng(0).standard_normal((1024, 1024))
        for precision, bar in (("highest", 1e-6), ("default", "")):
            with jax.default_matmul_precision(precision):
                product = jnp.asarray(A, jnp.float32) @ jnp.asarray(A, jnp.float32)
            error = relative(np.asarray(product, np.float64), A @ A)
            yield Line(f"float32 product, precision {precision}: relative error", error, bar)


def predictions(device: str) -> Iterator[Line]:
    """Outputs of a net: what another number of rows takes to compile, and memory for the widest level."""
    rng = np.random.default_rng(0)
    net = DenseNetwork(64, 2, 96)
    flat, X = net.initial(rng), rng.standard_normal((16400, 64))
    rows = (2000, 4100, 8200, 16400, 16400)  # filled up to powers of two
    times = [seconds(functools.partial(outputs_on, device, net, flat, X[:n])) for n in rows]
    yield Line("outputs of a net at another number of rows, s", float(np.mean(times[1:4])))
    yield Line("  at one that was there before, s", times[4])
    wide = DenseNetwork(64, 2, 96, first_width=4096)
    outputs_on(device, wide, wide.initial(rng), rng.standard_normal((1 << 15, 64)))
    peak = (jax_device(device).memory_stats() or {}).get("peak_bytes_in_use", math.nan)
    law = LEARNERS["layerwise"].card or math.nan
    yield Line(
        "  32768 rows, level 1 of 4096: largest memory so far, GiB, of the law", peak / 2**30, law / 2**30
    )


def as_on_a_cpu(device: str) -> Iterator[Line]:
    """Predictions of every kind of net after 50 steps in float64, and of every kernel, tuned."""
    data = squares(6, 600)
    for name in (*NETS, *KERNELS):
        yield tried(name, functools.partial(_against_a_cpu, name, device, *data))


def _against_a_cpu(name: str, device: str, X: np.ndarray, y: np.ndarray) -> Line:
    net = name in NETS
    short = {"steps": 50, "learning_rate": 0.01, "weight_decay": 1e-4, "dtype": "float64", "random_state": 0}
    learner = make_learner(name, **(short if net else {}))
    here, there = (clone(learner).set_params(device=where).fit(X[:500], y[:500]) for where in ("cpu", device))
    what = f"{name}, float64, 50 steps" if net else f"{name}, tuned"
    if not net and here.hyperparameters_ != there.hyperparameters_:
        what += ", another choice"
    error = relative(there.predict(X), here.predict(X))
    return Line(f"{what}: GPU against CPU", error, 1e-8 if net else 1e-6)


def same_bits(device: str) -> Iterator[Line]:
    """The same tuned fit twice."""
    X, y = squares(16, 2304)
    net = {"steps": 500, "random_state": 0}
    for name, parameters in (("densenet", net), ("krr_polynomial", {})):
        learner = make_learner(name, device=device, **parameters)
        first, second = (clone(learner).fit(X, y).predict(X) for _ in range(2))
        yield Line(f"{name} twice: the same bits", "yes" if np.array_equal(first, second) else "no", "yes")


def convolutions(device: str) -> Iterator[Line]:
    """The convolutional ResNet: float32 as it is, as on the CPU, the same bits twice, and times by layout."""
    yield tried("ResNet, float32", functools.partial(_float32, device))
    rng = np.random.default_rng(0)
    data = rng.standard_normal((600, 64)), rng.integers(3, size=600)
    for training in ("end_to_end", "layerwise"):
        one = {"training": training, "shape": (1, 8, 8), "weight_decay": 1e-3, "random_state": 0}
        yield tried(f"ResNet, {training}", functools.partial(_resnet_against_a_cpu, one, device, *data))
        yield tried(f"ResNet, {training}, twice", functools.partial(_resnet_twice, one, device, *data))
    for kind in IMAGES:
        for layout in ("channels_last", "contiguous_format"):
            what = f"ResNet, {kind}, {layout}: ms a step"
            yield tried(what, functools.partial(_resnet_steps, what, kind, layout, device))


def _float32(device: str) -> Line:
    rng = np.random.default_rng(0)
    net = network.ConvResNet((3, 32, 32), 10, 8, 16, rng).double().eval()
    images = torch.from_numpy(rng.standard_normal((64, 3, 32, 32)))
    with network.exact_convolutions(), torch.no_grad():
        right = net(images, 3).numpy()
        scores = net.to(device, torch.float32)(images.to(device, torch.float32), 3)
        error = relative(scores.to("cpu", torch.float64).numpy(), right)
    return Line("ResNet, scores in float32: relative error (TF32 would have 3e-4)", error, 1e-5)


def _resnet_against_a_cpu(one: dict[str, Any], device: str, X: np.ndarray, y: np.ndarray) -> Line:
    learner = ConvResNetClassifier(**one, steps=30, learning_rate=0.03, dtype="float64")
    here, there = (clone(learner).set_params(device=where).fit(X, y) for where in ("cpu", device))
    error = relative(there.predict_proba(X), here.predict_proba(X))
    return Line(f"ResNet, {one['training']}, float64, 30 steps: GPU against CPU", error, 1e-8)


def _resnet_twice(one: dict[str, Any], device: str, X: np.ndarray, y: np.ndarray) -> Line:
    learner = ConvResNetClassifier(**one, steps=100, learning_rate=0.1, device=device)
    first, second = (clone(learner).fit(X, y).predict_proba(X) for _ in range(2))
    same = "yes" if np.array_equal(first, second) else "no"
    return Line(f"ResNet, {one['training']}, float32, twice: the same bits", same, "yes")


def _resnet_steps(what: str, kind: str, layout: str, device: str) -> Line:
    shape, rows = IMAGES[kind]
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((1000, *shape))).to(device, torch.float32)
    labels = torch.from_numpy(rng.integers(10, size=1000)).to(device)
    descent, before = Descent("sgd", 0.01, 0.001, 0.9, rows), network.LAYOUTS["cuda"]
    try:
        network.LAYOUTS["cuda"] = getattr(torch, layout)
        net = network.ConvResNet(shape, 10, 8, 16, rng).to(device)
        times = [_conv_training(net, count, descent, images, labels) for count in (20, 20, 120)]
    finally:
        network.LAYOUTS["cuda"] = before
    return Line(what, (times[2] - times[1]) * 1e3 / 100)


def _conv_training(net: Any, count: int, descent: Descent, images: Tensor, labels: Tensor) -> float:
    plan, rng = [stages.Stage(3, 1, count)], np.random.default_rng(1)
    return seconds(functools.partial(stages.train, net, plan, descent, images, labels, rng))


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
    as_worker = "--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", "")
    return 1.0 if (d, nets) == (16, 256) and not as_worker else ""


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
    torch.cuda.reset_peak_memory_stats(device)
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
    "sums": sums, "predictions": predictions, "cpu": as_on_a_cpu, "bits": same_bits,
    "convolutions": convolutions, "steps": steps, "densenet": densenet, "kernel": kernel,
}  # fmt: skip


def main() -> int:
    """Print the table, a line as soon as it is known; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", help=f"some of {', '.join(CHECKS)} (default: all)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--plain", action="store_true", help="leave XLA's flags as they are")
    chosen = parser.parse_args()
    if unknown := set(chosen.checks) - set(CHECKS):
        parser.error(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ.update(machine.of_worker())  # before jax looks for a GPU
    if chosen.plain:
        os.environ["XLA_FLAGS"] = flags
    torch.cuda.set_device(chosen.device)
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
            print(raised(check, error), flush=True)
    if "steps" in (chosen.checks or CHECKS) and not chosen.plain:
        print("The same without XLA's deterministic mode, as in a process that is no worker:", flush=True)
        again = [sys.executable, __file__, "steps", "--plain", "--device", chosen.device]
        failed |= subprocess.run(again, env={**os.environ, "XLA_FLAGS": flags}).returncode
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
