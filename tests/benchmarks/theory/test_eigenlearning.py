"""The eigenlearning equations against closed forms, simulations and measured kernel ridge regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierbench.benchmarks.studies.eigenlearning_study import CASES, compare
from hierbench.benchmarks.theory.eigenlearning import Modes, implicit_regularisation, predict


def modes(eigenvalues, multiplicities, powers, **kwargs) -> Modes:
    return Modes(*(np.asarray(v, dtype=float) for v in (eigenvalues, multiplicities, powers)), **kwargs)


def test_one_eigenspace_without_ridge_learns_the_share_n_over_m() -> None:
    found = predict(modes([0.3], [1000], [1.0]), 250, 0.0)
    assert found.learnability == pytest.approx([0.25])
    assert found.kappa == pytest.approx(0.3 * 750 / 250)
    assert found.overfitting == pytest.approx(1 / 0.75)
    assert found.mse == pytest.approx(0.75)


def test_one_eigenspace_with_ridge_solves_its_quadratic_equation() -> None:
    m, value, n, ridge = 40.0, 0.7, 100.0, 3.0
    # n kappa^2 + kappa (n value - m value - ridge) - ridge value = 0
    b = n * value - m * value - ridge
    kappa = (-b + math.sqrt(b * b + 4 * n * ridge * value)) / (2 * n)
    found = predict(modes([value], [m], [1.0]), n, ridge)
    assert found.kappa == pytest.approx(kappa, rel=1e-10)
    learned = value / (value + kappa)
    assert found.mse == pytest.approx((1 - learned) ** 2 * n / (n - m * learned**2), rel=1e-9)


def test_past_the_rank_of_the_kernel_it_is_least_squares() -> None:
    found = predict(modes([1.0, 0.5], [30, 20], [0.6, 0.4]), 200, 0.0, noise=0.3)
    assert found.kappa == 0.0 and found.overfitting == pytest.approx(200 / 150)
    assert found.mse == pytest.approx(0.3 * 50 / 150)  # variance of ordinary least squares
    assert predict(modes([1.0], [50], [1.0]), 50, 0.0, noise=0.1).mse == math.inf
    assert predict(modes([1.0], [50], [1.0]), 60, 0.0).mse == 0.0
    beyond = modes([1.0, 0.0], [50, 10], [0.8, 0.2])
    assert predict(beyond, 100, 0.0).mse == pytest.approx(0.2 * 2), "power where the eigenvalue is 0"
    outside = modes([1.0], [50], [0.8], unlearnable=0.2)
    assert predict(outside, 100, 0.0).mse == pytest.approx(0.2 * 2)


@given(
    st.lists(st.tuples(st.floats(-12, 0), st.floats(0, 12)), min_size=1, max_size=8),
    st.floats(1, 5),
    st.floats(-12, 3),
)
def test_kappa_satisfies_its_equation_up_to_multiplicities_of_1e12(spaces, log_n, log_ridge) -> None:
    value, count = (10.0 ** np.array(v) for v in zip(*spaces, strict=True))
    n, ridge = 10.0**log_n, 10.0**log_ridge
    found = modes(value, count, np.full(len(value), 1 / len(value)))
    kappa = implicit_regularisation(found, n, ridge)
    assert float(count @ (value / (value + kappa))) + ridge / kappa == pytest.approx(n, rel=1e-9)
    expected = predict(found, n, ridge)
    assert expected.overfitting >= 1 - 1e-9 and 0 <= expected.mse < math.inf
    more = predict(found, 2 * n, ridge)
    assert (more.learnability >= expected.learnability - 1e-12).all()


def test_an_eigenspace_is_its_eigenvalues_one_by_one() -> None:
    count = np.array([1, 7, 40])
    one_by_one = np.repeat([1.0, 0.1, 0.01], count)
    grouped = predict(modes([1.0, 0.1, 0.01], count, [0.2, 0.3, 0.5]), 25, 1e-3, noise=0.1)
    powers = np.repeat(np.array([0.2, 0.3, 0.5]) / count, count)
    single = predict(modes(one_by_one, np.ones(48), powers), 25, 1e-3, noise=0.1)
    assert grouped.kappa == pytest.approx(single.kappa) and grouped.mse == pytest.approx(single.mse)


def test_a_tail_of_small_eigenvalues_acts_as_ridge() -> None:
    head, tail = ([1.0, 0.1], [5, 20], [0.5, 0.4]), (1e-7, 1e6)
    full = modes([*head[0], tail[0]], [*head[1], tail[1]], [*head[2], 0.1])
    short = modes(*head, tail=tail[0] * tail[1], unlearnable=0.1)
    for n in (10, 50, 300):
        assert predict(short, n, 1e-6).mse == pytest.approx(predict(full, n, 1e-6).mse, rel=1e-3)


@pytest.mark.parametrize("ridge", [1e-6, 0.5])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_ridge_regression_on_gaussian_features_is_as_predicted(ridge: float, noise: float) -> None:
    """Where the approximation of the theory is none: independent Gaussian eigenfunctions."""
    rng = np.random.default_rng(0)
    count, value, power = np.array([10, 90, 900]), np.array([1e-1, 1e-2, 1e-3]), np.array([0.3, 0.4, 0.3])
    features = np.sqrt(np.repeat(value, count))
    for n in (60, 250):
        errors = []
        for _ in range(6):
            # Directions at random inside each eigenspace, of exactly the power stated
            parts = [rng.standard_normal(c) for c in count]
            w = np.concatenate(
                [math.sqrt(p) * v / np.linalg.norm(v) for p, v in zip(power, parts, strict=True)]
            )
            Z = rng.standard_normal((n, 1000))
            y = Z @ w + math.sqrt(noise) * rng.standard_normal(n)
            K = (Z * features**2) @ Z.T
            fitted = features**2 * (Z.T @ np.linalg.solve(K + ridge * np.eye(n), y))
            errors.append(float(np.sum((fitted - w) ** 2)))
        expected = predict(modes(value, count, power), n, ridge, noise).mse
        assert np.mean(errors) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("bad", [(0, 1.0, 0.0), (10, -1.0, 0.0), (10, 1.0, -0.1)])
def test_impossible_sizes_ridges_and_noise_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="n > 0, ridge >= 0, noise >= 0"):
        predict(modes([1.0], [1], [1.0]), *bad)
    with pytest.raises(ValueError, match=r"smallest eigenvalue = -.*allowed are numbers >= 0"):
        implicit_regularisation(modes([-1.0], [1], [1.0]), 10, 1.0)


def squares(inputs: str) -> dict[str, object]:
    """Degree 4; on the sphere about half of the power in degree 2 and half in degree 4."""
    return {"family": "squares", "parameters": {"depth": 2, "width": 3, "inputs": inputs}}


STAIRCASE = ((10, (200, 400, 800), 12), (12, (300, 700, 1500), 6))
"""d, sizes and replicates, from degree 2 hardly learned to degree 4 learned for the most part."""


QUICK = {("rbf, l = 1", 1e-8), ("laplace, l = 1", 1e-2)}
"""A smooth kernel nearly without ridge and a rough one with it."""


@pytest.mark.parametrize(
    ("case", "ridge"),
    [
        pytest.param(
            case,
            ridge,
            id=f"{ridge}-{case.name}",
            marks=() if (case.name, ridge) in QUICK else pytest.mark.slow,
        )
        for ridge in (1e-8, 1e-2)
        for case in CASES
    ],
)
def test_on_the_sphere_measured_errors_are_within_10_percent(case, ridge: float) -> None:
    """Our own learners at fixed hyperparameters, a target and a sample each replicate; nothing is fitted."""
    for d, sizes, replicates in STAIRCASE:
        if case.closed is None:
            replicates = 4  # the errors of rough kernels hardly vary
        for n, found in compare(case, ridge, squares("sphere"), d, sizes, replicates, 2000).items():
            assert 1 / 1.1 < found.ratio < 1.1, (d, n, found)


def test_the_sizes_of_the_test_on_the_sphere_span_the_staircase() -> None:
    found = [compare(CASES[0], 1e-8, squares("sphere"), d, sizes, 1, 100) for d, sizes, _ in STAIRCASE]
    predicted = [c.predicted for one in found for c in one.values()]
    assert max(predicted) > 1.3 and min(predicted) < 0.4


@pytest.mark.slow
def test_the_deviation_on_the_sphere_grows_at_small_d_and_past_the_last_step() -> None:
    """d = 8, up to and past the 450 dimensions of degree 4; errors down to 1e-11."""
    for case in CASES[:3]:
        found = compare(case, 1e-8, squares("sphere"), 8, (400, 480, 900), 12, 2000)
        assert 0.8 < found[400].ratio < 1.25, case.name
        for n in (480, 900):
            assert 0.5 < found[n].ratio < 2, (case.name, n, found[n])


GAUSSIAN = {
    "rbf, l = 1": 0.25,
    "rbf, l = 3": 0.30,
    "polynomial, p = 4, c = 0.5": 0.40,
    "laplace, l = 1": 0.15,
    "ReLU NTK, depth 2": 0.15,
}
"""Relative deviations: kernels of high degree in x suffer most from the tails of |x|."""


@pytest.mark.parametrize(
    "case",
    [c if c.name != "rbf, l = 3" else pytest.param(c, marks=pytest.mark.slow) for c in CASES],
    ids=[case.name for case in CASES],
)
def test_on_gaussian_inputs_the_deviation_is_as_stated(case) -> None:
    """Below the degree-4 step, ridge 1e-8; past it polynomial kernels are not predicted (docs/theory.md)."""
    for n, found in compare(case, 1e-8, squares("gaussian"), 10, (150, 300, 600), 6).items():
        assert abs(math.log(found.ratio)) < math.log1p(GAUSSIAN[case.name]), (n, found)
