"""Results in a file become a store again, from which a run goes on."""

from __future__ import annotations

import dataclasses
import gzip
import json

import pytest
from machinery import plan_of, stored, without_cost

from hierbench.benchmarks.commands.export import write
from hierbench.benchmarks.commands.merging import merge_into
from hierbench.benchmarks.commands.run import execute
from hierbench.benchmarks.results import reference, restored
from hierbench.benchmarks.results.reference import unpacked
from hierbench.benchmarks.results.stages import resolved
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.encoding import ill_formed
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites import plan as plans
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError
from hierbench.targets.held import plain_certificate

SUITE = """\
name = "mine"
summary = "one kernel, adaptive, and one size for all"
replicates = 4
test = {min = 512, max = 4096}
timeout_seconds = 60
epsilons = [0.3, 0.03]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}

[[learner]]
label = "it"
learner = "krr_polynomial"

[[run]]
targets = ["sq"]
learners = ["it"]
d = [4, 5]
sizes = {scale = 1.5, power = 1, ratio = 6, count = 4, max = 900, refine = 2}

[[fixed_sizes]]
targets = ["sq"]
n = [50]
"""


def run(path, results):
    suite = load_suite(path)
    assert execute(suite, suite, results, called=[path], workers=1, wait=True, figures=False) == 0


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Path of a suite, the folder where it was run whole, and the file of that."""
    folder = tmp_path_factory.mktemp("exported")
    path = folder / "mine.toml"
    path.write_text(SUITE)
    run(str(path), folder)
    write(str(path), folder, folder / "whole.json.gz")
    return str(path), folder, folder / "whole.json.gz"


def changed(packed, target, change):
    """The file with its content changed."""
    content = json.loads(gzip.decompress(packed.read_bytes()))
    change(content)
    target.write_bytes(gzip.compress(json.dumps(content).encode()))
    return target


def test_a_file_that_is_merged_and_exported_again_is_the_same(exported, tmp_path, capsys):
    path, folder, packed = exported
    merge_into(tmp_path / "new", [packed], wait=True, suite=path)
    said = capsys.readouterr().out
    assert "taken over" in said and "left out" not in said
    assert stored(tmp_path / "new") == stored(folder) and damages(tmp_path / "new") == []
    with Store.readable(tmp_path / "new") as store:
        plan = resolved(plan_of(path), store)
        assert {u.key for u in plan.units} == store.done()
        assert {u.stage for u in plan.curves} >= {-1, 0, 1}, "later stages, and the fixed size"
    write(path, tmp_path / "new", tmp_path / "again.json.gz")
    assert (tmp_path / "again.json.gz").read_bytes() == packed.read_bytes()
    merge_into(tmp_path / "new", [packed, folder], wait=True, suite=path)
    assert "taken over" not in capsys.readouterr().out


def test_a_run_goes_on_where_the_file_ends(exported, tmp_path, capsys):
    path, folder, packed = exported
    last = max(row.n for row in stored(folder) if row.d == 4)

    def cut(content):
        kept = [i for i, n in enumerate(content["columns"]["n"]) if n != last]
        for name, values in content["columns"].items():
            content["columns"][name] = [values[i] for i in kept]

    part = changed(packed, tmp_path / "part.json.gz", cut)
    merge_into(tmp_path / "new", [part], wait=True, suite=path)
    assert "rows are left out: of other code" in capsys.readouterr().out
    before = len(stored(tmp_path / "new"))
    run(path, tmp_path / "new")
    assert 0 < before < len(stored(folder))
    assert without_cost(stored(tmp_path / "new")) == without_cost(stored(folder))


def test_rows_of_other_code_are_left_out_with_their_certificates(exported, tmp_path, monkeypatch, capsys):
    path, _, packed = exported
    monkeypatch.setattr(
        plans, "key_of", lambda axes, key_of=plans.key_of: ("other" + key_of(axes)[0][5:], *key_of(axes)[1:])
    )
    merge_into(tmp_path / "new", [packed], wait=True, suite=path)
    rows = len(unpacked(packed.read_bytes()).rows)
    assert f"no units; {rows} of {rows} rows are left out" in capsys.readouterr().out


def test_a_file_without_keys_of_certificates_has_those_of_targets_whose_rows_are_current(exported, tmp_path):
    path, folder, packed = exported

    def first_format(content):
        content["header"]["format"] = 1
        content["certificates"] = [one[:4] for one in content["certificates"]]

    old = changed(packed, tmp_path / "old.json.gz", first_format)
    merge_into(tmp_path / "new", [old], wait=True, suite=path)
    assert stored(tmp_path / "new") == stored(folder)


def test_numbers_of_this_machine_that_differ_are_refused_by_the_file_s_name(exported, tmp_path):
    path, folder, packed = exported

    def moved(content):
        content["columns"]["error"][0] *= 2

    other = changed(packed, tmp_path / "other.json.gz", moved)
    before = stored(folder)
    with pytest.raises(UserError, match=r"other\.json\.gz disagree on mine: it on sq, d = 4"):
        merge_into(folder, [other], wait=True, suite=path)
    assert stored(folder) == before


def test_units_that_failed_are_tried_again(exported):
    path, _, packed = exported
    unit = plan_of(path).curves[0]
    own = {row.key: row for row in unpacked(packed.read_bytes()).rows if row.unit == unit.key}
    assert restored._is_whole(unit, {unit.key: own})
    failed = {key: dataclasses.replace(row, status="failed", error=None) for key, row in own.items()}
    assert not restored._is_whole(unit, {unit.key: failed})
    assert not restored._is_whole(unit, {unit.key: dict(list(own.items())[1:])})
    assert not restored._is_whole(dataclasses.replace(unit, traces=True), {unit.key: own})


def test_bad_sources_are_one_line(exported, tmp_path, status):
    _, _, packed = exported
    (tmp_path / "no.json.gz").write_bytes(b"no")
    for source, said in (
        ("reference:smoke", "no reference results of suite 'smoke' ship"),
        (tmp_path / "gone.json.gz", "cannot be read"),
        (tmp_path / "no.json.gz", "no reference results of hierbench"),
        (packed, "mine"),
        (tmp_path / "nowhere", "no results in"),
    ):
        code, out, err = status("merge", source, "--results", tmp_path / "new")
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err, err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "a"),
        ("n", -1),
        ("status", "great"),
        ("error", -0.5),
        ("error", float("nan")),
        ("metric", "luck"),
    ],
)
def test_rows_that_no_run_makes_are_refused(exported, tmp_path, status, column, value):
    path, _, packed = exported

    def spoil(content):
        content["columns"][column][3] = value

    file = changed(packed, tmp_path / "spoilt.json.gz", spoil)
    code, out, err = status("merge", file, "--suite", path, "--results", tmp_path / "new")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert f"{file}: row 3: {column} = {value!r}" in err and not (tmp_path / "new").exists()


def test_certificates_that_no_target_has_are_refused(exported, tmp_path, status):
    path, _, packed = exported

    def spoil(content):
        content["certificates"][0][3]["degree_share"] = {"1": {"value": 0.5, "stderr": 0.0}}

    file = changed(packed, tmp_path / "spoilt.json.gz", spoil)
    code, out, err = status("merge", file, "--suite", path, "--results", tmp_path / "new")
    assert (code, out, err.count("\n")) == (2, "", 1) and "sum of degree_share of the certificate" in err


def test_what_ships_would_be_merged():
    for suite in reference.shipped():
        packed = reference.read(suite)
        assert not {column for row in packed.rows if (column := ill_formed(row))}, suite
        assert all(plain_certificate(one) == one for one in packed.certificates.values()), suite


@pytest.mark.slow
def test_the_rows_that_ship_are_read(tmp_path, status):
    code, out, err = status("merge", "reference:paper-cpu", "--results", tmp_path)
    assert (code, err) == (0, "") and out.startswith("reference:paper-cpu: ")
