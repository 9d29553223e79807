"""Killed or interrupted at any moment, a run goes on where it stopped and leaves nobody behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time

import psutil
import pytest
from machinery import command, environment, plan_of, run, stored, suite_file, without_cost

from hierbench.benchmarks.studies.faults.kills import stored_units

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals")


def start(path, results):
    arguments = command("run", path, "--results", results, "--workers", 2, "--no-figures")
    return subprocess.Popen(
        arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_units(process, results, n):
    end = time.monotonic() + 60
    while stored_units(results) < n and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def gone(processes, seconds=10):
    """Whether all of these have ended (a zombie has)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not left:
            return True
        time.sleep(0.05)
    return False


@POSIX
@pytest.mark.parametrize(
    ("learners", "d", "moments"),
    [
        (("FastMean",), (4, 6), (6,)),
        pytest.param(("Mean", "FastMean"), (4, 6, 8), (1, 6, 13), marks=pytest.mark.slow(30)),
    ],
)
def test_killed_runs_end_with_the_rows_of_an_uninterrupted_one(learners, d, moments, tmp_path):
    path = suite_file(tmp_path, dict.fromkeys(learners, "seconds = 0.02"), d=d)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert [result.reason for _, result in run(path, whole).failed] == []
    n_units = len(plan_of(path).units)
    rng = random.Random(0)
    for wanted in moments:
        process = start(path, killed)
        wait_for_units(process, killed, wanted)
        time.sleep(rng.uniform(0, 0.2))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        assert gone(children), "workers outlive a killed run"
    assert 0 < stored_units(killed) < n_units, "the test killed nothing in the middle"
    kept = stored(killed)
    assert not run(path, killed).failed
    assert without_cost(stored(killed)) == without_cost(stored(whole))
    # What had been finished was not computed again: even its timings are the same.
    assert {r.key: r for r in stored(killed)}.items() >= {r.key: r for r in kept}.items()


@pytest.mark.slow
@POSIX
def test_interrupt_keeps_what_is_finished_and_says_how_to_resume(tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 0.3"}, d=(4, 6, 8))
    process = start(path, tmp_path)
    wait_for_units(process, tmp_path, 3)
    children = psutil.Process(process.pid).children(recursive=True)
    # As Ctrl-C at a terminal does: every process gets it.
    for one in [psutil.Process(process.pid), *children]:
        one.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "units finished now are kept" in said and "resume with: hierbench run" in said
    assert "Traceback" not in said
    assert gone(children)
    assert stored_units(tmp_path) >= 3


@pytest.mark.slow
@POSIX
def test_a_worker_in_the_middle_of_a_unit_dies_with_its_parent(tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 60"}, timeout=600)
    process = start(path, tmp_path)
    wait_for_units(process, tmp_path, 4)  # the certificates: now only the long unit is left
    time.sleep(0.5)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    all_gone = gone(children, seconds=5)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    assert children and all_gone


@pytest.mark.slow
@POSIX
def test_workers_leave_interrupts_to_their_parent(tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 0.1"}, d=(4, 6))
    process = start(path, tmp_path)
    # From their first moment on, when they import and have set up nothing themselves.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "failed" not in said and "KeyboardInterrupt" not in said
