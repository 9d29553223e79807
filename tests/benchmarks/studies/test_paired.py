"""n* of a learner over that of its twin with a larger budget: power laws, whose crossings are known."""

import math
import subprocess
import sys

import pytest
from curve_rows import row
from machinery import ROOT

from hierbench.benchmarks.results.read_results import read_rows
from hierbench.benchmarks.studies.paired import shifts, table
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.suite_file import load_suite

LAW, LONGER = "net", "net_4x"
NEAREST = {("ntk", "squares-L2"), ("ntk", "projected-L2"), ("two_layer_relu", "squares-L2")}
"""They come to no error of 0.1, with either search."""
SIZES = (100, 160, 250, 400, 640, 1000)


def rows(factors, floor=0.0, longer_floor=0.0):
    """Error (n / 10)^-1 with four times the steps; with the law's as if n were smaller by a factor."""
    for r, factor in enumerate(factors):
        for n in SIZES:
            yield row(n, max((n / 10) ** -1, longer_floor), r=r, learner=LONGER)
            yield row(n, max((n / factor / 10) ** -1, floor), r=r, learner=LAW)


def test_the_ratio_of_crossings_is_found_between_sizes():
    factors = (1.1, 1.2, 1.3, 1.25)
    [shift] = shifts(rows(factors), [Epsilon(0.03)])
    mean = math.exp(sum(map(math.log, factors)) / 4)
    assert shift.ratio == pytest.approx(mean, rel=1e-6)
    assert shift.low < mean < shift.high < 1.4
    assert (shift.pairs, shift.own_not, shift.neither, shift.replicates) == (4, 0, 0, 4)


def test_what_is_not_reached_is_counted_and_enters_no_ratio():
    [shift] = shifts(rows((1.1, 1.1), floor=0.05), [Epsilon(0.03)])
    assert shift.ratio is None and (shift.pairs, shift.own_not, shift.neither) == (0, 2, 0)
    [shift] = shifts(rows((1.1, 1.1), floor=0.05, longer_floor=0.05), [Epsilon(0.03)])
    assert (shift.pairs, shift.own_not, shift.neither) == (0, 2, 2)
    assert table([shift])[2].split(" | ")[4:7] == ["-", "0 of 2", "2"]


def test_a_folder_without_its_rows_is_one_line(tmp_path):
    command = [sys.executable, "-m", "hierbench.benchmarks.studies.paired", "steps", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no results in" in done.stderr


def test_the_page_says_what_the_rows_that_ship_say():
    """At an error of 0.1, or of 0.5 where that is out of reach."""
    epsilons = [Epsilon(e) for e in load_suite("search").epsilons]
    found = list(shifts(read_rows("reference", suite="search"), epsilons))
    said = [s for s in found if s.epsilon.value == (0.5 if (s.learner, s.target) in NEAREST else 0.1)]
    assert all(s.ratio <= 1.25 for s in said if s.ratio)
    page = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8").partition("## A search ten")[2]
    shown = page.partition("## ")[0]
    assert [line for line in shown.splitlines() if line.startswith("|")] == table(said)
