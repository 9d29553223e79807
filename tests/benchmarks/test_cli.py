"""The command line: every error is one line and status 2; what failed is said, with status 1."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import re
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from machinery import ROOT, environment, stored, suite_file
from typer.testing import CliRunner

from hierbench import plots
from hierbench.benchmarks import cli
from hierbench.benchmarks.commands import run
from hierbench.benchmarks.provenance import fingerprint
from hierbench.benchmarks.results.readings import suite_rows
from hierbench.benchmarks.show.bars import judge, median_error
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.choices import parse_value, with_learner
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import LearnerEntry, TargetEntry, learner_spec
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.draw import draw_target


def test_list_imports_nothing_heavy():
    code = """if 1:
        import sys
        from hierbench.benchmarks import cli
        for name in ([], ["densenet"], ["squares"], ["default"]):
            try:
                cli.main(["list", *name])
            except SystemExit as end:
                assert end.code == 0, name
            heavy = {"torch", "jax", "sklearn", "scipy", "matplotlib", "pandas"} & set(sys.modules)
            assert not heavy, (name, heavy)
    """
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr


def test_a_suite_hands_a_learner_what_its_name_sets():
    target = TargetEntry("sq", "squares", {"depth": 3})

    def parameters(name, **params):
        return learner_spec(LearnerEntry("it", name, params), target, 6)["parameters"]

    assert parameters("layerwise_cycling") == {"rounds": 2, "depth": 3}
    assert parameters("layerwise_cycling", rounds=1) == {"rounds": 1, "depth": 3}
    assert parameters("bfc1") == {"correction": 1, "depth": 3}
    assert parameters("relu_mlp") == {"levels": 3}
    assert parameters("two_layer_quadratic") == {"degree": 2}
    assert parameters("two_layer") == {"degree": 8}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu", "smoke"], "Did you mean 'run'"),
        (["run"], "Missing argument"),
        (["run", "smok"], "did you mean 'smoke'"),
        (["run", "smoke", "--lerner", "x"], "--learner"),
        (["run", "smoke", "--workers", "0"], "workers"),
        (["run", "smoke", "--learner", "krr_rfb"], "did you mean 'krr_rbf'"),
        (["run", "smoke", "--learner", "sklearn.linear_model:Rigde"], "did you mean 'Ridge'"),
        (["run", "smoke", "--learner", "mine.py:Mine"], "as in mine:Mine"),
        (["run", "smoke", "--learner", "no.such:Thing"], "cannot import"),
        (["run", "smoke", "--target", "squares"], "did you mean 'squares-L2'"),
        (["run", "smoke", "--d", "5"], "d = 5: allowed are those of suite smoke: 4, 6"),
        (["run", "smoke", "--set", "alpha"], "--set = 'alpha': allowed are learner.parameter=value"),
        (["run", "smoke", "--set", "krr_rfb.alpha=1"], "did you mean 'krr_rbf'"),
        (["run", "smoke", "--set", "ridge.alhpa=1"], "did you mean 'alpha'"),
        (["run", "smoke", "--set", "squares-L2.width=9"], "width"),
        (["run", "no/such/file.toml"], "cannot be read"),
        (["list", "learner"], "did you mean 'learners'"),
        (["list", "densnet"], "unknown learner, target or suite 'densnet': did you mean 'densenet'"),
        (["list", "no/such.toml"], "cannot be read"),
        (["status", "--results", "no/such/folder"], "no results in"),
        (["figures", "smoke", "--results", "no/such/folder"], "no results in"),
        (["describe", "sqares", "--d", "4"], "did you mean 'squares'"),
        (["describe", "squares", "--d", "1"], "d = 1"),
        (["describe", "squares", "--d", "6", "--set", "dept=3"], "did you mean 'depth'"),
        (["describe", "squares"], "--d 40, or --set d=40"),
        (["describe", "squares", "--d", "8", "--set", "d=9"], "--d 8 and --set d=9: two dimensions"),
        (["describe", "squares", "--set", "d=nine"], "d = 'nine': allowed is a whole number"),
        (["describe", "squares", "--set", "d=8", "--set", "nois=1"], "did you mean 'noise'"),
        (
            ["describe", "squares", "--set", "d=8", "--set", "classify=true", "--set", "margin=2.9"],
            "more than 90%",
        ),
    ],
)
def test_an_error_is_one_line_and_status_two(status, arguments, says):
    code, out, err = status(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("hierbench: error: ") and err.count("\n") == 1
    assert says in err, err


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("class Mine(:\n", "unsound.py:1: not valid Python"),
        ("raise RuntimeError('no such card')\n", "RuntimeError: no such card"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_learner_whose_file_is_unsound(tmp_path, status, monkeypatch, source, says):
    (tmp_path / "unsound.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    fingerprint.forget()
    code, _, err = status("run", "smoke", "--learner", "unsound:Mine", "--results", tmp_path / "r")
    fingerprint.forget()
    assert code == 2 and err.count("\n") == 1 and says in err, err


def test_no_wait_refuses_a_folder_that_is_being_written(status, tmp_path):
    with lock.writer(tmp_path, False, print):
        code, out, err = status("run", "smoke", "--results", tmp_path, "--no-wait")
    assert (code, out) == (2, "") and "is being written by process" in err
    code, _, err = status("status", "--prune", "--results", tmp_path)
    assert code == 2 and "no results in" in err


def test_describe_prints_the_certificate(status):
    code, out, _ = status("describe", "squares", "--d", "4", "--set", "width=2")
    assert code == 0
    assert re.search(r"^degree +4$", out, re.MULTILINE)
    shares = [
        float(x) for x in re.findall(r"^share of variance at degree \d+ +([\d.e-]+)", out, re.MULTILINE)
    ]
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)


def entries(out):
    """What ``describe`` prints, as name -> text."""
    return dict(
        re.split(r"  +", line, maxsplit=1) for line in out.splitlines() if re.search(r"\S  +\S", line)
    )


def test_describe_prints_every_field_of_the_certificate(status):
    settings = ["--set", "d=10", "--set", "width=2", "--set", "depth=3", "--set", "noise=0.5"]
    code, out, _ = status("describe", "squares", *settings)
    assert code == 0
    spec = {"family": "squares", "parameters": {"width": 2, "depth": 3, "noise": 0.5}}
    c = draw_target(spec, 10, 0).certificate()
    found = entries(out)
    assert found["inputs"] == "gaussian" and found["Bayes error"] == "0.25"
    assert found["parameters"] == str(c.n_parameters)
    for what, values in (
        ("share of variance at degree", c.degree_share),
        ("share of variance of level", c.level_share),
        ("contamination of level", c.contamination),
    ):
        assert values
        for key, estimate in values.items():
            value, _, stderr = found[f"{what} {key}"].partition(" +- ")
            assert float(value) == pytest.approx(estimate.value, rel=1e-3, abs=1e-12)
            assert bool(stderr) != estimate.exact
    steps = dict(c.kernel_floor(10))
    assert {name for name in found if "kernel floor" in name} == {
        f"kernel floor from n = {math.comb(10 + p, p)}" for p in (0, 2, 4, 6, 8)
    }
    for p in (0, 2, 4, 6, 8):
        n = math.comb(10 + p, p)
        assert float(found[f"kernel floor from n = {n}"]) == pytest.approx(steps[n], rel=1e-3, abs=1e-9)
    for epsilon in (0.1, 0.01):
        assert found[f"relative MSE {epsilon:g} needs"] == f"degree {c.degree_needed(epsilon)}"
    assert "condition number of W_2,1" in found
    matrix = out[out.index("covariance of the levels") :].splitlines()[1:3]
    np.testing.assert_allclose(
        [[float(x) for x in row.split()] for row in matrix], c.level_covariance, atol=1e-3
    )


def test_dimension_by_either_option(status):
    one, other, both = (
        status("describe", "worked-example-1", *options)[1]
        for options in (["--d", "5"], ["--set", "d=5"], ["--d", "5", "--set", "d=5"])
    )
    assert one == other == both and "d = 5" in one


def test_describe_copes_with_what_a_certificate_lacks(status):
    code, out, _ = status("describe", "worked-example-1", "--d", "5", "--set", "control=shuffled")
    found = entries(out)
    assert code == 0 and found["Bayes error"] == "1"
    assert found["share above degree 2"] == "unknown: eps_rel undefined"
    assert found["relative MSE 0.1 needs"] == "an unknown degree"
    assert "kernel floor" not in out
    code, out, _ = status("describe", "worked-example-1", "--d", "5", "--set", "control=flat")
    assert code == 0 and "covariance of the levels" not in out
    assert " +- " in entries(out)["kurtosis"]
    code, out, _ = status("describe", "worked-example-1", "--d", "5", "--set", "classify=true")
    found = entries(out)
    assert found["relative MSE of G 0.1 needs"] == "degree 2"
    assert code == 0 and found["classes"] == "-1, 1" and " +- " in found["mean"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0.5", 0.5),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("[1, 2]", [1, 2]),
        ("none", None),
        ("rbf", "rbf"),
        ("'1'", "1"),
        ("2020-01-01", "2020-01-01"),
    ],
)
def test_values_on_the_command_line(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize("command", [("describe", "squares", "--d", 8), ("run", "smoke", "--dry-run")])
def test_a_name_that_is_set_twice_is_refused(status, command, tmp_path):
    name = "depth" if command[0] == "describe" else "krr_rbf.ridge"
    where = () if command[0] == "describe" else ("--results", tmp_path)
    code, out, err = status(*command, "--set", f"{name}=2", "--set", f"{name} = 3", *where)
    assert (code, out) == (2, "") and f"--set {name}=2: {name} is given 2 times, give one" in err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with one learner that fails: what it printed, and its exit status."""
    folder = tmp_path_factory.mktemp("cli")
    path = suite_file(folder, {"Mean": "", "Raises": ""})
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setenv("COLUMNS", "120")
        patch.setattr(plots, "KINDS", ("error_against_n",))  # tests/plots draws the others
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(["run", path, "--results", str(folder), "--workers", "1"])
    return folder, path, subprocess.CompletedProcess(path, end.value.code, out.getvalue(), err.getvalue())


def test_a_run_prints_the_table_draws_figures_and_lists_what_failed(finished):
    folder, _, first = finished
    assert first.returncode == 1
    assert "\nsq: degree 4, " in first.stdout and "Traceback" not in first.stderr
    assert "1 units failed" in first.stderr
    assert "failed: Raises on sq, d = 4, block 0: RuntimeError: out of luck" in first.stderr
    assert list((folder / "figures" / "stub").rglob("*.pdf"))
    assert "figures in" in first.stdout


def test_a_run_without_a_single_number_fails(tmp_path, status):
    path = suite_file(tmp_path, {"Diverges": ""})
    code, _, err = status("run", path, "--results", tmp_path, "--no-figures", "--workers", 1)
    assert code == 1
    assert "nothing was measured: of 8 rows of suite stub 8 diverged (the first: " in err, err


def test_a_rerun_of_finished_units_computes_nothing(finished, status):
    folder, path, _ = finished
    start = time.monotonic()
    code, out, err = status("run", path, "--results", folder, "--learner", "Mean", "--no-figures")
    assert code == 0, err
    assert "nothing to compute: all 5 units are present" in err
    assert "Raises" in out  # shown beside the chosen one, and not tried
    assert time.monotonic() - start < 15


def test_a_quiet_run_says_only_what_there_is_and_what_is_missing(finished, status, monkeypatch):
    folder, path, _ = finished
    monkeypatch.setattr(run, "edge_warnings", lambda rows: ["at an edge"])
    arguments = ["run", path, "--results", folder, "--learner", "Mean", "--no-figures", "--fresh", "Mean"]
    code, screen, err = status(*arguments)
    assert code == 0 and "1 units to compute" in err and "at an edge (hierbench budgets" in err
    assert status(*arguments, "--quiet") == (0, screen, "")
    code, _, err = status("run", path, "--results", folder, "--no-figures", "--quiet")
    first, second = err.splitlines()
    assert code == 1 and first.startswith("1 units failed") and "RuntimeError: out of luck" in second


def test_a_new_learner_is_added_to_the_suite(finished, status):
    folder, path, _ = finished
    settings = ["--learner", "sklearn.linear_model:Ridge", "--set", "Ridge.alpha=2.5", "--workers", 1]
    code, out, err = status("run", path, "--results", folder, *settings, "--no-figures")
    assert code == 0, err
    rows = [r for r in stored(folder) if r.learner == "Ridge"]
    assert {r.learner_spec["parameters"]["alpha"] for r in rows} == {2.5}
    sizes = {r.n for r in stored(folder) if r.learner == "Mean"}
    assert {r.n for r in rows} == sizes
    assert "Ridge" in out and "Mean" in out


def test_status_and_figures_read_the_store(finished, status, monkeypatch):
    folder, path, _ = finished
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))
    code, out, _ = status("status", "--results", folder)
    assert code == 0 and "1 failed" in out and "RuntimeError: out of luck" in out
    code, out, _ = status("status", path, "--results", folder)
    assert "Mean on sq, d = 4: 1 done" in out and "Raises on sq, d = 4: 1 failed" in out
    assert "certificate on sq, d = 4: 4 done" in out


def test_a_damaged_store_is_an_error_and_is_left_alone(finished, tmp_path, status):
    folder, path, _ = finished
    with contextlib.closing(sqlite3.connect(folder / NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (folder / NAME).read_bytes()
    damaged = whole[: 3 * 4096] + b"\x7f" * (len(whole) - 3 * 4096)
    (tmp_path / NAME).write_bytes(damaged)
    for arguments in (["status"], ["run", path, "--no-figures"]):
        code, _, err = status(*arguments, "--results", tmp_path)
        assert code == 2 and "the store is damaged" in err.splitlines()[-1], err
    assert (tmp_path / NAME).read_bytes() == damaged


def test_stale_units_are_shown_and_pruned_on_request(tmp_path, status, monkeypatch):
    (tmp_path / "mylearner.py").write_text((ROOT / "tests" / "helpers" / "stub_learners.py").read_text())
    path = suite_file(tmp_path, {"Mean": ""})
    (tmp_path / "stub.toml").write_text(
        (tmp_path / "stub.toml").read_text().replace("stub_learners:", "mylearner:")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    fingerprint.forget()
    assert status("run", path, "--results", tmp_path, "--no-figures")[0] == 0
    with (tmp_path / "mylearner.py").open("a") as file:
        file.write("\nEDITED = True\n")
    fingerprint.forget()
    out = status("status", path, "--results", tmp_path)[1]
    assert "Mean on sq, d = 4: 1 missing, 1 stale" in out and "1 units are stale" in out
    assert len(stored(tmp_path)) == 8
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
        fingerprint.forget()
        # A learner that cannot be found from here may be as it was: nothing to prune.
        assert "stale" not in status("status", "--results", tmp_path)[1]
    source = (tmp_path / "mylearner.py").read_text()
    (tmp_path / "mylearner.py").write_text(source + "\ndef half(an edit\n")
    fingerprint.forget()
    code, out, _ = status("status", "--prune", "--results", tmp_path)
    assert code == 0 and "0 stale units deleted" in out and len(stored(tmp_path)) == 8
    (tmp_path / "mylearner.py").write_text(source)
    fingerprint.forget()
    code, out, err = status("status", "--prune", "--results", tmp_path)
    assert code == 2 and "code changed: 1 of stub" in out and "--yes" in err and len(stored(tmp_path)) == 8
    out = status("status", "--prune", "--yes", "--results", tmp_path)[1]
    assert "1 stale units deleted" in out
    assert stored(tmp_path) == []
    fingerprint.forget()


BAR = """
[[bar]]
label = "{label}"
target = "sq"
learner = "Mean"
d = 4
n = 32
statistic = "median_error"
max = {max}
"""


@pytest.mark.slow
def test_bars(tmp_path, status):
    bars = BAR.format(label="easy", max=5.0) + BAR.format(label="hard", max=1e-3)
    learners = {"Mean": "", "FastMean": "offset = 1.0"}
    path = suite_file(tmp_path, learners, ratio=1, count=1, test_max=65536, extra=bars)
    code, out, _ = status("run", path, "--results", tmp_path, "--no-figures", "--workers", 1)
    rows = stored(tmp_path)
    verdicts = judge(load_suite(path), rows, {})
    assert {r.status for r in rows} == {"ok"}
    assert verdicts[0].met and verdicts[0].figure == median_error([r for r in rows if r.learner == "Mean"])
    assert verdicts[1].bar.label == "hard" and not verdicts[1].met
    assert code == 1
    assert re.search(r"bar met: easy: Mean on sq, d = 4, n = 32: median_error ", out)
    assert re.search(r"bar MISSED: hard: .*at most 0\.001; 4 replicates.*; others: FastMean ", out)


def test_one_unit_under_two_labels_is_shown_under_both(finished):
    folder, _, _ = finished
    suite = load_suite(finished[1])
    twin = dataclasses.replace(suite.learner("Mean"), label="twin")
    plan = make_plan(with_learner(suite, twin))
    with Store.readable(folder) as store:
        rows = suite_rows(plan, store)
    shown = {label: [(r.n, r.error) for r in rows if r.learner == label] for label in ("Mean", "twin")}
    assert len(shown["Mean"]) == 8 and shown["Mean"] == shown["twin"]


def test_a_row_that_failed_counts_as_infinite(finished):
    rows = [r for r in stored(finished[0]) if r.learner == "Raises"]
    assert median_error(rows) == float("inf")


def test_help_needs_no_suite():
    result = CliRunner().invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for name in ("list", "run", "status", "figures", "describe"):
        assert name in result.output
