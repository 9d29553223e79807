"""What fits into memory starts, what never fits is skipped with its figure, and time runs out."""

import dataclasses

import pytest
from machinery import Silent, plan_of, suite_file

from hierbench.benchmarks.commands.dry_run import show
from hierbench.benchmarks.run import room, runner
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import later_stage, make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.learners.registry import LEARNERS


@pytest.fixture
def units(tmp_path):
    """Units that need 1, 4 and 9 GiB."""
    first = plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0]
    return [dataclasses.replace(first, key=str(n), memory=n * 2.0**30) for n in (9, 4, 1)]


def test_the_first_that_fits_beside_those_on_their_way_is_next(units):
    nine, four, one = units
    space = room.Room(10 * 2.0**30)
    assert space.next(units, []) is nine
    assert space.next([four, one], [nine]) is one
    assert space.next([four], [nine]) is None
    assert space.next([nine], [four]) is None
    assert space.next([], []) is None


def test_what_never_fits_is_skipped_at_once_with_what_it_needs_and_what_is_there(units):
    nine, four, _ = units
    space = room.Room(5 * 2.0**30)
    assert space.next([nine], [four]) is nine
    result = space.refused(nine)
    assert result.status == UnitStatus.SKIPPED and {row.status for row in result.rows} == {"skipped"}
    assert result.reason == "needs 9 GiB of memory by its memory law, 5 GiB are there"
    assert space.refused(four) is None


def test_memory_is_what_the_law_says_of_the_largest_fit_and_the_data():
    suite = load_suite("smoke")
    unit = next(u for u in make_plan(suite).curves if u.learner == "krr_rbf")
    largest = [max(sizes) for sizes in unit.sizes]
    data = 8 * (unit.d + 1) * (sum(largest) + unit.test_max)
    assert unit.memory == data + LEARNERS["krr_rbf"].memory(max(largest), unit.d)
    later = later_stage(unit, 1, unit.replicates[:1], ((40_000,),))
    assert later.memory > 24 * 40_000**2


def test_a_run_skips_what_does_not_fit_and_does_the_rest(tmp_path, monkeypatch):
    plan = plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))
    much = next(u for u in plan.curves if u.learner == "Mean")
    grown = tuple(dataclasses.replace(u, memory=1e18) if u is much else u for u in plan.curves)
    plan = dataclasses.replace(plan, curves=grown)
    with Store.writable(tmp_path) as store:
        outcome = runner.run(plan, store, Silent(), workers=1)
        assert [unit.key for unit, _ in outcome.skipped] == [much.key] and not outcome.failed
        statuses = {row.learner: row.status for row in store.rows()}
        assert statuses["Mean"] == "skipped" and statuses["FastMean"] != "skipped"
        assert [unit.key for unit in runner.missing(plan, store.done())] == [much.key]


def test_after_its_minutes_a_run_starts_nothing(tmp_path):
    plan = plan_of(suite_file(tmp_path, {"Mean": ""}))
    with Store.writable(tmp_path) as store:
        outcome = runner.run(plan, store, Silent(), workers=1, minutes=0.0)
        assert (outcome.computed, outcome.waiting, outcome.stopped_by) == (0, len(plan.units), 0)


def test_a_dry_run_counts_units_and_computes_none(tmp_path, capsys):
    suite = load_suite(suite_file(tmp_path, {"Mean": "", "FastMean": ""}, d=(4, 6)))
    show(suite, tmp_path, workers=2)
    said = capsys.readouterr().out
    assert f"{len(make_plan(suite).units)} units to compute (0 present): " in said
    assert "longest: " in said and "largest: " in said
    assert not (tmp_path / "hierbench.sqlite").exists()
