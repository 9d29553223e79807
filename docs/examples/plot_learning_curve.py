r"""Two learning curves and their n\*
=================================

Two learners are fitted to growing parts of one sample. n\* is the number of samples at which the error falls
to a given one: an interval, since only some sizes are tried.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from hierbench.benchmarks.statistics.sample_complexity import crossing
from hierbench.learners import make_learner
from hierbench.targets import make_target

# %%
# One target of degree 4, a training sample, and test points with labels without noise. The test points are
# weighted: half of them are spread out, where large errors are.

target = make_target("squares", 6, seed=0, depth=2, width=2)
X, y = target.sample(800, np.random.default_rng(0))
X_test, y_test, weights = target.importance_sample(16384, np.random.default_rng(1))

# %%
# A kernel, tuned inside its fit, and the deep net, with fewer steps and rates to choose from than suites give
# it, so that this page is built in seconds.

learners = {
    "krr_polynomial": make_learner("krr_polynomial"),
    "densenet": make_learner("densenet", steps=1000, learning_rate=0.015, restarts=1, random_state=0),
}
sizes = [50, 100, 200, 400, 800]
errors = {
    name: [
        np.average((clone(learner).fit(X[:n], y[:n]).predict(X_test) - y_test) ** 2, weights=weights)
        for n in sizes
    ]
    for name, learner in learners.items()
}

# %%
# The error asked for is a tenth of the variance above degree 2, which no polynomial of degree 2 gets to:
# eps_rel = 0.1.

epsilon = 0.1 * target.certificate().top_half_share()
for name, curve in errors.items():
    lower, upper, censoring = crossing(sizes, curve, epsilon)
    print(f"{name}: {lower:g} < n* <= {upper:g} ({censoring})")

# %%
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
for name, curve in errors.items():
    axes.plot(sizes, np.maximum(curve, 1e-8), marker="o", label=name)
axes.axhline(epsilon, color="0.5", linestyle=":", label="eps_rel = 0.1")
axes.set(xscale="log", yscale="log", xlabel="samples n", ylabel="relative test MSE")
axes.legend()

# %%
# One target and one sample are one replicate, and say little. ``hierbench run`` takes several of each, keeps
# every row, and gives n\* against d with intervals.
