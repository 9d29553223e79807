"""The study of what lies beyond the ends of lattices: which ends it looks past, and what it makes of it."""

import inspect

import pytest

from hierbench.benchmarks.studies import lattice_ends
from hierbench.benchmarks.studies.lattice_ends import OPEN, Cell, Found, Step, beyond, examine, row
from hierbench.learners.registry import LEARNERS, load

ENDS = {"bias": ((0.0, 1.0, 3.0), (10.0,)), "share": ((0.1, 0.9), (0.03, 0.97)), "depth": ((1.0, 5.0), (6,))}


@pytest.mark.parametrize(
    ("chosen", "looked_at"),
    [
        ({"bias": 1.0, "share": 0.5, "depth": 3.0}, []),
        ({"bias": 0.0, "share": 0.5, "depth": 1.0}, []),
        ({"bias": 3.0, "share": 0.5, "depth": 3.0}, [("bias", [0.0, 1.0, 3.0, 10.0])]),
        ({"bias": 1.0, "share": 0.1, "depth": 3.0}, [("share", [0.1, 0.9, 0.03])]),
        ({"bias": 1.0, "share": 0.9, "depth": 5.0}, [("share", [0.1, 0.9, 0.97]), ("depth", [1, 5, 6])]),
    ],
)
def test_a_step_is_taken_past_open_ends_only(chosen, looked_at):
    assert list(beyond(chosen, ENDS)) == looked_at


@pytest.mark.parametrize("learner", OPEN)
def test_parameters_are_those_of_the_learner_and_values_lie_outside(learner):
    parameters = inspect.signature(load(LEARNERS[learner].path)).parameters
    for name, (values, outside) in OPEN[learner].items():
        assert name in parameters
        assert all(not min(values) <= value <= max(values) for value in outside)


CELL = Cell("squares", {"depth": 2, "width": 2}, 2, 4, 120)


def test_a_step_that_pays_is_seen(monkeypatch):
    monkeypatch.setitem(OPEN, "compositional", {"homogeneity": ((0.0,), (4.0,))})
    usual = lattice_ends.make_learner

    def narrow(name, **parameters):
        return usual(name, **{"homogeneity": 0.0, "depth": 1, "activation": "quartic", **parameters})

    monkeypatch.setattr(lattice_ends, "make_learner", narrow)
    found = [examine("compositional", CELL, index, 256) for index in range(2)]
    assert any(one.paying for one in found)
    assert row("compositional", CELL, found)[5] == "homogeneity"


def test_the_table_counts_ends_and_what_pays():
    found = [
        Found(0.1, ()),
        Found(0.2, (Step("bias", 0.99, 2.0),)),
        Found(0.4, (Step("bias", 0.5, 0.25), Step("depth", 0.9, 1.0))),
        Found(0.8, (Step("bias", 0.5, 1.0),)),
    ]
    cells = row("ntk", CELL, found)
    assert cells[1] == "squares, degree 4, d = 4, n = 120"
    assert cells[2:] == (f"{0.0064**0.25:.2g}", "3 of 4", "2 of 4", "bias", "0.5", "0.5")
    assert row("ntk", CELL, found[:2])[3:] == ("1 of 2", "0 of 2", "-", "-", "-")
