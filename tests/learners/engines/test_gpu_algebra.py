"""What a GPU would compute with, on the CPU, against LAPACK."""

import pytest
import torch

from hierbench.learners.engines import gpu_algebra, kernel_engine, linear_algebra
from hierbench.learners.engines.kernel_engine import Axis, PrefixSolver
from hierbench.learners.kernels.classical import PolynomialKernel


def positive(n):
    A = torch.randn(n, 2 * n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    return A @ A.T / n + 0.1 * torch.eye(n, dtype=torch.float64)


@pytest.mark.parametrize("out", [False, True])
@pytest.mark.parametrize("n", [1, 50, 130])
def test_factors_solutions_and_inverses_are_those_of_lapack(n, out):
    K, B = positive(n), torch.arange(3.0 * n, dtype=torch.float64).reshape(n, 3)
    before, there = K.clone(), torch.empty_like(K) if out else None
    L, info = gpu_algebra.cholesky(K, there)
    expected, _ = linear_algebra.cholesky(K)
    assert info == 0 and torch.equal(K, before) and L.stride() == expected.stride()
    assert there is None or L.data_ptr() == there.data_ptr(), "no other matrix is made"
    torch.testing.assert_close(L, expected)
    for transposed in (False, True):
        torch.testing.assert_close(
            gpu_algebra.solve_lower(L, B, transposed=transposed),
            linear_algebra.solve_lower(expected, B, transposed=transposed),
        )
    trailing = slice(n // 2, n)
    for some in (slice(0, n), trailing):
        ours = gpu_algebra.inverse_lower(L[some, some])
        torch.testing.assert_close(ours, linear_algebra.inverse_lower(expected[some, some]))


@pytest.mark.parametrize(("place", "value"), [((50, 50), -1.0), ((0, 0), float("nan")), ((129, 129), -1.0)])
def test_the_first_bad_minor_is_named(place, value):
    K = positive(130)
    K[place] = value
    assert gpu_algebra.cholesky(K)[1] == linear_algebra.cholesky(K)[1] > 0


def test_a_curve_is_solved_by_it_as_by_lapack(monkeypatch):
    """All that the kernel engine does on a GPU, on the CPU: same errors, coefficients and predictions."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(300, 4, dtype=torch.float64, generator=generator).numpy()
    y = X[:, 0] * X[:, 1] + X[:, 2] ** 2
    axes = [Axis.listed("offset", [0.5, 2.0]), Axis.listed("ridge", [1e-6, 1e-2])]
    points = [(i, j) for i in (0, 1) for j in (0, 1)]

    def solved():
        solver = PrefixSolver(PolynomialKernel(3), axes, X, y, [100, 200, 300])
        found = [solver.solve(points, n) for n in (300, 200, 100)]
        fits = [(solver.shape(point), s.alpha) for one in found for point, s in one.items()]
        return found, kernel_engine.predict(solver.kernel, X, fits, X[:50] + 0.1)

    expected, predicted = solved()
    for module in (linear_algebra, kernel_engine):
        monkeypatch.setattr(module, "on_cpu", lambda A: False)
    found, values = solved()
    assert [list(one) for one in found] == [list(one) for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for point, solution in ours.items():
            assert solution.loo_mse == pytest.approx(theirs[point].loo_mse, rel=1e-8)
            assert solution.alpha == pytest.approx(theirs[point].alpha, rel=1e-6, abs=1e-9)
    torch.testing.assert_close(torch.from_numpy(values), torch.from_numpy(predicted), rtol=1e-8, atol=1e-10)
