"""The polynomial families of the learning-theory literature: formulas, laws of inputs, certificates."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polynomial_variants import EVERY, INVARIANT, VARIANTS
from scipy.special import eval_gegenbauer, eval_hermitenorm
from sklearn.preprocessing import PolynomialFeatures

from hierbench.targets.algebra.power_of_sum import variances_of_power
from hierbench.targets.algebra.terms import Polynomial
from hierbench.targets.catalogue.polynomials import SPECS
from hierbench.targets.laws.inputs import input_law
from hierbench.targets.laws.weights import stream
from hierbench.targets.polynomials import quadratic_features
from hierbench.targets.polynomials.links import random_link
from hierbench.targets.registry import FAMILIES, make_target

CASES = [(name, params, law) for name, params, laws in VARIANTS for law in laws]


def shares(target):
    certificate = target.certificate()
    assert certificate.method == "exact"
    return {p: e.value for p, e in certificate.degree_share.items()}


def draw(target, n, seed=0):
    return target.sample(n, np.random.default_rng(seed))


def test_every_family_and_every_law_it_admits_is_among_the_cases():
    for spec in SPECS:
        laws = {law.partition(":")[0] for name, _, law in CASES if name == spec.name}
        assert laws == {"gaussian", "mixture", "cube", "sphere", "hypercube"} - set(spec.refused_inputs)


@pytest.mark.parametrize(("name", "params", "law"), CASES)
def test_terms_are_their_polynomials(name, params, law):
    target = make_target(name, 6, 3, inputs=law, **params)
    reduction = target._reduction
    W = np.random.default_rng(0).standard_normal((50, reduction.matrix.shape[1]))
    for values, polynomial in zip(
        target.terms(W @ reduction.matrix.T),
        target.term_polynomials(Polynomial.linear(reduction.matrix)),
        strict=True,
    ):
        np.testing.assert_allclose(values, polynomial.evaluate(W)[:, 0], rtol=1e-8, atol=1e-8)
    assert target.certificate().method == "exact"
    assert max(shares(target)) == target.degree == target.certificate().degree
    assert shares(target)[target.degree] > 1e-6
    assert math.fsum(shares(target).values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("name", "params", "law"), CASES)
def test_the_last_level_of_a_hierarchy_is_the_label(name, params, law):
    target = make_target(name, 6, 3, inputs=law, **params)
    X, y = draw(target, 2500)
    levels = target.hidden_features(X)
    (level,) = target.certificate().level_share
    assert level == len(levels)
    if level > 1:
        np.testing.assert_allclose(levels[-1], y[:, None], rtol=1e-10, atol=1e-10)


# The kernel lower-bound class


@pytest.mark.parametrize(
    ("power", "expected"), [(4, {2: 0.75, 4: 0.25}), (8, {2: 0.175, 4: 0.525, 6: 0.28, 8: 0.02})]
)
@pytest.mark.parametrize("law", ["gaussian", "gaussian:condition=30"])
def test_powers_have_the_shares_of_the_sizing_trap(power, expected, law):
    target = make_target("sparse-direction", 12, 0, power=power, inputs=law)
    found = {p: v for p, v in shares(target).items() if v}
    assert found.keys() == expected.keys()
    for p, value in expected.items():
        assert found[p] == pytest.approx(value, abs=1e-12)


def hermite_shares_of_power(p):
    """z^p = sum_k p! / (2^j j! k!) He_k(z), j = (p - k) / 2, and Var He_k = k!."""
    variance = {
        k: math.factorial(k)
        * (math.factorial(p) / (2 ** ((p - k) // 2) * math.factorial((p - k) // 2) * math.factorial(k))) ** 2
        for k in range(p, 0, -2)
    }
    return {k: v / sum(variance.values()) for k, v in variance.items()}


@pytest.mark.parametrize("power", range(1, 17))
def test_powers_and_twins_of_every_degree(power):
    raw = make_target("sparse-direction", 20, 1, power=power)
    found = shares(raw)
    for k, value in hermite_shares_of_power(power).items():
        assert found[k] == pytest.approx(value, abs=1e-12)
    for law in INVARIANT:
        twin = make_target("sparse-direction", 20, 1, power=power, hermite=True, inputs=law)
        assert shares(twin)[power] == pytest.approx(1.0, abs=1e-9)
        X, y = draw(twin, 300)
        t = twin.hidden_features(X)[0][:, 0]
        if law == "sphere":
            index = 20 / 2 - 1
            expected = eval_gegenbauer(power, index, t / math.sqrt(20))
            # ||C_n||^2 under the law of one coordinate: alpha / (n + alpha) C_n(1).
            expected /= math.sqrt(index / (power + index) * eval_gegenbauer(power, index, 1.0))
        else:
            expected = eval_hermitenorm(power, t) / math.sqrt(math.factorial(power))
        np.testing.assert_allclose(y, expected, rtol=1e-7, atol=1e-7)


def test_twins_standardise_their_projection():
    target = make_target("sparse-direction", 10, 2, hermite=True, inputs="gaussian:condition=50")
    t = target.hidden_features(draw(target, 200_000)[0])[0]
    assert (t**2).mean() == pytest.approx(1.0, abs=4 * math.sqrt(2 / 200_000))
    plain = make_target("sparse-direction", 10, 2, hermite=True)
    cosine = target.directions[0] @ plain.directions[0] / np.linalg.norm(target.directions)
    assert cosine == pytest.approx(1.0, abs=1e-12)


def test_directions_are_sparse_and_uniform():
    rows = np.stack([make_target("sparse-direction", 6, s, sparsity=2).directions[0] for s in range(900)])
    assert (np.abs(rows[rows != 0]) == 1 / math.sqrt(2)).all()
    assert ((rows != 0).sum(axis=1) == 2).all()
    # Each coordinate is used with probability 1/3, positively with 1/6.
    assert np.abs((rows != 0).mean(axis=0) - 1 / 3).max() < 4 * math.sqrt(2 / 9 / 900)
    assert np.abs((rows > 0).mean(axis=0) - 1 / 6).max() < 4 * math.sqrt(5 / 36 / 900)
    dense = make_target("sparse-direction", 50, 0, sparsity=None).directions[0]
    assert (dense != 0).all()
    assert dense @ dense == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("power", "sparsity", "degree"), [(4, 2, 2), (5, 2, 1), (5, 4, 3), (3, 3, 3), (1, 1, 1), (7, 1, 1)]
)
def test_the_hypercube_lowers_the_degree_of_powers(power, sparsity, degree):
    target = make_target("sparse-direction", 8, 0, power=power, sparsity=sparsity, inputs="hypercube")
    assert target.degree == degree
    assert max(p for p, v in shares(target).items() if v > 1e-12) == degree


@settings(max_examples=25, deadline=None)
@given(
    law=st.sampled_from(["cube", "hypercube"]),
    power=st.integers(1, 8),
    weights=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=4),
)
def test_powers_of_sums_agree_with_the_algebra(law, power, weights):
    measure = input_law(law, len(weights), 0).reduce(np.eye(len(weights))).measure
    polynomial = z = Polynomial.linear(np.array([weights]))
    for _ in range(power - 1):
        polynomial = polynomial * z
    series = measure.expand(polynomial)
    mean, variances = variances_of_power(np.array(weights), measure.factors[0], power)
    assert mean == pytest.approx(series.constant[0], rel=1e-10)
    grams = series.grams()
    for k in range(1, power + 1):
        expected = grams[k][0, 0] if k in grams else 0.0
        assert variances[k] == pytest.approx(expected, rel=1e-9, abs=1e-9 * variances.sum())


@pytest.mark.parametrize("law", ["cube", pytest.param("hypercube", marks=pytest.mark.slow)])
def test_dense_directions_have_exact_shares_past_the_algebra(law):
    target = make_target("sparse-direction", 60, 0, power=6, sparsity=None, inputs=law)
    assert super(type(target), target)._raw is None
    certificate = make_target("sparse-direction", 60, 0, power=6, sparsity=None, inputs=law).certificate()
    assert certificate.method == "exact"
    # A sum of 60 terms is nearly Gaussian.
    for k, value in hermite_shares_of_power(6).items():
        assert certificate.degree_share[k].value == pytest.approx(value, abs=0.05)
    _, y = draw(target, 2**17)
    assert abs(y.mean()) < 4 / math.sqrt(len(y))
    assert abs((y**2).mean() - 1.0) < 4 * math.sqrt((y**4).mean() / len(y))


# Single- and multi-index


@pytest.mark.parametrize("law", INVARIANT)
@pytest.mark.parametrize("name", ["single-index", "multi-index"])
def test_shares_follow_the_decay_from_the_information_exponent_on(name, law):
    for first, last, decay in ((1, 1, 1.0), (1, 5, 0.5), (3, 6, 2.0), (4, 4, 0.1), (2, 4, 1.0)):
        target = make_target(name, 7, 5, information_exponent=first, degree=last, decay=decay, inputs=law)
        found = shares(target)
        powers = {j: decay ** (j - first) for j in range(first, last + 1)}
        for j, value in found.items():
            assert value == pytest.approx(powers.get(j, 0.0) / sum(powers.values()), abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**40), first=st.integers(1, 5), extra=st.integers(0, 4))
def test_single_index_targets_are_signed_hermite_series(seed, first, extra):
    target = make_target("single-index", 9, seed, information_exponent=first, degree=first + extra, decay=0.7)
    X, y = draw(target, 100)
    t = target.hidden_features(X)[0][:, 0]
    degrees = np.arange(first, first + extra + 1)
    basis = np.stack([eval_hermitenorm(j, t) / math.sqrt(math.factorial(j)) for j in degrees], axis=1)
    coefficients = np.linalg.lstsq(basis, y, rcond=None)[0]
    np.testing.assert_allclose(basis @ coefficients, y, atol=1e-8)
    expected = 0.7 ** (degrees - first)
    np.testing.assert_allclose(coefficients**2, expected / expected.sum(), rtol=1e-6)


def test_multi_index_coefficients_are_uniform_on_the_tensors():
    """Every orthonormal basis function of a degree has the same mean squared coefficient."""
    squares = []
    for seed in range(600):
        link = random_link(2, 3, 3, 1.0, seed=seed, level=2).polynomial
        top = link.degrees == 3
        weight = np.array([math.prod(math.factorial(int(e)) for e in row) for row in link.exponents[top]])
        found = link.coefficients[top, 0] ** 2 * weight
        assert found.sum() == pytest.approx(1.0)
        squares.append(found[np.argsort(link.exponents[top, 0])])
    # A squared coordinate of a uniform point on the 3-sphere: mean 1/4, variance 2 (n-1) / (n^2 (n+2)).
    assert np.abs(np.mean(squares, axis=0) - 0.25).max() < 4 * math.sqrt(2 * 3 / (16 * 6) / 600)


def test_multi_index_parts_on_the_sphere_are_harmonic():
    law = input_law("sphere", 5, 0)
    link = random_link(2, 4, 4, 1.0, seed=1, level=2, law=law)

    def extended(x):
        """The homogeneous polynomial of degree 4 that equals the link on the sphere."""
        r = np.linalg.norm(x) / math.sqrt(5)
        return r**4 * link(x[None, :2] / r)[0]

    x, h = np.array([0.7, -1.1, 0.3, 0.9, -0.2]), 1e-2
    laplacian = sum(extended(x + h * e) + extended(x - h * e) - 2 * extended(x) for e in np.eye(5)) / h**2
    second = max(abs(extended(x + h * e) + extended(x - h * e) - 2 * extended(x)) for e in np.eye(5)) / h**2
    assert abs(laplacian) < 1e-3 * second


def test_whitened_directions_keep_their_span():
    plain = make_target("multi-index", 8, 1, n_directions=3)
    target = make_target("multi-index", 8, 1, n_directions=3, inputs="gaussian:condition=40")
    white = target.directions @ target.law.root(1.0) @ target.directions.T
    np.testing.assert_allclose(white, np.eye(3), atol=1e-10)
    assert np.linalg.matrix_rank(np.concatenate([plain.directions, target.directions]), tol=1e-8) == 3


# Hierarchical polynomials


def test_the_quadratic_feature_has_the_shares_of_its_eigenvalues():
    """y ~ p^2 - 1 for p = sum mu_i He_2: (He_2)^2 = He_4 + 4 He_2 + 2."""
    target = make_target("hierarchical-polynomial", 6, 2, information_exponent=2, link_degree=2)
    mu = target.weights
    assert mu.sum() == pytest.approx(0.0, abs=1e-12)
    assert 2 * (mu**2).sum() == pytest.approx(1.0)
    pairs = ((mu**2).sum() ** 2 - (mu**4).sum()) / 2
    variance = {2: 32 * (mu**4).sum(), 4: 24 * (mu**4).sum() + 16 * pairs}
    for p, value in variance.items():
        assert shares(target)[p] == pytest.approx(value / sum(variance.values()), rel=1e-10)


@pytest.mark.parametrize("law", INVARIANT)
@pytest.mark.parametrize(("k", "rank"), [(2, None), (2, 3), (3, None), (4, 5), (4, 1), (6, None)])
def test_features_of_hierarchical_polynomials_have_one_degree_and_variance_one(law, k, rank):
    target = make_target(
        "hierarchical-polynomial", 6, 3, feature_degree=k, rank=rank, link_degree=1, inputs=law
    )
    assert shares(target)[k] == pytest.approx(1.0, abs=1e-9)
    assert target._moments[1].value == pytest.approx(1.0, abs=1e-9)
    assert target.directions.shape == (6 if rank is None else rank, 6)


def test_the_full_quadratic_form_is_a_traceless_matrix():
    target = make_target("hierarchical-polynomial", 7, 4, link_degree=1)
    X = np.random.default_rng(0).standard_normal((50, 7))
    form = (target.directions.T * target.weights) @ target.directions
    p = np.einsum("ni,ij,nj->n", X, form, X)
    np.testing.assert_allclose(target.hidden_features(X)[0][:, 0], p, atol=1e-10)


@pytest.mark.parametrize("law", EVERY)
def test_quadratic_features_are_white_forms_under_every_law(law):
    target = make_target("quadratic-features", 5, 6, n_features=3, inputs=law)
    matrices = target.matrices
    np.testing.assert_allclose(np.einsum("iab,jab->ij", matrices, matrices), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.trace(matrices, axis1=1, axis2=2), 0.0, atol=1e-12)
    np.testing.assert_allclose(matrices, matrices.transpose(0, 2, 1), atol=1e-15)
    n = 200_000
    s = target.hidden_features(draw(target, n)[0])[0]
    products = np.einsum("ni,nj->nij", s, s).reshape(n, -1)
    stderr = products.std(axis=0) / math.sqrt(n)
    assert (np.abs(products.mean(axis=0) - np.eye(3).ravel()) < 4.5 * stderr).all()
    assert (np.abs(s.mean(axis=0)) < 4.5 * s.std(axis=0) / math.sqrt(n)).all()


@pytest.mark.parametrize("law", ["gaussian", "gaussian:condition=20"])
@pytest.mark.parametrize(("q", "first"), [(1, 1), (2, 1), (2, 2)])
def test_traces_take_over_where_the_algebra_ends(monkeypatch, law, q, first):
    params = {"n_features": 3, "link_degree": q, "information_exponent": first, "inputs": law}
    exact = make_target("quadratic-features", 6, 2, **params)
    assert exact._raw.polynomial is not None
    monkeypatch.setattr(quadratic_features, "MAX_FORM_TERMS", 20)
    target = make_target("quadratic-features", 6, 2, **params)
    assert target._raw.polynomial is None
    assert target._raw.mean == pytest.approx(exact._raw.mean, rel=1e-10, abs=1e-12)
    for k in exact._raw.grams.keys() | target._raw.grams.keys():
        expected = exact._raw.grams.get(k, np.zeros((1, 1)))[0, 0]
        found = target._raw.grams.get(k, np.zeros((1, 1)))[0, 0]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(target._raw.quadratic, exact._raw.quadratic, atol=1e-9)


def test_one_gaussian_quadratic_feature_is_a_quadratic_form():
    target = make_target("quadratic-features", 6, 1, n_features=1, link_degree=1)
    X, y = draw(target, 100)
    p = np.einsum("ni,ij,nj->n", X, target.matrices[0], X) / math.sqrt(2)
    np.testing.assert_allclose(np.abs(y), np.abs(p), atol=1e-10)
    assert shares(target)[2] == pytest.approx(1.0, abs=1e-12)


# SIGHT and MIGHT


@pytest.mark.parametrize("law", INVARIANT)
@pytest.mark.parametrize("equal", [False, True])
def test_a_linear_link_leaves_the_feature_of_sight(law, equal):
    """Var He_2 / 2 : Var He_3 / 6 = 1/2 : 1/6 for Gaussian inputs; unit variance on the sphere too."""
    target = make_target("sight", 10, 2, epsilon=0.7, link_degree=1, equal_weights=equal, inputs=law)
    assert target.directions.shape == (5, 10)
    assert target._moments[1].value == pytest.approx(1.0, abs=1e-9)
    assert shares(target).get(1, 0.0) == pytest.approx(0.0, abs=1e-12)
    if law != "sphere":
        assert shares(target)[2] == pytest.approx(0.75, abs=1e-10)
    assert equal == bool(np.ptp(target.weights[0]) < 1e-12)


@pytest.mark.parametrize(
    ("coefficients", "P", "quadratic"),
    [
        ("factorial", lambda z: (z**2 - 1) / 2 + (z**3 - 3 * z) / 6, 0.75),
        ("equal", lambda z: (z**2 - 1) + (z**3 - 3 * z), 0.25),
    ],
    ids=["factorial", "equal"],
)
def test_the_feature_of_sight_is_its_definition(coefficients, P, quadratic):
    """The sum of P over the projections, of variance 1; by Gauss-Hermite, the share of its He_2."""
    target = make_target("sight", 10, 2, feature_coefficients=coefficients, link_degree=1)
    X, y = draw(target, 50)
    a = stream(2, 2, 1).standard_normal((1, 3))[0]
    z, weights = np.polynomial.hermite_e.hermegauss(8)
    weights /= weights.sum()
    variance = weights @ P(z) ** 2
    feature = P(X @ target.directions.T) @ a / math.sqrt(variance * (a @ a))
    np.testing.assert_allclose(target.hidden_features(X)[1][:, 0], feature, atol=1e-10)
    np.testing.assert_allclose(np.abs(y), np.abs(feature), atol=1e-10)
    assert (weights @ (P(z) * (z**2 - 1))) ** 2 / 2 / variance == pytest.approx(quadratic)
    assert shares(target) == pytest.approx({1: 0.0, 2: quadratic, 3: 1 - quadratic}, abs=1e-12)


def test_the_published_feature_is_the_default():
    for name in ("sight", "might"):
        assert make_target(name, 10, 0).feature_coefficients == "factorial"


def test_might_is_its_tree():
    target = make_target("might", 30, 3, epsilons=(0.6, 0.3), n_features=2, feature_degree=2, link_degree=2)
    blocks = target.branching
    assert blocks == (round(30**0.3), round(30**0.3))
    X, _ = draw(target, 50)
    z, first, second, _ = target.hidden_features(X)
    np.testing.assert_allclose(z, X @ target.directions.T, atol=1e-12)
    np.testing.assert_allclose(target.directions @ target.directions.T, np.eye(z.shape[1]), atol=1e-12)
    for below, above, a, block in (
        (z, first, target.weights[0], blocks[0]),
        (first, second, target.weights[1], blocks[1]),
    ):
        assert above.shape[1] * block == below.shape[1]
        for i in range(above.shape[1]):
            expected = sum(a[i, j] * (below[:, i * block + j] ** 2 - 1) / 2 for j in range(block))
            np.testing.assert_allclose(above[:, i], expected, atol=1e-10)
        np.testing.assert_allclose((a**2).sum(axis=1) / 2, 1.0)
    assert target.degree == 8


def test_features_of_might_are_independent_of_each_other():
    target = make_target("might", 16, 3, n_features=3)
    h = target.hidden_features(draw(target, 200_000)[0])[1]
    products = np.einsum("ni,nj->nij", h, h).reshape(len(h), -1)
    stderr = products.std(axis=0) / math.sqrt(len(h))
    assert (np.abs(products.mean(axis=0) - np.eye(3).ravel()) < 4.5 * stderr).all()


# Certificates against samples


def share_above(target, n):
    """E (y - best polynomial of degree k)^2 for each k: fitted on one sample, measured on another."""
    train, test = (draw(target, n, seed) for seed in (1, 2))
    expand = PolynomialFeatures(target.degree).fit(train[0])
    # Scaled to order one, so that the least squares are well conditioned.
    bound = np.abs(train[0]).max()
    features = expand.transform(train[0] / bound)
    gram, moments = features.T @ features, features.T @ train[1]
    fresh = expand.transform(test[0] / bound)
    degrees = expand.powers_.sum(axis=1)
    for k in range(target.degree + 1):
        rows = degrees <= k
        fit = np.linalg.lstsq(gram[np.ix_(rows, rows)], moments[rows], rcond=1e-14)[0]
        square = (test[1] - fresh[:, rows] @ fit) ** 2
        # Fitting adds about (number of features) / n of the residual, which the standard error leaves out.
        slack = 4 * rows.sum() / n * square.mean() + 1e-6
        yield k, square.mean(), 4 * square.std() / math.sqrt(n) + slack


def quadrature(target):
    """Points and weights that integrate y^4 exactly under product laws; None under the others."""
    name, nodes = target.law.name, 2 * target.degree + 1
    if name == "gaussian":
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
    elif name == "cube":
        x, w = np.polynomial.legendre.leggauss(nodes)
        x = x * math.sqrt(3.0)
    elif name == "hypercube":
        x, w = np.array([-1.0, 1.0]), np.ones(2)
    else:
        return None
    points = np.array(list(itertools.product(x, repeat=target.d)))
    weights = np.prod(list(itertools.product(w / w.sum(), repeat=target.d)), axis=1)
    return points if target.law.isotropic else points @ target.law.root(0.5), weights


@st.composite
def targets(draw_):
    """Degree at most 4 on Gaussian inputs and mixtures, 8 on bounded ones."""
    name = draw_(st.sampled_from([spec.name for spec in SPECS]))
    laws = [law for law in EVERY if law.partition(":")[0] not in FAMILIES[name].refused_inputs]
    law = draw_(st.sampled_from(laws))
    hard = law in ("sphere", "cube", "hypercube")
    d = draw_(st.integers(3, 4))
    params = {}
    if name == "sparse-direction":
        top = 8 if hard and d == 3 else 4
        params = {"power": draw_(st.integers(1, top)), "sparsity": draw_(st.sampled_from([None, 2, 3]))}
        params["hermite"] = law in INVARIANT and draw_(st.booleans())
    elif name in ("single-index", "multi-index"):
        degree = draw_(st.integers(1, 8 if hard and d == 3 else 4))
        params = {"degree": degree, "information_exponent": draw_(st.integers(1, degree))}
        if name == "multi-index":
            params["n_directions"] = draw_(st.integers(1, 3))
    else:
        most = 3 if hard and d == 3 else 2
        if law == "hypercube":
            most = d // 2
        link = draw_(st.integers(1, most))
        params = {"link_degree": link, "information_exponent": draw_(st.integers(1, link))}
        if name in ("sight", "might"):
            params |= {"feature_degree": 2}
        if name == "might":
            params |= {"n_features": 2, "epsilons": (0.2,)}
    params["inputs"] = law
    return name, d, params


@pytest.mark.parametrize("examples", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_certificates_hold_on_samples(examples):
    drawn = given(drawn=targets(), seed=st.integers(0, 2**40))(certificate_holds_on_samples)
    settings(max_examples=examples, deadline=None, derandomize=True)(drawn)()


def certificate_holds_on_samples(drawn, seed):
    name, d, params = drawn
    target = make_target(name, d, seed, **params)
    certificate = target.certificate()
    assert certificate.method == "exact"
    n = 2**16
    _, y = draw(target, n)
    kurtosis = certificate.kurtosis.value
    assert abs(y.mean()) < 4 / math.sqrt(n)
    assert abs((y**2).mean() - 1.0) < 4 * math.sqrt((kurtosis - 1.0) / n) + 1e-12
    rule = quadrature(target)
    if rule is None:
        # A few points carry the mean of y^4, so that its own standard error is no guide: a loose bound.
        assert kurtosis / 10 < (y**4).mean() < kurtosis * 10
    else:
        points, weights = rule
        assert weights @ target.evaluate(points) ** 4 == pytest.approx(kurtosis, rel=1e-8)
    for k, measured, allowance in share_above(target, n):
        assert abs(certificate.share_above(k) - measured) < allowance


# Refusals


@pytest.mark.parametrize(
    ("name", "d", "params", "message"),
    [
        ("sparse-direction", 8, {"power": 17}, "power = 17: allowed are integers from 1 to 16"),
        ("sparse-direction", 3, {}, "sparsity = 4: allowed are integers from 1 to 3"),
        ("sparse-direction", 8, {"hermite": True, "inputs": "cube"}, "not Gaussian.*hermite = false admits"),
        ("sparse-direction", 8, {"hermite": True, "inputs": "mixture"}, "not Gaussian"),
        ("sparse-direction", 8, {"hermite": True, "inputs": "hypercube"}, "not Gaussian"),
        (
            "sparse-direction",
            8,
            {"power": 2, "sparsity": 1, "inputs": "hypercube"},
            "odd integers with sparsity 1 on the hypercube",
        ),
        ("sparse-direction", 1, {"sparsity": None, "inputs": "sphere"}, "d = 1: allowed are integers from 2"),
        ("single-index", 8, {"information_exponent": 5}, "information_exponent = 5: .* from 1 to 4"),
        ("single-index", 8, {"degree": 17}, "degree = 17"),
        ("single-index", 8, {"decay": 0.0}, "decay = 0.0"),
        ("single-index", 8, {"inputs": "cube"}, "cube is refused: .*not Gaussian"),
        ("multi-index", 3, {"n_directions": 4}, "n_directions = 4: allowed are integers from 1 to 3"),
        (
            "multi-index",
            40,
            {"n_directions": 20},
            "n_directions = 20: .* at most 2000 monomials .*it has 10626",
        ),
        ("hierarchical-polynomial", 8, {"feature_degree": 1}, "1 being single-index"),
        ("hierarchical-polynomial", 8, {"feature_degree": 4, "link_degree": 5}, "link_degree = 5: .* 1 to 4"),
        ("hierarchical-polynomial", 8, {"rank": 1}, "rank = 1: allowed are integers from 2 to 8"),
        ("hierarchical-polynomial", 2, {"inputs": "sphere"}, "d = 2: allowed are integers from 3"),
        ("hierarchical-polynomial", 8, {"inputs": "hypercube"}, "refused"),
        ("quadratic-features", 2, {"n_features": 3}, "n_features = 3: allowed are integers from 1 to 2"),
        ("quadratic-features", 3, {"inputs": "hypercube"}, "link_degree = 2: .* from 1 to 1.*hypercube"),
        ("quadratic-features", 8, {"link_degree": 9}, "link_degree = 9: allowed are integers from 1 to 8"),
        ("sight", 8, {"epsilon": 1.0}, r"epsilon = 1.0: allowed is a number in \(0, 1\)"),
        ("sight", 8, {"feature_degree": 6, "link_degree": 3}, "link_degree = 3: .* 1 to 2"),
        ("sight", 8, {"feature_exponent": 4}, "feature_exponent = 4: .* from 2 to 3"),
        (
            "sight",
            8,
            {"feature_coefficients": "monic"},
            "feature_coefficients = 'monic': allowed are factorial, equal",
        ),
        ("sight", 8, {"inputs": "mixture"}, "refused"),
        ("might", 8, {"n_features": 3}, "orthonormal directions = 9: allowed are integers up to 8"),
        ("might", 8, {"epsilons": (0.3, 0.6)}, "allowed is a decreasing list"),
        (
            "might",
            8,
            {"epsilons": (0.6, 0.3, 0.1)},
            r"feature_degree = 3: allowed are integers with feature_degree\^3 up to 16",
        ),
        ("might", 8, {"epsilons": 0.5}, "epsilons = 0.5: allowed is a decreasing list"),
    ],
)
def test_inconsistent_parameters_are_refused_in_one_line(name, d, params, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_target(name, d, 0, **params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_catalogue_is_the_class(spec):
    target = make_target(spec.name, 8, 0)
    assert dict(type(target).refused_inputs) == dict(spec.refused_inputs)
    for law, reason in spec.refused_inputs.items():
        with pytest.raises(ValueError, match=reason[:30]):
            make_target(spec.name, 8, 0, inputs=law)


def test_parameters_are_counted():
    counts = {
        "sparse-direction": 8,
        "single-index": 8 + 3,
        "multi-index": 2 * 8 + 3 + 4 + 5,
        "hierarchical-polynomial": 8 * 8 + 8 + 2,
        "quadratic-features": 2 * 36 + 2 + 3,
        "sight": 3 * 8 + 3 + 2,
        "might": 6 * 8 + 6 + 2 + 3,
    }
    assert counts.keys() == {spec.name for spec in SPECS}
    for name, count in counts.items():
        assert make_target(name, 8, 0).certificate().n_parameters == count
