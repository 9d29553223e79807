"""Spectra of rotation-invariant kernels, and the radial power of targets, against independent twins."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import special

from hierbench.benchmarks.studies.eigenlearning_study import CASES, kernel_from_gram
from hierbench.benchmarks.theory.eigenlearning import predict
from hierbench.benchmarks.theory.kernel_spectrum import (
    DotProductKernel,
    FunctionKernel,
    GaussianKernel,
    gegenbauer,
    harmonic_dimension,
    power_coefficient,
    radial_functions,
    radial_rule,
    spectrum,
)
from hierbench.targets.algebra.orthogonal import HERMITE
from hierbench.targets.algebra.terms import Polynomial
from hierbench.targets.laws.measures import Product
from hierbench.targets.radial import radial_power, target_power
from hierbench.targets.registry import make_target


@pytest.mark.parametrize("d", [2, 3, 8, 40])
def test_harmonics_up_to_a_degree_are_the_polynomials_on_the_sphere(d: int) -> None:
    for k in range(6):
        polynomials = math.comb(d + k - 1, k) + (math.comb(d + k - 2, k - 1) if k else 0)
        assert sum(harmonic_dimension(d, degree) for degree in range(k + 1)) == polynomials


@pytest.mark.parametrize("d", [3, 8, 15])
def test_zonal_harmonics_are_scipys_gegenbauer_polynomials(d: int) -> None:
    c = np.linspace(-1, 1, 11)
    for degree in (0, 1, 2, 5, 20):
        expected = special.eval_gegenbauer(degree, d / 2 - 1, c) / special.eval_gegenbauer(
            degree, d / 2 - 1, 1.0
        )
        assert gegenbauer(degree, c, d) == pytest.approx(expected, abs=1e-12)
    circle = gegenbauer(5, c, 2)
    assert circle == pytest.approx(np.cos(5 * np.arccos(c)), abs=1e-12), "Chebyshev at d = 2"


@pytest.mark.parametrize("d", [3, 8, 15])
def test_coefficients_of_powers_of_the_cosine_are_their_integrals(d: int) -> None:
    c, weights = special.roots_jacobi(40, (d - 3) / 2, (d - 3) / 2)
    weights /= weights.sum()
    for p in range(9):
        for degree in range(9):
            expected = float(weights @ (c**p * gegenbauer(degree, c, d)))
            assert power_coefficient(p, degree, d) == pytest.approx(expected, abs=1e-14)


KERNELS = {
    "gaussian": (
        GaussianKernel(0.8, 0.5),
        lambda d: lambda r, s, c: np.exp(-(r**2 + s**2 - 2 * r * s * c) / (2 * d * 0.64)) + 0.5,
    ),
    "polynomial": (
        DotProductKernel.polynomial(5, 0.3),
        lambda d: lambda r, s, c: ((r * s * c / d + 0.3) / 1.3) ** 5,
    ),
    "weights": (
        DotProductKernel((0.1, 0.0, 0.6, 1e-9, 0.3)),
        lambda d: (
            lambda r, s, c: (
                0.1 + 0.6 * (r * s * c / d) ** 2 + 1e-9 * (r * s * c / d) ** 3 + 0.3 * (r * s * c / d) ** 4
            )
        ),
    ),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("d", [2, 7, 12])
def test_closed_forms_are_the_integrals_over_the_cosine(name: str, d: int) -> None:
    closed, function = KERNELS[name]
    radii = np.sqrt(d) * np.array([0.4, 1.0, 1.7])
    quadrature = FunctionKernel(function(d))
    assert closed.diagonal(radii, d) == pytest.approx(quadrature.diagonal(radii, d), rel=1e-12)
    for degree in range(8):
        expected = quadrature.sector(degree, radii, d)
        assert closed.sector(degree, radii, d) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("case", [c for c in CASES if c.closed], ids=lambda case: case.name)
def test_closed_forms_are_the_kernels_of_the_learners(case) -> None:
    learner = kernel_from_gram(case.make(1.0)._kernel(), case.shape, 9)
    radii = np.array([1.5, 3.0, 4.5])
    assert case.closed.diagonal(radii, 9) == pytest.approx(learner.diagonal(radii, 9), rel=1e-12)
    for degree in range(6):
        expected = learner.sector(degree, radii, 9)
        assert case.closed.sector(degree, radii, 9) == pytest.approx(expected, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize("d", [2, 5, 10])
@pytest.mark.parametrize("length", [0.7, 1.5])
def test_gaussian_kernel_on_gaussian_inputs_has_the_eigenvalues_of_mehler(d: int, length: float) -> None:
    """C. Zhu et al., 1998; Rasmussen & Williams 2006, section 4.3: (2a / A)^(d/2) B^k at Hermite degree k."""
    a, b = 0.25, 1 / (2 * d * length**2)
    A = a + b + math.sqrt(a * a + 2 * a * b)
    found = spectrum(GaussianKernel(length), "gaussian", d, 40)
    for k in range(7):
        expected = (2 * a / A) ** (d / 2) * (b / A) ** k
        for degree in range(k % 2, k + 1, 2):  # one radial function of each harmonic degree
            ordered = np.sort(found.eigenvalues[degree])[::-1]
            assert ordered[(k - degree) // 2] == pytest.approx(expected, rel=1e-6)
    assert found.tail == 0.0


@pytest.mark.parametrize("law", ["sphere", "gaussian"])
def test_polynomial_kernels_have_the_eigenvalues_of_the_second_moments_of_their_monomials(law: str) -> None:
    """All 35 (on the sphere 25, of degree 4 and less) of ((x.x'/3 + c)/(1 + c))^4, down to the smallest."""
    d, p, c = 3, 4, 0.4
    exponents = np.array([e for e in itertools.product(range(p + 1), repeat=d) if sum(e) <= p])
    weights = []
    for e in exponents:
        k = int(e.sum())
        multinomial = math.factorial(k) / math.prod(math.factorial(i) for i in e)
        weights.append(math.comb(p, k) * c ** (p - k) / (1 + c) ** p * multinomial / d**k)
    sums = exponents[:, None, :] + exponents
    moments = np.where(sums % 2, 0.0, special.factorial2(np.maximum(sums - 1, 0))).prod(axis=-1)
    if (
        law == "sphere"
    ):  # a Gaussian moment of degree 2h over E |x|^(2h) = d (d + 2) ... (d + 2h - 2), times d^h
        radial = np.cumprod([1.0, *((d + 2 * h) / d for h in range(p))])
        moments = moments / radial[sums.sum(axis=-1) // 2]
    root = np.sqrt(weights)
    expected = np.sort(np.linalg.eigvalsh(root[:, None] * moments * root))[::-1]
    modes = spectrum(DotProductKernel.polynomial(p, c), law, d).modes({})
    found = np.sort(np.repeat(modes.eigenvalues, modes.multiplicities.astype(int)))[::-1]
    rank = 35 if law == "gaussian" else 25
    assert np.count_nonzero(found) == rank
    assert found[:rank] == pytest.approx(expected[:rank], rel=1e-9)


@pytest.mark.parametrize("law", ["sphere", "gaussian"])
@pytest.mark.parametrize(
    "case",
    [c if c.name != "rbf, l = 3" else pytest.param(c, marks=pytest.mark.slow) for c in CASES],
    ids=[case.name for case in CASES],
)
def test_eigenvalues_sum_to_the_trace_and_are_those_of_a_sampled_kernel_matrix(case, law: str) -> None:
    d, n = 5, 1200
    found = spectrum(case.kernel(d), law, d)
    modes = found.modes({})
    X = np.random.default_rng(0).standard_normal((n, d))
    if law == "sphere":
        X *= math.sqrt(d) / np.linalg.norm(X, axis=1, keepdims=True)
    K = torch.empty((n, n), dtype=torch.float64)
    case.make(1.0)._kernel().gram(torch.from_numpy(X), None, case.shape, K)
    trace = float(modes.multiplicities @ modes.eigenvalues) + modes.tail
    diagonal = np.diag(K.numpy())
    assert trace == pytest.approx(diagonal.mean(), abs=4 * diagonal.std() / math.sqrt(n) + 1e-9)
    sampled = np.sort(np.linalg.eigvalsh(K.numpy() / n))[::-1]
    order = np.argsort(modes.eigenvalues)[::-1]
    listed = np.repeat(modes.eigenvalues[order], modes.multiplicities[order].astype(int))
    # The sum over the constant, degree 1 and most of degree 2: single ones are blurred by sampling
    assert sampled[:6].sum() == pytest.approx(listed[:6].sum(), rel=0.12)


def test_spectra_have_converged_in_the_number_of_radii() -> None:
    power = {0: np.diag([0.0, 0.2, 0.1]), 2: np.diag([0.2, 0.1]), 4: np.array([[0.4]])}
    for kernel in (GaussianKernel(0.5, 1.0), GaussianKernel(3.0, 1.0), DotProductKernel.polynomial(8, 0.2)):
        coarse, fine = (spectrum(kernel, "gaussian", 8, count).modes(power) for count in (24, 48))
        for n in (50, 500, 2000):
            one, two = (predict(m, n, 1e-6).mse for m in (coarse, fine))
            assert one == pytest.approx(two, rel=1e-4), (kernel, n)


def test_radial_functions_are_orthonormal() -> None:
    radii, probabilities = radial_rule("gaussian", 7)
    assert probabilities @ radii**2 == pytest.approx(7) and probabilities @ radii**4 == pytest.approx(63)
    for degree in (0, 1, 4):
        R = radial_functions(degree, 5, radii, 7)
        assert R.T @ (probabilities[:, None] * R) == pytest.approx(np.eye(5), abs=1e-10)
    with pytest.raises(ValueError, match="cube"):
        radial_rule("cube", 7)


TARGETS = [
    ("squares", 8, {"depth": 2}),
    ("squares", 6, {"depth": 3}),
    ("projected", 7, {"depth": 2}),
    ("projected", 9, {"depth": 2, "noise": 0.3}),
    ("multi-index", 6, {}),
    ("squares", 16, {"depth": 3}),
    ("projected", 9, {"depth": 2, "control": "rerandomised"}),
    # harmonic: their Laplacian is 0
    ("parity", 8, {"inputs": "gaussian"}),
    ("staircase", 8, {"inputs": "gaussian", "rotated": True}),
    ("merged-staircase", 8, {"inputs": "gaussian"}),
]


@pytest.mark.parametrize(("family", "d", "parameters"), TARGETS)
def test_radial_power_has_the_shares_by_hermite_degree_of_the_certificate(family, d, parameters) -> None:
    target = make_target(family, d, 1, **parameters)
    power = target_power(target)
    assert power is not None
    shares: dict[int, float] = {}
    for degree, a in power.items():
        assert np.linalg.eigvalsh(a).min() > -1e-12
        for s, value in enumerate(np.diag(a)):
            shares[degree + 2 * s] = shares.get(degree + 2 * s, 0.0) + value
    for k, share in target.certificate().degree_share.items():
        assert shares.get(k, 0.0) == pytest.approx(share.value, abs=1e-10)


@pytest.mark.parametrize(("family", "d", "parameters"), TARGETS[:3])
def test_radial_power_is_the_correlation_between_points_at_given_radii_and_angle(
    family, d, parameters
) -> None:
    """E f(r u) f(s v) at u . v = c is sum_l P_l(c) R_l(r) A_l R_l(s), here against sampling."""
    target = make_target(family, d, 2, **parameters)
    power = target_power(target)
    assert power is not None
    rng = np.random.default_rng(3)
    u, v = rng.standard_normal((2, 200_000, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v -= (u * v).sum(1, keepdims=True) * u
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    for r, s, c in ((1.0, 1.0, 1.0), (0.8, 1.3, 1.0), (1.0, 1.2, 0.6), (1.2, 1.2, -0.4), (1.4, 0.7, 0.0)):
        r, s = r * math.sqrt(d), s * math.sqrt(d)
        products = target.evaluate(r * u) * target.evaluate(s * (c * u + math.sqrt(1 - c * c) * v))
        expected = 0.0
        for degree, a in power.items():
            R, S = (radial_functions(degree, len(a), np.array([x]), d)[0] for x in (r, s))
            expected += float(gegenbauer(degree, np.array([c]), d)[0] * (R @ a @ S))
        stderr = products.std() / math.sqrt(len(products))
        assert products.mean() == pytest.approx(expected, abs=4.5 * stderr)


def test_a_target_out_of_reach_has_no_radial_power() -> None:
    for inputs in ("sphere", "cube", "gaussian:condition=10"):
        assert target_power(make_target("squares", 8, 0, depth=2, inputs=inputs)) is None
    assert target_power(make_target("squares", 8, 0, depth=2, classify=True)) is None


def test_radial_power_of_the_squared_radius_is_all_radial() -> None:
    d = 4
    square = Polynomial(2 * np.eye(d, dtype=np.int8), np.ones((d, 1)))
    power = radial_power(square, Product((HERMITE,) * d), d)
    assert power[0] == pytest.approx(
        np.array([[d * d, -d * math.sqrt(2 * d)], [-d * math.sqrt(2 * d), 2 * d]])
    )
    assert all(np.abs(a).max() < 1e-12 for degree, a in power.items() if degree > 0)
