"""Over-parameterisation: success of nets against their width and the rows of R."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.units.measurement import Label, Measurement
from hierbench.benchmarks.units.metric import relative_mse
from hierbench.benchmarks.units.vocabulary import Parameters
from hierbench.errors import UserError, refusal, unknown
from hierbench.learners.base import Curve
from hierbench.learners.nets.algorithm1 import Algorithm1Regressor
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.targets.registry import make_target

TEST_POINTS = 16384
_TARGET, _SAMPLE, _TEST, _INIT = range(4)


def run(
    *,
    learner: str,
    ratio: float,
    seeds: Sequence[int],
    rows: Sequence[float] = (2.0,),
    n: int = 16384,
    d: int = 10,
    k: int = 2,
    alpha: float = 0.3,
    rho: float = 0.5,
    steps: int = 3000,
    learning_rate: float = 0.01,
    weight_decay: float = 0.3,
) -> list[Measurement]:
    """Train one width on all seeds as one batched model, from one random initialisation each.

    Parameters
    ----------
    learner : {"densenet", "algorithm1"}
    ratio : float
        Neurons of a level (of its wide half: F_l of Algorithm 1) over the true width k.
    seeds : sequence of int
        Replicates: target, sample, test set and initialisation of each are drawn from it.
    rows : sequence of float
        Rows of R over the minimum k (k + 1) / 2, of Algorithm 1, one training each; 0 is the identity in
        place of R.
    n : int
        Training samples: so many that what fails is the optimisation.
    d, k, alpha, rho
        Of the target ("projected", two levels). The narrow half of Algorithm 1 has k neurons.
    steps, learning_rate, weight_decay
        The same for all widths, with Adam.

    Returns
    -------
    list of Measurement
        Labels: ``learner``, ``ratio``, ``rows`` (0 of the plain net), ``seed``; values: ``relative_mse``.

    Raises
    ------
    UserError
        An unknown learner, or less than one neuron.
    """
    if learner not in ("densenet", "algorithm1"):
        raise UserError(unknown("learner of the width grid", learner, ("densenet", "algorithm1")))
    width = round(ratio * k)
    if width < 1:
        raise UserError(refusal("ratio", ratio, f"numbers > {0.5 / k:g}", "a level has one neuron at least"))
    curves, tests = [], []
    for seed in seeds:
        target = make_target("projected", d, _state(seed, _TARGET), alpha=alpha, depth=2, width=k, rho=rho)
        X, y = target.sample(n, np.random.default_rng([seed, _SAMPLE]))
        curves.append(Curve(X, y, (n,), _state(seed, _INIT)))
        tests.append(target.sample_test(TEST_POINTS, np.random.default_rng([seed, _TEST])))
    params: Parameters = {
        "depth": 2, "width": width, "steps": steps, "learning_rate": learning_rate,
        "weight_decay": weight_decay, "restarts": 1,
    }  # fmt: skip
    measurements = []
    for r_rows in rows if learner == "algorithm1" else (0.0,):
        if learner == "algorithm1":
            # K and W decay in Algorithm 1 by this times the running loss
            net: Any = Algorithm1Regressor(**params, narrow=k, r_rows=r_rows)
        else:
            net = DenseNetRegressor(**params)
        for seed, fitted, (X, y) in zip(seeds, net.fit_curves(curves), tests, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                error = relative_mse(fitted.predict(X)[0] - y, y).error
            labels: dict[str, Label] = {
                "learner": learner, "ratio": ratio, "rows": r_rows, "seed": seed, "optimiser": "Adam",
            }  # fmt: skip
            measurements.append(Measurement(labels, {"relative_mse": error}))
    return measurements


def _state(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])
