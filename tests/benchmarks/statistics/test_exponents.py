"""Exponents of n*: intervals that hold the truth, on curves whose truth is known."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from curve_rows import certificate, row
from scipy import optimize, stats

from hierbench.benchmarks.statistics.exponents import dimension_slope, exponent, exponents
from hierbench.benchmarks.statistics.interval_regression import fit_interval_regression, profile
from hierbench.benchmarks.statistics.sample_complexity import NStar, crossing, n_stars
from hierbench.benchmarks.suites.epsilon import EPSILONS, Epsilon
from hierbench.benchmarks.units.rows import Replicate

ABSOLUTE = Epsilon(0.1)


def simulated(
    rng: np.random.Generator,
    slope: float = 2.0,
    sigma: float = 0.25,
    dims: tuple[int, ...] = (8, 12, 16, 24, 32),
    replicates: int = 4,
    n_min: float = 1.0,
    n_max: float = math.inf,
    ratio: float = 2.0,
) -> list[NStar]:
    """n* = 3 d^slope exp(sigma z), seen through grids ``ratio^(k + frac(0.618 r))``."""
    stars = []
    for d, r in itertools.product(dims, range(replicates)):
        truth = math.exp(math.log(3) + slope * math.log(d) + sigma * rng.normal())
        shift = ratio ** (0.618 * r % 1)
        grid = shift * ratio ** np.arange(-2.0, 40.0)
        grid = grid[(grid >= n_min * shift) & (grid <= n_max * shift)]
        errors = ABSOLUTE.value * (truth / grid) ** 1.5
        stars.append(NStar("l", "t", d, Replicate(r, r, r), ABSOLUTE, *crossing(grid, errors, 0.1), 0.1, 2))
    return stars


def likelihood(theta: np.ndarray, x: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The likelihood of each column as written in a textbook, as a twin: no tails, no derivatives."""
    a, b, log_sigma = np.asarray(theta)[..., None]
    sigma = np.exp(log_sigma)
    z = [(end - a - b * x) / sigma for end in (lower, upper)]
    p = np.where(
        z[0] > 0, stats.norm.sf(z[0]) - stats.norm.sf(z[1]), stats.norm.cdf(z[1]) - stats.norm.cdf(z[0])
    )
    return np.log(np.maximum(p, 1e-300)).sum(axis=-1)


@pytest.mark.parametrize("n_max", [math.inf, 1500.0])
def test_profile_interval_agrees_with_a_brute_force_likelihood_grid(n_max: float) -> None:
    stars = simulated(np.random.default_rng(5), n_max=n_max, n_min=100)
    assert {s.censoring for s in stars} >= ({"bracketed", "left"} | ({"right"} if n_max < 1e9 else set()))
    x = np.log([s.d for s in stars])
    with np.errstate(divide="ignore"):
        lower, upper = np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
    drop = 2.0
    fit = fit_interval_regression(x, lower, upper, drop)

    def best(b: float) -> float:
        """Grid over intercept (at the mean of x) and sigma, refined twice."""
        low, high = np.array([3.0, -4.0]), np.array([10.0, 1.5])
        for _ in range(5):
            axes = [np.linspace(lo, hi, 21) for lo, hi in zip(low, high, strict=True)]
            a, s = np.array(list(itertools.product(*axes))).T
            values = likelihood(np.array([a - b * x.mean(), np.full(len(a), b), s]), x, lower, upper)
            top = values.argmax()
            step = (high - low) / 20
            low, high = np.array([a[top], s[top]]) - 3 * step, np.array([a[top], s[top]]) + 3 * step
        return float(values[top])

    assert best(fit.slope) == pytest.approx(fit.log_likelihood, abs=2e-3)
    for b in (fit.slope - 0.02, fit.slope + 0.02):
        assert best(b) <= fit.log_likelihood + 1e-6
    for end in (fit.slope_low, fit.slope_high):
        assert best(end) == pytest.approx(fit.log_likelihood - drop, abs=5e-3)


def test_profile_likelihood_agrees_with_a_general_optimiser_far_from_the_top() -> None:
    stars = simulated(np.random.default_rng(1), n_max=2000)
    x = np.log([s.d for s in stars])
    lower, upper = np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
    slopes = np.array([-1.0, 1.0, 2.0, 4.0])
    found, _, _ = profile(slopes, x, lower, upper, 0.01)
    for slope, value in zip(slopes, found, strict=True):
        result = optimize.minimize(
            lambda t, slope=slope: (
                -float(likelihood(np.array([t[0], slope, max(t[1], math.log(0.01))]), x, lower, upper))
            ),
            [6.5 - slope * x.mean(), 0.3],
            method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
        )
        assert value == pytest.approx(-result.fun, abs=1e-5)


def test_interval_of_exact_observations_is_that_of_student() -> None:
    rng = np.random.default_rng(0)
    d = np.repeat([6, 8, 12], 2)
    y = 1 + 2 * np.log(d) + 0.3 * rng.normal(size=6)
    stars = [
        NStar(
            "l",
            "t",
            int(k),
            Replicate(r, r, r),
            ABSOLUTE,
            math.exp(v - 5e-4),
            math.exp(v + 5e-4),
            "bracketed",
            0.1,
            2,
        )
        for r, (k, v) in enumerate(zip(d, y, strict=True))
    ]
    line = stats.linregress(np.log(d), y)
    half = stats.t.ppf(0.975, 4) * line.stderr
    found = exponent(stars)
    assert found.value == pytest.approx(line.slope, abs=1e-3)
    assert found.low < found.alone[0] and found.alone[1] < found.high, "three d tell little of their scatter"
    assert found.alone == (
        pytest.approx(line.slope - half, abs=2e-3),
        pytest.approx(line.slope + half, abs=2e-3),
    )
    assert found.sigma == pytest.approx(
        math.sqrt(np.sum((y - line.intercept - line.slope * np.log(d)) ** 2) / 4), rel=1e-2
    )


SETTINGS = pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_min": 100.0, "n_max": 3000.0},
        {"dims": (8, 16, 32), "replicates": 2},
        pytest.param({"sigma": 0.05}, marks=pytest.mark.slow),
        pytest.param({"sigma": 0.5, "ratio": 1.5, "dims": (8, 16, 32)}, marks=pytest.mark.slow),
        pytest.param({"slope": 4.0, "dims": (6, 8, 10, 12, 14, 16)}, marks=pytest.mark.slow),
    ],
    ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items()) or "plain",
)


@SETTINGS
def test_interval_for_independent_replicates_covers_the_truth(settings: dict, independent: None) -> None:
    """The interval that is reported contains it, and covers no less."""
    rng = np.random.default_rng(3)
    found = [exponent(simulated(rng, **settings)) for _ in range(120)]
    found = [e for e in found if e.kind == "estimate"]
    assert len(found) >= 114
    truth = settings.get("slope", 2.0)
    coverage = np.mean([e.alone[0] <= truth <= e.alone[1] for e in found])
    assert coverage >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / len(found))
    assert min(e.alone[1] - e.alone[0] for e in found) > 0.05, "an interval of width zero is grid aliasing"
    estimates = np.array([e.value for e in found], dtype=float)
    assert abs(np.median(estimates) - truth) < 0.2, "censored ends must not bias the exponent"


@SETTINGS
def test_reported_interval_contains_that_for_independent_replicates(settings: dict) -> None:
    rng = np.random.default_rng(3)
    for _ in range(4):
        found = exponent(simulated(rng, **settings))
        low, high = found.alone
        assert found.low <= low + 1e-12 and low < high and high - 1e-12 <= found.high < math.inf


def test_without_staggering_the_grid_still_leaves_a_width() -> None:
    stars = [s for s in simulated(np.random.default_rng(0), sigma=0.0) if s.replicate.target == 0]
    found = exponent(stars)
    assert found.kind == "estimate" and found.high - found.low > 0.3
    assert found.low <= 2 <= found.high


def test_reached_at_small_d_only_is_a_lower_bound() -> None:
    stars = simulated(np.random.default_rng(0), sigma=0.1, dims=(8, 32), n_max=600)
    small = max(s.upper for s in stars if s.d == 8)
    large = min(s.lower for s in stars if s.d == 32)
    found = exponent(stars)
    assert found.kind == "lower bound" and found.value is None
    assert found.low == pytest.approx(math.log(large / small) / math.log(4))
    assert found.low < 2


def test_never_reached_is_unidentified() -> None:
    found = exponent(simulated(np.random.default_rng(0), n_max=60))
    assert (found.kind, found.value) == ("unidentified", None)
    assert found.reason == "n* > n_max, exponent unidentified"
    always = exponent(simulated(np.random.default_rng(0), n_min=1e5))
    assert always.reason == "n* < n_min, exponent unidentified"
    assert exponent([]).reason == "no data"
    two = exponent(simulated(np.random.default_rng(0), dims=(8, 16)))
    assert two.kind == "unidentified" and "2 of the 3 dimensions" in two.reason


def test_replicates_that_share_targets_have_no_interval() -> None:
    rows = [
        dataclasses.replace(row(n, 6 * d**2 / n, d=d, r=r), sample_index=s)
        for d, r, s in itertools.product((8, 12, 16), range(3), range(2))
        for n in (round(2.5**i * (1 + 0.2 * s)) for i in range(2, 12))
    ]
    for chosen, kind in ((rows, "unidentified"), ([x for x in rows if x.sample_index == 0], "estimate")):
        found = exponent(n_stars(chosen, {}, [Epsilon(0.1)]))
        assert found.kind == kind and ("share targets" in found.reason) == (kind == "unidentified")


def test_exponents_come_for_every_group() -> None:
    rows = [
        row(n, (3 * d**2 / n) ** 2, d=d, r=r, learner=learner)
        for learner in ("a", "b")
        for d in (8, 12, 16)
        for r in range(4)
        for n in [round(100 * 2 ** (k + 0.618 * r % 1)) for k in range(6)]
    ]
    known = {("t", d, r): certificate({2: 0.5, 4: 0.5}) for d in (8, 12, 16) for r in range(4)}
    found = exponents(n_stars(rows, known))
    assert set(found) == {("t", learner, eps) for learner in ("a", "b") for eps in EPSILONS}
    assert found["t", "a", ABSOLUTE].low <= 2 <= found["t", "a", ABSOLUTE].high
    assert found["t", "a", ABSOLUTE] == found["t", "b", ABSOLUTE]


@pytest.mark.parametrize("inputs", ["gaussian", "sphere"])
def test_slope_against_the_number_of_polynomials(inputs: str) -> None:
    """A kernel at exactly that number has slope 1, whatever its exponent in d and the p of a replicate."""
    rng, found = np.random.default_rng(5), []
    for d in (6, 8, 10, 12, 14):
        for r in range(4):
            p = 4 if r % 2 else 3
            fewer = math.comb(d + p - 2, p - 2) if inputs == "sphere" else 0  # multiples of |x|^2
            size = 0.8 * (math.comb(d + p, p) - fewer) * math.exp(0.1 * rng.standard_normal())
            shift = 1.3 ** math.modf(0.618 * r)[0]
            i = math.floor(math.log(size / shift) / math.log(1.3))
            ends = shift * 1.3**i, shift * 1.3 ** (i + 1)
            one = NStar("k", "t", d, Replicate(r, r, r), Epsilon(0.1), *ends, "bracketed", 0.1, p, inputs)
            found.append(one)
    slope = dimension_slope(found)
    assert slope.kind == "estimate" and slope.value is not None
    assert slope.value == pytest.approx(1.0, abs=0.08)
    assert slope.low < 1 < slope.high
    assert exponent([s for s in found if s.degree_needed == 4]).value == pytest.approx(3.2, abs=0.3)
    unknown = [dataclasses.replace(s, degree_needed=None) for s in found]
    assert "unknown" in dimension_slope(unknown).reason
    assert "3 dimensions" in dimension_slope([s for s in found if s.d < 10]).reason
