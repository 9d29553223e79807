"""The polynomial algebra against plain evaluation and Gauss-Hermite quadrature."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierbench.targets.algebra import terms
from hierbench.targets.algebra.orthogonal import HERMITE
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged
from hierbench.targets.laws.measures import Product

M = 3


def quadrature(m, nodes):
    """Tensor Gauss-Hermite rule for the standard Gaussian in m variables: points, weights."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = np.array(list(itertools.product(x, repeat=m)))
    weights = np.prod(list(itertools.product(w / w.sum(), repeat=m)), axis=1)
    return points, weights


POINTS, WEIGHTS = quadrature(M, 10)


def hermite(polynomial):
    """Expansion under the standard Gaussian."""
    return Product((HERMITE,) * polynomial.n_variables).expand(polynomial)


@st.composite
def polynomials(draw, q=2, degree=4):
    exponents = draw(
        st.lists(st.tuples(*[st.integers(0, degree)] * M), min_size=1, max_size=8, unique=True).map(
            lambda rows: [e for e in rows if sum(e) <= degree] or [(0,) * M]
        )
    )
    numbers = st.floats(-2, 2, allow_nan=False)
    coefficients = [[draw(numbers) for _ in range(q)] for _ in exponents]
    return Polynomial(np.array(exponents, dtype=np.int8), np.array(coefficients))


@settings(max_examples=60, deadline=None)
@given(polynomials(), polynomials())
def test_product_and_sum_are_those_of_the_values(a, b):
    va, vb = a.evaluate(POINTS), b.evaluate(POINTS)
    np.testing.assert_allclose((a * b).evaluate(POINTS), va * vb, rtol=1e-9, atol=1e-9 * 5.0**8)
    np.testing.assert_allclose((a + b).evaluate(POINTS), va + vb, rtol=1e-9, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(polynomials())
def test_square_is_the_product_with_itself(a):
    np.testing.assert_allclose(a.square().evaluate(POINTS), (a * a).evaluate(POINTS), rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(polynomials())
def test_no_term_is_repeated(a):
    rows = [tuple(e) for e in a.square().exponents]
    assert len(rows) == len(set(rows))


@settings(max_examples=60, deadline=None)
@given(polynomials())
def test_hermite_means_and_covariances_agree_with_quadrature(a):
    series, values = hermite(a), a.evaluate(POINTS)
    mean = WEIGHTS @ values
    second = (values * WEIGHTS[:, None]).T @ values
    np.testing.assert_allclose(series.constant, mean, atol=1e-8)
    np.testing.assert_allclose(series.gram(), second - np.outer(mean, mean), atol=1e-6)
    np.testing.assert_allclose(sum(series.grams().values(), np.zeros((2, 2))), series.gram(), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(polynomials())
def test_low_degree_parts_agree_with_projections_by_quadrature(a):
    series, values = hermite(a), a.evaluate(POINTS)
    np.testing.assert_allclose(series.linear_form(), values.T @ (WEIGHTS[:, None] * POINTS), atol=1e-7)
    form = np.einsum("n,nq,ni,nj->qij", WEIGHTS, values, POINTS, POINTS)
    form = (form - (WEIGHTS @ values)[:, None, None] * np.eye(M)) / 2
    np.testing.assert_allclose(series.quadratic_form(), form, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(polynomials(degree=4))
def test_form_in_squares_is_the_least_squares_fit_on_quadratics_in_u(a):
    values = a.evaluate(POINTS)[:, 0]
    u = (POINTS**2 - 1) / math.sqrt(2)
    pairs = list(itertools.combinations_with_replacement(range(M), 2))
    design = np.column_stack([np.ones(len(u)), u, *[u[:, i] * u[:, j] for i, j in pairs]])
    root = np.sqrt(WEIGHTS)
    fit = np.linalg.lstsq(root[:, None] * design, root * values, rcond=None)[0][1 + M :]
    expected = np.zeros((M, M))
    for (i, j), c in zip(pairs, fit, strict=True):
        expected[i, j] += c / 2
        expected[j, i] += c / 2
    np.testing.assert_allclose(hermite(a).form_in_squares()[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("power", "shares"),
    [(4, {2: 0.75, 4: 0.25}), (8, {2: 0.175, 4: 0.525, 6: 0.28, 8: 0.02})],
)
def test_degree_shares_of_powers_of_a_gaussian(power, shares):
    """z^4 is 75/25 %, z^8 is 17.5/52.5/28/2 % (rounded to three digits)."""
    p = Polynomial.linear(np.ones((1, 1)))
    for _ in range(int(math.log2(power))):
        p = p.square()
    grams = hermite(p).grams()
    total = sum(g[0, 0] for g in grams.values())
    assert total == pytest.approx(math.prod(range(1, 2 * power, 2)) - math.prod(range(1, power, 2)) ** 2)
    assert {d: g[0, 0] / total for d, g in grams.items()} == pytest.approx(shares, abs=5e-3)


def test_z4_shares_are_exact():
    grams = hermite(Polynomial.linear(np.ones((1, 1))).square().square()).grams()
    assert {p: g[0, 0] for p, g in grams.items()} == pytest.approx({2: 72.0, 4: 24.0}, rel=1e-14)


def test_disjoint_factors_leave_no_terms():
    """Coordinate-wise squares of single variables do not fill up with cross terms."""
    assert Polynomial.linear(np.eye(5)).square().n_terms == 5


def test_squares_of_coordinates_are_the_squares_of_the_coordinates():
    Z = np.random.default_rng(0).standard_normal((20, 4))
    np.testing.assert_allclose(Polynomial.linear(np.eye(4)).square().evaluate(Z), Z**2)


def test_mapping_and_merging_are_linear():
    rng = np.random.default_rng(1)
    p = Polynomial.linear(rng.standard_normal((2, M))).square()
    matrix = rng.standard_normal((3, 2))
    both = merged([mapped(p, matrix), Polynomial.of_constant(np.ones(3), M)])
    np.testing.assert_allclose(both.evaluate(POINTS), p.evaluate(POINTS) @ matrix.T + 1.0, atol=1e-9)


def test_products_past_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(terms, "MAX_PAIRS", 5)
    with pytest.raises(TooManyTermsError, match="6 pairs"):
        Polynomial.linear(np.ones((1, 3))).square()


def test_colliding_keys_are_an_error_and_never_a_number(monkeypatch):
    """With a degenerate first hash, the second one notices."""
    real = terms.hash_weights
    zero = np.zeros(2, dtype=np.uint64)
    monkeypatch.setattr(terms, "hash_weights", lambda m, which: real(m, which) if which else zero)
    with pytest.raises(ArithmeticError, match="share a key"):
        Polynomial.linear(np.ones((1, 2))).square()
