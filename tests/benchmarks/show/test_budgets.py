"""What fits took, side by side, and who chose at the end of what was tried."""

from pathlib import Path

import pytest
from curve_rows import row

from hierbench.benchmarks.commands.budgets import show_budgets
from hierbench.benchmarks.show.budgets import budgets, edge_warnings
from hierbench.errors import UserError


def fit(n, steps, edges, **other):
    plain = {"fit_seconds": steps / 100, "flops": 1e9 * steps, "steps": steps, "hyperparameters": {}}
    return row(n, 0.1, health={"edges_of_grid": edges, "candidates": 4.0}, **(plain | other))


def test_medians_over_the_fits_that_ended():
    rows = [fit(10, 100, 0.0), fit(20, 300, 1.0), fit(40, 900, 0.0), fit(80, 1, 1.0, status="failed")]
    kernel = fit(10, 7, 1.0, learner="kernel", hyperparameters={"ridge": 1e-10})
    section = budgets([*rows, kernel, row(10, 0.1, learner="own", health={}, hyperparameters={})])
    assert section.cells == (
        ("net", "3", "4", "300", "3", "3e+02", "33%"),
        ("kernel", "1", "4", "7", "0.07", "7", "0%"),
        ("own", "1", "-", "-", "-", "-", "-"),
    )


@pytest.mark.parametrize(("at_edge", "warned"), [(1, False), (2, True)])
def test_a_warning_from_more_than_a_quarter_on(at_edge, warned):
    rows = [fit(10 + i, 5, float(i < at_edge)) for i in range(4)]
    assert (
        edge_warnings(rows)
        == ["net: a step beyond its grid still paid in 50% of its fits: a wider one may do better"] * warned
    )


def test_without_rows_one_line_says_how_to_get_them(tmp_path: Path):
    from hierbench.benchmarks.store.store import Store

    with Store.writable(tmp_path):
        pass
    with pytest.raises(UserError, match=r"no rows of suite smoke in .*: hierbench run smoke makes them"):
        show_budgets("smoke", tmp_path, "text")
