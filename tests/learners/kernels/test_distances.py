"""Distances by one matrix product against those of SciPy, and what rounding leaves between equal points."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from hierbench.learners.adaptive.metric_kernel import ExponentKernel
from hierbench.learners.kernels.classical import LaplaceKernel
from hierbench.learners.kernels.distances import distances
from hierbench.learners.kernels.matern import MaternKernel


def points(n=60, d=7, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


def between(A, B, scale):
    out = torch.empty((len(A), len(B)), dtype=torch.float64)
    distances(A, B, scale, out)
    return out.numpy()


@pytest.mark.parametrize("scale", [0.07, 1.0, 700.0])
def test_distances_are_those_of_scipy(scale):
    A, B = points(), points(seed=1)
    np.testing.assert_allclose(between(A, B, scale), cdist(A, B) / np.sqrt(scale), rtol=1e-12)


def test_points_that_differ_by_more_than_rounding_stay_apart():
    A = points()
    moved = A + 1e-6 * points(seed=1)
    found = np.diag(between(A, moved, 1.0))
    np.testing.assert_allclose(found, np.linalg.norm(A - moved, axis=1), rtol=1e-2)


def test_a_point_far_off_does_not_move_the_others_together():
    A = points()
    A[-1] *= 1e8
    np.testing.assert_allclose(between(A, A, 1.0)[:-1, :-1], cdist(A[:-1], A[:-1]), atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "shape"),
    [
        (LaplaceKernel(0.0), (0.1,)),
        (ExponentKernel(1.0, 0.0), (0.1,)),
        (ExponentKernel(0.7, 0.0), (0.1,)),
        (MaternKernel(0.0), (0.5, 0.1)),
    ],
)
def test_a_point_has_its_own_kernel_whatever_the_order_of_the_rows(kernel, shape):
    A = points()
    order = torch.from_numpy(np.random.default_rng(2).permutation(len(A)))
    out = torch.empty((len(A), len(A)), dtype=torch.float64)
    kernel.gram(A, A[order], shape, out)
    assert np.all(out.numpy()[order, np.arange(len(A))] == 1.0)
