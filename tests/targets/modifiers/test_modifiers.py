"""Noise, remainder, controls and classification, around any family."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierbench.targets import registry
from hierbench.targets.base import Estimate
from hierbench.targets.laws import inputs
from hierbench.targets.modifiers.flat import Flat
from hierbench.targets.modifiers.modifiers import CONTROLS, MODIFIERS, RERANDOMISED, in_use
from hierbench.targets.modifiers.remainder import WithRemainder
from hierbench.targets.modifiers.ridge import ridge, ridge_gram
from hierbench.targets.modifiers.sign import Sign
from hierbench.targets.quadratic.hierarchy import Hierarchy
from hierbench.targets.quadratic.rerandomised import Rerandomised
from hierbench.targets.registry import FAMILIES, LAWS, load_family, make_target

EXAMPLE = "worked-example-1"


def rng(seed=0):
    return np.random.default_rng(seed)


def agrees(values, expected, stderr=0.0, sigmas=4.0):
    error = math.hypot(np.std(values) / math.sqrt(len(values)), stderr)
    assert error > 0
    assert abs(np.mean(values) - expected) < sigmas * error


@pytest.mark.parametrize("name", [name for name, spec in FAMILIES.items() if spec.modifiers])
def test_defaults_change_nothing(name):
    defaults = {key: default for key, (default, _) in MODIFIERS.items()}
    assert not in_use(defaults) and in_use({**defaults, "noise": 0.1})
    plain = make_target(name, 8, 0)
    assert type(plain) is load_family(name)
    assert make_target(name, 8, 0, **defaults) == plain
    assert not MODIFIERS.keys() & FAMILIES[name].parameters.keys(), "a modifier would hide behind it"
    assert issubclass(load_family(name), Hierarchy) == (name in RERANDOMISED)


def test_static_names_are_those_of_the_classes():
    assert LAWS == inputs.LAWS
    assert registry.parameters("squares").keys() == MODIFIERS.keys() | FAMILIES["squares"].parameters.keys()


# Noise


def test_noise_is_on_training_labels_only_and_independent_of_the_inputs():
    target = make_target(EXAMPLE, 6, 1, noise=0.5)
    X, y = target.sample(2**16, rng(3))
    e = (y - target.evaluate(X)) / 0.5
    agrees(e, 0.0)
    agrees(e**2, 1.0)
    agrees(e**4, 3.0)
    agrees(e * target.evaluate(X), 0.0)
    for x in X.T:
        agrees(e * x, 0.0)
    assert target.certificate().bayes_error == Estimate(0.25)
    assert make_target(EXAMPLE, 6, 1).certificate().bayes_error == Estimate(0.0)
    assert target.certificate().degree_share == make_target(EXAMPLE, 6, 1).certificate().degree_share


def test_the_noise_dial_scales_one_and_the_same_noise():
    (X, y), (X2, y2) = (make_target(EXAMPLE, 6, 1, noise=s).sample(50, rng(3)) for s in (0.5, 1.0))
    np.testing.assert_array_equal(X, X2)
    f = make_target(EXAMPLE, 6, 1).evaluate(X)
    np.testing.assert_allclose(y2 - f, 2 * (y - f), atol=1e-12)


# Remainder


@pytest.mark.parametrize(
    "law", ["gaussian", "gaussian:condition=5", "mixture:separation=0.9,weight=0.3", "cube", "sphere"]
)
def test_the_remainder_is_orthogonal_to_lower_degrees_and_of_unit_variance(law):
    target = make_target(EXAMPLE, 4, 2, remainder=0.3, inputs=law)
    assert isinstance(target, WithRemainder)
    X = target.sample_inputs(2**18, rng(4))
    R = target.evaluate_remainder(X)
    agrees(R, 0.0)
    agrees(R**2, 1.0)
    found = np.linalg.lstsq(X, R, rcond=None)[0]
    assert np.abs(found).max() < 0.02
    directions = rng(5).standard_normal((3, 4))
    t = X @ (directions / np.linalg.norm(directions, axis=1)[:, None]).T
    for powers in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (3, 0, 0), (2, 1, 0), (4, 0, 0), (2, 2, 0), (2, 1, 1)):
        agrees(R * (t ** np.array(powers)).prod(axis=1), 0.0)
    # ... and not of one degree more: it is no constant zero, nor of some higher degree.
    along = np.array([R * v for v in X.T]).mean(axis=1)
    assert np.abs(along).max() < 0.05
    s = X @ target._forms[0]
    assert (R * s**5).mean() > 4 * (R * s**5).std() / 2**9
    np.testing.assert_allclose(
        target.evaluate(X[:500]),
        math.sqrt(0.7) * target.base.evaluate(X[:500]) + math.sqrt(0.3) * R[:500],
        atol=1e-12,
    )


def test_the_remainder_on_the_hypercube_is_a_parity():
    parity = next(name for name in FAMILIES if "hypercube" not in FAMILIES[name].refused_inputs)
    target = make_target(parity, 8, 1, inputs="hypercube", remainder=0.3)
    X = target.sample_inputs(500, rng())
    R = target.evaluate_remainder(X)
    assert set(R) == {-1.0, 1.0}
    flips = []
    for i in range(8):
        other = X.copy()
        other[:, i] *= -1
        flips.append(np.array_equal(target.evaluate_remainder(other), -R))
    assert sum(flips) == target.degree + 1


@settings(max_examples=8, deadline=None)
@given(tau=st.floats(0.01, 0.9), seed=st.integers(0, 2**40), law=st.sampled_from(["sphere", "cube"]))
def test_remainder_certificate(tau, seed, law):
    base = make_target(EXAMPLE, 5, seed, inputs=law).certificate()
    target = make_target(EXAMPLE, 5, seed, inputs=law, remainder=tau)
    c = target.certificate()
    assert c.degree == 4 and c.degree_share[5].value == pytest.approx(tau)
    for p, share in base.degree_share.items():
        assert c.degree_share[p].value == pytest.approx((1 - tau) * share.value)
    for level, share in base.level_share.items():
        assert c.level_share[level].value == pytest.approx((1 - tau) * share.value)
    assert c.variance.value == pytest.approx(1.0)
    y = target.sample_test(2**16, rng(seed))[1]
    agrees(y**4, c.kurtosis.value, c.kurtosis.stderr, sigmas=5.0)
    assert c.share_above(4) == pytest.approx(tau)


# Controls


def test_ridge_polynomials_are_orthonormal_and_have_the_covariance_stated():
    d, n = 6, 2**18
    U = rng(7).standard_normal((2, d))
    U /= np.linalg.norm(U, axis=1)[:, None]
    for law in (inputs.input_law("gaussian", d, 0), inputs.input_law("sphere", d, 0)):
        t = law.sample(n, rng(8)) @ U.T
        for p in range(1, 5):
            a, b = ridge(law, t, p).T
            agrees(a**2, 1.0)
            agrees(a * b, float(ridge_gram(law, np.array(U[0] @ U[1]), p)))
            agrees(a * ridge(law, t[:, 1], p - 1), 0.0)
    x = np.linspace(-2, 2, 9)
    gaussian, circle, ball = (
        inputs.input_law(*law, 0) for law in (("gaussian", 2), ("sphere", 2), ("sphere", 3))
    )
    np.testing.assert_allclose(ridge(gaussian, x, 4), (x**4 - 6 * x**2 + 3) / math.sqrt(24), atol=1e-12)
    cosine = np.cos(x)
    legendre, chebyshev = (5 * cosine**3 - 3 * cosine) / 2, np.cos(5 * x)
    np.testing.assert_allclose(ridge_gram(ball, cosine, 3), legendre, atol=1e-12)
    np.testing.assert_allclose(ridge(ball, math.sqrt(3) * cosine, 3), math.sqrt(7) * legendre, atol=1e-12)
    np.testing.assert_allclose(ridge_gram(circle, cosine, 5), chebyshev, atol=1e-12)
    np.testing.assert_allclose(ridge(circle, math.sqrt(2) * cosine, 5), math.sqrt(2) * chebyshev, atol=1e-12)
    with pytest.raises(ValueError, match="inputs = 'cube'"):
        ridge(inputs.input_law("cube", 3, 0), x, 2)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    law=st.sampled_from(["gaussian", "gaussian:condition=20", "sphere"]),
    t=st.floats(0.3, 0.95),
)
def test_flat_has_the_shares_of_its_base_by_noise_stability(seed, law, t):
    """E f(x) f(x_t) = sum_p share_p P_p(t) for x_t at angle arccos(t), at a random t."""
    target = make_target(EXAMPLE, 5, seed, a=0.5, control="flat", inputs=law)
    base = make_target(EXAMPLE, 5, seed, a=0.5, inputs=law).certificate()
    shares = {p: e.value for p, e in target.certificate().degree_share.items()}
    assert shares == pytest.approx({p: e.value for p, e in base.degree_share.items()})
    draw = rng(seed)
    x = target.sample_inputs(2**15, draw)
    other = target.sample_inputs(2**15, draw)
    if law == "sphere":
        other -= (np.einsum("ni,ni->n", x, other) / 5)[:, None] * x
        other *= (math.sqrt(5) / np.linalg.norm(other, axis=1))[:, None]
    moved = t * x + math.sqrt(1 - t * t) * other
    values = target.evaluate(x) * target.evaluate(moved)
    factor = {p: float(ridge_gram(target.law, np.array(t), p)) for p in shares}
    agrees(values, math.fsum(shares[p] * factor[p] for p in shares), sigmas=5.0)


def test_flat_depends_on_all_directions_alike_and_has_no_features():
    """Its quadratic form has full rank, that of the base rank two."""
    flat = make_target(EXAMPLE, 8, 0, control="flat")
    assert isinstance(flat, Flat)
    X, y = flat.sample_test(2**17, rng(1))
    form = np.einsum("n,ni,nj->ij", y, X, X) / len(y)
    values = np.sort(np.abs(np.linalg.eigvalsh(form)))
    assert values[4] > 0.05 * values[-1] and values[-1] < 0.9 * np.linalg.norm(form)
    c = flat.certificate()
    assert flat.hidden_features(X[:5]) == []
    assert (c.level_share, c.level_covariance, c.contamination, c.condition_numbers) == ({}, (), {}, {})


@pytest.mark.parametrize(
    "params", [{"noise": 1.0, "remainder": 0.1}, {"classify": True, "margin": 0.1}], ids=["real", "classes"]
)
def test_the_best_prediction_of_shuffled_labels_is_constant(params):
    target = make_target(EXAMPLE, 8, 5, control="shuffled", **params)
    X, y = target.sample_test(3000, rng(1))
    assert len(np.unique(target.evaluate(X))) == 1
    np.testing.assert_array_equal(target.sample_inputs(100, rng(1)), X[:100])
    assert set(y) == set(target.classes) if "classify" in params else target.classes == ()


def test_shuffled_labels_keep_their_law_and_say_nothing():
    base = make_target(EXAMPLE, 6, 1, inputs="cube")
    target = make_target(EXAMPLE, 6, 1, inputs="cube", control="shuffled")
    for X, y in (target.sample(2**16, rng(3)), target.sample_test(2**16, rng(4))):
        f = base.evaluate(X)
        agrees(y * f, 0.0)
        agrees(y**2 * f**2, 1.0)
        agrees(y**4, base.certificate().kurtosis.value)
        assert not target.evaluate(X).any()
    c = target.certificate()
    assert c.bayes_error == Estimate(1.0) and c.top_half_share() is None and c.kernel_floor(6) == ()
    assert c.level_share == {} and c.level_covariance == ()
    np.testing.assert_array_equal(target.hidden_features(X)[0], base.hidden_features(X)[0])


def test_rerandomised_stands_on_the_target_itself():
    target = make_target("projected", 8, 3, control="rerandomised")
    assert target == Rerandomised(make_target("projected", 8, 3))


# Classification


def test_labels_are_the_sign_of_the_sum():
    target = make_target(EXAMPLE, 6, 1, classify=True, offset=0.7)
    base = make_target(EXAMPLE, 5, 1)
    assert isinstance(target, Sign) and target.d == 6
    X, y = target.sample(2**15, rng(1))
    np.testing.assert_array_equal(y, np.where(0.7 * X[:, 0] + base.evaluate(X[:, 1:]) >= 0, 1.0, -1.0))
    agrees(X[:, 0] * base.evaluate(X[:, 1:]), 0.0)
    agrees(X[:, 0] ** 2, 1.0)
    np.testing.assert_array_equal(target.hidden_features(X)[0], base.hidden_features(X[:, 1:])[0])
    c, g = target.certificate(), base.certificate()
    assert (c.classes, c.bayes_error) == ((-1.0, 1.0), Estimate(0.0))
    assert (c.degree_share, c.degree, c.kurtosis) == (g.degree_share, 4, Estimate(1.0))
    assert c.rotation_invariant
    cut = make_target(EXAMPLE, 6, 1, classify=True, margin=0.1).certificate()
    assert not cut.rotation_invariant


@pytest.mark.parametrize("margin", [0.2, 0.6])
def test_a_margin_is_kept_and_leaves_the_law_outside_it_alone(margin):
    target = make_target(EXAMPLE, 5, 1, classify=True, margin=margin, inputs="sphere")
    free = make_target(EXAMPLE, 5, 1, classify=True, inputs="sphere")
    z = target.score(target.sample_inputs(2**15, rng(1)))
    assert np.abs(z).min() >= margin
    expected = free.score(free.sample_inputs(2**17, rng(2)))
    expected = expected[np.abs(expected) >= margin]
    for f in (np.sign, np.abs, np.square):
        agrees(f(z), f(expected).mean(), f(expected).std() / math.sqrt(len(expected)))


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_noise_acts_inside_the_sign_and_its_bayes_error_is_the_share_of_labels_it_turns(margin):
    target = make_target(EXAMPLE, 5, 1, classify=True, margin=margin, noise=0.5)
    X, y = target.sample(2**16, rng(1))
    bayes = target.certificate().bayes_error
    assert 0 < bayes.stderr < 0.1 * bayes.value
    agrees(y != target.evaluate(X), bayes.value, bayes.stderr)
    inputs_too, clean = target.sample_test(2**10, rng(1))
    np.testing.assert_array_equal(inputs_too, X[: 2**10])
    np.testing.assert_array_equal(clean, target.evaluate(inputs_too))


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_shuffled_classes_leave_the_most_frequent_one(noise):
    """Of noisy labels, which the Bayes error is for."""
    target = make_target(EXAMPLE, 5, 1, classify=True, control="shuffled", noise=noise)
    X, y = target.sample(2**15, rng(1))
    bayes = target.certificate().bayes_error
    agrees(y != target.evaluate(X), bayes.value, bayes.stderr)
    assert bayes.value < 0.5


@pytest.mark.parametrize(
    ("name", "d", "params", "message"),
    [
        ("squares", 8, {"nose": 0.1}, "unknown parameter of squares 'nose': did you mean 'noise'"),
        ("squares", 8, {"noise": -0.1}, "noise = -0.1: allowed is a number >= 0"),
        ("squares", 8, {"noise": float("inf")}, "noise = inf"),
        ("squares", 8, {"remainder": 1.0}, r"remainder = 1.0: allowed is a number in \[0, 1\)"),
        ("squares", 8, {"control": "shufled"}, "allowed are none, flat, shuffled, rerandomised"),
        ("squares", 8, {"control": "flat", "inputs": "cube"}, "allowed are gaussian and, from d = 2, sphere"),
        ("squares", 8, {"classify": 1}, "classify = 1: allowed are true and false"),
        ("squares", 8, {"classify": True, "margin": -1.0}, "margin = -1.0: allowed is a number >= 0"),
        ("squares", 8, {"classify": True, "margin": 3.2}, "rejects more than 90% of the inputs"),
        ("squares", 8, {"margin": 0.2}, "give classify = true"),
        ("squares", 8, {"offset": 0.2}, "give classify = true"),
        ("squares", 1, {"classify": True}, "d = 1: allowed are integers from 2"),
        ("projected", 6, {"classify": True}, "takes one of the 6 coordinates for x_0"),
        (EXAMPLE, 8, {"control": "rerandomised"}, "projected and squares have levels"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_line(name, d, params, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_target(name, d, 0, **params)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(("target", "unknown"))


def test_a_margin_that_leaves_too_little_is_refused_when_drawn():
    target = make_target(EXAMPLE, 8, 0, classify=True, margin=2.9)
    with pytest.raises(
        ValueError, match=r"allowed is a number up to about 1\.\d; it rejects more than 90% of the inputs"
    ):
        target.sample(10, rng())


@pytest.mark.skipif("random-hierarchy" not in FAMILIES, reason="no family of classes")
@pytest.mark.parametrize(
    "params", [{"noise": 0.1}, {"remainder": 0.1}, {"control": "flat"}, {"classify": True}]
)
def test_labels_that_are_classes_already_take_no_real_modifier(params):
    d = 17 if "classify" in params else 16
    with pytest.raises(ValueError, match="those of this family are classes already"):
        make_target("random-hierarchy", d, 0, task="classification", **params)
    if "noise" not in params and "classify" not in params:
        with pytest.raises(ValueError, match="this family"):
            make_target("random-hierarchy", d, 0, **params)


def test_every_control_is_named_in_its_line():
    line = MODIFIERS["control"][1]
    assert all(control in line for control in CONTROLS[1:])
