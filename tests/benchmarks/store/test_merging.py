"""Stores are joined: nothing is lost, machines stay apart, and one machine does not contradict itself."""

from __future__ import annotations

import dataclasses

import pytest
from machinery import plan_of, suite_file

from hierbench.benchmarks.commands.merging import merge_into
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.units.unit import Result
from hierbench.errors import UserError

ELSEWHERE = {**machine.identity(), "cpu": "another one"}


@pytest.fixture
def plan(tmp_path):
    return plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))


def finished(unit, error=0.5, where=None, seconds=1.0):
    rows = tuple(
        dataclasses.replace(r, error=error, machine=where or r.machine, fit_seconds=seconds)
        for r in unit.without_numbers("ok", "").rows
    )
    return Result("done", rows=rows, seconds=seconds)


def store_of(folder, *results):
    with Store.writable(folder) as store:
        for unit, result in results:
            store.commit(unit, result)
    return folder


def content(folder):
    with Store.readable(folder) as store:
        return store.rows(), store.units()


def test_every_unit_is_there_once(tmp_path, plan):
    a, b = plan.curves[:2]
    first = store_of(tmp_path / "1", (a, finished(a)))
    second = store_of(tmp_path / "2", (a, finished(a, seconds=9.0)), (b, finished(b, 0.25)))
    whole = store_of(tmp_path / "whole", (a, finished(a)), (b, finished(b, 0.25)))
    merge_into(first, [second], wait=True)
    rows, units = content(first)
    expected, _ = content(whole)
    assert rows == expected and len(units) == 2
    assert damages(first) == []


def test_a_new_folder_is_made_and_sources_stay(tmp_path, plan):
    a, b = plan.curves[:2]
    sources = [store_of(tmp_path / "1", (a, finished(a))), store_of(tmp_path / "2", (b, finished(b)))]
    before = [content(source) for source in sources]
    merge_into(tmp_path / "new", [sources[0] / NAME, sources[1]], wait=True)
    rows, _ = content(tmp_path / "new")
    assert sorted(r.key for r in rows) == sorted(r.key for some, _ in before for r in some)
    assert [content(source) for source in sources] == before


@pytest.mark.parametrize("here_first", [True, False])
def test_numbers_count_more_than_failures(tmp_path, plan, here_first):
    unit = plan.curves[0]
    failed = unit.without_numbers("failed", "no luck")
    results = [failed, finished(unit)] if here_first else [finished(unit), failed]
    first, second = (store_of(tmp_path / str(i), (unit, r)) for i, r in enumerate(results))
    merge_into(first, [second], wait=True)
    rows, units = content(first)
    assert {r.error for r in rows} == {0.5} and [u.status for u in units] == ["done"]


def test_machines_stay_apart_and_one_of_them_counts(tmp_path, plan):
    unit = plan.curves[0]
    there = finished(unit, 0.5 + 1e-12, ELSEWHERE)
    read = []
    for here, other in ((finished(unit), there), (there, finished(unit))):
        first, second = (
            store_of(tmp_path / f"{len(read)}{i}", (unit, r)) for i, r in enumerate((here, other))
        )
        merge_into(first, [second], wait=True)
        merge_into(first, [second], wait=True)  # changes nothing any more
        rows, units = content(first)
        assert len(rows) == len(here.rows) + len(there.rows) and len(units) == 1
        assert sorted(r.error for r in rows if r.machine == ELSEWHERE) == [0.5 + 1e-12] * len(there.rows)
        with Store.readable(first) as store:
            read.append(SuiteResults.read(plan.suite, store).rows)
        assert damages(first) == []
    assert read[0] == read[1] and len(read[0]) == len(there.rows)
    assert len({tuple(r.machine.items()) for r in read[0]}) == 1


def test_one_machine_that_contradicts_itself_is_refused_and_nothing_is_merged(tmp_path, plan):
    a, b = plan.curves[:2]
    first = store_of(tmp_path / "1", (b, finished(b)))
    second = store_of(tmp_path / "2", (a, finished(a)), (b, finished(b, 0.75)))
    before = content(first)
    with pytest.raises(UserError, match=r"disagree on .*error 0\.5 and 0\.75 at n = \d+, of one machine"):
        merge_into(first, [second], wait=True)
    assert content(first) == before


def test_damaged_units_count_as_missing(tmp_path, plan, capsys):
    a, b = plan.curves[:2]
    first = store_of(tmp_path / "1", (a, finished(a)))
    second = store_of(tmp_path / "2", (a, finished(a)), (b, finished(b)))
    for folder, key in ((first, a.key), (second, b.key)):
        with Store.writable(folder) as store:
            store.connection.execute("UPDATE rows SET error = 0.1 WHERE unit = ?", [key])
    merge_into(first, [second], wait=True)
    rows, units = content(first)
    assert [u.key for u in units] == [a.key] and {r.error for r in rows} == {0.5}
    assert damages(first) == []
    assert "damaged" in capsys.readouterr().err


def test_what_cannot_be_merged_is_said_before_anything_is(tmp_path, plan):
    unit = plan.curves[0]
    source = store_of(tmp_path / "1", (unit, finished(unit)))
    with pytest.raises(UserError, match="no results in"):
        merge_into(tmp_path / "new", [source, tmp_path / "nowhere"], wait=True)
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="merged into itself"):
        merge_into(source, [source / NAME], wait=True)
