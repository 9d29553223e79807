"""Conjugate gradients that never keep the kernel matrix, against dense algebra and SciPy's iterations."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, cg

from hierbench.learners.engines import conjugate_gradients
from hierbench.learners.engines.conjugate_gradients import Iteration, KernelSystem
from hierbench.learners.kernels.classical import LaplaceKernel, PolynomialKernel, RBFKernel

KERNELS = [(RBFKernel(1.0), (1.5,)), (LaplaceKernel(0.5), (2.0,)), (PolynomialKernel(3), (0.7,))]
N = 300
RIDGES = [1e-4, 1e-2, 1.0]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Several, and the last one narrower."""
    monkeypatch.setattr(conjugate_gradients, "TILE", 64)


def problem(kernel, shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 6))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(N) + 0.5
    K = torch.empty((N, N), dtype=torch.float64)
    kernel.gram(torch.from_numpy(X), None, shape, K)
    return X, y, K.numpy()


@pytest.mark.parametrize(("kernel", "shape"), KERNELS)
def test_products_are_those_of_the_matrix(kernel, shape):
    X, _, K = problem(kernel, shape)
    P = np.random.default_rng(1).standard_normal((N, 3))
    out = KernelSystem(kernel, shape, X, 20).times(torch.from_numpy(P))
    np.testing.assert_allclose(out, K @ P, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "shape"), KERNELS)
@pytest.mark.parametrize("centres", [1, 100, N])
def test_it_tends_to_the_dense_solution(kernel, shape, centres):
    X, y, K = problem(kernel, shape)
    iteration = Iteration(KernelSystem(kernel, shape, X, centres), y, RIDGES)
    assert not iteration.run(5000, 1e-9)
    assert (iteration.residuals <= 1e-9).all()
    for ridge, alpha in zip(RIDGES, iteration.alphas.numpy().T, strict=True):
        direct = np.linalg.solve(K + ridge * np.eye(N), y)
        np.testing.assert_allclose(K @ alpha, K @ direct, atol=1e-6)
        np.testing.assert_allclose(y - K @ alpha, ridge * alpha, atol=1e-7)


@pytest.mark.parametrize(("kernel", "shape"), KERNELS)
def test_each_ridge_takes_the_steps_of_scipys_iteration(kernel, shape):
    """With the preconditioner as a dense matrix, made another way: few steps, so that rounding is small."""
    X, y, K = problem(kernel, shape)
    m, steps = 40, 4
    iteration = Iteration(KernelSystem(kernel, shape, X, m), y, RIDGES)
    assert iteration.run(steps, 0.0) and iteration.done == steps
    nystrom = K[:, :m] @ np.linalg.pinv(K[:m, :m], rcond=1e-13, hermitian=True) @ K[:m]
    left = np.trace(K - nystrom) / N
    for ridge, alpha in zip(RIDGES, iteration.alphas.numpy().T, strict=True):
        inverse = np.linalg.inv(nystrom + (left + ridge) * np.eye(N))
        theirs, _ = cg(
            LinearOperator((N, N), lambda v, r=ridge: K @ v + r * v), y, rtol=0.0, maxiter=steps,
            M=LinearOperator((N, N), lambda v, inverse=inverse: inverse @ v),
        )  # fmt: skip
        np.testing.assert_allclose(alpha, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).max())


def test_the_centres_save_iterations():
    kernel, shape = KERNELS[0]
    X, y, _ = problem(kernel, shape)
    done = []
    for centres in (1, 50, 200):
        iteration = Iteration(KernelSystem(kernel, shape, X, centres), y, [1e-3])
        iteration.run(5000, 1e-8)
        done.append(iteration.done)
    assert done[2] < done[1] / 3 < done[0] / 6


def test_what_rounding_makes_indefinite_ends_with_finite_numbers():
    """600 points of 10 features, nothing added: a matrix of rank 66."""
    X = np.random.default_rng(0).standard_normal((600, 10))
    y = np.random.default_rng(1).standard_normal(600)
    kernel, shape = PolynomialKernel(2), (1.0,)
    iteration = Iteration(KernelSystem(kernel, shape, X, 100), y, [0.0, 1e-18, 1e-2])
    iteration.run(400, 1e-12)
    assert torch.isfinite(iteration.alphas).all()
    assert iteration.residuals[2] <= 1e-10


def test_a_direction_of_no_curvature_ends_the_iterations(monkeypatch):
    kernel, shape = KERNELS[0]
    X, y, _ = problem(kernel, shape)
    for sign in (0.0, -1.0):
        system = KernelSystem(kernel, shape, X, 10)
        monkeypatch.setattr(system, "times", lambda P, sign=sign: sign * P)
        iteration = Iteration(system, y, [0.0, 0.5])
        assert not iteration.run(10, 1e-10) or sign == 0.0
        assert not iteration.alphas[:, 0].any() and torch.isfinite(iteration.alphas).all()


def test_residuals_are_those_of_the_solution():
    kernel, shape = KERNELS[0]
    X, y, K = problem(kernel, shape)
    iteration = Iteration(KernelSystem(kernel, shape, X, 30), y, RIDGES)
    iteration.run(3, 0.0)
    expected = [
        np.linalg.norm(y - K @ alpha - ridge * alpha) / np.linalg.norm(y)
        for ridge, alpha in zip(RIDGES, iteration.alphas.numpy().T, strict=True)
    ]
    np.testing.assert_allclose(iteration.true_residuals(), expected, rtol=1e-8)
    np.testing.assert_allclose(iteration.residuals, expected, rtol=1e-6)


@pytest.mark.parametrize("centres", [1, 100, N])
def test_rows_that_a_column_leaves_out_are_predicted_from_the_others(centres):
    kernel, shape = KERNELS[0]
    X, y, K = problem(kernel, shape)
    parts = [slice(0, 40), slice(250, N), slice(0, 0)]
    iteration = Iteration(KernelSystem(kernel, shape, X, centres), y, [0.01, 0.1, 0.1], parts)
    assert not iteration.run(5000, 1e-10)
    for i, (part, ridge) in enumerate(zip(parts, (0.01, 0.1, 0.1), strict=True)):
        kept = np.delete(np.arange(N), np.arange(N)[part])
        alpha = np.zeros(N)
        alpha[kept] = np.linalg.solve(K[np.ix_(kept, kept)] + ridge * np.eye(len(kept)), y[kept])
        np.testing.assert_allclose(iteration.alphas[:, i], alpha, atol=1e-6)
        np.testing.assert_allclose(iteration.predictions[:, i], K @ alpha, atol=1e-7)
    assert (iteration.true_residuals() < 1e-9).all()


def test_rows_that_are_left_out_take_no_more_iterations():
    """The preconditioner is that of the rows that are fitted."""
    kernel, shape = KERNELS[0]
    X, y, _ = problem(kernel, shape)
    done = []
    for parts in ((), [slice(200, N)]):
        iteration = Iteration(KernelSystem(kernel, shape, X, 200), y, [1e-3], parts)
        iteration.run(5000, 1e-8)
        done.append(iteration.done)
    assert done[1] <= 1.2 * done[0]


@pytest.mark.parametrize("factor", [3.0, 30.0, 300.0])
def test_rows_that_are_larger_than_the_centres_are_solved(factor):
    """Their share of the diagonal is not what the centres have; B^T B rounds beyond the level."""
    kernel, shape = PolynomialKernel(4), (1.0,)
    X, y, _ = problem(*KERNELS[0])
    X[150:] *= factor
    iteration = Iteration(KernelSystem(kernel, shape, X, 40), y, [1e-10, 1e3])
    iteration.run(200, 1e-10)
    assert torch.isfinite(iteration.alphas).all()
    assert factor > 3 or iteration.true_residuals()[1] < 1e-3


def test_labels_of_zero_take_no_step():
    kernel, shape = KERNELS[0]
    X, _, _ = problem(kernel, shape)
    iteration = Iteration(KernelSystem(kernel, shape, X, 10), np.zeros(N), [1e-3])
    assert not iteration.run(10, 1e-10) and iteration.done == 0
    assert not iteration.alphas.any()


@pytest.mark.parametrize("first", [0, 30])
def test_numbers_that_are_not_finite_are_refused(first):
    """Among the centres or behind them."""
    X = np.ones((50, 3))
    X[first:] = 1e200
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="unit variance"):
        KernelSystem(PolynomialKernel(4), (1.0,), X, 20)
