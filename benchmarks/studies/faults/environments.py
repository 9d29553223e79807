"""Commands in odd environments: each ends with the status that is expected, and none with a traceback."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.studies.faults.tally import Tally

LIST = "list learners"
STATUS = "status --results kept"
REPORT = "compare smoke --results kept"
DESCRIBE = "describe squares --d 4"
RUN = "run smoke --learner krr_rbf --d 4 --workers 1 --no-figures --results"
FRESH = "run smoke --learner ridge --d 4 --workers 1 --no-figures --results new"
LOADED = f"{RUN} new"
"""With torch in the worker, on which limits and variables bear, in twice the time."""
LIMIT = 120.0
"""Seconds that a command may take."""
SIGNS = ("Traceback (most recent call last)", "Exception ignored", "During handling of")


@dataclasses.dataclass(frozen=True)
class Oddity:
    """A shell line in which HIERBENCH stands for the command.

    Parameters
    ----------
    what : str
    line : str
    statuses : sequence of int
        Exit statuses that are right.
    says : str
        What standard output or standard error has to hold.
    variables : mapping
        Changes of the environment; None takes a variable away.
    needs : str
        Shell line that succeeds where this can be tried.
    """

    what: str
    line: str
    statuses: Sequence[int] = (0,)
    says: str = ""
    variables: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    needs: str = "true"


REFUSED = "hierbench: error: "
PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

ODDITIES = (
    # standard streams
    Oddity("reader of the output gone", f"HIERBENCH {LIST} | true; exit ${{PIPESTATUS[0]}}", (0, 141)),
    Oddity("head", f"HIERBENCH {LIST} | head -1; exit ${{PIPESTATUS[0]}}", (0, 141), "learners:"),
    Oddity("standard output closed", f"HIERBENCH {LIST} >&-"),
    Oddity("standard error closed", "HIERBENCH lst 2>&-", (2,)),
    Oddity("all three closed", f"HIERBENCH {STATUS} <&- >&- 2>&-"),
    Oddity("all three closed, a run", f"HIERBENCH {FRESH} <&- >&- 2>&-"),
    Oddity("output full", f"HIERBENCH {LIST} >/dev/full", (2,), f"{REFUSED}the system refuses"),
    Oddity("a few bytes of output, full", f"HIERBENCH {STATUS} >/dev/full", (2,), REFUSED),
    Oddity("output full, a run", f"HIERBENCH {FRESH} >/dev/full", (2,), REFUSED),
    Oddity("standard error full, a run", f"HIERBENCH {FRESH} 2>/dev/full", (0,), "ridge"),
    # encodings
    Oddity("ascii", f"HIERBENCH {DESCRIBE}", variables={"PYTHONIOENCODING": "ascii"}),
    Oddity("LANG=C", f"HIERBENCH {DESCRIBE}", variables={"LC_ALL": "C", "LANG": "C", **PLAIN}),
    Oddity("an unknown locale", f"HIERBENCH {FRESH}", variables={"LC_ALL": "xx_YY.nonsense", **PLAIN}),
    Oddity("a path that is no text", "HIERBENCH status --results $'\\xff\\xfe'", (2,), REFUSED),
    # limits
    Oddity("12 open files", f"ulimit -n 12; HIERBENCH {LIST}"),
    Oddity("20 open files, a run", f"ulimit -n 20; HIERBENCH {LOADED}", (0, 1, 2)),
    Oddity("12 open files, a run", f"ulimit -n 12; HIERBENCH {LOADED}", (1, 2)),
    Oddity("60 MB of memory", f"ulimit -v 60000; HIERBENCH {LIST}", (2,), f"{REFUSED}out of memory"),
    Oddity("2 GB of memory, a run", f"ulimit -v 2000000; HIERBENCH {LOADED}", (0, 1, 2)),
    Oddity("400 MB of memory, a run", f"ulimit -v 400000; HIERBENCH {LOADED}", (1, 2)),
    Oddity("files of at most 20 KiB, a run", f"ulimit -f 20; HIERBENCH {LOADED}", (2,), REFUSED),
    Oddity(
        "/dev/shm read-only, a run",
        f"unshare -m bash -c 'mount -t tmpfs -o ro none /dev/shm && HIERBENCH {LOADED}'",
        (0, 2),
        needs="unshare -m mount -t tmpfs -o ro none /dev/shm",
    ),
    # places
    Oddity("no HOME", f"HIERBENCH {LOADED}", variables={"HOME": None}),
    Oddity("TMPDIR is missing", f"HIERBENCH {LOADED}", variables={"TMPDIR": "/nowhere"}),
    Oddity("no folder for temporary files", f"cd /proc; HIERBENCH {LIST}", variables={"TMPDIR": "/proc"}),
    Oddity("working directory deleted", f"mkdir x; cd x; rmdir ../x; HIERBENCH {LIST}"),
    Oddity(
        "working directory deleted, a run", f"mkdir x; cd x; rmdir ../x; HIERBENCH {FRESH}", (2,), REFUSED
    ),
    Oddity("working directory read-only, a run", f"cd /proc; HIERBENCH {FRESH}", (2,), REFUSED),
    Oddity("results folder is a file", f"touch new; HIERBENCH {FRESH}", (2,), REFUSED),
    Oddity("store is a folder", f"mkdir -p new/{NAME}; HIERBENCH {FRESH}", (2,), REFUSED),
    # terminals and other variables
    Oddity("TERM=dumb, one column", f"HIERBENCH {LIST}", variables={"TERM": "dumb", "COLUMNS": "1"}),
    Oddity("COLUMNS is no number", f"HIERBENCH {REPORT}", (0, 2), variables={"COLUMNS": "wide"}),
    Oddity("no environment", f"env -i HIERBENCH {STATUS}"),
    Oddity("warnings are errors", f"HIERBENCH {LIST}", variables={"PYTHONWARNINGS": "error"}),
    Oddity("no docstrings, no asserts", "HIERBENCH --help", variables={"PYTHONOPTIMIZE": "2"}),
    Oddity("threads that are no number", f"HIERBENCH {LOADED}", variables={"OMP_NUM_THREADS": "many"}),
    Oddity("a matplotlib backend that is none", f"HIERBENCH {REPORT}", variables={"MPLBACKEND": "nonsense"}),
)
FAST = (
    "head",
    "standard output closed",
    "output full",
    "ascii",
    "60 MB of memory",
    "working directory deleted",
)
"""A second in all: no store, and nothing that loads more than the list."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a command ended; ``faults`` is empty where it ended as it should."""

    status: int
    seconds: float
    last: str
    faults: tuple[str, ...]


def prepare(folder: Path) -> None:
    """Compute the tiny store that every oddity finds in ``kept``."""
    subprocess.run([*_command(), *shlex.split(f"{RUN} {folder / 'kept'}")], check=True, capture_output=True)


def try_out(oddity: Oddity, folder: Path) -> Ending | None:
    """Run an oddity in a copy of a prepared folder (or in an empty one); None where it cannot be tried."""
    if subprocess.run(["bash", "-c", oddity.needs], capture_output=True).returncode:
        return None
    variables = {**os.environ, **{k: v for k, v in oddity.variables.items() if v is not None}}
    for name in (k for k, v in oddity.variables.items() if v is None):
        variables.pop(name, None)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        if (folder / "kept").is_dir():
            shutil.copytree(folder / "kept", place / "kept")
        before = _rows(place / "kept")
        line = oddity.line.replace("HIERBENCH", shlex.join(_command()))
        start = time.monotonic()
        try:
            ended = subprocess.run(
                ["bash", "-c", line], cwd=place, env=variables, capture_output=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return Ending(-1, LIMIT, "", (f"not over after {LIMIT:g} s",))
        seconds = time.monotonic() - start
        said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
        faults = [f"shows {sign!r}" for sign in SIGNS if sign in said]
        if ended.returncode not in oddity.statuses:
            faults.append(f"exit status {ended.returncode}, not {' or '.join(map(str, oddity.statuses))}")
        if oddity.says not in said:
            faults.append(f"does not say {oddity.says!r}")
        if _rows(place / "kept") != before or not _is_sound(place / "new"):
            faults.append("rows are lost")
    last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return Ending(ended.returncode, seconds, "".join(last), tuple(faults))


def _command() -> list[str]:
    return [sys.executable, "-m", "hierbench.benchmarks.cli"]


def _rows(results: Path) -> int:
    if not (results / NAME).is_file():
        return 0
    with Store.readable(results) as store:
        return len(store.rows())


def _is_sound(results: Path) -> bool:
    if not (results / NAME).is_file():
        return True
    connection = sqlite3.connect(results / NAME)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        connection.close()


def campaign(folder: Path) -> Tally:
    """Try everything, each once."""
    prepare(folder)
    tally = Tally("commands in odd environments")
    for oddity in ODDITIES:
        ending = try_out(oddity, folder)
        if ending is None:
            tally.add("cannot be tried on this machine")
            continue
        wrong = [f"{oddity.what}: {fault} ({ending.last})" for fault in ending.faults]
        kind = "done" if ending.status == 0 else f"ended with status {ending.status}, in a line at most"
        tally.add(kind, wrong)
    return tally
