"""Suite files: what is right becomes data, what is wrong becomes one line that says where."""

from __future__ import annotations

import re

import pytest

from hierbench.benchmarks.suites.choices import narrowed, with_learner
from hierbench.benchmarks.suites.epsilon import epsilons_of
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import LearnerEntry
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite
from hierbench.errors import UserError

GOOD = """\
name = "s"
summary = "a test"
replicates = 4
test = {min = 64, max = 128}
timeout_seconds = 60
epsilons = [0.3, 0.1]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}

[[learner]]
label = "mean"
learner = "stub_learners:Mean"
params = {offset = 0.5}

[[learner]]
learner = "krr_polynomial"

[[run]]
targets = ["sq"]
learners = ["mean", "krr_polynomial"]
d = [4, 6]
sizes = {scale = 8, power = 1, ratio = 2, count = 3, max = 400}
"""


def load(tmp_path, text):
    path = tmp_path / "s.toml"
    path.write_text(text)
    return load_suite(str(path))


def test_good_suite(tmp_path):
    suite = load(tmp_path, GOOD)
    assert [e.label for e in suite.learners] == ["mean", "krr_polynomial"]
    plan = make_plan(suite)
    assert len(plan.curves) == 4 and len(plan.certificates) == 2 * 4
    assert len({u.key for u in plan.units}) == len(plan.units)
    polynomial = next(u for u in plan.curves if u.learner == "krr_polynomial")
    assert polynomial.learner_spec["parameters"]["degree"] == 4


def test_replicates_may_start_where_no_other_suite_has_any(tmp_path):
    later = GOOD.replace("replicates = 4", "replicates = 4\nfirst_replicate = 64", 1)
    own = later.replace("d = [4, 6]", "d = [4, 6]\nreplicates = 8")
    for text, count in ((later, 4), (own, 8)):
        plan = make_plan(load(tmp_path, text))
        assert {r.target for u in plan.curves for r in u.replicates} == set(range(64, 64 + count))
        assert {c.target_index for c in plan.certificates} == set(range(64, 64 + count))
    apart = make_plan(load(tmp_path, GOOD))
    assert not {u.key for u in apart.units} & {u.key for u in make_plan(load(tmp_path, later)).units}
    with pytest.raises(UserError, match="first_replicate goes with replicates"):
        load(tmp_path, later.replace("replicates = 4", "crossed = {targets = 2, samples = 2, inits = 1}", 1))


@pytest.mark.parametrize("name", sorted(known_suites()))
def test_every_suite_that_ships_is_valid(name):
    suite = load_suite(name)
    assert suite.name == name
    make_plan(suite)


@pytest.mark.parametrize("name", known_suites())
def test_stagger_takes_no_replicate_a_step_of_an_adaptive_grid(name):
    for run in load_suite(name).runs:
        if run.sizes.refine:
            for d in run.d:
                grids = [run.sizes.sizes(d, r.sample) for r in run.replicates]
                assert len({len(grid) for grid in grids}) == 1
                assert max(g[-1] for g in grids) / min(g[-1] for g in grids) <= 1.01 * run.sizes.refine


def test_epsilons_relative_to_the_top_degrees_come_last(tmp_path):
    plain = load(tmp_path, GOOD)
    assert [e.label for e in epsilons_of(plain)] == [
        "eps = 0.3",
        "eps = 0.1",
        "eps_rel = 0.1",
    ]
    added = "[0.3, 0.1]\nrelative_epsilons = [0.5, 0.01]\ntop_epsilons = [0.2]\nweakest_epsilons = [0.3]"
    more = load(tmp_path, GOOD.replace("[0.3, 0.1]", added))
    last = ["eps_rel = 0.5", "eps_rel = 0.01", "eps_top = 0.2", "eps_weak = 0.3"]
    assert [e.label for e in epsilons_of(more)][2:] == last
    assert {u.key for u in make_plan(plain).units} == {u.key for u in make_plan(more).units}


def test_crossed_cell(tmp_path):
    suite = load(
        tmp_path, GOOD.replace("replicates = 4", "crossed = {targets = 4, samples = 2, inits = 2}", 1)
    )
    plan = make_plan(suite)
    assert len(plan.curves) == 4 * 4 and len(plan.certificates) == 2 * 4
    triples = [r for u in plan.curves if (u.learner, u.d) == ("mean", 4) for r in u.replicates]
    assert len(set(triples)) == 16


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('summary = "a test"', "summary = ", 2, "not valid TOML"),
        ("replicates = 4", "replicats = 4", 3, "did you mean 'replicates'"),
        ("replicates = 4", "replicates = 6", 3, "multiples of 4"),
        ("replicates = 4", 'replicates = "4"', 3, "integers from 1"),
        ("{min = 64, max = 128}", "{min = 64, max = 32}", 4, "from min = 64"),
        ("{min = 64, max = 128}", "{min = 64, maxi = 128}", 4, "did you mean 'max'"),
        ("timeout_seconds = 60", "timeout_seconds = -1", 5, "timeout_seconds = -1: allowed is a number > 0"),
        ("[0.3, 0.1]", "[0.3, -0.1]", 6, "positive"),
        ("[0.3, 0.1]", "[0.3, 0.3]", 6, "repeated"),
        ("[0.3, 0.1]", "[0.3, 0.1]\nrelative_epsilons = [0.0]", 7, "positive"),
        ('"squares"', '"sqares"', 10, "did you mean 'squares'"),
        ("depth = 2, width", "deph = 2, width", 11, "did you mean 'depth'"),
        ("offset = 0.5", "ofset = 0.5", 16, "did you mean 'offset'"),
        ('"krr_polynomial"\n\n', '"krr_polynomal"\n\n', 19, "did you mean 'krr_polynomial'"),
        ("stub_learners:Mean", "stub_learners:Meen", 15, "cannot import"),
        ("stub_learners:Mean", "stub_learners:NOT_A_LEARNER", 15, "allowed is a class with fit and predict"),
        ('label = "mean"', 'label = "mean"\nseconds = 0', 15, "seconds = 0: allowed is a number > 0"),
        ('label = "mean"', 'label = "mean"\nsecond = 1', 15, "did you mean 'seconds'"),
        ('label = "mean"', 'label = "krr_polynomial"', 18, "used twice"),
        ('targets = ["sq"]', 'targets = ["sw"]', 22, "did you mean 'sq'"),
        ('["mean", "krr', '["meen", "krr', 23, "did you mean 'mean'"),
        ("d = [4, 6]", "d = [4, 1]", 24, "d = 1"),
        ("d = [4, 6]", "d = [4, 4]", 24, "repeated"),
        ("[0.3, 0.1]", "[0.3, nan]", 6, "positive"),
        ("[0.3, 0.1]", "[inf]", 6, "positive"),
        ('"s"', '"../s"', 1, "name of a folder"),
        ("offset = 0.5", "offset = 2020-01-01", 16, "without dates and times"),
        ("offset = 0.5", "offset = [[12:00:00]]", 16, "without dates and times"),
        ("power = 1", "power = 900", 25, "no size up to max"),
        ("scale = 8", "scale = 0.1", 25, "allowed are integers from 2; raise scale"),
        ("max = 400", "max = 10", 25, "no size up to max"),
        ("ratio = 2", "ratio = 0.5", 25, "must grow"),
        ("scale = 8", "scal = 8", 25, "did you mean 'scale'"),
    ],
)
def test_error_names_file_line_and_what_is_allowed(tmp_path, old, new, line, says):
    assert old in GOOD
    with pytest.raises(UserError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 's.toml'}:{line}: "), text
    assert says in text and "\n" not in text


def test_two_size_plans_for_one_cell(tmp_path):
    again = '\n[[run]]\ntargets = ["sq"]\nlearners = ["mean"]\nd = [6]\n' + GOOD.splitlines()[-1] + "\n"
    with pytest.raises(UserError, match=r"s\.toml:31: run\.sizes: a second size plan .* line 21"):
        load(tmp_path, GOOD + again)


BAR = (
    '\n[[bar]]\nlabel = "b"\ntarget = "sq"\nlearner = "mean"\nd = 4\nn = {n}\nstatistic = "{s}"\nmax = 2.0\n'
)


def test_bar_needs_a_size_that_all_replicates_share(tmp_path):
    with pytest.raises(
        UserError, match=r":32: bar\.n = 32: allowed are sizes that every replicate of that cell has"
    ):
        load(tmp_path, GOOD + BAR.format(n=32, s="median_error"))
    fixed = GOOD.replace("ratio = 2, count = 3", "ratio = 1, count = 1")
    with pytest.raises(UserError, match=r":33: bar\.statistic: .*did you mean 'median_error'"):
        load(tmp_path, fixed + BAR.format(n=32, s="median_mee"))
    assert load(tmp_path, fixed + BAR.format(n=32, s="median_error")).bars[0].n == 32


def test_unknown_suite_gets_the_nearest_name():
    with pytest.raises(UserError, match="did you mean 'smoke'"):
        load_suite("smok")


def test_keys_depend_on_numbers_not_on_labels_or_neighbours(tmp_path):
    before = {u.key for u in make_plan(load(tmp_path, GOOD)).units}
    renamed = (
        GOOD.replace('label = "mean"', 'label = "m"').replace('["mean"', '["m"').replace('"s"', '"t"', 1)
    )
    assert {u.key for u in make_plan(load(tmp_path, renamed)).units} == before
    longer = GOOD.replace("replicates = 4", "replicates = 8").replace("d = [4, 6]", "d = [4, 6, 8]")
    assert {u.key for u in make_plan(load(tmp_path, longer)).units} > before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("offset = 0.5", "offset = 0.6"),
        ("width = 2", "width = 1"),
        ("min = 64", "min = 32"),
        ("count = 3", "count = 4"),
    ],
)
def test_keys_change_with_every_axis(tmp_path, old, new):
    def keys(text):
        return {u.key for u in make_plan(load(tmp_path, text)).curves if u.learner == "mean"}

    assert not keys(GOOD) & keys(GOOD.replace(old, new))


def test_narrowed_and_extended(tmp_path):
    suite = load(tmp_path, GOOD)
    assert [u.d for u in make_plan(narrowed(suite, ["mean"], d=[6])).curves] == [6]
    with pytest.raises(UserError, match=re.escape("d = 5: allowed are those of suite s: 4, 6")):
        narrowed(suite, d=[5])
    wider = with_learner(suite, LearnerEntry("ridge", "sklearn.linear_model:Ridge", {}))
    ridge = [u for u in make_plan(wider).curves if u.learner == "ridge"]
    assert [u.sizes for u in ridge] == [u.sizes for u in make_plan(suite).curves if u.learner == "mean"]


def test_the_paper_suites_differ_in_cells_only():
    """So that claims, figures and merged stores mean the same by the same label."""
    small, large = load_suite("paper-cpu"), load_suite("paper")
    assert small.targets == large.targets and small.learners == large.learners
    assert epsilons_of(small) == epsilons_of(large) and small.test == large.test
    cells = [{cell for run in suite.runs for cell in run.cells()} for suite in (small, large)]
    assert cells[0] < cells[1]
    first = {r.target for suite in (small, large) for run in suite.runs for r in run.replicates}
    others = set(known_suites()) - {"paper", "paper-cpu"}
    earlier = {r.target for name in others for run in load_suite(name).runs for r in run.replicates}
    assert not first & earlier, "targets that another suite has seen"
