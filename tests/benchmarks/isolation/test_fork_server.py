"""A learner's process is fresh, alone, and ends with all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from machinery import ROOT

from hierbench.benchmarks.isolation import fork_server
from hierbench.benchmarks.isolation.host import Process, There
from hierbench.benchmarks.units.fitting import LearnerGoneError
from hierbench.learners.base import Curve

LEARNERS = """
import os, signal, subprocess, sys, threading
import numpy as np
from stub_learners import Mean

COUNTED = [0]

class Counts(Mean):
    def predict(self, X):
        COUNTED[0] += 1
        np.ones = None
        os.environ["LEFT"] = "here"
        return np.full(len(X), 100.0 * COUNTED[0] + len(os.environ.get("LEFT_BEFORE", "")))

class Place(Mean):
    def predict(self, X):
        same = os.getcwd() == self.offset[0] and os.environ.get("PLACE") == self.offset[1]
        return np.full(len(X), float(same))
    def fit(self, X, y):
        return self

class Threads(Mean):
    def predict(self, X):
        return np.full(len(X), float(len(os.listdir(f"/proc/{os.getppid()}/task"))))

class Loaded(Mean):
    def fit(self, X, y):
        self.mean_ = float(self.offset in sys.modules)
        return self
    def predict(self, X):
        return np.full(len(X), self.mean_)

class Leaves(Mean):
    def fit(self, X, y):
        left = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self.mean_ = float(left.pid)
        return self

class KillsItsParent(Mean):
    def fit(self, X, y):
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait(60)
"""


@pytest.fixture(
    params=[pytest.param(True, id="forked"), pytest.param(False, id="alone", marks=pytest.mark.slow)]
)
def forks(request, monkeypatch):
    if request.param and not fork_server.FORKS:
        pytest.skip("processes are forked on Linux only")
    monkeypatch.setattr(fork_server, "FORKS", request.param)
    return request.param


@pytest.fixture
def learners(tmp_path, monkeypatch):
    (tmp_path / "forked_learners.py").write_text(LEARNERS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def predicted(process, name, **parameters):
    learner = There(process, f"forked_learners:{name}", parameters, sys.path)
    fit = learner.fit([Curve(np.zeros((4, 2)), np.zeros(4), (4,), 0)]).fits[0]
    return float(fit.predict(np.zeros((1, 2)))[0][0])


def test_every_process_is_fresh(learners, forks):
    values = []
    for _ in range(3):
        with Process(60.0) as process:
            values.append(predicted(process, "Counts"))
    assert values == [100.0] * 3


def test_several_at_once_and_within_one_another(learners, forks):
    with Process(60.0) as first, Process(60.0) as second:
        assert predicted(second, "Counts") == predicted(first, "Counts") == 100.0
        with Process(60.0) as third:
            assert predicted(third, "Counts") == 100.0


def test_it_is_where_its_asker_is(learners, forks, monkeypatch):
    for number in range(2):
        place = learners / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        monkeypatch.setenv("PLACE", str(number))
        with Process(60.0) as process:
            assert predicted(process, "Place", offset=[str(place), str(number)]) == 1.0


@pytest.mark.skipif(not fork_server.FORKS, reason="processes are forked on Linux only")
@pytest.mark.parametrize("also", [(), ("hierbench.benchmarks.isolation.contract",)], ids=["plain", "checks"])
def test_what_is_forked_has_one_thread(also, learners):
    with Process(60.0, also) as process:
        assert predicted(process, "Threads") == 1.0


@pytest.mark.skipif(not fork_server.FORKS, reason="processes are forked on Linux only")
def test_only_what_is_forked_for_it_has_more_loaded(learners):
    for also, loaded in (((), 0.0), (("wave",), 1.0), ((), 0.0)):
        with Process(60.0, also) as process:
            assert predicted(process, "Loaded", offset="wave") == loaded


@pytest.mark.skipif(not fork_server.FORKS, reason="elsewhere what leaves the group lives on")
def test_what_leaves_the_group_ends_with_it(learners):
    with Process(60.0) as process:
        pid = int(predicted(process, "Leaves"))
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


def test_a_learner_that_kills_its_parent_harms_itself_only(learners, monkeypatch):
    monkeypatch.setattr(fork_server, "_servers", [])
    with Process(60.0) as process, pytest.raises(LearnerGoneError):
        predicted(process, "KillsItsParent")
    with Process(60.0) as process:
        assert predicted(process, "Counts") == 100.0
    for server in fork_server._servers:
        server.close()


def test_a_process_that_is_killed_says_by_what(learners, forks):
    with Process(60.0) as process, pytest.raises(LearnerGoneError, match="SIGTERM"):
        os.kill(process._child.pid, signal.SIGTERM)
        predicted(process, "Counts")


ASKER = """
import pathlib, sys, time
import test_fork_server as tests
process = tests.Process(60.0)
tests.predicted(process, "Counts")
print(process._child.pid, flush=True)
time.sleep(60)
"""


def test_all_ends_with_the_asker(learners):
    """Killed, it cannot end anything itself."""
    paths = os.pathsep.join(map(str, (Path(__file__).parent, learners, ROOT / "tests" / "helpers")))
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    with asker:
        pid = int(asker.stdout.readline())
        above = psutil.Process(pid).ppid()
        asker.kill()
    end = time.monotonic() + 10.0
    while time.monotonic() < end and (_runs(pid) or _runs(above)):
        time.sleep(0.05)
    assert not _runs(pid) and not _runs(above)


ATTENDED = """
import ctypes, os, socket, subprocess, sys, time
from hierbench.benchmarks.isolation import fork_server

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
here, there = socket.socketpair()
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    os.write(writer, b"%d\\n" % subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
    time.sleep(600)
left = os.read(reader, 100).decode()
here.sendall(b"e")
here.close()
fork_server._attend(there, pid)
print(left, end="")
"""


@pytest.mark.skipif(not fork_server.FORKS, reason="processes are forked on Linux only")
def test_an_asker_that_is_killed_while_it_ends_a_learner_leaves_nothing(learners):
    ran = subprocess.run(
        [sys.executable, "-c", ATTENDED], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not _runs(int(ran.stdout))


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
