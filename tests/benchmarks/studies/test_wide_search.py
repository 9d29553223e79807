"""The wide searches look at ten times as much, and never end at a larger leave-one-out error."""

import numpy as np
import pytest

from hierbench.benchmarks.studies import wide_search
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.targets.registry import make_target

PAIRS = [
    (wide_search.WideRBF, KernelRidgeRBF),
    (wide_search.WidePolynomial, KernelRidgePolynomial),
]


@pytest.mark.slow
@pytest.mark.parametrize(("wide", "own"), PAIRS)
def test_more_is_looked_at_and_nothing_better_is_missed(wide, own):
    X, y = make_target("squares", 5, 0).sample(40, np.random.default_rng(0))
    large, small = wide().fit(X, y).fit_report_, own().fit(X, y).fit_report_
    assert large.steps >= 10 * small.steps
    assert large.health["loo_mse"] <= small.health["loo_mse"] * (1 + 1e-6)


def test_every_learner_of_the_default_suite_has_a_twin():
    labels = {e.label for e in load_suite("search").learners}
    own = {e.label for e in load_suite("default").learners}
    assert own <= labels and {f"{label}_10x" for label in own} <= labels
