"""``hierbench regress``: from a suite file to an exit status, and the exact tier."""

import json

import pytest
from machinery import ROOT, hierbench, suite_file

from hierbench.benchmarks.commands.regress import regress
from hierbench.benchmarks.gate import exact_tier
from hierbench.benchmarks.gate.baseline_files import read_exact, read_rows, write_exact
from hierbench.benchmarks.provenance import fingerprint
from hierbench.benchmarks.run import runner
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.studies.gate_plants import PLANTS
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.compute_curves import run_curves
from hierbench.errors import UserError

LEARNER = """\
from stub_learners import Mean

class Gated(Mean):
    def predict(self, X):
        {line}
"""


@pytest.fixture
def gate(tmp_path, monkeypatch, capsys):
    """A tiny suite with a learner that the test rewrites; ``run`` returns exit status and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))

    class Gate:
        folder = tmp_path
        baseline = tmp_path / "kept" / "stub.jsonl"

        def learner(self, line):
            (tmp_path / "gated.py").write_text(LEARNER.format(line=line))
            fingerprint.forget()

        def suite(self, **given):
            path = suite_file(tmp_path, {"Gated": "", **given.pop("learners", {})}, d=(4,), **given)
            text = (tmp_path / "stub.toml").read_text().replace("stub_learners:Gated", "gated:Gated")
            (tmp_path / "stub.toml").write_text(text)
            return path

        def run(self, path, **given):
            status = regress(path, tmp_path / "out", tmp_path / "kept", 1, exact=False, **given)
            return status, capsys.readouterr().out

    return Gate()


def test_match_worse_better_new_and_other_cells(gate):
    path = gate.suite()
    gate.learner("return super().predict(X) + 1.0")
    with pytest.raises(UserError, match="is missing: hierbench regress --update"):
        gate.run(path)
    assert gate.run(path, update=True, reason="first  one")[0] == 0
    head, rows = read_rows(gate.baseline)
    assert head["reason"] == "first one" and len(rows) == 4 * 2
    assert rows == sorted(rows, key=lambda r: (r["learner"], r["d"], r["replicate"], r["n"]))

    status, said = gate.run(path)
    assert status == 0 and "regress: ok" in said and "(first one)" in said
    assert [line.split()[-1] for line in said.splitlines() if "Gated" in line] == ["same"]

    gate.learner("return super().predict(X) + 1.6")
    status, said = gate.run(path)
    assert status == 1 and "regress: FAILED" in said and "1 worse" in said
    before = gate.baseline.read_text()

    gate.learner("return super().predict(X) + 0.5")
    status, said = gate.run(path)
    assert status == 0 and "1 better" in said and "regress: ok" in said
    assert gate.baseline.read_text() == before  # nothing is recorded unasked

    status, said = gate.run(gate.suite(learners={"Mean": ""}))
    assert status == 0 and "new curve, no baseline: Mean on sq" in said

    for other in ({"count": 3}, {"test_max": 512}, {"replicates": 8}):
        with pytest.raises(UserError, match=r"Gated on sq.*record anew with hierbench regress --update"):
            gate.run(gate.suite(**other))


@pytest.mark.slow
def test_a_learner_that_fails_now_fails_the_gate_and_is_not_recorded(gate):
    path = gate.suite()
    gate.learner("return super().predict(X)")
    gate.run(path, update=True, reason="first")
    before = gate.baseline.read_text()
    gate.learner("raise RuntimeError('broken')")
    status, said = gate.run(path)
    assert status == 1 and "lost: Gated on sq, d = 4" in said and "RuntimeError: broken" in said
    assert gate.run(path, update=True, reason="second")[0] == 1
    assert gate.baseline.read_text() == before
    gate.learner("return super().predict(X) * float('nan')")  # diverged: no failed unit
    status, said = gate.run(path)
    assert status == 1 and "now diverged" in said


def test_a_gate_that_has_compared_nothing_fails(gate):
    path = gate.suite()
    gate.learner("return super().predict(X)")
    gate.run(path, update=True, reason="first")
    status, said = gate.run(path)
    assert status == 0 and "regress: ok (statistical tier: 8 of 8 recorded rows compared)" in said
    whole = gate.baseline.read_text()

    gate.baseline.write_text(whole.splitlines()[0] + "\n")  # a baseline without rows
    status, said = gate.run(path)
    assert status == 1 and "nothing was compared in the statistical tier" in said
    assert "(statistical tier: 0 of 0 recorded rows compared)" in said

    # without a number on either side
    gate.learner("return super().predict(X) * float('nan')")
    gate.baseline.write_text(whole.replace('"status": "ok"', '"status": "skipped"'))
    status, said = gate.run(path)
    assert status == 1 and "(statistical tier: 0 of 8 recorded rows compared)" in said
    gate.baseline.write_text(whole)
    assert gate.run(path, update=True, reason="second")[0] == 1
    assert gate.baseline.read_text() == whole


@pytest.mark.slow
def test_rows_that_are_deleted_by_hand_are_computed_again(gate):
    path = gate.suite()
    gate.learner("return super().predict(X)")
    gate.run(path, update=True, reason="first")
    with Store.writable(gate.folder / "out") as store:
        store.connection.execute("DELETE FROM rows WHERE target_index = 2")
    assert gate.run(path)[0] == 0
    with Store.readable(gate.folder / "out") as store:
        assert any(row.target_index == 2 for row in store.rows())


def test_cells_of_the_exact_tier_count_where_both_sides_have_a_number():
    failed = {"status": "failed", "rms_error": None, "steps": 3}
    before = {"a": {"rms_error": 0.5}, "b": failed, "data": {"mean": 0.0}, "gone": {"rms_error": 0.1}}
    after = {"a": {"rms_error": 0.5}, "b": failed, "data": {"mean": 0.0}, "new": {"rms_error": 0.1}}
    assert exact_tier.comparable(before, after) == 2
    assert exact_tier.comparable({"b": failed}, {"b": failed}) == exact_tier.comparable({}, after) == 0


def test_a_signal_is_the_exit_status_of_the_gate(gate, monkeypatch, capsys):
    path = gate.suite()
    gate.learner("return super().predict(X)")
    stopped = runner.Outcome(computed=3, present=0, waiting=2, failed=(), stopped_by=15)
    monkeypatch.setattr(runner, "run", lambda *_, **__: stopped)
    status = regress(path, gate.folder, gate.folder, 1, exact=False, update=True, reason="first")
    said = capsys.readouterr().err
    assert status == 143 and "nothing was compared: stopped by SIGTERM: 3 units finished now are kept" in said
    assert "resume with: hierbench" in said


def test_errors_of_the_user_are_one_line(tmp_path):
    path = suite_file(tmp_path, {"Mean": ""})
    told = hierbench("regress", path, "--update", "--results", tmp_path, cwd=tmp_path)
    assert told.returncode == 2 and told.stderr.count("\n") == 1 and '--reason "..."' in told.stderr
    with pytest.raises(UserError, match="--reason goes with --update"):
        regress(path, tmp_path, reason="why")
    (tmp_path / "stub.jsonl").write_text("no baseline\n")
    with pytest.raises(UserError, match=r"stub.jsonl is damaged"):
        regress(path, tmp_path, tmp_path, exact=False)
    adaptive = (tmp_path / "stub.toml").read_text().replace("ratio = 2,", "ratio = 2, refine = 1.5,")
    (tmp_path / "stub.toml").write_text(adaptive)
    with pytest.raises(UserError, match="allowed are suites of plain grids"):
        regress(path, tmp_path, tmp_path)


def test_the_baselines_that_come_with_the_suite_match_it():
    """A change of ci.toml without new baselines would stop the gate: found here in a second."""
    from hierbench.benchmarks.gate.baseline_files import FOLDER, without_baseline

    plan = make_plan(load_suite("ci"))
    path = FOLDER / "ci.jsonl"
    head, kept = read_rows(path)
    assert kept and not without_baseline(plan, head, kept, path)
    from hierbench.learners.registry import LEARNERS

    cells = read_exact(FOLDER / "ci.exact.json")
    learners = {cell.partition(",")[0] for cell in cells if ", n = " in cell}
    assert learners and learners <= set(LEARNERS)  # a learner that is new has no baseline yet


# the exact tier -----------------------------------------------------------------------------


def records(folder, learners):
    tiny = make_plan(exact_tier.exact_suite(learners))
    rows = [row for one in tiny.curves for row in run_curves(one).rows]
    data = make_plan(load_suite(suite_file(folder, {"Mean": ""})))
    return {**exact_tier.learner_records(rows), **exact_tier.data_records(data)}


def test_recorded_values_survive_the_file_and_rounding_but_nothing_else(tmp_path):
    now = records(tmp_path, ["krr_rbf", "densenet"])
    write_exact(tmp_path / "x.json", now, "why")
    kept = read_exact(tmp_path / "x.json")
    assert exact_tier.differences(kept, now) == ([], [], [])
    assert json.loads((tmp_path / "x.json").read_text())["reason"] == "why"

    def changed(cell, name, factor):
        other = json.loads(json.dumps(now))
        other[cell][name] *= factor
        return [(c.cell, c.name) for c in exact_tier.differences(kept, other)[0]]

    kernel, net = (next(c for c in now if c.startswith(name)) for name in ("krr_rbf", "densenet"))
    data = next(c for c in now if c.startswith("data"))
    for cell, name, within, beyond in (
        (kernel, "rms_error", 1e-7, 1e-5),
        (net, "rms_error", 1e-10, 1e-6),
        (data, "test_labels_mean_square", 1e-12, 1e-8),
    ):
        assert changed(cell, name, 1 + within) == []
        assert changed(cell, name, 1 + beyond) == [(cell, name)]
    gone = {c: v for c, v in now.items() if c != net}
    assert exact_tier.differences(kept, gone)[2] == [net]
    assert exact_tier.differences(gone, now)[1] == [net]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda p: p.what)
def test_planted_changes_are_seen_and_leave_no_trace(plant, tmp_path):
    learners = list(plant.learners)
    before = records(tmp_path, learners)
    with plant.context():
        planted = records(tmp_path, learners)
    changed, new, gone = exact_tier.differences(before, planted)
    assert changed and not new and not gone
    assert all(str(c) for c in changed)
    assert exact_tier.differences(before, records(tmp_path, learners))[0] == []


def test_a_flat_minimum_may_move_a_little_and_a_lattice_value_may_not():
    def records(learner, weight):
        return {f"{learner}, target 0, n = 77": {"rms_error": 0.5, "hyperparameters": {"w6": weight}}}

    for learner, shift, alarms in (
        ("krr_dot_product", 1.003, 0),
        ("krr_dot_product", 1.03, 1),
        ("krr_rbf", 1.0001, 1),
    ):
        changed, _, _ = exact_tier.differences(records(learner, 8e-10), records(learner, 8e-10 * shift))
        assert len(changed) == alarms
