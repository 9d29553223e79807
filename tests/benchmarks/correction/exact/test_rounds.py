"""Rounds at exact population: which of them raise the power of alpha, and which do not."""

import itertools
import math

import numpy as np
import pytest

from hierbench.benchmarks.correction.exact.rounds import VARIANTS, TraceRecord, trace
from hierbench.benchmarks.correction.exact.slopes import contractions, loglog_slope, slopes
from hierbench.errors import UserError

ALPHAS = tuple(np.geomspace(0.3, 0.01, 5))
ENDS = ALPHAS[::2]
"""As far apart, for what is exact anyway."""
PROJECTED = {"d": 6, "width": 2, "rho": 0.5}
UPDATES = ("residual", "frozen-top", "tied", "wide")  # what they do to level 1 is not correction


def values(records, **wanted):
    return [r for r in records if all(getattr(r, key) == value for key, value in wanted.items())]


def powers(records, level, stage="lower", quantity="angle"):
    return [s.value for s in slopes([records], level, stage, quantity)]


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_one_more_power_of_alpha_in_every_round(seed):
    records = trace("projected", {**PROJECTED, "seed": seed}, (0.1, *ALPHAS), (4,))
    own = values(records, alpha=0.1)
    records = [r for r in records if r.alpha != 0.1]
    np.testing.assert_allclose(powers(records, 1), [1, 2, 3, 4], atol=0.1)
    np.testing.assert_allclose(powers(records, 2, "upper"), [1, 2, 3, 4], atol=0.1)
    np.testing.assert_allclose(powers(records, 2, "upper", "relative_mse"), [4, 6, 8, 10], atol=0.2)
    assert values(own, round=4, stage="upper")[0].relative_mse < 1e-10
    # the talk's account, in amplitudes: alpha; alpha * alpha; corrected alpha^2; and alpha^4 later
    errors = [r.angle for r in values(own, level=1)]
    assert all(b < 0.3 * a for a, b in itertools.pairwise(errors))


@pytest.mark.parametrize(
    "variant",
    ["residual", "wide", *(pytest.param(v, marks=pytest.mark.slow) for v in ("frozen-top", "tied"))],
)
def test_other_rounds_do_not_raise_the_power(variant):
    records = trace("projected", PROJECTED, ENDS, (4,), variant)
    np.testing.assert_allclose(powers(records, 1), [1, 1, 1, 1], atol=0.1)


def test_residual_alternation_shrinks_by_a_factor_that_does_not_depend_on_alpha():
    records = trace("projected", PROJECTED, (0.1, 0.01), (4,), "residual")
    ratios = []
    for alpha in (0.1, 0.01):
        angles = [r.angle for r in values(records, alpha=alpha, level=1)]
        ratios.append(angles[3] / angles[2])
    assert 0.3 < ratios[1] < 1.0
    assert ratios[0] == pytest.approx(ratios[1], rel=0.1)


@pytest.mark.slow
def test_layerwise_floors():
    """Read-outs refitted: MSE like alpha^4; strictly frozen: like alpha^2; all together: none."""
    floors = {}
    for variant in ("frozen", "strict"):
        records = trace("projected", PROJECTED, ENDS, (2,), variant)
        upper = [r.relative_mse for r in values(records, stage="upper", round=2)]
        assert upper == pytest.approx([r.relative_mse for r in values(records, stage="upper", round=1)])
        floors[variant] = loglog_slope(ENDS, upper, 0.0)[0]
    assert floors["frozen"] == pytest.approx(4.0, abs=0.25)
    assert floors["strict"] == pytest.approx(2.0, abs=0.25)
    together = trace("projected", PROJECTED, ENDS, (2,), "joint")
    assert max(r.relative_mse for r in values(together, stage="upper", round=2)) < 1e-25


def test_contraction_grows_with_alpha():
    """Each round multiplies the error by about alpha, as long as there is a gap between the levels."""
    records = trace("projected", PROJECTED, (0.03, 0.1, 0.3), (4,))
    factors = contractions(records, 1)
    assert list(factors) == [0.03, 0.1, 0.3]
    ratios = [factor / alpha for alpha, factor in factors.items()]
    assert max(ratios) < 1.2 * min(ratios)
    assert contractions(trace("projected", {**PROJECTED, "rho": 0.0}, (0.1,), (2,)), 1) == {}


def test_nothing_is_there_to_correct_without_overlap():
    """The negative control: rho = 0 on Gaussian inputs."""
    records = trace("projected", {**PROJECTED, "rho": 0.0}, (0.3, 0.03), (2,))
    assert max(r.angle for r in values(records, level=1)) < 1e-12
    assert max(r.relative_mse for r in values(records, stage="upper")) < 1e-25


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_squares_of_degree_8_too_even_without_overlap(rho):
    records = trace("squares", {"d": 3, "width": 1, "rho": rho}, ALPHAS, (4,))
    np.testing.assert_allclose(powers(records, 2), [1, 2, 3, 4], atol=0.15)
    assert {r.level for r in records} == {2, 3}


def test_three_levels_stall_until_the_next_one_is_added():
    parameters = {"d": 6, "width": 1, "rho": 0.5}
    records = trace("projected", parameters, ENDS, (3, 3))
    np.testing.assert_allclose(powers(records, 1), [1, 2, 2, 2, 3, 4], atol=0.2)
    np.testing.assert_allclose(powers(records, 2, "upper"), [1, 1, 1], atol=0.2)  # while on top
    np.testing.assert_allclose(powers(records, 2, "lower"), [1, 2, 3], atol=0.2)  # with level 3
    np.testing.assert_allclose(powers(records, 3, "upper"), [1, 2, 3], atol=0.2)
    stalled = [r.relative_mse for r in values(records, alpha=ENDS[1], stage="upper")]
    assert stalled[2] > 0.9 * stalled[1]
    assert stalled[3] < 0.01 * stalled[2]
    layerwise = trace("projected", parameters, ENDS, (1, 1), "frozen")
    top = [r.angle for r in values(layerwise, level=3)]
    assert min(top) > 0.2  # at every alpha
    assert abs(loglog_slope(ENDS, top)[0]) < 0.2


def test_records_are_plain_and_complete():
    records = trace("projected", {**PROJECTED, "seed": 4}, (0.2, 0.1), (2,))
    assert [(r.alpha, r.round, r.stage, r.level) for r in records] == [
        (alpha, number, stage, level)
        for alpha in (0.2, 0.1)
        for number in (1, 2)
        for stage, level in (("lower", 1), ("upper", 2))
    ]
    assert isinstance(records[0], TraceRecord)
    assert all(isinstance(v, (int, float, str)) for r in records for v in vars(r).values())
    assert records == trace("projected", {**PROJECTED, "seed": 4}, (0.2, 0.1), (2,))


def made(angles, level=1):
    return [TraceRecord(a, 1, "lower", level, e, e, e * e) for a, e in angles]


def test_slopes_of_known_powers_and_their_interval():
    alphas = (0.3, 0.1, 0.03, 0.01)
    exact = made([(a, 2.0 * a**3) for a in alphas])
    assert slopes([exact], 1)[0].value == pytest.approx(3.0)
    assert math.isnan(slopes([exact], 1)[0].low)
    assert slopes([exact], 1, quantity="relative_mse")[0].value == pytest.approx(6.0)
    traces = [made([(a, a**p) for a in alphas]) for p in (1.9, 2.0, 2.1)]
    found = slopes(traces, 1)[0]
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t, two degrees of freedom
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0 - half, 2.0 + half), rel=1e-6)
    assert (found.n_targets, found.n_alphas) == (3, 4)
    # rounding is no power of alpha
    assert loglog_slope(alphas, [1e-3, 1e-9, 1e-16, 2e-16])[1] == 2
    assert math.isnan(loglog_slope(alphas, [1e-16] * 4)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "corected"}, "did you mean 'corrected'"),
        ({"family": "staircase"}, "family with an exact population"),
        ({"parameters": {"width": 2}}, "d = None: allowed are integers from 1"),
        ({"parameters": {**PROJECTED, "alpha": 0.1}}, "give it in alphas"),
        ({"parameters": {**PROJECTED, "rho": 2.0}}, "rho = 2.0"),
        ({"rounds": ()}, "integers from 1"),
        ({"rounds": (0,)}, "integers from 1"),
        ({"rounds": (2, 2), "parameters": {**PROJECTED, "depth": 2}}, "1 to 1 integers"),
        (
            {"rounds": (2, 2), "variant": "tied", "parameters": {**PROJECTED, "width": 1}},
            "allowed is one number",
        ),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    given = {"family": "projected", "parameters": PROJECTED, "alphas": (0.1,), "rounds": (2,), **change}
    with pytest.raises(UserError, match=message) as error:
        trace(**given)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="no record of level 7"):
        slopes([made([(0.1, 0.1)])], 7)


def test_every_variant_is_described():
    assert set(VARIANTS) == {"corrected", "frozen", "strict", "joint", *UPDATES}
    assert all(VARIANTS.values())
