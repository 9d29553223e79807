"""What all targets made of data promise, and that modifiers are refused on them."""

import json
import unittest

import numpy as np
import pytest
from data_folders import SHAPE, write_cifar, write_idx

from hierbench.targets import testing
from hierbench.targets.base import Certificate
from hierbench.targets.data.data_set import DataSet, constants_by_channel, standardised_by_channel
from hierbench.targets.data.data_target import DataTarget
from hierbench.targets.modifiers.modifiers import MODIFIERS
from hierbench.targets.registry import FAMILIES, load_family, make_target, parameters
from hierbench.targets.testing import CHECKS, assert_refused

DATA = [name for name, spec in FAMILIES.items() if not spec.modifiers]
CASES = [
    ("mnist1d", 40, {}),
    ("mnist1d", 40, {"labels": "parity"}),
    ("mnist1d", 40, {"draws": "published"}),
    ("mnist1d", 40, {"draws": "published", "labels": (3, 8)}),
    ("digits", 64, {}),
    ("digits", 64, {"labels": "parity"}),
    ("digits", 64, {"labels": (3, 8)}),
    ("cifar10", 3072, {"labels": "animals"}),
    ("idx", 20, {}),
]
SKIPPED = {testing.check_seed_matters, testing.check_features_compose}


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory):
    """Checksums of the data in folders, by family."""
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIERBENCH_DATA", str(root))
        yield {
            "cifar10": {"checksum": write_cifar(root / "cifar-10-batches-bin")},
            "idx": {"checksum": write_idx(root / "mnist")},
        }


@pytest.fixture
def make(folders):
    def call(name, d, seed=0, **params):
        return make_target(name, d, seed, **{**folders.get(name, {}), **params})

    return call


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("name", "d", "params"), CASES)
def test_data_keep_the_contract_of_targets(make, check, name, d, params):
    def create(seed):
        return make(name, d, seed, **params)

    if check not in SKIPPED:
        check(create)
        return
    with pytest.raises(unittest.SkipTest, match="data: "):
        check(create)


def test_every_family_of_data_is_held_to_it():
    assert {name for name, _, _ in CASES} == set(DATA)
    for name in DATA:
        loaded = load_family(name)
        assert issubclass(loaded, DataTarget) and not loaded.admits_modifiers
        assert dict(loaded.refused_inputs) == dict(FAMILIES[name].refused_inputs)
        assert parameters(name) == FAMILIES[name].parameters


FINITE = [case for case in CASES if case[0] != "mnist1d" or "draws" in case[2]]


@pytest.mark.parametrize(("name", "d", "params"), FINITE)
def test_a_sample_of_everything_has_every_point_once(make, name, d, params):
    target = make(name, d, **params)
    X, y = target.sample(target.n_train, rng(1))
    assert len(np.unique(X, axis=0)) == target.n_train
    Z, z = target.sample(target.n_train, rng(2))
    assert not np.array_equal(X, Z), "another generator draws in another order"
    assert sorted(map(tuple, np.column_stack([X, y]))) == sorted(map(tuple, np.column_stack([Z, z])))
    held_out = target.sample_test(target.n_test, rng())[0]
    assert len(np.unique(np.concatenate([X, held_out]), axis=0)) == target.n_train + target.n_test


@pytest.mark.parametrize(("name", "d", "params"), [("digits", 64, {}), ("idx", 20, {"labels": (0, 3)})])
def test_more_points_than_there_are_are_one_error(make, name, d, params):
    target = make(name, d, **params)
    draws = ((target.sample, "n_train"), (target.sample_test, "n_test"), (target.importance_sample, "n_test"))
    for draw, kind in draws:
        most = getattr(target, kind)
        assert_refused(lambda: draw(most + 1, rng()), f"n = {most + 1}: allowed are integers up to {most}")  # noqa: B023


@pytest.mark.parametrize(("name", "d", "params"), CASES)
def test_the_test_set_is_fixed_where_it_ends(make, name, d, params):
    target = make(name, d, **params)
    first, other = (target.importance_sample(50, rng(seed))[0] for seed in (1, 2))
    assert np.array_equal(first, other) == (target.n_test is not None)


def test_inputs_are_standardised_by_the_pool_and_shaped(make):
    for name, d, shape in (
        ("digits", 64, (1, 8, 8)),
        ("cifar10", 3072, (3, 32, 32)),
        ("idx", 20, (1, *SHAPE)),
    ):
        target = make(name, d)
        assert target.image_shape == shape and target.d == np.prod(shape)
        X = target.sample(target.n_train, rng())[0].reshape(-1, *shape)
        np.testing.assert_allclose(X.mean(axis=(0, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(X.std(axis=(0, 2, 3)), 1, rtol=1e-12)
    assert make("mnist1d", 40).image_shape == (1, 1, 40)


def test_constants_are_mean_and_deviation_of_a_channel():
    pool = rng().integers(0, 256, (3000, 12)).astype(np.uint8)
    center, scale = constants_by_channel(pool, (2, 3, 2))
    halves = pool.reshape(3000, 2, 6).astype(float)
    np.testing.assert_allclose(center, np.repeat(halves.mean(axis=(0, 2)), 6), rtol=1e-12)
    np.testing.assert_allclose(scale, np.repeat(halves.std(axis=(0, 2)), 6), rtol=1e-12)
    assert (constants_by_channel(np.full((5, 4), 7), (1, 2, 2))[1] == 1).all(), (
        "a constant image stays finite"
    )


def test_labels_are_those_of_the_inputs(make):
    """Each pixel of an image says where it comes from, so that a label that moved would show."""
    pool, held_out = np.arange(40).reshape(20, 2), np.arange(100, 110).reshape(5, 2)
    data = standardised_by_channel(pool, np.arange(20) % 5, held_out, np.arange(5), (1, 1, 2))
    assert isinstance(data, DataSet)
    for stored, classes in ((data.pool, data.pool_classes), (data.held_out, data.held_out_classes)):
        assert [int(x) % 100 // 2 % 5 for x in stored[:, 0]] == classes.tolist()
        assert data.class_of(data.standardised(stored)) == classes.tolist()
    assert data.class_of(np.zeros((1, 2))) == [None]


def test_two_classes_keep_their_points_and_all_others_are_left_out(make):
    everything, pair = make("digits", 64), make("digits", 64, labels=[3, 8])
    parity = make("digits", 64, labels="parity")
    X, y = everything.sample(everything.n_train, rng())
    assert pair.n_train == int(np.isin(y, (3, 8)).sum()) and pair.n_test == 72
    Z, z = pair.sample(pair.n_train, rng())
    np.testing.assert_array_equal(everything.evaluate(Z), np.where(z < 0, 3.0, 8.0))
    np.testing.assert_array_equal(parity.evaluate(X), np.where(y % 2 == 1, 1.0, -1.0))
    assert pair.classes == parity.classes == (-1.0, 1.0) and everything.classes == tuple(
        map(float, range(10))
    )
    assert [t.nominal for t in (everything, pair, parity)] == [True, False, False]
    other = int(everything.evaluate(X[:1])[0])
    if other in (3, 8):
        X = X[1:]
    assert_refused(lambda: pair.evaluate(X[~np.isin(y, (3, 8))][:1]), "left out")
    assert_refused(lambda: pair.evaluate(np.zeros((2, 64))), "row 0 is none of the data")


@pytest.mark.parametrize(
    "labels", ["odd", [3], [3, 3], [3, 11], [3, 8, 9], [True, 2], [1.0, 2.0], 3, None, {}]
)
def test_other_labels_are_refused(labels):
    for name, d in (("digits", 64), ("mnist1d", 40)):
        assert_refused(lambda: make_target(name, d, 0, labels=labels), "labels = ")  # noqa: B023


@pytest.mark.parametrize(("name", "d"), [("mnist1d", 40), ("digits", 64), ("cifar10", 3072), ("idx", 20)])
def test_another_dimension_is_refused(make, name, d):
    for other in (d - 1, d + 1, 1):
        assert_refused(lambda: make(name, other), f"d = {other}: allowed is one value, {d}")  # noqa: B023


@pytest.mark.parametrize("name", ["mnist1d", "digits"])
@pytest.mark.parametrize("modifier", list(MODIFIERS))
def test_modifiers_are_refused(name, modifier):
    used = {
        "noise": 0.1,
        "remainder": 0.1,
        "control": "shuffled",
        "classify": True,
        "margin": 0.1,
        "offset": 1,
    }
    d = {"mnist1d": 40, "digits": 64}[name]
    assert_refused(
        lambda: make_target(name, d, 0, **{modifier: used[modifier]}), f"unknown parameter of {name}"
    )
    path = FAMILIES[name].path
    says = f"{modifier} = {used[modifier]!r}: allowed is one value, {MODIFIERS[modifier][0]}, for this family"
    assert_refused(lambda: make_target(path, d, 0, **{modifier: used[modifier]}), says)


def test_the_certificate_says_what_is_not_known(make):
    for name, d, params in CASES:
        target = make(name, d, **params)
        certificate = target.certificate()
        assert Certificate.from_json(json.loads(json.dumps(certificate.to_json()))) == certificate
        assert certificate.degree == certificate.n_parameters == 0 and not certificate.bayes_error.known
        assert (
            certificate.top_half_share() is certificate.top_share() is certificate.degree_needed(0.1) is None
        )
        assert certificate.kernel_floor(d) == () and not certificate.rotation_invariant
        assert certificate.inputs == ("data" if target.n_train else "procedural")
        y = target.sample(target.n_train or 20_000, rng())[1]
        assert certificate.variance.value == pytest.approx(y.var(), rel=1e-9 if target.n_train else 0.05)


def test_the_digits_are_those_of_scikit_learn_and_the_split_is_fixed():
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    target = make_target("digits", 64, 0)
    X, y = target.sample(1437, rng())
    Z, z = target.sample_test(360, rng())
    stored = np.rint(np.concatenate([X, Z]) * target.data.scale + target.data.center)
    whole = sorted(map(tuple, np.column_stack([stored, np.concatenate([y, z])])))
    assert whole == sorted(map(tuple, np.column_stack([images, classes])))
    assert np.bincount(z.astype(int)).tolist() == [36] * 10
    # the split that stored rows are of
    assert z[:20].astype(int).tolist() == [1, 7, 4, 7, 0, 4, 4, 2, 9, 3, 3, 9, 5, 0, 3, 0, 8, 9, 3, 6]


@pytest.mark.parametrize("name", DATA)
def test_everything_that_float64_does_not_hold_is_refused(make, name):
    d = next(d for case, d, _ in CASES if case == name)
    for key in FAMILIES[name].parameters:
        for value in (
            10**5000,
            -1,
            0.5,
            float("nan"),
            float("inf"),
            2**63,
            [[10**5000]],
            "x" * 2000,
            "x" * 900,
        ):
            assert_refused(lambda: make(name, d, **{key: value}), " = " if value != "x" * 900 else "")  # noqa: B023


def test_a_drawn_target_holds_no_more_numbers_than_its_size_says(make):
    from_files = {"cifar10": 3072, "idx": 20}
    for name, d in {**from_files, "digits": 64}.items():
        target = make(name, d)
        held = target.data.pool.nbytes + target.data.held_out.nbytes
        assert held / 8 <= target.size.drawn == target.size.certificate < 2**26
