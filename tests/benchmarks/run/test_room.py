"""What fits into memory starts, what never fits is skipped with its figure, and time runs out."""

import dataclasses

import psutil
import pytest
from machinery import RUN, Silent, plan_of, suite_file

from hierbench.benchmarks.commands.dry_run import show
from hierbench.benchmarks.run import room, runner
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.devices import on_device
from hierbench.benchmarks.suites.plan import later_stage, make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS


@pytest.fixture
def units(tmp_path):
    """Units that need 1, 4 and 9 GiB."""
    first = plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0]
    return [dataclasses.replace(first, key=str(n), memory=n * 2.0**30) for n in (9, 4, 1)]


def room_of(*gibibytes):
    """A room that sees these free, one after the other."""
    readings = iter(gibibytes)
    return room.Room(lambda: next(readings) * 2.0**30 / 0.9)


def test_the_first_that_fits_is_next_and_none_passes_it(units):
    nine, four, one = units
    space = room_of(10.0)
    assert space.next(units, []) is nine
    assert space.next([one, four], [nine]) is one
    assert space.next([four, one], [nine]) is None
    assert space.next([], [nine]) is None


def test_what_does_not_fit_alone_is_passed_and_looked_at_again_when_nothing_flies(units):
    nine, four, one = units
    space = room_of(5.0, 5.0, 9.5)
    assert space.next(units, []) is four
    assert space.next([nine, one], [four]) is one
    assert space.next([nine], [four, one]) is None
    assert space.next([nine], []) is None
    assert space.next([nine], []) is nine


def test_what_is_skipped_says_what_it_needs_and_what_is_there(units):
    space = room_of(5.0)
    assert space.next(units[:1], []) is None
    result = space.skipped(units[0])
    assert result.status == UnitStatus.SKIPPED and {row.status for row in result.rows} == {"skipped"}
    assert result.reason == "needs 9 GiB of memory, 5 are there"


def test_what_needs_nothing_always_fits(units):
    certificate = dataclasses.replace(units[0], memory=0.0)
    assert room_of(-3.0).next([certificate], []) is certificate


def test_free_memory_is_that_of_the_machine_and_below_every_limit(monkeypatch):
    assert 0 < room.free() <= psutil.virtual_memory().total
    monkeypatch.setattr(room, "_free_in_groups", lambda: iter([1e18, 5.0]))
    assert room.free() == 5.0


def test_memory_is_what_the_law_says_of_the_largest_fit_and_the_data():
    suite = load_suite("smoke")
    unit = next(u for u in make_plan(suite).curves if u.learner == "krr_rbf")
    largest = [max(sizes) for sizes in unit.sizes]
    data = 2 * 8 * (unit.d + 1) * (sum(largest) + unit.test_max)
    assert unit.memory == data + LEARNERS["krr_rbf"].memory(max(largest), unit.d)
    later = later_stage(suite, unit, 1, unit.replicates[:1], ((40_000,),))
    assert later.memory > 24 * 40_000**2


def test_a_run_skips_what_does_not_fit_and_does_the_rest(tmp_path, monkeypatch):
    plan = plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))
    much = next(u for u in plan.curves if u.learner == "Mean")
    grown = tuple(dataclasses.replace(u, memory=1e18) if u is much else u for u in plan.curves)
    plan = dataclasses.replace(plan, curves=grown)
    with Store.writable(tmp_path) as store:
        outcome = runner.run(plan, store, Silent(), workers=1)
        assert [(unit.key, r.status) for unit, r in outcome.failed] == [(much.key, UnitStatus.SKIPPED)]
        assert (outcome.computed, outcome.waiting) == (len(plan.units) - 1, 0)
        assert {row.learner for row in store.rows()} == {"FastMean"}
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


def test_a_dry_run_names_what_would_be_skipped(tmp_path, capsys, monkeypatch):
    labels = ("densenet", "krr_rbf")
    text = "".join(f'[[learner]]\nlabel = "{name}"\nlearner = "{name}"\n' for name in labels)
    text += RUN.format(learners='"densenet", "krr_rbf"', d=[4], ratio=2, count=2)
    suite = load_suite(suite_file(tmp_path, {"FastMean": ""}, extra=text))
    needs = {unit.learner: unit.memory for unit in make_plan(suite).curves}
    assert 0 < needs["densenet"] < needs["krr_rbf"]
    monkeypatch.setattr(room, "free", lambda: needs["densenet"] / 0.85)
    show(suite, tmp_path, workers=2)
    said = capsys.readouterr().out
    assert f"skipped: krr_rbf on sq, d = 4, block 0: needs {needs['krr_rbf'] / room.GIB:.3g} GiB" in said
    assert "skipped: densenet" not in said and "longest: krr_rbf" not in said
    assert f"{len(make_plan(suite).units) - 1} units to compute" in said
    show(suite, tmp_path, workers=2, here=False)
    assert "skipped" not in capsys.readouterr().out


@pytest.mark.parametrize(("minutes", "started"), [(0.0, 0), (1e-9, 1), (1e6, 6)])
def test_a_dry_run_says_how_far_its_minutes_go(tmp_path, capsys, minutes, started):
    suite = load_suite(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))
    show(suite, tmp_path, workers=1, minutes=minutes)
    assert f"minutes about {started} of them start" in capsys.readouterr().out


def test_a_skip_takes_nothing_away_that_is_stored(tmp_path, monkeypatch):
    """``--fresh`` on a machine that has less left than the one before."""
    plan = plan_of(suite_file(tmp_path, {"FastMean": ""}))
    with Store.writable(tmp_path) as store:
        runner.run(plan, store, Silent(), workers=1)
        rows = store.rows()
        large = dataclasses.replace(
            plan, curves=tuple(dataclasses.replace(u, memory=1e18) for u in plan.curves)
        )
        outcome = runner.run(large, store, Silent(), workers=1, fresh=["FastMean"])
        assert [r.status for _, r in outcome.failed] == ["skipped"] and store.rows() == rows != []


def test_a_failure_takes_nothing_away_that_is_stored(tmp_path):
    """``--fresh`` of a learner that is late, or has lost its licence, since."""
    plan = plan_of(suite_file(tmp_path, {"Mean": "seconds = 0.5"}))
    with Store.writable(tmp_path) as store:
        runner.run(plan, store, Silent(), workers=1)
        rows = store.rows()
        outcome = runner.run(plan, store, Silent(), workers=1, fresh=["Mean"], timeout=0.2)
        assert [r.status for _, r in outcome.failed] == ["timeout"] and store.rows() == rows != []
        assert outcome.failed[0][1].reason.endswith("what it had before is kept")
        assert runner.missing(plan, store.done()) == ()


def test_a_dry_run_of_an_adaptive_suite_counts_what_is_known_by_now(tmp_path, capsys):
    show(load_suite("default"), tmp_path, workers=2)
    without = capsys.readouterr().out.splitlines()
    Store.writable(tmp_path).close()
    show(load_suite("default"), tmp_path, workers=2)
    assert capsys.readouterr().out.splitlines()[:-1] == without[:-1]  # the last is of what is free
    with pytest.raises(UserError, match="unknown learner 'x'"):
        show(load_suite("default"), tmp_path, workers=2, fresh=["x"])


def test_a_gpu_has_room_of_its_own(units):
    looked = []
    there = [
        dataclasses.replace(
            unit,
            memory=1.0,
            card=unit.memory,
            learner_spec={**unit.learner_spec, "parameters": {"device": device}},
        )
        for unit, device in zip(units, ("cuda", "cuda:0", "cuda:1"), strict=True)
    ]
    nine, four, one = there
    space = room.Room(lambda: 64.0, lambda device: looked.append(device) or 5.0 * 2.0**30 / 0.9)
    assert space.next(there, []) is four
    assert space.next([nine, four], [four]) is None, "nine never fits, and four has to wait for four"
    assert space.next([one], [four]) is one, "another card"
    assert space.next([units[2]], []) is None, "1 GiB of the machine's memory"
    assert space.skipped(nine).reason == "needs 9 GiB on cuda, 5 are there"
    assert looked == ["cuda:0", "cuda:1"], "once each"


def test_on_a_gpu_the_machine_holds_the_data_alone():
    suite = load_suite("smoke")
    for unit, other in zip(make_plan(suite).curves, make_plan(on_device(suite, "cuda")).curves, strict=True):
        assert unit.card == 0.0 and (other.card > 0) == (other.device == "cuda")
        if other.card:
            law = LEARNERS[unit.learner_spec["name"]]
            fit = law.memory(max(map(max, unit.sizes)), unit.d)
            assert (unit.memory - other.memory, other.card - other.memory) == (fit, law.card or fit + 1.5e9)
