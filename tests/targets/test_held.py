"""What a target by import path gives is checked: nothing that is no target makes a number."""

import dataclasses
import math
import pickle

import numpy as np
import own_targets
import pytest
from own_targets import NAMES, Own

from hierbench.targets.base import Certificate, Estimate
from hierbench.targets.data.digits import Digits
from hierbench.targets.held import held, plain_certificate
from hierbench.targets.polynomials.polynomial import PolynomialTarget
from hierbench.targets.polynomials.single_index import SingleIndex
from hierbench.targets.registry import make_target

RIGHT = ("Own", "DegreeField", "SamplesForTests", "LongTails", "Rare", "Scaled")


def rng():
    return np.random.default_rng(1)


def made(name):
    return make_target(f"own_targets:{name}", 4, 0)


def drawn(name):
    return made(name).sample(50, rng())


def test_a_target_that_is_right_is_as_it_was():
    target = made("Own")
    assert isinstance(target, Own) and target == pickle.loads(pickle.dumps(target))
    for method in ("sample", "sample_test", "importance_sample"):
        for ours, its in zip(
            getattr(target, method)(50, rng()), getattr(Own(4, 0), method)(50, rng()), strict=True
        ):
            np.testing.assert_array_equal(ours, its)
    assert target.certificate() == Own(4, 0).certificate()


def test_a_class_of_ours_below_it_is_seen_by_those_that_ask():
    target = make_target("stub_targets:Pair", 5, 0)
    assert isinstance(target, PolynomialTarget) and target.law.name == "gaussian"


def test_properties_may_be_fields():
    target = make_target("hierbench.targets.polynomials.single_index:SingleIndex", 6, 0)
    assert target.degree == SingleIndex(6, 0).degree
    y = target.sample(20, rng())[1]
    np.testing.assert_array_equal(y, SingleIndex(6, 0).sample(20, rng())[1])
    assert made("DegreeField").degree == 2


def test_test_points_may_be_a_sample():
    np.testing.assert_array_equal(drawn("SamplesForTests")[1], drawn("Own")[1])


def test_long_tails_and_rare_labels_are_honest():
    assert len(drawn("LongTails")[1]) == len(drawn("Rare")[1]) == 50


def test_a_constructor_may_draw_to_find_a_scale():
    assert drawn("Scaled")[1].std() == pytest.approx(1.0, abs=0.5)
    copy = pickle.loads(pickle.dumps(made("ScaledToNothing")))
    with pytest.raises(ValueError, match="mean square of the labels of 4096 test points = 0"):
        copy.sample(50, rng())


def test_labels_of_float32_are_the_classes():
    assert set(drawn("SingleClasses")[1]) == {0.1, 0.9}


def test_data_are_not_looked_at_and_held_to_their_shapes():
    assert held(Digits) is not Digits
    digits = make_target("hierbench.targets.data.digits:Digits", 64, 0)
    assert digits.n_test and digits.sample_test(3, rng())[0].shape == (3, 64)


@pytest.mark.parametrize("modifier", [{}, {"noise": 0.1}, {"control": "shuffled"}, {"classify": True}])
def test_a_target_that_is_none_is_refused_under_every_modifier(modifier):
    target = make_target("own_targets:Zero", 5, 0, **modifier)
    with pytest.raises(ValueError, match=r"mean square of the labels of 4096 test points = 0\.0"):
        target.sample(50, rng())


@pytest.mark.parametrize("name", ["Listed", "Float32", "BigEndian", "Whole", "SingleClasses"])
def test_numbers_of_every_type_become_float64(name):
    X, y = drawn(name)
    assert X.dtype == y.dtype == np.float64 and X.dtype.isnative and y.shape == (50,)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Column", r"labels of evaluate: numbers of shape \(\d+, 1\)"),
        ("Short", r"labels of evaluate: numbers of shape"),
        ("WideX", r"inputs of sample_inputs: numbers of shape \(\d+, 5\)"),
        ("Objects", "labels of evaluate: numbers of type object"),
        ("Masked", "labels of evaluate: masked values"),
        ("NanLabels", "labels of evaluate: nan: allowed are finite"),
        ("NanInputs", "inputs of sample_inputs: nan"),
        ("Constant", "mean square of the labels of 4096 test points = 1.0"),
        ("ScaledToNothing", "mean square of the labels of 4096 test points = 0.0"),
        ("Zero", "mean square of the labels of 4096 test points = 0.0"),
        ("Large", "mean square of the labels of 256 test points"),
        ("Erases", "evaluate of the target changed its argument"),
        ("Noisy", "labels of sample_test, largest difference"),
        ("OtherLabels", "labels of evaluate = .*: allowed are its classes"),
        ("OnePart", "sample of the target gave a ndarray"),
        ("ThreeParts", "sample of the target gave 3 parts"),
    ],
)
def test_what_is_no_sample_is_refused(name, says):
    with pytest.raises(ValueError, match=says) as caught:
        drawn(name)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match=r"weights of importance_sample = -1.0"):
        made("Weighted").importance_sample(50, rng())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TextDegree", "degree of the target = 'two'"),
        ("FloatDegree", "degree of the target = 2.0: allowed are integers from 0"),
        ("NegativeDegree", "degree of the target = -1"),
        ("RaisingDegree", "cannot be made: RuntimeError: no degree"),
        ("NumpyDegree", r"degree of the target = .*2.*: allowed are integers from 0, of Python's own type"),
        ("Falling", r"classes of the target = \(1.0, -1.0\): allowed is a tuple"),
        ("OneClass", "two classes or more"),
        ("TextClasses", "classes of the target = 'ab'"),
        ("Undecided", "nominal of the target = 'no'"),
        ("Sized", "size of the target = 3"),
        ("Elsewhere", "d of the target = 5: allowed is one value, 4"),
        ("NoTarget", "a class that derives from hierbench.targets.Target"),
        ("Unfinished", "cannot be made: TypeError"),
    ],
)
def test_what_says_of_itself_what_no_target_says_is_refused_before_anything_is_drawn(name, says):
    with pytest.raises(ValueError, match=says) as caught:
        made(name)
    assert "\n" not in str(caught.value)


def test_every_class_of_the_helper_is_asked_for():
    asked = {
        case[0] if isinstance(case, tuple) else case
        for test in (
            test_what_is_no_sample_is_refused,
            test_what_says_of_itself_what_no_target_says_is_refused_before_anything_is_drawn,
            test_numbers_of_every_type_become_float64,
        )
        for mark in test.pytestmark
        for case in mark.args[1]
    }
    assert asked | {*RIGHT, "Weighted", "Certified", "Chatty"} == set(NAMES)


CERTIFICATE = Own(4, 0).certificate()


def test_numbers_of_numpy_in_a_certificate_become_plain():
    given = dataclasses.replace(
        CERTIFICATE,
        degree=np.int64(2),
        degree_share={np.int64(2): Estimate(np.float32(1.0))},
        level_covariance=np.eye(2),
        rotation_invariant=np.bool_(True),
        condition_numbers={"W": np.array([1.0, 2.0])},
    )
    found = plain_certificate(given)
    assert type(found.degree) is int and list(map(type, found.degree_share)) == [int]
    assert found.level_covariance == ((1.0, 0.0), (0.0, 1.0)) and found.condition_numbers == {"W": (1.0, 2.0)}
    assert found == Certificate.from_json(found.to_json())


def test_what_is_unknown_stays_so():
    unknown = dataclasses.replace(CERTIFICATE, kurtosis=Estimate(9.0, math.inf), degree_share={})
    assert plain_certificate(unknown) == unknown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"degree": 2.5}, "degree of the certificate = 2.5"),
        ({"method": 3}, "method of the certificate = 3"),
        ({"mean": 0.0}, "mean of the certificate = 0.0: allowed is a hierbench.targets.Estimate"),
        ({"variance": Estimate(math.nan)}, "variance of the certificate"),
        ({"variance": Estimate(2.0)}, "variance of the certificate = 2.0: allowed is one value, 1"),
        ({"kurtosis": Estimate(3.0, -1.0)}, "kurtosis of the certificate"),
        ({"degree_share": {"2": Estimate(1.0)}}, "a key of degree_share of the certificate = '2'"),
        ({"degree_share": {2: 1.0}}, r"degree_share\[2\] of the certificate = 1.0"),
        ({"degree_share": {1: Estimate(0.2)}}, "sum of degree_share of the certificate = 0.2"),
        ({"degree_share": [1.0]}, "degree_share of the certificate = .*: allowed is a mapping"),
        ({"level_covariance": 1.0}, "level_covariance of the certificate"),
        ({"condition_numbers": {"W": (1.0,)}}, "condition_numbers of the certificate"),
        ({"rotation_invariant": "yes"}, "rotation_invariant of the certificate"),
        ({"classes": (1.0, -1.0)}, "classes of the certificate"),
        ({"weakest_share": 0.1}, "weakest_share of the certificate"),
        ({"inputs": "g\0"}, "inputs of the certificate"),
    ],
)
def test_a_certificate_that_cannot_be_kept_is_refused_by_its_field(change, says):
    with pytest.raises(ValueError, match=says) as caught:
        plain_certificate(dataclasses.replace(CERTIFICATE, **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [None, {"degree": 2}])
def test_what_is_no_certificate_is_refused(given):
    with pytest.raises(ValueError, match=r"allowed is a hierbench\.targets\.Certificate"):
        plain_certificate(given)


def test_a_certificate_of_another_degree_than_the_target_s_is_refused(monkeypatch):
    monkeypatch.setattr(own_targets, "CERTIFIED_DEGREE", 3)
    with pytest.raises(ValueError, match="degree of the certificate = 3: allowed is one value, 2"):
        made("Certified").certificate()


def test_what_a_module_of_one_s_own_prints_does_not_get_among_the_results(capsys):
    made("Chatty")
    shown = capsys.readouterr()
    assert shown.out == "" and "one more target" in shown.err
