"""Kills of parent, worker, process group, single statements, and at start-up: no row is lost or changed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.studies.faults.tally import Tally
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.errors import UserError

SUITE = """
name = "kills"
summary = "units of milliseconds, to be killed in their middle"
replicates = 8
test = {min = 64, max = 256}
timeout_seconds = 60
epsilons = [0.3]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}

[[learner]]
learner = "krr_rbf"

[[learner]]
learner = "krr_polynomial"

[[run]]
targets = ["sq"]
learners = ["krr_rbf", "krr_polynomial"]
d = [3, 4, 5, 6, 7, 8]
sizes = {scale = 8, power = 1, ratio = 2, count = 3, max = 400}
"""
_STRUCK, _LATE = "in its middle", "too late"
COST = ("fit_seconds", "predict_seconds", "peak_memory_bytes", "timing")


class Campaign:
    """Runs of one suite in ``folder`` that are killed, against one that was not.

    Parameters
    ----------
    folder : Path
        Empty; suites and stores are written there.
    seed : int
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.suite = folder / "kills.toml"
        self.suite.write_text(SUITE)
        self.plan: Plan = make_plan(load_suite(str(self.suite)))
        whole = folder / "whole"
        self._ended(self._run(whole))
        self.reference = _rows(whole)
        self.round = 0

    def killed(self, kind: str, tries: int) -> Tally:
        """Kill runs that go on until they are finished, then begin another store; late ones do not count.

        Without one worker a run goes on, and is struck again.
        """
        strike = STRIKES[kind]
        tally = Tally(f"run killed: {kind}")
        results = self._fresh()
        while tally.outcomes[_STRUCK] < tries:
            process, struck = self._run(results), 0
            family: list[psutil.Process] = []
            while process.poll() is None:
                if kind == AT_START:
                    time.sleep(self.rng.uniform(0.0, 2.0))
                else:
                    self._wait_for_units(process, results, self.rng.randint(1, 8))
                family = _family(process) or family
                if process.poll() is None and strike(process, family, self.rng):
                    struck += 1
                if kind != ONE_WORKER:
                    break
            self._ended(process)
            wrong = self._wrong(results, family)
            for _ in range(struck):
                tally.add(_STRUCK, wrong)
                wrong = []
            if not struck:
                tally.add(_LATE, wrong)
                results = self._fresh()
        self._ended(self._run(results))
        if _rows(results) != self.reference:
            tally.wrong.append("the rows at the end are not those of a run that nobody killed")
        return tally

    def _fresh(self) -> Path:
        self.round += 1
        return self.folder / f"killed-{self.round}"

    def _run(self, results: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hierbench.benchmarks.cli", "run", str(self.suite)]
        return subprocess.Popen(
            [*command, "--results", str(results), "--no-figures", "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_for_units(self, process: subprocess.Popen[bytes], results: Path, more: int) -> None:
        """Wait until a run has finished some units more, or has ended; then for a part of a unit."""
        before = stored_units(results)
        while process.poll() is None and stored_units(results) < before + more:
            time.sleep(0.01)
        time.sleep(self.rng.uniform(0.0, 0.1))

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        process.wait(timeout=300)

    def _wrong(self, results: Path, family: list[psutil.Process]) -> list[str]:
        wrong = [] if _all_end(family) else ["a worker outlives its run"]
        if (results / NAME).is_file():
            wrong += self.compare(results)
        return wrong

    def compare(self, results: Path) -> list[str]:
        """Compare every unit that is done, with all its rows, to the run that nobody killed."""
        wrong = []
        expected: dict[str, list[Row]] = {}
        for row in self.reference.values():
            expected.setdefault(row.unit, []).append(row)
        # as a next run opens it: a store whose tables were being made is made then
        with Store.writable(results) as store:
            done = store.done()
            rows: dict[str, list[Row]] = {}
            for row in store.rows():
                rows.setdefault(row.unit, []).append(_without_cost(row))
            for unit in self.plan.curves:
                if unit.key in done and _sorted(rows.get(unit.key, [])) != _sorted(expected[unit.key]):
                    wrong.append(f"rows of {unit.title()} are lost, doubled or changed")
            if stray := rows.keys() - store.statuses().keys():
                wrong.append(f"rows of {len(stray)} units that are not stored")
        return wrong


def statements(folder: Path, tries: int, reference: Campaign) -> Tally:
    """Kill a process that commits one unit after the other, at a statement drawn at random."""
    tally = Tally("commit killed at one SQL statement")
    results = folder / "statements"
    while tally.outcomes[_STRUCK] < tries:
        number = reference.rng.randint(1, 60)
        command = [sys.executable, "-c", _COMMITS, str(reference.suite), str(folder / "whole"), str(results)]
        ended = subprocess.run(
            [*command, str(number)], capture_output=True, text=True, timeout=60, check=False
        )
        struck = ended.returncode == -signal.SIGKILL
        wrong = [] if struck or ended.returncode == 0 else [ended.stderr[-300:]]
        tally.add(_STRUCK if struck else _LATE, [*wrong, *reference.compare(results)])
        if not struck:
            results = folder / f"statements-{tally.outcomes.total()}"
    return tally


_COMMITS = """
import os, signal, sys
from pathlib import Path
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.unit import Result
suite, whole, results, number = sys.argv[1:]
left = int(number)

def count(statement):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

with Store.readable(Path(whole)) as source, Store.writable(Path(results)) as store:
    store.connection.set_trace_callback(count)
    done = store.done()
    for unit in make_plan(load_suite(suite)).curves:
        if unit.key not in done:
            store.commit(unit, Result("done", rows=tuple(source.rows([unit.key]))))
"""

Strike = Callable[[subprocess.Popen[bytes], list[psutil.Process], random.Random], bool]


def _parent(process: subprocess.Popen[bytes], family: list[psutil.Process], rng: random.Random) -> bool:
    process.kill()
    return True


def _worker(process: subprocess.Popen[bytes], family: list[psutil.Process], rng: random.Random) -> bool:
    workers = [p for p in family if p.pid != process.pid and p.is_running()]
    if not workers:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        rng.choice(workers).kill()
    return True


def _group(process: subprocess.Popen[bytes], family: list[psutil.Process], rng: random.Random) -> bool:
    os.killpg(process.pid, signal.SIGKILL)
    return True


AT_START, ONE_WORKER = "the parent at start-up", "one worker"
STRIKES: dict[str, Strike] = {
    "the parent": _parent,
    ONE_WORKER: _worker,
    "the process group": _group,
    AT_START: _parent,
}


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def stored_units(results: Path) -> int:
    """Number of units in a store, which may be in the making."""
    if not (results / NAME).is_file():
        return 0
    try:
        with Store.readable(results) as store:
            return len(store.statuses())
    except UserError:  # its tables are being made
        return 0


def _all_end(processes: list[psutil.Process], seconds: float = 10.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return all(p.status() == psutil.STATUS_ZOMBIE for p in alive)


def _without_cost(row: Row) -> Row:
    blank: dict[str, Any] = dict.fromkeys(COST)
    return dataclasses.replace(row, **blank)


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def _rows(results: Path) -> dict[str, Row]:
    with Store.readable(results) as store:
        assert set(store.statuses().values()) <= {UnitStatus.DONE}
        return {row.key: _without_cost(row) for row in store.rows()}
