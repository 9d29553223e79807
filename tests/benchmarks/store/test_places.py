"""Stores that are removed, moved, on read-only media, on full disks, and of odd names."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import damage
import pytest
from machinery import command, environment, plan_of, stored, suite_file

from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.errors import UserError


@pytest.fixture
def plan(tmp_path):
    return plan_of(suite_file(tmp_path, {"Mean": "", "FastMean": ""}))


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def store_removed(folder: Path) -> None:
    (folder / NAME).unlink()


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def replaced(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    Store.writable(folder).close()


@pytest.mark.parametrize("loss", [removed, store_removed, moved, replaced])
@pytest.mark.parametrize("late", [False, True], ids=["before a commit", "after the last"])
def test_a_store_that_goes_away_is_noticed_and_what_it_held_is_kept(tmp_path, plan, monkeypatch, loss, late):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    one, two = plan.curves
    with pytest.raises(UserError, match=r"was removed or moved: .*copy that to") as refused:
        with lock.writer(tmp_path / "r", False, print), Store.writable(tmp_path / "r") as store:
            store.commit(one, damage.result_of(one))
            if late:
                store.commit(two, damage.result_of(two))
            loss(tmp_path / "r")
            if not late:
                store.commit(two, damage.result_of(two))
    (rescued,) = (tmp_path / "here").iterdir()
    assert str(rescued) in str(refused.value)
    (tmp_path / "back").mkdir()
    shutil.copy(rescued, tmp_path / "back" / NAME)
    assert {r.unit for r in stored(tmp_path / "back")} == {one.key, two.key}


@pytest.mark.slow
def test_a_run_whose_folder_is_removed_ends_with_status_2_and_a_copy(tmp_path):
    path = suite_file(tmp_path, {"Mean": "seconds = 0.3"}, d=(4, 6, 8))
    results, here = tmp_path / "r", tmp_path / "here"
    here.mkdir()
    process = subprocess.Popen(
        command("run", path, "--results", results, "--workers", 1, "--no-figures"),
        env=environment(), cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not units(results) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    shutil.rmtree(results)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2 and "was removed or moved" in said and "Traceback" not in said, said
    (rescued,) = here.iterdir()
    assert not results.exists() and str(rescued) in said
    results.mkdir()
    shutil.copy(rescued, results / NAME)
    assert units(results) > 0


def units(results: Path) -> int:
    with contextlib.suppress(UserError), Store.readable(results) as store:
        return len(store.units())
    return 0


def test_a_full_disk_is_one_line_and_what_was_finished_is_safe(tmp_path, plan):
    one, two = plan.curves
    with Store.writable(tmp_path) as store:
        store.commit(one, damage.result_of(one))
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UserError, match="disk is full; what was finished before is safe"):
            store.commit(two, damage.result_of(two))
    assert {r.unit for r in stored(tmp_path)} == {one.key}


@pytest.fixture
def read_only():
    """A folder in which a function can be called that may not write there."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)

    def call(action):
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # who may write anywhere
            os.seteuid(65534)
        try:
            return action()
        finally:
            os.seteuid(user)
            folder.chmod(0o755)

    yield folder, call
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_closed_store_is_read_where_nothing_can_be_written(plan, read_only):
    folder, call = read_only
    unit = plan.curves[0]
    with Store.writable(folder) as store:
        store.commit(unit, damage.result_of(unit))
    for end in ("-wal", "-shm"):
        (folder / f"{NAME}{end}").unlink(missing_ok=True)
    assert {r.unit for r in call(lambda: stored(folder))} == {unit.key}


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_one_that_was_not_closed_says_what_to_do(plan, read_only):
    folder, call = read_only
    unit = plan.curves[0]
    with Store.writable(folder) as store:
        store.commit(unit, damage.result_of(unit))
        names = (NAME, f"{NAME}-wal")
        contents = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        (folder / name).write_bytes(contents[name])
    (folder / f"{NAME}-shm").unlink(missing_ok=True)
    with pytest.raises(UserError, match="copy both to a folder that can be written"):
        call(lambda: stored(folder))


@pytest.mark.parametrize("name", ["file:x", "file:x?mode=memory", "a#b%20c", "ä b"])
def test_a_folder_is_no_uri(tmp_path, plan, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    unit = plan.curves[0]
    with Store.writable(Path(name)) as store:
        store.commit(unit, damage.result_of(unit))
    assert (tmp_path / name / NAME).is_file()
    assert {r.unit for r in stored(Path(name))} == {unit.key}
