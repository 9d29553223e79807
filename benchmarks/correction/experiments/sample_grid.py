"""Error of learners over the plane (alpha, n): heat maps of success, and floors against n."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.metric import relative_mse
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import UserError, unknown
from hierbench.learners.base import Curve
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.learners.nets.layerwise import LayerwiseDenseNetRegressor
from hierbench.learners.sequential.sequential_fits import SequentialFitsRegressor
from hierbench.learners.sequential.sequential_kernels import SequentialKernelsRegressor
from hierbench.targets.registry import make_target

TEST_POINTS = 32768
_TARGET, _SAMPLE, _TEST, _INIT = range(4)

LEARNERS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "end to end": (DenseNetRegressor, "all levels together from the first step"),
    "read-outs refitted": (
        functools.partial(LayerwiseDenseNetRegressor, correction=0),
        "layer by layer, features frozen, all read-outs refitted",
    ),
    "strictly frozen": (
        functools.partial(LayerwiseDenseNetRegressor, correction=0, refit_readouts=False),
        "layer by layer, features and read-outs frozen",
    ),
    "residual cycling": (
        functools.partial(LayerwiseDenseNetRegressor, correction=0, rounds=2),
        "layer by layer, then twice more, each level on what the others leave",
    ),
    "BFC-1": (
        functools.partial(LayerwiseDenseNetRegressor, correction=1),
        "in phases, the newest level and the one below it trained",
    ),
    "BFC-2": (
        functools.partial(LayerwiseDenseNetRegressor, correction=2),
        "in phases, the newest level and the two below it trained",
    ),
    "sequential kernels, directions": (
        SequentialKernelsRegressor,
        "kernel regression on products of the leading directions of the one before",
    ),
    "sequential kernels, fits": (
        SequentialFitsRegressor,
        "kernel regression on x and the out-of-fold fits of the ones before",
    ),
}
"""By the names that records carry: how it is made, and what it is."""


def run(
    *,
    learner: str,
    seeds: Sequence[int],
    alphas: Sequence[float],
    sizes: Sequence[int],
    d: int = 8,
    k: int = 2,
    depth: int = 2,
    rho: float = 0.5,
    width: int | None = None,
    steps: int | None = None,
    tuning_share: float = 0.25,
) -> list[Measurement]:
    """Train on every size of every target ("projected"), all as one batched model.

    Learning rate and weight decay of nets are tuned inside ``fit`` on a held-out fifth; they have one
    initialisation. Training sets are nested in n, and all learners see the same data. The optimiser of nets
    is Adam.

    Parameters
    ----------
    learner : str
        One of ``LEARNERS``.
    seeds : sequence of int
        Replicates: target, sample, test set and initialisation of each are drawn from it.
    alphas : sequence of float
    sizes : sequence of int
    d, k, depth, rho
        Of the target.
    width : int, optional
        Neurons a level, of nets.
    steps : int, optional
        Of a phase, of nets; None is their law of n.
    tuning_share : float
        Length of a tuning run of a net, as a share of ``steps``.

    Returns
    -------
    list of Measurement
        Labels: ``learner``, ``width`` (0 of kernels), ``alpha``, ``n``, ``seed``; values: ``relative_mse``,
        its ``standard_error``, ``share_above`` (of the variance above half the top degree) and ``eps_rel``,
        their ratio, None where that share is below 1e-3.

    Raises
    ------
    UserError
        An unknown learner.
    """
    if learner not in LEARNERS:
        raise UserError(unknown("learner of the sample grid", learner, LEARNERS))
    make, _ = LEARNERS[learner]
    net = not learner.startswith("sequential")
    params: Parameters = {"depth": depth}
    if net:
        params |= {"width": width, "steps": steps, "restarts": 1, "tuning_share": tuning_share}
    pairs = [(alpha, seed) for alpha in alphas for seed in seeds]
    targets = [
        make_target("projected", d, _state(seed, _TARGET), alpha=alpha, depth=depth, width=k, rho=rho)
        for alpha, seed in pairs
    ]
    curves = []
    for target, (_, seed) in zip(targets, pairs, strict=True):
        X, y = target.sample(max(sizes), np.random.default_rng([seed, _SAMPLE]))
        curves.append(Curve(X, y, tuple(sizes), _state(seed, _INIT)))
    measurements = []
    for target, (alpha, seed), fitted in zip(targets, pairs, make(**params).fit_curves(curves), strict=True):
        certificate = target.certificate()
        share = certificate.share_above(certificate.degree // 2)
        X, y = target.sample_test(TEST_POINTS, np.random.default_rng([seed, _TEST]))
        for n, predicted in zip(sizes, fitted.predict(X), strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                estimate = relative_mse(predicted - y, y)
            measurements.append(
                Measurement(
                    {
                        "learner": learner,
                        "width": (width or 0) if net else 0,
                        "alpha": alpha,
                        "n": n,
                        "seed": seed,
                        **({"optimiser": "Adam"} if net else {}),
                    },
                    {
                        "relative_mse": estimate.error,
                        "standard_error": estimate.standard_error,
                        "share_above": share,
                        "eps_rel": None if certificate.top_half_share() is None else estimate.error / share,
                    },
                )
            )
    return measurements


def _state(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])
