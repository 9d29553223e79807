"""What the tests of runner and command line share: a suite of stub learners, and its store."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

from hierbench.benchmarks.run import progress, room, runner, worker
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.plan import Plan, make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import Result, Unit

ROOT = Path(__file__).resolve().parents[2]
COST_COLUMNS = ("fit_seconds", "predict_seconds", "peak_memory_bytes")

HEAD = """\
name = "stub"
summary = "stub learners"
replicates = {replicates}
test = {{min = 64, max = {test_max}}}
timeout_seconds = {timeout}
epsilons = [0.3, 0.1]
traces = {traces}

[[target]]
label = "sq"
family = "squares"
params = {{depth = 2, width = 2}}
"""
LEARNER = '\n[[learner]]\nlabel = "{label}"\nlearner = "{module}:{label}"\nparams = {{{params}}}\n'
RUN = """
[[run]]
targets = ["sq"]
learners = [{learners}]
d = {d}
sizes = {{scale = 8, power = 1, ratio = {ratio}, count = {count}, max = 400}}
"""


def suite_file(
    folder: Path,
    learners: dict[str, str],
    d=(4,),
    replicates=4,
    timeout=60,
    traces=False,
    ratio=2,
    count=2,
    test_max=256,
    extra="",
    module="stub_learners",
) -> str:
    """Path of a suite of these stub learners (label -> params)."""
    text = HEAD.format(replicates=replicates, timeout=timeout, traces=str(traces).lower(), test_max=test_max)
    text += "".join(
        LEARNER.format(module=module, label=label, params=params) for label, params in learners.items()
    )
    quoted = ", ".join(f'"{label}"' for label in learners)
    text += RUN.format(learners=quoted, d=list(d), ratio=ratio, count=count) + extra
    path = folder / "stub.toml"
    path.write_text(text)
    return str(path)


def plan_of(path: str) -> Plan:
    return make_plan(load_suite(path))


def stored(results: Path) -> list[Row]:
    with Store.readable(results) as store:
        return store.rows()


def without_cost(rows: list[Row]) -> list[Row]:
    """Rows with the columns blanked that may differ between two runs on one machine."""
    return [dataclasses.replace(r, **dict.fromkeys(COST_COLUMNS)) for r in rows]


def environment() -> dict[str, str]:
    paths = [str(ROOT / "tests" / "helpers"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "120"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "hierbench.benchmarks.cli", *map(str, arguments)]


def hierbench(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120
    )


class Silent(progress.Silent):
    """Remembers what is to be computed."""

    def start(self, waiting, present, workers):
        self.titles = [u.title() for u in waiting]

    def added(self, units):
        self.titles += [u.title() for u in units]


@dataclasses.dataclass(eq=False)
class Landed:
    """A unit that was computed before anybody could wait for it."""

    unit: Unit
    outcome: Result

    def check(self):
        pass

    def result(self):
        return self.outcome


class Here:
    """A pool without workers: this process computes, which has imported by now what they would import."""

    room = room.Room(room.free)

    def size(self):
        return 1

    def fly(self, unit, limit, land):
        # plain data on both ways, as to a worker and back
        result = worker.compute(pickle.loads(pickle.dumps(unit)), limit)
        flight = Landed(unit, pickle.loads(pickle.dumps(result)))
        land(flight)
        return flight


@contextlib.contextmanager
def here(workers, compiled=None):
    yield Here()


def one_by_one(function, tasks, processes):
    """``processes.spread`` without other processes, each of which would import what is here already."""
    return [function(*task) for task in tasks]


def run(path, results, **options):
    with Store.writable(results) as store:
        return runner.run(plan_of(path), store, Silent(), **{"workers": 1, **options})
