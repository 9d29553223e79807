"""What a target takes is known before it is drawn, and what is too much is refused."""

import dataclasses
import math

import numpy as np
import pytest

from hierbench.checks import LARGEST_DIMENSION, LARGEST_INTEGER, integer, is_real, plain
from hierbench.targets.base import LARGEST_TARGET, Estimate
from hierbench.targets.laws.weights import identity_rows
from hierbench.targets.registry import FAMILIES, make_target
from hierbench.targets.testing import assert_refused

HUGE = 10**5000
BUILT = [name for name, spec in FAMILIES.items() if spec.modifiers]
"""Families that are not made of data, which fix their dimension: those have tests in tests/targets/data."""


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("d", [0, -1, LARGEST_DIMENSION + 1, 100_000, 2**63, 10**400])
def test_every_family_refuses_an_absurd_dimension(name, d):
    assert_refused(lambda: make_target(name, d, 0), "d = ")


@pytest.mark.parametrize("name", BUILT)
def test_every_parameter_of_every_family_refuses_what_float64_does_not_hold(name):
    for key in FAMILIES[name].parameters:
        for value in (HUGE, -HUGE, math.nan, math.inf, 2**63, [[HUGE]], "x" * 2000):
            assert_refused(lambda key=key, value=value: make_target(name, 8, 0, **{key: value}), " = ")


@pytest.mark.parametrize(
    ("name", "d", "params", "says"),
    [
        ("squares", 8192, {}, "numbers to draw = "),
        ("squares", 2048, {"control": "flat", "rotated": False}, "numbers to draw = "),
        ("hierarchical-polynomial", 10_000, {}, "lower d, widths or numbers of directions"),
        ("quadratic-features", 1000, {"n_features": 60, "link_degree": 1}, "numbers to draw = "),
        ("parity", 16_384, {"k": 16_384}, f"allowed are integers up to {LARGEST_TARGET} (0.5 GiB)"),
        ("sparse-direction", 10_000, {"inputs": "gaussian:condition=9"}, "numbers to draw = "),
        ("random-hierarchy", 16, {"depth": 2**62}, f"depth = {2**62}: allowed are integers from 1 to 14"),
        ("random-hierarchy", 16_384, {"vocabulary": 2, "branching": 8192}, "vocabulary^branching = "),
        ("might", 64, {"epsilons": [0.9 - 0.001 * i for i in range(900)]}, "a decreasing list of 1 to 4"),
    ],
)
def test_more_numbers_than_a_target_may_hold_are_refused_before_they_are_drawn(name, d, params, says):
    assert_refused(lambda: make_target(name, d, 0, **params), says)


CASES = [
    *((name, 16, {}) for name in BUILT),
    ("projected", 64, {"width": 16}),
    ("squares", 64, {"width": "sqrt", "wiring": "resnet"}),
    ("squares", 16, {"control": "rerandomised"}),
    ("single-index", 64, {"control": "flat"}),
    ("single-index", 64, {"inputs": "gaussian:condition=5"}),
    ("multi-index", 64, {"n_directions": 20, "degree": 2}),
    ("might", 64, {"n_features": 6}),
    ("quadratic-features", 16, {"n_features": 8}),
    ("parity", 64, {"k": 60}),
]


@pytest.mark.parametrize(("name", "d", "params"), CASES)
def test_a_drawn_target_holds_no_more_numbers_than_its_size_says(name, d, params):
    target = make_target(name, d, 3, **params)
    target.sample(3, np.random.default_rng(0))
    assert numbers_in(target, set()) <= target.size.certificate < 1e9
    assert target.size.drawn <= target.size.certificate


def numbers_in(value, seen):
    """Entries of the arrays that can be reached from a target."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes / 8
    if isinstance(value, dict):
        return sum(numbers_in(x, seen) for x in value.values())
    if isinstance(value, (list, tuple)):
        return sum(numbers_in(x, seen) for x in value)
    return numbers_in(vars(value), seen) if hasattr(value, "__dict__") and not callable(value) else 0


def test_rows_of_the_identity():
    assert np.array_equal(identity_rows([2, 0], 4), np.eye(4)[[2, 0]])


def test_a_kernel_floor_ends_where_float64_does():
    """C(1700, 700) is past 1e308."""
    certificate = make_target("parity", 8, 0, inputs="gaussian").certificate()
    steps = dataclasses.replace(certificate, degree_share={700: Estimate(1.0)}).kernel_floor(1000)
    assert 0 < len(steps) < 700 and all(math.isfinite(n) for n, _ in steps)
    assert math.comb(1000 + len(steps), len(steps)).bit_length() > 1024
    assert len(certificate.kernel_floor(1000)) == 4


@pytest.mark.parametrize("value", [10**400, -(10**400), math.inf, math.nan, "1", None, True])
def test_what_is_no_finite_number_is_none(value):
    assert not is_real(value)


def test_integers_end_at_64_bits():
    assert integer("n", LARGEST_INTEGER, 1) == LARGEST_INTEGER
    assert_refused(lambda: integer("n", LARGEST_INTEGER + 1, 1), f"integers from 1 to {LARGEST_INTEGER}")
    assert_refused(lambda: integer("n", 9, 1, 8), "n = 9: allowed are integers from 1 to 8")
    assert_refused(lambda: integer("n", HUGE, 1), "n = an integer of 16610 bits: allowed are integers")


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, "text", [1, [2, {"a": (3,)}]], {"a": {"b": None}}, -LARGEST_INTEGER, [0] * 1000],
)
def test_plain_values_pass(value):
    plain("x", value)


def test_lists_without_end_are_refused_at_once():
    endless = []
    endless.append(endless)
    assert_refused(lambda: plain("x", endless), "at most 1000 entries and 8 levels")
    assert_refused(lambda: plain("x", {"a": "\ud800"}), "none of them null or half a pair")
