"""Certificates against a Monte Carlo that knows nothing of them: 10^6 fresh points, 4 standard errors.

The points are drawn by ``sample_inputs``, the labels by ``evaluate``. Shares of variance by degree
are held to noise stability: E f(x) f(x_t) = sum_p share_p P_p(t) for pairs (x, x_t) that are
built here in all d coordinates; and, on
mixtures, to least squares on all monomials. To degree 4 on Gaussian inputs and degree 8 on the
sphere and the cube; past that single points carry the mean, and exact algebra is held to quadrature
(tests/targets/certificates/test_certificates.py).
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures

from hierbench.targets.registry import make_target

N = 10**6
CHUNK = 10**5
EXAMPLES = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def hierarchies(draw, top):
    """Family, d and parameters of a random hierarchy of degree at most 2^top."""
    name = draw(st.sampled_from(["projected", "squares"]))
    depth = draw(st.integers(2, top))
    width = draw(st.integers(1, 3))
    levels = depth - (1 if name == "projected" else 2)
    alphas = st.floats(0.1, 1.5)
    params = {
        "depth": depth,
        "width": width,
        "alpha": draw(st.one_of(alphas, st.tuples(*[alphas] * levels) if levels else alphas)),
        "rho": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "kappa": draw(st.floats(1.0, 3.0)),
        "wiring": draw(st.sampled_from(["densenet", "resnet"])),
    }
    return name, draw(st.integers(max(2 * width, 3), 9)), params


def means(functions):
    """Mean and standard error of every column that ``functions`` gives for chunk after chunk."""
    first = second = 0.0
    for values in functions:
        first = first + values.sum(axis=0)
        second = second + (values**2).sum(axis=0)
    mean = first / N
    return mean, np.sqrt((second / N - mean**2) / N)


def chunks(target, seed):
    rng = np.random.default_rng(seed)
    for _ in range(N // CHUNK):
        X, y = target.sample(CHUNK, rng)
        yield rng, X, y


def assert_close(mean, stderr, truth):
    deviations = np.abs(mean - truth) / stderr
    assert (deviations < 4).all(), f"{np.round(deviations, 1)} standard errors from {truth}"


def level_outputs(target, X):
    """S_l of every level that reaches y, from the definition and the stored constants."""
    columns = []
    for level in target.alphas:
        s = target.hidden_features(X)[level - 1]
        constants = target.constants.levels[level]
        mean, sd = (np.array([e.value for e in v]) for v in (constants.mean, constants.sd))
        columns.append(((s**2 - mean) / sd).sum(axis=1) / constants.sum_sd.value)
    return np.stack(columns, axis=1)


def check_moments(target, kurtosis):
    """Mean, variance, covariance of the levels, shares of the levels and, where it can be, kurtosis."""
    certificate = target.certificate()
    assert certificate.method == "exact"
    levels = len(target.alphas)
    upper = np.triu_indices(levels)

    def functions():
        for _, X, y in chunks(target, 1):
            S = level_outputs(target, X)
            products = S[:, upper[0]] * S[:, upper[1]]
            yield np.column_stack([y, y**2, S, products, S * y[:, None], *([y**4] if kurtosis else [])])

    scales = np.array(list(target.alphas.values())) / target.constants.scale.value
    truth = [
        0.0,
        1.0,
        *[0.0] * levels,
        *np.array(certificate.level_covariance)[upper],
        *[e.value for e in certificate.level_share.values()] / scales,
        *([certificate.kurtosis.value] if kurtosis else []),
    ]
    mean, stderr = means(functions())
    assert_close(mean, stderr, np.array(truth))


def moved(law, x, t, rng):
    """x_t of the same law: parts of degree p at x and x_t have correlation P_p(t)."""
    if law.name == "gaussian":
        return t * x + math.sqrt(1 - t**2) * law.sample(len(x), rng)
    if law.name == "sphere":
        other = rng.standard_normal(x.shape)
        other -= (other * x).sum(axis=1, keepdims=True) / law.d * x
        other *= math.sqrt(law.d) / np.linalg.norm(other, axis=1, keepdims=True)
        return t * x + math.sqrt(1 - t**2) * other
    assert law.name == "cube"
    # A uniform coordinate is the height of a uniform point of the unit sphere in R^3. The angle's cosine c
    # has the Poisson kernel (1 - t^2) / (1 - 2 t c + t^2)^(3/2) as density, by the inverse of its integral.
    height = x / math.sqrt(3)
    u = rng.random(x.shape)
    cosine = (1 + t**2 - ((1 - t**2) / (1 - t + 2 * t * u)) ** 2) / (2 * t)
    turn = np.cos(2 * math.pi * rng.random(x.shape))
    return math.sqrt(3) * (height * cosine + np.sqrt((1 - height**2) * (1 - cosine**2)) * turn)


def zonal(p, t, law):
    if law.name != "sphere":
        return t**p
    lower, upper = 1.0, t
    if p == 0:
        return lower
    for k in range(1, p):
        lower, upper = upper, ((2 * k + law.d - 2) * t * upper - k * lower) / (k + law.d - 2)
    return upper


def check_shares(target, ts):
    """Noise stability at several t, predicted from the shares."""
    certificate, law = target.certificate(), target.law

    def functions():
        for rng, X, y in chunks(target, 2):
            yield np.column_stack([y * target.evaluate(moved(law, X, t, rng)) for t in ts])

    truth = [sum(e.value * zonal(p, t, law) for p, e in certificate.degree_share.items()) for t in ts]
    mean, stderr = means(functions())
    assert_close(mean, stderr, np.array(truth))


@pytest.mark.slow
@EXAMPLES
@given(hierarchies(2), st.sampled_from(["gaussian", "gaussian:condition=10"]), st.integers(0, 10**6))
def test_hierarchies_on_gaussian_inputs(drawn, inputs, seed):
    name, d, params = drawn
    target = make_target(name, d, seed, inputs=inputs, **params)
    check_moments(target, kurtosis=False)
    check_shares(target, (0.2, 0.4, 0.6, 0.8))


@pytest.mark.slow(30)
@pytest.mark.parametrize("inputs", ["sphere", "cube"])
@EXAMPLES
@given(hierarchies(3), st.integers(0, 10**6))
def test_hierarchies_on_bounded_inputs(inputs, drawn, seed):
    name, d, params = drawn
    target = make_target(name, min(d, 7), seed, inputs=inputs, **params)
    check_moments(target, kurtosis=True)
    check_shares(
        target,
        (0.15, 0.25, 0.35, 0.45, 0.55, 0.65)
        if inputs == "cube"
        else (-0.5, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    )


@pytest.mark.slow
@EXAMPLES
@given(
    st.floats(0.3, 0.9), st.floats(0.2, 0.8), st.integers(0, 10**6), st.sampled_from(["projected", "squares"])
)
def test_hierarchies_on_mixtures(separation, weight, seed, name):
    inputs = f"mixture:separation={separation:.2f},weight={weight:.2f}"
    target = make_target(name, 3, seed, width=1, alpha=1.0, inputs=inputs)
    check_moments(target, kurtosis=False)
    check_projections(target)


def check_projections(target):
    """||P_{<=k} f||^2 from least squares on all monomials of degree k, on independent halves."""
    certificate = target.certificate()
    batches = []
    for _, X, y in chunks(target, 3):
        features = PolynomialFeatures(4).fit_transform(X)
        batches.append((features.T @ features, features.T @ y))
    order = PolynomialFeatures(4).fit(np.zeros((1, target.d))).powers_.sum(axis=1)
    gram = sum(g for g, _ in batches) / N
    for k in range(1, 5):
        kept = np.flatnonzero(order <= k)
        inverse = np.linalg.inv(gram[np.ix_(kept, kept)])
        moments = np.stack([m[kept] / CHUNK for _, m in batches])
        # Products of different batches are free of the bias of a square.
        n = len(moments)
        products = moments @ inverse @ moments.T
        pairs = [products[i, j] for i in range(n) for j in range(n) if i != j]
        jackknifed = np.array(
            [
                np.mean([products[a, b] for a in range(n) for b in range(n) if a != b and i not in (a, b)])
                for i in range(n)
            ]
        )
        stderr = math.sqrt((n - 1) / n * ((jackknifed - jackknifed.mean()) ** 2).sum())
        truth = sum(e.value for p, e in certificate.degree_share.items() if p <= k)
        assert_close(np.array([np.mean(pairs)]), np.array([stderr]), np.array([truth]))
        assert stderr < 0.1
