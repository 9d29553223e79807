"""The runner: rows equal from run to run, and whatever a learner does is a row that says so."""

from __future__ import annotations

import dataclasses
import os
import queue

import numpy as np
import pytest
from machinery import Silent, plan_of, run, stored, suite_file, without_cost
from sklearn.base import clone
from stub_learners import Mean

from hierbench.benchmarks.run import local_pool, runner
from hierbench.benchmarks.run.progress import Estimator, Lines, duration
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.units import draw
from hierbench.benchmarks.units.compute_curves import run_curves
from hierbench.benchmarks.units.metric import relative_mse
from hierbench.benchmarks.units.unit import Result

WORKERS = True


@pytest.fixture(scope="module")
def ill_behaved(tmp_path_factory):
    """Every kind of trouble in one run on two workers, and one learner that does its work."""
    folder = tmp_path_factory.mktemp("ill")
    names = [
        *("Mean", "FastMean", "Raises", "RaisesFast", "Diverges", "ReportsDivergence"),
        *("Warns", "Noisy", "Dies", "Threads", "InPlace"),
    ]
    path = suite_file(folder, dict.fromkeys(names, ""), traces=True)
    outcome = run(path, folder, workers=2)
    with Store.readable(folder) as store:
        return path, folder, outcome, store.rows(), store.traces(), store.certificates()


def rows_of(ill_behaved, learner):
    found = [r for r in ill_behaved[3] if r.learner == learner]
    assert len(found) == 4 * 2
    return found


@pytest.mark.parametrize(
    ("learner", "status", "reason"),
    [
        ("Mean", {"ok", "unreliable"}, ""),
        ("Raises", {"failed"}, "RuntimeError: out of luck"),
        ("RaisesFast", {"failed"}, "RuntimeError: no curve today"),
        ("Diverges", {"diverged"}, "predictions or their errors are not finite"),
        ("ReportsDivergence", {"diverged"}, "loss above 1e6 at step 7"),
        ("Dies", {"failed"}, "worker process killed by SIGKILL (out of memory?)"),
    ],
)
def test_what_a_learner_does_is_a_status_with_its_reason(ill_behaved, learner, status, reason):
    rows = rows_of(ill_behaved, learner)
    assert {r.status for r in rows} <= status
    assert {r.reason for r in rows if r.status != "unreliable"} <= {reason}


def test_a_warning_is_kept(ill_behaved):
    assert all(r.reason for r in rows_of(ill_behaved, "Warns"))
    assert "RuntimeWarning: not converged" in {r.reason for r in rows_of(ill_behaved, "Warns")}


def test_failed_units_are_named_and_the_others_finish(ill_behaved):
    outcome = ill_behaved[2]
    assert {u.learner for u, _ in outcome.failed} == {"Raises", "RaisesFast", "Dies"}
    assert outcome.computed == 11 + 4 and not outcome.stopped_by
    assert len(ill_behaved[5]) == 4


def test_workers_keep_to_one_thread(ill_behaved):
    assert {r.health["threads"] for r in rows_of(ill_behaved, "Threads")} == {1.0}


def test_traces_only_from_those_who_declare_them(ill_behaved):
    # Import paths have no descriptor to declare anything, whatever their class can do.
    assert ill_behaved[4] == []


def test_numbers_are_those_of_the_definition(ill_behaved):
    row = next(r for r in rows_of(ill_behaved, "Mean") if r.sample_index == 2)
    target = draw.draw_target(row.target_spec, row.d, 2)
    X, y = draw.draw_sample(target, row.target_spec, 2, row.n)
    state = draw.random_state(row.target_spec, row.d, 2)
    learner = clone(Mean()).set_params(random_state=state).fit(X, y)
    from hierbench.benchmarks.units import seeds

    tests = draw.TestSet(target, 64, seeds.generator("test", **row.target_spec, d=row.d, index=2))
    pieces = [tests.piece(i) for i in range(3)]
    test_X = np.concatenate([p[0] for p in pieces])[: row.n_test]
    test_y = np.concatenate([p[1] for p in pieces])[: row.n_test]
    weights = np.concatenate([p[2] for p in pieces])[: row.n_test]
    expected = relative_mse(learner.predict(test_X) - test_y, test_y, weights)
    assert (row.error, row.error_se) == (expected.error, expected.standard_error)
    assert row.train_error == pytest.approx(np.var(y))
    assert (row.steps, row.flops) == (3, row.n)
    assert row.hyperparameters == {"seed": state, "n": row.n}
    assert row.peak_memory_bytes > 1e7 and row.fit_seconds >= 0


def test_fast_path_gives_the_numbers_of_the_slow_one(ill_behaved):
    pairs = list(zip(rows_of(ill_behaved, "Mean"), rows_of(ill_behaved, "FastMean"), strict=True))
    for slow, fast in pairs:
        assert (slow.n, slow.train_error, slow.hyperparameters) == (
            fast.n,
            fast.train_error,
            fast.hyperparameters,
        )
        assert slow.n_test <= fast.n_test, "a curve's test set grows until all its sizes are known"
        assert slow.n_test < fast.n_test or slow.error == fast.error
    assert sum(slow.n_test == fast.n_test for slow, fast in pairs) > len(pairs) / 2
    assert {r.timing for r in rows_of(ill_behaved, "FastMean")} == {"amortised"}
    assert {r.timing for r in rows_of(ill_behaved, "Mean")} == {"standalone"}


def test_a_learner_that_works_in_place_spoils_nothing(ill_behaved):
    found = {}
    for row in ill_behaved[3]:
        found.setdefault(row.learner, []).append((row.d, row.target_index, row.n, row.error, row.train_error))
    assert sorted(found["InPlace"]) == sorted(found["Mean"])


def test_failed_units_are_tried_again_and_others_are_not(ill_behaved, tmp_path):
    path, folder, *_ = ill_behaved
    before = stored(folder)
    with Store.readable(folder) as store:
        again = runner.missing(plan_of(path), store.done())
    assert {u.learner for u in again} == {"Raises", "RaisesFast", "Dies"}
    outcome = run(path, folder)
    assert outcome.computed == 3 and outcome.present == 12
    assert without_cost(stored(folder)) == without_cost(before)


def test_two_runs_give_the_same_rows(ill_behaved, tmp_path):
    # Noisy uses the global generator: what its worker did before must not show.
    learners = {"FastMean": "", "Noisy": "", "Mean": ""}
    run(suite_file(tmp_path, learners, traces=True), tmp_path, workers=1)
    rows = without_cost([r for r in ill_behaved[3] if r.learner in learners])
    assert rows and rows == without_cost(stored(tmp_path))


def test_timeout_is_a_status(tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 30"}, timeout=8)
    plan = plan_of(path)
    slow = dataclasses.replace(plan, certificates=())
    with Store.writable(tmp_path) as store:
        outcome = runner.run(slow, store, Silent(), 1, timeout=1.0)
        assert {(r.status, r.reason) for r in store.rows()} == {("timeout", "not finished within 1 s")}
    assert len(outcome.failed) == 1


def test_time_limits_are_looked_at_while_results_keep_arriving():
    """Where many short units end, a late one is stopped all the same."""

    class Flight:
        checks = 0

        def check(self):
            self.checks += 1

    arrived, late = queue.SimpleQueue(), Flight()
    for k in range(3):
        arrived.put(k)
        assert runner._next(arrived, [late]) == k
    assert late.checks == 3


def test_environment_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    with local_pool.opened(1):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7" and "XLA_FLAGS" not in os.environ


def test_longest_first(tmp_path):
    plan = plan_of(suite_file(tmp_path, {"Mean": ""}, d=[4, 6, 8]))
    with Store.writable(tmp_path) as store:
        costs = [u.cost for u in runner.missing(plan, store.done())]
    assert costs == sorted(costs, reverse=True)


def test_time_left_is_weighted_by_cost_and_corrected_by_learner(tmp_path):
    plan = plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}, d=[4, 6]))
    units = [
        dataclasses.replace(u, cost=c)
        for u, c in zip(
            sorted(plan.curves, key=lambda u: (u.learner, u.d)), (1.0, 2.0, 10.0, 20.0), strict=True
        )
    ]
    estimator = Estimator(units, workers=1)
    assert estimator.seconds_left() is None
    estimator.finished(units[0], 3.0)
    assert estimator.seconds_left() == pytest.approx(3.0 * 32)
    estimator.finished(units[2], 5.0)
    assert estimator.seconds_left() == pytest.approx(2 * 3.0 + 20 * 0.5)
    assert [duration(x) for x in (12, 200, 7500)] == ["12 s", "3 min 20 s", "2 h 5 min"]


def test_plain_lines_name_failures(tmp_path, capsys):
    plan = plan_of(suite_file(tmp_path, {"Mean": ""}))
    lines = Lines()
    lines.start(plan.curves, 2, 1)
    lines.finished(plan.curves[0], Result("failed", "no luck"))
    text = capsys.readouterr().err
    assert "1 units to compute (2 present) on 1 workers" in text
    assert "failed: Mean on sq, d = 4, block 0: no luck" in text and "1/1 units" in text


def test_traces_of_a_learner_that_declares_them(tmp_path, monkeypatch):
    from hierbench.learners import registry
    from hierbench.learners.base import Descriptor

    tracer = Descriptor(
        "tracer", "stub_learners:FastMean", "", "", "", None, frozenset({"fit_curves", "traces"})
    )
    monkeypatch.setitem(registry.LEARNERS, "tracer", tracer)
    path = suite_file(tmp_path, {"Mean": ""}, traces=True)
    text = (tmp_path / "stub.toml").read_text().replace("stub_learners:Mean", "tracer")
    (tmp_path / "stub.toml").write_text(text)
    # in this process, since a worker's registry has no such name
    with Store.writable(tmp_path) as store:
        for unit in plan_of(path).curves:
            store.commit(unit, run_curves(unit))
    rows = {r.key: r for r in stored(tmp_path)}
    with Store.readable(tmp_path) as store:
        traces = store.traces()
    assert len(traces) == 2 * len(rows) and {t.step for t in traces} == {0, 10}
    for trace in traces:
        row = rows[trace.key]
        assert (trace.n, trace.sample_index) == (row.n, row.sample_index)
        assert trace.error == pytest.approx(row.error, rel=1.0)
