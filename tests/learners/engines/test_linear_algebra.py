"""Linear algebra on NumPy's and SciPy's libraries against PyTorch's."""

import pytest
import torch

from hierbench.learners.engines.linear_algebra import (
    cholesky,
    integer_power_,
    inverse_lower,
    inverse_positive,
    product,
    solve_lower,
    solve_positive,
)


def positive(n):
    A = torch.randn(n, 2 * n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    return A @ A.T / n + 0.1 * torch.eye(n, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 50, 130])
def test_factors_solutions_and_inverses_are_those_of_torch(n):
    K, B = positive(n), torch.arange(3.0 * n, dtype=torch.float64).reshape(n, 3)
    before = K.clone()
    L, info = cholesky(K)
    expected = torch.linalg.cholesky(K)
    assert info == 0 and torch.equal(K, before)
    torch.testing.assert_close(L, expected)
    torch.testing.assert_close(solve_lower(L, B), torch.linalg.solve_triangular(expected, B, upper=False))
    torch.testing.assert_close(
        solve_lower(L, B, transposed=True), torch.linalg.solve_triangular(expected.mT, B, upper=True)
    )
    torch.testing.assert_close(solve_positive(L, B[:, 0]), torch.linalg.solve(K, B[:, 0]))
    torch.testing.assert_close(inverse_lower(L), torch.linalg.inv(expected))
    torch.testing.assert_close(
        inverse_lower(L[n // 2 :, n // 2 :]), torch.linalg.inv(expected[n // 2 :, n // 2 :])
    )
    torch.testing.assert_close(inverse_positive(L), torch.linalg.inv(K))


def test_a_factor_may_take_the_place_of_its_matrix():
    K = positive(20)
    expected = torch.linalg.cholesky(K)
    torch.testing.assert_close(cholesky(K, K)[0], expected)
    part = positive(30)[:20, :20]
    torch.testing.assert_close(cholesky(part)[0], torch.linalg.cholesky(part))
    torch.testing.assert_close(cholesky(part.mT)[0], torch.linalg.cholesky(part))
    torch.testing.assert_close(cholesky(part, part)[0], torch.linalg.cholesky(positive(30)[:20, :20]))


def test_what_has_no_factor_says_where_it_ends():
    K = positive(30)
    K[20, 20] = -1.0
    L, info = cholesky(K)
    assert info == 21
    torch.testing.assert_close(L[:20, :20], torch.linalg.cholesky(K[:20, :20]))
    K[20, 20] = float("nan")
    assert cholesky(K)[1] > 0


@pytest.mark.parametrize("columns", [1, 11, 12, 40])
def test_products_narrow_and_wide(columns):
    A = torch.randn(30, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    B = torch.randn(7, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    out = torch.empty(30, 7, dtype=torch.float64)
    assert product(A, B.T, out) is out
    torch.testing.assert_close(out, A @ B.T)
    torch.testing.assert_close(product(A, B.T), A @ B.T)
    assert torch.isinf(product(1e200 * torch.ones_like(A), 1e200 * torch.ones_like(B.T))).all()


@pytest.mark.parametrize("exponent", [1, 2, 3, 4, 7, 8, 12])
def test_integer_powers(exponent):
    base = torch.linspace(-1.5, 1.5, 3 * 40_000, dtype=torch.float64).reshape(3, -1)  # several blocks
    expected = base**exponent
    torch.testing.assert_close(integer_power_(base, exponent), expected)
    torch.testing.assert_close(base, expected)
