"""Units on the workers of a dask cluster, on the loopback interface: the rows are those of a local run."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import CancelledError

import psutil
import pytest
from machinery import ROOT, RUN, Silent, environment, plan_of, run, stored, suite_file, without_cost

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")
# distributed is an extra
from hierbench.benchmarks.run import cluster, cluster_worker, runner  # noqa: E402
from hierbench.benchmarks.store.store import Store  # noqa: E402
from hierbench.benchmarks.units.unit import UnitStatus  # noqa: E402
from hierbench.errors import UserError  # noqa: E402

WORKERS = True


class Cluster:
    """A scheduler and workers in processes of their own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.environment = environment() | {"DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "false"}
        started = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        for line in started.stderr:
            if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
                self.address = found[1]
                break
        self.reader = threading.Thread(target=started.stderr.read, daemon=True)
        self.reader.start()

    def start(self, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if arguments[0] == "scheduler" else subprocess.DEVNULL,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, *more, threads=1):
        return self.start(
            "worker", self.address, "--nthreads", str(threads), "--no-dashboard", "--host", "127.0.0.1",
            "--local-directory", str(self.folder), *more,
        )  # fmt: skip

    def end(self):
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()
        self.reader.join()
        self.processes[0].stderr.close()


@pytest.fixture
def dask(tmp_path):
    running = Cluster(tmp_path)
    yield running
    running.end()


def wait_for(holds):
    end = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def run_on(address, path, folder, progress=None, **options):
    plan = plan_of(path)
    with Store.writable(folder) as store:
        return runner.run(
            plan, store, progress or Silent(), elsewhere=lambda: cluster.opened(address, plan), **options
        )


class Kills(Silent):
    """Kills a process once so many units are finished."""

    def __init__(self, process, units):
        super().__init__()
        self.process, self.units = process, units

    def finished(self, unit, result):
        self.units -= 1
        if self.units == 0:
            self.process.kill()


def test_a_lost_worker_changes_no_row(tmp_path, dask):
    learners = {"Mean": "seconds = 0.1", "FastMean": ""}
    path = suite_file(tmp_path, learners, d=[4, 6])
    lost = dask.worker("--no-nanny")
    dask.worker("--no-nanny")
    outcome = run_on(dask.address, path, tmp_path / "there", Kills(lost, 4))
    assert lost.wait() < 0
    run(path, tmp_path / "here")
    assert not outcome.failed and outcome.waiting == 0
    rows = [without_cost(stored(tmp_path / folder)) for folder in ("here", "there")]
    assert rows[0] == rows[1] and len(rows[0]) == 2 * 2 * 4 * 2


def test_a_unit_of_workers_that_are_gone_goes_to_others(tmp_path, dask):
    plan = plan_of(suite_file(tmp_path, {"Mean": "seconds = 0.3"}, d=[4, 6, 8]))
    plan = dataclasses.replace(plan, curves=tuple(dataclasses.replace(u, memory=4e9) for u in plan.curves))
    small = dask.worker("--no-nanny", "--memory-limit", "2 GiB")
    lost = dask.worker("--no-nanny", "--memory-limit", "8 GiB")

    class Replaces(Kills):
        def finished(self, unit, result):
            super().finished(unit, result)
            if self.units == 0:
                dask.worker("--no-nanny", "--memory-limit", "8 GiB")

    def opened():
        with distributed.Client(dask.address) as client:
            wait_for(lambda: len(client.scheduler_info()["workers"]) == 2)
        return cluster.opened(dask.address, plan)

    with Store.writable(tmp_path / "there") as store:
        outcome = runner.run(plan, store, Replaces(lost, 3), elsewhere=opened)
    assert [result.reason for _, result in outcome.failed] == []
    assert outcome.waiting == 0 and small.poll() is None
    assert {row.learner for row in stored(tmp_path / "there") if row.status == "ok"} == {"Mean"}


def test_a_learner_that_dies_or_is_late_fails_alone(tmp_path, dask):
    learners = {"Mean": "seconds = 600", "Dies": "", "FastMean": ""}
    path = suite_file(tmp_path, learners, replicates=4)
    dask.worker("--no-nanny")
    outcome = run_on(dask.address, path, tmp_path / "there", timeout=15.0)
    reasons = {unit.learner: (result.status, result.reason) for unit, result in outcome.failed}
    assert reasons["Mean"] == (UnitStatus.TIMEOUT, "not finished within 15 s")
    assert "killed by SIGKILL" in reasons["Dies"][1]
    assert {row.learner for row in stored(tmp_path / "there") if row.status == "ok"} == {"FastMean"}


def test_the_worker_of_a_late_unit_is_started_again(tmp_path, dask, monkeypatch):
    monkeypatch.setattr(cluster, "GRACE", 0.0)
    net = RUN.format(learners='"net"', d=[4], ratio=2, count=2)
    net = f'\n[[learner]]\nlabel = "net"\nlearner = "densenet"\nparams = {{steps = 1000000}}\n{net}'
    path = suite_file(tmp_path, {"FastMean": ""}, replicates=4, extra=net)
    dask.worker()
    outcome = run_on(dask.address, path, tmp_path / "there", timeout=12.0)
    assert [(unit.learner, result.status) for unit, result in outcome.failed] == [("net", UnitStatus.TIMEOUT)]
    assert {row.learner for row in stored(tmp_path / "there") if row.status == "ok"} == {"FastMean"}


def test_what_does_not_fit_into_the_largest_worker_is_skipped(tmp_path, dask):
    plan = plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))
    large = [dataclasses.replace(u, memory=1e15) if u.learner == "Mean" else u for u in plan.curves]
    plan = dataclasses.replace(plan, curves=tuple(large))
    dask.worker("--no-nanny", "--memory-limit", "2 GiB")
    with Store.writable(tmp_path / "there") as store:
        outcome = runner.run(plan, store, Silent(), elsewhere=lambda: cluster.opened(dask.address, plan))
    ((unit, result),) = outcome.failed
    assert unit.learner == "Mean" and result.status == UnitStatus.SKIPPED
    assert result.reason == "needs 9.31e+05 GiB of memory, the largest worker has 1.8 for it"
    assert {row.learner for row in stored(tmp_path / "there") if row.status == "ok"} == {"FastMean"}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(distributed.KilledWorker("unit", "worker", 3), "died"), (ValueError("no\nluck"), "no luck")],
)
def test_what_a_cluster_does_to_a_unit_is_its_failure(tmp_path, outcome, status):
    unit = plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0]
    flight = cluster.ClusterFlight(unit, 1.0, None, dict, "topic", lambda _: None)
    flight._outcome = outcome
    result = flight.result()
    assert result.status == UnitStatus.FAILED and status in result.reason
    flight._outcome = CancelledError()
    with pytest.raises(UserError, match="scheduler has gone"):
        flight.result()


class Waits:
    """A future of a unit that nobody computes, and its client."""

    status = "running"

    def __init__(self, done=False):
        self.done, self.ended = lambda: done, []
        self.cancel = lambda: self.ended.append("cancelled")
        self.restart_workers = lambda workers, **_: self.ended.extend(workers)


@pytest.mark.parametrize(
    ("workers", "done", "ended"),
    [(["w"], False, ["cancelled", "w"]), (["other"], False, []), (["w"], True, [])],
    ids=["late", "its worker was lost", "it has not landed yet"],
)
def test_only_a_unit_that_its_worker_still_computes_is_late(tmp_path, workers, done, ended):
    unit, there = plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0], Waits(done)
    flight = cluster.ClusterFlight(
        unit, 1.0, there, lambda: dict.fromkeys(workers, 1e12), "topic", lambda _: None
    )
    flight.future, flight.worker = there, "w"
    flight.check()
    flight.started = time.monotonic() - 2.0 - cluster.GRACE
    flight.check()
    assert there.ended == ended
    assert flight.started is None or workers == ["w"]


def test_a_worker_of_several_threads_that_joins_later_computes_nothing(monkeypatch):
    late = types.SimpleNamespace(address="w", state=types.SimpleNamespace(nthreads=4))
    monkeypatch.setattr(distributed, "get_worker", lambda: late)
    with pytest.raises(RuntimeError, match="worker w has 4 threads, allowed is 1"):
        cluster_worker.compute(None, 1.0, "topic")


def test_a_small_worker_that_joins_later_computes_no_large_unit(monkeypatch):
    memory = types.SimpleNamespace(memory_limit=2**30)
    late = types.SimpleNamespace(address="w", state=types.SimpleNamespace(nthreads=1), memory_manager=memory)
    monkeypatch.setattr(distributed, "get_worker", lambda: late)
    with pytest.raises(MemoryError, match=r"needs 4 GiB of memory, worker w has 0\.9 GiB for it"):
        cluster_worker.compute(types.SimpleNamespace(memory=2.0**32), 1.0, "topic")


class Submits:
    """A client whose large worker is another one whenever it is looked at; it submits to nobody."""

    status = "running"

    def __init__(self, large=1e12):
        self.large, self.looks, self.futures = large, 0, []

    def limits(self):
        self.looks += 1
        return {"small": 1e9} | ({f"large-{self.looks}": self.large} if self.large else {})

    def submit(self, *_, workers, **__):
        future = types.SimpleNamespace(
            workers=workers, done=lambda: False, cancel=lambda: None, add_done_callback=lambda _: None
        )
        self.futures.append(future)
        return future


def flying(tmp_path, client):
    """A unit of 4 GB that has been submitted, and where it lands."""
    unit = dataclasses.replace(plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0], memory=4e9)
    landed = []
    flight = cluster.ClusterFlight(unit, 60.0, client, client.limits, "topic", landed.append)
    flight.submit()
    return flight, landed


def test_a_unit_that_kills_its_workers_fails_in_the_end(tmp_path):
    client = Submits()
    flight, landed = flying(tmp_path, client)
    for _ in range(20):
        flight.started = time.monotonic()
        if not landed:
            flight.check()
    assert landed == [flight] and len(client.futures) == 4
    assert [future.workers for future in client.futures] == [[f"large-{n}"] for n in (1, 3, 5, 7)]
    assert flight.result().status == UnitStatus.FAILED
    assert "every worker that computed it died" in flight.result().reason


def test_a_unit_whose_workers_do_not_come_back_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    client = Submits()
    flight, landed = flying(tmp_path, client)
    client.large = None
    flight.check()
    assert not landed
    time.sleep(0.15)
    flight.check()
    assert landed == [flight] and flight.result().status == UnitStatus.SKIPPED
    assert flight.result().reason == "needs 3.73 GiB of memory, the largest worker has 0.838 for it"
    flight._arrive(client.futures[0])  # what came of it in the end is not wanted any more
    assert landed == [flight]


def test_a_unit_is_submitted_to_nobody_while_those_with_room_are_gone(tmp_path):
    client = Submits(large=None)
    flight, landed = flying(tmp_path, client)
    flight.check()
    assert client.futures == [] and not landed
    client.large = 1e12
    flight.check()
    assert [future.workers for future in client.futures] == [[f"large-{client.looks}"]] and not landed


def test_a_unit_that_a_small_worker_refuses_goes_to_a_large_one(tmp_path):
    client = Submits()
    flight, landed = flying(tmp_path, client)

    def refuse():
        raise cluster_worker.TooSmallError

    client.futures[0].result = refuse
    flight._arrive(client.futures[0])
    flight.check()
    assert not landed and [future.workers for future in client.futures] == [["large-1"], ["large-3"]]


def test_a_result_that_is_lost_with_its_worker_is_computed_again(tmp_path):
    client = Submits()
    flight, landed = flying(tmp_path, client)

    def lost():  # dask waits for the worker that has it, until the flight gives this future up
        flight.check()
        raise CancelledError

    client.futures[0].result = lost
    flight._arrive(client.futures[0])
    assert not landed and len(client.futures) == 2
    client.futures[1].result = lambda: flight.unit.without_numbers(UnitStatus.DONE, "")
    flight._arrive(client.futures[1])
    assert landed == [flight] and flight.result().status == UnitStatus.DONE


def test_room_of_a_lost_worker_is_kept_for_a_moment_and_what_fits_the_others_goes_first(tmp_path):
    workers = {"small": {"memory_limit": 1e9}, "large": {"memory_limit": 1e12}}
    client = types.SimpleNamespace(
        scheduler_info=lambda: {"workers": workers}, subscribe_topic=lambda *_: None
    )
    pool = cluster.ClusterPool(client)
    unit = plan_of(suite_file(tmp_path, {"Mean": ""})).curves[0]
    large, little = (dataclasses.replace(unit, memory=memory) for memory in (4e9, 4e6))

    def forget(seconds):
        pool._seen -= seconds
        pool._were = {a: (seen - seconds, most) for a, (seen, most) in pool._were.items()}

    assert pool.room.next([large, little], []) is large
    del workers["large"]
    forget(2.0)
    assert pool.room.next([large, little], []) is little and pool.room.next([large], []) is large
    forget(cluster.PATIENCE)
    assert pool.room.next([large], []) is None


def test_a_worker_that_differs_is_refused(tmp_path, dask, monkeypatch):
    path = suite_file(tmp_path, {"Mean": ""}, replicates=4)
    dask.worker(threads=2)
    with pytest.raises(UserError, match="has 2 threads, allowed is 1"):
        run_on(dask.address, path, tmp_path)
    threaded = dask.processes.pop()
    threaded.terminate()
    threaded.wait()
    dask.worker("--no-nanny")
    plan = plan_of(path)
    with contextlib.closing(distributed.Client(dask.address)) as client:
        wait_for(lambda: len(client.scheduler_info()["workers"]) == 1)
        cluster._hold(client, plan)
        monkeypatch.setattr(cluster, "_one_of_each", lambda _: [other(plan)])
        with pytest.raises(UserError, match=r"differs from this process in .*: torch .* instead of 1\.0"):
            cluster._hold(client, plan)


def other(plan):
    unit = plan.curves[0]  # its versions are those of every unit of this process
    return dataclasses.replace(unit, key="another", versions=unit.versions | {"torch": "1.0"})


def test_nobody_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    path = suite_file(tmp_path, {"Mean": ""}, replicates=4)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(UserError, match="no dask scheduler answers at"):
            run_on(address, path, tmp_path)


def test_the_command_line(tmp_path, dask):
    path = suite_file(tmp_path, {"FastMean": ""}, replicates=4)
    dask.worker()
    command = [sys.executable, "-m", "hierbench.benchmarks.cli", "run", path, "--no-figures", "--results",
               str(tmp_path / "r"), "--scheduler", dask.address]  # fmt: skip
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {row.status for row in stored(tmp_path / "r")} == {"ok"}
    refused = subprocess.run(
        [*command, "--workers", "2"], env=environment(), capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert refused.returncode == 2 and "exclude each other" in refused.stderr
