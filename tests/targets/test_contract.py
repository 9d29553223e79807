"""The contract of targets, for every registered family, variant by variant and modified."""

import functools

import numpy as np
import pytest
from polynomial_variants import EVERY, VARIANTS

from hierbench.targets import testing
from hierbench.targets.base import Target
from hierbench.targets.registry import FAMILIES, make_target
from hierbench.targets.testing import CHECKS, assert_refused

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
    ("worked-example-1", 5, {"rotated": True}),
    ("worked-example-2", 6, {"rotated": True, "a": 0.3}),
]
DISCRETE = [
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
POLYNOMIALS = [
    ((name, 6, {**params, "inputs": law}), k == 0 or (variant + k) % 2 == 1)
    for variant, (name, params, laws) in enumerate(VARIANTS)
    for k, law in enumerate(laws)
]
"""Each on every law that it admits; in make test on Gaussian inputs, and the other laws take turns."""
MODIFIED = [
    (name, 8, params)
    for name, params in (
        ("projected", {"noise": 0.3}),
        ("worked-example-1", {"remainder": 0.2}),
        ("worked-example-1", {"remainder": 0.2, "inputs": "mixture", "noise": 0.5}),
        ("worked-example-1", {"remainder": 0.2, "inputs": "cube"}),
        ("worked-example-1", {"control": "flat", "inputs": "sphere", "remainder": 0.1}),
        ("squares", {"control": "flat", "inputs": "gaussian:condition=10"}),
        ("worked-example-1", {"control": "shuffled", "noise": 1.0, "remainder": 0.1}),
        ("projected", {"control": "rerandomised", "depth": 3, "width": 2, "noise": 0.1}),
        ("squares", {"classify": True}),
        (
            "worked-example-1",
            {"classify": True, "margin": 0.5, "noise": 0.5, "inputs": "mixture", "rotated": True},
        ),
        ("worked-example-1", {"classify": True, "control": "flat", "remainder": 0.1}),
        ("worked-example-1", {"classify": True, "control": "shuffled", "margin": 0.1}),
    )
]
SEEDLESS = {"staircase", "merged-staircase", "worked-example-1", "worked-example-2"}
"""Families whose function is fixed unless they are rotated."""


def applies(check, name, d, params):
    """Whether a target promises this: a modifier changes what labels, features and degree mean."""
    shuffled = params.get("control") == "shuffled"
    modified = bool({"noise", "remainder", "control", "classify"} & params.keys())
    if check is testing.check_seed_matters:
        if name == "parity" and params.get("k") == d:
            return False
        if name == "random-hierarchy" and params:  # sentences of one grammar are none of another
            return False
        drawn = params.get("rotated") or params.get("remainder") or params.get("control") == "flat"
        return not shuffled and bool(drawn or name not in SEEDLESS)
    if check is testing.check_test_labels:
        return not shuffled
    if check is testing.check_degree:  # of the hierarchy, which a remainder exceeds
        return not modified and name != "random-hierarchy"
    if check is testing.check_features_compose:
        return not modified
    return True


CASES = [
    pytest.param(
        check,
        *case,
        id=f"{check.__name__}-{'-'.join(map(str, case))}",
        marks=() if soon else pytest.mark.slow,
    )
    for case, soon in [*((case, True) for case in HIERARCHIES + DISCRETE + MODIFIED), *POLYNOMIALS]
    for check in CHECKS
    if applies(check, *case)
]
CERTIFIED = (testing.check_certificate, testing.check_degree, testing.check_moments, testing.check_shares)
"""Checks of a certificate, which takes longer than all else."""
kept = {}


@pytest.mark.parametrize(("check", "name", "d", "params"), CASES)
def test_targets_keep_their_contract(check, name, d, params):
    def create(seed):
        key = (name, d, str(params), seed)
        if check not in CERTIFIED:
            return make_target(name, d, seed, **params)
        if key not in kept:
            kept.clear()
            target = kept[key] = make_target(name, d, seed, **params)
            object.__setattr__(target, "certificate", functools.cache(target.certificate))
        return kept[key]

    check(create)


def test_every_family_is_held_to_every_check_and_every_law_has_its_turn():
    soon = [case.values for case in CASES if not case.marks]
    held = {(check, name) for check, name, *_ in soon}
    assert {case[-1]["inputs"] for case, turn in POLYNOMIALS if turn} == set(EVERY)
    assert held == {
        (check, name)
        for check in CHECKS
        for name, spec in FAMILIES.items()
        if spec.modifiers  # data are held to it in tests/targets/data
        and (check, name)
        not in {
            (testing.check_seed_matters, "merged-staircase"),
            (testing.check_degree, "random-hierarchy"),
        }
    }


class Broken(Target):
    """Labels of variance 4 that change from call to call, of a certificate that knows nothing of it."""

    d, seed, degree = 3, 0, 2

    def __init__(self, seed):
        self.base = make_target("projected", 3, 0, width=1, depth=1)
        self.calls = 0

    def sample_inputs(self, n, rng):
        return rng.standard_normal((n, 3))

    def evaluate(self, X):
        self.calls += 1
        return 2.0 * self.base.evaluate(X) + self.calls

    def hidden_features(self, X):
        return [np.ones((len(X), 1))]

    def certificate(self):
        return self.base.certificate()


@pytest.mark.parametrize(
    "check",
    [
        testing.check_nested,
        testing.check_determined,
        testing.check_test_labels,
        testing.check_seeds_refused,
        testing.check_features_compose,
        testing.check_moments,
        testing.check_shares,
    ],
)
def test_a_broken_target_fails(check):
    with pytest.raises(AssertionError):
        check(Broken)


def test_what_is_not_refused_or_not_in_one_line_fails():
    def two_lines():
        raise ValueError("d = 0\nallowed")

    with pytest.raises(AssertionError, match="not refused"):
        assert_refused(lambda: None, "d")
    with pytest.raises(AssertionError, match="more than one line"):
        assert_refused(two_lines, "d")
