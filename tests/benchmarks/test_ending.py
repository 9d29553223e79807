"""How commands end: one line and a status for what users, signals and the environment do."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from machinery import ROOT, command, environment, stored, suite_file

from hierbench.benchmarks import ending
from hierbench.benchmarks.isolation import signals
from hierbench.errors import UserError

WORKERS = True

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals")


def chained(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("alpha = 0"), "alpha = 0"),
        (
            OSError(errno.EMFILE, "Too many open files", "x.py"),
            "refuses: Too many open files: x.py",
        ),
        (MemoryError(), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory"),
        (chained(RuntimeError("loading failed"), MemoryError()), "out of memory"),
        (RuntimeError("can't start new thread"), "no thread or process can be started"),
        (
            UnicodeEncodeError("ascii", "é", 0, 1, "not in range"),
            "in this encoding",
        ),
        (sqlite3.OperationalError("disk I/O error"), "the store cannot be used: disk I/O error"),
        (sqlite3.DatabaseError("malformed"), "the store is damaged: malformed"),
        (ModuleNotFoundError("No module named 'jax'", name="jax"), "hierbench doctor says more"),
    ],
)
def test_what_is_around_us_is_explained_in_one_line(error, line, capsys):
    def command():
        raise error

    assert ending.status_of(command) == 2
    said = capsys.readouterr().err
    assert line in said and said.startswith("hierbench: error: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        RuntimeError("a defect"),
        sqlite3.IntegrityError("a defect"),
        ModuleNotFoundError("No module named 'hierbench.x'", name="hierbench.x"),
    ],
)
def test_a_defect_of_ours_keeps_its_traceback(error):
    def command():
        raise error

    with pytest.raises(type(error)):
        ending.status_of(command)


# signals ------------------------------------------------------------------------------------


@POSIX
def test_the_first_signal_is_raised_those_with_it_are_dropped_and_none_is_lost(capsys):
    def command():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            for _ in range(10):
                signal.raise_signal(signal.SIGHUP)
        return 0

    with signals.heard():
        assert ending.status_of(command) == 128 + signal.SIGTERM
        assert signals.received() == signal.SIGTERM
    assert signals.received() == 0
    said = capsys.readouterr().err
    assert "stopped by SIGTERM: what was finished before is kept; resume with: hierbench" in said
    assert said.count("\n") == 1


@POSIX
def test_a_signal_in_a_destructor_comes_once_more():
    class Owner:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    with signals.heard(), pytest.raises(signals.StoppedError):
        Owner()
        time.sleep(2.0)


@POSIX
def test_a_signal_that_is_ignored_stays_so_and_handlers_come_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.heard():
            signal.raise_signal(signal.SIGHUP)
            assert signals.received() == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_elsewhere_than_in_the_main_thread_nothing_is_heard():
    def work():
        with signals.heard():
            heard.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    heard: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [True]


@POSIX
def test_a_later_signal_ends_a_command_that_does_not_end():
    code = (
        "import signal, time\nfrom hierbench.benchmarks.isolation import signals\nsignals.ONE_REQUEST = 0.0\n"
        "with signals.heard(lambda number: None):\n"
        "    signal.raise_signal(signal.SIGTERM)\n    time.sleep(0.01)\n"
        "    signal.raise_signal(signal.SIGHUP)\n    print('still here')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 128 + signal.SIGHUP and ended.stdout == ""
    assert ended.stderr.startswith("hierbench: stopped by SIGHUP") and ended.stderr.count("\n") == 1


STRUCK = """
import signal, sys

class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == {moment!r}:
            for _ in range(10):
                signal.raise_signal({number})

sys.meta_path.insert(0, Strike())
from hierbench.benchmarks.entry import main
main()
"""


@POSIX
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("typer", signal.SIGINT),
        ("hierbench.benchmarks.commands.listing", signal.SIGHUP),
        ("hierbench.learners.registry", signal.SIGTERM),
    ],
)
def test_ten_signals_while_a_command_starts(moment, number, tmp_path):
    code = STRUCK.format(moment=moment, number=int(number))
    ended = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 128 + number, ended.stderr
    assert ended.stderr.startswith(f"hierbench: stopped by {number.name}") and ended.stderr.count("\n") == 1


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_the_whole_group_is_told_to_end_keeps_its_units_and_fails_none(number, tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 0.5"}, d=(4, 6, 8))
    process = subprocess.Popen(
        command("run", path, "--results", tmp_path, "--workers", 2, "--no-figures"),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while "units to compute" not in (line := process.stderr.readline()) and line:
        pass
    time.sleep(1.0)
    for _ in range(10):
        os.killpg(process.pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, said
    assert f"stopped by {number.name}" in said and "are kept" in said and "resume with: hierbench run" in said
    assert "Traceback" not in said and "failed" not in said, said


# a script without the guard ------------------------------------------------------------------


@pytest.mark.slow
def test_a_script_without_the_guard_computes_and_ends(tmp_path):
    path = suite_file(tmp_path, {"Mean": ""})
    script = tmp_path / "script.py"
    arguments = ["run", path, "--results", str(tmp_path / "r"), "--workers", "1", "--no-figures"]
    script.write_text(f"from hierbench.benchmarks.cli import main\nmain({arguments!r})\n")
    ended = subprocess.run(
        [sys.executable, script], env=environment(), capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert len(stored(tmp_path / "r")) == 8


def test_a_process_that_is_only_starting_runs_no_command(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\nfrom hierbench.benchmarks.cli import main\n"
        "if __name__ != '__mp_main__':\n"
        "    child = multiprocessing.get_context('spawn').Process(target=print)\n"
        "    child.start()\n    child.join()\n    raise SystemExit(child.exitcode)\n"
        "main(['list'])\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert ended.returncode == 2 and ended.stdout == ""
    assert "put the call below the line: if __name__" in ended.stderr and ended.stderr.count("\n") == 1
