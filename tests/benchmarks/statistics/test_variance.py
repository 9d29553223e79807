"""Variance components: twins by projection and by simulation, and the crossed cells of a suite."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from curve_rows import certificate, row
from scipy import stats

from hierbench.benchmarks.commands.compare import variance_sections
from hierbench.benchmarks.statistics.sample_complexity import n_stars
from hierbench.benchmarks.statistics.variance import NAMES, shared_effect, spreads, variance_components
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.suite_file import load_suite

SHAPE = (4, 2, 2)


def draw(rng, sd, shape=SHAPE):
    t, s, _ = shape
    target = sd[0] * rng.standard_normal((t, 1, 1))
    return target + sd[1] * rng.standard_normal((t, s, 1)) + sd[2] * rng.standard_normal(shape)


def test_mean_squares_are_those_of_projections():
    values = draw(np.random.default_rng(0), (1, 1, 1), (3, 4, 5))
    t, s, i = values.shape
    y = values.ravel()
    mean = np.full((y.size, y.size), 1 / y.size)
    of_target = np.kron(np.eye(t), np.full((s * i, s * i), 1 / (s * i)))
    of_sample = np.kron(np.eye(t * s), np.full((i, i), 1 / i))
    ms_t = y @ (of_target - mean) @ y / (t - 1)
    ms_s = y @ (of_sample - of_target) @ y / (t * (s - 1))
    ms_i = y @ (np.eye(y.size) - of_sample) @ y / (t * s * (i - 1))
    raw = [c.raw for c in variance_components(values).values()]
    np.testing.assert_allclose(raw, [(ms_t - ms_s) / (s * i), (ms_s - ms_i) / i, ms_i], rtol=1e-10)


def test_interval_of_the_initialisation_is_that_of_chi_square():
    values = draw(np.random.default_rng(1), (0.5, 0.3, 0.2))
    found = variance_components(values, draws=400_000)["initialisation"]
    rest = np.square(values - values.mean(axis=2, keepdims=True)).sum()
    expected = rest / stats.chi2.ppf([0.975, 0.025], 8)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.02)


@pytest.mark.parametrize("sd", [(0.4, 0.2, 0.1), (0.0, 0.3, 0.3), (0.3, 0.0, 0.2)])
def test_estimates_are_unbiased_and_intervals_cover(sd):
    rng = np.random.default_rng(2)
    found = [variance_components(draw(rng, sd), draws=2000) for _ in range(600)]
    for name, truth in zip(NAMES, np.square(sd), strict=True):
        raw = [f[name].raw for f in found]
        assert np.mean(raw) == pytest.approx(truth, abs=4 * stats.sem(raw))
        covered = np.mean([f[name].low <= truth <= f[name].high for f in found])
        assert covered >= 0.92  # conservative where a component is 0
        assert all(f[name].value == max(f[name].raw, 0) for f in found)


@pytest.mark.parametrize("values", [np.zeros((4, 2)), np.zeros((4, 2, 1)), np.full(SHAPE, np.nan)])
def test_other_shapes_are_refused(values):
    with pytest.raises(ValueError, match="two of each factor at least"):
        variance_components(values)


def curves(sd, sizes, learner="net", seed=0):
    """error = 0.1 (n*/n)^1.5, log n* = log 500 + target + sample + initialisation."""
    logs = draw(np.random.default_rng(seed), sd)
    found = []
    for t, s, i in itertools.product(*map(range, SHAPE)):
        for n in sizes:
            error = 0.1 * (500 * math.exp(logs[t, s, i]) / n) ** 1.5
            found.append(row(round(n), error, learner=learner, target_index=t, sample_index=s, init_index=i))
    return found, logs


def certificates():
    return {("t", 8, t): certificate({2: 0.5, 4: 0.5}) for t in range(4)}


def test_components_of_n_star():
    """A fine grid: components of log n* are those of its truth."""
    rows, logs = curves((0.3, 0.2, 0.1), np.geomspace(50, 5000, 200))
    of_n = spreads(rows, certificates(), [Epsilon(0.1)])[0]
    truth = variance_components(logs)
    for name in NAMES:
        assert of_n.components[name].raw == pytest.approx(truth[name].raw, rel=0.15, abs=2e-4)
    assert of_n.of_grid == pytest.approx(math.log(100) ** 2 / 199**2 / 12, rel=0.2)
    assert of_n.n == pytest.approx(500 * math.exp(logs.mean()), rel=0.02)


def test_components_of_the_error_at_one_n():
    """Those of log n* times 1.5^2, and no n*; nothing where sizes differ from sample to sample."""
    rows, logs = curves((0.3, 0.2, 0.1), [400])
    (of_error,) = spreads(rows, certificates(), [Epsilon(0.1)])
    truth = variance_components(logs)
    for name in NAMES:
        assert of_error.components[name].raw == pytest.approx(1.5**2 * truth[name].raw, rel=1e-6)
    assert of_error.quantity == "log error, n = 400"
    staggered = [dataclasses.replace(r, n=r.n + r.sample_index) for r in rows]
    assert spreads(staggered, certificates(), [Epsilon(0.1)]) == []


def test_shared_effect_is_the_paired_t_test():
    values = draw(np.random.default_rng(3), (1, 1, 1))
    differences = np.diff(values.mean(axis=2), axis=1)
    assert shared_effect(values) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue.item())


def test_shared_effect_is_uniform_without_one_and_small_with_one():
    rng = np.random.default_rng(4)
    without = [shared_effect(draw(rng, (1, 1, 1), (4, 3, 2))) for _ in range(1000)]
    assert stats.kstest(without, "uniform").pvalue > 0.001
    moved = np.array([-1, 0, 1])[None, :, None]
    assert np.median([shared_effect(draw(rng, (1, 0.2, 0.2), (4, 3, 2)) + moved) for _ in range(99)]) < 0.01
    assert math.isnan(shared_effect(np.ones(SHAPE)))


def test_a_learner_without_initialisation_has_none():
    rows, _ = curves((0.3, 0.2, 0.0), np.geomspace(50, 5000, 12))
    of_n, *of_error = spreads(rows, certificates(), [Epsilon(0.1)])
    assert len(of_error) == 12
    for found in (of_n, *of_error):
        assert found.components["initialisation"].value == pytest.approx(0.0, abs=1e-20)
        assert found.components["initialisation"].high == pytest.approx(0.0, abs=1e-20)
        assert found.components["sample"].value > 0


def test_censored_cells_have_no_components_and_plain_replicates_no_table():
    rows, _ = curves((0.3, 0.2, 0.1), np.geomspace(50, 450, 6))
    censored = spreads(rows, certificates(), [Epsilon(0.1)])[0]
    assert censored.components is None and math.isnan(censored.shared)
    stars = n_stars(rows, certificates(), [Epsilon(0.1)])
    reached = sum(star.censoring == "bracketed" for star in stars)
    assert 0 < reached < 16 and censored.reason == f"unidentified: {reached} of 16 bracketed"
    (section,) = variance_sections(rows, certificates(), [Epsilon(0.1)])
    assert section.cells[0][1] == censored.reason
    assert all(len(cells) == len(section.columns) for cells in section.cells)
    plain = [row(n, 10 / n, r=r) for r in range(4) for n in (50, 100, 200)]
    assert spreads(plain, certificates(), [Epsilon(0.1)]) == []
    assert variance_sections(plain, certificates(), [Epsilon(0.1)]) == []


def test_all_cells_of_the_suite_are_crossed():
    suite = load_suite("crossed")
    assert all(len(r.replicates) == 16 and len(r.d) == 1 for r in suite.runs)
