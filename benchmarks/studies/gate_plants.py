"""Changes for the worse, planted for ``hierbench.benchmarks.studies.gate_study``: what the gate has to catch.

Each is a context in which the code does wrong what it does right outside. Nothing here is reached
from the product: the study patches, and takes its patches back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np

from hierbench.benchmarks.units import compute_curves, draw
from hierbench.learners.engines import sgd_engine
from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.kernels import classical, kernel_estimator
from hierbench.learners.nets.densenet import DenseNetRegressor

RATE, BANDWIDTH, NOISE, VARIANCE = 0.3, 1.5, 0.05, 1.25


@dataclasses.dataclass(frozen=True)
class Plant:
    """A planted change: what it is, and the learners that are measured with it."""

    what: str
    learners: tuple[str, ...]
    context: Any


@contextlib.contextmanager
def rate_in_grid() -> Iterator[None]:
    """The rates that are tried are all too small."""

    def scaled(self: Any) -> Any:
        return np.multiply(self.learning_rate, RATE)

    with mock.patch.object(DenseNetRegressor, "_learning_rate", scaled):
        yield


@contextlib.contextmanager
def rate_in_engine() -> Iterator[None]:
    """Every step is too short, in tuning runs too, and the report says nothing of it."""
    right = sgd_engine.Schedule.rate
    with mock.patch.object(sgd_engine.Schedule, "rate", lambda self, step: RATE * right(self, step)):
        yield


@contextlib.contextmanager
def rate_after_tuning() -> Iterator[None]:
    """The chosen rate is not the one that is trained with."""
    right = DenseNetRegressor._tune

    def wrong(self: Any, *arguments: Any) -> Any:
        choices = right(self, *arguments)
        return [choice._replace(learning_rate=RATE * choice.learning_rate) for choice in choices]

    with mock.patch.object(DenseNetRegressor, "_tune", wrong):
        yield


@contextlib.contextmanager
def bandwidth_in_kernel() -> Iterator[None]:
    """The kernel's formula is off, in tuning too."""
    right = classical.RBFKernel.gram

    def wrong(self: Any, A: Any, B: Any, shape: tuple[float, ...], out: Any) -> None:
        right(self, A, B, (BANDWIDTH * shape[0],), out)

    with mock.patch.object(classical.RBFKernel, "gram", wrong):
        yield


@contextlib.contextmanager
def bandwidth_after_tuning() -> Iterator[None]:
    """The chosen length scale is not the one that is fitted with."""
    right = kernel_estimator.fit_prefixes

    def wrong(
        kernel: Any, axes: Sequence[Axis], X: Any, y: Any, sizes: Sequence[int], budget: Any, **settings: Any
    ) -> Any:
        fits = []
        for n, fit in zip(sizes, right(kernel, axes, X, y, sizes, budget, **settings), strict=True):
            fixed = [Axis.listed("length_scale", BANDWIDTH * fit.shape[0]), Axis.listed("ridge", fit.ridge)]
            other = right(kernel, fixed, X[:n], y[:n], (n,), budget, **settings)[0]
            fits.append(dataclasses.replace(other, report=fit.report))
        return fits

    with mock.patch.object(kernel_estimator, "fit_prefixes", wrong):
        yield


@contextlib.contextmanager
def frozen_layer() -> Iterator[None]:
    """The first level of the DenseNet stays as it was initialised."""

    def wrong(
        self: Any, network: DenseNetwork, jobs: Any, initial: np.ndarray, schedule: Any, hook: Any
    ) -> Any:
        return sgd_engine.train(
            network, initial, jobs, schedule, trainable=network.trainable(2, True),
            dtype=self.dtype, device=self.device,
        )  # fmt: skip

    with mock.patch.object(DenseNetRegressor, "_train", wrong):
        yield


@contextlib.contextmanager
def label_noise() -> Iterator[None]:
    """Training labels with noise of 5 % of their variance."""
    right = draw.draw_sample

    def wrong(target: Any, spec: Any, index: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        X, y = right(target, spec, index, n)
        rng = np.random.default_rng([index, target.d])
        return X, y + math.sqrt(NOISE) * rng.standard_normal(n)

    with mock.patch.object(compute_curves, "draw_sample", wrong):
        yield


@contextlib.contextmanager
def test_variance() -> Iterator[None]:
    """Test labels whose variance is 1.25 and not 1."""
    right = draw.TestSet.piece

    def wrong(self: Any, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        X, y, weights = right(self, i)
        return X, math.sqrt(VARIANCE) * y, weights

    with mock.patch.object(draw.TestSet, "piece", wrong):
        yield


PLANTS = (
    Plant("learning rate x 0.3, in the grid that is tuned over", ("densenet",), rate_in_grid),
    Plant("learning rate x 0.3, in the engine's schedule", ("densenet",), rate_in_engine),
    Plant("learning rate x 0.3, after tuning", ("densenet",), rate_after_tuning),
    Plant("bandwidth x 1.5, in the kernel's formula", ("krr_rbf",), bandwidth_in_kernel),
    Plant("bandwidth x 1.5, after tuning", ("krr_rbf",), bandwidth_after_tuning),
    Plant("first layer frozen", ("densenet",), frozen_layer),
    Plant("label noise of 5 % of the variance in training", ("densenet", "krr_rbf"), label_noise),
    Plant("test labels of variance 1.25", ("densenet", "krr_rbf"), test_variance),
)
