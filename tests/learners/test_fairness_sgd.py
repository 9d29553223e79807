"""Tuned baselines against the best of a ten times larger grid, chosen on the test set.

A check of ours, never used for fitting: it looks at test errors, which no learner does.
"""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.nets.layerwise import LayerwiseDenseNetRegressor
from hierbench.learners.nets.two_layer import TwoLayerRegressor
from hierbench.targets.registry import make_target

STEPS = 600
TARGETS = 8
N = 1500
LEARNERS = {
    "layerwise": LayerwiseDenseNetRegressor(depth=2, steps=STEPS),
    "two_layer_quartic": TwoLayerRegressor("power", degree=4, width=96, steps=STEPS),
    "two_layer_relu": TwoLayerRegressor("relu", width=96, steps=STEPS),
}
RATES = np.geomspace(0.003, 0.3, 8)
DECAYS = (0.0, *np.geomspace(0.01, 1.0, 4))


def log_errors(learner, targets, initialisations) -> np.ndarray:
    """Log of the test MSE for each target, on average over initialisations."""
    curves, test_sets = [], []
    for s, target in enumerate(targets):
        data = target.sample(N, np.random.default_rng([s, 0]))
        curves += [Curve(*data, (N,), i) for i in initialisations]
        test_sets += [target.sample(20000, np.random.default_rng([s, 1]))] * len(initialisations)
    fitted = clone(learner).fit_curves(curves)
    errors = [np.mean((f.predict(X)[0] - y) ** 2) for f, (X, y) in zip(fitted, test_sets, strict=True)]
    return np.log(errors).reshape(len(targets), -1).mean(axis=1)


@pytest.mark.slow(60)
@pytest.mark.parametrize("name", LEARNERS)
def test_tuning_inside_fit_is_within_a_tenth_of_the_best_choice(name):
    """Its shortfall over targets is not above a tenth, at 95 %.

    A quarter of few steps likes larger rates than all of them do: with rates 0.003 and 0.01 the layer-wise
    learner was 1.4 times as bad as the best at 600 steps, with 0.003 and 0.006 it is 1.03 +- 0.04.
    """
    learner = LEARNERS[name]
    targets = [make_target("squares", d=8, seed=s, depth=2, width=3) for s in range(TARGETS)]
    grid = [{"learning_rate": r, "weight_decay": w} for r, w in itertools.product(RATES, DECAYS)]
    assert len(grid) >= 10 * len(learner._grid())
    best = min(grid, key=lambda c: log_errors(clone(learner).set_params(**c), targets[:4], [0]).mean())
    # Compared on other initialisations: the least of 40 errors is also the luckiest, by
    # about as much as one net differs from the next, and no tuning can know that.
    others = [1, 2, 3]
    least = log_errors(clone(learner).set_params(**best), targets, others)
    shortfall = log_errors(learner, targets, others) - least
    error = shortfall.std(ddof=1) / np.sqrt(len(targets))
    low = shortfall.mean() - stats.t.ppf(0.95, len(targets) - 1) * error
    assert low <= np.log(1.1), (best, shortfall)
    assert error <= 0.06, "too few targets to see a bad choice"
