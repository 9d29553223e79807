"""The laws of inputs, their reduced coordinates and expansions by degree."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures

from hierbench.targets.algebra.orthogonal import HERMITE, LEGENDRE, TWO_POINT, two_gaussians
from hierbench.targets.algebra.terms import Polynomial
from hierbench.targets.certificates.stability import sampled_shares
from hierbench.targets.laws.inputs import LAWS, input_law, orthonormalised
from hierbench.targets.laws.measures import Product, Sphere

TEXTS = [
    "gaussian",
    "gaussian:condition=10",
    "mixture",
    "mixture:separation=0.6,weight=0.2",
    "cube",
    "sphere",
    "hypercube",
]
UNIVARIATE = [HERMITE, LEGENDRE, TWO_POINT, two_gaussians(0.8, 0.5), two_gaussians(0.7, 0.2)]


@pytest.mark.parametrize("text", TEXTS)
def test_samples_have_mean_zero_and_the_stated_covariance(text):
    law = input_law(text, 6, 3)
    X = law.sample(200_000, np.random.default_rng(0))
    assert X.dtype == np.float64
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=0.02)
    eigenvalues = np.linalg.eigvalsh(X.T @ X / len(X))
    if text == "gaussian:condition=10":
        assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(10, rel=0.05)
        assert eigenvalues.mean() == pytest.approx(1, rel=0.01)
        assert not law.isotropic
    else:
        np.testing.assert_allclose(eigenvalues, 1, atol=0.03)
        assert law.isotropic
    assert law.rotation_invariant == (text in ("gaussian", "sphere"))
    assert input_law(law.text, 6, 3) == law


@pytest.mark.parametrize("text", TEXTS)
def test_samples_are_nested_to_the_bit(text):
    law = input_law(text, 5, 1)
    X = law.sample(5000, np.random.default_rng(2))
    for m in (1, 100, 2048, 2049):
        np.testing.assert_array_equal(law.sample(m, np.random.default_rng(2)), X[:m])


def test_supports_of_the_bounded_laws():
    def draw(text):
        return input_law(text, 7, 0).sample(3000, np.random.default_rng(0))

    assert set(np.unique(draw("hypercube"))) == {-1.0, 1.0}
    np.testing.assert_allclose((draw("sphere") ** 2).sum(axis=1), 7, rtol=1e-12)
    assert math.sqrt(3) - 0.01 < np.abs(draw("cube")).max() <= math.sqrt(3)


def test_a_mixture_has_two_components_along_its_direction():
    law = input_law("mixture:separation=0.95,weight=0.3", 8, 0)
    along = law.sample(100_000, np.random.default_rng(0)) @ law.direction
    upper, lower = 0.95 * math.sqrt(0.7 / 0.3), -0.95 * math.sqrt(0.3 / 0.7)
    assert (np.abs(along - upper) < np.abs(along - lower)).mean() == pytest.approx(0.3, abs=0.01)
    # Skewness 0.95^3 (1 - 2w) / sqrt(w (1 - w)) of the two points; a Gaussian adds none.
    assert (along**3).mean() == pytest.approx(0.95**3 * 0.4 / math.sqrt(0.21), abs=0.02)


@pytest.mark.parametrize("factor", UNIVARIATE, ids=lambda f: f.name)
def test_orthonormal_polynomials_are_orthonormal_and_the_rule_integrates(factor):
    z = factor.sample(400_000, np.random.default_rng(0))
    values = factor.values(z, 3)
    kept = [k for k in range(4) if factor.norms[k] > 0]
    gram = values[kept] @ values[kept].T / len(z)
    np.testing.assert_allclose(gram, np.eye(len(kept)), atol=0.06)
    nodes = 6 if factor is not TWO_POINT else 2
    points, weights = factor.quadrature(nodes)
    for power in range(2 * nodes):
        exact = factor.powers[power, 0]
        assert weights @ points**power == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_moments_of_the_laws_of_one_variable():
    assert [HERMITE.powers[p, 0] for p in (2, 4, 6, 8)] == pytest.approx([1, 3, 15, 105])
    assert [LEGENDRE.powers[p, 0] for p in (2, 4, 6)] == pytest.approx([1, 9 / 5, 27 / 7])
    assert [TWO_POINT.powers[p, 0] for p in (2, 4, 6)] == pytest.approx([1, 1, 1])
    upper, lower, s2 = 0.7 * 2.0, -0.7 * 0.5, 1 - 0.7**2
    third = sum(w * (m**3 + 3 * m * s2) for w, m in ((0.2, upper), (0.8, lower)))
    assert two_gaussians(0.7, 0.2).powers[3, 0] == pytest.approx(third, rel=1e-10)


@pytest.mark.parametrize("text", TEXTS)
def test_reduced_coordinates_carry_the_linear_forms(text):
    law = input_law(text, 7, 4)
    rows = np.random.default_rng(1).standard_normal((3, 7))
    rows[2] = rows[0] - rows[1]
    reduction = law.reduce(rows)
    X = law.sample(1000, np.random.default_rng(2))
    W = X @ reduction.coordinates.T
    np.testing.assert_allclose(W @ reduction.matrix.T, X @ rows.T, atol=1e-12)
    assert W.shape[1] == reduction.measure.m
    if law.name in ("gaussian", "sphere"):
        assert reduction.measure.m == 2
    sampled = reduction.measure.sample(50_000, np.random.default_rng(3))
    np.testing.assert_allclose(sampled.T @ sampled / len(sampled), np.eye(sampled.shape[1]), atol=0.05)


@pytest.mark.parametrize(
    "text",
    [t if t in ("mixture", "sphere") else pytest.param(t, marks=pytest.mark.slow) for t in TEXTS],
)
def test_a_law_is_known_again_after_pickling(text):
    """Sampled certificates ask which polynomials belong to a coordinate."""
    measure = input_law(text, 5, 0).reduce(np.eye(5)).measure
    again = pickle.loads(pickle.dumps(measure))
    draws = [m.sample(100, np.random.default_rng(0)) for m in (measure, again)]
    np.testing.assert_array_equal(*draws)
    shares = [sampled_shares(m, lambda w: w[:, 0], 3, False) for m in (measure, again)]
    assert shares[0] == shares[1]


def test_orthonormal_rows_stay_as_they_are():
    rows = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))[0].T
    matrix, basis = orthonormalised(rows)
    np.testing.assert_array_equal(matrix, np.eye(3))
    assert basis is rows


@st.composite
def polynomials(draw, m, degree):
    exponents = draw(
        st.lists(st.tuples(*[st.integers(0, degree)] * m), min_size=1, max_size=6, unique=True).map(
            lambda rows: [e for e in rows if sum(e) <= degree] or [(1,) + (0,) * (m - 1)]
        )
    )
    coefficients = [[draw(st.floats(-2, 2))] for _ in exponents]
    return Polynomial(np.array(exponents, dtype=np.int8), np.array(coefficients))


def points_of(measure, nodes=7):
    """A quadrature rule for the law: product Gauss rules, on the sphere by radial projection of one."""
    if isinstance(measure, Product):
        rules = [f.quadrature(2 if f is TWO_POINT else nodes) for f in measure.factors]
        points = np.array(list(itertools.product(*[x for x, _ in rules])))
        return points, np.prod(list(itertools.product(*[w for _, w in rules])), axis=1)
    # The circle of radius sqrt(2): equidistant angles are exact for trigonometric polynomials.
    assert (measure.m, measure.d) == (2, 2)
    angle = 2 * math.pi * np.arange(40) / 40
    return math.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.full(40, 1 / 40)


@pytest.mark.parametrize(
    "measure",
    [
        Product((HERMITE, HERMITE)),
        Product((LEGENDRE, LEGENDRE)),
        Product((TWO_POINT, TWO_POINT)),
        Product((two_gaussians(0.8, 0.3), HERMITE)),
        Sphere(2, 2),
    ],
    ids=["gaussian", "cube", "hypercube", "mixture", "circle"],
)
@settings(max_examples=25, deadline=None)
@given(polynomials(2, 6))
def test_parts_by_degree_are_those_of_least_squares(measure, p):
    """||P_{<=k} f||^2 of weighted least squares on all monomials of degree k, by quadrature."""
    points, weights = points_of(measure)
    values = p.evaluate(points)[:, 0]
    series = measure.expand(p)
    scale = max(1.0, weights @ values**2)
    assert series.constant[0] == pytest.approx(weights @ values, abs=1e-9 * scale)
    grams = series.grams()
    root = np.sqrt(weights)[:, None]
    for k in range(7):
        features = PolynomialFeatures(k).fit_transform(points)
        # rcond: on the circle and the hypercube monomials are linearly dependent.
        fitted = features @ np.linalg.lstsq(root * features, root[:, 0] * values, rcond=1e-10)[0]
        projected = weights @ fitted**2
        exact = series.constant[0] ** 2 + sum(g[0, 0] for q, g in grams.items() if q <= k)
        assert exact == pytest.approx(projected, abs=1e-8 * scale)


@pytest.mark.parametrize("d", [2, 3, 5, 40])
def test_sphere_parts_of_a_power_are_gegenbauer_coefficients(d):
    """x_1^4 on the sphere of radius sqrt(d), from the moments of one coordinate."""

    def moment(p):
        return 0.0 if p % 2 else math.prod((d * (2 * i + 1) / (d + 2 * i)) for i in range(p // 2))

    series = Sphere(1, d).expand(Polynomial(np.array([[4]], dtype=np.int8), np.ones((1, 1))))
    second = moment(4) - 1.0  # variance of x^2
    slope = (moment(6) - moment(4)) / second
    total = moment(8) - moment(4) ** 2
    assert series.constant[0] == pytest.approx(moment(4))
    assert series.gram(2)[0, 0] == pytest.approx(slope**2 * second)
    assert series.gram(4)[0, 0] == pytest.approx(total - slope**2 * second, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian", "inputs = 'gausian': allowed are gaussian, mixture, cube, sphere, hypercube"),
        (3, "inputs = 3: allowed are"),
        ("gaussian:condition=0.5", "condition of gaussian inputs = 0.5: allowed is a number from 1"),
        ("gaussian:condition=x", "condition of gaussian inputs = 'x': allowed is a number"),
        ("gaussian:separation=0.5", "parameter of gaussian inputs 'separation': .*known are condition"),
        ("cube:condition=2", "unknown parameter of cube inputs 'condition': known are none"),
        ("mixture:separation=1", r"allowed is a number in \(0, 1\)"),
        ("mixture:weight=0", r"weight .*allowed is a number in \[0.01, 0.99\]"),
    ],
)
def test_unsound_laws_are_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        input_law(text, 5, 0)
    assert "\n" not in str(caught.value)


def test_a_refused_law_says_why_and_what_is_allowed():
    with pytest.raises(
        ValueError,
        match="inputs = 'cube': allowed are gaussian, mixture, sphere; cube is refused: no cubes",
    ):
        input_law("cube", 5, 0, {"cube": "no cubes", "hypercube": "nor these"})
    assert set(LAWS) == {"gaussian", "mixture", "cube", "sphere", "hypercube"}
