"""The exact population: its integrals, its derivatives, and that it is solved to rounding."""

import numpy as np
import pytest

from hierbench.benchmarks.correction.exact.nested import level_inputs, narrow_features, squares
from hierbench.benchmarks.correction.exact.population import MAX_NODES, population, sampled, span_sine
from hierbench.benchmarks.correction.exact.solve import aligned, best_form, fit_all, fit_squares, leading_rows
from hierbench.benchmarks.correction.exact.variants import fit_fresh
from hierbench.errors import UserError
from hierbench.targets.registry import make_target

CASES = [
    ("projected", 6, {"width": 2, "rho": 0.5}),
    ("projected", 6, {"depth": 3, "width": 1, "rho": 0.5, "alpha": 0.3}),
    ("projected", 5, {"width": 2, "rho": 0.3, "inputs": "cube"}),
    ("projected", 5, {"width": 2, "rho": 0.3, "inputs": "mixture:separation=0.8,weight=0.3"}),
    ("squares", 3, {"depth": 3, "width": 1, "rho": 0.5, "rotated": False}),
]


@pytest.mark.parametrize(("family", "d", "params"), CASES)
def test_quadrature_has_the_certificate_s_moments(family, d, params):
    target = make_target(family, d, 1, **params)
    data, certificate = population(target), target.certificate()
    assert data.weights.sum() == pytest.approx(1.0, abs=1e-13)
    assert data.weights @ data.y == pytest.approx(0.0, abs=1e-9)
    assert data.variance == pytest.approx(1.0, abs=1e-9 if certificate.method == "exact" else 0.02)
    # exactness to degree 2^(L+1) is not luck of the order: three more nodes change nothing
    more = population(target, extra_nodes=3)
    assert more.variance == pytest.approx(data.variance, rel=1e-9)
    for few, many in zip(data.features, more.features, strict=True):
        gram, same = (s.T @ (s * p.weights[:, None]) for s, p in ((few, data), (many, more)))
        np.testing.assert_allclose(gram, same, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("family", "d", "params"), CASES[:2])
def test_best_form_turns_by_the_certified_contamination(family, d, params):
    """The certificate computes it from polynomial algebra, this from nodes."""
    target = make_target(family, d, 1, **params)
    data = population(target)
    form, _, mse = best_form(data, data.y)
    rows = leading_rows(form, target.k)
    angle = span_sine(data.features[0] * data.root, data.base @ rows.T * data.root)
    assert angle == pytest.approx(target.certificate().contamination[1].value, rel=1e-9)
    assert mse == pytest.approx(target.certificate().share_above(2), rel=1e-9)


def test_best_quadratic_agrees_with_a_million_samples():
    target = make_target("projected", 6, 1, width=2, rho=0.5, alpha=0.3)
    data = population(target)
    form, _, mse = best_form(data, data.y)
    # y has a kurtosis near 15: standard errors from eight independent parts
    parts = [
        best_form(p, p.y) for p in (sampled(target, 125_000, np.random.default_rng(s)) for s in range(8))
    ]
    forms = np.stack([f for f, _, _ in parts])
    stderr = forms.std(axis=0, ddof=1) / np.sqrt(8)
    assert np.abs((forms.mean(axis=0) - form) / stderr).max() < 6.0
    errors = np.array([m for _, _, m in parts])
    assert abs(errors.mean() - mse) < 5 * errors.std(ddof=1) / np.sqrt(8)


@pytest.mark.parametrize(("family", "d", "params"), CASES)
def test_error_below_1e_25_where_the_class_contains_the_target(family, d, params):
    """All weights together, from a tenth off the truth: no floor but rounding."""
    target = make_target(family, d, 1, **params)
    data = population(target)
    K, W = true_weights(target, data)
    rng = np.random.default_rng(0)
    moved = [m + 0.1 * np.abs(m).mean() * rng.standard_normal(m.shape) for m in (*K, *W)]
    fit = fit_all(data, moved[: len(K)], moved[len(K) :])
    assert fit.mse < 1e-25
    angle = span_sine(
        data.features[-1] * data.root, (level_inputs(data, fit.K)[-1].u @ fit.W[-1].T) * data.root
    )
    assert angle < 1e-9


def true_weights(target, data):
    """K and W of the target itself, by exact least squares of its features."""
    K, W = [], []
    levels = list(range(target.first_output, target.depth + 1))
    for i, s in enumerate(data.features):
        u = level_inputs(data, K)[-1].u
        w = np.linalg.lstsq(u * data.root, s * data.root, rcond=1e-12)[0].T
        np.testing.assert_allclose(u @ w.T, s, atol=1e-7 * np.abs(s).max())  # in the class
        K.append(w)
        if i:
            outputs = target.cascade.outputs[levels[i]]
            W.append(np.sqrt(outputs)[:, None] * w)
    return K[:-1], W


def test_joint_fit_from_the_first_stage_alone_reaches_rounding():
    """No truth in the start: the best form, then the top level, then all of it together."""
    target = make_target("projected", 6, 0, width=2, rho=0.5, alpha=0.1)
    data = population(target)
    K = [leading_rows(best_form(data, data.y)[0], 2)]
    fit = fit_fresh(data, K, 2)
    assert fit.mse > 1e-8  # rank-limited features that were frozen leave a floor
    together = fit_all(data, fit.K, fit.W)
    assert together.mse < 1e-25
    # the fitted model is the target off the nodes too
    other = sampled(target, 20_000, np.random.default_rng(0))
    u_nodes, u = level_inputs(data, together.K)[-1].u, raw_inputs(data, together.K, other)
    assert u_nodes.shape[1] == u.shape[1]
    rest = other.y - squares_of(u, together.W[-1])
    left = rest - other.quadratics @ np.linalg.lstsq(other.quadratics, rest, rcond=None)[0]
    assert np.abs(left).max() < 1e-9


def raw_inputs(data, K, other):
    """u_2 at other points, centred by the population's means."""
    S, nodes = other.base @ K[0].T, data.base @ K[0].T
    i, j = np.triu_indices(len(K[0]))
    mean = data.weights @ (nodes[:, i] * nodes[:, j])
    return np.concatenate([other.base, S[:, i] * S[:, j] - mean], axis=1)


def squares_of(u, W):
    return np.square(u @ W.T).sum(axis=1)


def test_variable_projection_against_a_plain_least_squares():
    """The same minimum as scipy finds over the linear part and W at once, by finite differences."""
    from scipy.optimize import least_squares

    target = make_target("projected", 4, 3, width=1, rho=0.5, alpha=0.3)
    data = population(target)
    K = [leading_rows(best_form(data, data.y)[0], 1)]
    fit = fit_fresh(data, K, 1)
    u = level_inputs(data, K)[-1].u
    n = data.quadratics.shape[1]

    def residual(theta):
        model = data.quadratics @ theta[:n] + squares_of(u, theta[n:].reshape(1, -1))
        return (data.y - model) * data.root[:, 0]

    found = min(
        2.0 * least_squares(residual, np.concatenate([fit.linear, w.ravel()]), xtol=1e-12, ftol=1e-12).cost
        for w in (fit.W[0] * 0.7, fit.W[0] + 0.1)
    )
    assert found == pytest.approx(fit.mse, rel=1e-5)


def test_derivatives_against_finite_differences():
    target = make_target("projected", 6, 0, depth=3, width=1, rho=0.5)
    data = sampled(target, 40, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for k in (1, 2):
        q = data.base.shape[1]
        new = k * (k + 1) // 2
        K = [rng.standard_normal((k, q)), rng.standard_normal((k, q + new))]
        W = rng.standard_normal((k, q + 2 * new))

        def value(flat, k=k, q=q, W=W):
            parts = flat[: k * q].reshape(k, q), flat[k * q :].reshape(k, -1)
            return squares(level_inputs(data, parts)[-1], W)[0]

        flat = np.concatenate([m.ravel() for m in K])
        value_0, by_W, by_K = squares(level_inputs(data, K, trained=True)[-1], W)
        np.testing.assert_allclose(value_0, value(flat))
        step = 1e-5
        for i in range(len(flat)):
            e = step * np.eye(len(flat))[i]
            numeric = (value(flat + e) - value(flat - e)) / (2 * step)
            np.testing.assert_allclose(by_K[:, i], numeric, rtol=1e-5, atol=1e-4)
        u = level_inputs(data, K)[-1]
        for i in range(W.size):
            e = step * np.eye(W.size)[i].reshape(W.shape)
            numeric = (squares(u, W + e)[0] - squares(u, W - e)[0]) / (2 * step)
            np.testing.assert_allclose(by_W[:, i], numeric, rtol=1e-5, atol=1e-4)
        assert [s.shape for s in narrow_features(data, K)] == [(40, k)] * 2


def test_basis_of_the_narrow_features_does_not_matter():
    target = make_target("projected", 6, 0, width=2, rho=0.5, alpha=0.3)
    data = population(target)
    K = leading_rows(best_form(data, data.y)[0], 2)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    first, second = fit_fresh(data, [K], 2), fit_fresh(data, [turn @ K], 2)
    assert first.mse == pytest.approx(second.mse, rel=1e-9)
    np.testing.assert_allclose(aligned(turn @ K, K), K, atol=1e-12)


def test_a_level_fitted_alone_has_no_form_to_hide_behind():
    target = make_target("projected", 6, 0, width=2, rho=0.5, alpha=0.3)
    data = population(target)
    K = [leading_rows(best_form(data, data.y)[0], 2)]
    fit = fit_fresh(data, K, 2)
    constant = np.ones((len(data.y), 1))
    alone = fit_squares(data, K, [fit.W], span=data.root / np.linalg.norm(data.root), linear=constant)
    assert alone.mse > 10 * fit.mse


def test_targets_without_an_exact_population_are_refused():
    with pytest.raises(
        UserError, match=r"Staircase.*allowed are targets of the families projected and squares"
    ):
        population(make_target("staircase", 8, 0))
    with pytest.raises(UserError, match=r"sphere.*allowed are gaussian"):
        population(make_target("projected", 8, 0, inputs="sphere"))
    with pytest.raises(UserError, match=f"allowed are integers up to {MAX_NODES}"):
        population(make_target("squares", 12, 0, depth=3))
