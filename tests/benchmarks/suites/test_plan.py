"""What a plan estimates: where a learner takes one output, each class without an order is a fit."""

import pytest

from hierbench.benchmarks.suites.plan import later_stage, make_plan
from hierbench.benchmarks.suites.suite_file import load_suite

FOREIGN = "sklearn.linear_model:LogisticRegression"
SUITE = f"""
name = "scores"
summary = "ten classes, and two"
replicates = 4
test = {{min = 72, max = 72}}
timeout_seconds = 60
epsilons = [0.3]
target = [
  {{label = "ten", family = "digits"}},
  {{label = "two", family = "digits", params = {{labels = [3, 8]}}}},
]
learner = [
  {{learner = "krr_rbf"}}, {{learner = "krr_dot_product"}}, {{learner = "boosted_trees"}},
  {{learner = "{FOREIGN}"}},
]

[[run]]
targets = ["ten", "two"]
learners = ["krr_rbf", "krr_dot_product", "boosted_trees", "{FOREIGN}"]
d = [64]
sizes = {{scale = 20, power = 0, ratio = 2, count = 3, max = 285}}

[[fixed_sizes]]
targets = ["ten", "two"]
d = [64]
n = [100]
"""


WIDE = """
name = "wide"
summary = "candidates"
replicates = 4
test = {min = 64, max = 64}
timeout_seconds = 60
epsilons = [0.1]

[[target]]
label = "squares"
family = "squares"

[[learner]]
learner = "densenet"

[[learner]]
label = "wide"
learner = "densenet"
params = PARAMS

[[run]]
targets = ["squares"]
learners = ["densenet", "wide"]
d = [6]
sizes = {scale = 20, power = 1, ratio = 2, count = 2, max = 400}
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "scores.toml"
    path.write_text(SUITE)
    return load_suite(str(path))


@pytest.fixture(scope="module")
def pairs(suite):
    """Units on ten classes and on two, by learner and stage."""
    units = {(u.learner, u.stage, u.target): u for u in make_plan(suite).curves}
    return {k[:2]: (units[*k[:2], "ten"], units[*k[:2], "two"]) for k in units}


@pytest.mark.parametrize(
    ("learner", "fits"), [("krr_rbf", 1), ("krr_dot_product", 10), ("boosted_trees", 10), (FOREIGN, 1)]
)
def test_cost_is_that_of_a_fit_to_each_class_unless_one_fit_takes_all(suite, pairs, learner, fits):
    stages = [pair for (name, _), pair in pairs.items() if name == learner]
    assert len(stages) == 2
    for ten, two in stages:
        assert ten.cost == pytest.approx(fits * two.cost)
        later = (later_stage(suite, u, 1, u.replicates[:1], ((150,),)) for u in (ten, two))
        assert next(later).cost == pytest.approx(fits * next(later).cost)


@pytest.mark.parametrize(
    ("learner", "shared"), [(FOREIGN, False), ("boosted_trees", False), ("krr_rbf", True)]
)
def test_stages_of_one_size_cost_together_what_all_sizes_do(suite, pairs, learner, shared):
    """Of a learner of which the sizes of a curve share a fit, the largest costs that alone."""
    for unit in pairs[learner, 0]:
        columns = [tuple((n,) for n in column) for column in zip(*unit.sizes, strict=True)]
        costs = [later_stage(suite, unit, 1, unit.replicates, column).cost for column in columns]
        assert len(costs) > 1
        assert (costs[-1] if shared else sum(costs)) == pytest.approx(unit.cost)


def test_memory_is_that_of_one_fit_and_of_a_copy_of_the_data_for_each_score(pairs):
    for (learner, _), (ten, two) in pairs.items():
        copies = 9 if learner in ("krr_dot_product", "boosted_trees") else 0
        samples = sum(max(sizes) for sizes in ten.sizes)
        assert ten.memory - two.memory == 8 * 65 * samples * copies


@pytest.mark.parametrize(
    ("params", "times"),
    [
        ("{}", 1),
        ("{learning_rate = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06], width = [24, 48]}", 4),
        ("{learning_rate = 0.01, weight_decay = [0.1]}", 1 / 9),
        ("{width = 24}", 1),
    ],
)
def test_cost_grows_with_the_candidates_that_a_suite_lists(params, times, tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text(WIDE.replace("PARAMS", params))
    usual, wide = make_plan(load_suite(str(path))).curves
    assert wide.cost == pytest.approx(times * usual.cost)


@pytest.mark.parametrize(("learner", "shared"), [(FOREIGN, False), ("krr_rbf", True)])
def test_seconds_of_a_fit_are_a_cost_and_of_no_key(suite, learner, shared, tmp_path):
    """Of a learner with a cost law, of which the sizes of a curve may share a fit, too."""
    path = tmp_path / "scores.toml"
    plain = {u.key: u for u in make_plan(suite).curves if u.learner == learner}
    path.write_text(SUITE.replace(f'{{learner = "{learner}"}}', f'{{learner = "{learner}", seconds = 2.5}}'))
    with_seconds = load_suite(str(path))
    said = {u.key: u for u in make_plan(with_seconds).curves if u.learner == learner}
    assert said.keys() == plain.keys() and said
    for unit in said.values():
        assert unit.cost == 2.5 * sum(1 if shared else len(s) for s in unit.sizes) > plain[unit.key].cost
        later = later_stage(with_seconds, unit, 1, unit.replicates[:1], ((150, 170),))
        assert later.cost == (2.5 if shared else 5.0)
