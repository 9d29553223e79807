"""A learner of your own, judged
=============================

A learner is a scikit-learn estimator. This one is held to the contract of learners, and its learning curve to
that of a kernel.
"""

import unittest

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.benchmarks.statistics.sample_complexity import crossing
from hierbench.learners import LearnerContract, make_learner
from hierbench.targets import make_target

# %%
# The mean label of the k nearest training rows.


class NearestRows(RegressorMixin, BaseEstimator):
    """Mean label of the k nearest training rows."""

    def __init__(self, k=5):
        self.k = k

    def fit(self, X, y):
        """Keep the rows."""
        self.X_, self.y_ = validate_data(self, X, y, y_numeric=True, ensure_min_samples=2)
        return self

    def predict(self, X):
        """Mean over the nearest rows, shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        squared = (X**2).sum(1)[:, None] - 2 * X @ self.X_.T + (self.X_**2).sum(1)
        nearest = np.argsort(squared, axis=1)[:, : self.k]
        return self.y_[nearest].mean(axis=1)


# %%
# The contract: what every learner promises, as tests. pytest runs such a class by itself; here they are
# called one by one. Some are about what this learner does not have, and are skipped.


class TestNearestRows(LearnerContract):
    """The contract of one learner, which says how it is made."""

    def create(self):
        """Make the learner, not fitted."""
        return NearestRows()


for check in LearnerContract.checks():
    name = check.__name__.removeprefix("test_").replace("_", " ")
    try:
        check(TestNearestRows())
        print(f"kept: {name}")
    except unittest.SkipTest as reason:
        print(f"skipped: {name} ({reason})")

# %%
# Its learning curve on a target of degree 4, beside that of a kernel.

target = make_target("squares", 6, seed=0, depth=2, width=2)
X, y = target.sample(1600, np.random.default_rng(0))
X_test, y_test, weights = target.importance_sample(4096, np.random.default_rng(1))
epsilon = 0.1 * target.certificate().top_half_share()
sizes = [50, 100, 200, 400, 800, 1600]

figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
for name, learner in {"krr_polynomial": make_learner("krr_polynomial"), "NearestRows": NearestRows()}.items():
    errors = []
    for n in sizes:
        fitted = clone(learner).fit(X[:n], y[:n])
        errors.append(np.average((fitted.predict(X_test) - y_test) ** 2, weights=weights))
    lower, upper, _ = crossing(sizes, errors, epsilon)
    print(f"{name}: {lower:g} < n* <= {upper:g}")
    axes.plot(sizes, np.maximum(errors, 1e-8), marker="o", label=name)
axes.axhline(epsilon, color="0.5", linestyle=":", label="eps_rel = 0.1")
axes.set(xscale="log", yscale="log", xlabel="samples n", ylabel="relative test MSE")
axes.legend()

# %%
# Saved as ``mine.py``, ``hierbench run smoke --learner krr_polynomial --learner mine:NearestRows`` does it
# with replicates, at several d, in processes of its own.
