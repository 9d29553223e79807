"""Layer-wise floors of a plain net at exact population, by width."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from hierbench.benchmarks.correction.exact.floors import METHODS, floors
from hierbench.benchmarks.correction.exact.population import population
from hierbench.benchmarks.correction.exact.slopes import loglog_slope
from hierbench.errors import UserError
from hierbench.targets.registry import make_target

ONE = {"d": 4, "width": 1, "rho": 0.5}
ALPHAS = (0.3, 0.1, 0.03)


def errors(records, method):
    return [r.relative_mse for r in records if r.method == method]


def test_floors_at_the_true_width_fall_like_alpha_squared_and_joint_training_has_none():
    records = floors("projected", ONE, ALPHAS, (1,), (0,))
    for method in ("strict", "refitted"):
        assert loglog_slope(ALPHAS, errors(records, method), 0.0)[0] == pytest.approx(2.0, abs=0.25)
    assert max(errors(records, "joint")) < 1e-25
    assert all(r.converged for r in records)
    strict, refitted = errors(records, "strict"), errors(records, "refitted")
    assert all(b < a for a, b in zip(strict, refitted, strict=True))


def test_width_beyond_all_monomials_leaves_no_floor_but_a_strict_one():
    """d(d+1)/2 = 3 forms in the two coordinates that y depends on: four neurons span them."""
    narrow = floors("projected", ONE, (0.1,), (1,), (0,))
    wide = floors("projected", ONE, (0.1,), (4,), (0, 1, 2))
    assert max(errors(wide, "refitted")) < 1e-12 < 1e-5 < min(errors(narrow, "refitted"))
    # what the read-out of level 1 took of level 2's signal stays taken, at any width
    assert min(errors(wide, "strict")) > 0.1 * min(errors(narrow, "strict"))


def test_rank_two_joint_training_reaches_rounding_from_some_starts_only():
    records = floors("projected", {"d": 6, "width": 2, "rho": 0.5}, (0.1,), (2,), tuple(range(6)))
    joint = errors(records, "joint")
    assert min(joint) < 1e-25
    assert sum(e < 1e-25 for e in joint) >= 2
    assert min(errors(records, "refitted")) > 1e-4


def test_layerwise_fits_against_scipy_with_numerical_derivatives():
    target = make_target("projected", 4, 0, width=1, rho=0.5, alpha=0.1)
    data = population(target)
    root, x = data.root[:, 0], data.base
    n, q = x.shape
    linear = np.concatenate([np.ones((n, 1)), x], axis=1)

    def solve(residual, sizes, tries):
        rng = np.random.default_rng(0)
        runs = [least_squares(residual, rng.standard_normal(sizes) * 0.5, xtol=1e-13, ftol=1e-13, gtol=1e-13)
                for _ in range(tries)]  # fmt: skip
        return min(runs, key=lambda run: run.cost)

    def first(theta):
        return (data.y - linear @ theta[: q + 1] - (x @ theta[q + 1 :]) ** 2) * root

    one = solve(first, 2 * q + 1, 5)
    left = data.y - linear @ one.x[: q + 1] - (x @ one.x[q + 1 :]) ** 2
    h = (x @ one.x[q + 1 :]) ** 2
    u = np.concatenate([x, (h - data.weights @ h)[:, None]], axis=1)
    strict = solve(lambda t: (left - t[0] - (u @ t[1:]) ** 2) * root, q + 2, 10)

    def refit(theta):
        return (data.y - theta[0] - u @ theta[1 : q + 2] - (u @ theta[q + 2 :]) ** 2) * root

    refitted = solve(refit, 2 * q + 3, 10)
    records = floors("projected", ONE, (0.1,), (1,), tuple(range(6)))
    assert min(errors(records, "strict")) == pytest.approx(2 * strict.cost / data.variance, rel=1e-4)
    assert min(errors(records, "refitted")) == pytest.approx(2 * refitted.cost / data.variance, rel=1e-4)


def test_bad_input_is_one_clear_line():
    with pytest.raises(UserError, match="allowed are integers from 1 to"):
        floors("projected", ONE, (0.1,), (0,))
    with pytest.raises(UserError, match="number of trained levels = 3: allowed are 2"):
        floors("projected", {**ONE, "depth": 3}, (0.1,), (2,))
    assert set(METHODS) == {"strict", "refitted", "joint"}
