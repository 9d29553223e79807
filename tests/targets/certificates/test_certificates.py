"""Constants and certificates against quadrature, closed forms and Monte Carlo."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures

from hierbench.targets.algebra import terms
from hierbench.targets.algebra.orthogonal import HERMITE
from hierbench.targets.algebra.terms import Polynomial, mapped, merged
from hierbench.targets.base import Certificate, Estimate, polynomial_dimension
from hierbench.targets.certificates.certify import certify, known_shares
from hierbench.targets.certificates.contamination import independent_form, subspace_sine
from hierbench.targets.laws.measures import Product
from hierbench.targets.laws.sampling import batches
from hierbench.targets.quadratic.hierarchy import cascade_model
from hierbench.targets.quadratic.level_contamination import contaminations
from hierbench.targets.registry import make_target

EXACT = [
    ("projected", 6, {"depth": 1}),
    ("projected", 8, {}),
    ("projected", 8, {"depth": 3, "width": 2, "kappa": 2.0}),
    ("projected", 10, {"depth": 3, "skips": ((1,), (0, 2))}),
    ("squares", 8, {}),
    ("squares", 8, {"depth": 3, "alpha": 0.3}),
    ("squares", 6, {"width": 2, "skips": ((0, 1),), "rotated": False}),
    ("worked-example-1", 4, {}),
    ("worked-example-2", 5, {"rotated": True}),
]


def quadrature(m, nodes):
    """Tensor Gauss-Hermite rule for the standard Gaussian in m variables: points, weights."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = np.array(list(itertools.product(x, repeat=m)))
    return points, np.prod(list(itertools.product(w / w.sum(), repeat=m)), axis=1)


def in_inputs(target, points):
    """Inputs x whose coordinates in the span of the target's rows are ``points``."""
    basis = target.cascade.basis
    return points if basis is None else points @ basis


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("params", [{}, {"rho": 0.0, "alpha": 1.5}, {"kappa": 3.0}, {"rho": 1.0}])
def test_projected_constants_and_moments_agree_with_quadrature(seed, params):
    target = make_target("projected", 9, seed, width=2, **params)
    points, weights = quadrature(target.cascade.m, 9)
    X = in_inputs(target, points)
    s = target.hidden_features(X)
    for level, constants in target.constants.levels.items():
        square = s[level - 1] ** 2
        mean = weights @ square
        sd = np.sqrt(weights @ (square - mean) ** 2)
        total = ((square - mean) / sd).sum(axis=1)
        np.testing.assert_allclose([e.value for e in constants.mean], mean, rtol=1e-10)
        np.testing.assert_allclose([e.value for e in constants.sd], sd, rtol=1e-10)
        assert constants.sum_sd.value == pytest.approx(math.sqrt(weights @ total**2), rel=1e-10)
        assert constants.method == "exact"
    y, certificate = target.evaluate(X), target.certificate()
    assert weights @ y == pytest.approx(0.0, abs=1e-10)
    assert weights @ y**2 == pytest.approx(1.0, rel=1e-10)
    assert certificate.kurtosis.exact
    assert certificate.kurtosis.value == pytest.approx(weights @ y**4, rel=1e-9)


def test_projected_contamination_agrees_with_quadrature():
    target = make_target("projected", 9, 4, width=2)
    points, weights = quadrature(target.cascade.m, 5)
    y = target.evaluate(in_inputs(target, points))
    form = np.einsum("n,n,ni,nj->ij", weights, y, points, points)
    rows = target.weight_matrices[1, 0] @ target.cascade.basis.T
    certificate = target.certificate()
    assert certificate.contamination[1].value == pytest.approx(subspace_sine(form, rows), rel=1e-8)


@pytest.mark.parametrize(("name", "d", "params"), EXACT)
def test_exact_certificates_hold_on_a_sample(name, d, params):
    """Mean, variance, kurtosis and level shares within 4 standard errors of fresh samples."""
    target = make_target(name, d, 11, **params)
    certificate = target.certificate()
    assert certificate.method == "exact"
    y = target.sample(2**18, np.random.default_rng(1))[1]

    def close(values, expected):
        stderr = values.std() / math.sqrt(len(values))
        assert abs(values.mean() - expected) < 4 * stderr

    close(y, 0.0)
    close(y**2, 1.0)
    # A few points carry the mean of y^4, so that its own standard error is no guide: a loose bound.
    assert (y**4).mean() < 4 * certificate.kurtosis.value
    assert (y**4).mean() > certificate.kurtosis.value / 4


@pytest.mark.parametrize(("name", "d", "params"), EXACT)
def test_shares_sum_to_one_and_moments_are_normalised(name, d, params):
    certificate = make_target(name, d, 11, **params).certificate()
    assert math.fsum(e.value for e in certificate.degree_share.values()) == pytest.approx(1.0, abs=1e-12)
    assert math.fsum(e.value for e in certificate.level_share.values()) == pytest.approx(1.0, abs=1e-12)
    assert certificate.mean.value == pytest.approx(0.0, abs=1e-12)
    assert certificate.variance.value == pytest.approx(1.0, abs=1e-12)
    assert max(certificate.degree_share) == certificate.degree
    assert min(e.value for e in certificate.degree_share.values()) >= 0
    correlation = np.array(certificate.level_covariance)
    assert correlation.shape == (len(certificate.level_share),) * 2
    assert np.linalg.eigvalsh(correlation).min() > -1e-12


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_without_obliqueness_projected_targets_are_not_contaminated(seed, alpha):
    for depth in (2, 3):
        clean = make_target("projected", 12, seed, depth=depth, alpha=alpha, rho=0.0).certificate()
        assert clean.contamination[1].value < 1e-12


def test_obliqueness_contaminates_in_proportion_to_alpha():
    sines = [
        make_target("projected", 12, 0, alpha=alpha).certificate().contamination[1].value
        for alpha in (0.03, 0.3)
    ]
    assert 0.05 * 0.3 < sines[1] < 0.3 * 0.3
    assert sines[1] / sines[0] == pytest.approx(10.0, rel=0.3)


def test_squares_of_two_levels_have_nothing_to_correct():
    """At L = 2, y = S_2 is a quadratic form in h_1 with the row space of W_{2,1}."""
    one, other = (make_target("squares", 10, 3, alpha=a, rho=r) for a, r in ((0.5, 0.5), (0.1, 0.0)))
    assert one.certificate().contamination[2].value < 1e-12
    X = np.random.default_rng(0).standard_normal((100, 10))
    np.testing.assert_array_equal(one.evaluate(X), other.evaluate(X))
    assert make_target("squares", 10, 3, depth=3).certificate().contamination[2].value > 0.01


def test_worked_example_two_has_the_degree_two_part_worked_out_by_hand():
    """diag(1.6, 1.6, 0.1, 0.1) plus 0.2 x_3 + 0.2 x_4, without the cross term."""
    target = make_target("worked-example-2", 4, 0, a=0.1)
    outputs = [mapped(target._polynomials[i], a[None, :]) for i, a in target.raw.outputs.items()]
    series = Product((HERMITE,) * 4).expand(merged(outputs))
    np.testing.assert_allclose(series.quadratic_form()[0], np.diag([1.6, 1.6, 0.1, 0.1]), atol=1e-14)
    np.testing.assert_allclose(series.linear_form()[0], [0, 0, 0.2, 0.2], atol=1e-14)
    certificate = target.certificate()
    variance = {1: 2 * 0.2**2, 2: 2 * 2 * (1.6**2 + 0.1**2), 3: 2 * 2 * 0.2**2, 4: 2 * 24 * 0.1**2}
    total = sum(variance.values())
    for p, v in variance.items():
        assert certificate.degree_share[p].value == pytest.approx(v / total, rel=1e-12)
    assert certificate.contamination[1].value < 1e-12


@pytest.mark.parametrize(
    ("name", "d", "expected"),
    [
        ("projected", 10, 3 * 10 + 3 * 3 + 3 * 10),
        ("squares", 10, 3 * 10 + 45),
        ("worked-example-1", 10, 2 * 10 + 4),
        ("worked-example-2", 10, 4 * 10 + 4),
    ],
)
def test_parameters_are_counted(name, d, expected):
    assert make_target(name, d, 0).certificate().n_parameters == expected


def test_condition_numbers_are_those_of_the_blocks():
    target = make_target("projected", 10, 2, kappa=3.0)
    numbers = target.certificate().condition_numbers
    assert set(numbers) == {"W_1,0", "W_2,0", "W_2,1"}
    assert numbers["W_1,0"] == pytest.approx((9.0, 9.0))
    assert numbers["W_2,1"][0] == pytest.approx(9.0)
    w, c = target.weight_matrices[2, 1], target.weight_matrices[1, 0]
    # s_1 is Gaussian with variances |rows of W_1|^2, whose squares have sd sqrt(2) times that.
    after = w / (math.sqrt(2.0) * (c**2).sum(axis=1))
    assert numbers["W_2,1"][1] == pytest.approx(np.linalg.cond(after))


def agree(estimate, truth, sigmas=4):
    assert estimate.stderr > 0
    assert abs(estimate.value - truth.value) < sigmas * estimate.stderr


LAWS = ["gaussian", "gaussian:condition=10", "mixture:separation=0.8,weight=0.3", "cube", "sphere"]


def in_turn(*targets):
    """Targets on every law; in make test each law has one of them."""
    return [
        pytest.param(*target, law, marks=pytest.mark.slow if (i + k) % len(targets) else ())
        for i, target in enumerate(targets)
        for k, law in enumerate(LAWS)
    ]


@pytest.mark.parametrize(
    ("name", "d", "params", "inputs"),
    in_turn(("projected", 5, {"width": 2, "alpha": 1.0}), ("squares", 5, {"width": 2})),
)
def test_sampled_certificates_agree_with_exact_ones(name, d, params, inputs):
    target = make_target(name, d, 7, inputs=inputs, **params)
    exact = target.certificate()
    model = cascade_model(target.cascade, target.blueprint, 4)
    sampled = certify(model, None, n_parameters=1, law=target.law)
    assert sampled.method == "monte-carlo"
    assert exact.method == "exact"
    for key in ("mean", "variance", "kurtosis"):
        agree(getattr(sampled, key), getattr(exact, key), 5)
    for p, share in sampled.degree_share.items():
        agree(share, exact.degree_share[p], 5)
    assert set(exact.degree_share) == set(sampled.degree_share)
    assert math.fsum(e.value for e in sampled.degree_share.values()) == pytest.approx(1.0)
    if name == "projected":
        for p, share in sampled.level_share.items():
            agree(share, exact.level_share[p], 5)
    np.testing.assert_allclose(sampled.level_covariance, exact.level_covariance, atol=0.02)


@pytest.mark.parametrize(
    ("name", "d", "params", "inputs"),
    in_turn(
        ("projected", 5, {"width": 2, "depth": 3, "alpha": 1.0}), ("squares", 5, {"width": 2, "depth": 3})
    ),
)
def test_sampled_contamination_agrees_with_the_exact_one(name, d, params, inputs):
    target = make_target(name, d, 7, inputs=inputs, **params)
    exact = target.certificate().contamination
    normalised = dataclasses.replace(target._normalised, spectrum=None, in_squares=None)
    sampled = contaminations(target.blueprint, normalised)
    assert set(exact) == set(sampled) == ({1, 2} if name == "projected" else {2})
    for level, sine in sampled.items():
        if level == 1 and inputs in ("cube", "mixture:separation=0.8,weight=0.3"):
            continue  # sampled within what y depends on, exactly in all of x
        assert sine.stderr < 0.15 * exact[level].value
        agree(sine, exact[level], 5)


def test_sampled_quadratic_forms_in_squares_agree_with_exact_ones():
    """Every entry, the diagonal included, which has a formula of its own."""
    target = make_target("squares", 4, 7, width=2)
    exact = target._normalised.in_squares
    cascade = target.cascade
    forms = [
        independent_form(Z, cascade.level_outputs(Z).sum(axis=1) + cascade.intercept)
        for Z in batches(2**20, target.blueprint.reduction.measure, 5)
    ]
    stderr = np.std(forms, axis=0) / math.sqrt(len(forms))
    assert stderr.max() < 0.05 * np.abs(np.diag(exact)).max()
    assert (np.abs(np.mean(forms, axis=0) - exact) < 4.5 * stderr).all()


def test_the_top_level_alone_is_not_contaminated():
    """On every law: with nothing above it, a level's best form has its own row space."""
    for inputs in LAWS:
        for name in ("projected", "squares"):
            base = make_target(name, 6, 3, depth=2, width=2, inputs=inputs)
            from_top = level_contamination(base, 2)
            assert from_top == pytest.approx(0.0, abs=1e-5), (name, inputs)


def level_contamination(target, level):
    """Contamination of a level as if all above it were cut off."""
    blueprint = dataclasses.replace(target.blueprint, alphas={level: 1.0}, depth=level + 1)
    return contaminations(blueprint, target._normalised)[level].value


def test_leading_eigenspace_is_by_absolute_eigenvalue():
    form = np.diag([-3.0, 1.0, 0.5])
    assert subspace_sine(form, np.eye(3)[:1]) == pytest.approx(0.0, abs=1e-15)
    assert subspace_sine(form, np.eye(3)[1:2]) == pytest.approx(1.0)
    tilted = np.array([[math.cos(0.3), math.sin(0.3), 0.0]])
    assert subspace_sine(form, 5 * tilted) == pytest.approx(math.sin(0.3))


@pytest.mark.parametrize(("d", "width", "kappa"), [(12, 2, 1.0), (8, 4, 1.0), (7, 4, 3.0), (5, 4, 1.0)])
def test_one_level_on_the_sphere_is_not_contaminated_at_any_width(d, width, kappa):
    """Though its form is known up to a multiple of I only, and may have few zero eigenvalues."""
    target = make_target("projected", d, 0, depth=1, width=width, kappa=kappa, inputs="sphere")
    assert target.certificate().contamination[1].value < 1e-12


def test_a_form_up_to_a_multiple_of_the_identity_has_the_sine_of_the_best_one():
    tilted = np.array([[math.cos(0.3), math.sin(0.3), 0.0]])
    for shift in (-5.0, 0.0, 5.0):
        form = np.diag([2.0, 0.1, -0.1]) + shift * np.eye(3)
        assert subspace_sine(form, tilted, constant_norm=True) == pytest.approx(math.sin(0.3))


def test_sampled_constants_agree_with_exact_ones(monkeypatch):
    """Past the reach of the algebra: the same constants, with an honest standard error."""
    params = {"width": 2, "depth": 2, "alpha": 1.0}
    exact = make_target("projected", 4, 7, **params).constants
    monkeypatch.setattr(terms, "MAX_PAIRS", 3)  # level 1 needs 3, level 2 more
    target = make_target("projected", 4, 7, **params)
    sampled = target.constants
    assert sampled.levels[1].method == "exact"
    assert sampled.levels[2].method == "monte-carlo"
    for quantity in ("mean", "sd"):
        pairs = zip(getattr(sampled.levels[2], quantity), getattr(exact.levels[2], quantity), strict=True)
        for estimate, truth in pairs:
            agree(estimate, truth)
            assert estimate.stderr < 0.01 * truth.value
    agree(sampled.levels[2].sum_sd, exact.levels[2].sum_sd)
    agree(sampled.scale, exact.scale)
    assert target.certificate().method == "monte-carlo"


def test_a_deep_certificate_agrees_with_one_from_the_dense_expansion():
    """Degree 8 in three variables: y rebuilt from its level formulas, without the normaliser."""
    target = make_target("projected", 4, 1, width=1, depth=3)
    cascade = target.cascade
    p = [Polynomial.linear(np.eye(cascade.m))]
    for level in (1, 2, 3):
        parts = [mapped(p[j], w) for (i, j), w in cascade.weights.items() if i == level]
        if level in cascade.offsets:
            parts.append(Polynomial.of_constant(cascade.offsets[level], cascade.m))
        s = merged(parts)
        p.append(s * s)
    y = merged(
        [mapped(p[i], a[None, :]) for i, a in cascade.outputs.items()]
        + [Polynomial.of_constant(np.array([cascade.intercept]), cascade.m)]
    )
    points, weights = quadrature(cascade.m, 17)
    values = y.evaluate(points)[:, 0]
    np.testing.assert_allclose(values, target.evaluate(in_inputs(target, points)), rtol=1e-6, atol=1e-6)
    certificate = target.certificate()
    assert weights @ values**2 == pytest.approx(1.0, rel=1e-9)
    assert certificate.kurtosis.value == pytest.approx(weights @ values**4, rel=1e-8)
    linear = values @ (weights[:, None] * points)
    assert certificate.degree_share[1].value == pytest.approx(float(linear @ linear), rel=1e-8)


@pytest.mark.parametrize("inputs", ["gaussian", "sphere"])
def test_the_kernel_floor_steps_at_the_dimensions_of_the_polynomials(inputs):
    """Dimensions as the rank of all monomials on points of the law; floors as shares above."""
    target = make_target("squares", 4, 0, width=1, inputs=inputs)
    certificate = target.certificate()
    X = target.sample_inputs(400, np.random.default_rng(0))
    steps = certificate.kernel_floor(4)
    assert len(steps) == 5
    for k, (n, floor) in enumerate(steps):
        assert n == np.linalg.matrix_rank(PolynomialFeatures(k).fit_transform(X))
        assert floor == pytest.approx(sum(e.value for p, e in certificate.degree_share.items() if p > k))
    assert steps[0] == (1.0, pytest.approx(1.0))


def test_the_dimension_of_the_polynomials_on_the_hypercube_is_their_rank():
    """Squares of coordinates are 1 there: 1, 9, 37, 93 at d = 8, and not C(8 + k, k)."""
    X = np.array(list(itertools.product([-1.0, 1.0], repeat=8)))
    for k, wanted in enumerate((1, 9, 37, 93)):
        rank = np.linalg.matrix_rank(PolynomialFeatures(k).fit_transform(X))
        assert polynomial_dimension(8, k, "hypercube") == rank == wanted
    steps = make_target("staircase", 8, 0).certificate().kernel_floor(8)
    assert [n for n, _ in steps[:4]] == [1.0, 9.0, 37.0, 93.0]


def test_shares_that_samples_do_not_tell_are_unknown():
    """Quadratic features of degree 16 on the cube would else print a share of -1111 +- 700."""
    good = {2: Estimate(0.7, 0.02), 4: Estimate(0.3, 0.1)}
    assert known_shares(good) == good
    assert known_shares({2: Estimate(0.7, 0.02), 4: Estimate(-17.8, 10.0)}) == {}


@pytest.mark.parametrize(("name", "kappa"), [("squares", 10.0), ("projected", 3.0)])
def test_the_weakest_direction_is_what_the_label_loses_with_it(name, kappa):
    """Written out level by level, with the constants of the whole target, on a sample of our own."""
    target = make_target(name, d=8, seed=3, depth=2, width=3, alpha=0.5, rho=0.5, kappa=kappa)
    X = target.sample_inputs(400_000, np.random.default_rng(1))
    levels, weights = target.constants.levels, target.weight_matrices

    def label(cut):
        w = {
            block: matrix - (0 if block != cut else np.outer(u[:, -1], s[-1] * v[-1]))
            for block, matrix in weights.items()
            for u, s, v in [np.linalg.svd(matrix, full_matrices=False)]
        }
        z = X if name == "projected" or target.rotation is None else X @ target.rotation.T
        h, y = [X], 0.0
        for level in (1, 2):
            s = (
                z
                if (level, 0) not in w and level == 1
                else sum(h[j] @ matrix.T for (i, j), matrix in w.items() if i == level)
            )
            of_level = levels[level]
            mean, sd = ([e.value for e in part] for part in (of_level.mean, of_level.sd))
            h.append((s**2 - mean) / sd)
            if level >= target.first_output:
                y = y + target.alphas[level] * h[level].sum(axis=1) / of_level.sum_sd.value
        return y / target.constants.scale.value

    y = label(None)
    np.testing.assert_allclose(y, target.evaluate(X), atol=1e-9)
    lost = min(np.var(y - label(block)) for block in weights)
    share = target.certificate().weakest_share
    assert share.value == pytest.approx(lost, rel=0.15) and 0 < share.stderr < 0.08 * share.value
    assert target.certificate().weakest_direction_share() == share.value
    assert Certificate.from_json(target.certificate().to_json()) == target.certificate()
    assert make_target("staircase", d=8, seed=3).certificate().weakest_direction_share() is None


def test_the_weakest_direction_under_modifiers():
    common = {"d": 6, "seed": 1, "depth": 2, "width": 2}
    plain = make_target("squares", **common).certificate().weakest_share.value
    with_remainder = make_target("squares", **common, remainder=0.5).certificate()
    assert with_remainder.weakest_share.value == pytest.approx(0.5 * plain)
    for control in ("flat", "shuffled"):
        assert make_target("squares", **common, control=control).certificate().weakest_share is None
