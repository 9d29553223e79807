"""Feature error: 0 on the target's own features, 1 on features that know nothing of it."""

import math

import numpy as np
import pytest

from hierbench.benchmarks.correction.trained.feature_error import (
    VacuousReadOut,
    check_width,
    feature_error,
    form_of,
    narrow_products,
    pre_activation_error,
    subspace_angle,
)
from hierbench.learners.engines.network import DenseNetwork
from hierbench.targets.registry import make_target

N = 6000


def draws(target, n=N, seed=0):
    rng = np.random.default_rng(seed)
    return target.sample_inputs(n, rng), target.sample_inputs(n, rng)


def net_of(target):
    """The plain DenseNet with the weights of a "projected" target: (network, flat parameters)."""
    k, root = target.k, math.sqrt(2.0)
    network = DenseNetwork(d=target.d, depth=target.depth, width=k, truncation=1e3)  # past every sample
    flat = np.zeros(network.n_parameters)
    views, position = network.parts(flat), 0
    affine = {}  # the true h_l is slope * (net's h_l) + shift
    for level, c in target.constants.levels.items():
        mean, sd = (np.array([e.value for e in v]) for v in (c.mean, c.sd))
        affine[level] = (root / sd, (1.0 - mean) / sd)
    for level in range(1, target.depth + 1):
        bias = np.zeros(k)
        for j in range(level):
            w = target.weight_matrices.get((level, j), np.zeros((k, target.d if j == 0 else k)))
            slope, shift = affine[j] if j else (np.ones(target.d), np.zeros(target.d))
            views[position + j][:] = (w * slope).T
            bias = bias + w @ shift
        views[position + level][0] = bias
        position += level + 1
    intercept = 0.0
    for level, alpha in target.alphas.items():
        factor = alpha / (target.constants.levels[level].sum_sd.value * target.constants.scale.value)
        slope, shift = affine[level]
        views[position + level][:, 0] = factor * slope
        intercept += factor * shift.sum()
    views[-1][:] = intercept
    return network, flat


def features(network, flat, X):
    output, h, _ = network.forward(network.parts(flat), X)
    return h[1:], output[:, 0]


@pytest.mark.parametrize(("depth", "d", "k"), [(2, 8, 2), (3, 9, 3)])
def test_zero_on_a_net_whose_weights_are_the_target_s(depth, d, k):
    target = make_target("projected", d, 1, depth=depth, width=k, rho=0.5, kappa=2.0)
    network, flat = net_of(target)
    both = draws(target)
    found = [features(network, flat, X) for X in both]
    np.testing.assert_allclose(found[0][1], target.evaluate(both[0]), atol=1e-9)  # it is the target
    rng = np.random.default_rng(5)
    fresh = network.initial(rng)
    start = [features(network, fresh, X)[0] for X in both]
    for level in range(2, depth + 1):
        truth = tuple(target.hidden_features(X)[level - 1] for X in both)
        wide = tuple(h[:level] for h, _ in found)
        error = feature_error(truth, wide, both, tuple(h[:level] for h in start))
        assert error.value < 1e-10
        assert error.at_start > 0.3
        narrow = tuple(narrow_products(target.hidden_features(X)[:level]) for X in both)
        assert feature_error(truth, narrow, both).value < 1e-10
        assert pre_activation_error(truth, truth, d, level).value < 1e-10

    def first(X):
        h, _ = features(network, flat, X)
        return h[0] @ np.full(k, 0.7)

    assert subspace_angle(form_of(first, d), target.weight_matrices[1, 0]) < 1e-10


@pytest.mark.parametrize("n", [1000, 4000, 16000])
def test_one_on_independent_features_within_regressors_over_samples(n):
    """Skips from x too: what x alone says of s_2 is not credited to the features."""
    target = make_target("projected", 8, 0, width=2, rho=0.5)
    rng = np.random.default_rng(3)
    r, excess, errors = 10, [], []
    for _ in range(20):
        both = draws(target, n, rng.integers(2**31))
        truth = tuple(target.hidden_features(X)[1] for X in both)
        noise = tuple([rng.standard_normal((n, 3)), rng.standard_normal((n, r - 3))] for _ in range(2))
        error = feature_error(truth, noise, both)
        errors.append(error)
        excess.append(error.value - 1.0)
    assert abs(np.mean(excess)) < 2.0 * r / n
    assert np.mean(excess) > 0.0  # over-fitting of the read-out can only add
    assert errors[0].of_inputs == pytest.approx(0.7, abs=0.2)


def test_standard_error_is_that_of_repetition():
    target = make_target("projected", 8, 0, width=2, rho=0.5)
    rng = np.random.default_rng(0)
    true = target.weight_matrices[1, 0]
    rows = true + 0.2 * rng.standard_normal(true.shape)
    found = []
    for seed in range(60):
        both = draws(target, 4000, seed)
        truth = tuple(target.hidden_features(X)[1] for X in both)
        learned = tuple([*narrow_products([X @ rows.T]), np.zeros((4000, 1))] for X in both)
        found.append(feature_error(truth, learned, both))
    values = np.array([f.value for f in found])
    assert 0.1 < values.mean() < 0.9
    assert np.median([f.stderr for f in found]) == pytest.approx(values.std(ddof=1), rel=0.35)


def test_feature_error_is_proportional_to_the_tilt_of_the_level_below():
    """Amplitude, not square; and the basis of the narrow features does not matter."""
    target = make_target("projected", 8, 2, width=2, rho=0.5)
    rng = np.random.default_rng(1)
    true = target.weight_matrices[1, 0]
    both = draws(target, 20000)
    truth = tuple(target.hidden_features(X)[1] for X in both)
    away = rng.standard_normal(true.shape)
    away -= (away @ np.linalg.pinv(true)) @ true
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    values, angles = [], []
    for tilt in (1e-3, 1e-2):
        rows = true + tilt * away
        error = [
            feature_error(
                truth, tuple([*narrow_products([X @ r.T]), np.ones((len(X), 0))] for X in both), both
            )
            for r in (rows, turn @ rows)
        ]
        assert error[0].value == pytest.approx(error[1].value, rel=1e-6)
        values.append(error[0].value)
        angles.append(subspace_angle(rows.T @ rows, true))
    assert values[1] / values[0] == pytest.approx(10.0, rel=0.02)
    assert angles[1] / angles[0] == pytest.approx(10.0, rel=0.01)


def test_angle_of_a_form_against_scipy_and_its_ends():
    from scipy.linalg import subspace_angles

    rng = np.random.default_rng(0)
    rows, others = rng.standard_normal((2, 3, 9))
    form = others.T @ np.diag([2.0, -3.0, 1.0]) @ others
    expected = np.sqrt(np.mean(np.sin(subspace_angles(rows.T, others.T)) ** 2))
    assert subspace_angle(form, rows) == pytest.approx(expected, rel=1e-9)
    eye = np.eye(6)
    assert subspace_angle(np.diag([1.0, 1, 0, 0, 0, 0]), eye[2:4]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="rank below 3"):
        subspace_angle(np.diag([1.0, 1, 0, 0, 0, 0]), eye[:3])
    with pytest.raises(ValueError, match=r"allowed is a pair \(6, 6\)"):
        subspace_angle(np.eye(5), eye[:2])


def test_form_of_a_quadratic_function():
    rng = np.random.default_rng(0)
    q = rng.standard_normal((7, 7))
    q, b = q + q.T, rng.standard_normal(7)
    found = form_of(lambda x: np.einsum("ni,ij,nj->n", x, q, x) + x @ b + 3.0, 7, step=2.0)
    np.testing.assert_allclose(found, q, atol=1e-12)


def test_width_that_reads_out_anything_is_refused():
    """Sixteen random quadratic features at d = 4 span all ten quadratic forms: no error is left."""
    target = make_target("projected", 4, 0, width=2, rho=0.5)
    rng = np.random.default_rng(0)
    both = draws(target)
    truth = tuple(target.hidden_features(X)[1] for X in both)
    w = rng.standard_normal((4, 16))
    wide = tuple([(X @ w) ** 2, np.zeros((N, 1))] for X in both)
    with pytest.raises(VacuousReadOut, match=r"16 regressors from level 1 at d = 4 .* all 10 polynomials"):
        feature_error(truth, wide, both)
    # and rightly so: within a read-out of them s_2 has no error at all
    X = both[0]
    columns = np.concatenate([np.ones((N, 1)), X, (X @ w) ** 2], axis=1)
    rest = truth[0] - columns @ np.linalg.lstsq(columns, truth[0], rcond=None)[0]
    assert np.abs(rest).max() < 1e-8
    check_width([9], 4, 2)
    with pytest.raises(VacuousReadOut):
        check_width([10], 4, 2)
    with pytest.raises(VacuousReadOut, match="14 features at d = 4"):
        pre_activation_error(truth, (w[:1].repeat(N, 0)[:, :14],) * 2, 4, 2)


def test_too_few_samples_and_linear_levels_are_refused():
    target = make_target("projected", 8, 0, width=2)
    both = draws(target, 50)
    h = tuple([X[:, :2] ** 2] for X in both)
    with pytest.raises(
        ValueError, match=r"samples = 50: allowed are integers from .* read-out of 2 features"
    ):
        feature_error(tuple(target.hidden_features(X)[1] for X in both), h, both)
    both = draws(target, 1000)
    h = tuple([X[:, :2] ** 2] for X in both)
    with pytest.raises(ValueError, match="linear in x"):
        feature_error(tuple(target.hidden_features(X)[0] for X in both), h, both)


def test_sampled_feature_error_agrees_with_the_exact_one():
    """The twin at exact population: the same definition by quadrature."""
    from hierbench.benchmarks.correction.exact.population import population
    from hierbench.benchmarks.correction.exact.rounds import exact_feature_error

    target = make_target("projected", 6, 3, width=2, rho=0.5, alpha=0.3)
    data = population(target)
    rng = np.random.default_rng(2)
    basis = target.blueprint.basis
    rows = target.weight_matrices[1, 0] @ basis.T + 0.1 * rng.standard_normal((2, len(basis)))
    second = rng.standard_normal((2, len(basis)))

    def learned(z):
        s1 = z @ rows.T
        return [s1, z @ second.T + s1**2]

    exact = exact_feature_error(data, data.features[1], learned(data.base))
    both = draws(target, 100_000)
    truth = tuple(target.hidden_features(X)[1] for X in both)
    # d = 6, of which y sees 4: the two others add nothing
    got = feature_error(truth, tuple(narrow_products(learned(X @ basis.T)) for X in both), both)
    assert got.value == pytest.approx(exact, abs=4 * got.stderr + 1e-4)
