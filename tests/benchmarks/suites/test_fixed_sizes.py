"""Sizes that all replicates share: run as they are declared, and without an effect on anything else."""

import re
from pathlib import Path

import pytest
from machinery import plan_of, stored, suite_file

from hierbench.benchmarks.results.readings import apart
from hierbench.benchmarks.results.stages import Stages
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.run import progress, runner
from hierbench.benchmarks.show.table import sections
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.choices import narrowed, with_learner
from hierbench.benchmarks.suites.epsilon import epsilons_of
from hierbench.benchmarks.suites.fixed_sizes import STAGE, FixedSizes
from hierbench.benchmarks.suites.plan import FixedSizeUnit, make_plan
from hierbench.benchmarks.suites.suite import LearnerEntry
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError

BOTH = {"Mean": "", "FastMean": ""}
FIXED = '\n[[fixed_sizes]]\ntargets = ["sq"]\n{}\n'


def units(path):
    return [u for u in plan_of(path).curves if isinstance(u, FixedSizeUnit)]


def declared(folder, *tables, **options):
    folder.mkdir(exist_ok=True)
    return suite_file(folder, BOTH, d=(4, 6), extra="".join(map(FIXED.format, tables)), **options)


def test_a_unit_for_each_block_and_size_and_none_of_the_others_changes(tmp_path):
    plain = plan_of(declared(tmp_path, replicates=8))
    path = declared(tmp_path, "n = [50, 32]\nn_over_d2 = [2, 1.3, 20]", replicates=8)
    assert [u.key for u in plan_of(path).curves[: len(plain.curves)]] == [u.key for u in plain.curves]
    assert plan_of(path).certificates == plain.certificates
    found = {(u.learner, u.d, u.block, u.sizes) for u in units(path)}
    # 2 d^2 = 32 at d = 4 is the 32 that is fixed; 20 d^2 = 720 at d = 6 is above max
    sizes = {4: (21, 32, 50, 320), 6: (32, 47, 50, 72)}
    assert found == {
        (learner, d, block, ((n,),) * 4)
        for learner in BOTH
        for d in (4, 6)
        for block in (0, 1)
        for n in sizes[d]
    }
    assert len(found) == len(units(path)) and {u.stage for u in units(path)} == {STAGE}
    assert units(path)[0].title() == "Mean on sq, d = 4, n = 21, block 0"
    fewer = {u.key for u in units(declared(tmp_path, "n = [50]", replicates=8))}
    assert fewer == {u.key for u in units(path) if u.sizes[0] == (50,)}, "a further size changes no number"


def test_learners_and_d_may_be_named_and_a_learner_beside_the_suite_has_them_too(tmp_path):
    path = declared(tmp_path, 'learners = ["Mean"]\nd = [6]\nn = [50]', "d = [4]\nn = [60]")
    assert {(u.learner, u.d, u.sizes[0]) for u in units(path)} == {
        ("Mean", 6, (50,)),
        ("Mean", 4, (60,)),
        ("FastMean", 4, (60,)),
    }
    suite = with_learner(load_suite(path), LearnerEntry("ridge", "sklearn.linear_model:Ridge", {}))
    own = make_plan(narrowed(suite, ["ridge"])).curves
    assert [(u.d, u.sizes[0]) for u in own if u.stage == STAGE] == [(4, (60,))]


@pytest.mark.parametrize(
    ("table", "line", "says"),
    [
        ("", 1, "n or n_over_d2 is needed"),
        ("n = [1]", 3, "n = 1: allowed are integers from 2"),
        ("n = [50, 50]", 3, "none of them repeated"),
        ("n = [2.5]", 3, "whole numbers"),
        ("n = [401]", 3, "n = 401: allowed are sizes up to max of a run, here 400; or raise that max"),
        ("n_over_d2 = [0.05]", 3, "n_over_d2 = 0.05: allowed are numbers that make n 2 at least"),
        ("n_over_d2 = [-1]", 3, "n_over_d2 = -1: allowed is a number from"),
        ("n_over_d2 = [26]", 3, "allowed are sizes up to max"),
        ("n_over_d = [2]", 3, "did you mean 'n_over_d2'"),
        ('n = [50]\nlearners = ["Meen"]', 4, "did you mean 'Mean'"),
        ("n = [50]\nd = [4, 8]", 4, "d = 8: allowed are those of a [[run]]"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, table, line, says):
    path = suite_file(tmp_path, BOTH, d=(4, 6), extra=FIXED.format(table))
    first = Path(path).read_text()[: -len(FIXED.format(table))].count("\n") + 1
    with pytest.raises(UserError) as error:
        load_suite(path)
    where, text = re.match(r".*?:(\d+): (.*)", str(error.value)).groups()
    assert int(where) == first + line and says in text and "\n" not in str(error.value)


def test_too_many_units_are_refused_by_their_number(tmp_path, monkeypatch):
    monkeypatch.setattr("hierbench.benchmarks.suites.suite_file.MOST_UNITS", 13)
    declared(tmp_path, "n = [50]")
    assert len(units(str(tmp_path / "stub.toml"))) == 4
    with pytest.raises(UserError, match="units at fixed sizes up to here = 16"):
        load_suite(declared(tmp_path, "n = [50, 60]", "n = [70, 80]"))


def test_the_suite_that_ships_shares_all_other_units_with_the_default_suite():
    own, default = (make_plan(load_suite(name)) for name in ("fixed_sizes", "default"))
    fixed = {u.key for u in own.curves if u.stage == STAGE}
    others = {u.key for u in own.units} - fixed
    assert fixed and others and others <= {u.key for u in default.units}
    assert epsilons_of(own.suite) == epsilons_of(default.suite), "adaptive stages follow from them"
    learners = {e.label for e in own.suite.learners}
    assert {u.learner for u in own.curves if u.stage == STAGE} == learners


def test_labels_say_what_is_fixed():
    entry = FixedSizes(("t",), n=(1000,), n_over_d2=(0.5, 16.0))
    assert entry.at(10) == {"n = 1000": 1000, "n = 0.5 d^2": 50, "n = 16 d^2": 1600}


KERNELS = """\
name = "kernels"
summary = "two kernels"
replicates = 4
test = {{min = 512, max = 4096}}
timeout_seconds = 60
epsilons = [0.3, 0.03]

[[target]]
label = "sq"
family = "squares"
params = {{depth = 2, width = 2}}

[[learner]]
learner = "krr_polynomial"

[[run]]
targets = ["sq"]
learners = ["krr_polynomial"]
d = [4, 5]
sizes = {{scale = 1.5, power = 1, ratio = 6, count = 3, max = 300{refine}}}
"""


def kernels(folder, refine="", *tables):
    folder.mkdir()
    path = folder / "kernels.toml"
    path.write_text(KERNELS.format(refine=refine) + "".join(map(FIXED.format, tables)))
    plan = plan_of(str(path))
    with Store.writable(folder) as store:
        follow = Stages(plan, store).resolved
        assert not runner.run(plan, store, progress.Silent(), workers=1, follow=follow).failed
        return SuiteResults.of(plan, store)


def test_rows_are_those_of_the_same_data_and_enter_neither_rows_nor_n_star(tmp_path):
    before = kernels(tmp_path / "a")
    grid = before.plan.curves[0]
    n = grid.sizes[2][1]  # of the third replicate
    after = kernels(tmp_path / "b", "", f"n = [{n}]")
    assert [(r.key, r.error) for r in before.rows] == [(r.key, r.error) for r in after.rows]
    assert not before.fixed and {(r.n, r.stage) for r in after.fixed} == {(n, STAGE)}
    assert len(after.fixed) == 2 * 4 and len(apart(stored(tmp_path / "b"))[1]) == 8
    epsilons = epsilons_of(after.plan.suite)
    tables = [list(sections(r.rows, r.certificates, epsilons)) for r in (before, after)]
    assert tables[0] == tables[1]
    # the grid has this size in one replicate: the same training and test data, fitted in another unit
    (on_grid,) = [r for r in after.rows if (r.unit, r.n, r.target_index) == (grid.key, n, 2)]
    (fixed,) = [r for r in after.fixed if (r.d, r.target_index) == (grid.d, 2)]
    shared = fixed.n_test == on_grid.n_test
    assert (
        fixed.error == pytest.approx(on_grid.error, rel=1e-6 if shared else 0.3) and fixed.key != on_grid.key
    )


def test_an_adaptive_run_asks_for_the_same_sizes_with_them(tmp_path):
    plain = kernels(tmp_path / "a", ", refine = 1.5").plan.curves
    fixed = kernels(tmp_path / "b", ", refine = 1.5", "n = [50]\nn_over_d2 = [3]").plan.curves
    assert [u.key for u in fixed if u.stage != STAGE] == [u.key for u in plain]
    assert max(u.stage for u in plain) > 0
    assert [(u.d, u.sizes[0]) for u in fixed if u.stage == STAGE] == [
        (4, (48,)),
        (4, (50,)),
        (5, (50,)),
        (5, (75,)),
    ]
