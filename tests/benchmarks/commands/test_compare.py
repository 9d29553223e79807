"""``hierbench compare``: what the store says, as text and as Markdown, with nothing computed."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import synthetic_rows

from hierbench.benchmarks import options
from hierbench.benchmarks.commands import compare
from hierbench.benchmarks.commands.compare import FORMATS, comparison, markdown, ratio_cells, text
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.table import PIPE_WIDTH
from hierbench.benchmarks.statistics.ranks import Comparison, rank
from hierbench.benchmarks.statistics.sample_complexity import n_stars
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.benchmarks.suites.suite_file import load_suite

EPSILONS = (Epsilon(0.3), Epsilon(0.1), Epsilon(0.03), Epsilon(0.1, Scale.UPPER_HALF))


@pytest.fixture(scope="module")
def blocks():
    rows, certificates = synthetic_rows.suite()
    return comparison("demo", SuiteResults(rows, certificates), EPSILONS, "hierbench run demo")


def table(printed: str, target: str, heading: str) -> dict[str, list[str]]:
    """Cells by learner of one table of the text, where each learner has one line."""
    part = printed[printed.index(f"target {target}\n") :]
    part = part[part.index(heading) :].split("\n\n")[0]
    return {cells[0]: cells for cells in (re.split(r"  +", x.strip()) for x in part.splitlines()[2:])}


def test_groups_and_ranks_are_those_of_the_statistic(blocks):
    rows, certificates = synthetic_rows.suite()
    printed = text(blocks)
    for target, epsilon in itertools.product(synthetic_rows.TARGETS, EPSILONS):
        stars = [s for s in n_stars(rows, certificates, [epsilon]) if s.target == target]
        cells = table(printed, target, f"learners at {epsilon.label} ")
        assert cells.keys() == synthetic_rows.LEARNERS.keys()
        order = {name: i for i, name in enumerate(dict.fromkeys(r.learner for r in rows))}
        for found in rank(sorted(stars, key=lambda s: order[s.learner])):
            name, letters, ranks = cells[found.learner][:3]
            assert letters == found.letters, name
            assert ranks in (f"{found.best}-{found.worst}", str(found.best))


def test_a_learner_that_was_made_cheapest_is_first_and_the_dearest_is_apart(blocks):
    cells = table(text(blocks), "squares-L2", "learners at eps = 0.1 ")
    first = next(iter(cells.values()))
    assert first[3] == "1"
    assert not set(first[1]) & set(cells["ntk"][1])


def test_exponent_in_1_over_eps_is_that_of_the_curve():
    """n* = 100 (1/eps)^(1/2) exactly, on a fine grid."""
    rng = np.random.default_rng(0)
    rows = [
        synthetic_rows.row(round(n), (100 * scale / n) ** 2, 8, r, learner="power")
        for r, scale in enumerate(np.exp(0.2 * rng.normal(size=4)))
        for n in 60 * 1.05 ** np.arange(80)
    ]
    evidence = SuiteResults(rows, {})
    printed = text(comparison("demo", evidence, [Epsilon(e) for e in (0.3, 0.1, 0.03, 0.01)], "c"))
    found = re.search(r"power +8 +(\S+) \[(\S+),(\S+)\] +0.3 - 0.01 +4", printed)
    assert found
    value, low, high = map(float, found.groups())
    assert value == pytest.approx(0.5, abs=0.02)
    assert low <= 0.5 <= high
    assert "learners at" not in printed  # one learner has no rank


def test_a_bound_is_rounded_to_the_side_on_which_it_holds():
    def cells(low, high):
        return ratio_cells(Comparison("a", "b", -high, -low, 0.5, 0, (8, 12)))

    assert cells(math.log(2.34), math.log(2.34)) == ("2.3", "8, 12")
    assert cells(math.log(10.99), math.inf) == ("> 10", "8, 12")
    assert cells(math.log(10.01), math.inf) == ("> 10", "8, 12")
    assert cells(-math.inf, math.log(0.301)) == ("< 0.31", "8, 12")
    assert cells(-math.inf, math.inf) == ("-", "8, 12")


def test_where_nothing_can_be_compared_it_says_so():
    rows = [synthetic_rows.row(64, 0.9, 8, r, learner=name) for name in ("a", "b") for r in range(4)]
    printed = text(comparison("demo", SuiteResults(rows, {}), [Epsilon(0.1)], "c"))
    assert re.search(r"learners at eps = 0.1 .*: nothing to compare\n", printed)
    assert printed.count("n* > n_max at every eps") == 2
    undefined = text(
        comparison("demo", SuiteResults(rows, {}), [Epsilon(0.1), Epsilon(0.1, Scale.UPPER_HALF)], "c")
    )
    assert "exponent of n* in 1/eps_rel: undefined here\n" in undefined


def test_missing_units_and_rows_that_are_not_ok_are_told(blocks):
    rows, certificates = synthetic_rows.suite()
    evidence = SuiteResults(rows, certificates, missing={("ntk", "squares-L2"): 3})
    assert "3 units are missing or failed; hierbench run it" in text(
        comparison("demo", evidence, EPSILONS, "hierbench run it")
    )
    printed = re.sub(r"\s+", " ", text(blocks))
    assert "missing or failed" not in printed
    assert re.search(r"Rows that are not ok: .*two_layer: \d+ unreliable, \d+ diverged of", printed)


def test_variance_components_of_a_crossed_cell_are_printed_and_only_there(blocks):
    assert "variance components" not in text(blocks)
    rng = np.random.default_rng(1)
    rows = [
        synthetic_rows.row(n, (n0 * math.exp(0.1 * rng.normal()) / n) ** 1.5, 8, **axes, block=0)
        for t in range(4)
        for n0 in [100 * math.exp(0.3 * rng.normal())]
        for s, i in itertools.product(range(2), range(2))
        for axes in [{"target_index": t, "sample_index": s, "init_index": i}]
        for n in (64, 128, 256, 512, 1024, 2048)
    ]
    found = comparison("demo", SuiteResults(rows, {}), [Epsilon(0.1)], "c")
    assert "Learners are not compared here: replicates share targets" in text(found)
    assert "learners at" not in text(found)
    assert re.search(r"variance components\n.*initialisation", text(found), re.DOTALL)
    assert re.search(r"## variance components\n\n### t, d = 8\n\n\| learner: quantity", markdown(found))
    assert max(map(len, text(found).splitlines())) <= PIPE_WIDTH + 2


def test_ratios_are_over_a_learner_that_can_be_compared():
    """The first of the file ran at another d, the second never got there."""
    rows = [synthetic_rows.row(n, 10 / n, 4, r, learner="apart") for r in range(4) for n in (50, 200)]
    rows += [synthetic_rows.row(n, 0.9, 8, r, learner="never") for r in range(4) for n in (50, 200)]
    rows += [synthetic_rows.row(n, 10 / n, 8, r, learner="there") for r in range(4) for n in (50, 200)]
    rows += [synthetic_rows.row(n, 12 / n, 8, r, learner="too") for r in range(4) for n in (50, 200)]
    cells = table(text(comparison("demo", SuiteResults(rows, {}), [Epsilon(0.1)], "c")), "t", "learners at")
    assert cells["there"][3] == "1" and cells["too"][3] == "1" and cells["never"][3].startswith(">")


def test_a_suite_of_experiments_has_no_comparison(status, tmp_path):
    Store.writable(tmp_path).close()
    code, _, error = status("compare", "correction", "--results", tmp_path)
    assert code == 2 and "hierbench claims" in error


def test_markdown_has_every_table_with_as_many_cells_as_columns(blocks):
    printed = markdown(blocks)
    lines = printed.splitlines()
    assert lines[0].startswith("# Statistics of demo")
    for first, rule in itertools.pairwise(lines):
        if rule.startswith("| ---"):
            assert first.count("|") == rule.count("|")
    assert printed.count("### learners at") == len(synthetic_rows.TARGETS) * len(EPSILONS)
    rows = [line for line in lines if line.startswith("| densenet |")]
    assert len(rows) > len(synthetic_rows.TARGETS) * len(EPSILONS)


def test_lines_fit_a_pipe(blocks):
    assert max(len(line) for line in text(blocks).splitlines()) <= 120


def test_the_command_reads_a_store_and_changes_nothing(finished, tmp_path, status):
    path, folder = finished
    before = (folder / NAME).read_bytes()
    code, out, err = status("compare", path, "--results", folder)
    assert (code, err) == (0, "")
    assert "target sq" in out
    assert "exponent of n* in 1/eps" in out
    written = tmp_path / "deep" / "compare.md"
    assert status("compare", path, "--results", folder, "--format", "markdown", "--output", written)[0] == 0
    assert written.read_text().startswith("# Statistics of stub")
    assert (folder / NAME).read_bytes() == before


def test_errors_are_one_line_and_status_2(finished, tmp_path, status):
    path, folder = finished
    for arguments, said in (
        (["compare", "smoke", "--results", folder], "no rows of suite smoke in"),
        (["compare", path, "--results", tmp_path / "none"], "no results in"),
        (["compare", "smok", "--results", tmp_path], "smoke"),
        (["compare", path, "--results", folder, "--output", tmp_path], "cannot be written"),
        (["compare", path, "--format", "latex"], "latex"),
    ):
        code, _, err = status(*arguments)
        assert code == 2, arguments
        assert said in err
        assert err.count("\n") == 1


def test_formats_of_the_command_are_those_of_the_module():
    assert {f.value for f in options.BlockFormat} == FORMATS.keys()


@pytest.mark.parametrize(
    ("lacking", "makes"),
    [
        (["odd:B"], "hierbench run smoke --learner=odd:B makes them"),
        (["krr_rbf"], "hierbench run smoke makes them"),
        (["krr_rbf", "odd:B"], "hierbench run smoke and hierbench run smoke --learner=odd:B makes them"),
    ],
)
def test_what_is_missing_comes_with_the_command_that_makes_it(monkeypatch, capsys, lacking, makes):
    rows, certificates = synthetic_rows.suite()
    found = SuiteResults(rows, certificates, {(label, "sq", 4): 1 for label in lacking})
    monkeypatch.setattr(compare, "measured", lambda *_: (load_suite("smoke"), found))
    compare.show_comparison("smoke", Path("results"), "markdown", None, ["odd:B"])
    assert makes in capsys.readouterr().out
