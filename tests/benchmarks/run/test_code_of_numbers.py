"""A number is stored under the key of the code that made it, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from machinery import Silent, here, plan_of, stored, suite_file

from hierbench.benchmarks.isolation.host import Process, There
from hierbench.benchmarks.provenance import fingerprint, loaded
from hierbench.benchmarks.run import local_pool, runner
from hierbench.benchmarks.store.store import NAME, Store

WORKERS = True

SOURCE = """
import sys
from pathlib import Path
import numpy as np
import helper_of_mine
sys.path.insert(0, str(Path(__file__).parent / "elsewhere"))
__import__("fou" + "nd")
from sklearn.base import BaseEstimator, RegressorMixin

class Constant(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.value_ = np.loadtxt(Path(__file__).with_name("weights.txt")) * helper_of_mine.FACTOR
        return self

    def predict(self, X):
        return np.full(len(X), float(self.value_))
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A researcher's folder: a learner, a module that it imports, a file that it reads."""
    folder = tmp_path / "lab"
    (folder / "elsewhere").mkdir(parents=True)
    (folder / "learner_of_mine.py").write_text(SOURCE)
    (folder / "elsewhere" / "found.py").write_text("FACTOR = 1\n")
    (folder / "helper_of_mine.py").write_text("FACTOR = 1\n")
    (folder / "weights.txt").write_text("0.5\n")
    monkeypatch.syspath_prepend(str(folder))
    fingerprint.forget()
    yield folder
    fingerprint.forget()


TARGET_SOURCE = """
import dataclasses, importlib.util
from pathlib import Path
import numpy as np
from own_targets import Own

HERE = Path(__file__).parent

@dataclasses.dataclass(frozen=True)
class Weighed(Own):
    def evaluate(self, X):
        spec = importlib.util.spec_from_file_location("found", HERE / "elsewhere" / "found.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        scope = {}
        exec((HERE / "executed.py").read_text(), scope)
        return super().evaluate(X) * np.load(HERE / "weights.npy") * found.SIGN * scope["SIGN"]
"""


@pytest.fixture
def own_target(tmp_path, monkeypatch):
    """A folder with a target that reads a file and runs two sources that no import names; its suite."""
    folder = tmp_path / "lab"
    (folder / "elsewhere").mkdir(parents=True)
    (folder / "target_of_mine.py").write_text(TARGET_SOURCE)
    np.save(folder / "weights.npy", np.array(1.0))
    for source in ("elsewhere/found.py", "executed.py"):
        (folder / source).write_text("SIGN = 1.0\n")
    monkeypatch.syspath_prepend(str(folder))
    fingerprint.forget()
    path = Path(suite_file(tmp_path, {"Mean": "", "FastMean": ""}, count=1))
    ours = 'family = "squares"\nparams = {depth = 2, width = 2}'
    text = path.read_text()
    assert ours in text
    path.write_text(text.replace(ours, 'family = "target_of_mine:Weighed"'))
    yield folder, str(path)
    fingerprint.forget()


@pytest.mark.parametrize("file", ["weights.npy", "elsewhere/found.py", "executed.py"])
def test_what_a_target_reads_or_runs_is_computed_with_again_where_it_changes(own_target, tmp_path, file):
    folder, path = own_target
    plan = plan_of(path)
    with Store.writable(tmp_path / "r") as store:
        assert not runner.run(plan, store, Silent(), workers=1).failed
        assert not runner.missing(plan, store.done())
        if file.endswith(".npy"):
            np.save(folder / file, np.array(-1.0))
        else:
            (folder / file).write_text("SIGN = -1.0\n")
    units = {u.key for u in plan.curves}  # its certificate reads nothing
    with Store.writable(tmp_path / "r") as store:
        assert {u.key for u in runner.missing(plan, store.done())} == units
        assert {reason.split(",")[0] for reason in store.changed().values()} == {str(folder / file)}


def test_what_libraries_read_is_no_target_s(tmp_path):
    path = Path(suite_file(tmp_path, {"FastMean": ""}, count=1))
    text = path.read_text().replace('learner = "stub_learners:FastMean"', 'learner = "krr_rbf"')
    ours = 'family = "squares"\nparams = {depth = 2, width = 2}'
    path.write_text(text.replace(ours, 'family = "own_targets:Own"'))
    with Store.writable(tmp_path / "r") as store:
        assert not runner.run(plan_of(str(path)), store, Silent(), workers=1).failed
    with contextlib.closing(sqlite3.connect(tmp_path / "r" / NAME)) as connection:
        stated = connection.execute("SELECT DISTINCT dependencies FROM units").fetchall()
    assert stated == [("{}",)]


WATCHED = """if 1:
    import os, sys
    from pathlib import Path
    import numpy as np
    from hierbench.benchmarks.provenance import loaded
    loaded.record()
    from hierbench.benchmarks.isolation.footprint import Files
    import reader_of_mine as reader
    files = Files()
    here = Path(sys.argv[1])
    with files.watched():
        (here / "not_mine.txt").read_text()
        reader.read(here / "link.txt")
        reader.many([here / f"{i}.txt" for i in range(8)])
        reader.mapped(here / "mapped.bin")
        reader.changes(here / "state.txt")
    print(*sorted(Path(p).name for p in files.digests()))
"""
READER = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np

def read(path):
    return path.read_text()

def many(paths):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, paths))

def mapped(path):
    return np.memmap(path, dtype=np.uint8, shape=(4,)).sum()

def changes(path):
    path.write_text(path.read_text() + "more")
"""


def test_files_behind_links_in_threads_and_in_memory_count_and_what_is_changed_does_not(tmp_path):
    (tmp_path / "reader_of_mine.py").write_text(READER)
    for name in ("not_mine", "target", "state", *range(8)):
        (tmp_path / f"{name}.txt").write_text("some text")
    (tmp_path / "mapped.bin").write_bytes(b"1234")
    (tmp_path / "link.txt").symlink_to(tmp_path / "target.txt")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked").symlink_to(tmp_path)  # the source is imported by another path
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "elsewhere" / "linked"),
        "JAX_COMPILATION_CACHE_DIR": "",  # is none, and not the working directory
    }
    command = [sys.executable, "-c", WATCHED, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*(f"{i}.txt" for i in range(8)), "link.txt", "mapped.bin"]


def test_a_comment_in_a_target_s_source_changes_nothing(own_target, tmp_path):
    folder, path = own_target
    with Store.writable(tmp_path / "r") as store:
        assert not runner.run(plan_of(path), store, Silent(), workers=1).failed
        (folder / "target_of_mine.py").write_text(f"{TARGET_SOURCE}# said\n")
        fingerprint.forget()
        assert not runner.missing(plan_of(path), store.done())


def test_an_edit_in_the_middle_of_a_run_is_refused_and_said(lab, tmp_path):
    path = suite_file(tmp_path, {"Constant": ""}, count=1, module="learner_of_mine")
    plan = plan_of(path)  # the keys are computed, and then
    source = lab / "helper_of_mine.py"
    source.write_text("FACTOR = 2\n")
    with Store.writable(tmp_path / "r") as store:
        outcome = runner.run(plan, store, Silent(), workers=1)
        ((_, failure),) = outcome.failed
        assert failure.reason.startswith("the code was edited while the run went on (")
        assert all(row.error is None for row in store.rows() if row.learner == "Constant")
        source.write_text("FACTOR = 1\n")  # taken back: computed again, by what its key says
        again = runner.run(plan, store, Silent(), workers=1)
        assert again.computed == 1 and not again.failed
    rows = stored(tmp_path / "r")
    assert {row.status for row in rows} <= {"ok", "unreliable"}


@pytest.mark.parametrize("file", ["weights.txt", "elsewhere/found.py"])
def test_what_a_learner_reads_or_finds_is_computed_with_again_where_it_changes(
    lab, tmp_path, monkeypatch, file
):
    monkeypatch.setattr(local_pool, "opened", here)  # the learner has a process of its own all the same
    path = suite_file(tmp_path, {"Constant": ""}, count=1, module="learner_of_mine")
    plan = plan_of(path)
    with Store.writable(tmp_path / "r") as store:
        assert not runner.run(plan, store, Silent(), workers=1).failed
        assert not runner.missing(plan, store.done())
        (lab / file).write_text("FACTOR = 2\n")
    with Store.writable(tmp_path / "r") as store:
        assert [u.key for u in runner.missing(plan, store.done())] == [u.key for u in plan.curves]


def test_what_a_learner_has_loaded_and_read_is_stated(lab):
    with Process(60) as process:
        learner = There(process, "learner_of_mine:Constant", {}, sys.path)
        from hierbench.learners.base import Curve

        fitted = learner.fit([Curve(np.ones((4, 2)), np.ones(4), (4,), 0)])
        assert fitted.fits[0].predict(np.ones((3, 2))).tolist() == [[0.5] * 3]
        sources, dependencies = learner.footprint()
    assert sources[str(lab / "helper_of_mine.py")] == b"FACTOR = 1\n"
    weights = lab / "weights.txt"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert dependencies["files"] == {os.path.realpath(weights): digest}
    assert {"numpy", "scikit-learn", "scipy"} <= set(dependencies["versions"])


def test_the_text_that_was_loaded_counts_and_not_the_text_on_disk(lab):
    program = """if 1:
        from pathlib import Path
        from hierbench.benchmarks.provenance import fingerprint, loaded
        loaded.record()
        before = fingerprint.fingerprint("helper_of_mine")
        import helper_of_mine
        source = Path(helper_of_mine.__file__)
        source.write_text("FACTOR = 3\\n")
        fingerprint.forget()
        assert fingerprint.fingerprint("helper_of_mine") == before
        assert loaded.edited() == [source]
        source.write_text("FACTOR = 1\\n")
        assert loaded.edited() == []
    """
    environment = {**os.environ, "PYTHONPATH": str(lab)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_a_stale_bytecode_file_is_not_loaded(lab):
    # of the same length and time as the source: Python itself would take it
    program = """if 1:
        import os, py_compile, sys
        from pathlib import Path
        from hierbench.benchmarks.provenance import loaded
        source = Path(sys.argv[1])
        py_compile.compile(str(source))
        time = source.stat().st_mtime
        source.write_text("FACTOR = 9\\n")
        os.utime(source, (time, time))
        loaded.record()
        import helper_of_mine
        assert helper_of_mine.FACTOR == 9
    """
    environment = {**os.environ, "PYTHONPATH": str(lab)}
    command = [sys.executable, "-c", program, str(lab / "helper_of_mine.py")]
    subprocess.run(command, env=environment, check=True, timeout=60)


def test_texts_of_another_process_count_within_the_block():
    with loaded.also({"/nowhere/x.py": b"y = 1\n"}):
        assert loaded.texts()["/nowhere/x.py"] == b"y = 1\n"
    assert "/nowhere/x.py" not in loaded.texts()
