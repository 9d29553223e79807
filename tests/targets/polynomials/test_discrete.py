"""Staircases, parities and the Random Hierarchy Model."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hierbench.targets.algebra import terms
from hierbench.targets.certificates.sentences import degree_shares
from hierbench.targets.polynomials.merged_staircase import MergedStaircase
from hierbench.targets.polynomials.monomials import leap_levels, leap_of
from hierbench.targets.polynomials.parity import Parity
from hierbench.targets.polynomials.staircase import Staircase
from hierbench.targets.random_hierarchy import RandomHierarchy
from hierbench.targets.registry import FAMILIES, load_family, make_target

ADMITTED = ("gaussian", "cube", "sphere", "hypercube")
CASES = [
    ("staircase", 8, {}),
    ("staircase", 9, {"levels": 2, "leap": 3, "inputs": "cube"}),
    ("staircase", 8, {"rotated": True, "inputs": "gaussian"}),
    ("staircase", 6, {"rotated": True, "leap": 2, "inputs": "sphere"}),
    ("merged-staircase", 8, {}),
    (
        "merged-staircase",
        7,
        {"sets": ((2,), (2, 7), (1, 2, 7)), "weights": (1.0, -2.0, 0.5), "inputs": "sphere"},
    ),
    ("merged-staircase", 5, {"sets": ((1,), (1, 3)), "powers": ((1,), (2, 3)), "inputs": "gaussian"}),
    ("parity", 8, {}),
    ("parity", 10, {"k": 5, "inputs": "sphere"}),
    ("parity", 4, {"k": 4, "inputs": "gaussian"}),
    ("random-hierarchy", 8, {}),
    ("random-hierarchy", 16, {"task": "classification", "n_classes": 2}),
    ("random-hierarchy", 24, {"vocabulary": 3, "synonyms": 2, "n_classes": 3}),
]


def sample(target, n, seed=0):
    return target.sample(n, np.random.default_rng(seed))


def agrees(values, expected):
    """Mean within 4.5 standard errors; the absolute slack is for values without any spread."""
    return abs(values.mean() - expected) <= 4.5 * values.std() / math.sqrt(len(values)) + 1e-12


def shares(target):
    return {p: e.value for p, e in target.certificate().degree_share.items() if abs(e.value) > 1e-12}


# --- All families


@pytest.mark.parametrize(("name", "d", "params"), CASES)
def test_certificates_are_exact(name, d, params):
    target = make_target(name, d, 3, **params)
    certificate = target.certificate()
    assert certificate.method == "exact"
    assert certificate.mean.value == pytest.approx(0.0, abs=1e-12)
    assert certificate.variance.value == pytest.approx(1.0, abs=1e-12)
    assert math.fsum(e.value for e in certificate.degree_share.values()) == pytest.approx(1.0, abs=1e-9)
    assert certificate.bayes_error.value == 0.0


@pytest.mark.parametrize("name", ["staircase", "merged-staircase", "parity", "random-hierarchy"])
def test_descriptors_are_those_of_the_classes(name):
    assert dict(FAMILIES[name].refused_inputs) == dict(load_family(name).refused_inputs)
    for law, reason in FAMILIES[name].refused_inputs.items():
        if name != "random-hierarchy":
            with pytest.raises(ValueError, match=reason):
                make_target(name, 8, 0, inputs=law)


# --- Sums of monomials


@settings(max_examples=30, deadline=None)
@given(
    levels=st.integers(1, 4), leap=st.integers(1, 3), law=st.sampled_from(ADMITTED), seed=st.integers(0, 99)
)
def test_each_level_of_a_staircase_has_an_equal_share_at_its_degree(levels, leap, law, seed):
    rotated = law in ("gaussian", "sphere")
    target = Staircase(12, seed, levels=levels, leap=leap, rotated=rotated, inputs=law)
    expected = {leap * level: 1 / levels for level in range(1, levels + 1)}
    assert shares(target) == pytest.approx(expected)
    certificate = target.certificate()
    assert [e.value for e in certificate.level_share.values()] == pytest.approx([1 / levels] * levels)
    np.testing.assert_allclose(certificate.level_covariance, np.eye(levels), atol=1e-12)
    assert leap_of([chi for _, chi in target._flat]) == leap
    assert certificate.rotation_invariant == rotated


def test_a_staircase_is_its_formula():
    target = Staircase(9, 0, levels=3, leap=2)
    X, y = sample(target, 300)
    products = [X[:, :k].prod(axis=1) for k in (2, 4, 6)]
    np.testing.assert_allclose(y, sum(products) / math.sqrt(3), rtol=1e-13)
    for feature, product in zip(target.hidden_features(X), products, strict=True):
        np.testing.assert_array_equal(feature, product[:, None])
    np.testing.assert_array_equal(target.directions, np.eye(6, 9))


def test_a_rotated_staircase_is_one_of_its_directions():
    target = Staircase(6, 1, rotated=True, inputs="gaussian")
    np.testing.assert_allclose(target.directions @ target.directions.T, np.eye(3), atol=1e-13)
    X, y = sample(target, 300)
    T = X @ target.directions.T
    np.testing.assert_allclose(y, np.cumprod(T, axis=1).sum(axis=1) / math.sqrt(3), rtol=1e-9, atol=1e-12)
    assert np.abs(Staircase(6, 2, rotated=True, inputs="gaussian").evaluate(X) - y).max() > 0.1


@pytest.mark.parametrize(("d", "k"), [(3, 1), (5, 4), (12, 3), (7, 7), (50, 40)])
def test_a_parity_on_the_sphere_has_the_moments_of_the_closed_form(d, k):
    """E prod x_i^(2 p) on the sphere, p = 1 for the scale and p = 2 for the kurtosis."""
    target = Parity(d, 4, k=k, inputs="sphere")
    X, y = sample(target, 300)
    second = d**k / math.prod(d + 2 * s for s in range(k))
    fourth = 3**k * d ** (2 * k) / math.prod(d + 2 * s for s in range(2 * k))
    np.testing.assert_allclose(y * math.sqrt(second), X[:, list(target.support)].prod(axis=1), rtol=1e-10)
    assert target.certificate().kurtosis.value == pytest.approx(fourth / second**2, rel=1e-10)
    assert shares(target) == pytest.approx({k: 1.0})


@pytest.mark.parametrize("k", [1, 4, 40])  # at 40 the expansion of y^2 has 2^40 terms
@pytest.mark.parametrize(("law", "fourth"), [("hypercube", 1.0), ("cube", 9 / 5), ("gaussian", 3.0)])
def test_parities_have_all_variance_at_the_top_and_the_kurtosis_of_a_product(law, fourth, k):
    target = Parity(50, 7, k=k, inputs=law)
    assert shares(target) == pytest.approx({k: 1.0})
    assert target.certificate().kurtosis.exact
    assert target.certificate().kurtosis.value == pytest.approx(fourth**k)
    assert target.leap == k
    X, y = sample(target, 500)
    np.testing.assert_allclose(y, X[:, list(target.support)].prod(axis=1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("law", ADMITTED)
def test_moments_of_monomials_agree_with_the_expansion(law, monkeypatch):
    """The two ways to the kurtosis, on a target that is in reach of both."""
    params = {"levels": 3, "leap": 2, "rotated": law in ("gaussian", "sphere"), "inputs": law}
    expanded = Staircase(9, 2, **params).certificate().kurtosis
    monkeypatch.setattr(terms, "MAX_CLOSURE", 8)
    by_moments = Staircase(9, 2, **params).certificate().kurtosis
    assert by_moments.exact
    assert by_moments.value == pytest.approx(expanded.value, rel=1e-10)


def test_every_coordinate_is_in_the_support_of_a_parity_equally_often():
    counts = np.zeros(6)
    for seed in range(600):
        support = Parity(6, seed, k=2).support
        assert len(set(support)) == 2
        counts[list(support)] += 1
    # 600 draws of probability 1/3 each: a standard deviation of 11.5.
    assert np.abs(counts - 200).max() < 4.5 * 11.6


@pytest.mark.parametrize(
    ("sets", "leap"),
    [
        (((1,), (1, 2), (1, 2, 3)), 1),
        (((1,), (1, 2), (2, 3), (1, 3, 4)), 1),
        (((1, 2, 3),), 3),
        (((1,), (1, 2, 3)), 2),
        (((1, 2), (1, 2, 3, 4), (3, 4, 5)), 2),
        (((1,), (2,), (1, 2, 3)), 1),
        (((1, 2, 3, 4), (1,), (2, 3)), 2),
    ],
)
def test_leaps_are_those_worked_out_by_hand(sets, leap):
    assert MergedStaircase(6, 0, sets=sets).leap == leap
    assert MergedStaircase(6, 0, sets=sets[::-1]).leap == leap


MONOMIALS = st.lists(
    st.dictionaries(st.integers(0, 4), st.integers(1, 3), min_size=1, max_size=4).map(
        lambda powers: tuple(sorted(powers.items()))
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(monomials=MONOMIALS)
def test_the_leap_is_the_least_over_all_orders(monomials):
    def largest_step(order):
        known, largest = set(), 0
        for chi in order:
            largest = max(largest, sum(power for form, power in chi if form not in known))
            known |= {form for form, _ in chi}
        return largest

    leap = leap_of(monomials)
    assert leap == min(map(largest_step, itertools.permutations(monomials)))
    levels = leap_levels(monomials)
    assert sorted(i for level in levels for i in level) == list(range(len(monomials)))
    assert largest_step([monomials[i] for level in levels for i in level]) == leap


@settings(max_examples=30, deadline=None)
@given(
    monomials=MONOMIALS,
    weights=st.lists(st.floats(0.2, 3.0) | st.floats(-3.0, -0.2), min_size=5, max_size=5),
    law=st.sampled_from((*ADMITTED, "hermite")),
)
def test_shares_of_a_sum_of_monomials_are_its_squared_weights(monomials, weights, law):
    hermite = law == "hermite"
    if not hermite:
        monomials = list(dict.fromkeys(tuple((form, 1) for form, _ in chi) for chi in monomials))
    weights = tuple(weights[: len(monomials)])
    target = MergedStaircase(
        6,
        0,
        sets=tuple(tuple(form + 1 for form, _ in chi) for chi in monomials),
        powers=tuple(tuple(power for _, power in chi) for chi in monomials) if hermite else None,
        weights=weights,
        inputs="gaussian" if hermite else law,
    )
    expected: dict[int, float] = {}
    for weight, chi in zip(weights, monomials, strict=True):
        degree = sum(power for _, power in chi)
        expected[degree] = expected.get(degree, 0.0) + weight**2 / math.fsum(w * w for w in weights)
    assert shares(target) == pytest.approx(expected)
    assert target.degree == max(expected)
    assert target.leap == leap_of(monomials)


@settings(max_examples=15, deadline=None, derandomize=True)  # bounds in standard errors
@given(monomials=MONOMIALS, law=st.sampled_from(("hypercube", "cube", "sphere")), seed=st.integers(0, 2**32))
def test_certificates_of_sums_of_monomials_agree_with_monte_carlo(monomials, law, seed):
    sets = list(dict.fromkeys(tuple(form + 1 for form, _ in chi) for chi in monomials))
    target = MergedStaircase(6, 0, sets=tuple(sets), inputs=law)
    certificate = target.certificate()
    X, y = target.sample(2**15, np.random.default_rng(seed))
    assert agrees(y, 0.0)
    assert agrees(y**2, 1.0)
    assert agrees(y**4, certificate.kurtosis.value)
    for (level, share), feature in zip(
        certificate.level_share.items(), target.hidden_features(X), strict=True
    ):
        assert agrees(feature.sum(axis=1) * y / math.sqrt(len(sets)), share.value), level


@pytest.mark.parametrize("law", ADMITTED)
def test_a_merged_staircase_is_its_formula(law):
    target = MergedStaircase(7, 0, sets=((2,), (7, 2), (1, 2, 7)), weights=(1, -2, 3), inputs=law)
    X, y = sample(target, 200)
    x1, x2, x7 = X[:, 0], X[:, 1], X[:, 6]
    pair, triple = (1 + 2 / 7, (1 + 2 / 7) * (1 + 4 / 7)) if law == "sphere" else (1, 1)
    raw = x2 - 2 * math.sqrt(pair) * x2 * x7 + 3 * math.sqrt(triple) * x1 * x2 * x7
    np.testing.assert_allclose(y, raw / math.sqrt(14), rtol=1e-9, atol=1e-12)
    assert [f.shape for f in target.hidden_features(X)] == [(200, 1)] * 3
    assert target.certificate().n_parameters == 3 * 7 + 3


def test_hermite_powers_are_those_of_numpy():
    target = MergedStaircase(4, 0, sets=((1,), (4, 1)), powers=((3,), (2, 1)), inputs="gaussian")
    X, y = sample(target, 200)
    he = [np.polynomial.hermite_e.HermiteE.basis(k) for k in range(4)]
    raw = he[3](X[:, 0]) / math.sqrt(6) + he[2](X[:, 3]) * X[:, 0] / math.sqrt(2)
    np.testing.assert_allclose(y, raw / math.sqrt(2), rtol=1e-9, atol=1e-12)
    assert target.leap == 3


def test_a_rotation_may_raise_the_leap_as_documented():
    """x_1 + x_2 + x_1 x_2 x_3 turned by 45 degrees in the first two coordinates."""
    straight = MergedStaircase(3, 0, sets=((1,), (2,), (1, 2, 3)), inputs="gaussian")
    root = math.sqrt(2)
    turned = MergedStaircase(
        3,
        0,
        sets=((1,), (1, 3), (2, 3)),
        powers=((1,), (2, 1), (2, 1)),
        weights=(root, 1 / root, -1 / root),
        inputs="gaussian",
    )
    X, y = sample(straight, 200)
    rotated = np.column_stack([(X[:, 0] + X[:, 1]) / root, (X[:, 0] - X[:, 1]) / root, X[:, 2]])
    np.testing.assert_allclose(turned.evaluate(rotated), y, rtol=1e-9, atol=1e-12)
    assert (straight.leap, turned.leap) == (1, 2)


def test_equal_monomials_make_equal_targets():
    plain = MergedStaircase(5, 0, sets=((1,), (1, 3)), inputs="gaussian")
    assert MergedStaircase(5, 0, sets=[[1], [3, 1]], powers=[[1], [1, 1]], inputs="gaussian") == plain
    one, other = (
        MergedStaircase(5, 0, sets=(s,), powers=(p,), inputs="gaussian")
        for s, p in (((1, 3), (2, 1)), ((3, 1), (1, 2)))
    )
    assert one == other


# --- The Random Hierarchy Model


@st.composite
def grammars(draw, max_sentences=2**16):
    v, s = draw(st.integers(2, 5)), draw(st.integers(2, 3))
    m = draw(st.integers(1, min(v ** (s - 1), 6)))
    n_classes = draw(st.integers(2, min(v**s // m, 6)))
    depth = draw(st.integers(1, 3))
    target = RandomHierarchy(
        v * s**depth, draw(st.integers(0, 2**32)), vocabulary=v, synonyms=m, branching=s, n_classes=n_classes
    )
    assume(target.n_sentences <= max_sentences)
    return target


@settings(max_examples=40, deadline=None)
@given(target=grammars(max_sentences=10**30))
def test_rules_are_distinct_and_unambiguous(target):
    assert len(target.rules) == target.depth
    for level, rules in enumerate(target.rules):
        symbols = target.n_classes if level == 0 else target.vocabulary
        assert rules.shape == (symbols, target.synonyms, target.branching)
        assert rules.min() >= 0
        assert rules.max() < target.vocabulary
        assert len({tuple(t) for t in rules.reshape(-1, target.branching)}) == symbols * target.synonyms


@settings(max_examples=40, deadline=None)
@given(target=grammars(max_sentences=10**30))
def test_parsing_undoes_the_spelling(target):
    """Spelt by plain recursion with known choices, then parsed: all symbols come back."""
    rng = np.random.default_rng(target.seed)
    v = target.vocabulary
    scores, rows, levels = [], [], [[] for _ in range(target.depth)]
    for _ in range(20):
        line = [int(rng.integers(target.n_classes))]
        scores.append(target.scores[line[0]])
        for level, rules in enumerate(target.rules):
            levels[target.depth - 1 - level].append(line)
            line = [leaf for symbol in line for leaf in rules[symbol, rng.integers(target.synonyms)]]
        block = (np.eye(v) - 1 / v) / math.sqrt((1 / v) * (1 - 1 / v))
        rows.append(np.concatenate([block[leaf] for leaf in line]))
    X = np.array(rows)
    np.testing.assert_array_equal(target.evaluate(X), scores)
    np.testing.assert_array_equal(target.evaluate(X.astype(np.float32)), scores)
    np.testing.assert_allclose((X**2).sum(axis=1), target.d)
    for level, (found, expected) in enumerate(zip(target.hidden_features(X), levels, strict=True), start=1):
        size = target.n_classes if level == target.depth else v
        np.testing.assert_array_equal(found, np.eye(size)[np.array(expected)].reshape(20, -1))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_inputs_of_a_full_grammar_are_uniform_strings(depth):
    """m = v^(s-1), n_c = v: every string is a sentence, so leaves have mean 0 and variance 1."""
    target = RandomHierarchy(4 * 2**depth, 1)
    assert target.n_sentences == 4**target.n_leaves
    assert len(np.unique(target.sentences(), axis=0)) == target.n_sentences
    X, _ = sample(target, 2**14)
    blocks = X.reshape(len(X), -1, 4)
    assert sorted(np.unique(X)) == pytest.approx([-1 / math.sqrt(3), math.sqrt(3)])
    for column in X.T:
        assert agrees(column, 0.0)
        assert agrees(column**2, 1.0)
    pair = blocks[:, 0, 0] * blocks[:, -1, 1]
    assert agrees(pair, 0.0)


@settings(max_examples=15, deadline=None, derandomize=True)  # bounds in standard errors
@given(target=grammars())
def test_classes_are_balanced_and_sentences_equally_probable(target):
    leaves = target.sentences()
    assert len(np.unique(leaves, axis=0)) == target.n_sentences == len(leaves)
    labels = target.evaluate(target._encoded(leaves))
    values, counts = np.unique(labels, return_counts=True)
    np.testing.assert_allclose(values, np.sort(target.scores))
    assert set(counts) == {target.n_sentences // target.n_classes}
    assert math.fsum(target.class_probabilities) == pytest.approx(1.0)
    # Against the sampler: labels and the first and last leaf.
    X, y = sample(target, 2**14)
    for score in target.scores:
        assert agrees(1.0 * (y == score), 1 / target.n_classes)
    found = X.reshape(len(X), -1, target.vocabulary).argmax(axis=2)
    for place in (0, -1):
        for symbol in range(target.vocabulary):
            assert agrees(1.0 * (found[:, place] == symbol), (leaves[:, place] == symbol).mean())


def dense_shares(leaves, y):
    """Shares by degree from dense projections on all functions of p leaves."""
    below, found = 0.0, {}
    for p in range(1, leaves.shape[1] + 1):
        columns = []
        for chosen in itertools.combinations(range(leaves.shape[1]), p):
            number = np.unique(leaves[:, chosen], axis=0, return_inverse=True)[1].ravel()
            columns.append(np.eye(number.max() + 1)[number])
        u, s, _ = np.linalg.svd(np.concatenate(columns, axis=1), full_matrices=False)
        fit = u[:, s > 1e-9 * s[0]].T @ y
        explained = float(fit @ fit) / float(y @ y)
        found[p], below = explained - below, explained
        if explained > 1 - 1e-10:
            break
    return found


@settings(max_examples=15, deadline=None)
@example(  # an exact fit, at which least squares ended too early
    target=RandomHierarchy(18, 529488, vocabulary=2, synonyms=3, branching=3, n_classes=2, depth=2)
)
@given(target=grammars(max_sentences=200))
def test_enumerated_shares_are_those_of_dense_projections(target):
    assume(target.n_leaves <= 9)
    leaves = target.sentences()
    y = target.evaluate(target._encoded(leaves))
    assert shares(target) == pytest.approx(
        {p: s for p, s in dense_shares(leaves, y).items() if s > 1e-9}, abs=1e-8
    )


@pytest.mark.parametrize("seed", range(3))
def test_least_squares_agrees_with_the_expansion_of_independent_leaves(seed):
    """The two ways to the shares, on the same full grammar."""
    from hierbench.targets.certificates.sentences import _by_least_squares

    target = RandomHierarchy(16, seed)
    leaves = target.sentences()
    y = target.evaluate(target._encoded(leaves))
    expanded = degree_shares(leaves, y, 4)
    fitted = _by_least_squares(leaves, y, 4)
    assert expanded == pytest.approx({p: fitted[p] for p in expanded}, abs=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_binary_full_grammars_are_parities_of_some_leaves(depth, seed):
    """v = m = s = n_c = 2: a rule is, up to its sign, one of x_1, x_2, x_1 x_2, the same at each
    place of a level; so the label is a product of as many leaves as the sizes multiply to."""
    target = RandomHierarchy(2 * 2**depth, seed, vocabulary=2, synonyms=2, n_classes=2)
    degree = 1
    for rules in target.rules:
        signs = 2 * rules[1] - 1  # the tuples of symbol 1
        degree *= 2 if len(set(signs.prod(axis=1))) == 1 else 1
    assert shares(target) == pytest.approx({degree: 1.0})


def transition(rules, place, v):
    """P(symbol | its leaf at ``place``) of one level, under uniform leaves; shape (v, parents)."""
    counts = np.stack([np.bincount(tuples[:, place], minlength=v) for tuples in rules], axis=1)
    return counts / counts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("depth", "seed"), [(1, 0), (2, 1), (3, 2), (3, 3)])
def test_the_share_of_single_leaves_is_that_of_chained_rules(depth, seed):
    """Independent leaves: the linear part is sum_i Var E[y | leaf i], E from one rule a level."""
    target = RandomHierarchy(4 * 2**depth, seed)
    linear = 0.0
    for path in itertools.product(range(2), repeat=depth):
        chain = np.eye(4)
        for rules, place in zip(reversed(target.rules), reversed(path), strict=True):
            chain = chain @ transition(rules, place, 4)
        linear += float(((chain @ target.scores) ** 2).mean())
    assert target.certificate().degree_share[1].value == pytest.approx(linear, abs=1e-12)


def test_synonyms_of_a_parity_rule_are_invisible_to_any_single_leaf():
    """A grammar of parity rules: nothing below degree s^L, and E[y | leaf] = 0 in a sample."""
    targets = (RandomHierarchy(16, s, vocabulary=2, synonyms=2, n_classes=2, depth=3) for s in range(500))
    target = next(t for t in targets if 8 in shares(t))
    assert set(shares(target)) == {8}
    X, y = sample(target, 2**14)
    for column in X.T:
        assert agrees(column * y, 0.0)
    np.testing.assert_allclose(np.abs(X[:, ::2].prod(axis=1) * y), 1.0)
    assert len(np.unique(X[:, ::2].prod(axis=1) * y)) == 1


@settings(max_examples=20, deadline=None)
@given(target=grammars(max_sentences=10**30))
def test_exchanging_synonyms_leaves_the_label_alone(target):
    """Of bottom tuples, at every place: the invariance that is there to be learned."""
    X, y = sample(target, 50)
    bottom = target.hidden_features(X)[0]
    parents = bottom.reshape(50, -1, len(target.rules[-1])).argmax(axis=2)
    choice = np.random.default_rng(0).integers(0, target.synonyms, parents.shape)
    exchanged = target._encoded(target.rules[-1][parents, choice].reshape(50, -1))
    np.testing.assert_array_equal(target.evaluate(exchanged), y)
    np.testing.assert_array_equal(target.hidden_features(exchanged)[0], bottom)


def test_lower_rules_are_shared_by_deeper_grammars():
    shallow, deep = (RandomHierarchy(d, 3) for d in (16, 64))
    np.testing.assert_array_equal(shallow.rules[-1], deep.rules[-1])
    assert any((a != b).any() for a, b in itertools.combinations(deep.rules, 2))


def test_the_task_changes_what_the_label_is_called_and_nothing_else():
    scores = RandomHierarchy(16, 0, n_classes=2)
    classification = RandomHierarchy(16, 0, n_classes=2, task="classification")
    assert (scores.classes, classification.classes) == ((), (-1.0, 1.0))
    assert classification.certificate().classes == (-1.0, 1.0)
    X, y = sample(scores, 100)
    np.testing.assert_array_equal(classification.evaluate(X), y)
    four = RandomHierarchy(16, 0, task="classification").classes
    assert list(four) == pytest.approx(
        [-3 / math.sqrt(5), -1 / math.sqrt(5), 1 / math.sqrt(5), 3 / math.sqrt(5)]
    )


def test_scales_of_the_grammar_are_counted():
    target = RandomHierarchy(32, 0, synonyms=3, n_classes=5)
    assert target.depth == 3
    assert target.degree == 8
    assert target.sample_complexity == 5 * 3**3
    assert target.n_sentences == 5 * 3**7
    assert target.certificate().n_parameters == (5 + 4 + 4) * 3 * 2


def test_past_enumeration_the_shares_are_unknown_and_the_moments_exact():
    certificate = RandomHierarchy(64, 0).certificate()
    assert dict(certificate.degree_share) == {}
    assert certificate.top_half_share() is None
    assert certificate.degree_needed(0.1) is None
    assert certificate.kernel_floor(64) == ()
    assert (certificate.variance.value, certificate.variance.exact) == (pytest.approx(1.0), True)
    with pytest.raises(ValueError, match=r"to list = .*: allowed are integers up to 65536"):
        RandomHierarchy(64, 0).sentences()


def test_what_is_no_sentence_is_refused_with_its_row():
    target = RandomHierarchy(16, 0, synonyms=2)
    X, _ = sample(target, 20_000)
    broken = X.copy()
    broken[17_000] = 0.0
    with pytest.raises(ValueError, match="row 17000 has a block that is not one-hot") as caught:
        target.evaluate(broken)
    assert "\n" not in str(caught.value)
    leaves = X[:5].reshape(5, -1, 4).argmax(axis=2)
    unused = next(
        t for t in itertools.product(range(4), repeat=2) if (target.rules[-1] != t).any(axis=2).all()
    )
    leaves[3, 2:] = unused
    with pytest.raises(ValueError, match="row 3 has a tuple at level 1 that no rule makes"):
        target.hidden_features(target._encoded(leaves))
    with pytest.raises(ValueError, match=r"allowed is a pair \(n, 16\)"):
        target.evaluate(X[:, :15])
    assert target.evaluate(X[:0]).shape == (0,)
    assert [f.shape for f in target.hidden_features(X[:0])] == [(0, 8), (0, 4)]


# --- Refusals


@pytest.mark.parametrize(
    ("name", "d", "params", "message"),
    [
        ("staircase", 8, {"levels": 0}, "levels = 0: allowed are integers from 1"),
        ("staircase", 8, {"leap": 1.5}, "leap = 1.5"),
        (
            "staircase",
            8,
            {"levels": 3, "leap": 3},
            r"levels \* leap = 9: allowed are integers up to d = 8",
        ),
        ("staircase", 8, {"rotated": True}, "allowed are gaussian, sphere with rotated"),
        ("staircase", 8, {"rotated": True, "inputs": "cube"}, "inputs = 'cube'"),
        ("staircase", 8, {"rotated": 1}, "rotated = 1: allowed are true and false"),
        ("staircase", 8, {"inputs": "mixture"}, "coordinates are dependent"),
        ("staircase", 8, {"inputs": "gaussian:condition=10"}, "coordinates are dependent"),
        ("parity", 8, {"k": 0}, "k = 0: allowed are integers from 1"),
        ("parity", 8, {"k": 9}, "k = 9: allowed are integers from 1 to d = 8"),
        ("parity", 8, {"inputs": "gaussian:condition=10"}, "allowed are gaussian"),
        ("merged-staircase", 3, {}, "coordinates from 1 to d = 3"),
        ("merged-staircase", 8, {"sets": ()}, "list of lists"),
        ("merged-staircase", 8, {"sets": "12"}, "list of lists"),
        ("merged-staircase", 8, {"sets": ((1,), ())}, "none of them empty"),
        ("merged-staircase", 8, {"sets": ((0, 1),)}, "an entry of sets = 0: allowed are integers from 1"),
        ("merged-staircase", 8, {"sets": ((1, 1),)}, "distinct coordinates"),
        ("merged-staircase", 8, {"sets": ((1, 2), (2, 1))}, "comes twice"),
        ("merged-staircase", 8, {"sets": ((1,),), "weights": (1.0, 2.0)}, "1 numbers, one a set"),
        ("merged-staircase", 8, {"sets": ((1,),), "weights": (0,)}, "none of them 0"),
        ("merged-staircase", 8, {"sets": ((1,),), "weights": (float("nan"),)}, "weights"),
        ("merged-staircase", 8, {"sets": ((1,),), "powers": ((1, 2),)}, "one power for each coordinate"),
        ("merged-staircase", 8, {"sets": ((1,),), "powers": ((17,),), "inputs": "gaussian"}, "from 1 to 16"),
        (
            "merged-staircase",
            8,
            {"sets": ((1,),), "powers": ((2,),)},
            "allowed are gaussian with powers above 1",
        ),
        ("random-hierarchy", 10, {}, "next to it 8 and 16"),
        ("random-hierarchy", 3, {}, r"4 \* 2\^depth; next to it 8$"),
        ("random-hierarchy", 16, {"depth": 3}, "depth = 3: allowed is one value, 2, with d = 16; .* = 32"),
        ("random-hierarchy", 8, {"vocabulary": 1}, "vocabulary = 1: allowed are integers from 2"),
        ("random-hierarchy", 8, {"n_classes": 1}, "n_classes = 1"),
        ("random-hierarchy", 8, {"n_classes": 5}, r"n_classes \* synonyms = 20: allowed .* = 16;"),
        (
            "random-hierarchy",
            16,
            {"synonyms": 5, "n_classes": 2},
            r"synonyms = 5: allowed are integers up to .* = 4",
        ),
        ("random-hierarchy", 44, {"vocabulary": 2, "branching": 22}, "allowed are integers up to 1048576"),
        ("random-hierarchy", 8, {"task": "regression"}, "allowed are scores, classification"),
        ("random-hierarchy", 8, {"inputs": "gaussian"}, "unknown parameter"),
    ],
)
def test_inconsistent_parameters_are_refused_in_one_line(name, d, params, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_target(name, d, 0, **params)
    assert "\n" not in str(caught.value)
