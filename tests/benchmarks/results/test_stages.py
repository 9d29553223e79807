"""Adaptive runs: sizes go where n* is, the same ones whenever the run is looked at."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from machinery import plan_of

from hierbench.benchmarks.commands.run import execute
from hierbench.benchmarks.results.readings import suite_certificates, suite_rows
from hierbench.benchmarks.results.stages import MOST_STAGES, Stages, resolved
from hierbench.benchmarks.run import progress, runner
from hierbench.benchmarks.statistics.sample_complexity import decides, n_stars
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.choices import choose, smaller
from hierbench.benchmarks.suites.epsilon import epsilons_of
from hierbench.benchmarks.suites.fixed_sizes import STAGE
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import SizePlan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError

SUITE = """\
name = "adaptive"
summary = "one kernel"
replicates = 4
test = {{min = 512, max = 4096}}
timeout_seconds = 60
epsilons = [0.3, 0.03]

[[target]]
label = "sq"
family = "squares"
params = {{depth = 2, width = 2}}

[[learner]]
label = "it"
learner = "{learner}"

[[run]]
targets = ["sq"]
learners = ["it"]
d = {dimensions}
sizes = {{scale = 1.5, power = 1, ratio = 6, count = 4, max = 900, refine = {refine}}}
"""


def adaptive(folder, learner="krr_polynomial", refine=1.5, dimensions="[4]"):
    path = folder / "adaptive.toml"
    path.write_text(SUITE.format(learner=learner, refine=refine, dimensions=dimensions))
    return str(path)


def run(path, results):
    suite = load_suite(path)
    return execute(suite, suite, results, called=[path], workers=1, wait=True, figures=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adaptive")
    path = adaptive(folder)
    assert run(path, folder) == 0
    return path, folder


def all_of(path, results):
    plan = plan_of(path)
    with Store.readable(results) as store:
        whole = resolved(plan, store)
        return plan, whole, suite_rows(whole, store), suite_certificates(whole, store)


def test_brackets_end_narrow_with_sizes_only_where_they_were_wide(finished):
    plan, whole, rows, certificates = all_of(*finished)
    assert len(plan.curves) == 1 and 2 <= len(whole.curves) <= MOST_STAGES
    assert [u.stage for u in whole.curves] == list(range(len(whole.curves)))
    stars = n_stars(rows, certificates, epsilons_of(whole.suite))
    bracketed = [s for s in stars if s.censoring == "bracketed"]
    assert len(bracketed) >= 8
    for star in bracketed:
        own = [r for r in rows if r.target_index == star.replicate.target]
        # a size whose row does not say on which side of the threshold it lies is not asked for again
        undecided = [r.n for r in own if star.lower < r.n < star.upper and not decides(r, star.threshold)]
        assert star.upper / star.lower < 1.5 * 1.1 or undecided  # sizes are whole numbers
    full = 1 + 3 * 4.4  # sizes of a grid of ratio 1.5 over the same range
    for index in range(4):
        sizes = [r.n for r in rows if r.target_index == index]
        assert len(sizes) == len(set(sizes)) < 0.8 * full


def test_the_stages_follow_from_the_rows_alone(finished):
    path, folder = finished
    _, first, rows, _ = all_of(path, folder)
    _, again, same, _ = all_of(path, folder)
    assert [u.key for u in first.curves] == [u.key for u in again.curves]
    assert rows == same
    assert run(path, folder) == 0
    assert all_of(path, folder)[2] == rows, "a second run computes nothing"


@pytest.mark.slow
def test_a_run_that_stopped_between_stages_goes_on_with_the_same_ones(finished, tmp_path):
    path, folder = finished
    _, whole, rows, _ = all_of(path, folder)
    with Store.writable(tmp_path) as store:
        runner.run(plan_of(path), store, progress.make(), workers=1)
        assert len(resolved(plan_of(path), store).curves) == 2
    assert run(path, tmp_path) == 0
    _, resumed, same, _ = all_of(path, tmp_path)
    assert [u.key for u in resumed.curves] == [u.key for u in whole.curves]
    assert [(r.n, r.error) for r in same] == [(r.n, r.error) for r in rows]


@pytest.mark.slow
def test_units_that_others_wait_for_come_first(tmp_path):
    path = adaptive(tmp_path, dimensions="[4, 5]")
    plan = plan_of(path)
    with Store.writable(tmp_path) as store:
        growing = Stages(plan, store)
        order = []

        class Heard(progress.Lines):
            def finished(self, unit, result):
                order.append(unit.key)

        current = growing.resolved()
        assert {u.key for u in plan.certificates} < set(current.urgent)
        others = dataclasses.replace(plan.curves[0], d=3, key="other", cost=1e9)
        others = dataclasses.replace(others, axes={**others.axes, "d": 3})
        mixed = dataclasses.replace(current, curves=(others, *current.curves))

        def follow():
            later = growing.resolved()
            return dataclasses.replace(later, curves=(others, *later.curves))

        outcome = runner.run(mixed, store, Heard(), workers=1, follow=follow)
        assert outcome.waiting == 0 and outcome.computed == len(order) == len(set(order))
        assert order[-1] == "other", "however long it takes: nobody waits for it"


@pytest.mark.slow
def test_nothing_follows_before_the_certificates_are_known(tmp_path):
    path = adaptive(tmp_path)
    plan = plan_of(path)
    with Store.writable(tmp_path) as store:
        runner.run(dataclasses.replace(plan, certificates=()), store, progress.make(), workers=1)
        assert resolved(plan, store).curves == plan.curves
        runner.run(plan, store, progress.make(), workers=1)
        assert len(resolved(plan, store).curves) == 2


@pytest.mark.slow
def test_a_failed_stage_ends_the_chain(tmp_path):
    path = adaptive(tmp_path, "stub_learners:Raises")
    assert run(path, tmp_path) == 1
    plan, whole, _, _ = all_of(path, tmp_path)
    assert whole.curves == plan.curves


def test_the_stagger_is_that_of_the_fine_grid():
    plan = SizePlan(scale=10, power=2, ratio=8, count=3, max=10**6, refine=1.5)
    starts = [plan.sizes(8, sample)[0] for sample in range(8)]
    assert len(set(starts)) == 8 and 640 <= min(starts) and max(starts) < 640 * 1.5
    assert all(len(plan.sizes(8, sample)) == 3 for sample in range(8))


def test_without_refine_the_plan_stays_as_it_is(finished):
    path, folder = finished
    plan = plan_of(path)
    runs = tuple(
        dataclasses.replace(r, sizes=dataclasses.replace(r.sizes, refine=None)) for r in plan.suite.runs
    )
    plain = dataclasses.replace(plan, suite=dataclasses.replace(plan.suite, runs=runs))
    with Store.readable(folder) as store:
        assert resolved(plain, store) is plain


@pytest.mark.parametrize("refine", [1.0, 6.0, 9.0, -2.0])
def test_ratios_that_narrow_nothing_are_refused(tmp_path, refine):
    with pytest.raises(UserError, match=r"refine = .*allowed is .*(>= 1.1 and below ratio = 6|> 0, up to)"):
        load_suite(adaptive(tmp_path, refine=refine))


@pytest.mark.slow
def test_a_larger_d_starts_where_the_smaller_ones_say(tmp_path):
    path = adaptive(tmp_path, dimensions="[4, 5, 6]")
    plan = plan_of(path)
    with Store.writable(tmp_path) as store:
        assert [u.d for u in resolved(plan, store).curves] == [4], "the larger wait"
    assert run(path, tmp_path) == 0
    _, whole, rows, certificates = all_of(path, tmp_path)
    first = {u.d: u for u in whole.curves if u.stage == 0}
    assert first[4].sizes == plan.curves[0].sizes
    for unit, own in zip(plan.curves[1:], (first[5], first[6]), strict=True):
        for sizes, coarse in zip(own.sizes, unit.sizes, strict=True):
            assert min(coarse) <= min(sizes) < max(sizes) <= max(coarse)
            grid = {round(min(coarse) * 1.5**j) for j in range(20)} | {max(coarse)}
            assert set(sizes) <= grid
    assert {u.d for u in whole.curves} == {4, 5, 6} == {r.d for r in rows}
    stars = [s for s in n_stars(rows, certificates, epsilons_of(whole.suite)) if s.d > 4]
    open_ends = [s for s in stars if s.censoring in ("left", "right")]
    for star in open_ends:  # only at the ends of the plan's own grid
        coarse = next(
            s
            for u in plan.curves
            if u.d == star.d
            for r, s in zip(u.replicates, u.sizes, strict=True)
            if r == star.replicate
        )
        assert star.upper == min(coarse) or star.lower == max(coarse)
    assert sum(s.censoring == "bracketed" for s in stars) >= 16
    part = make_plan(choose(load_suite(path), d=[5])[0])
    with Store.readable(tmp_path) as store:
        assert [u.key for u in resolved(part, store).units] == [u.key for u in whole.units if u.d < 6]
    assert any(u.d == 5 and u.stage for u in whole.curves)


TWO_RUNS = """
[[learner]]
learner = "rfm"

[[run]]
targets = ["sq"]
learners = ["rfm", "it"]
d = [6, 7]
sizes = {scale = 1, power = 1, ratio = 6, count = 4, max = 900}

[[run]]
targets = ["sq"]
learners = ["it"]
d = [9]
replicates = 8
sizes = {scale = 1, power = 1, ratio = 6, count = 4, max = 900, refine = 2}

[[run]]
targets = ["sq"]
learners = ["it"]
d = [3]
replicates = 12
sizes = {scale = 1, power = 1, ratio = 6, count = 4, max = 900, refine = 2}

[[fixed_sizes]]
targets = ["sq"]
n = [50]
"""


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ([4], {("it", 3, 1), ("it", 4, 1)}),
        ([5], {("it", 3, 1), ("it", 4, 1), ("it", 5, 1)}),
        ([6], {("it", 6, 1), ("rfm", 6, 1)}),  # sizes of their own, not adaptive ones
        ([5, 7], {("it", 3, 1), ("it", 4, 1), ("it", 5, 1), ("it", 7, 1), ("rfm", 7, 1)}),
        ([3], {("it", 3, 3)}),
        ([9], {("it", 3, 2), ("it", 4, 1), ("it", 5, 1), ("it", 8, 1), ("it", 9, 2)}),  # block by block
    ],
)
def test_a_chosen_d_keeps_those_that_its_sizes_start_from(tmp_path, chosen, kept):
    path = Path(adaptive(tmp_path, dimensions="[4, 5, 8]"))
    path.write_text(path.read_text() + TWO_RUNS)
    suite = load_suite(str(path))
    part = choose(suite, d=chosen)[0]
    blocks = Counter((u.learner, u.d) for u in make_plan(part).curves if u.stage != STAGE)
    assert {(*cell, number) for cell, number in blocks.items()} == kept
    assert smaller(part, chosen) == tuple(sorted({d for _, d, _ in kept} - set(chosen)))
    assert {u.d for u in make_plan(part).curves if u.stage == STAGE} == set(chosen)
    keys = {u.key for u in make_plan(suite).units}
    assert {u.key for u in make_plan(part).units} <= keys
