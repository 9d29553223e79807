"""``hierbench.read_results``."""

import subprocess
import sys

import pytest
from machinery import plan_of, suite_file

import hierbench
from hierbench import read_results
from hierbench.benchmarks.results.frame import frame_of
from hierbench.benchmarks.results.read_results import read_rows
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.errors import UserError


def test_rows_of_a_folder_of_a_store_and_of_a_suite(tmp_path):
    path = suite_file(tmp_path, {"Mean": "", "FastMean": ""})
    units = plan_of(path).curves
    with Store.writable(tmp_path) as store:
        for unit in units[::-1]:
            store.commit(unit, unit.without_numbers("ok", ""))
        rows = store.rows()
    assert read_rows(tmp_path) == read_rows(tmp_path / NAME) == rows != []
    of_suite = read_rows(tmp_path, suite=path)
    assert read_results(tmp_path, suite=path).equals(frame_of(of_suite))
    assert sorted(of_suite, key=lambda r: r.key) == sorted(rows, key=lambda r: r.key)
    assert next(iter(of_suite)).learner == "Mean", "in the order of the suite"


def test_what_ships_has_a_name():
    shipped = read_results("reference")
    assert len(shipped) == len(read_rows("reference", suite="default")) > 500
    with pytest.raises(UserError, match="no reference results of suite 'smoke'"):
        read_results("reference", suite="smoke")


def test_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no results in"):
        read_results(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'read_result'"):
        _ = hierbench.read_result
    assert "read_results" in dir(hierbench)


def test_importing_the_package_imports_nothing_else():
    code = "import sys, hierbench; sys.exit(any(m in sys.modules for m in ('numpy', 'torch', 'sqlite3')))"
    subprocess.run([sys.executable, "-c", code], check=True)
