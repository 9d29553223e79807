"""The families: parameters, weights, sampling and labels."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierbench.targets.quadratic.rerandomised import Rerandomised
from hierbench.targets.registry import make_target

HIERARCHIES = [
    ("projected", 6, {"depth": 1}),
    ("projected", 8, {}),
    ("projected", 9, {"depth": 3, "width": "sqrt", "kappa": 3.0}),
    ("projected", 8, {"depth": 3, "width": 2, "skips": ((1,), (0, 2))}),
    ("projected", 3, {"rho": 1.0}),
    ("squares", 8, {}),
    ("squares", 8, {"depth": 3, "kappa": 2.0}),
    ("squares", 8, {"depth": 3, "rotated": False, "width": "sqrt"}),
    ("squares", 6, {"depth": 3, "width": 2, "skips": ((0, 1), (0, 2))}),
]


def sample(target, n, seed=0):
    return target.sample(n, np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "d", "params"), HIERARCHIES)
def test_hidden_features_are_those_of_the_definition(name, d, params):
    """s_l from W and the normalised h_j, then y from S_l: the formulas, without any folding."""
    target = make_target(name, d, 3, **params)
    X, y = sample(target, 300)
    s = target.hidden_features(X)
    h, total, first = [X], np.zeros(len(X)), 1 if name == "projected" else 2
    for level in range(1, target.depth + 1):
        w = {j: m for (i, j), m in target.weight_matrices.items() if i == level}
        if w:
            expected = sum(h[j] @ m.T for j, m in w.items())
        else:
            expected = X if target.rotation is None else X @ target.rotation.T
        np.testing.assert_allclose(s[level - 1], expected, rtol=1e-9, atol=1e-9)
        constants = target.constants.levels[level]
        mean, sd = (np.array([e.value for e in c]) for c in (constants.mean, constants.sd))
        h.append((s[level - 1] ** 2 - mean) / sd)
        if level >= first:
            total += target.alpha ** (level - first) * h[-1].sum(axis=1) / constants.sum_sd.value
    np.testing.assert_allclose(total / target.constants.scale.value, y, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("rotated", [False, True])
def test_worked_examples_are_their_formulas(rotated):
    one = make_target("worked-example-1", 5, 2, rotated=rotated)
    two = make_target("worked-example-2", 5, 2, rotated=rotated)
    X, y = sample(one, 400)
    x = (X @ one.directions.T).T
    raw = x[0] ** 2 + x[1] ** 2 + 0.1 * (x[0] ** 4 + x[1] ** 4)
    np.testing.assert_allclose(y, (raw - 2.6) / np.sqrt(2 * 2 * 1.6**2 + 2 * 24 * 0.1**2), rtol=1e-10)
    x = (X @ two.directions.T).T
    raw = x[0] ** 2 + x[1] ** 2 + 0.1 * ((x[0] ** 2 + x[2]) ** 2 + (x[1] ** 2 + x[3]) ** 2)
    # Hermite parts of degree 1, 2 (two kinds), 3 and 4, each from one of two equal halves.
    variance = 2 * (0.2**2 + 2 * 1.6**2 + 2 * 0.1**2 + 2 * 0.2**2 + 24 * 0.1**2)
    np.testing.assert_allclose(two.evaluate(X), (raw - 2.8) / np.sqrt(variance), rtol=1e-10)
    s = two.hidden_features(X)
    np.testing.assert_allclose(s[1], np.column_stack([x[0] ** 2 + x[2], x[1] ** 2 + x[3]]), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["projected", "squares"]),
    k=st.integers(1, 4),
    kappa=st.floats(1.0, 10.0),
    rho=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**62),
)
def test_weights_are_conditioned_and_oblique_as_stated(name, k, kappa, rho, seed):
    target = make_target(name, 12, seed, depth=3, width=k, kappa=kappa, rho=rho)
    base = target.weight_matrices[(1, 0) if name == "projected" else (2, 1)]
    skips = [(2, 0), (3, 0)] if name == "projected" else [(3, 1)]
    for w in target.weight_matrices.values():
        s = np.linalg.svd(w, compute_uv=False)
        assert s.min() >= 1 / kappa - 1e-9
        assert s.max() <= kappa + 1e-9
    onto_base = np.linalg.pinv(base) @ base
    fresh = []
    for key in skips:
        inside = target.weight_matrices[key] @ onto_base
        # The inside part is rho B W_1: B orthogonal leaves the Gram matrix's spectrum alone.
        np.testing.assert_allclose(
            np.linalg.svd(inside, compute_uv=False),
            rho * np.linalg.svd(base, compute_uv=False),
            atol=1e-9 * kappa,
        )
        f = target.weight_matrices[key] - inside
        np.testing.assert_allclose(f @ base.T, 0, atol=1e-9 * kappa)
        np.testing.assert_allclose(f @ f.T, (1 - rho**2) * np.eye(k), atol=1e-9)
        fresh.append(f)
    for a, b in itertools.pairwise(fresh):
        np.testing.assert_allclose(a @ b.T, 0, atol=1e-9)


@pytest.mark.parametrize("name", ["projected", "squares"])
def test_singular_values_are_even_in_log(name):
    target = make_target(name, 8, 0, kappa=4.0)
    s = np.linalg.svd(target.weight_matrices[2, 1], compute_uv=False)
    np.testing.assert_allclose(s, [4.0, 1.0, 0.25])


@pytest.mark.parametrize("name", ["projected", "squares"])
def test_a_deeper_target_has_the_same_lower_levels(name):
    shallow, deep = (make_target(name, 12, 4, depth=depth) for depth in (2, 4))
    X, _ = sample(shallow, 50)
    for a, b in zip(shallow.hidden_features(X), deep.hidden_features(X), strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_equal_skip_sets_make_equal_targets():
    """However they are written: lists from a file, any order."""
    assert make_target("projected", 8, 0, skips=[[1, 0]]) == make_target("projected", 8, 0, skips=((0, 1),))


def test_unrotated_squares_without_x_skips_are_constant_on_the_hypercube():
    X = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 8))
    for rotated, spread in ((False, 0.0), (True, 0.1)):
        y = make_target("squares", 8, 0, depth=3, rotated=rotated).evaluate(X)
        assert (np.ptp(y) > spread) == rotated


def test_width_sqrt_is_the_ceiling_of_the_root():
    widths = [make_target("projected", d, 0, width="sqrt").k for d in (4, 9, 10, 16, 17, 100)]
    assert widths == [2, 3, 4, 4, 5, 10]


@pytest.mark.parametrize(
    ("name", "d", "params", "message"),
    [
        ("projected", 5, {}, "d = 5: allowed are integers from 6, twice the width"),
        ("projected", 2, {"rho": 1.0}, "width = 3: allowed are integers up to d = 2"),
        ("projected", 8, {"depth": 0}, "depth = 0: allowed are integers from 1"),
        ("projected", 8, {"depth": 5}, r"degree 2\^5"),
        ("projected", 8, {"depth": 20000}, "allowed are integers from 1 to 4"),
        ("projected", 8, {"depth": 2.0}, "depth = 2.0"),
        ("projected", 8, {"depth": True}, "depth = True"),
        ("projected", 8, {"width": "root"}, "'sqrt'"),
        ("projected", 8, {"width": 2.5}, "width = 2.5"),
        ("projected", 8, {"alpha": 0.0}, "alpha = 0.0: allowed is a number > 0"),
        ("projected", 8, {"alpha": float("nan")}, "alpha = nan"),
        ("projected", 8, {"alpha": 1e200}, r"alpha = 1e\+200: allowed .* up to 1e\+06"),
        ("projected", 8, {"depth": 3, "alpha": 1e-200}, "alpha = 1e-200: allowed .* from 1e-06"),
        ("projected", 4, {"width": 4, "rho": 1.0, "inputs": "sphere"}, "allowed are integers up to d - 1 = "),
        ("squares", 1, {"width": 1, "inputs": "sphere"}, "allowed are integers up to d - 1 = "),
        ("projected", 8, {"alpha": "0.5"}, "alpha = '0.5'"),
        ("projected", 8, {"rho": 1.1}, r"allowed is a number in \[0, 1\]"),
        ("projected", 8, {"rho": -0.1}, "rho = -0.1"),
        ("projected", 8, {"kappa": 0.9}, "kappa = 0.9: allowed is a number from 1"),
        ("projected", 8, {"skips": [[1], [2]]}, "allowed is a list of depth - 1 = 1 lists"),
        ("projected", 8, {"skips": [[0]]}, "add 1"),
        ("projected", 8, {"skips": [[1, 2]]}, r"allowed are distinct levels of 0..1"),
        ("projected", 8, {"skips": [[1, 1]]}, r"allowed are distinct levels of 0..1"),
        ("projected", 8, {"skips": "01"}, "allowed is a list of depth - 1 = 1 lists"),
        ("squares", 8, {"depth": 1}, "depth = 1: allowed are integers from 2"),
        ("squares", 2, {}, "width = 3: allowed are integers up to d = 2"),
        ("squares", 8, {"rotated": 1}, "rotated = 1: allowed are true and false"),
        ("projected", 8, {"depth": 3, "alpha": [0.5]}, "allowed is one number, or a list of 2"),
        ("projected", 8, {"alpha": [0.0]}, "alpha = 0.0: allowed is a number > 0"),
        ("projected", 8, {"wiring": "vgg"}, "wiring = 'vgg': allowed are densenet, resnet"),
        ("squares", 8, {"wiring": "resnet", "skips": [[1]]}, "the residual stream has no skip sets"),
        ("squares", 8, {"inputs": "hypercube"}, r"hypercube is refused: x_i\^2 = 1"),
        ("squares", 8, {"kappa": 1e7}, "kappa = 10000000.0"),
        ("squares", 8, {"depth": 5}, r"allowed are integers from 2 to 4; at degree 2\^5 powers"),
        ("worked-example-1", 1, {}, "d = 1: allowed are integers from 2"),
        ("worked-example-2", 3, {}, "d = 3: allowed are integers from 4"),
        ("worked-example-2", 4, {"a": -1.0}, "a = -1.0"),
        ("worked-example-1", 4, {"a": 1e200}, r"a = 1e\+200"),
        ("worked-example-1", 2, {"inputs": "sphere"}, "d = 2: allowed are integers from 3"),
        ("merged-staircase", 4, {"weights": (1, 1, 1e200, 1)}, r"size of a weight = 1e\+200"),
        ("squares", 8, {"noise": 1e200}, r"noise = 1e\+200: allowed is a number >= 0, up to"),
        ("squares", 8, {"classify": True, "offset": 1e300}, r"offset = 1e\+300"),
    ],
)
def test_inconsistent_parameters_are_refused_in_one_line(name, d, params, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_target(name, d, 0, **params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["projected", "squares"])
@pytest.mark.parametrize("d", [8, 9])
def test_a_resnet_is_one_residual_stream(name, d):
    """Hidden features rebuilt from a_l = a_{l-1} + h_l and s_l = W_l a_{l-1}."""
    target = make_target(name, d, 3, depth=4, width=2, wiring="resnet")
    X = target.sample_inputs(50, np.random.default_rng(0))
    weights, s = target.weight_matrices, target.hidden_features(X)

    def h(level):
        c = target.constants.levels[level]
        return (s[level - 1] ** 2 - [e.value for e in c.mean]) / [e.value for e in c.sd]

    lowest = target.first_output
    source = X if name == "projected" else h(1)
    embedding = np.linalg.solve(weights[lowest + 1, lowest], weights[lowest + 1, lowest - 1])
    stream_ = source @ embedding.T + h(lowest)
    for level in range(lowest + 1, 5):
        w = weights[level, level - 1]
        np.testing.assert_allclose(s[level - 1], stream_ @ w.T, rtol=1e-9, atol=1e-9)
        stream_ = stream_ + h(level)
    k = 2
    blocks = 2 * k * d + (4 - lowest) * k * k + (d * (d - 1) // 2 if name == "squares" else 0)
    assert target.n_parameters == blocks


def test_weights_of_the_levels_one_by_one():
    powers = make_target("projected", 8, 1, depth=3, alpha=0.3)
    listed = make_target("projected", 8, 1, depth=3, alpha=[0.3, 0.3**2])
    X = np.random.default_rng(0).standard_normal((100, 8))
    np.testing.assert_array_equal(powers.evaluate(X), listed.evaluate(X))
    other = make_target("projected", 8, 1, depth=3, alpha=[0.3, 2.0])
    assert other.alphas == {1: 1.0, 2: 0.3, 3: 2.0}
    shares = other.certificate().level_share
    assert shares[3].value > 0.5 > powers.certificate().level_share[3].value


@pytest.mark.parametrize("name", ["projected", "squares"])
@pytest.mark.parametrize("inputs", ["gaussian", "gaussian:condition=5", "mixture", "cube", "sphere"])
def test_targets_are_normalised_and_nested_on_every_law(name, inputs):
    target = make_target(name, 7, 3, width=2, depth=3, inputs=inputs)
    X, y = sample(target, 5000)
    for m in (1, 2049):
        np.testing.assert_array_equal(sample(target, m)[1], y[:m])
    mean, variance = y.mean(), y.var()
    assert abs(mean) < 0.2
    assert 0.3 < variance < 3
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(target)).evaluate(X), y)


def test_levels_of_a_rerandomised_hierarchy_do_not_share_lower_levels():
    base = make_target("projected", 10, 2, depth=3, width=2, alpha=1.0)
    control = Rerandomised(base)
    assert (control.d, control.degree, control.inputs) == (10, 8, "gaussian")
    X, y = sample(control, 3000)
    np.testing.assert_array_equal(sample(control, 100)[1], y[:100])
    # y is the sum of the top levels of independent targets, rebuilt one by one.
    parts = []
    for level, copy in control.copies.items():
        s = copy.hidden_features(X)[level - 1]
        c = copy.constants.levels[level]
        h = (s**2 - [e.value for e in c.mean]) / [e.value for e in c.sd]
        parts.append(h.sum(axis=1) / c.sum_sd.value)
        assert copy.depth == level
    total = sum(parts)
    np.testing.assert_allclose(y, total / control._normalised.constants.scale.value, atol=1e-9)
    rows = [copy.weight_matrices[1, 0] for copy in control.copies.values()]
    assert np.linalg.matrix_rank(np.concatenate(rows)) == 6
    certificate = control.certificate()
    assert certificate.variance.value == pytest.approx(1.0, abs=1e-9)
    assert max(certificate.degree_share) == 8
    assert sum(e.value for e in certificate.level_share.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("rotated", [True, False])
def test_rerandomised_squares_have_rotations_of_their_own(rotated):
    control = Rerandomised(make_target("squares", 6, 2, depth=3, width=2, rotated=rotated))
    X, y = sample(control, 500)
    parts = []
    for level, copy in control.copies.items():
        s = copy.hidden_features(X)[level - 1]
        c = copy.constants.levels[level]
        h = (s**2 - [e.value for e in c.mean]) / [e.value for e in c.sd]
        parts.append(control.base.alphas[level] * h.sum(axis=1) / c.sum_sd.value)
    np.testing.assert_allclose(y, sum(parts) / control._normalised.constants.scale.value, atol=1e-9)
    assert (
        np.abs(control.copies[2].weight_matrices[2, 1] - control.copies[3].weight_matrices[2, 1]).max() > 0.1
    )
