"""Claims: every rule on rows whose truth is known, every entry of the file, every table."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from curve_rows import certificate, row
from machinery import run, suite_file
from scipy import stats

from hierbench.benchmarks.claims.claims_file import choose, load_claims, moved
from hierbench.benchmarks.claims.criteria import FIXED, KINDS, Bounds, Claim, Criterion
from hierbench.benchmarks.claims.curve_quantities import n_star_ratio
from hierbench.benchmarks.claims.next_experiment import narrower
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.claims.verdicts import decide, judge, judge_criterion
from hierbench.benchmarks.commands import claims as claims_report
from hierbench.benchmarks.results import suite_results
from hierbench.benchmarks.results.prices import prices_by_cell
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.interval_estimate import IntervalEstimate, difference, mean_estimate
from hierbench.benchmarks.statistics.sample_complexity import NStar
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Replicate
from hierbench.errors import UserError

DIMENSIONS = (8, 12, 16, 24)
EPS = Epsilon(0.1)


def rows_of(law, dims=DIMENSIONS, learner="net", target="t", n_max=math.inf, sigma=0.1, replicates=4, seed=0):
    """Curves error = 0.1 (n*/n)^1.5 with n* = law(d) exp(sigma z), on staggered grids around n*."""
    rng = np.random.default_rng(seed)
    found = []
    for d, r in itertools.product(dims, range(replicates)):
        threshold = law(d) * math.exp(sigma * rng.normal())
        for k in range(-6, 7):
            n = round(law(d) * 1.6 ** (k + 0.618 * r % 1))
            if 2 <= n <= n_max:
                found.append(row(n, 0.1 * (threshold / n) ** 1.5, d=d, r=r, learner=learner, target=target))
    return found


def evidence_of(*curves, shares=None):
    rows = [r for part in curves for r in part]
    known = {(r.target, r.d, r.target_index): certificate(shares or {2: 0.5, 4: 0.5}) for r in rows}
    return SuiteResults(rows, known, optimizers={"net": "Adam"})


def criterion(quantity, bounds, **others):
    needs = {"epsilons": (EPS,) if QUANTITIES[quantity].epsilons else ()}
    named = {"targets": ("t",), "learners": ("net",), **needs, **others}
    found = Criterion("C01", "a figure", "default", quantity, bounds, **named)
    QUANTITIES[quantity].check(found)
    return found


def state(quantity, bounds, rows, **others):
    return judge_criterion(criterion(quantity, bounds, **others), rows).state


def polynomials(d):
    return math.comb(d + 4, 4)


# --- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "bounds", "word"),
    [
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(high=3.0), "supported"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(high=1.5), "contradicted"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(high=2.1), "undecided"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(low=1.5), "supported"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(low=2.5), "contradicted"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(1.7, 2.3), "supported"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(1.9, 2.3), "undecided"),
        (IntervalEstimate("", 2.0, 1.8, 2.2), Bounds(2.3, 2.5), "contradicted"),
        # a lower bound supports "at least" and contradicts "at most", and never the other way round
        (IntervalEstimate("", None, low=3.2), Bounds(low=3.0), "supported"),
        (IntervalEstimate("", None, low=3.2), Bounds(high=3.0), "contradicted"),
        (IntervalEstimate("", None, low=3.2), Bounds(high=9.0), "undecided"),
        (IntervalEstimate("", None, low=3.2), Bounds(low=9.0), "undecided"),
        (IntervalEstimate("", note="n* > n_max"), Bounds(low=0.0), "undecided"),
        (IntervalEstimate("", 2.0, -math.inf, math.inf), Bounds(low=0.0), "undecided"),
    ],
)
def test_an_interval_decides_only_where_it_lies_wholly_on_one_side(estimate, bounds, word):
    assert decide(estimate, bounds) == word


# --- quantities, each with known truth --------------------------------------------------------------


def test_exponent():
    square = evidence_of(rows_of(lambda d: 6 * d**2))
    assert state("exponent", Bounds(high=3), square) == "supported"
    assert state("exponent", Bounds(high=1), square) == "contradicted"
    assert state("exponent", Bounds(low=1), square) == "supported"
    estimate = judge_criterion(criterion("exponent", Bounds(high=3)), square).estimate
    assert state("exponent", Bounds(high=estimate.value), square) == "undecided"
    never = evidence_of(rows_of(lambda d: 6 * d**2, n_max=150))
    finding = judge_criterion(criterion("exponent", Bounds(high=3)), never)
    assert finding.state == "undecided" and "unidentified" in finding.reason


def test_a_lower_bound_on_an_exponent_exceeds_and_is_never_at_most():
    censored = evidence_of(rows_of(lambda d: 6 * d**4, dims=(8, 16), n_max=6 * 8**4 * 8, sigma=0.0))
    finding = judge_criterion(criterion("exponent", Bounds(low=1)), censored)
    assert finding.state == "supported" and finding.estimate.value is None and finding.estimate.low < 4
    assert "without a confidence level" in finding.reason
    assert state("exponent", Bounds(high=1), censored) == "contradicted"
    assert state("exponent", Bounds(high=9), censored) == "undecided"


def test_exponent_excess_and_growth():
    steep, flat = (lambda d: d**4 / 20), (lambda d: 6 * d**2)
    two = evidence_of(rows_of(steep), rows_of(flat, learner="reference", seed=1))
    for bounds, word in (
        (Bounds(low=1), "supported"),
        (Bounds(low=3), "contradicted"),
        (Bounds(low=2), "undecided"),
        (Bounds(high=1), "contradicted"),
    ):
        assert state("exponent_excess", bounds, two, reference="reference") == word
    targets = evidence_of(rows_of(flat), rows_of(steep, target="u", seed=1))
    assert state("exponent_growth", Bounds(low=1), targets, targets=("t", "u")) == "supported"
    assert state("exponent_growth", Bounds(high=1), targets, targets=("t", "u")) == "contradicted"
    assert state("exponent_growth", Bounds(high=-1), targets, targets=("u", "t")) == "supported"
    short = evidence_of(rows_of(flat), rows_of(steep, target="u", dims=(8, 12)))
    assert state("exponent_growth", Bounds(high=1), short, targets=("t", "u")) == "undecided"


def test_dimension_slope():
    kernel, net = evidence_of(rows_of(polynomials)), evidence_of(rows_of(lambda d: 6 * d**2))
    asks = {2: 0.1, 4: 0.9}
    assert state("dimension_slope", Bounds(low=0.8), kernel) == "supported"
    assert state("dimension_slope", Bounds(low=0.8), net) == "contradicted"
    assert (
        state("dimension_slope", Bounds(low=0.8), evidence_of(rows_of(polynomials, (8, 12)))) == "undecided"
    )
    low_degree = dataclasses.replace(evidence_of(rows_of(polynomials), shares=asks), certificates={})
    assert state("dimension_slope", Bounds(low=0.8), low_degree) == "undecided", "degree unknown"


def test_ratio_of_n_star():
    rows = rows_of(lambda d: 30 * d**2, dims=(8,))
    two = evidence_of(rows, rows_of(lambda d: 6 * d**2, dims=(8,), learner="reference", seed=1))
    for bounds, word in (
        (Bounds(low=2), "supported"),
        (Bounds(high=2), "contradicted"),
        (Bounds(low=5), "undecided"),
    ):
        assert state("n_star_ratio", bounds, two, reference="reference") == word
    finding = judge_criterion(criterion("n_star_ratio", Bounds(low=2), reference="reference"), two)
    assert finding.estimate.low < 5 < finding.estimate.high and finding.n_rows == len(two.rows)
    other = evidence_of(rows, rows_of(lambda d: 6 * d**2, dims=(8,), target="u", seed=1))
    assert state("n_star_ratio", Bounds(high=0.5), other, targets=("t", "u")) == "supported"
    apart = evidence_of(rows, rows_of(lambda d: 6 * d**2, dims=(12,), learner="reference"))
    assert state("n_star_ratio", Bounds(low=2), apart, reference="reference") == "undecided"
    out = rows_of(lambda d: 30 * d**2, dims=(8,), n_max=1100, sigma=0.0)
    censored = evidence_of(out, rows_of(lambda d: d**2, dims=(8,), learner="reference", sigma=0.0))
    assert state("n_star_ratio", Bounds(low=2), censored, reference="reference") == "supported"
    assert state("n_star_ratio", Bounds(high=99), censored, reference="reference") == "undecided"


def test_a_ratio_to_the_reference_is_that_of_the_replicates_in_common():
    """The reference has twelve more, of targets that are ten times as hard."""
    own = rows_of(lambda d: 12 * d**2, dims=(8,))
    same = rows_of(lambda d: 6 * d**2, dims=(8,), learner="reference", seed=1)
    more = rows_of(lambda d: 60 * d**2, dims=(8,), learner="reference", replicates=16, seed=2)
    both = evidence_of(own, same, [r for r in more if r.target_index >= 4])
    whole = criterion("n_star_ratio", Bounds(), reference="reference")
    (found,), (twin,) = (
        QUANTITIES["n_star_ratio"].estimates(evidence, whole, 0.95)
        for evidence in (both, evidence_of(own, same))
    )
    assert (found.value, found.low, found.high) == (twin.value, twin.low, twin.high)
    assert found.low < 2 < found.high < 4
    apart = evidence_of(own, [r for r in more if r.target_index >= 4])
    (none,) = QUANTITIES["n_star_ratio"].estimates(apart, whole, 0.95)
    assert none.value is None and none.note == "no n* known on one side"


def test_share_of_curves_that_reach_an_error_is_never_contradicted():
    there = evidence_of(rows_of(lambda d: 6 * d**2))
    assert state("reached", Bounds(low=0.75), there) == "supported"
    nowhere = evidence_of(rows_of(lambda d: 6 * d**2, n_max=150))
    finding = judge_criterion(criterion("reached", Bounds(low=0.75)), nowhere)
    assert finding.state == "undecided" and "more samples" in finding.reason
    half = evidence_of(rows_of(lambda d: 6 * d**2, n_max=1500))
    estimate = judge_criterion(criterion("reached", Bounds(low=0.75)), half).estimate
    count = round(16 * estimate.value)
    assert 0 < count < 16 and estimate.high == 1
    twin = stats.binomtest(count, 16).proportion_ci(0.95, "exact")
    assert estimate.low == pytest.approx(twin.low)


def falling(slope, learner="net", noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    return [
        row(n, n**slope * math.exp(noise * rng.normal()), r=r, learner=learner)
        for r in range(4)
        for n in (100, 1000, 2000, 4000, 8000)
    ]


def test_slope_at_the_end_of_a_curve_and_its_excess():
    down, floor = evidence_of(falling(-1.0)), evidence_of(falling(0.0))
    assert state("final_slope", Bounds(high=-0.5), down) == "supported"
    assert state("final_slope", Bounds(high=-0.5), floor) == "contradicted"
    assert state("final_slope", Bounds(low=-0.3), floor) == "supported"
    assert state("final_slope", Bounds(low=-0.3), evidence_of(falling(-0.3, noise=0.5))) == "undecided"
    two = evidence_of(falling(0.0), falling(-1.0, "reference", seed=1))
    assert state("final_slope_excess", Bounds(low=0.5), two, reference="reference") == "supported"
    assert state("final_slope_excess", Bounds(high=0.5), two, reference="reference") == "contradicted"
    assert state("final_slope_excess", Bounds(low=1.0), two, reference="reference") == "undecided"
    # what came before the last decade of n does not count, nor does a row that failed
    early = [dataclasses.replace(r, error=1e3) if r.n == 100 else r for r in falling(0.0)]
    spoilt = [*early, row(6000, 1e9, status="diverged")]
    assert state("final_slope", Bounds(low=-0.3), evidence_of(spoilt)) == "supported"
    few = evidence_of([r for r in falling(-1.0) if r.n >= 4000])
    assert state("final_slope", Bounds(high=-0.5), few) == "undecided", "two sizes show no slope"


def test_share_beyond_the_dimension_counts_curves_that_never_get_there():
    """C(8 + 4, 4) = 495: n* beyond it counts as soon as it is known to be, n* within it never."""
    at = functools.partial(rows_of, dims=(8,), replicates=16, sigma=0.02)
    shares = [stats.binomtest(k, 16).proportion_ci(0.95, "exact") for k in (0, 16)]
    for curves, kind, ends in (
        (at(lambda d: 1500), "supported", (shares[1].low, 1.0)),
        (at(lambda d: 4000, n_max=900), "supported", (shares[1].low, 1.0)),
        (at(lambda d: 4000, n_max=300), "undecided", (0.0, 1.0)),
        (at(lambda d: 150), "contradicted", (0.0, shares[0].high)),
    ):
        finding = judge_criterion(criterion("beyond_dimension", Bounds(low=0.75)), evidence_of(curves))
        assert finding.state == kind, ends
        assert (finding.estimate.low, finding.estimate.high) == pytest.approx(ends)
    apart = evidence_of(at(lambda d: 1500), at(lambda d: 1500, target="u"))
    assert (
        len(QUANTITIES["beyond_dimension"].estimates(apart, criterion("beyond_dimension", Bounds()), 0.95))
        == 1
    )


def test_share_of_curves_that_fall_at_every_fourfold_step():
    def curves(errors, replicates=16):
        sizes = (1500, 6000, 24000)
        return evidence_of(
            [row(n + r, e, r=r) for r in range(replicates) for n, e in zip(sizes, errors(r), strict=True)]
        )

    low = stats.binomtest(16, 16).proportion_ci(0.95, "exact").low
    finding = judge_criterion(criterion("falling", Bounds(low=0.75)), curves(lambda r: (0.1, 0.01, 0.001)))
    assert (finding.state, finding.estimate.low) == ("supported", pytest.approx(low))
    assert state("falling", Bounds(low=0.75), curves(lambda r: (0.1, 0.01, 0.01))) == "contradicted"
    assert state("falling", Bounds(low=0.75), curves(lambda r: (0.1, 0.01 + (r < 2), 0.001))) == "undecided"
    assert state("falling", Bounds(low=0.75), curves(lambda r: (0.1, 0.01, 0.001), 4)) == "undecided"
    floor = curves(lambda r: [0.01 + 10 / n for n in (1500, 6000, 24000)])
    assert state("falling", Bounds(low=0.75), floor) == "contradicted", "a floor of 0.01"
    failed = [
        dataclasses.replace(x, status="diverged", error=None) if x.n > 20000 else x
        for x in curves(lambda r: (0.1, 0.01, 0.001)).rows
    ]
    assert state("falling", Bounds(low=0.75), evidence_of(failed)) == "contradicted", (
        "what failed does not fall"
    )
    close = evidence_of([row(n, 1.0 / n, r=r) for r in range(16) for n in (1500, 3000)])
    assert state("falling", Bounds(low=0.75), close) == "undecided"


def test_a_criterion_may_speak_of_some_dimensions_only():
    rows = evidence_of(rows_of(lambda d: 30 * d**2), rows_of(lambda d: 6 * d**2, learner="reference", seed=1))
    whole = criterion("n_star_ratio", Bounds(low=2), reference="reference")
    assert len(judge_criterion(whole, rows).estimates) == len(DIMENSIONS)
    one = judge_criterion(dataclasses.replace(whole, d=(16,)), rows)
    assert [e.label.rpartition("d = ")[2] for e in one.estimates] == ["16"]


def test_every_quantity_has_been_tested():
    source = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    for name, quantity in QUANTITIES.items():
        function = getattr(quantity.measured, "__name__", name)
        assert f'"{name}"' in source or re.search(rf"\b{function}\b", source), name


# --- twins of the intervals -------------------------------------------------------------------------


def test_difference_of_symmetric_intervals_is_the_usual_one():
    a, b = IntervalEstimate("a", 3.0, 3.0 - 0.3, 3.0 + 0.3), IntervalEstimate("b", 1.0, 1.0 - 0.4, 1.0 + 0.4)
    found = difference("a - b", a, b)
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 1.5, 2.5))
    bound = difference("", IntervalEstimate("a", None, low=4.0), b)
    assert (bound.value, bound.low, bound.high) == (None, pytest.approx(2.6), math.inf)
    assert difference("", a, IntervalEstimate("b", None)).low == -math.inf


def test_mean_over_replicates_has_the_interval_of_student():
    values = [0.3, 0.5, 0.1, 0.9]
    twin = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    found = mean_estimate("", values, 0.9, 4)
    assert (found.low, found.high) == pytest.approx((twin.low, twin.high))
    assert mean_estimate("", values[:2], 0.9, 2).value is None


def test_ratio_of_exactly_known_n_star_has_the_interval_of_student():
    rng = np.random.default_rng(1)
    samples = [np.log(900) + 0.3 * rng.normal(size=5), np.log(300) + 0.3 * rng.normal(size=4)]

    def stars(logs):
        return [
            NStar("l", "t", 8, Replicate(r, r, r), EPS, *ends, "bracketed", 0.1, 2)
            for r, v in enumerate(logs)
            for ends in [(math.exp(v - 5e-4), math.exp(v + 5e-4))]
        ]

    found = n_star_ratio("", stars(samples[0]), stars(samples[1]), 0.95)
    twin = stats.ttest_ind(*samples).confidence_interval(0.95)
    assert math.log(found.value) == pytest.approx(samples[0].mean() - samples[1].mean(), abs=1e-3)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((twin.low, twin.high), abs=5e-3)


# --- from criteria to verdicts ----------------------------------------------------------------------


def claim_of(*criteria):
    return Claim("C01", "so it is", "a paper", "", FIXED[0], criteria)


def test_a_claim_needs_all_its_criteria_and_falls_with_one():
    known = {"default": evidence_of(rows_of(lambda d: 6 * d**2))}
    good, bad = criterion("exponent", Bounds(high=3)), criterion("exponent", Bounds(low=3))
    estimate = judge_criterion(good, known["default"]).estimate.value
    open_one = criterion("exponent", Bounds(high=estimate))
    to_come = Criterion("C01", "to come", "correction", "slope", Bounds(low=1), (), ())
    assert judge(claim_of(good, good), known).word == "supported"
    assert judge(claim_of(good, open_one), known).word == "undecided"
    assert judge(claim_of(good, open_one, to_come, bad), known).word == "contradicted"
    beside = dataclasses.replace(bad, beside=True)
    verdict = judge(claim_of(beside, good), known)
    assert verdict.word == "supported" and len(verdict.findings) == 2 and len(verdict.deciding) == 1
    waiting = judge(claim_of(good, to_come), known)
    assert (waiting.word, waiting.missing) == ("undecided", ("correction",))
    assert waiting.reason == "not measured yet: hierbench run correction"
    assert claims_report.verdict_text(waiting) == "undecided (measured in part), nets trained with Adam"
    assert claims_report.verdict_text(judge(claim_of(to_come), known)) == "undecided (not measured yet)"
    by_data = judge(claim_of(open_one), known)
    assert claims_report.verdict_text(by_data) == "undecided by data, nets trained with Adam"
    assert by_data.missing == () and by_data.n_rows == len(known["default"].rows)


def test_missing_units_leave_a_criterion_unmeasured():
    whole = evidence_of(rows_of(lambda d: 6 * d**2))
    finding = judge_criterion(criterion("exponent", Bounds(high=3)), whole)
    assert finding.state == "supported" and finding.optimizers == ("Adam",)
    part = dataclasses.replace(whole, missing={("net", "t", 8): 2})
    finding = judge_criterion(criterion("exponent", Bounds(high=3)), part)
    assert (finding.state, finding.reason) == (
        "unmeasured",
        "2 of its units are missing: hierbench run default",
    )
    elsewhere = dataclasses.replace(whole, missing={("other", "t", 8): 2})
    assert judge_criterion(criterion("exponent", Bounds(high=3)), elsewhere).state == "supported"
    assert judge_criterion(criterion("exponent", Bounds(high=3)), None).state == "unmeasured"
    nothing = judge_criterion(criterion("final_slope", Bounds(high=3)), SuiteResults([], {}))
    assert (nothing.state, nothing.n_rows) == ("unmeasured", 0)


def test_a_criterion_asks_only_about_the_d_that_it_uses():
    whole = evidence_of(rows_of(lambda d: 6 * d**2), rows_of(lambda d: 6 * d**2, learner="other"))

    def state_with(missing, quantity="exponent", **others):
        one = criterion(quantity, Bounds(low=-9), **others)
        return judge_criterion(one, dataclasses.replace(whole, missing=missing)).state

    at_32, somewhere = {("net", "t", 32): 1}, {("net", "t", None): 1}
    assert state_with(at_32) == state_with(somewhere) == "unmeasured"
    assert state_with(at_32, d=DIMENSIONS) == "supported"
    assert state_with(at_32, d=(8, 12, 16, 32)) == "unmeasured"
    assert state_with(somewhere, d=DIMENSIONS) == "unmeasured", "it may be one of these"
    # the other learner is not planned at d = 32, so that nothing is compared there
    assert state_with(at_32, "exponent_excess", reference="other") == "supported"
    both = {**at_32, ("other", "t", 32): 1}
    assert state_with(both, "exponent_excess", reference="other") == "unmeasured"
    assert state_with({("other", "t", 8): 1}, "exponent_excess", reference="other") == "unmeasured"
    assert state_with(at_32, "final_slope") == "unmeasured"


def test_exponents_are_compared_over_the_d_that_both_have():
    """A line that bends: d^2 to d = 16 and d^4 above, of which the other learner has the first part."""
    bent = rows_of(lambda d: 6 * d**2 * max(1.0, d / 16) ** 2, dims=(8, 12, 16, 24, 32, 48))
    square = rows_of(lambda d: 6 * d**2, dims=(8, 12, 16), learner="reference", seed=1)
    found = judge_criterion(
        criterion("exponent_excess", Bounds(-0.9, 0.9), reference="reference"), evidence_of(bent, square)
    )
    assert abs(found.estimate.value) < 0.4 and found.estimate.label.endswith("less reference, d = 8, 12, 16")
    whole = judge_criterion(criterion("exponent", Bounds(high=9)), evidence_of(bent)).estimate.value
    assert whole > 2.6, "over its own d it would seem to grow faster"
    other = [dataclasses.replace(r, learner="net", target="u") for r in square]
    growth = judge_criterion(
        criterion("exponent_growth", Bounds(-0.9, 0.9), targets=("u", "t")), evidence_of(bent, other)
    )
    assert abs(growth.estimate.value) < 0.4 and "d = 8, 12, 16" in growth.estimate.label
    two = evidence_of(bent, [r for r in square if r.d < 16])
    few = judge_criterion(criterion("exponent_excess", Bounds(low=-9), reference="reference"), two)
    assert few.state == "undecided" and "2 of the 3 d in common" in few.reason


def test_one_of_many_figures_contradicts_only_beyond_what_chance_would_do():
    """At 95 % one of 20 is outside by chance: each is asked at 99.75 %."""
    learners = [f"net{i}" for i in range(20)]
    values = {"net0": 1.3}
    curves = [falling(-values.get(name, 1.0), name, noise=0.3, seed=i) for i, name in enumerate(learners)]
    many = evidence_of(*curves)
    slopes = QUANTITIES["final_slope"].estimates(
        many, criterion("final_slope", Bounds(), learners=tuple(learners)), 0.95
    )
    edge = (slopes[0].high + slopes[0].value) / 2  # 95 % still reaches over it, on that side
    bounds = Bounds(low=slopes[0].high + 0.01 * (slopes[0].high - edge))
    assert decide(slopes[0], bounds) == "contradicted"
    assert state("final_slope", bounds, many, learners=("net0",)) == "contradicted"
    assert state("final_slope", bounds, many, learners=tuple(learners)) != "contradicted"


# --- the file ---------------------------------------------------------------------------------------


def test_all_claims_are_there_and_name_what_exists():
    claims = load_claims()
    assert [c.id for c in claims] == [f"C{i:02d}" for i in range(1, 18)]
    for claim in claims:
        assert claim.statement and claim.source and claim.kind in KINDS
        assert claim.fixed.partition(": ")[0] in FIXED
        assert any(not c.beside for c in claim.criteria)
        for c in claim.criteria:
            assert c.claim == claim.id and (math.isfinite(c.bounds.low) or math.isfinite(c.bounds.high))
            suite = load_suite(c.suite)
            if c.experiments:
                assert set(c.experiments) <= {e.label for e in suite.experiments}
                continue
            measured = {(learner, target) for r in suite.runs for learner, target, _ in r.cells()}
            assert c.cells() <= measured and c.cells()
    for claim in choose(claims, ["c05", "C06", "C07"]):
        assert claim.scope.startswith("for the kernels tested")
    by_experiment = {c.id for c in claims if all(x.experiments for x in c.criteria)}
    assert by_experiment == {"C09", "C10", "C11", "C13", "C14", "C17"}


def test_a_second_look_is_held_to_half_the_error():
    whole = evidence_of(rows_of(lambda d: 6 * d**2))
    first = criterion("exponent", Bounds(high=3))
    second = dataclasses.replace(first, looks=2)
    once, twice = judge_criterion(first, whole), judge_criterion(second, whole)
    assert twice.estimate.value == once.estimate.value
    assert twice.estimate.low < once.estimate.low and twice.estimate.high > once.estimate.high
    assert "look 2: intervals at 97.5%" in twice.reason and "look" not in once.reason
    edge = Bounds(high=(once.estimate.high + twice.estimate.high) / 2)
    assert judge_criterion(dataclasses.replace(first, bounds=edge), whole).state == "supported"
    assert judge_criterion(dataclasses.replace(second, bounds=edge), whole).state == "undecided"


HEAD = """\
[[claim]]
id = "C01"
statement = "so it is"
source = "a paper"
fixed = "before any of its rows"
kind = "theorem"
[[criterion]]
claim = "C01"
what = "a figure"
suite = "ci"
quantity = "exponent"
targets = ["squares-L2"]
learners = ["densenet"]
epsilons = [0.1]
at_most = 3
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('suite = "ci"', 'suite = "cii"', 10, "unknown suite 'cii': did you mean 'ci'?"),
        ('"exponent"', '"exponents"', 11, "unknown quantity 'exponents': did you mean 'exponent'?"),
        ('["densenet"]', '["densnet"]', 13, "did you mean 'densenet'?"),
        ('["squares-L2"]', '["squares-L3"]', 12, "did you mean 'squares-L2'?"),
        ("at_most = 3", "at_least = 1\nat_most = 3", 16, "allowed is one of at_most, at_least, within"),
        ("at_most = 3", "", 7, "allowed is one of at_most, at_least, within"),
        (
            "at_most = 3",
            "within = [2, 1]",
            15,
            "within = [2, 1]: allowed are two numbers, the smaller one first",
        ),
        ("at_most = 3", "at_most = 1" + "0" * 400, 15, "at_most = 1000"),
        ("at_most = 3", "at_most = inf", 15, "allowed is a finite number of size up to 1e+12"),
        ("at_most = 3", "at_mots = 3", 7, "bounds = []: allowed is one of"),
        (
            "epsilons = [0.1]\n",
            "",
            11,
            "epsilons = []: allowed are values of epsilons, relative_epsilons, top_epsilons, weakest",
        ),
        ("epsilons = [0.1]", "epsilons = [-1]", 14, "epsilons = -1: allowed are positive numbers from 1e-12"),
        ('"exponent"', '"exponent_excess"', 11, "reference = None: allowed are labels of learners"),
        (
            '"exponent"',
            '"n_star_ratio"',
            11,
            "pairs of target and epsilon = 1: allowed are 2, or any with reference",
        ),
        ('"exponent"', '"exponent_growth"', 11, "allowed are 2, without reference, where quantity"),
        ('claim = "C01"', 'claim = "C02"', 8, "unknown claim 'C02'"),
        (
            '"before any of its rows"',
            '"later"',
            5,
            "fixed = 'later': allowed are 'before any of its rows' or",
        ),
        ('its rows"', 'its rows: later"', 5, "a commit may follow"),
        ('"theorem"', '"theory"', 6, "unknown kind 'theory': did you mean 'theorem'?"),
        ("at_most = 3", "at_most = 3\nd = [8, 9]", 16, "d = 9: allowed are dimensions at which suite ci has"),
        ("at_most = 3", "at_most = 3\nbesides = true", 16, "unknown key 'besides': did you mean 'beside'?"),
        ("at_most = 3", "at_most = 3\nlooks = 0", 16, "looks"),
        ("at_most = 3", "at_most = 3\nbeside = true", 2, "no [[criterion]] that decides it"),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(tmp_path, old, new, line, message):
    path = tmp_path / "claims.toml"
    path.write_text(HEAD)
    assert load_claims(path)[0].criteria[0].bounds == Bounds(high=3)
    assert HEAD.count(old) >= 1
    path.write_text(HEAD.replace(old, new, 1) if old != 'claim = "C01"' else HEAD.replace(old, new))
    with pytest.raises(UserError) as error:
        load_claims(path)
    text = str(error.value)
    assert text.startswith(f"{path}:{line}: ") and message in text and "\n" not in text


# --- evidence and what is printed ---------------------------------------------------------------------


def test_evidence_knows_what_is_missing(tmp_path):
    path = suite_file(tmp_path, {"Mean": ""})
    results = tmp_path / "results"
    Store.writable(results).close()
    with Store.readable(results) as store:
        before = SuiteResults.read(path, store)
    assert before.missing["Mean", "sq", 4] > 0 and not before.rows
    assert not run(path, results).failed
    with Store.readable(results) as store:
        after = SuiteResults.read(path, store)
    assert not +after.missing and len(after.rows) == 8 and after.certificates  # type: ignore[operator]


def test_later_d_of_an_adaptive_block_are_missing_although_their_sizes_are_not_known(tmp_path):
    Store.writable(tmp_path).close()
    with Store.readable(tmp_path) as store:
        missing = SuiteResults.read("paper-cpu", store).missing
    dims = {d for learner, target, d in missing if (learner, target) == ("densenet", "squares-L2")}
    assert dims == {6, 8, 10, 12, 16, 20, 24, 32}


def test_units_at_fixed_sizes_begin_no_grid(tmp_path):
    Store.writable(tmp_path).close()
    with Store.readable(tmp_path) as store:
        missing = SuiteResults.read("fixed_sizes", store).missing
    counts = {d: count for (learner, _, d), count in missing.items() if learner == "densenet"}
    assert counts == dict.fromkeys((8, 10, 12, 16, 24), counts[8]), "a grid and the fixed sizes at each"


def test_certificates_that_another_learner_needs_are_not_missing(tmp_path):
    """Of a cell counts what it stands on: the targets of its own d."""
    small = suite_file(tmp_path, {"Mean": ""}, d=(4,))
    assert not run(small, tmp_path / "results").failed
    text = Path(small).read_text()
    other = text[text.index("[[learner]]") : text.index("[[run]]")].replace('"Mean"', '"Other"', 1)
    more = text[text.index("[[run]]") :].replace('"Mean"', '"Other"').replace("[4]", "[6]")
    both = tmp_path / "both.toml"
    both.write_text(text.replace("[[run]]", other + "\n[[run]]", 1) + "\n" + more)
    with Store.readable(tmp_path / "results") as store:
        missing = SuiteResults.read(str(both), store).missing
    assert set(+missing) == {("Other", "sq", 6)} and missing["Other", "sq", 6] == 1 + 4


def test_optimiser_is_the_one_that_the_constructor_would_take():
    from hierbench.learners.registry import LEARNERS, load

    for descriptor in LEARNERS.values():
        chosen = load(descriptor.path)(**descriptor.parameters).get_params().get("optimizer")
        spec = {"name": descriptor.name, "parameters": dict(descriptor.parameters)}
        assert suite_results._optimizer(spec) == (
            None if chosen is None else suite_results.OPTIMIZERS[chosen]
        )
    spec = {"name": "densenet", "parameters": {"optimizer": "sgd"}}
    assert suite_results._optimizer(spec) == "SGD"


def test_a_class_with_a_base_of_its_own_name_has_no_optimizer(tmp_path, monkeypatch):
    (tmp_path / "same_name.py").write_text(
        "class Ridge(Ridge):\n    def fit(self, X, y): ...\n    def predict(self, X): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert suite_results._optimizer({"name": "same_name:Ridge", "parameters": {}}) is None


@pytest.fixture
def verdicts():
    """One verdict of each kind, with characters that both markups give a meaning to."""
    known = {"default": evidence_of(rows_of(lambda d: 6 * d**2))}
    odd = Claim("C02", "a_b & 50 % of #1 {x} ~ $y^2$ \\ <|*>", "s_1 [2]", "n | m", FIXED[1], ())
    criteria = (criterion("exponent", Bounds(high=3)), criterion("exponent", Bounds(low=3)))
    to_come = Criterion("C03", "to come", "correction", "slope", Bounds(0.5, 1), (), ())
    chosen = [
        dataclasses.replace(odd, criteria=criteria[:1]),
        dataclasses.replace(odd, id="C03", criteria=criteria[1:]),
        dataclasses.replace(odd, id="C04", criteria=(to_come,)),
    ]
    return [judge(claim, known) for claim in chosen]


def test_markdown_is_a_table_with_every_claim_and_a_part_for_each(verdicts, tmp_path):
    text = claims_report.markdown(verdicts, tmp_path)
    lines = text.splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[:5]]
    assert {len(c) for c in cells} == {len(claims_report.COLUMNS)}
    assert [c[0].strip() for c in cells[2:]] == [
        f"[{name}](#{name.lower()})" for name in ("C02", "C03", "C04")
    ]
    assert "supported, nets trained with Adam" in cells[2][3] and "contradicted" in cells[3][3]
    assert "not measured yet" in cells[4][3]
    assert "3 claims: 1 supported, 1 contradicted, 1 undecided" in lines
    assert [line for line in lines if line.startswith("## ")] == ["## C02", "## C03", "## C04"]
    assert f"- missing rows: `hierbench run correction --results {tmp_path}`" in lines


def test_what_a_theorem_assumes_is_needed_or_not(verdicts, tmp_path):
    assumed = [
        dataclasses.replace(v, claim=dataclasses.replace(v.claim, kind="assumption")) for v in verdicts
    ]
    texts = [claims_report.verdict_text(v) for v in assumed]
    assert [t.partition(",")[0] for t in texts] == [
        "needed here",
        "not needed here",
        "undecided (not measured yet)",
    ]
    mixed = claims_report.markdown([*verdicts, *assumed], tmp_path).splitlines()
    assert "6 claims: 1 supported, 1 contradicted, 2 undecided, 1 needed here, 1 not needed here" in mixed


@pytest.mark.parametrize(
    ("estimate", "bounds", "said"),
    [
        # half-length 0.4 against 0.2 from the bound: four times the replicates, three times the hours on top
        (
            IntervalEstimate("", 2.8, 2.4, 3.2),
            Bounds(high=3.0),
            "4.0 times as many replicates (4 a d where there are 1), about 6 core-hours",
        ),
        (IntervalEstimate("", 2.8, 2.4, 3.2), Bounds(high=3.0), "make it supported"),
        (IntervalEstimate("", 3.2, 2.8, 3.6), Bounds(high=3.0), "make it contradicted"),
        (
            IntervalEstimate("", 0.3, -0.1, 0.4),
            Bounds(low=0.0),
            "reaches 0.4 from the figure, and the bound is 0.3 away",
        ),
        (IntervalEstimate("", 3.01, 2.4, 3.6), Bounds(high=3.0), "the figure is at its bound"),
        (IntervalEstimate("", None, low=3.2), Bounds(low=9.0), "larger samples, or more d"),
        (IntervalEstimate("", 2.0, -math.inf, math.inf), Bounds(low=0.0), "larger samples, or more d"),
        (IntervalEstimate("", 2.0, -math.inf, 3.2), Bounds(high=3.0), "1.5 times as many replicates"),
    ],
)
def test_where_the_data_leave_it_open_it_says_what_would_decide(estimate, bounds, said):
    assert decide(estimate, bounds) == "undecided"
    assert said in narrower(estimate, bounds, [row(100, 0.1, fit_seconds=7200.0)]).text


def test_one_of_many_that_is_outside_by_itself_has_no_price():
    estimate = IntervalEstimate("", 0.5, 0.45, 0.55)
    assert narrower(estimate, Bounds(low=0.6)).text.startswith("contradicted alone")


def test_an_open_criterion_carries_its_price():
    rows = evidence_of(rows_of(lambda d: 6 * d**2))
    estimate = judge_criterion(criterion("exponent", Bounds(high=3)), rows).estimate
    near = Bounds(high=(estimate.value + estimate.high) / 2)
    finding = judge_criterion(criterion("exponent", near), rows)
    assert (
        finding.state == "undecided"
        and "4.0 times as many replicates (16 a d where there are 4" in finding.ahead.text
    )
    assert "16 d instead of 4" in finding.ahead.text
    assert judge_criterion(criterion("exponent", Bounds(high=3)), rows).ahead is None


def test_of_missing_units_it_says_which_and_what_they_take():
    whole = evidence_of(rows_of(lambda d: 6 * d**2))
    missing = {("net", "t", 24): 2, ("net", "t", 16): 1, ("other", "t", 8): 7}
    part = dataclasses.replace(whole, missing=missing, prices={("net", "t", 24): 7000, ("net", "t", 16): 200})
    finding = judge_criterion(criterion("exponent", Bounds(high=3)), part)
    assert finding.ahead.hours == pytest.approx(2)
    assert finding.ahead.text == "3 units are missing: net on t, d = 16, 24, about 2 core-hours"
    assert finding.ahead.command == "hierbench run default --learner=net --target=t --d=16 --d=24"
    said = claims_report.text([judge(claim_of(finding.criterion), {"default": part})], Path("else where"))
    assert f"{finding.ahead.command} --results 'else where'" in " ".join(said.split())
    unknown_d = dataclasses.replace(whole, missing={("net", "t", None): 1})
    ahead = judge_criterion(criterion("exponent", Bounds(high=3)), unknown_d).ahead
    assert ahead.text == "1 unit is missing: net on t"
    assert ahead.command == "hierbench run default --learner=net --target=t"
    experiments = SuiteResults(
        [], {}, missing_experiments={"trace": 3, "else": 1}, experiment_prices={"trace": 1800.0}
    )
    one = Criterion(
        "C01", "", "correction", "first_level_slope_before", Bounds(low=1), (), (), experiments=("trace",)
    )
    ahead = judge_criterion(one, experiments).ahead
    assert ahead.text == "3 units are missing: trace, about 0.5 core-hours"
    assert ahead.command == "hierbench run correction --experiment=trace"


def test_of_a_side_that_does_not_get_there_it_says_at_which_d_up_to_which_size():
    rows = rows_of(lambda d: 6 * d**2, n_max=1500, sigma=0.0)
    timed = [dataclasses.replace(r, fit_seconds=3.6 * r.n / 1000) for r in rows]
    finding = judge_criterion(criterion("exponent", Bounds(high=3)), evidence_of(timed))
    last = [max(r.n for r in rows if (r.d, r.target_index) == (d, k)) for d in (16, 24) for k in range(4)]
    assert finding.state == "undecided" and finding.ahead.text.startswith(
        f"net on t, eps = 0.1: net does not reach eps = 0.1 on t, d = 16, 24 with n up to {max(last)}: sizes"
    )
    # seconds go like n: one size more, of each of the replicates that are beyond
    assert finding.ahead.hours == pytest.approx(2 * sum(last) / 1e6, rel=1e-6)
    other = rows_of(lambda d: 6 * d**2, learner="reference", sigma=0.0)
    both = judge_criterion(
        criterion("n_star_ratio", Bounds(0.5, 2), reference="reference"), evidence_of(timed, other)
    )
    assert "net does not reach" in both.ahead.text and "reference does not" not in both.ahead.text


def test_the_next_experiment_of_a_claim_is_the_cheapest_or_one_that_may_contradict():
    def rows(hours, learner="net", law=lambda d: 6 * d**2):
        found = rows_of(law, learner=learner)
        return [dataclasses.replace(r, fit_seconds=3600 * hours / len(found)) for r in found]

    known = {"default": evidence_of(rows(1), rows(5, "slow"))}
    estimate = judge_criterion(criterion("exponent", Bounds(high=3)), known["default"]).estimate
    near = Bounds(high=(estimate.value + estimate.high) / 2)
    past = Bounds(high=(estimate.value + estimate.low) / 2)
    cheap, dear = criterion("exponent", near), criterion("exponent", near, learners=("slow",))
    assert judge(claim_of(cheap, dear), known).ahead.hours == pytest.approx(3, rel=0.2)
    against = criterion("exponent", past, learners=("slow",))
    verdict = judge(claim_of(cheap, against), known)
    assert "make it contradicted" in verdict.ahead.text and verdict.ahead.hours > 10
    assert judge(claim_of(criterion("exponent", Bounds(high=3))), known).ahead is None
    both = judge_criterion(criterion("exponent", near, learners=("net", "slow")), known["default"])
    assert both.ahead.text.startswith("slow on t") and both.ahead.text.endswith("(1 more figures are open)")
    text = claims_report.text([judge(claim_of(cheap, dear), known)], Path("results"))
    assert text.count("next experiment: net on t") == 1 and text.count("would make it") == 2


def test_prices_are_those_of_a_dry_run(tmp_path):
    path = suite_file(tmp_path, {"Mean": "", "FastMean": ""}, d=(4, 5))
    plan = make_plan(load_suite(path))
    with Store.writable(tmp_path) as store:
        done = plan.curves[0]
        store.commit(
            done, dataclasses.replace(done.without_numbers("ok", ""), status="done", seconds=7 * done.cost)
        )
        found = SuiteResults.read(path, store)
    expected = {(u.learner, u.target, u.d): 7 * u.cost for u in plan.curves[1:]}
    assert found.prices == pytest.approx(expected), (
        "those of a learner that was not run take the ratio of all"
    )
    rows = [row(10, 0.1, d=done.d, learner=done.learner, target=done.target, fit_seconds=7 * done.cost)]
    missing = dict.fromkeys(expected, 1)
    assert prices_by_cell(plan.curves, rows, missing) == pytest.approx(expected)
    somewhere = prices_by_cell(plan.curves, rows, {("FastMean", "sq", None): 1})
    assert somewhere == {
        ("FastMean", "sq", None): pytest.approx(sum(expected["FastMean", "sq", d] for d in (4, 5)) / 2)
    }


def test_another_suite_with_the_same_cells_may_decide():
    claims = moved(load_claims(), load_suite("paper"))
    suites = {c.id: {k.suite for k in c.criteria} for c in claims}
    assert suites["C01"] == {"paper"} and suites["C09"] == {"correction"}
    assert suites["C03"] == {"paper", "correction", "real"}
    for claim in claims:
        assert "paper-cpu" not in suites[claim.id]
    with pytest.raises(
        UserError, match="--on: suite correction has the learners and targets of no criterion"
    ):
        moved(load_claims(), load_suite("correction"))


def test_latex_is_escaped_and_balanced(verdicts, tmp_path):
    text = claims_report.latex(verdicts, tmp_path)
    depth = 0
    for mark in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if mark == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert text.count(r"\begin{") == text.count(r"\end{") == 1
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 3
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == 4 and line.endswith(r" \\")
        assert not re.search(r"(?<!\\)[#$%_]", line) and not re.search(r"[\^~<>|\"](?!})", line)
    # undone character by character, the escaped text is what it was
    undo = {v: k for k, v in claims_report.LATEX.items()}
    known = "|".join(map(re.escape, sorted(undo, key=len, reverse=True)))
    statement = verdicts[0].claim.statement
    escaped = claims_report.escaped(statement, claims_report.LATEX)
    assert escaped in body[0] and re.sub(known, lambda m: undo[m.group()], escaped) == statement


def test_command_line(status, tmp_path):
    code, out, err = status("claims", "--results", tmp_path)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "no results in" in err
    Store.writable(tmp_path).close()
    code, out, _ = status("claims", "--results", tmp_path)
    assert code == 0 and "17 claims: 0 supported, 0 contradicted, 17 undecided" in out
    assert all(f"C{i:02d}  undecided (not measured yet)" in out for i in range(1, 18))
    for suite in {c.suite for claim in load_claims() for c in claim.criteria}:
        assert f"missing rows: hierbench run {suite} --results {tmp_path}" in out
    code, out, _ = status("claims", "c09", "C14", "--results", tmp_path)
    assert code == 0 and "2 claims:" in out and "hierbench run correction" in out
    for form in ("markdown", "latex"):
        target = tmp_path / "new" / f"claims.{form}"
        code, out, _ = status("claims", "--results", tmp_path, "--format", form, "--output", target)
        assert code == 0 and out.strip() == str(target)
        assert all(re.search(rf"C{i:02d}\b", target.read_text()) for i in range(1, 18))
    code, _, err = status("claims", "C18", "--results", tmp_path)
    assert code == 2 and err.count("\n") == 1 and "unknown claim 'C18'" in err
    code, _, err = status("claims", "C09", "--results", tmp_path, "--output", tmp_path)
    assert code == 2 and err.count("\n") == 1 and "cannot be written" in err
