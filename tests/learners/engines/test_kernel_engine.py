"""The kernel solver against dense solves, explicit refits and separate factorisations."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.engines import kernel_tuning
from hierbench.learners.engines.kernel_engine import Axis, PrefixSolver, Solution, tail
from hierbench.learners.engines.kernel_tuning import Budget, fit_prefixes
from hierbench.learners.kernels.classical import LaplaceKernel, PolynomialKernel, RBFKernel
from hierbench.learners.kernels.kernel_ridge import KernelRidgeLaplace, KernelRidgeRBF
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial

KERNELS = [(RBFKernel(1.0), 1.5), (LaplaceKernel(0.5), 2.0), (PolynomialKernel(3), 0.7)]


def sample(n, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.square(X[:, 0] * X[:, 1] + X[:, 2]) - 1 + 0.1 * rng.standard_normal(n)
    return X, y


def dense_gram(kernel, shape, A, B=None):
    """The kernels, written a second time."""
    B = A if B is None else B
    d = A.shape[1]
    square = np.square(A[:, None] - B[None]).sum(-1)
    if isinstance(kernel, RBFKernel):
        return np.exp(-square / (2 * d * shape**2)) + kernel.intercept
    if isinstance(kernel, LaplaceKernel):
        return np.exp(-np.sqrt(square / d) / shape) + kernel.intercept
    return ((A @ B.T / d + shape) / (1 + shape)) ** kernel.degree


def one_point(kernel, shape, ridge, X, y, lengths):
    axes = (Axis.listed("shape", shape), Axis.listed("ridge", ridge))
    return PrefixSolver(kernel, axes, X, y, lengths)


@pytest.mark.parametrize(("kernel", "shape"), KERNELS)
def test_gram_is_the_formula(kernel, shape):
    X, _ = sample(40)
    A, B = torch.from_numpy(X[:30]), torch.from_numpy(X[20:])
    out = torch.empty((30, 30), dtype=torch.float64)
    kernel.gram(A, None, (shape,), out)
    np.testing.assert_allclose(out, dense_gram(kernel, shape, X[:30]), atol=1e-8)
    out = torch.empty((30, 20), dtype=torch.float64)
    kernel.gram(A, B, (shape,), out)
    np.testing.assert_allclose(out, dense_gram(kernel, shape, X[:30], X[20:]), atol=1e-7)


@pytest.mark.parametrize(("kernel", "shape"), KERNELS)
def test_prefixes_are_dense_solves(kernel, shape):
    X, y = sample(120)
    solver = one_point(kernel, shape, 1e-2, X, y, [40, 77, 120])
    solver.solve([(0, 0)], 120)
    for n in (40, 77, 120):
        K = dense_gram(kernel, shape, X[:n])
        expected = np.linalg.solve(K + 1e-2 * np.eye(n), y[:n])
        found = solver.solve([(0, 0)], n)[0, 0]
        np.testing.assert_allclose(found.alpha, expected, atol=1e-8 * abs(expected).max())
        assert found.train_mse == pytest.approx(np.mean((K @ expected - y[:n]) ** 2), rel=1e-6)
        # An estimate: the smallest pivot is above the smallest eigenvalue, the trace above the largest.
        assert 0.2 < found.condition / np.linalg.cond(K + 1e-2 * np.eye(n)) < 20


def test_leave_one_out_is_explicit_refitting():
    X, y = sample(60)
    K = dense_gram(RBFKernel(1.0), 1.5, X)
    solver = one_point(RBFKernel(1.0), 1.5, 1e-2, X, y, [35, 60])
    for n in (35, 60):
        residuals = []
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            alpha = np.linalg.solve(K[np.ix_(rest, rest)] + 1e-2 * np.eye(n - 1), y[rest])
            residuals.append(y[i] - K[i, rest] @ alpha)
        assert solver.solve([(0, 0)], n)[0, 0].loo_mse == pytest.approx(
            np.mean(np.square(residuals)), rel=1e-8
        )


def test_long_prefixes_average_exact_residuals_of_their_last_half():
    n = 1300
    X, y = sample(n)
    solver = one_point(RBFKernel(1.0), 1.5, 1e-2, X, y, [900, 1200, n])
    solver.solve([(0, 0)], n)
    for m in (900, 1200, n):
        inverse = np.linalg.inv(dense_gram(RBFKernel(1.0), 1.5, X[:m]) + 1e-2 * np.eye(m))
        residuals = (inverse @ y[:m] / np.diag(inverse))[m - tail(m) :]
        assert solver.solve([(0, 0)], m)[0, 0].loo_mse == pytest.approx(np.mean(residuals**2), rel=1e-8)
    assert (tail(900), tail(1300), tail(4096)) == (900, 1024, 2048)


@pytest.mark.parametrize(
    "estimator", [KernelRidgeRBF(), KernelRidgeLaplace(), KernelRidgePolynomial(degree=4)], ids=repr
)
def test_curves_are_fits_size_by_size(estimator):
    """Same decisions, same report, and predictions equal to 1e-8 or to what the conditioning lets through."""
    X, y = sample(700, seed=1)
    sizes = (20, 150, 400, 600)
    [curve] = estimator.fit_curves([Curve(X, y, sizes, 0)])
    together = curve.predict(X[600:])
    for n, fast, predicted in zip(sizes, curve.estimators, together, strict=True):
        slow = clone(estimator).fit(X[:n], y[:n])
        assert slow.hyperparameters_ == fast.hyperparameters_
        assert (slow.fit_report_.flops, slow.fit_report_.steps) == (
            fast.fit_report_.flops,
            fast.fit_report_.steps,
        )
        rounding = 2.2e-16 * 10 ** slow.fit_report_.health["log10_condition"]
        np.testing.assert_allclose(slow.predict(X[600:]), predicted, atol=max(1e-8, rounding))
        np.testing.assert_allclose(fast.predict(X[600:]), predicted, atol=max(1e-8, rounding))
    assert not hasattr(estimator, "fit_report_")


def test_every_fit_of_a_curve_is_what_its_size_alone_would_get_whatever_the_others():
    X, y = sample(300)
    axes = (Axis.listed("shape", [0.5, 1.0, 2.0]), Axis.listed("ridge", [1e-3, 1e-1]))
    few = fit_prefixes(RBFKernel(1.0), axes, X, y, [100, 300], Budget())
    many = fit_prefixes(RBFKernel(1.0), axes, X, y, [50, 100, 150, 300], Budget())
    for a, b in zip(few, [many[1], many[3]], strict=True):
        assert a.report.hyperparameters == b.report.hyperparameters
        np.testing.assert_allclose(a.alpha, b.alpha, rtol=1e-8)


def test_a_fixed_lattice_point_is_used_as_it_is():
    X, y = sample(50)
    axes = (Axis.listed("shape", 1.5), Axis.listed("ridge", 0.1))
    [fit] = fit_prefixes(RBFKernel(1.0), axes, X, y, [50], Budget())
    assert (fit.shape, fit.ridge, fit.report.steps) == ((1.5,), 0.1, 1)
    assert fit.report.health["edges_of_grid"] == 0


def test_singular_matrices_get_a_larger_ridge():
    X, y = sample(30)
    X, y = np.repeat(X, 2, axis=0) * 30, np.repeat(y, 2)
    axes = (Axis.listed("offset", 1.0), Axis("ridge", (1e-9, 1e-3, 1e12), (0,)))
    [fit] = fit_prefixes(PolynomialKernel(4), axes, X, y, [60], Budget())
    assert fit.ridge > 1e-9
    hopeless = (Axis.listed("offset", 1.0), Axis.listed("ridge", 0.0))
    with pytest.raises(ValueError, match="larger ridge"):
        fit_prefixes(PolynomialKernel(4), hopeless, X, y, [60], Budget())


def test_a_bad_pivot_spoils_only_the_prefixes_that_contain_it():
    X, y = sample(40)
    X = np.concatenate([X, X[:10]])
    y = np.concatenate([y, y[:10]])
    solver = one_point(LaplaceKernel(0.0), 1.0, 0.0, X, y, [20, 40, 50])
    assert solver.solve([(0, 0)], 50) == {}
    assert set(solver.solve([(0, 0)], 40)) == {(0, 0)}
    assert set(solver.solve([(0, 0)], 20)) == {(0, 0)}


def test_ties_go_to_the_larger_ridge():
    solution = Solution(np.zeros(1), 1.0, 0.0, 10.0)
    close = Solution(np.zeros(1), 1.0 + 1e-12, 0.0, 10.0)
    far = Solution(np.zeros(1), 1.0 + 1e-6, 0.0, 10.0)
    assert kernel_tuning._ranked({(0, 0): solution, (0, 1): close, (0, 2): far}) == [(0, 1), (0, 0), (0, 2)]


def test_axes():
    axis = Axis.geometric("ridge", 1e-4, 1e2, per_decade=2, scan=(1e-2, 1e0), every=2)
    np.testing.assert_allclose(axis.values, 10.0 ** np.arange(-4, 2.5, 0.5))
    np.testing.assert_allclose([axis.values[i] for i in axis.coarse], [1e-2, 1e-1, 1.0])
    assert Axis.listed("ridge", [1.0, 0.1]).values == (0.1, 1.0)
    for bad in ([], [-1.0], np.nan):
        with pytest.raises(ValueError, match=r"ridge = .*: allowed are finite numbers >= 0"):
            Axis.listed("ridge", bad)
