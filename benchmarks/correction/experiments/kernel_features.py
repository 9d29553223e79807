"""Level 1 as kernel methods find it, beside nets that correct it, against the number of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.correction.experiments.sgd_trace import make_learner
from hierbench.benchmarks.correction.trained.feature_error import subspace_angle
from hierbench.benchmarks.correction.trained.judge import ROWS
from hierbench.benchmarks.correction.trained.trained_levels import first_level_form
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.seeds import derive, generator
from hierbench.errors import UserError, unknown
from hierbench.learners.adaptive.rfm import RFMRegressor
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.sequential.sequential_kernels import SequentialKernelsRegressor
from hierbench.targets.registry import make_target

LEARNERS: Mapping[str, str] = {
    "rfm": "recursive feature machine: the eigenspace of its average gradient outer product",
    "sequential_kernels": "kernels level by level: leading eigenvectors of the first one's quadratic form",
    "densenet": "plain net, all levels from the first step: the form of its level 1",
    "algorithm1": "Algorithm 1: the form of its wide level 1",
}


def run(
    *,
    seed: int,
    sizes: Sequence[int] = (250, 500, 1000, 2000),
    learners: Sequence[str] = tuple(LEARNERS),
    d: int = 10,
    width: int = 2,
    depth: int = 2,
    rho: float = 0.5,
    alpha: float = 0.1,
    steps: int = 5000,
) -> list[Measurement]:
    """Fit every learner to the same nested samples and read off what it takes for level 1.

    Parameters
    ----------
    seed : int
        Of the target; all other generators are derived from it.
    sizes : sequence of int
        n.
    learners : sequence of str
        Of ``LEARNERS``. The nets have the optimisation of the trace in SGD, the RFM the Gaussian kernel
        and power 1, the sequential kernels all their defaults.
    d, width, depth, rho, alpha
        Of the "projected" target.
    steps : int
        Of the nets.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``learner``, ``n``, ``rho``, ``alpha``. Values: ``angle``
        (``feature_error.subspace_angle``; None where a learner hands on fewer directions than the target
        has), ``relative_mse`` on fresh samples, ``contamination`` of the target, what the best quadratic
        function of all samples has for its angle.

    Raises
    ------
    UserError
        Unknown learner, or what the target refuses.
    """
    for name in learners:
        if name not in LEARNERS:
            raise UserError(unknown("learner of the comparison", name, LEARNERS))
    machine.one_thread()
    try:
        target: Any = make_target("projected", d, seed, depth=depth, width=width, alpha=alpha, rho=rho)
    except ValueError as reason:
        raise UserError(str(reason)) from None
    rows = target.weight_matrices[1, 0]
    X, y = target.sample(max(sizes), generator("kernel features, sample", seed=seed))
    X_test, y_test = target.sample(ROWS, generator("kernel features, test", seed=seed))
    contamination = float(target.certificate().contamination[1].value)
    measurements = []
    for name in learners:
        for n in sizes:
            learner = _make(name, depth, steps, derive("kernel features, init", seed=seed, n=n) % 2**31)
            learner.fit(X[:n], y[:n])
            form = _FORMS.get(name, first_level_form)(learner)
            full_rank = np.linalg.matrix_rank(form) >= len(rows)
            error = float(np.mean(np.square(learner.predict(X_test) - y_test)) / y_test.var())
            measurements.append(
                Measurement(
                    {"seed": seed, "learner": name, "n": n, "rho": rho, "alpha": alpha},
                    {
                        "angle": subspace_angle(form, rows) if full_rank else None,
                        "relative_mse": error,
                        "contamination": contamination,
                    },
                )
            )
    return measurements


def _make(name: str, depth: int, steps: int, random_state: int) -> Any:
    if name == "rfm":
        return RFMRegressor(exponent=2.0, power=1.0)
    if name == "sequential_kernels":
        return SequentialKernelsRegressor(depth)
    net = make_learner(name, depth, steps, 512, "sgd", 0.05)
    if isinstance(net, Algorithm1Regressor):
        net.set_params(narrow=4, r_rows=4.0, distillation=1.0)
    return net.set_params(random_state=random_state)


def _of_gradients(learner: Any) -> np.ndarray:
    return np.asarray(learner.agop_)


def _of_first_kernel(learner: Any) -> np.ndarray:
    """V diag(r, ..., 1) V' of the directions that level 1 hands on, leading first: the same eigenspaces.

    The directions are linear in x, so that their differences from 0 are their coordinates.
    """
    d = learner.n_features_in_
    V = learner.level_features(np.eye(d))[0] - learner.level_features(np.zeros((1, d)))[0]
    q = np.linalg.qr(V)[0]  # leading columns stay leading
    return np.asarray((q * np.arange(q.shape[1], 0, -1)) @ q.T)


_FORMS: Mapping[str, Callable[[Any], np.ndarray]] = {
    "rfm": _of_gradients,
    "sequential_kernels": _of_first_kernel,
}
