"""The best of a large grid, judged on the test set: what no learner may do, and tests compare with."""

from __future__ import annotations

import numpy as np
import torch


def best_on_the_test_set(kernel, shapes, ridges, X, y, X_test, y_test):
    """Smallest test MSE of a grid; one eigendecomposition a shape, independent of the solver."""
    train, test = torch.from_numpy(X), torch.from_numpy(X_test)
    K = torch.empty((len(X), len(X)), dtype=torch.float64)
    K_test = torch.empty((len(X_test), len(X)), dtype=torch.float64)
    best = np.inf
    for shape in shapes:
        kernel.gram(train, None, shape, K)
        kernel.gram(test, train, shape, K_test)
        values, vectors = torch.linalg.eigh(K)
        scaled = (vectors.T @ torch.from_numpy(y))[:, None] / (values[:, None] + torch.from_numpy(ridges))
        errors = (K_test @ (vectors @ scaled)).numpy() - y_test[:, None]
        best = min(best, np.square(errors).mean(0).min())
    return best
