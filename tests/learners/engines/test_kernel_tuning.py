"""Searches end on any data: where every error is 0, infinite or NaN, and where no matrix is sound."""

import numpy as np
import pytest
import torch

from hierbench.learners.adaptive.boosted_trees import _Search
from hierbench.learners.engines import kernel_tuning
from hierbench.learners.engines.kernel_engine import Axis, PrefixSolver
from hierbench.learners.engines.kernel_tuning import Budget, coefficients, tune
from hierbench.learners.features.polynomial_regression import PolynomialRegressor
from hierbench.learners.kernels.classical import RBFKernel
from hierbench.learners.kernels.dot_product import DotProductRegressor
from hierbench.learners.kernels.kernel_ridge import LENGTH_SCALES, KernelRidgeRBF
from hierbench.learners.kernels.kernel_ridge import RIDGES as RIDGES_OF_KERNELS
from hierbench.learners.net_kernels.ntk_finite import FiniteNTKRegressor

X = np.random.default_rng(0).standard_normal((10, 3))
RIDGES = Axis("ridge", (1e-6, 1e-3, 1.0), (0, 2))


@pytest.fixture(autouse=True)
def bounded_search(monkeypatch):
    """An endless search is an error after as many looks as no search of this file needs."""
    solve, looks = kernel_tuning.Cost.solve, []

    def counted(self, points, length):
        looks.append(len(points))
        assert len(looks) < 500, "the search does not end"
        return solve(self, points, length)

    monkeypatch.setattr(kernel_tuning.Cost, "solve", counted)


@pytest.mark.parametrize(
    "learner",
    [
        KernelRidgeRBF(length_scale=1.0),
        KernelRidgeRBF(),
        PolynomialRegressor(),
        DotProductRegressor(max_degree=2),
        FiniteNTKRegressor(random_state=0),
    ],
)
@pytest.mark.parametrize("n", [4, 10])
def test_labels_of_zero_are_fitted_by_zero(learner, n):
    np.testing.assert_array_equal(learner.fit(X[:n], np.zeros(n)).predict(X), 0.0)
    assert learner.fit_report_.health["loo_mse"] == 0.0


def test_equal_labels_are_fitted_by_their_value():
    for n in (2, 3, 4):
        fitted = FiniteNTKRegressor(random_state=0).fit(X[:n], np.ones(n))
        np.testing.assert_array_equal(fitted.predict(X), 1.0)


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_a_search_from_what_is_best_for_a_similar_problem_gets_as_far(noise):
    kernel, axes = RBFKernel(1.0), (LENGTH_SCALES["rbf"], RIDGES_OF_KERNELS)

    def fitted(seed, near=None):
        rng = np.random.default_rng(seed)
        points = rng.standard_normal((300, 3))
        y = points[:, 0] * points[:, 1] + noise * rng.standard_normal(300)
        return kernel_tuning.fit_prefixes(kernel, axes, points, y, [300], Budget(), near)[0]

    before = fitted(1)
    chosen = (*before.shape, before.ridge)
    near = tuple(axis.values.index(value) for axis, value in zip(axes, chosen, strict=True))
    started, scanned = fitted(2, near).report, fitted(2).report
    assert started.health["loo_mse"] < 1.05 * scanned.health["loo_mse"]
    assert started.steps < scanned.steps


def test_a_search_that_starts_where_nothing_is_sound_raises_the_ridge():
    ridges = Axis("ridge", (0.0, 1e-30, 1e-3, 1.0), (0, 1))
    rows = np.repeat(X[:2], 5, axis=0)
    solver = PrefixSolver(RBFKernel(0.0), (Axis.listed("l", (1.0, 2.0)), ridges), rows, rows[:, 0], [10])
    assert tune(solver, 10, Budget(), near=(1, 0)).ridge >= 1e-3


def test_the_walk_takes_no_more_than_its_points():
    solver = PrefixSolver(RBFKernel(1.0), (Axis.listed("l", (1.0, 2.0)), RIDGES), X, X[:, 0], [10])
    fit = tune(solver, 10, Budget(walk_points=10**9))
    assert fit.report.steps <= 6, "the lattice has six points"


def test_errors_beyond_float64_are_no_solutions():
    solver = PrefixSolver(RBFKernel(1.0), (Axis.listed("l", 1.0), RIDGES), X, np.full(10, 1e200), [10])
    assert solver.solve([(0, 0), (0, 2)], 10) == {}
    with pytest.raises(ValueError, match="not positive definite"):
        tune(solver, 10, Budget())


@pytest.mark.parametrize("ridge", [0.0, 1e-30])
def test_a_ridge_is_raised_until_the_matrix_is_sound(ridge):
    K, y = torch.ones((4, 4), dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    factorisations = []
    alpha = coefficients(K, y, ridge, lambda: factorisations.append(1))
    np.testing.assert_allclose(alpha, 0.25, rtol=1e-5)
    assert len(factorisations) > 1
    assert (K == 1.0).all()


@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_no_ridge_mends_a_matrix_that_is_not_finite(entry):
    K = torch.full((4, 4), entry, dtype=torch.float64)
    with pytest.raises(ValueError, match="not positive definite"):
        coefficients(K, torch.ones(4, dtype=torch.float64), 1e-10, lambda: None)


def test_the_search_for_trees_ends_where_no_error_is_a_number(monkeypatch):
    search = _Search(X, X[:, 0], 1, 5)
    monkeypatch.setattr(search, "_try", lambda point: search.tried.update({point: (1, np.nan)}))
    assert search.walk((3, 2, 2, 2), 10**6) == (3, 2, 2, 2)
