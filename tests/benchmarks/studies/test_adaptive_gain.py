"""The twin of an adaptive run: every size of its fine grid, over the same range, and nothing else."""

import itertools
import math

import pytest

from hierbench.benchmarks.statistics.exponents import Exponent
from hierbench.benchmarks.studies import adaptive_gain
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite

SUITE = """\
name = "two"
summary = "one run adaptive, one not"
replicates = 4
test = {min = 512, max = 4096}
timeout_seconds = 60
epsilons = [0.3, 0.03]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}

[[learner]]
learner = "krr_polynomial"

[[learner]]
learner = "krr_rbf"

[[run]]
targets = ["sq"]
learners = ["krr_polynomial"]
d = [4, 5, 6]
sizes = {scale = 1.5, power = 1, ratio = 6, count = 4, max = 900, refine = 1.5}

[[run]]
targets = ["sq"]
learners = ["krr_rbf"]
d = [4]
sizes = {scale = 2, power = 1, ratio = 4, count = 2, max = 900}
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(SUITE)
    return make_plan(adaptive_gain.adaptive_part(load_suite(str(path))))


def test_full_grid_covers_the_range_of_the_plan_in_steps_of_refine(plan):
    assert {u.learner for u in plan.curves} == {"krr_polynomial"}
    for coarse, fine in zip(plan.curves, adaptive_gain.full_grid(plan).curves, strict=True):
        assert coarse.replicates == fine.replicates and coarse.key != fine.key
        for few, many in zip(coarse.sizes, fine.sizes, strict=True):
            assert (few[0], few[-1]) == (many[0], many[-1])
            ratios = [math.log(b / a) / math.log(1.5) for a, b in itertools.pairwise(many)]
            # sizes are whole numbers, and the last step may be a short one
            assert all(0.6 < r < 1.4 for r in ratios[:-1]) and ratios[-1] < 1.4
            assert len(many) == math.ceil(math.log(few[-1] / few[0]) / math.log(1.5) - 0.01) + 1


@pytest.mark.slow(50)
def test_adaptive_run_takes_fewer_fits_for_brackets_as_narrow(plan, tmp_path):
    found = adaptive_gain.computed(plan, tmp_path / "adaptive", adaptive=True)
    full = adaptive_gain.computed(adaptive_gain.full_grid(plan), tmp_path / "full", adaptive=False)
    pair = ("krr_polynomial", "sq")
    assert found[pair].fits < 0.8 * full[pair].fits
    assert adaptive_gain.mean_width(found[pair].stars) < 1.5 * 1.1
    assert found[pair].seconds > 0 and set(found[pair].slopes) == set(full[pair].slopes)
    # the ends of the full grid's brackets are what no design can do without; a few ends may be shared
    assert 0.2 * full[pair].fits < full[pair].ends <= 2 * len(full[pair].stars)
    assert full[pair].ends <= found[pair].fits
    lines = adaptive_gain.table(found, full)
    assert len(lines) == 4 and f"{found[pair].fits} of {full[pair].fits}" in lines[2]


def test_widths_are_compared_where_both_designs_have_an_interval():
    key = [("t", "net", Epsilon(e)) for e in (0.3, 0.1, 0.03)]
    a = {key[0]: Exponent("estimate", 2.0, 1.0, 3.0), key[1]: Exponent("estimate", 2.0, 1.5, 2.5)}
    f = {key[0]: Exponent("estimate", 2.0, 1.5, 2.5), key[1]: Exponent("estimate", 2.0, 1.0, 3.0)}
    assert adaptive_gain.width_ratio(a, f) == pytest.approx(1.0)
    bound = {key[2]: Exponent("lower bound", low=2.0)}
    assert adaptive_gain.width_ratio({key[0]: a[key[0]]} | bound, f | bound) == pytest.approx(2.0)
    assert math.isnan(adaptive_gain.width_ratio(bound, bound))
