"""How far kernel ridge regression is from the eigenlearning prediction.

``python -m hierbench.benchmarks.studies.eigenlearning_study`` prints the tables of docs/theory.md: fixed
kernels and ridges on the sphere or on Gaussian inputs, or, with ``--suite``, the rows of a suite at the
kernels and ridges that they chose.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from hierbench.benchmarks.results import readings, stages
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.theory.eigenlearning import predict
from hierbench.benchmarks.theory.kernel_spectrum import (
    DotProductKernel,
    FunctionKernel,
    GaussianKernel,
    Kernel,
    spectrum,
)
from hierbench.benchmarks.theory.overlays import power_of, predictions
from hierbench.benchmarks.units import draw
from hierbench.benchmarks.units.vocabulary import TargetSpec
from hierbench.learners.base import Curve
from hierbench.learners.engines import kernel_engine
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidge
from hierbench.learners.net_kernels.ntk_dual import DualNTKRegressor


@dataclasses.dataclass(frozen=True)
class Case:
    """A learner of ours at fixed hyperparameters, and its kernel's closed form where there is one."""

    name: str
    make: Callable[[float], KernelRegressor]
    shape: tuple[float, ...]
    closed: Kernel | None = None

    def kernel(self, d: int) -> Kernel:
        """The kernel at inputs of dimension d."""
        return self.closed or kernel_from_gram(self.make(1.0)._kernel(), self.shape, d)


CASES = (
    Case(
        "rbf, l = 1",
        lambda ridge: KernelRidge("rbf", length_scale=1.0, ridge=ridge),
        (1.0,),
        GaussianKernel(1.0, 1.0),
    ),
    Case(
        "rbf, l = 3",
        lambda ridge: KernelRidge("rbf", length_scale=3.0, ridge=ridge),
        (3.0,),
        GaussianKernel(3.0, 1.0),
    ),
    Case(
        "polynomial, p = 4, c = 0.5",
        lambda ridge: KernelRidge("polynomial", degree=4, offset=0.5, ridge=ridge),
        (0.5,),
        DotProductKernel.polynomial(4, 0.5),
    ),
    Case("laplace, l = 1", lambda ridge: KernelRidge("laplace", length_scale=1.0, ridge=ridge), (1.0,)),
    Case(
        "ReLU NTK, depth 2",
        lambda ridge: DualNTKRegressor("relu", depth=2, bias=0.3, ridge=ridge),
        (2.0, 0.3),
    ),
)


def kernel_from_gram(kernel: kernel_engine.Kernel, shape: tuple[float, ...], d: int) -> FunctionKernel:
    """Any rotation-invariant kernel of ``learners`` as a function of two radii and a cosine."""

    def function(r: np.ndarray, s: np.ndarray, c: np.ndarray) -> np.ndarray:
        r, s, c = np.broadcast_arrays(r, s, c)
        kernel_values = np.empty(r.shape)
        for radius in np.unique(r):
            here = r == radius
            A, B = np.zeros((1, d)), np.zeros((int(here.sum()), d))
            A[0, 0] = radius
            B[:, 0] = s[here] * c[here]
            B[:, 1] = s[here] * np.sqrt(np.maximum(1 - c[here] ** 2, 0.0))
            out = torch.empty((1, len(B)), dtype=torch.float64)
            kernel.gram(torch.from_numpy(A), torch.from_numpy(B), shape, out)
            kernel_values[here] = out.numpy()[0]
        return kernel_values

    return FunctionKernel(function)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Geometric means over replicates, and the standard error of the log of their ratio."""

    measured: float
    predicted: float
    stderr: float

    @property
    def ratio(self) -> float:
        """Measured error over the predicted one."""
        return self.measured / self.predicted


def compare(
    case: Case,
    ridge: float,
    spec: TargetSpec,
    d: int,
    sizes: Sequence[int],
    replicates: int = 4,
    n_test: int = 4000,
) -> dict[int, Comparison]:
    """Measured and predicted relative MSE at each size, each replicate with a target of its own.

    Raises
    ------
    ValueError
        Where the target's power by degree and radius is not exactly known.
    """
    logs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    kernel_spectrum = None
    for index in range(replicates):
        target = draw.draw_target(spec, d, index)
        certificate = target.certificate()
        power = power_of(spec, d, index, certificate)
        if power is None:
            raise ValueError(f"no exact power by degree and radius of {spec} at d = {d}")
        kernel_spectrum = kernel_spectrum or spectrum(case.kernel(d), certificate.inputs, d)
        X, y = draw.draw_sample(target, spec, index, max(sizes))
        X_test, y_test = target.sample_test(n_test, np.random.default_rng([d, index]))
        [fitted] = case.make(ridge).fit_curves([Curve(X, y, tuple(sizes), 0)])
        errors = np.square(fitted.predict(X_test) - y_test).mean(axis=1)
        for n, error in zip(sizes, errors, strict=True):
            expected = predict(kernel_spectrum.modes(power), n, ridge).mse
            logs[n].append((math.log(error), math.log(expected)))
    return {n: _summary(np.array(values)) for n, values in logs.items()}


def _summary(logs: np.ndarray) -> Comparison:
    gaps = logs[:, 0] - logs[:, 1]
    stderr = float(gaps.std(ddof=1) / math.sqrt(len(gaps))) if len(gaps) > 1 else math.nan
    measured, predicted = np.exp(logs.mean(axis=0))
    return Comparison(float(measured), float(predicted), stderr)


def _fixed(inputs: str, d: int, sizes: Sequence[int], replicates: int) -> Iterable[str]:
    spec: TargetSpec = {"family": "squares", "parameters": {"depth": 2, "width": 3, "inputs": inputs}}
    yield "| kernel | ridge | " + " | ".join(f"n = {n}" for n in sizes) + " |"
    yield "|---" * (len(sizes) + 2) + "|"
    for case in CASES:
        for ridge in (1e-8, 1e-2):
            by_size = compare(case, ridge, spec, d, sizes, replicates)
            cells = [f"{c.measured:.2g}: {c.ratio:.2f} ({c.stderr:.2f})" for c in by_size.values()]
            yield f"| {case.name} | {ridge:g} | " + " | ".join(cells) + " |"


def _rows(suite: str, results: Path) -> Iterable[str]:

    plan = make_plan(load_suite(suite))
    with Store.readable(results) as store:
        plan = stages.resolved(plan, store)
        rows, certificates = readings.suite_rows(plan, store), readings.suite_certificates(plan, store)
    ratios: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    bands = ((0.1, math.inf, "above 0.1"), (1e-3, 0.1, "0.001 to 0.1"))
    for row, expected in predictions(rows, certificates):
        for low, high, name in bands:
            if row.error is not None and low <= expected < high:
                ratios[row.target, row.learner, name].append(row.error / expected)
    yield "| target | learner | predicted error | rows | median ratio | 10 % to 90 % of the ratios |"
    yield "|---" * 6 + "|"
    for (target, learner, name), values in sorted(ratios.items()):
        low, median, high = np.percentile(values, [10, 50, 90])
        spread = f"{low:.2f} to {high:.2f}"
        yield f"| {target} | {learner} | {name} | {len(values)} | {median:.2f} | {spread} |"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="Deviation of kernel ridge regression from eigenlearning.")
    parser.add_argument("--inputs", choices=["sphere", "gaussian"], default="sphere")
    parser.add_argument("--d", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="+", default=[150, 300, 600, 1200])
    parser.add_argument("--replicates", type=int, default=8)
    parser.add_argument("--suite", help="compare the rows of this suite instead")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    lines = (
        _rows(arguments.suite, arguments.results)
        if arguments.suite
        else _fixed(arguments.inputs, arguments.d, arguments.sizes, arguments.replicates)
    )
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
