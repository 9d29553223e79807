"""Numbers of which squares overflow are refused in one sentence, by every learner alike."""

import numpy as np
import pytest

from hierbench.learners.adaptive.boosted_trees import BoostedTreesRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF
from hierbench.learners.training_set import LARGEST, training_set

X, y = np.arange(6.0).reshape(3, 2), np.array([1, 2, 4])


@pytest.mark.parametrize(("factors", "name"), [((1e160, 1), "X"), ((1, -1e160), "y")])
def test_what_is_too_large_is_refused(factors, name):
    with pytest.raises(ValueError, match=rf"^largest \|{name}\| = .*: allowed are numbers up to 1e\+150"):
        training_set(KernelRidgeRBF(), X * factors[0], y * factors[1])


def test_the_largest_is_allowed():
    learner = KernelRidgeRBF()
    inputs, labels = training_set(learner, X / 5 * LARGEST, y)
    assert (inputs.dtype, labels.dtype, learner.n_features_in_) == (np.float64, np.float64, 2)


def test_trees_refuse_labels_beyond_single_precision():
    with pytest.raises(ValueError, match=r"numbers up to 1e\+30"):
        BoostedTreesRegressor().fit(X, y * 1e40)
