"""The gate's statistics: false alarms, power, equivalence, and each piece against a twin."""

import math

import numpy as np
import pytest
from curve_rows import row
from scipy import stats

from hierbench.benchmarks.gate.shifts import Estimate, Rule, compare, trimmed_mean, visible_shift
from hierbench.benchmarks.suites.epsilon import Epsilon

SIZES = (64, 160, 400, 1000)
EPSILONS = (Epsilon(0.3), Epsilon(0.1))


def curves(rng, sd, shift=0.0, learners=("a", "b", "c", "d"), tails=None, moved=("a",), replicates=4):
    """Power laws 12 / n with independent log-normal (or Student) noise of each replicate and size."""
    rows = []
    for learner in learners:
        for d in (6, 8, 12):
            for r in range(replicates):
                level = sd * rng.normal()
                for n in SIZES:
                    noise = rng.standard_t(tails) if tails else rng.normal()
                    log = math.log(12 / n) + level + sd * noise + (shift if learner in moved else 0.0)
                    rows.append(row(n, math.exp(log), d, r, learner=learner, error_se=0.01 * math.exp(log)))
    return rows


def verdicts(before, after, **given):
    comparison = compare(before, after, {}, EPSILONS, **given)
    return {(s.learner, s.quantity): s.verdict for s in comparison.shifts}, comparison


@pytest.mark.slow
@pytest.mark.parametrize("tails", [None, 2])
def test_false_alarms_stay_at_the_stated_rate(tails):
    """Tested against "no shift at all" (matters = 1): with what matters set aside there are fewer still."""
    rng = np.random.default_rng(0)
    runs, exact, stated = 200, 0, 0
    for _ in range(runs):
        before, after = curves(rng, 0.2, tails=tails), curves(rng, 0.2, tails=tails)
        exact += compare(before, after, {}, EPSILONS, Rule(matters=1.0)).alarm
        stated += compare(before, after, {}, EPSILONS).alarm
    assert exact <= stats.binom.ppf(0.995, runs, 0.05)
    assert stated <= exact
    if tails is None:
        assert exact >= stats.binom.ppf(0.005, runs, 0.05)  # and the test is not idle


@pytest.mark.parametrize("direction", [1, -1])
def test_a_planted_shift_is_called_with_its_direction_and_the_others_are_left_alone(direction):
    rng = np.random.default_rng(1)
    hits = wrong = 0
    for _ in range(20):
        moved, comparison = verdicts(
            curves(rng, 0.1), curves(rng, 0.1, shift=direction * math.log(1.6)), rule=Rule()
        )
        wanted = "worse" if direction > 0 else "better"
        hits += moved["a", "error"] == wanted
        wrong += any(v in ("worse", "better") for (learner, _), v in moved.items() if learner != "a")
        assert comparison.alarm == ("worse" in moved.values())
        shift = next(s for s in comparison.shifts if (s.learner, s.quantity) == ("a", "error"))
        assert 1.3 < shift.factor**direction < 2.0
    assert hits >= 19
    assert wrong <= 3


def test_the_smallest_visible_shift_is_seen_with_the_stated_power():
    """One curve among eight tests; its own paired noise decides what it could see."""
    rng = np.random.default_rng(2)
    sd, m, tests, rule = 0.2, 12, 8, Rule(trim=0.0)
    known = Estimate(0.0, sd / math.sqrt(m), m - 1, m)
    shift = visible_shift(known, tests, rule)
    samples = rng.normal(shift, sd, (4000, m))
    p = [trimmed_mean(s, 0.0).p_above(math.log(rule.matters)) for s in samples]
    assert np.mean(np.array(p) <= rule.rate / tests) == pytest.approx(0.8, abs=0.025)


def test_small_noise_is_equivalence_and_large_noise_leaves_it_open():
    rng = np.random.default_rng(3)
    same, _ = verdicts(curves(rng, 0.03), curves(rng, 0.03))
    assert set(same.values()) == {"same"}
    undecided, _ = verdicts(curves(rng, 0.8), curves(rng, 0.8))
    assert "open" in undecided.values()


def test_equivalence_is_wrongly_found_at_most_at_5_percent():
    """Two one-sided tests at the margin itself, on Student's t."""
    rng = np.random.default_rng(4)
    margin = math.log(Rule().margin)
    samples = rng.normal(margin, 0.1, (4000, 12))
    found = [
        max(e.p_above(-margin), e.p_below(margin)) <= 0.05
        for e in (trimmed_mean(s, Rule().trim) for s in samples)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("difference", [1e-12, -1e-9])
def test_differences_of_rounding_all_of_one_sign_never_alarm(difference):
    before = curves(np.random.default_rng(5), 0.2)
    after = [row(r.n, r.error * (1 + difference), r.d, r.target_index, learner=r.learner) for r in before]
    found, comparison = verdicts(before, after)
    assert set(found.values()) == {"same"} and not comparison.alarm
    error = next(s for s in comparison.shifts if s.quantity == "error")
    assert error.visible == pytest.approx(Rule().matters, rel=1e-6)


def test_a_deterministic_learner_alarms_beyond_what_matters_only():
    before = curves(np.random.default_rng(6), 0.2)
    for factor, alarm in ((1.04, False), (1.06, True)):
        after = [row(r.n, r.error * factor, r.d, r.target_index, learner=r.learner) for r in before]
        assert compare(before, after, {}, EPSILONS).alarm == alarm


def test_exact_fits_do_not_move():
    """1e-21 against 1e-24 is rounding, not a thousandfold shift."""
    before = [row(n, 1e-24, r=r) for n in SIZES for r in range(4)]
    after = [row(n, 1e-21, r=r) for n in SIZES for r in range(4)]
    assert not compare(before, after, {}, EPSILONS).alarm


def test_one_run_that_went_wrong_neither_alarms_nor_hides_a_shift():
    rng = np.random.default_rng(7)
    before, after = curves(rng, 0.05), curves(rng, 0.05)

    def spoiled(rows, factor):
        return [
            row(r.n, r.error * (factor if (r.d, r.target_index) == (8, 2) else 1), r.d, r.target_index,
                learner=r.learner)
            for r in rows
        ]  # fmt: skip

    assert not compare(before, spoiled(after, 50), {}, EPSILONS).alarm
    moved = curves(rng, 0.05, shift=math.log(1.4))
    found, _ = verdicts(before, spoiled(moved, 1 / 50))
    assert found["a", "error"] == "worse"


@pytest.mark.parametrize("status", ["diverged", "failed", "timeout", "skipped"])
def test_a_cell_that_lost_its_error_fails_and_one_that_found_it_is_told(status):
    good = [row(n, 12 / n, r=r) for n in SIZES for r in range(4)]
    bad = [*good[1:], row(64, None, status=status, reason="why")]
    lost = compare(good, bad, {}, EPSILONS)
    assert lost.alarm and [(b.n, b.after, b.reason) for b in lost.broken] == [(64, status, "why")]
    found = compare(bad, good, {}, EPSILONS)
    assert not found.alarm and not found.broken and len(found.mended) == 1
    assert not compare(bad, bad, {}, EPSILONS).alarm


def test_unreliable_rows_are_paired():
    before = [row(n, 12 / n, r=r, status="unreliable") for n in SIZES for r in range(4)]
    after = [row(n, 20 / n, r=r, status="unreliable") for n in SIZES for r in range(4)]
    assert compare(before, after, {}, EPSILONS).alarm


def test_n_star_shifts_by_the_factor_that_the_curve_does():
    """Errors c / n: a curve k times as high needs k times the samples."""
    before = [row(n, 12 / n, r=r) for n in SIZES for r in range(4)]
    after = [row(n, 15 / n, r=r) for n in SIZES for r in range(4)]
    shifts = {s.quantity: s for s in compare(before, after, {}, EPSILONS).shifts}
    assert shifts["n*"].factor == pytest.approx(1.25)
    assert shifts["error"].factor == pytest.approx(1.25)


def test_n_star_is_left_out_where_it_is_censored():
    before = [row(n, 12 / n, r=r) for n in SIZES for r in range(4)]
    after = [row(n, 0.9, r=r) for n in SIZES for r in range(4)]
    assert {s.quantity for s in compare(before, after, {}, EPSILONS).shifts} == {"error"}


def test_replicates_of_one_target_are_one_unit():
    def crossed(factor):
        return [
            row(n, factor * 12 / n, r=t, init_index=i, sample_index=s)
            for n in SIZES for t in range(4) for s in range(2) for i in range(2)
        ]  # fmt: skip

    (shift,) = [s for s in compare(crossed(1), crossed(2), {}, EPSILONS).shifts if s.quantity == "error"]
    assert shift.units == 4


def test_discoveries_are_those_of_benjamini_and_hochberg_by_brute_force():
    """The definition: the largest k with p_(k) <= k rate / m, and all p up to it."""
    rng = np.random.default_rng(8)
    for _ in range(30):
        moved = ("a", "b") if rng.random() < 0.5 else ()
        after = curves(rng, 0.15, shift=0.25 * rng.random(), moved=moved)
        before = curves(rng, 0.15)
        comparison = compare(before, after, {}, EPSILONS)
        p = {}
        for shift in comparison.shifts:
            if shift.quantity == "error":
                units = {}
                for old, new in zip(before, after, strict=True):
                    if old.learner == shift.learner:
                        units.setdefault((old.d, old.target_index), []).append(
                            math.log(new.error / old.error)
                        )
                means = [np.mean(v) for v in units.values()]
                p[shift.learner] = trimmed_mean(means, 0.1).p_above(math.log(1.05))
        only = compare(before, after, {}, ())
        called = {s.learner for s in only.shifts if s.verdict == "worse"}
        ordered = sorted(p.values())
        passing = [k for k in range(len(ordered)) if ordered[k] <= (k + 1) * 0.05 / len(ordered)]
        limit = ordered[max(passing)] if passing else -1.0
        assert called == {learner for learner, value in p.items() if value <= limit}


def test_without_trimming_it_is_students_t():
    values = np.random.default_rng(9).normal(0.1, 0.3, 9)
    estimate = trimmed_mean(values, 0.0)
    other = stats.ttest_1samp(values, 0.05, alternative="greater")
    assert estimate.p_above(0.05) == pytest.approx(other.pvalue)
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert estimate.interval(0.95) == pytest.approx(tuple(interval))
    below = stats.ttest_1samp(values, 0.05, alternative="less")
    assert estimate.p_below(0.05) == pytest.approx(below.pvalue)


def test_trimmed_it_is_yuens_test():
    """Against scipy's Yuen-Welch test of two samples of which the other hardly varies."""
    rng = np.random.default_rng(10)
    values, still = rng.standard_t(3, 12), rng.normal(0, 1e-9, 12)
    estimate = trimmed_mean(values, 0.1)
    other = stats.ttest_ind(values, still, equal_var=False, trim=0.1, alternative="greater")
    assert estimate.mean == pytest.approx(stats.trim_mean(values, 0.1))
    assert estimate.p_above(0.0) == pytest.approx(other.pvalue, rel=1e-5)


def test_one_unit_tells_nothing_and_says_so():
    before, after = [row(n, 12 / n) for n in SIZES], [row(n, 120 / n) for n in SIZES]
    (shift, *_) = compare(before, after, {}, EPSILONS).shifts
    assert shift.verdict == "open" and math.isinf(shift.visible) and math.isinf(shift.high)


def test_cells_of_one_side_only_are_left_out():
    assert compare([row(64, 0.5)], [row(65, 0.9)], {}, EPSILONS).shifts == ()
